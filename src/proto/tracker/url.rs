//! The address of a tracker, and how it may be shown.
//!
//! Tracker URLs carry passkeys, in the path or in the query. [`TrackerUrl`] therefore shows itself (`Display` and
//! `Debug`) with everything left out that is not well known, and [`TrackerUrl::scrub`] does the same for what a tracker
//! says. Only the requests to the tracker itself see the whole text.

use std::fmt;

/// What a tracker speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    Http,
    Https,
    Udp,
}

/// Why a string is no tracker that can be asked. The messages carry nothing of the URL but its scheme.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    #[error("trackers of the kind {0}: are not supported")]
    Scheme(String),
    #[error("a tracker URL that makes no sense")]
    Malformed,
}

/// A tracker URL in its parts: `scheme://[user:password@]host[:port][/path][?query]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TrackerUrl {
    /// Without fragment and surrounding white space.
    text: String,
    scheme: Scheme,
    /// Lower case, without the brackets of an IPv6 address.
    host: String,
    port: u16,
    has_user: bool,
    /// Where path and query begin in `text`; its end if there is neither.
    tail: usize,
}

/// Longer ones are not worth a request.
const MAX_LEN: usize = 4096;

/// Path components that say nothing about who asks.
const WELL_KNOWN: &[&str] = &["", "announce", "announce.php", "scrape", "scrape.php", "tracker", "tracker.php", "ann"];

impl TrackerUrl {
    /// Reads `text` as it stands in a torrent or a magnet link.
    ///
    /// # Errors
    /// [`UrlError`] if it is not a URL of a tracker that we can ask.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        if text.len() > MAX_LEN || text.chars().any(char::is_control) {
            return Err(UrlError::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Malformed)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "udp" => Scheme::Udp,
            other if other.len() <= 16 && other.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return Err(UrlError::Scheme(other.into()));
            }
            _ => return Err(UrlError::Malformed),
        };
        let tail = text.len() - rest.find(['/', '?']).map_or(0, |at| rest.len() - at);
        let authority = &text[text.len() - rest.len()..tail];
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let (host, port) = split_port(place).ok_or(UrlError::Malformed)?;
        let port = match (port, scheme) {
            (Some(port), _) => port,
            (None, Scheme::Https) => 443,
            (None, Scheme::Http | Scheme::Udp) => 80,
        };
        let host = host.to_ascii_lowercase();
        if host.is_empty() || port == 0 || host.contains(|c: char| c.is_whitespace() || "\"<>\\^`{|}".contains(c)) {
            return Err(UrlError::Malformed);
        }
        Ok(TrackerUrl { text: text.into(), scheme, host, port, has_user: user.is_some(), tail })
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL with its secrets: for requests to this tracker only.
    pub fn secret(&self) -> &str {
        &self.text
    }

    /// Path and query with their secrets, as BEP 41 sends them to a UDP tracker; empty if there is neither.
    pub fn path_and_query(&self) -> &str {
        &self.text[self.tail..]
    }

    /// The URL with `path` in the place of its path; the query stays.
    pub(super) fn with_path(&self, path: &str) -> String {
        let query = self.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{path}{query}", &self.text[..self.tail])
    }

    pub(super) fn path(&self) -> &str {
        let tail = self.path_and_query();
        tail.split_once('?').map_or(tail, |(path, _)| path)
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }

    /// What a tracker said, fit to be shown: the secrets of this URL are left out, so are control characters, and it is
    /// cut to a line of at most 200 characters.
    pub fn scrub(&self, said: &str) -> String {
        let mut said = said.to_owned();
        let mut secrets: Vec<&str> = self.secrets().filter(|secret| secret.len() >= 4).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            said = said.replace(secret, "…");
        }
        let clean = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut line: String = clean.take(200).collect();
        line.truncate(line.trim_end().len());
        line
    }

    /// The parts that may tell who asks: user and password, unknown components of the path, the query and its values.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let user = self.has_user.then(|| {
            let authority = &self.text[..self.tail];
            let start = authority.find("://").map_or(0, |at| at + 3);
            &authority[start..authority.rfind('@').unwrap_or(start)]
        });
        let components = self.path().split('/').filter(|part| !WELL_KNOWN.contains(part));
        let values = self.query().into_iter().flat_map(|query| {
            let pairs = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
            std::iter::once(query).chain(pairs)
        });
        user.into_iter().flat_map(|user| std::iter::once(user).chain(user.split(':'))).chain(components).chain(values)
    }
}

/// Host and port of an authority: `host`, `host:port`, `[v6]`, `[v6]:port`.
fn split_port(place: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    match port {
        None | Some("") => Some((host, None)),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some((host, Some(digits.parse().ok()?))),
        Some(_) => None,
    }
}

/// Without secrets: `http://host:6969/…/announce?…`.
impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = match self.scheme {
            Scheme::Http => ("http", 80),
            Scheme::Https => ("https", 443),
            Scheme::Udp => ("udp", 80),
        };
        let brackets = self.host.contains(':');
        let (open, close) = if brackets { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        for (nth, part) in self.path().split('/').enumerate() {
            let separator = if nth == 0 { "" } else { "/" };
            write!(f, "{separator}{}", if WELL_KNOWN.contains(&part) { part } else { "…" })?;
        }
        f.write_str(if self.query().is_some() { "?…" } else { "" })
    }
}

impl fmt::Debug for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackerUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_urls_as_torrents_have_them() {
        let url = TrackerUrl::parse(" UDP://Tracker.Example.ORG:1337/announce?a=b#frag ").unwrap();
        assert_eq!((url.scheme(), url.host(), url.port()), (Scheme::Udp, "tracker.example.org", 1337));
        assert_eq!(url.path_and_query(), "/announce?a=b");
        let url = TrackerUrl::parse("http://[2001:db8::1]:6969/announce").unwrap();
        assert_eq!((url.host(), url.port()), ("2001:db8::1", 6969));
        let url = TrackerUrl::parse("https://t.example?x").unwrap();
        assert_eq!((url.host(), url.port(), url.path(), url.query()), ("t.example", 443, "", Some("x")));
        assert_eq!(TrackerUrl::parse("udp://t.example").unwrap().port(), 80);
        assert_eq!(TrackerUrl::parse("http://t.example:/a").unwrap().port(), 80);
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        assert_eq!(TrackerUrl::parse("wss://t.example/announce"), Err(UrlError::Scheme("wss".into())));
        for bad in
            ["", "t.example/announce", "http://", "http:///announce", "http://t:x/", "http://t:99999/", "udp://t:0"]
        {
            assert_eq!(TrackerUrl::parse(bad), Err(UrlError::Malformed), "{bad:?}");
        }
        for bad in
            ["http://[::1/announce", "http://[zz]/", "http://t.example/\nHost: x", "http://a b/", "http://[::1]x/"]
        {
            assert_eq!(TrackerUrl::parse(bad), Err(UrlError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn nothing_that_tells_who_asks_is_shown() {
        let shown = |text| TrackerUrl::parse(text).unwrap().to_string();
        assert_eq!(shown("http://t.example/announce"), "http://t.example/announce");
        assert_eq!(shown("http://t.example:6969/0123456789abcdef/announce"), "http://t.example:6969/…/announce");
        assert_eq!(shown("https://u:pw@t.example/announce.php?passkey=k3y"), "https://t.example/announce.php?…");
        assert_eq!(shown("udp://[::1]:80/k/e/y"), "udp://[::1]/…/…/…");
        assert_eq!(format!("{:?}", TrackerUrl::parse("udp://t/secret").unwrap()), "TrackerUrl(udp://t/…)");
    }

    #[test]
    fn what_a_tracker_says_is_scrubbed() {
        let url = TrackerUrl::parse("https://joe:hunter2@t.example/deadbeef/announce?passkey=k3yk3y&x=1").unwrap();
        assert_eq!(
            url.scrub("passkey k3yk3y of joe:hunter2 (deadbeef)\x1b[2J\r\nis bad "),
            "passkey … of … (…) [2J  is bad"
        );
        assert_eq!(url.scrub(&"ä".repeat(500)).chars().count(), 200);
    }
}
