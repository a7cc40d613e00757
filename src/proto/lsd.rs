//! Local service discovery: announcing torrents to the local network by multicast, and hearing others do so (BEP 14).
//!
//! [`Lsd`] is a machine without I/O: the driver hands it what arrives, sends what it is given to every interface, and
//! comes back at `poll_timeout`. What holds always:
//! - one round of datagrams a minute at most, and each torrent every five minutes; a round names up to
//!   [`Announce::MAX_HASHES`] torrents, and the rest have their turn in the next;
//! - our own announces, which come back to us, are known by their cookie;
//! - a source that talks too much is not heard for the rest of the minute, and what is kept of sources is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use crate::base::compact::canonical;
use crate::base::id::InfoHashV1;

/// The multicast groups (BEP 14, "Protocol").
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);
pub const PORT: u16 = 6771;

/// One datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Where the sender listens.
    pub port: u16,
    pub hashes: Vec<InfoHashV1>,
    /// By which a sender knows its own announces.
    pub cookie: Option<String>,
}

impl Announce {
    /// So many fit into 1,400 bytes.
    pub const MAX_HASHES: usize = 24;
    /// A longer datagram is not read.
    const MAX_LEN: usize = 4096;
    const MAX_COOKIE: usize = 64;

    /// Reads a datagram: a request line and headers in any order and case, unknown ones passed over. `None` if it is no
    /// announce of anything.
    pub fn decode(bytes: &[u8]) -> Option<Announce> {
        let text = std::str::from_utf8(bytes.get(..bytes.len().min(Self::MAX_LEN))?).ok()?;
        let mut lines = text.split('\n').map(str::trim);
        if !lines.next()?.starts_with("BT-SEARCH * HTTP/1.") {
            return None;
        }
        let mut announce = Announce { port: 0, hashes: Vec::new(), cookie: None };
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "port" => announce.port = value.parse().ok()?,
                "infohash" if announce.hashes.len() < Self::MAX_HASHES => announce.hashes.extend(read_hash(value)),
                "cookie" if value.len() <= Self::MAX_COOKIE => announce.cookie = Some(value.to_owned()),
                _ => {}
            }
        }
        (announce.port != 0 && !announce.hashes.is_empty()).then_some(announce)
    }

    /// The datagram for one of the groups.
    pub fn encode(&self, group: IpAddr) -> Vec<u8> {
        let mut text = format!("BT-SEARCH * HTTP/1.1\r\nHost: {}\r\n", SocketAddr::new(group, PORT));
        let _ = write!(text, "Port: {}\r\n", self.port);
        for hash in &self.hashes {
            let _ = write!(text, "Infohash: {hash}\r\n");
        }
        if let Some(cookie) = &self.cookie {
            let _ = write!(text, "cookie: {cookie}\r\n");
        }
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }
}

fn read_hash(hex: &str) -> Option<InfoHashV1> {
    let digits: Vec<u8> =
        hex.bytes().map(|c| (c as char).to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect();
    (digits.len() == 40).then(|| InfoHashV1(bytes.try_into().expect("20 bytes")))
}

/// When to announce what, and whom to hear.
#[derive(Debug)]
pub struct Lsd {
    port: u16,
    cookie: String,
    /// When each torrent is to be announced.
    torrents: BTreeMap<InfoHashV1, Instant>,
    /// No round before this.
    free_at: Instant,
    /// Datagrams of each source since `counted_from`.
    heard: BTreeMap<IpAddr, u32>,
    counted_from: Instant,
}

impl Lsd {
    const EVERY: Duration = Duration::from_secs(5 * 60);
    const PAUSE: Duration = Duration::from_secs(60);
    /// Datagrams a minute that are taken from one source; a careful client sends one, on each of its interfaces.
    const MAX_HEARD: u32 = 12;
    const MAX_SOURCES: usize = 1024;

    pub fn new(now: Instant, port: u16, rng: &mut StdRng) -> Lsd {
        let cookie = format!("{:016x}", rng.next_u64());
        Lsd { port, cookie, torrents: BTreeMap::new(), free_at: now, heard: BTreeMap::new(), counted_from: now }
    }

    /// Announces the torrent as soon as the limits allow.
    pub fn add(&mut self, now: Instant, hash: InfoHashV1) {
        self.torrents.entry(hash).or_insert(now);
    }

    pub fn remove(&mut self, hash: &InfoHashV1) {
        self.torrents.remove(hash);
    }

    /// The next round, if it is time: the same for both groups.
    pub fn poll_announce(&mut self, now: Instant) -> Option<Announce> {
        if now < self.free_at {
            return None;
        }
        let mut due: Vec<(Instant, InfoHashV1)> =
            self.torrents.iter().filter(|(_, at)| **at <= now).map(|(&hash, &at)| (at, hash)).collect();
        due.sort_unstable();
        due.truncate(Announce::MAX_HASHES);
        if due.is_empty() {
            return None;
        }
        self.free_at = now + Self::PAUSE;
        let hashes: Vec<InfoHashV1> = due.into_iter().map(|(_, hash)| hash).collect();
        for hash in &hashes {
            self.torrents.insert(*hash, now + Self::EVERY);
        }
        Some(Announce { port: self.port, hashes, cookie: Some(self.cookie.clone()) })
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        Some((*self.torrents.values().min()?).max(self.free_at))
    }

    /// Who has announced what of ours.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<(SocketAddr, Vec<InfoHashV1>)> {
        let from = canonical(from);
        if !self.listens_to(now, from.ip()) {
            return None;
        }
        let announce = Announce::decode(bytes)?;
        if announce.cookie.as_ref() == Some(&self.cookie) {
            return None;
        }
        let ours: Vec<InfoHashV1> =
            announce.hashes.into_iter().filter(|hash| self.torrents.contains_key(hash)).collect();
        let mut peer = from;
        peer.set_port(announce.port);
        (!ours.is_empty()).then_some((peer, ours))
    }

    fn listens_to(&mut self, now: Instant, source: IpAddr) -> bool {
        if now.saturating_duration_since(self.counted_from) >= Self::PAUSE {
            self.heard.clear();
            self.counted_from = now;
        }
        if self.heard.len() >= Self::MAX_SOURCES && !self.heard.contains_key(&source) {
            return false;
        }
        let count = self.heard.entry(source).or_default();
        *count += 1;
        *count <= Self::MAX_HEARD
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([0xab; 20]);
    const HEX: &str = "abababababababababababababababababababab";

    fn lsd(now: Instant) -> Lsd {
        Lsd::new(now, 6881, &mut StdRng::seed_from_u64(1))
    }

    fn from() -> SocketAddr {
        "192.168.1.7:6771".parse().unwrap()
    }

    fn hash(n: u32) -> InfoHashV1 {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        InfoHashV1(bytes)
    }

    #[test]
    fn an_announce_as_it_goes_out() {
        let announce = Announce { port: 6881, hashes: vec![HASH], cookie: Some("c0ffee".into()) };
        let expected = [
            "BT-SEARCH * HTTP/1.1",
            "Host: 239.192.152.143:6771",
            "Port: 6881",
            &format!("Infohash: {HEX}"),
            "cookie: c0ffee",
            "",
            "",
            "",
        ]
        .join("\r\n");
        assert_eq!(String::from_utf8(announce.encode(GROUP_V4.into())).unwrap(), expected);
        let v6 = String::from_utf8(announce.encode(GROUP_V6.into())).unwrap();
        assert!(v6.contains("Host: [ff15::efc0:988f]:6771\r\n"), "{v6}");
        assert_eq!(Announce::decode(v6.as_bytes()), Some(announce));
        let full = Announce { port: 65535, hashes: (0..24).map(hash).collect(), cookie: Some("f".repeat(16)) };
        assert!(full.encode(GROUP_V6.into()).len() <= 1400);
    }

    #[test]
    fn other_orders_cases_and_headers_are_read_and_rubbish_is_not() {
        let odd =
            format!("BT-SEARCH * HTTP/1.1\nINFOHASH:{}\nX-Other: 1\nport : 7\ninfohash: zz\n", HEX.to_uppercase());
        assert_eq!(Announce::decode(odd.as_bytes()), Some(Announce { port: 7, hashes: vec![HASH], cookie: None }));
        let head = "BT-SEARCH * HTTP/1.1\r\n";
        for rubbish in [
            "".into(),
            "M-SEARCH * HTTP/1.1\r\n".into(),
            format!("{head}Port: 0\r\nInfohash: {HEX}\r\n"),
            format!("{head}Port: 65536\r\nInfohash: {HEX}\r\n"),
            format!("{head}Port: 7\r\n"),
            format!("{head}Port: 7\r\nInfohash: {}é\r\n", &HEX[..38]),
        ] {
            assert_eq!(Announce::decode(rubbish.as_bytes()), None, "{rubbish}");
        }
        assert_eq!(Announce::decode(&[0xff; 9000]), None);
        let many = format!("{head}Port: 7\r\n{}", format!("Infohash: {HEX}\r\n").repeat(70));
        assert_eq!(Announce::decode(many.as_bytes()).unwrap().hashes.len(), Announce::MAX_HASHES);
    }

    #[test]
    fn the_first_announce_goes_out_at_once_and_then_one_round_a_minute_and_each_torrent_every_five() {
        let start = Instant::now();
        let mut lsd = lsd(start);
        lsd.add(start, hash(0));
        let mut seen: Vec<(u64, usize)> = Vec::new();
        for second in 0..660 {
            let now = start + Duration::from_secs(second);
            if second == 10 {
                (1..30).for_each(|n| lsd.add(now, hash(n)));
            }
            if let Some(round) = lsd.poll_announce(now) {
                seen.push((second, round.hashes.len()));
            }
        }
        assert_eq!(seen, [(0, 1), (60, 24), (120, 5), (300, 1), (360, 24), (420, 5), (600, 1)]);
    }

    #[test]
    fn who_announces_a_torrent_of_ours_is_a_peer_and_we_ourselves_are_not() {
        let now = Instant::now();
        let mut lsd = lsd(now);
        lsd.add(now, HASH);
        let other = Announce { port: 7000, hashes: vec![hash(9), HASH], cookie: Some("x".into()) };
        let heard = lsd.handle_packet(now, from(), &other.encode(GROUP_V4.into()));
        assert_eq!(heard, Some(("192.168.1.7:7000".parse().unwrap(), vec![HASH])));
        let own = lsd.poll_announce(now).unwrap();
        assert_eq!(lsd.handle_packet(now, from(), &own.encode(GROUP_V4.into())), None);
        lsd.remove(&HASH);
        assert_eq!(lsd.handle_packet(now, from(), &other.encode(GROUP_V4.into())), None);
        assert_eq!(lsd.poll_timeout(), None);
    }

    #[test]
    fn the_scope_of_a_link_local_sender_is_kept() {
        let now = Instant::now();
        let mut lsd = lsd(now);
        lsd.add(now, HASH);
        let from = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 6771, 0, 3);
        let other = Announce { port: 7000, hashes: vec![HASH], cookie: None };
        let (peer, _) = lsd.handle_packet(now, from.into(), &other.encode(GROUP_V6.into())).unwrap();
        assert_eq!(peer, std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 7000, 0, 3).into());
    }

    #[test]
    fn a_flood_is_cut_off_until_the_minute_is_over_and_nothing_grows() {
        let start = Instant::now();
        let mut lsd = lsd(start);
        lsd.add(start, HASH);
        let other = Announce { port: 7000, hashes: vec![HASH], cookie: None }.encode(GROUP_V4.into());
        let heard = (0..100).filter(|_| lsd.handle_packet(start, from(), &other).is_some()).count();
        assert_eq!(heard, Lsd::MAX_HEARD as usize);
        assert!(lsd.handle_packet(start + Lsd::PAUSE, from(), &other).is_some());
        for n in 0..5_000u32 {
            let source = SocketAddr::new(Ipv4Addr::from(0x0a00_0000 + n).into(), 1);
            lsd.handle_packet(start + Lsd::PAUSE, source, &other);
        }
        assert_eq!(lsd.heard.len(), Lsd::MAX_SOURCES);
    }
}
