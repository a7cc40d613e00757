//! What the guard passes is safe for both readers, and means the same when cut to its length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rtorrent_cli::base::bencode::{Limits, Value, scan};

fuzz_target!(|bytes: &[u8]| {
    for limits in [Limits::KRPC, Limits::TORRENT] {
        let Ok(consumed) = scan(bytes, limits) else { continue };
        assert!(consumed <= bytes.len());
        assert_eq!(scan(&bytes[..consumed], limits), Ok(consumed));
        for cut in 0..consumed.min(64) {
            assert!(scan(&bytes[..cut], limits).is_err(), "a part of a value is no value");
        }
        let (value, _) = Value::parse(bytes, limits).expect("the same scan");
        assert_eq!(value.raw(), &bytes[..consumed]);
        walk(value);
        let _ = serde_bencode::from_bytes::<serde_bencode::value::Value>(&bytes[..consumed]);
    }
});

/// Every value is of exactly one kind, and containers are as long as what is in them.
fn walk(value: Value) {
    let kinds = [value.is_int(), value.as_bytes().is_some(), value.as_list().is_some(), value.as_dict().is_some()];
    assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1);
    if let Some(list) = value.as_list() {
        assert_eq!(list.iter().map(|item| item.raw().len()).sum::<usize>() + 2, value.raw().len());
        list.iter().for_each(walk);
    }
    if let Some(dict) = value.as_dict() {
        let _ = dict.duplicate_key();
        for (key, value) in dict.iter() {
            assert!(dict.get(key).is_some());
            walk(value);
        }
    }
}
