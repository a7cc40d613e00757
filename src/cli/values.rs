//! Values of the command line that are checked at the door: ports, hosts, trackers, the memory budget.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::base::size::parse_size;

/// A port or a range of ports.
pub fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || format!("{text:?} is not a port or a range of ports (6881 or 6881-6889)");
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong);
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first > last { Err(wrong()) } else { Ok(first..=last) }
}

/// A host name or address with a port; an IPv6 address stands in brackets.
pub fn parse_host_port(text: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("{text:?} is not HOST:PORT: {why}"));
    let Some((host, port)) = text.rsplit_once(':') else {
        return wrong("the port is missing");
    };
    if port.parse::<u16>().map_or(true, |port| port == 0) {
        return wrong("the port is a number from 1 to 65535");
    }
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_err() => wrong("no IPv6 address in the brackets"),
        None if host.contains(':') => wrong("an IPv6 address stands in brackets, as in [::1]:6881"),
        None if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') => wrong("no host"),
        _ => Ok(text.to_owned()),
    }
}

/// The address of a name server, with its port if that is not 53.
pub fn parse_name_server(text: &str) -> Result<SocketAddr, String> {
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    alone.or_else(|_| text.parse()).map_err(|_| format!("{text:?} is not the address of a name server, as in 9.9.9.9"))
}

/// A tracker that we can talk to.
pub fn parse_tracker(text: &str) -> Result<String, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("{text:?} is not a tracker's URL, as in https://tracker.example/announce"));
    };
    if rest.is_empty() || rest.starts_with('/') || text.contains(char::is_whitespace) {
        return Err(format!("{text:?} names no host"));
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" | "udp" => Ok(text.to_owned()),
        _ => Err(format!("{scheme:?} trackers are not supported; http, https and udp are")),
    }
}

/// Trackers of one tier, with commas between them.
pub fn parse_tier(text: &str) -> Result<Vec<String>, String> {
    let mut tier: Vec<String> = Vec::new();
    for part in text.split(',') {
        match tier.last_mut() {
            // A comma of the URL itself.
            Some(last) if !part.contains("://") => *last += &format!(",{part}"),
            _ => tier.push(part.to_owned()),
        }
    }
    tier.iter().map(|tracker| parse_tracker(tracker)).collect()
}

/// A name that fits into an HTTP header.
pub fn parse_user_agent(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".into()),
        text if text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) => Ok(text.to_owned()),
        _ => Err(format!("{text:?} has characters that no header can have")),
    }
}

/// A web server that has the files.
pub fn parse_web_seed(text: &str) -> Result<String, String> {
    match text.split_once("://") {
        Some((scheme, rest)) if !["http", "https"].contains(&&*scheme.to_ascii_lowercase()) => {
            Err(format!("{scheme:?} is not supported; http and https are ({rest:?} is the rest)"))
        }
        Some((_, rest)) if rest.is_empty() || rest.starts_with('/') || text.contains(char::is_whitespace) => {
            Err(format!("{text:?} names no host"))
        }
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("{text:?} is not a URL, as in https://mirror.example/pub/")),
    }
}

/// The shortest piece (BEP 52: "at least 16KiB") and the longest one that other programs and ours read.
const LEAST_PIECE: u64 = 16 << 10;
const MOST_PIECE: u64 = 512 << 20;

/// The length of a torrent's pieces.
pub fn parse_piece_length(text: &str) -> Result<u32, String> {
    match parse_size(text).map_err(|error| error.to_string())? {
        bytes if !bytes.is_power_of_two() => Err(format!("{text:?} is no power of two; 1M is")),
        bytes if bytes < LEAST_PIECE => Err(format!("{text:?} is too little; at least 16K")),
        bytes if bytes > MOST_PIECE => Err(format!("{text:?} is too much; at most 512M")),
        bytes => Ok(bytes as u32),
    }
}

/// The least buffer memory that a run gets anywhere with.
const LEAST_MEMORY: u64 = 4 << 20;

/// A memory budget.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    match parse_size(text).map_err(|error| error.to_string())? {
        bytes if bytes < LEAST_MEMORY => Err(format!("{text:?} is too little; at least 4M")),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_powers_of_two_that_others_read() {
        assert_eq!((parse_piece_length("16K"), parse_piece_length("512MiB")), (Ok(1 << 14), Ok(1 << 29)));
        for wrong in ["0", "8K", "1MB", "3M", "1G", "8G", "x"] {
            assert!(parse_piece_length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_hosts_and_trackers_are_checked_at_the_door() {
        assert_eq!(parse_ports("6881-6889"), Ok(6881..=6889));
        assert_eq!(parse_ports("1"), Ok(1..=1));
        for wrong in ["0", "7-6", "-", "66000", "a", "1-2-3"] {
            assert!(parse_ports(wrong).is_err(), "{wrong}");
        }
        for right in ["localhost:1", "127.0.0.1:6881", "[::1]:6881"] {
            assert!(parse_host_port(right).is_ok(), "{right}");
        }
        for wrong in ["localhost", "::1:6881", "[::g]:1", ":1", "a:0", "a:70000", "http://a:1"] {
            assert!(parse_host_port(wrong).is_err(), "{wrong}");
        }
        for right in ["udp://t.example:80", "HTTPS://t.example/announce?x=1"] {
            assert!(parse_tracker(right).is_ok(), "{right}");
        }
        for wrong in ["mirror.example", "ftp://m.example/", "http://", "http:///a", "http://a b/"] {
            assert!(parse_web_seed(wrong).is_err(), "{wrong}");
        }
        assert!(parse_web_seed("HTTPS://mirror.example/pub/").is_ok());
        let tier = parse_tier("http://a/?x=1,2,udp://b:80").unwrap();
        assert_eq!(tier, ["http://a/?x=1,2", "udp://b:80"]);
        for wrong in ["", ",http://a", "http://a,wss://b"] {
            assert!(parse_tier(wrong).is_err(), "{wrong}");
        }
        for wrong in ["t.example", "wss://t.example", "http://", "http:///a", "ftp://a/"] {
            assert!(parse_tracker(wrong).is_err(), "{wrong}");
        }
    }
}
