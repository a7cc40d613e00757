//! One peer connection after its handshake, as a sans-I/O machine.

pub mod message;

pub use message::{PeerCommand, PeerEvent, PeerLimits, Tally};
