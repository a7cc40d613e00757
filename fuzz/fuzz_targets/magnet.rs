//! A link that is read and shown again means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::magnet::Magnet;

fuzz_target!(|text: &str| {
    for magnet in [Magnet::parse(text), Magnet::from_hash(text)].into_iter().flatten() {
        assert_eq!(Magnet::parse(&magnet.to_string()).as_ref(), Ok(&magnet), "{magnet}");
    }
});
