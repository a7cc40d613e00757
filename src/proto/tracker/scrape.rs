//! Scrapes: how many peers a tracker knows of, without joining them (BEP 48).

use percent_encoding::percent_encode;

use super::announce::TrackerError;
use super::http::{ESCAPED, reply_dict};
use super::url::TrackerUrl;
use crate::base::id::InfoHashV1;

/// What a tracker counts for one torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scrape {
    /// Peers that have all of it.
    pub seeders: u32,
    pub leechers: u32,
    /// Downloads that were ever completed; not every tracker counts them.
    pub completed: Option<u32>,
}

/// The URL of a scrape over HTTP: the last `announce` in the path becomes `scrape` (BEP 48). `None` if there is no such
/// word: that tracker can't be scraped. It carries the secrets of `tracker`.
pub fn scrape_url(tracker: &TrackerUrl, hash: InfoHashV1) -> Option<String> {
    let (before, after) = tracker.path().rsplit_once("announce")?;
    let mut url = tracker.with_path(&format!("{before}scrape{after}"));
    url.push(if tracker.query().is_some() { '&' } else { '?' });
    url.push_str("info_hash=");
    url.extend(percent_encode(&hash.0, ESCAPED));
    Some(url)
}

/// Reads the body of a reply to a scrape for `hash`.
///
/// # Errors
/// The tracker said no, or [`TrackerError::BadReply`], also if it does not know the torrent.
pub fn parse_scrape(body: &[u8], hash: InfoHashV1) -> Result<Scrape, TrackerError> {
    let reply = reply_dict(body)?;
    let files = reply.get(b"files").and_then(|files| files.as_dict());
    let files = files.ok_or_else(|| TrackerError::BadReply("a reply that is not a scrape's".into()))?;
    let entry = files.get(&hash.0).and_then(|entry| entry.as_dict());
    let entry = entry.ok_or_else(|| TrackerError::BadReply("does not know this torrent".into()))?;
    let number = |key: &[u8]| u32::try_from(entry.get(key)?.as_int()?).ok();
    Ok(Scrape {
        seeders: number(b"complete").unwrap_or_default(),
        leechers: number(b"incomplete").unwrap_or_default(),
        completed: number(b"downloaded"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announce_becomes_scrape_in_the_path_only() {
        let scrape = |text: &str| scrape_url(&TrackerUrl::parse(text).unwrap(), InfoHashV1([b'x'; 20]));
        let hash = "info_hash=xxxxxxxxxxxxxxxxxxxx";
        assert_eq!(scrape("http://t/announce"), Some(format!("http://t/scrape?{hash}")));
        assert_eq!(scrape("http://t/x/announce.php?k=1"), Some(format!("http://t/x/scrape.php?k=1&{hash}")));
        assert_eq!(scrape("http://announce/announce/k"), Some(format!("http://announce/scrape/k?{hash}")));
        assert_eq!(scrape("http://t/a?x=announce"), None);
        assert_eq!(scrape("http://t"), None);
    }

    #[test]
    fn the_entry_of_the_torrent_is_read() {
        let body = b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19eeee";
        let scrape = Scrape { seeders: 11, leechers: 19, completed: Some(13_772) };
        assert_eq!(parse_scrape(body, InfoHashV1([b'x'; 20])), Ok(scrape));
        let unknown = parse_scrape(body, InfoHashV1([b'y'; 20])).unwrap_err();
        assert_eq!(unknown.to_string(), "does not know this torrent");
        assert_eq!(parse_scrape(b"de", InfoHashV1([0; 20])).unwrap_err().to_string(), "a reply that is not a scrape's");
        assert_eq!(parse_scrape(b"d14:failure reason2:noe", InfoHashV1([0; 20])).unwrap_err().to_string(), "no");
    }
}
