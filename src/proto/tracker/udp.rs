//! The packets of the UDP tracker protocol (BEP 15) with the URL data option of BEP 41.

use std::net::SocketAddr;
use std::time::Duration;

use super::announce::{AnnounceEvent, AnnounceReply, AnnounceRequest};

use super::scrape::Scrape;
use crate::base::compact;
use crate::base::id::InfoHashV1;

const PROTOCOL_ID: u64 = 0x417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// As many info hashes as fit one packet (BEP 15, "up to about 74").
pub const MAX_SCRAPE: usize = 74;

/// BEP 41 URL data beyond this is left out: the packet must stay one datagram that no router cuts.
const MAX_URL_DATA: usize = 1_024;

/// The address family of the socket, which decides the form of peers in a reply (BEP 15, "IPv6").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(addr: &SocketAddr) -> Family {
        if addr.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// A packet from a tracker.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    pub transaction: u32,
    pub body: Body,
}

/// What a packet from a tracker carries.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    Connected {
        connection: u64,
    },
    Announced(AnnounceReply),
    /// In the order of the info hashes that were asked for.
    Scraped(Vec<Scrape>),
    Error(String),
}

/// The connect request: 16 bytes.
pub fn connect_request(transaction: u32) -> Vec<u8> {
    header(PROTOCOL_ID, CONNECT, transaction, 0)
}

/// The announce request: 98 bytes and, if the tracker's URL has a path or query, that as options (BEP 41).
pub fn announce_request(connection: u64, transaction: u32, request: &AnnounceRequest, url_data: &str) -> Vec<u8> {
    let mut packet = header(connection, ANNOUNCE, transaction, 82 + url_data.len() + 8);
    packet.extend(request.info_hash.0);
    packet.extend(request.peer_id.0);
    packet.extend(request.totals.downloaded.to_be_bytes());
    packet.extend(request.totals.left_on_wire().to_be_bytes());
    packet.extend(request.totals.uploaded.to_be_bytes());
    let event: u32 = match request.event {
        AnnounceEvent::Regular => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    packet.extend(event.to_be_bytes());
    packet.extend([0; 4]); // our address: the one that the packet comes from
    packet.extend(request.key.to_be_bytes());
    packet.extend(request.num_want.to_be_bytes());
    packet.extend(request.port.to_be_bytes());
    if url_data.len() <= MAX_URL_DATA {
        for chunk in url_data.as_bytes().chunks(255) {
            packet.extend([2, chunk.len() as u8]);
            packet.extend(chunk);
        }
    }
    packet
}

/// The scrape request for at most [`MAX_SCRAPE`] info hashes; the rest is left out.
pub fn scrape_request(connection: u64, transaction: u32, hashes: &[InfoHashV1]) -> Vec<u8> {
    let mut packet = header(connection, SCRAPE, transaction, hashes.len() * 20);
    packet.extend(hashes.iter().take(MAX_SCRAPE).flat_map(|hash| hash.0));
    packet
}

/// Reads a packet that came over a socket of `family`; `None` if it is none of the protocol. Longer packets than
/// expected are fine (BEP 15), a cut last entry is left out.
pub fn parse_response(packet: &[u8], family: Family) -> Option<Response> {
    let (action, rest) = take_u32(packet)?;
    let (transaction, rest) = take_u32(rest)?;
    let body = match action {
        CONNECT => Body::Connected { connection: u64::from_be_bytes(*rest.first_chunk()?) },
        ANNOUNCE => Body::Announced(announce_reply(rest, family)?),
        SCRAPE => Body::Scraped(rest.chunks_exact(12).take(MAX_SCRAPE).filter_map(scrape_entry).collect()),
        ERROR => Body::Error(String::from_utf8_lossy(&rest[..rest.len().min(1_024)]).into_owned()),
        _ => return None,
    };
    Some(Response { transaction, body })
}

fn announce_reply(rest: &[u8], family: Family) -> Option<AnnounceReply> {
    let (interval, rest) = take_u32(rest)?;
    let (leechers, rest) = take_u32(rest)?;
    let (seeders, rest) = take_u32(rest)?;
    let mut peers = match family {
        Family::V4 => compact::peers_v4(&rest[..rest.len() / 6 * 6]),
        Family::V6 => compact::peers_v6(&rest[..rest.len() / 18 * 18]),
    };
    peers.retain(|peer| peer.port() != 0);
    peers.truncate(AnnounceReply::MAX_PEERS);
    Some(AnnounceReply {
        peers,
        interval: Some(Duration::from_secs(interval.into())),
        seeders: Some(seeders),
        leechers: Some(leechers),
        ..AnnounceReply::default()
    })
}

fn scrape_entry(entry: &[u8]) -> Option<Scrape> {
    let (seeders, rest) = take_u32(entry)?;
    let (completed, rest) = take_u32(rest)?;
    let (leechers, _) = take_u32(rest)?;
    Some(Scrape { seeders, leechers, completed: Some(completed) })
}

fn header(first: u64, action: u32, transaction: u32, more: usize) -> Vec<u8> {
    let mut packet = Vec::with_capacity(16 + more);
    packet.extend(first.to_be_bytes());
    packet.extend(action.to_be_bytes());
    packet.extend(transaction.to_be_bytes());
    packet
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (four, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*four), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::PeerId;
    use crate::proto::tracker::announce::Totals;

    fn request() -> AnnounceRequest {
        AnnounceRequest {
            info_hash: InfoHashV1([0xAA; 20]),
            peer_id: PeerId([0xBB; 20]),
            key: 0x0102_0304,
            port: 6881,
            totals: Totals { uploaded: 1, downloaded: 2, left: None },
            event: AnnounceEvent::Started,
            num_want: 200,
            tracker_id: None,
        }
    }

    #[test]
    fn a_connect_request_is_the_magic_and_a_transaction() {
        assert_eq!(
            connect_request(0x0A0B_0C0D),
            [
                0x00, 0x00, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80, // protocol id
                0, 0, 0, 0, // action 0: connect
                0x0A, 0x0B, 0x0C, 0x0D, // transaction id
            ]
        );
    }

    #[test]
    fn an_announce_request_field_by_field() {
        let packet = announce_request(0x1122_3344_5566_7788, 9, &request(), "");
        let mut expected = Vec::new();
        expected.extend([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]); // connection id
        expected.extend([0, 0, 0, 1]); // action 1: announce
        expected.extend([0, 0, 0, 9]); // transaction id
        expected.extend([0xAA; 20]); // info hash
        expected.extend([0xBB; 20]); // peer id
        expected.extend([0, 0, 0, 0, 0, 0, 0, 2]); // downloaded
        expected.extend([0, 0, 0, 0, 0, 0, 0x40, 0]); // left: 16,384 while the size is unknown
        expected.extend([0, 0, 0, 0, 0, 0, 0, 1]); // uploaded
        expected.extend([0, 0, 0, 2]); // event 2: started
        expected.extend([0, 0, 0, 0]); // IP address: default
        expected.extend([1, 2, 3, 4]); // key
        expected.extend([0, 0, 0, 200]); // num_want
        expected.extend([0x1A, 0xE1]); // port 6881
        assert_eq!(packet, expected);
        assert_eq!(packet.len(), 98);
    }

    #[test]
    fn path_and_query_follow_as_options_of_255_bytes() {
        let packet = announce_request(0, 0, &request(), "/dir?a=b&c=d");
        assert_eq!(&packet[98..], b"\x02\x0C/dir?a=b&c=d");
        let packet = announce_request(0, 0, &request(), &"x".repeat(300));
        assert_eq!((packet[98], packet[99], packet[100 + 255], packet[101 + 255]), (2, 255, 2, 45));
        assert_eq!(packet.len(), 98 + 300 + 4);
        assert_eq!(announce_request(0, 0, &request(), &"x".repeat(2_000)).len(), 98);
    }

    #[test]
    fn an_announce_response_in_both_families() {
        let mut packet = Vec::new();
        packet.extend([0, 0, 0, 1]); // action
        packet.extend([0, 0, 0, 9]); // transaction id
        packet.extend([0, 0, 0x07, 0x08]); // interval 1800
        packet.extend([0, 0, 0, 3]); // leechers
        packet.extend([0, 0, 0, 4]); // seeders
        let mut v4 = packet.clone();
        v4.extend([10, 0, 0, 1, 0x1A, 0xE1]);
        v4.extend([10, 0, 0, 2, 0, 0]); // port 0: nobody
        v4.extend([10, 0, 0]); // cut
        let Response { transaction: 9, body: Body::Announced(reply) } = parse_response(&v4, Family::V4).unwrap() else {
            panic!("an announce response");
        };
        assert_eq!(reply.peers, ["10.0.0.1:6881".parse().unwrap()]);
        assert_eq!(
            (reply.interval, reply.leechers, reply.seeders),
            (Some(Duration::from_secs(1800)), Some(3), Some(4))
        );

        let mut v6 = packet.clone();
        v6.extend([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x1A, 0xE1]);
        let Response { body: Body::Announced(reply), .. } = parse_response(&v6, Family::V6).unwrap() else {
            panic!("an announce response");
        };
        assert_eq!(reply.peers, ["[2001:db8::1]:6881".parse().unwrap()]);
    }

    #[test]
    fn connect_scrape_and_error_responses() {
        let connect = [0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 99];
        assert_eq!(
            parse_response(&connect, Family::V4),
            Some(Response { transaction: 7, body: Body::Connected { connection: 0x0102_0304_0506_0708 } })
        );
        let scrape = [0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 11, 0, 0, 0, 12, 0, 0, 0, 13];
        let entry = Scrape { seeders: 11, completed: Some(12), leechers: 13 };
        assert_eq!(
            parse_response(&scrape, Family::V4),
            Some(Response { transaction: 7, body: Body::Scraped(vec![entry]) })
        );
        let error = b"\0\0\0\x03\0\0\0\x07no \xFF";
        assert_eq!(
            parse_response(error, Family::V6),
            Some(Response { transaction: 7, body: Body::Error("no \u{FFFD}".into()) })
        );
    }

    #[test]
    fn short_and_strange_packets_are_nothing() {
        let full = [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 7, 8, 0, 0, 0, 3, 0, 0, 0, 4];
        for len in 0..full.len() {
            assert_eq!(parse_response(&full[..len], Family::V4), None, "{len} bytes");
        }
        assert_eq!(parse_response(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], Family::V4), None);
        assert_eq!(parse_response(&[0, 0, 0, 4, 0, 0, 0, 7], Family::V4), None);
    }
}
