//! Magnet links (BEP 9, "magnet URI format"; BEP 53), read as generously as people paste them.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::net::Ipv6Addr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::id::{InfoHashV1, InfoHashV2, TorrentId};
use super::metainfo::Metainfo;

/// A magnet link, parsed; never a string again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Magnet {
    pub id: TorrentId,
    /// `dn`
    pub name: Option<String>,
    /// `tr`, each a tier of its own, in order, duplicates dropped.
    pub trackers: Vec<String>,
    /// `ws`
    pub web_seeds: Vec<String>,
    /// `x.pe`: HOST:PORT.
    pub peers: Vec<String>,
    /// `so` (BEP 53): file indices from 0, as inclusive ranges.
    pub select: Vec<(u32, u32)>,
    /// `xl`
    pub length: Option<u64>,
}

/// Why a link or an info hash names no torrent. The user mends it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MagnetError {
    #[error("not a magnet link: it does not begin with magnet:?")]
    NotAMagnet,
    #[error("the magnet link names no torrent: it has no xt=urn:btih:… or xt=urn:btmh:…")]
    NoTopic,
    #[error("the magnet link names two different torrents")]
    TwoTopics,
    #[error("the magnet link's info hash {0:?} is {1}")]
    BadTopic(String, HashFault),
    #[error("the info hash {0:?} is {1}")]
    BadHash(String, HashFault),
}

/// What is wrong with an info hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HashFault {
    #[error("{0} characters long; it takes 40 (hexadecimal) or 32 (base32)")]
    LengthV1(usize),
    #[error("{0} characters long; it takes 1220 and 64 hexadecimal digits")]
    LengthV2(usize),
    #[error("{0} characters long; it takes 40 or 64 (hexadecimal) or 32 (base32)")]
    Length(usize),
    #[error("not hexadecimal")]
    Hex,
    #[error("not base32")]
    Base32,
    #[error("no SHA-256 (its first digits are not 1220)")]
    Multihash,
}

/// Of each kind of source so many are kept.
const MAX_SOURCES: usize = 200;
/// Ranges of `so` that are kept.
const MAX_RANGES: usize = 10_000;

impl Magnet {
    /// Reads a link as found in the wild: any case, `tr.1`, `&amp;`, escapes broken or doubled, whitespace and quotes round
    /// it. Optional parameters that make no sense are left out.
    ///
    /// # Errors
    /// Where the link does not say for sure which torrent it means.
    pub fn parse(link: &str) -> Result<Magnet, MagnetError> {
        let link = unwrapped(link);
        let query = after_scheme(&link).ok_or(MagnetError::NotAMagnet)?;
        let (mut v1, mut v2) = (None, None);
        let mut rest = Unnamed::default();
        for parameter in query.split('&') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match kind(key).as_str() {
                "xt" => topic(&decode(value), &mut v1, &mut v2)?,
                "dn" => rest.name = rest.name.or_else(|| display_name(value)),
                "tr" => rest.trackers.extend(url(value)),
                "ws" => rest.web_seeds.extend(url(value)),
                "x.pe" => rest.peers.extend(peer(decode(value).trim())),
                "so" => rest.select.extend(decode(value).split(',').filter_map(range)),
                "xl" => rest.length = rest.length.or_else(|| decode(value).trim().parse().ok()),
                _ => {}
            }
        }
        let id = TorrentId::new(v1, v2).ok_or(MagnetError::NoTopic)?;
        Ok(rest.named(id))
    }

    /// A bare info hash: 40 hexadecimal digits or 32 letters of base32 (v1), or 64 hexadecimal digits (v2).
    ///
    /// # Errors
    /// [`MagnetError::BadHash`].
    pub fn from_hash(hash: &str) -> Result<Magnet, MagnetError> {
        let hash = hash.trim();
        let id = match hash.chars().count() {
            64 => hex(hash).map(|v2| TorrentId::from_v2(InfoHashV2(v2))),
            32 | 40 => v1_hash(hash).map(TorrentId::from_v1),
            len => Err(HashFault::Length(len)),
        };
        let id = id.map_err(|fault| MagnetError::BadHash(shortened(hash), fault))?;
        Ok(Unnamed::default().named(id))
    }

    /// The link of a torrent that is known whole.
    pub fn of(torrent: &Metainfo) -> Magnet {
        Magnet {
            id: torrent.info.id,
            name: Some(torrent.info.name.clone()),
            trackers: torrent.trackers.iter().flatten().cloned().collect(),
            web_seeds: torrent.web_seeds.clone(),
            peers: Vec::new(),
            select: Vec::new(),
            length: Some(torrent.info.stored_size()),
        }
    }

    /// True if nothing but `xt` is there: a shell may have taken the rest at the first `&`.
    pub fn maybe_cut(&self) -> bool {
        *self == Unnamed::default().named(self.id)
    }
}

/// The canonical link: lower-case hexadecimal, everything escaped that is not plain.
impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mark = '?';
        let mut parameter = |key: &str, value: &dyn fmt::Display| {
            write!(f, "{}{key}={value}", if mark == '?' { "magnet:?" } else { "&" })?;
            mark = '&';
            Ok(())
        };
        if let Some(v1) = self.id.v1() {
            parameter("xt", &format_args!("urn:btih:{v1}"))?;
        }
        if let Some(v2) = self.id.v2() {
            parameter("xt", &format_args!("urn:btmh:1220{v2}"))?;
        }
        if let Some(name) = &self.name {
            parameter("dn", &utf8_percent_encode(name, ESCAPED))?;
        }
        if let Some(length) = self.length {
            parameter("xl", &length)?;
        }
        for (key, urls) in [("tr", &self.trackers), ("ws", &self.web_seeds)] {
            for url in urls {
                parameter(key, &utf8_percent_encode(url, ESCAPED))?;
            }
        }
        for peer in &self.peers {
            parameter("x.pe", &utf8_percent_encode(peer, ESCAPED_IN_ADDRESSES))?;
        }
        if !self.select.is_empty() {
            let range = |&(first, last): &(u32, u32)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            };
            parameter("so", &self.select.iter().map(range).collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ESCAPED_IN_ADDRESSES: &AsciiSet = &ESCAPED.remove(b':').remove(b'[').remove(b']');

/// All of a link but its topic.
#[derive(Default)]
struct Unnamed {
    name: Option<String>,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    peers: Vec<String>,
    select: Vec<(u32, u32)>,
    length: Option<u64>,
}

impl Unnamed {
    fn named(self, id: TorrentId) -> Magnet {
        Magnet {
            id,
            name: self.name,
            trackers: firsts(self.trackers, MAX_SOURCES),
            web_seeds: firsts(self.web_seeds, MAX_SOURCES),
            peers: firsts(self.peers, MAX_SOURCES),
            select: firsts(self.select, MAX_RANGES),
            length: self.length,
        }
    }
}

/// Each value once, in order, at most `limit`.
fn firsts<T: Hash + Eq + Clone>(values: Vec<T>, limit: usize) -> Vec<T> {
    let mut seen = HashSet::new();
    values.into_iter().filter(|value| seen.insert(value.clone())).take(limit).collect()
}

/// The link without what mail, web pages and shells put round and into it.
fn unwrapped(link: &str) -> String {
    let bare =
        link.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | '`'));
    let bare: String = bare.chars().filter(|letter| !letter.is_control()).collect();
    let bare = if starts_with(&bare, "magnet%3a") { decode(&bare) } else { bare };
    bare.replace("&amp;", "&").replace("&AMP;", "&").replace("&#38;", "&")
}

fn after_scheme(link: &str) -> Option<&str> {
    let rest = starts_with(link, "magnet:").then(|| &link["magnet:".len()..])?;
    let rest = rest.trim_start_matches('/');
    Some(rest.strip_prefix('?').unwrap_or(rest))
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The key in lower case, without the number that tells repeated ones apart (`tr.1`).
fn kind(key: &str) -> String {
    let key = decode(key).trim().to_ascii_lowercase();
    match key.rsplit_once('.') {
        Some((kind, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => kind.into(),
        _ => key,
    }
}

/// Percent escapes resolved; broken ones stay as they are.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn topic(urn: &str, v1: &mut Option<InfoHashV1>, v2: &mut Option<InfoHashV2>) -> Result<(), MagnetError> {
    let urn = urn.trim();
    if starts_with(urn, "urn:btih:") {
        let hash = urn["urn:btih:".len()..].trim();
        let read = v1_hash(hash).map_err(|fault| MagnetError::BadTopic(shortened(hash), fault))?;
        agree(v1, read)
    } else if starts_with(urn, "urn:btmh:") {
        let hash = urn["urn:btmh:".len()..].trim();
        let read = v2_multihash(hash).map_err(|fault| MagnetError::BadTopic(shortened(hash), fault))?;
        agree(v2, read)
    } else {
        Ok(())
    }
}

fn agree<H: PartialEq + Copy>(known: &mut Option<H>, read: H) -> Result<(), MagnetError> {
    if *known.get_or_insert(read) == read { Ok(()) } else { Err(MagnetError::TwoTopics) }
}

fn v1_hash(hash: &str) -> Result<InfoHashV1, HashFault> {
    match hash.chars().count() {
        40 => hex(hash).map(InfoHashV1),
        32 => base32(hash).map(InfoHashV1),
        len => Err(HashFault::LengthV1(len)),
    }
}

/// BEP 52: a multihash, of which only SHA-256 (0x12) of 32 bytes (0x20) is in use.
fn v2_multihash(hash: &str) -> Result<InfoHashV2, HashFault> {
    match hash.strip_prefix("1220") {
        Some(digest) if digest.chars().count() == 64 => hex(digest).map(InfoHashV2),
        Some(_) => Err(HashFault::LengthV2(hash.chars().count())),
        None => Err(HashFault::Multihash),
    }
}

fn hex<const N: usize>(text: &str) -> Result<[u8; N], HashFault> {
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or(HashFault::Hex);
    if text.len() != 2 * N {
        return Err(HashFault::Hex);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Ok(bytes)
}

/// RFC 4648, without padding: 32 letters are 20 bytes.
fn base32(text: &str) -> Result<[u8; 20], HashFault> {
    let mut bytes = [0; 20];
    let (mut held, mut bits, mut at) = (0u32, 0, 0);
    for letter in text.bytes() {
        let five = match letter.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return Err(HashFault::Base32),
        };
        held = held << 5 | u32::from(five);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes[at] = (held >> bits) as u8;
            at += 1;
        }
    }
    Ok(bytes)
}

/// A hash for an error message: what is pasted by mistake may be very long.
fn shortened(hash: &str) -> String {
    match hash.char_indices().nth(70) {
        Some((end, _)) => format!("{}…", &hash[..end]),
        None => hash.into(),
    }
}

/// `dn`: a `+` is a space, unless the link writes spaces in another way.
fn display_name(value: &str) -> Option<String> {
    let plus_is_space = !value.contains("%20") && !value.contains(' ');
    let name = decode(&if plus_is_space { value.replace('+', " ") } else { value.into() });
    let turns = |letter| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = name.chars().filter(|&letter| !letter.is_control() && !turns(letter)).collect();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// `tr` and `ws`; some links escape them twice.
fn url(value: &str) -> Option<String> {
    let once = decode(value);
    let url = if once.contains("://") { once } else { decode(&once) };
    let url = url.trim();
    (url.contains("://") && !url.contains(char::is_control)).then(|| url.to_owned())
}

/// HOST:PORT, brackets put round an IPv6 address that lacks them.
fn peer(value: &str) -> Option<String> {
    let (host, port) = value.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|&port| port > 0)?;
    match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner?.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]:{port}")),
        None if host.contains(':') => host.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]:{port}")),
        None => {
            let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
            (!host.is_empty() && host.chars().all(plain)).then(|| format!("{host}:{port}"))
        }
    }
}

/// BEP 53: `7` or `2-5`.
fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests;
