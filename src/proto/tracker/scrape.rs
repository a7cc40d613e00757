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

impl Scrape {
    /// The same torrent by another hash: whoever knows both stands in both swarms, so they are not added up.
    pub fn beside(self, other: Scrape) -> Scrape {
        Scrape {
            seeders: self.seeders.max(other.seeders),
            leechers: self.leechers.max(other.leechers),
            completed: self.completed.max(other.completed),
        }
    }
}

/// The URL of a scrape over HTTP for all of `hashes`: the last `announce` in the path becomes `scrape` (BEP 48). `None`
/// if there is no such word: that tracker can't be scraped. It carries the secrets of `tracker`.
pub fn scrape_url(tracker: &TrackerUrl, hashes: impl IntoIterator<Item = InfoHashV1>) -> Option<String> {
    let (before, after) = tracker.path().rsplit_once("announce")?;
    let mut url = tracker.with_path(&format!("{before}scrape{after}"));
    let mut separator = if tracker.query().is_some() { '&' } else { '?' };
    for hash in hashes {
        url.push(std::mem::replace(&mut separator, '&'));
        url.push_str("info_hash=");
        url.extend(percent_encode(&hash.0, ESCAPED));
    }
    Some(url)
}

/// Reads the body of a reply to a scrape for one torrent that goes by `hashes`, each of which has a swarm of its own.
///
/// # Errors
/// The tracker said no, or [`TrackerError::BadReply`], also if it does not know the torrent.
pub fn parse_scrape(body: &[u8], hashes: impl IntoIterator<Item = InfoHashV1>) -> Result<Scrape, TrackerError> {
    let reply = reply_dict(body)?;
    let files = reply.get(b"files").and_then(|files| files.as_dict());
    let files = files.ok_or_else(|| TrackerError::BadReply("a reply that is not a scrape's".into()))?;
    let swarm = |hash: InfoHashV1| {
        let entry = files.get(&hash.0)?.as_dict()?;
        let number = |key: &[u8]| u32::try_from(entry.get(key)?.as_int()?).ok();
        Some(Scrape {
            seeders: number(b"complete").unwrap_or_default(),
            leechers: number(b"incomplete").unwrap_or_default(),
            completed: number(b"downloaded"),
        })
    };
    let swarms = hashes.into_iter().filter_map(swarm);
    swarms.reduce(Scrape::beside).ok_or_else(|| TrackerError::BadReply("does not know this torrent".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announce_becomes_scrape_in_the_path_only() {
        let scrape = |text: &str| scrape_url(&TrackerUrl::parse(text).unwrap(), [InfoHashV1([b'x'; 20])]);
        let hash = "info_hash=xxxxxxxxxxxxxxxxxxxx";
        assert_eq!(scrape("http://t/announce"), Some(format!("http://t/scrape?{hash}")));
        assert_eq!(scrape("http://t/x/announce.php?k=1"), Some(format!("http://t/x/scrape.php?k=1&{hash}")));
        assert_eq!(scrape("http://announce/announce/k"), Some(format!("http://announce/scrape/k?{hash}")));
        assert_eq!(scrape("http://t/a?x=announce"), None);
        assert_eq!(scrape("http://t"), None);
        let both = [InfoHashV1([b'x'; 20]), InfoHashV1([b'y'; 20])];
        let url = scrape_url(&TrackerUrl::parse("http://t/announce").unwrap(), both);
        assert_eq!(url, Some(format!("http://t/scrape?{hash}&info_hash=yyyyyyyyyyyyyyyyyyyy")));
    }

    #[test]
    fn the_entry_of_the_torrent_is_read() {
        let body = b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19eeee";
        let scrape = Scrape { seeders: 11, leechers: 19, completed: Some(13_772) };
        assert_eq!(parse_scrape(body, [InfoHashV1([b'x'; 20])]), Ok(scrape));
        let unknown = parse_scrape(body, [InfoHashV1([b'y'; 20])]).unwrap_err();
        assert_eq!(unknown.to_string(), "does not know this torrent");
        let parse_scrape = |body: &[u8]| parse_scrape(body, [InfoHashV1([0; 20])]);
        assert_eq!(parse_scrape(b"de").unwrap_err().to_string(), "a reply that is not a scrape's");
        assert_eq!(parse_scrape(b"d14:failure reason2:noe").unwrap_err().to_string(), "no");
    }

    #[test]
    fn of_two_swarms_of_a_torrent_the_larger_counts() {
        let body = b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi3e10:incompletei1ee\
            20:yyyyyyyyyyyyyyyyyyyyd8:completei2e10:incompletei5eeee";
        let [x, y, z] = [b'x', b'y', b'z'].map(|byte| InfoHashV1([byte; 20]));
        assert_eq!(parse_scrape(body, [x, y]), Ok(Scrape { seeders: 11, leechers: 5, completed: Some(3) }));
        assert_eq!(parse_scrape(body, [z, y]), Ok(Scrape { seeders: 2, leechers: 5, completed: None }));
        assert!(parse_scrape(body, [z, z]).is_err());
    }
}
