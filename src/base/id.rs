//! The names of torrents and peers: info hashes, their pair, and peer ids.
//!
//! A torrent's identity is a [`TorrentId`] everywhere (state, locks, announces, incoming handshakes); a lone info hash
//! is only what one message of one protocol carries.

use std::fmt;

/// SHA-1 of the raw `info` dictionary (BEP 3, "infohash").
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHashV1(pub [u8; 20]);

/// SHA-256 of the raw `info` dictionary (BEP 52, "infohash").
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHashV2(pub [u8; 32]);

impl InfoHashV2 {
    /// The first 20 bytes, which stand for the whole wherever a protocol has room for 20 (BEP 52).
    pub fn truncated(self) -> InfoHashV1 {
        let mut short = [0; 20];
        short.copy_from_slice(&self.0[..20]);
        InfoHashV1(short)
    }
}

/// What a torrent is known by: its v1 hash, its v2 hash or both, never neither.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TorrentId {
    v1: Option<InfoHashV1>,
    v2: Option<InfoHashV2>,
}

impl TorrentId {
    pub fn from_v1(v1: InfoHashV1) -> Self {
        TorrentId { v1: Some(v1), v2: None }
    }

    pub fn from_v2(v2: InfoHashV2) -> Self {
        TorrentId { v1: None, v2: Some(v2) }
    }

    /// Both hashes; `None` where there is neither.
    pub fn new(v1: Option<InfoHashV1>, v2: Option<InfoHashV2>) -> Option<Self> {
        (v1.is_some() || v2.is_some()).then_some(TorrentId { v1, v2 })
    }

    pub fn v1(&self) -> Option<InfoHashV1> {
        self.v1
    }

    pub fn v2(&self) -> Option<InfoHashV2> {
        self.v2
    }

    /// The 20 bytes that handshakes, announces and the DHT carry: v1 where there is one, else the truncated v2.
    pub fn wire(&self) -> InfoHashV1 {
        match (self.v1, self.v2) {
            (Some(v1), _) => v1,
            (None, Some(v2)) => v2.truncated(),
            (None, None) => unreachable!("a TorrentId has at least one hash"),
        }
    }

    /// Every hash that stands for the torrent where a protocol has room for 20 bytes: one, or both of a hybrid, of which
    /// the first is [`TorrentId::wire`].
    pub fn hashes(&self) -> impl Iterator<Item = InfoHashV1> + use<> {
        self.v1.into_iter().chain(self.v2.map(InfoHashV2::truncated))
    }

    /// True if both are known to name one torrent: a hash that both have agrees, and none contradicts. A magnet link
    /// often has one hash of a hybrid alone.
    pub fn is_same(&self, other: &TorrentId) -> bool {
        let agree = |ours: Option<bool>| ours.unwrap_or(true);
        let v1 = self.v1.zip(other.v1).map(|(ours, theirs)| ours == theirs);
        let v2 = self.v2.zip(other.v2).map(|(ours, theirs)| ours == theirs);
        v1.or(v2).is_some() && agree(v1) && agree(v2)
    }

    /// True if a handshake that carries `hash` is meant for this torrent.
    pub fn answers_to(&self, hash: InfoHashV1) -> bool {
        self.hashes().any(|ours| ours == hash)
    }

    /// The v2 hash by which a hybrid may be called too, in 20 bytes.
    pub fn upgraded(&self) -> Option<InfoHashV1> {
        self.v1.and(self.v2).map(InfoHashV2::truncated)
    }

    /// True if who agrees on `hash` in the handshake speaks of the torrent as a v2 one (BEP 52).
    pub fn is_v2(&self, hash: InfoHashV1) -> bool {
        self.v2.is_some_and(|v2| v2.truncated() == hash)
    }
}

/// Shows the v1 hash in hex, or the v2 hash where there is no other. Names files in the state folder.
impl fmt::Display for TorrentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.v1, self.v2) {
            (Some(v1), _) => v1.fmt(f),
            (None, Some(v2)) => v2.fmt(f),
            (None, None) => unreachable!("a TorrentId has at least one hash"),
        }
    }
}

/// The 20 bytes by which a peer calls itself (BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// Our own id: `-RC` + version + `-` + 12 characters drawn from `rng`; the same for the whole run.
    pub fn ours(rng: &mut impl rand::Rng) -> PeerId {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut id = *PEER_ID_PREFIX;
        for byte in &mut id[8..] {
            *byte = LETTERS[(rng.next_u32() % 62) as usize];
        }
        PeerId(id)
    }
}

/// The documented, stable part of our peer id; trackers keep white lists of these.
pub const PEER_ID_PREFIX: &[u8; 20] = b"-RC0100-............";

macro_rules! hex_format {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}
hex_format!(InfoHashV1, InfoHashV2, PeerId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_goes_by_its_v1_hash_and_answers_to_both() {
        let v2 = InfoHashV2([7; 32]);
        let hybrid = TorrentId::new(Some(InfoHashV1([1; 20])), Some(v2)).unwrap();
        assert_eq!(hybrid.wire(), InfoHashV1([1; 20]));
        assert!(hybrid.answers_to(InfoHashV1([1; 20])) && hybrid.answers_to(InfoHashV1([7; 20])));
        assert!(!hybrid.answers_to(InfoHashV1([2; 20])));
        assert_eq!(hybrid.hashes().collect::<Vec<_>>(), [InfoHashV1([1; 20]), InfoHashV1([7; 20])]);
        assert!(hybrid.is_v2(InfoHashV1([7; 20])) && !hybrid.is_v2(InfoHashV1([1; 20])));
        assert_eq!(hybrid.upgraded(), Some(v2.truncated()));
        let v2_only = TorrentId::from_v2(v2);
        assert_eq!((v2_only.wire(), v2_only.upgraded()), (v2.truncated(), None));
        assert_eq!(v2_only.hashes().collect::<Vec<_>>(), [v2.truncated()]);
        assert_eq!(TorrentId::new(None, None), None);
    }

    #[test]
    fn a_hybrid_is_the_torrent_that_one_of_its_hashes_names() {
        let id = |v1: u8, v2: u8| {
            let v1 = (v1 > 0).then_some(InfoHashV1([v1; 20]));
            TorrentId::new(v1, (v2 > 0).then_some(InfoHashV2([v2; 32]))).unwrap()
        };
        for other in [id(1, 0), id(0, 2), id(1, 2)] {
            assert!(id(1, 2).is_same(&other) && other.is_same(&id(1, 2)), "{other:?}");
        }
        for other in [id(3, 0), id(0, 3), id(1, 3), id(3, 2)] {
            assert!(!id(1, 2).is_same(&other) && !other.is_same(&id(1, 2)), "{other:?}");
        }
        assert!(!id(1, 0).is_same(&id(0, 2)), "nothing shows that they are");
    }
}
