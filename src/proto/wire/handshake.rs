//! The 68 bytes that open a connection (BEP 3, "peer protocol").
//!
//! A hybrid torrent goes by two hashes (BEP 52, "upgrade path"). Who calls for its v1 hash may set a bit that says that it
//! knows the v2 one too, and may then be answered with that; the hash of the answer is what both have agreed on.

use super::WireError;
use crate::base::id::{InfoHashV1, PeerId, TorrentId};

/// How long a handshake is.
pub const HANDSHAKE_LEN: usize = 68;

/// The protocol's name with its length before it: the first 20 bytes.
const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// The eight bytes in which clients say what they know beyond BEP 3.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// What we know: the extension protocol and the fast extension.
    pub const OURS: Reserved = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x04]);

    /// The same, with a DHT node on the side (BEP 5).
    pub fn with_dht(mut self) -> Self {
        self.0[7] |= 0x01;
        self
    }

    /// The same, for a torrent that has a v2 hash beside the hash of this handshake (BEP 52), or for one that has not.
    fn with_v2(mut self, has: bool) -> Self {
        self.0[7] = self.0[7] & !0x10 | u8::from(has) << 4;
        self
    }

    /// The extension protocol (BEP 10).
    pub fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }

    /// The fast extension (BEP 6); in force only if both sides set it.
    pub fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }

    /// A DHT node that PORT will tell of (BEP 5).
    pub fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }

    /// The v2 hash would do as well as the v1 hash of this handshake (BEP 52).
    pub fn v2(self) -> bool {
        self.0[7] & 0x10 != 0
    }
}

/// The opening handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    pub reserved: Reserved,
    pub info_hash: InfoHashV1,
    pub peer_id: PeerId,
}

impl Handshake {
    /// What we say for the torrent `id` where it goes by `hash`. The bit of BEP 52 is set under the v1 hash of a hybrid and
    /// nowhere else: peers drop a caller that sets it for a torrent that they know to be v1 only.
    pub fn ours(id: TorrentId, hash: InfoHashV1, reserved: Reserved, peer_id: PeerId) -> Handshake {
        let hybrid = id.upgraded().is_some_and(|v2| v2 != hash);
        Handshake { reserved: reserved.with_v2(hybrid), info_hash: hash, peer_id }
    }

    /// The hash that answers this call for the torrent `id`: the v2 one if both sides know it, else the one that was called.
    pub fn answered_by(&self, id: TorrentId) -> InfoHashV1 {
        id.upgraded().filter(|_| self.reserved.v2()).unwrap_or(self.info_hash)
    }

    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut bytes = [0; HANDSHAKE_LEN];
        bytes[..20].copy_from_slice(PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved.0);
        bytes[28..48].copy_from_slice(&self.info_hash.0);
        bytes[48..].copy_from_slice(&self.peer_id.0);
        bytes
    }

    /// # Errors
    /// If the protocol's name is not at the front.
    pub fn decode(bytes: &[u8; HANDSHAKE_LEN]) -> Result<Handshake, WireError> {
        if !Handshake::may_begin(bytes) {
            return Err(WireError("not a BitTorrent handshake"));
        }
        let (mut reserved, mut info_hash, mut peer_id) = ([0; 8], [0; 20], [0; 20]);
        reserved.copy_from_slice(&bytes[20..28]);
        info_hash.copy_from_slice(&bytes[28..48]);
        peer_id.copy_from_slice(&bytes[48..]);
        Ok(Handshake { reserved: Reserved(reserved), info_hash: InfoHashV1(info_hash), peer_id: PeerId(peer_id) })
    }

    /// True if these first bytes, however few, can become a handshake: anything else is another protocol or encrypted.
    pub fn may_begin(bytes: &[u8]) -> bool {
        let len = bytes.len().min(PROTOCOL.len());
        bytes[..len] == PROTOCOL[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::InfoHashV2;

    #[test]
    fn the_bytes_stand_as_bep_3_says() {
        let ours = Handshake {
            reserved: Reserved::OURS.with_dht(),
            info_hash: InfoHashV1([0xaa; 20]),
            peer_id: PeerId(*b"-RC0100-abcdefghijkl"),
        };
        let bytes = ours.encode();
        assert_eq!(bytes[0], 19); // length of the name
        assert_eq!(&bytes[1..20], b"BitTorrent protocol");
        assert_eq!(bytes[20..28], [0, 0, 0, 0, 0, 0x10, 0, 0x05]); // BEP 10; BEP 6 and BEP 5
        assert_eq!(bytes[28..48], [0xaa; 20]); // info hash
        assert_eq!(&bytes[48..], b"-RC0100-abcdefghijkl"); // peer id
        assert_eq!(Handshake::decode(&bytes), Ok(ours));
        assert!(ours.reserved.extended() && ours.reserved.fast() && ours.reserved.dht());
        assert!(!Reserved::default().extended() && !Reserved::default().fast() && !Reserved::OURS.dht());
    }

    #[test]
    fn a_hybrid_says_that_it_has_both_hashes_and_is_answered_with_the_newer() {
        let (v1, v2) = (InfoHashV1([1; 20]), InfoHashV2([2; 32]));
        let hybrid = TorrentId::new(Some(v1), Some(v2)).unwrap();
        let ours = |id, hash| Handshake::ours(id, hash, Reserved::OURS, PeerId([0; 20]));
        let call = ours(hybrid, v1);
        assert_eq!(call.encode()[20..28], [0, 0, 0, 0, 0, 0x10, 0, 0x14]); // BEP 10; BEP 52 and BEP 6
        assert_eq!(call.answered_by(hybrid), v2.truncated());
        assert_eq!(call.answered_by(TorrentId::from_v1(v1)), v1, "who does not know the v2 hash can't say it");
        let plain = ours(TorrentId::from_v1(v1), v1);
        assert!(!plain.reserved.v2());
        assert_eq!(plain.answered_by(hybrid), v1);
        for id in [hybrid, TorrentId::from_v2(v2)] {
            let newer = ours(id, v2.truncated());
            assert!(!newer.reserved.v2());
            assert_eq!(newer.answered_by(hybrid), v2.truncated());
        }
    }

    #[test]
    fn another_protocol_is_seen_at_its_first_byte() {
        assert!(Handshake::may_begin(b"") && Handshake::may_begin(b"\x13Bit"));
        assert!(!Handshake::may_begin(b"GET / HTTP/1.1") && !Handshake::may_begin(b"\x13BitTorrent protocoL"));
        assert_eq!(Handshake::decode(&[0; 68]), Err(WireError("not a BitTorrent handshake")));
    }
}
