//! Announces over HTTP: the URL that asks (BEP 3, 7, 23) and the reply (BEP 3, 7, 23, 24, 31).

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::announce::{AnnounceEvent, AnnounceReply, AnnounceRequest, Retry, TrackerError};

use super::url::TrackerUrl;
use crate::base::bencode::{Dict, Limits, Value};
use crate::base::compact;

/// All but the unreserved characters of RFC 3986.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL of one announce. It carries the secrets of `tracker`.
///
/// It is put together by hand: the info hash is bytes, not text, and the query that a tracker URL has stays as it is.
pub fn announce_url(tracker: &TrackerUrl, request: &AnnounceRequest) -> String {
    let mut url = tracker.secret().to_owned();
    url.push(if tracker.query().is_some() { '&' } else { '?' });
    let totals = request.totals;
    let _ = write!(
        url,
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&key={:08X}&compact=1&no_peer_id=1&numwant={}",
        percent_encode(&request.info_hash.0, ESCAPED),
        percent_encode(&request.peer_id.0, ESCAPED),
        request.port,
        totals.uploaded,
        totals.downloaded,
        totals.left_on_wire(),
        request.key,
        request.num_want,
    );
    match request.event {
        AnnounceEvent::Regular => {}
        AnnounceEvent::Started => url.push_str("&event=started"),
        AnnounceEvent::Completed => url.push_str("&event=completed"),
        AnnounceEvent::Stopped => url.push_str("&event=stopped"),
    }
    if let Some(id) = &request.tracker_id {
        let _ = write!(url, "&trackerid={}", percent_encode(id, ESCAPED));
    }
    url
}

/// Reads the body of a tracker's reply. Dictionary peers count only with an address: names are not looked up.
///
/// # Errors
/// [`TrackerError::Refused`] with the tracker's own words, or [`TrackerError::BadReply`].
pub fn parse_announce(body: &[u8]) -> Result<AnnounceReply, TrackerError> {
    let reply = reply_dict(body)?;
    let mut peers = Vec::new();
    if let Some(value) = reply.get(b"peers") {
        if let Some(bytes) = value.as_bytes() {
            peers.extend(compact::peers_v4(&bytes[..bytes.len() / 6 * 6]));
        } else if let Some(list) = value.as_list() {
            peers.extend(list.iter().take(AnnounceReply::MAX_PEERS).filter_map(|peer| dictionary_peer(&peer)));
        }
    }
    if let Some(bytes) = reply.get(b"peers6").and_then(|value| value.as_bytes()) {
        // Half of the room for each, so that neither family crowds out the other.
        peers.truncate(AnnounceReply::MAX_PEERS / 2);
        peers.extend(compact::peers_v6(&bytes[..bytes.len() / 18 * 18]));
    }
    peers.retain(|peer| peer.port() != 0);
    peers.truncate(AnnounceReply::MAX_PEERS);
    let text = |key: &[u8]| Some(String::from_utf8_lossy(reply.get(key)?.as_bytes()?).into_owned());
    let number = |key: &[u8]| u32::try_from(integer(reply.get(key)?)?).ok();
    let seconds = |key: &[u8]| number(key).map(|seconds| Duration::from_secs(seconds.into()));
    Ok(AnnounceReply {
        peers,
        interval: seconds(b"interval"),
        min_interval: seconds(b"min interval"),
        seeders: number(b"complete"),
        leechers: number(b"incomplete"),
        warning: text(b"warning message").filter(|text| !text.is_empty()),
        tracker_id: reply
            .get(b"tracker id")
            .and_then(|id| id.as_bytes())
            .filter(|id| id.len() <= 1_024)
            .map(Into::into),
        external_ip: reply.get(b"external ip").and_then(|ip| packed_ip(ip.as_bytes()?)),
    })
}

/// The dictionary of a tracker's reply, unless it says no.
pub(super) fn reply_dict(body: &[u8]) -> Result<Dict<'_>, TrackerError> {
    let reply = Value::parse(body, Limits::TRACKER).ok().and_then(|(value, _)| value.as_dict());
    let reply = reply.ok_or_else(|| TrackerError::BadReply(strange_body(body).into()))?;
    match reply.get(b"failure reason") {
        None => Ok(reply),
        Some(reason) => {
            let reason = String::from_utf8_lossy(reason.as_bytes().unwrap_or_default()).into_owned();
            let reason = if reason.is_empty() { "refused without a reason".into() } else { reason };
            Err(TrackerError::Refused { reason, retry: retry_in(&reply) })
        }
    }
}

/// BEP 31: minutes as an integer or as text, or "never".
fn retry_in(reply: &Dict) -> Retry {
    let Some(value) = reply.get(b"retry in") else { return Retry::Unsaid };
    if value.as_bytes() == Some(b"never") {
        return Retry::Never;
    }
    match integer(value).and_then(|minutes| u64::try_from(minutes).ok()) {
        Some(minutes) => Retry::After(Duration::from_secs(minutes.saturating_mul(60))),
        None => Retry::Unsaid,
    }
}

/// An integer, also as a string of digits, which some trackers send.
fn integer(value: Value) -> Option<i64> {
    value.as_int().or_else(|| value.as_str()?.trim().parse().ok())
}

fn dictionary_peer(peer: &Value) -> Option<SocketAddr> {
    let peer = peer.as_dict()?;
    let ip: IpAddr = peer.get(b"ip")?.as_str()?.parse().ok()?;
    let port = u16::try_from(integer(peer.get(b"port")?)?).ok()?;
    Some(compact::canonical(SocketAddr::new(ip, port)))
}

/// BEP 24: an address as 4 or 16 bytes.
fn packed_ip(bytes: &[u8]) -> Option<IpAddr> {
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(ip.to_canonical())
}

/// What to call a body that is no reply of a tracker.
fn strange_body(body: &[u8]) -> &'static str {
    if body.is_empty() {
        "an empty reply"
    } else if looks_like_a_page(body) {
        "a web page instead of a tracker's reply"
    } else {
        "a reply that is not a tracker's"
    }
}

/// True if `body` begins as HTML does.
pub fn looks_like_a_page(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    let starts = |tag: &[u8]| text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
    [&b"<!doctype"[..], b"<html", b"<head", b"<body", b"<?xml", b"<!--"].into_iter().any(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{InfoHashV1, PeerId};
    use crate::proto::tracker::announce::Totals;

    fn request(event: AnnounceEvent) -> AnnounceRequest {
        let mut hash = [b'a'; 20];
        hash[..4].copy_from_slice(&[0x00, 0xFF, b'&', b'~']);
        AnnounceRequest {
            info_hash: InfoHashV1(hash),
            peer_id: PeerId(*b"-RC0100-abcdefghijkl"),
            key: 0xAB,
            port: 6881,
            totals: Totals { uploaded: 5, downloaded: 6, left: None },
            event,
            num_want: 200,
            tracker_id: None,
        }
    }

    fn url_of(tracker: &str, request: &AnnounceRequest) -> String {
        announce_url(&TrackerUrl::parse(tracker).unwrap(), request)
    }

    #[test]
    fn the_url_of_an_announce() {
        assert_eq!(
            url_of("http://t.example/announce", &request(AnnounceEvent::Started)),
            "http://t.example/announce?info_hash=%00%FF%26~aaaaaaaaaaaaaaaa&peer_id=-RC0100-abcdefghijkl&port=6881\
             &uploaded=5&downloaded=6&left=16384&key=000000AB&compact=1&no_peer_id=1&numwant=200&event=started"
        );
    }

    #[test]
    fn a_url_that_has_a_query_gets_an_ampersand_and_regular_announces_no_event() {
        let mut request = request(AnnounceEvent::Regular);
        request.tracker_id = Some(b"i d".to_vec());
        request.totals.left = Some(0);
        let url = url_of("http://t.example/a.php?passkey=k", &request);
        assert!(url.starts_with("http://t.example/a.php?passkey=k&info_hash=%00%FF"), "{url}");
        assert!(url.contains("&left=0&") && !url.contains("event=") && url.ends_with("&trackerid=i%20d"), "{url}");
    }

    #[test]
    fn compact_peers_of_both_families() {
        let mut body = b"d8:completei3e11:external ip4:\x01\x02\x03\x0410:incompletei4e8:intervali1800e".to_vec();
        body.extend(b"12:min intervali60e5:peers13:"); // two peers of 6 bytes, and a byte that is cut off
        body.extend([10, 0, 0, 1, 0x1A, 0xE1, 10, 0, 0, 2, 0, 0, 7]);
        body.extend(b"6:peers618:\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x1A\xE1");
        body.extend(b"10:tracker id3:\xFFid15:warning message4:slowe");
        let reply = parse_announce(&body).unwrap();
        let peers: Vec<SocketAddr> = vec!["10.0.0.1:6881".parse().unwrap(), "[2001:db8::1]:6881".parse().unwrap()];
        assert_eq!(
            reply,
            AnnounceReply {
                peers, // 10.0.0.2 has port 0
                interval: Some(Duration::from_secs(1800)),
                min_interval: Some(Duration::from_secs(60)),
                seeders: Some(3),
                leechers: Some(4),
                warning: Some("slow".into()),
                tracker_id: Some(b"\xFFid".to_vec()),
                external_ip: Some("1.2.3.4".parse().unwrap()),
            }
        );
    }

    #[test]
    fn dictionary_peers_with_addresses_and_without() {
        let body = b"d8:interval4:18005:peersl\
            d2:ip8:10.0.0.14:porti6881ee\
            d2:ip11:2001:db8::17:peer id3:abc4:porti1ee\
            d2:ip15:::ffff:10.0.0.24:port4:6882e\
            d2:ip11:example.org4:porti6881ee\
            d2:ip8:10.0.0.34:porti65536ee\
            d4:porti6881ee\
            i5eee";
        let reply = parse_announce(body).unwrap();
        let peers: Vec<String> = reply.peers.iter().map(|peer| peer.to_string()).collect();
        assert_eq!(peers, ["10.0.0.1:6881", "[2001:db8::1]:1", "10.0.0.2:6882"]);
        assert_eq!(reply.interval, Some(Duration::from_secs(1800)));
    }

    #[test]
    fn a_refusal_says_why_and_when_to_come_again() {
        let refused = |body: &[u8]| match parse_announce(body) {
            Err(TrackerError::Refused { reason, retry }) => (reason, retry),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(b"d14:failure reason4:busye"), ("busy".into(), Retry::Unsaid));
        let five = Retry::After(Duration::from_secs(300));
        assert_eq!(refused(b"d14:failure reason4:busy8:retry in1:5e"), ("busy".into(), five));
        assert_eq!(refused(b"d14:failure reason4:busy8:retry ini5ee"), ("busy".into(), five));
        assert_eq!(refused(b"d14:failure reason4:gone8:retry in5:nevere"), ("gone".into(), Retry::Never));
        assert_eq!(refused(b"d14:failure reason0:8:retry ini-5ee"), ("refused without a reason".into(), Retry::Unsaid));
    }

    #[test]
    fn what_is_no_reply_of_a_tracker() {
        let bad = |body: &[u8]| match parse_announce(body) {
            Err(TrackerError::BadReply(what)) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(bad(b""), "an empty reply");
        assert_eq!(bad(b"\n <!DOCTYPE html><html>"), "a web page instead of a tracker's reply");
        assert_eq!(bad(b"le"), "a reply that is not a tracker's");
        assert_eq!(bad(b"d5:peers99:abce"), "a reply that is not a tracker's");
        assert_eq!(bad(&b"l".repeat(100_000)), "a reply that is not a tracker's");
    }

    #[test]
    fn numbers_that_make_no_sense_are_left_out_and_peers_are_capped() {
        let reply = parse_announce(b"d8:completei-1e8:intervali-5e12:min interval1:xe").unwrap();
        assert_eq!(reply, AnnounceReply::default());
        let mut body = b"d5:peers30000:".to_vec();
        body.extend([1; 30_000]);
        body.extend(b"6:peers636000:");
        body.extend([1; 36_000]);
        body.push(b'e');
        let reply = parse_announce(&body).unwrap();
        assert_eq!(reply.peers.len(), AnnounceReply::MAX_PEERS);
        assert_eq!(reply.peers.iter().filter(|peer| peer.is_ipv4()).count(), 1_000);
    }

    proptest::proptest! {
        #[test]
        fn hostile_replies_never_panic(body: Vec<u8>) {
            let _ = parse_announce(&body);
            let wrapped = [b"d8:intervali1e5:peersl".as_slice(), &body, b"ee"].concat();
            let _ = parse_announce(&wrapped);
        }
    }
}
