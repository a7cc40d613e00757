//! The torrent that a world is about: its bytes, and all that metadata would tell of it.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rtorrent_cli::base::hash::sha1;
use rtorrent_cli::base::id::{InfoHashV1, TorrentId};
use rtorrent_cli::base::layout::Layout;
use rtorrent_cli::base::merkle::{self, Node};
use rtorrent_cli::base::metainfo::{Info, Trees};
use rtorrent_cli::base::piece_hash::PieceHashes;

#[derive(Clone)]
pub struct Facts {
    pub layout: Arc<Layout>,
    pub hashes: PieceHashes,
    /// Of a v2 torrent, with all layers.
    pub trees: Option<Trees>,
    /// Of a v1 torrent some 20 KB that stand for the info dictionary, two metadata pieces.
    pub info: Arc<[u8]>,
    pub id: TorrentId,
    /// Of every position, with zeros where the layout has no bytes.
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
        Facts { layout, hashes, trees: None, info, id, bytes }
    }

    /// A v2 torrent (BEP 52) of files of these lengths.
    pub fn v2(seed: u64, piece_length: u32, files: &[u64]) -> Facts {
        let mut rng = StdRng::seed_from_u64(seed);
        let layout = Layout::v2(piece_length, files.iter().map(|length| (*length, false)));
        let mut bytes = vec![0; layout.end() as usize];
        let (mut tree, mut layers) = (b"d".to_vec(), Vec::new());
        let above = merkle::piece_layer(piece_length);
        for (nth, (span, &length)) in layout.files().iter().zip(files).enumerate() {
            let stretch = &mut bytes[span.offset as usize..(span.offset + length) as usize];
            rng.fill_bytes(stretch);
            tree.extend_from_slice(format!("8:file{nth:04}d0:d6:lengthi{length}e").as_bytes());
            if length > 0 {
                let leaves = merkle::leaves(&[stretch]);
                let root = merkle::root(&leaves, 0, merkle::file_height(length));
                tree.extend_from_slice(&[b"11:pieces root32:", &root[..]].concat());
                if length > piece_length.into() {
                    let pieces = leaves.chunks(1 << above).map(|piece| merkle::root(piece, 0, above));
                    layers.push((root, pieces.collect::<Vec<Node>>()));
                }
            }
            tree.extend_from_slice(b"ee");
        }
        tree.push(b'e');
        let end = format!("12:meta versioni2e4:name3:sim12:piece lengthi{piece_length}ee");
        let raw = [b"d9:file tree", &tree[..], end.as_bytes()].concat();
        let info = Info::parse(&raw).and_then(|info| info.with_layers(layers)).expect("a sound torrent");
        assert_eq!(*info.layout, layout);
        let Info { id, hashes, trees, .. } = info;
        Facts { layout: info.layout, hashes, trees, info: raw.into(), id, bytes: bytes.into() }
    }

    /// A hybrid torrent (BEP 52) of one file.
    pub fn hybrid(seed: u64, piece_length: u32, length: u64) -> Facts {
        let Facts { layout, hashes, bytes, .. } = Facts::new(seed, piece_length, length);
        let PieceHashes::V1(pieces) = &hashes else { panic!("v1") };
        let leaves = merkle::leaves(&[&bytes]);
        let above = merkle::piece_layer(piece_length);
        let layer: Vec<Node> = leaves.chunks(1 << above).map(|piece| merkle::root(piece, 0, above)).collect();
        let root = merkle::root(&leaves, 0, merkle::file_height(length));
        let raw = [
            format!("d9:file treed3:simd0:d6:lengthi{length}e11:pieces root32:").as_bytes(),
            &root,
            format!("eee6:lengthi{length}e12:meta versioni2e4:name3:sim12:piece lengthi{piece_length}e").as_bytes(),
            format!("6:pieces{}:", pieces.len() * 20).as_bytes(),
            pieces.as_flattened(),
            b"e",
        ]
        .concat();
        let info = Info::parse(&raw).and_then(|info| info.with_layers([(root, layer)])).expect("a sound torrent");
        Facts { layout, hashes, trees: info.trees, info: raw.into(), id: info.id, bytes }
    }

    /// The trees as the info dictionary alone tells of them, and whether there is no beginning without their layers.
    pub fn bare_trees(&self) -> (Option<Trees>, bool) {
        if self.trees.is_none() {
            return (None, false);
        }
        let info = Info::parse(&self.info).expect("a sound torrent");
        let lacks = info.missing_layers().next().is_some();
        (info.trees, lacks)
    }
}

/// Where a piece lies in the torrent.
pub fn range(layout: &Layout, piece: u32) -> std::ops::Range<usize> {
    let start = layout.piece_offset(piece) as usize;
    start..start + layout.piece_len(piece) as usize
}
