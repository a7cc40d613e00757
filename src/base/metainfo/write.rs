//! A .torrent round an info dictionary that is kept byte for byte.

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
    fn nothing_stands_in_it_that_was_not_given() {
        assert_eq!(wrap(b"de", &[], &[], &[]), b"d4:infodee");
        let one = [vec!["x".to_owned()]];
        assert_eq!(wrap(b"de", &[], &one, &[]), b"d8:announce1:x4:infodee");
    }
}
