//! A .torrent round an info dictionary that is kept byte for byte.

use crate::base::bencode::{Limits, Value};

/// The bytes of a .torrent with `info_raw` as its info dictionary, so that its info hash stays the same.
///
/// `layers` are its piece layers (BEP 52) as [`Info::encode_layers`](super::Info::encode_layers) gives them, empty where
/// there are none. `trackers` are tiers (BEP 12); `announce` is the first of them, and the list stands only where there are
/// more.
pub fn wrap(info_raw: &[u8], layers: &[u8], trackers: &[Vec<String>], web_seeds: &[String]) -> Vec<u8> {
    let mut out = b"d".to_vec();
    if let Some(first) = trackers.iter().flatten().next() {
        string(&mut out, "announce");
        string(&mut out, first);
    }
    if trackers.iter().map(Vec::len).sum::<usize>() > 1 {
        string(&mut out, "announce-list");
        out.push(b'l');
        for tier in trackers.iter().filter(|tier| !tier.is_empty()) {
            list(&mut out, tier);
        }
        out.push(b'e');
    }
    string(&mut out, "info");
    out.extend_from_slice(info_raw);
    if !layers.is_empty() {
        string(&mut out, "piece layers");
        out.extend_from_slice(layers);
    }
    if !web_seeds.is_empty() {
        string(&mut out, "url-list");
        list(&mut out, web_seeds);
    }
    out.push(b'e');
    out
}

/// The .torrent `torrent` with `layers` for its piece layers (BEP 52), which are as [`wrap`] takes them; everything else
/// stays. `None` if it is no .torrent.
pub fn put_layers(torrent: &[u8], layers: &[u8]) -> Option<Vec<u8>> {
    const KEY: &[u8] = b"piece layers";
    let (top, _) = Value::parse(torrent, Limits::TORRENT).ok()?;
    let entries = top.as_dict()?.iter().map(|(key, value)| (key, value.raw())).filter(|(key, _)| *key != KEY);
    let mut entries: Vec<(&[u8], &[u8])> = entries.chain([(KEY, layers)]).collect();
    // Stable: of keys that stand twice, readers may take the first.
    entries.sort_by_key(|(key, _)| *key);
    let mut out = b"d".to_vec();
    for (key, value) in entries {
        out.extend_from_slice(format!("{}:", key.len()).as_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out.push(b'e');
    Some(out)
}

fn list(out: &mut Vec<u8>, items: &[String]) {
    out.push(b'l');
    items.iter().for_each(|item| string(out, item));
    out.push(b'e');
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{}:{text}", text.len()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::metainfo::Metainfo;

    /// Keys out of order: a writer that goes through a model would sort them.
    const INFO: &[u8] = b"d4:name1:a6:lengthi3e6:pieces20:aaaaaaaaaaaaaaaaaaaa12:piece lengthi16384ee";

    #[test]
    fn what_was_wrapped_reads_back_the_same() {
        let trackers = vec![vec!["http://a".to_owned(), "http://b".to_owned()], vec![], vec!["udp://c".to_owned()]];
        let web_seeds = vec!["http://w/".to_owned()];
        let read = Metainfo::parse(&wrap(INFO, &[], &trackers, &web_seeds)).unwrap();
        assert_eq!(&*read.info.raw, INFO);
        assert_eq!(read.trackers, [vec!["http://a", "http://b"], vec!["udp://c"]]);
        assert_eq!(read.web_seeds, web_seeds);
    }

    #[test]
    fn layers_are_put_in_their_place_and_the_rest_stays() {
        let before = b"d7:comment1:x4:infod4:name1:ae5:piece1:p12:piece layersdee...";
        let after = b"d7:comment1:x4:infod4:name1:ae5:piece1:p12:piece layersd2:ab2:cdee";
        assert_eq!(put_layers(before, b"d2:ab2:cde").as_deref(), Some(&after[..]));
        let without = b"d4:infode8:url-list1:ue";
        assert_eq!(put_layers(without, b"de").as_deref(), Some(&b"d4:infode12:piece layersde8:url-list1:ue"[..]));
        assert_eq!(put_layers(b"le", b"de"), None);
    }

    #[test]
    fn nothing_stands_in_it_that_was_not_given() {
        assert_eq!(wrap(b"de", &[], &[], &[]), b"d4:infodee");
        let one = [vec!["x".to_owned()]];
        assert_eq!(wrap(b"de", &[], &one, &[]), b"d8:announce1:x4:infodee");
    }
}
