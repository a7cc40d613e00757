//! Whatever is accepted has a layout that fits its hashes, safe and different paths, and survives being wrapped again.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::metainfo::{Info, Metainfo, wrap};
use rtorrent_cli::base::safe_path::SafePath;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(torrent) = Metainfo::parse(bytes) {
        check(&torrent.info);
        let again = Metainfo::parse(&wrap(&torrent.info.raw, &torrent.trackers, &torrent.web_seeds))
            .expect("it was read before");
        assert_eq!(again.info.id, torrent.info.id);
        assert_eq!(again.trackers, torrent.trackers);
        assert_eq!(again.web_seeds, torrent.web_seeds);
    }
    if let Ok(info) = Info::parse(bytes) {
        check(&info);
        assert_eq!(*info.raw, *bytes);
    }
});

fn check(info: &Info) {
    assert_eq!(info.layout.pieces() as usize, info.hashes.len());
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
