//! Patterns of any kind are read or refused, and applied to a torrent.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::metainfo::Info;
use rtorrent_cli::base::selection::Selection;
use rtorrent_cli::base::size::parse_size;

static INFO: LazyLock<Info> = LazyLock::new(|| {
    let raw = b"d5:filesld6:lengthi5e4:pathl1:a5:b.mkveed6:lengthi0e4:pathl5:[c]_deed6:lengthi9e4:pathl4:.pad1:9eee\
                4:name3:top12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    Info::parse(raw).expect("a torrent")
});

fuzz_target!(|text: &str| {
    let _ = parse_size(text);
    let (select, exclude) = text.split_once('\0').unwrap_or((text, ""));
    let patterns = |text: &str| text.split('\n').filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    if let Ok(selection) = Selection::parse(&patterns(select), &patterns(exclude))
        && let Ok(wanted) = selection.apply(&INFO)
    {
        assert_eq!(wanted.len(), 3);
        assert!(wanted.contains(&true) && !wanted[2]);
    }
});
