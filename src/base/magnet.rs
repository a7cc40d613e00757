//! magnet
use super::id::TorrentId;

/// A magnet link, parsed; never a string again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Magnet {
    pub id: TorrentId,
    /// `dn`
    pub name: Option<String>,
    /// `tr`, each a tier of its own, in order, duplicates dropped.
    pub trackers: Vec<String>,
    /// `ws`
    pub web_seeds: Vec<String>,
    /// `x.pe`: HOST:PORT.
    pub peers: Vec<String>,
    /// `so` (BEP 53): file indices from 0, as inclusive ranges.
    pub select: Vec<(u32, u32)>,
    /// `xl`
    pub length: Option<u64>,
}
