//! Whatever is accepted has a layout that fits its hashes, safe and different paths, and survives being wrapped again.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::metainfo::{Info, Metainfo, wrap};
use rtorrent_cli::base::piece_hash::PieceHash;
use rtorrent_cli::base::safe_path::SafePath;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(torrent) = Metainfo::parse(bytes) {
        check(&torrent.info);
        let layers = torrent.info.encode_layers();
        let again = Metainfo::parse(&wrap(&torrent.info.raw, &layers, &torrent.trackers, &torrent.web_seeds))
            .expect("it was read before");
        assert_eq!(again.info.id, torrent.info.id);
        assert_eq!(again.info.trees, torrent.info.trees);
        assert_eq!(torrent.info.lacks_layer_of().is_some(), torrent.info.missing_layers().next().is_some());
        assert_eq!(again.trackers, torrent.trackers);
        assert_eq!(again.web_seeds, torrent.web_seeds);
    }
    if let Ok(info) = Info::parse(bytes) {
        check(&info);
        assert_eq!(*info.raw, *bytes);
    }
});

fn check(info: &Info) {
    assert_eq!(info.layout.pieces(), info.hashes.pieces());
    assert_eq!(info.id.v2().is_some(), info.trees.is_some());
    assert_eq!(info.url_paths().len(), info.files.len());
    let pieces = info.layout.pieces();
    if pieces < 10_000 {
        let bytes: u64 = (0..pieces).map(|piece| u64::from(info.layout.piece_len(piece))).sum();
        assert_eq!(bytes, info.layout.total());
    }
    assert!((0..pieces).take(10_000).all(|piece| is_v1(info) == matches!(info.hashes.get(piece), PieceHash::Sha1(_))));
    for tree in info.missing_layers() {
        assert!(tree.pieces > 1 && tree.layer().is_none());
        assert!(info.with_layers([(tree.root, vec![[0; 32]; 2])]).is_err());
    }
    assert_eq!(info.layout.files().len(), info.files.len());
    assert!(info.stored_size() <= info.layout.total());
    let mut seen = HashSet::new();
    for (_, file) in info.stored_files() {
        let shown = file.path.to_string();
        assert_eq!(SafePath::new(&shown).as_ref(), Some(&file.path));
        assert_eq!(file.path.components().next(), Some(&info.name[..]));
        assert!(seen.insert(shown.to_lowercase()), "{shown} stands twice");
        assert!(file.path.components().all(|name| name.len() <= 250));
    }
    for (shown, _) in seen.iter().map(|shown| (shown, ())) {
        assert!(!seen.contains(&format!("{shown}.part")));
    }
}

fn is_v1(info: &Info) -> bool {
    info.id.v1().is_some()
}
