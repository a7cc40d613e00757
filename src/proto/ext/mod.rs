//! The extension protocol (BEP 10) and the extensions that ride on it.
//!
//! Each side names the ids under which it wants to receive; ours are the constants in [`our_id`].

pub mod handshake;
pub mod holepunch;
pub mod metadata;
pub mod pex;

pub use handshake::{ExtHandshake, OurHandshake};
pub use holepunch::{HolepunchError, HolepunchMessage};
pub use metadata::MetadataMessage;
pub use pex::{PexFlags, PexMessage, PexPeer};

/// The message ids under which we receive extension messages.
pub mod our_id {
    pub const HANDSHAKE: u8 = 0;
    pub const UT_METADATA: u8 = 1;
    pub const UT_PEX: u8 = 2;
    pub const LT_DONTHAVE: u8 = 3;
    pub const UT_HOLEPUNCH: u8 = 4;
}

/// Length of a piece of the info dictionary (BEP 9, "metadata"); the last may be shorter.
pub const METADATA_PIECE_LEN: u32 = 16 * 1024;

/// Reads a DONT HAVE: the piece that the sender no longer has (BEP 54, "protocol encoding").
pub fn dont_have(payload: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(payload.try_into().ok()?))
}

/// The payload of a DONT HAVE.
pub fn dont_have_payload(piece: u32) -> [u8; 4] {
    piece.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dont_have_is_one_index() {
        assert_eq!(dont_have(&[0, 0, 1, 2]), Some(258));
        assert_eq!(dont_have(&dont_have_payload(258)), Some(258));
        assert_eq!(dont_have(&[0, 0, 1]), None);
    }
}
