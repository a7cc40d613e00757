//! The peer wire protocol (BEP 3, "peer protocol"; BEP 6; BEP 10; BEP 52): the opening handshake and the messages after it.

mod handshake;
mod hashes;
mod message;

pub use handshake::{HANDSHAKE_LEN, Handshake, Reserved};
pub use hashes::{HASH_RANGE_LEN, HashRange, MAX_HASHES};
pub use message::{BlockRequest, MAX_FRAME, MAX_REQUEST, Message, PIECE_HEADER_LEN, id, max_frame, piece_header};

/// What breaks the wire protocol; the text is fit for a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct WireError(pub &'static str);
