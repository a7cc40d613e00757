//! A small real tracker on loopback, HTTP and UDP: for tests, and for `examples/local_swarm.rs`.
//!
//! It keeps the peers of every info hash that is announced to it (both protocols share them), answers with compact
//! peers and scrapes (BEP 3, 7, 15, 23, 48), and remembers each announce for tests to look at. Use it with
//! `#[path = "…/common/tracker_server.rs"] mod tracker_server;`:
//!
//! ```ignore
//! let tracker = TrackerServer::start("127.0.0.1".parse()?).await?;
//! let magnet = format!("magnet:?xt=urn:btih:{hash}&tr={}", tracker.http_url());
//! ```
//!
//! It lives until it is dropped. It is no tracker for the world: peers never expire and connection ids are not secret.
#![allow(dead_code)] // each user needs only a part

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// A running tracker.
pub struct TrackerServer {
    http: SocketAddr,
    udp: SocketAddr,
    swarms: Arc<Mutex<Swarms>>,
    _tasks: JoinSet<()>,
}

/// One announce as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub over: &'static str,
    pub info_hash: [u8; 20],
    pub peer_id: [u8; 20],
    /// The address it came from, with the port that it announced.
    pub peer: SocketAddr,
    pub left: u64,
    pub uploaded: u64,
    pub downloaded: u64,
    /// `started`, `completed`, `stopped` or nothing.
    pub event: String,
    pub key: u32,
    pub numwant: usize,
    /// The query of an HTTP request, the URL data of a UDP one (BEP 41).
    pub url_data: String,
}

struct Swarms {
    /// Seconds, told to everyone.
    interval: u32,
    peers: HashMap<[u8; 20], Vec<Peer>>,
    completed: HashMap<[u8; 20], u32>,
    seen: Vec<Seen>,
}

#[derive(Clone, Copy)]
struct Peer {
    addr: SocketAddr,
    left: u64,
}

impl TrackerServer {
    /// Listens on free ports of `ip`; tells everyone to come again after half an hour.
    pub async fn start(ip: IpAddr) -> io::Result<TrackerServer> {
        TrackerServer::start_with(ip, 1800).await
    }

    /// Listens on free ports of `ip`; tells everyone to come again after `interval` seconds.
    pub async fn start_with(ip: IpAddr, interval: u32) -> io::Result<TrackerServer> {
        TrackerServer::start_at((ip, 0).into(), (ip, 0).into(), interval).await
    }

    /// Listens at these addresses; tells everyone to come again after `interval` seconds.
    pub async fn start_at(http: SocketAddr, udp: SocketAddr, interval: u32) -> io::Result<TrackerServer> {
        let swarms = Swarms { interval, peers: HashMap::new(), completed: HashMap::new(), seen: Vec::new() };
        let swarms = Arc::new(Mutex::new(swarms));
        let listener = TcpListener::bind(http).await?;
        let socket = UdpSocket::bind(udp).await?;
        let (http, udp) = (listener.local_addr()?, socket.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_http(listener, Arc::clone(&swarms)));
        tasks.spawn(serve_udp(socket, Arc::clone(&swarms)));
        Ok(TrackerServer { http, udp, swarms, _tasks: tasks })
    }

    /// `http://…/announce`
    pub fn http_url(&self) -> String {
        format!("http://{}/announce", self.http)
    }

    /// `udp://…/announce`
    pub fn udp_url(&self) -> String {
        format!("udp://{}/announce", self.udp)
    }

    /// Makes `peer` known as if it had announced itself, with `left` bytes to go.
    pub fn insert(&self, info_hash: [u8; 20], peer: SocketAddr, left: u64) {
        self.swarms.lock().unwrap().peers.entry(info_hash).or_default().push(Peer { addr: peer, left });
    }

    /// The peers of a torrent.
    pub fn peers(&self, info_hash: [u8; 20]) -> Vec<SocketAddr> {
        let swarms = self.swarms.lock().unwrap();
        swarms.peers.get(&info_hash).map(|peers| peers.iter().map(|peer| peer.addr).collect()).unwrap_or_default()
    }

    /// Every announce so far, in the order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.swarms.lock().unwrap().seen.clone()
    }
}

impl Swarms {
    /// Takes an announce in; gives the peers to answer with, and (seeders, leechers).
    fn announce(&mut self, seen: Seen) -> (Vec<SocketAddr>, u32, u32) {
        let peers = self.peers.entry(seen.info_hash).or_default();
        peers.retain(|peer| peer.addr != seen.peer);
        let others: Vec<SocketAddr> = peers.iter().rev().take(seen.numwant).map(|peer| peer.addr).collect();
        if seen.event != "stopped" && seen.peer.port() != 0 {
            peers.push(Peer { addr: seen.peer, left: seen.left });
        }
        if seen.event == "completed" {
            *self.completed.entry(seen.info_hash).or_default() += 1;
        }
        let (hash, others) = (seen.info_hash, others);
        self.seen.push(seen);
        let (seeders, leechers) = self.counts(hash);
        (others, seeders, leechers)
    }

    fn counts(&self, hash: [u8; 20]) -> (u32, u32) {
        let peers = self.peers.get(&hash).map(Vec::as_slice).unwrap_or_default();
        let seeders = peers.iter().filter(|peer| peer.left == 0).count() as u32;
        (seeders, peers.len() as u32 - seeders)
    }
}

// ---- HTTP ----

async fn serve_http(listener: TcpListener, swarms: Arc<Mutex<Swarms>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, from)) = accepted {
                connections.spawn(serve_connection(stream, from, Arc::clone(&swarms)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, as many requests as come.
async fn serve_connection(mut stream: TcpStream, from: SocketAddr, swarms: Arc<Mutex<Swarms>>) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if bytes.len() > 16_384 || !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                return;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes.drain(..end);
        let target = head.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body =
            if path.contains("scrape") { http_scrape(query, &swarms) } else { http_announce(query, from, &swarms) };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
    }
}

fn http_announce(query: &str, from: SocketAddr, swarms: &Mutex<Swarms>) -> Vec<u8> {
    let text = |name: &str| String::from_utf8_lossy(&parameter(query, name).unwrap_or_default()).into_owned();
    let number = |name: &str| text(name).parse::<u64>();
    let twenty = |name: &str| <[u8; 20]>::try_from(parameter(query, name).unwrap_or_default());
    let (Ok(info_hash), Ok(peer_id), Ok(port)) = (twenty("info_hash"), twenty("peer_id"), text("port").parse()) else {
        return b"d14:failure reason21:not a proper announcee".to_vec();
    };
    let seen = Seen {
        over: "http",
        info_hash,
        peer_id,
        peer: SocketAddr::new(from.ip().to_canonical(), port),
        left: number("left").unwrap_or_default(),
        uploaded: number("uploaded").unwrap_or_default(),
        downloaded: number("downloaded").unwrap_or_default(),
        event: text("event"),
        key: u32::from_str_radix(&text("key"), 16).unwrap_or_default(),
        numwant: number("numwant").unwrap_or(50) as usize,
        url_data: query.to_owned(),
    };
    let mut swarms = swarms.lock().unwrap();
    let (peers, seeders, leechers) = swarms.announce(seen);
    let mut body =
        format!("d8:completei{seeders}e10:incompletei{leechers}e8:intervali{}e", swarms.interval).into_bytes();
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) = peers.into_iter().partition(SocketAddr::is_ipv4);
    for (key, peers, len) in [("5:peers", v4, 6), ("6:peers6", v6, 18)] {
        body.extend(format!("{key}{}:", peers.len() * len).bytes());
        body.extend(peers.iter().flat_map(compact));
    }
    body.push(b'e');
    body
}

fn http_scrape(query: &str, swarms: &Mutex<Swarms>) -> Vec<u8> {
    let hashes: Result<Vec<[u8; 20]>, _> = parameters(query, "info_hash").map(<[u8; 20]>::try_from).collect();
    let Some(mut hashes) = hashes.ok().filter(|hashes| !hashes.is_empty()) else {
        return b"d14:failure reason19:not a proper scrapee".to_vec();
    };
    let swarms = swarms.lock().unwrap();
    let mut body = b"d5:filesd".to_vec();
    hashes.sort_unstable();
    for hash in hashes {
        let (seeders, leechers) = swarms.counts(hash);
        let completed = swarms.completed.get(&hash).copied().unwrap_or_default();
        body.extend(b"20:");
        body.extend(hash);
        body.extend(format!("d8:completei{seeders}e10:downloadedi{completed}e10:incompletei{leechers}ee").bytes());
    }
    body.extend(b"ee");
    body
}

/// A parameter of a query, unescaped.
fn parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    parameters(query, name).next()
}

fn parameters<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    let values = query.split('&').filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='));
    values.map(|value| percent_encoding::percent_decode_str(value).collect())
}

fn compact(peer: &SocketAddr) -> Vec<u8> {
    let mut bytes = match peer.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend(peer.port().to_be_bytes());
    bytes
}

// ---- UDP ----

async fn serve_udp(socket: UdpSocket, swarms: Arc<Mutex<Swarms>>) {
    let mut packet = [0; 4096];
    loop {
        if let Ok((len, from)) = socket.recv_from(&mut packet).await
            && let Some(answer) = udp_answer(&packet[..len], from, &swarms)
        {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// The connection id that a client gets: it must come from the same address with it.
fn connection_of(from: SocketAddr) -> u64 {
    0xC0FF_EE00_0000_0000 | u64::from(from.port())
}

fn udp_answer(packet: &[u8], from: SocketAddr, swarms: &Mutex<Swarms>) -> Option<Vec<u8>> {
    let u32_at = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_be_bytes(packet.get(at..at + 8)?.try_into().ok()?));
    let twenty_at = |at: usize| <[u8; 20]>::try_from(packet.get(at..at + 20)?).ok();
    let (connection, action, transaction) = (u64_at(0)?, u32_at(8)?, u32_at(12)?);
    let answer = |action: u32, body: &[u8]| Some([&action.to_be_bytes(), &transaction.to_be_bytes(), body].concat());
    if action == 0 && connection == 0x417_2710_1980 {
        return answer(0, &connection_of(from).to_be_bytes());
    }
    if connection != connection_of(from) {
        return answer(3, b"connection id is not yours");
    }
    let mut swarms = swarms.lock().unwrap();
    match action {
        1 => {
            let event = ["", "completed", "started", "stopped"].get(u32_at(80)? as usize)?;
            let port = u16::from_be_bytes(packet.get(96..98)?.try_into().ok()?);
            let seen = Seen {
                over: "udp",
                info_hash: twenty_at(16)?,
                peer_id: twenty_at(36)?,
                peer: SocketAddr::new(from.ip().to_canonical(), port),
                downloaded: u64_at(56)?,
                left: u64_at(64)?,
                uploaded: u64_at(72)?,
                event: (*event).to_owned(),
                key: u32_at(88)?,
                numwant: u32_at(92)?.min(200) as usize,
                url_data: url_data(&packet[98..]),
            };
            let (peers, seeders, leechers) = swarms.announce(seen);
            let mut body = Vec::new();
            for number in [swarms.interval, leechers, seeders] {
                body.extend(number.to_be_bytes());
            }
            let same = peers.iter().filter(|peer| peer.is_ipv4() == from.ip().to_canonical().is_ipv4());
            body.extend(same.flat_map(compact));
            answer(1, &body)
        }
        2 => {
            let (hashes, _) = packet[16..].as_chunks::<20>();
            let mut body = Vec::new();
            for hash in hashes {
                let (seeders, leechers) = swarms.counts(*hash);
                let completed = swarms.completed.get(hash).copied().unwrap_or_default();
                for number in [seeders, completed, leechers] {
                    body.extend(number.to_be_bytes());
                }
            }
            answer(2, &body)
        }
        _ => answer(3, b"no such action"),
    }
}

/// BEP 41, "URLData".
fn url_data(mut options: &[u8]) -> String {
    let mut data = Vec::new();
    loop {
        options = match options {
            [1, rest @ ..] => rest,
            [kind, len, rest @ ..] if *kind >= 2 && rest.len() >= *len as usize => {
                let (value, rest) = rest.split_at(*len as usize);
                if *kind == 2 {
                    data.extend(value);
                }
                rest
            }
            _ => return String::from_utf8_lossy(&data).into_owned(),
        };
    }
}
