//! The torrent that a world is about: its bytes, and all that metadata would tell of it.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::hash::sha1;
use rtorrent_cli::base::id::{InfoHashV1, TorrentId};
use rtorrent_cli::base::layout::Layout;

#[derive(Clone)]
pub struct Facts {
    pub layout: Arc<Layout>,
    pub hashes: Arc<[[u8; 20]]>,
    /// Stands for the info dictionary; some 20 KB, two metadata pieces.
    pub info: Arc<[u8]>,
    pub id: TorrentId,
    pub bytes: Arc<[u8]>,
}

impl Facts {
    pub fn new(seed: u64, piece_length: u32, total: u64) -> Facts {
        let mut rng = StdRng::seed_from_u64(seed);
        let bytes: Arc<[u8]> = (0..total).map(|_| rng.random::<u8>()).collect();
        let layout = Arc::new(Layout::v1(piece_length, [(total, false)]));
        let hashes = (0..layout.pieces()).map(|piece| sha1(&bytes[range(&layout, piece)])).collect();
        let info: Arc<[u8]> = (0..20_000).map(|_| rng.random::<u8>()).collect();
        let id = TorrentId::from_v1(InfoHashV1(sha1(&info)));
        Facts { layout, hashes, info, id, bytes }
    }
}

/// Where a piece lies in the torrent.
pub fn range(layout: &Layout, piece: u32) -> std::ops::Range<usize> {
    let start = layout.piece_offset(piece) as usize;
    start..start + layout.piece_len(piece) as usize
}
