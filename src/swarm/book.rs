//! The addresses known for a torrent: who told of them, when to call them (again), and whom never.
//!
//! An address is ready, waiting for its time, or in use by one connection or dial. Fresh addresses come before those
//! that failed, good sources before doubtful ones, so that dead peers never delay live ones. Bounded: the least
//! promising address gives way.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::base::compact::{canonical, is_global};
use crate::proto::session::message::CloseReason;
use crate::swarm::action::{DialFailure, Source, Way};

/// Addresses that are remembered at most.
const LIMIT: usize = 4_000;
/// Bans that are remembered at most.
const BANS: usize = 10_000;
/// Connections to one global IP at most.
pub const PER_IP: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// Failures in a row after which an address is forgotten, unless the user named it or it worked.
const FORGET_AFTER: u8 = 6;

/// Owner of the addresses.
#[derive(Default)]
pub struct Book {
    entries: HashMap<SocketAddr, Entry>,
    ready: BTreeSet<(Rank, SocketAddr)>,
    waiting: BTreeSet<(Instant, SocketAddr)>,
    banned: HashSet<SocketAddr>,
    banned_ips: HashSet<IpAddr>,
    serial: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    source: Source,
    place: Place,
    failures: u8,
    /// A handshake has succeeded.
    worked: bool,
    /// How the last dial succeeded, if it did.
    way: Option<Way>,
    serial: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Ready(Rank),
    Waiting(Instant),
    InUse,
}

/// The least is called first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    failures: u8,
    source: u8,
    serial: u64,
}

impl Book {
    /// Remembers an address. True if it is new and may be called.
    pub fn add(&mut self, source: Source, addr: SocketAddr) -> bool {
        let addr = canonical(addr);
        if !dialable(addr) || self.is_banned(addr) {
            return false;
        }
        if let Some(entry) = self.entries.get_mut(&addr) {
            if standing(source) < standing(entry.source) {
                entry.source = source;
                let (place, rank) = (entry.place, entry.rank());
                if let Place::Ready(_) = place {
                    self.put(addr, Place::Ready(rank));
                }
            }
            return false;
        }
        if self.entries.len() >= LIMIT && !self.make_room() {
            return false;
        }
        self.serial += 1;
        let entry = Entry { source, place: Place::InUse, failures: 0, worked: false, way: None, serial: self.serial };
        let rank = entry.rank();
        self.entries.insert(addr, entry);
        self.put(addr, Place::Ready(rank));
        true
    }

    /// The best address to call now, among those that `allowed` lets pass; it is in use from then on.
    pub fn next(&mut self, now: Instant, allowed: impl Fn(SocketAddr) -> bool) -> Option<SocketAddr> {
        while let Some(&(due, addr)) = self.waiting.first()
            && due <= now
        {
            let rank = self.entries[&addr].rank();
            self.put(addr, Place::Ready(rank));
        }
        let (_, addr) = *self.ready.iter().take(256).find(|(_, addr)| allowed(*addr))?;
        self.put(addr, Place::InUse);
        Some(addr)
    }

    /// An address is in use by a connection that it opened: it is not called meanwhile.
    pub fn occupy(&mut self, source: Source, addr: SocketAddr) {
        self.add(source, addr);
        if let Some(entry) = self.entries.get_mut(&canonical(addr)) {
            entry.worked = true;
            self.put(canonical(addr), Place::InUse);
        }
    }

    /// A dial has led to a handshake, this way.
    pub fn worked(&mut self, addr: SocketAddr, way: Way) {
        if let Some(entry) = self.entries.get_mut(&canonical(addr)) {
            entry.worked = true;
            entry.way = Some(way);
            entry.failures = 0;
        }
    }

    /// A dial has failed.
    pub fn failed(&mut self, now: Instant, addr: SocketAddr, failure: DialFailure) {
        if let Some(entry) = self.entries.get_mut(&canonical(addr)) {
            entry.way = None;
        }
        match failure {
            DialFailure::Ourselves => self.ban(addr, false),
            DialFailure::WrongHandshake => self.rest(now, addr, 3),
            DialFailure::Unreachable => self.rest(now, addr, 2),
            DialFailure::Refused | DialFailure::TimedOut => self.rest(now, addr, 1),
        }
    }

    /// A dial was given up in favour of others.
    pub fn postponed(&mut self, now: Instant, addr: SocketAddr) {
        self.rest(now, addr, 1);
    }

    /// A connection to the address is over. `useful`: payload went over it.
    pub fn closed(&mut self, now: Instant, addr: SocketAddr, reason: &CloseReason, useful: bool) {
        match reason {
            CloseReason::Violation(_) => self.rest(now, addr, 4),
            CloseReason::Lost(_) | CloseReason::TimedOut if useful => self.rest(now, addr, 0),
            CloseReason::Lost(_) | CloseReason::TimedOut => self.rest(now, addr, 1),
            CloseReason::Ours => self.rest(now, addr, 3),
        }
    }

    /// Never again; the whole IP if `ip` (sensible only for global addresses).
    pub fn ban(&mut self, addr: SocketAddr, ip: bool) {
        let addr = canonical(addr);
        self.forget(addr);
        if self.banned.len() + self.banned_ips.len() < BANS {
            self.banned.insert(addr);
            if ip {
                self.banned_ips.insert(addr.ip());
            }
        }
    }

    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        let addr = canonical(addr);
        self.banned.contains(&addr) || self.banned_ips.contains(&addr.ip())
    }

    /// Forgets every address that none of `sources` gave.
    pub fn keep_only(&mut self, sources: &[Source]) {
        let gone: Vec<SocketAddr> =
            self.entries.iter().filter(|(_, entry)| !sources.contains(&entry.source)).map(|(addr, _)| *addr).collect();
        gone.into_iter().for_each(|addr| self.forget(addr));
    }

    /// When an address becomes ready that is waiting now.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// True if an address is ready that was never tried.
    pub fn has_fresh(&self) -> bool {
        self.ready.first().is_some_and(|(rank, _)| rank.failures == 0)
    }

    pub fn any_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Who told of an address; `None` if it is not in the book.
    pub fn source(&self, addr: SocketAddr) -> Option<Source> {
        self.entries.get(&canonical(addr)).map(|entry| entry.source)
    }

    /// How the last dial of this address succeeded, unless none did or one has failed since.
    pub fn way(&self, addr: SocketAddr) -> Option<Way> {
        self.entries.get(&canonical(addr)).and_then(|entry| entry.way)
    }

    /// How often calling this address has failed in a row.
    pub fn failures(&self, addr: SocketAddr) -> u8 {
        self.entries.get(&canonical(addr)).map_or(0, |entry| entry.failures)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Addresses whose handshake succeeded, those that failed least since first.
    pub fn good(&self) -> Vec<SocketAddr> {
        let mut good: Vec<_> = self.entries.iter().filter(|(_, entry)| entry.worked).collect();
        good.sort_by_key(|(_, entry)| entry.rank());
        good.into_iter().map(|(addr, _)| *addr).collect()
    }

    /// Puts an address aside after use, for longer the more often it has failed.
    fn rest(&mut self, now: Instant, addr: SocketAddr, failures: u8) {
        let addr = canonical(addr);
        let Some(entry) = self.entries.get_mut(&addr) else { return };
        entry.failures = entry.failures.saturating_add(failures);
        if entry.failures >= FORGET_AFTER && entry.source != Source::User && !entry.worked {
            return self.forget(addr);
        }
        let pause = FIRST_PAUSE * (1 << u32::from(entry.failures.saturating_sub(1)).min(10));
        self.put(addr, Place::Waiting(now + pause.min(LONGEST_PAUSE)));
    }

    fn put(&mut self, addr: SocketAddr, place: Place) {
        let Some(entry) = self.entries.get_mut(&addr) else { return };
        match std::mem::replace(&mut entry.place, place) {
            Place::Ready(rank) => drop(self.ready.remove(&(rank, addr))),
            Place::Waiting(due) => drop(self.waiting.remove(&(due, addr))),
            Place::InUse => {}
        }
        match place {
            Place::Ready(rank) => drop(self.ready.insert((rank, addr))),
            Place::Waiting(due) => drop(self.waiting.insert((due, addr))),
            Place::InUse => {}
        }
    }

    fn forget(&mut self, addr: SocketAddr) {
        self.put(addr, Place::InUse);
        self.entries.remove(&addr);
    }

    /// Forgets the least promising address that is not in use and did not come from the user.
    fn make_room(&mut self) -> bool {
        let idle = self.waiting.iter().rev().map(|(_, addr)| *addr);
        let worst = idle
            .chain(self.ready.iter().rev().map(|(_, addr)| *addr))
            .take(64)
            .find(|addr| self.entries[addr].source != Source::User);
        worst.map(|addr| self.forget(addr)).is_some()
    }
}

impl Entry {
    fn rank(&self) -> Rank {
        Rank { failures: self.failures, source: standing(self.source), serial: self.serial }
    }
}

/// The order in which sources are believed.
fn standing(source: Source) -> u8 {
    match source {
        Source::User => 0,
        Source::Lsd => 1,
        Source::Tracker => 2,
        Source::Incoming => 3,
        Source::Dht => 4,
        Source::Pex => 5,
        Source::Resume => 6,
    }
}

/// Connections to one IP that are allowed at a time.
pub fn per_ip(ip: IpAddr) -> usize {
    if is_global(ip) { PER_IP } else { usize::MAX }
}

fn dialable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn next(book: &mut Book, now: Instant) -> Option<SocketAddr> {
        book.next(now, |_| true)
    }

    #[test]
    fn fresh_addresses_of_good_sources_come_first() {
        let (mut book, now) = (Book::default(), Instant::now());
        for (source, text) in [
            (Source::Resume, "1.1.1.1:1"),
            (Source::Pex, "1.1.1.2:1"),
            (Source::Tracker, "1.1.1.3:1"),
            (Source::Tracker, "1.1.1.4:1"),
            (Source::User, "1.1.1.5:1"),
        ] {
            assert!(book.add(source, addr(text)));
        }
        assert_eq!(next(&mut book, now), Some(addr("1.1.1.5:1")));
        book.failed(now, addr("1.1.1.5:1"), DialFailure::Refused);
        let later = now + Duration::from_secs(60);
        assert_eq!(next(&mut book, later), Some(addr("1.1.1.3:1")), "a failure comes after all fresh ones");
        assert!(!book.add(Source::Tracker, addr("1.1.1.2:1")), "known, but better vouched for now");
        assert_eq!(next(&mut book, later), Some(addr("1.1.1.2:1")));
        assert_eq!(next(&mut book, later), Some(addr("1.1.1.4:1")));
        assert_eq!(next(&mut book, later), Some(addr("1.1.1.1:1")));
        assert_eq!(next(&mut book, later), Some(addr("1.1.1.5:1")));
        assert_eq!(next(&mut book, later), None, "all are in use");
    }

    #[test]
    fn mapped_addresses_are_ipv4_and_nonsense_is_refused() {
        let mut book = Book::default();
        assert!(book.add(Source::Dht, addr("[::ffff:9.8.7.6]:5")));
        assert!(!book.add(Source::Dht, addr("9.8.7.6:5")));
        for nonsense in ["9.8.7.6:0", "0.0.0.0:5", "255.255.255.255:5", "224.0.0.1:5", "[::]:5", "[ff02::1]:5"] {
            assert!(!book.add(Source::User, addr(nonsense)), "{nonsense}");
        }
        book.ban(addr("9.8.7.6:5"), true);
        assert!(book.is_banned(addr("[::ffff:9.8.7.6]:1234")));
        assert!(!book.add(Source::User, addr("9.8.7.6:7")));
    }

    #[test]
    fn failures_wait_longer_and_longer_and_are_forgotten_unless_the_user_named_them() {
        let (mut book, mut now) = (Book::default(), Instant::now());
        book.add(Source::User, addr("10.0.0.1:1"));
        book.add(Source::Tracker, addr("10.0.0.2:1"));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            while let Some(addr) = next(&mut book, now) {
                book.failed(now, addr, DialFailure::TimedOut);
            }
            let due = book.next_due().unwrap();
            pauses.push((due - now).as_secs());
            now = due;
        }
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
        assert_eq!((pauses[0], pauses[7]), (10, 1280));
        assert_eq!(book.len(), 1, "the tracker's is forgotten");
        book.failed(now, addr("10.0.0.1:1"), DialFailure::Ourselves);
        assert!(book.is_empty() && book.is_banned(addr("10.0.0.1:1")));
    }

    #[test]
    fn the_book_is_bounded_and_keeps_what_the_user_named() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.add(Source::User, addr("10.9.9.9:9"));
        for n in 0..LIMIT as u32 + 500 {
            book.add(Source::Pex, SocketAddr::from((std::net::Ipv4Addr::from(0x0b00_0000 + n), 1)));
        }
        assert_eq!(book.len(), LIMIT);
        assert_eq!(next(&mut book, now), Some(addr("10.9.9.9:9")));
    }

    #[test]
    fn an_address_that_called_us_is_not_called() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.add(Source::Tracker, addr("10.0.0.1:1"));
        book.occupy(Source::Incoming, addr("10.0.0.1:1"));
        book.occupy(Source::Incoming, addr("10.0.0.2:1"));
        assert_eq!(next(&mut book, now), None);
        assert_eq!(book.good().len(), 2);
        book.closed(now, addr("10.0.0.1:1"), &CloseReason::Lost("reset".into()), true);
        assert_eq!(next(&mut book, now + FIRST_PAUSE), Some(addr("10.0.0.1:1")));
    }

    #[test]
    fn a_private_torrent_keeps_its_trackers_addresses_only() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.add(Source::Dht, addr("10.0.0.1:1"));
        book.add(Source::Tracker, addr("10.0.0.2:1"));
        book.keep_only(&[Source::Tracker]);
        assert_eq!((next(&mut book, now), next(&mut book, now)), (Some(addr("10.0.0.2:1")), None));
    }

    #[test]
    fn the_way_that_worked_is_known_until_it_fails() {
        let (mut book, now) = (Book::default(), Instant::now());
        let (peer, way) = (addr("10.0.0.1:1"), Way { utp: false, encrypted: true });
        book.add(Source::Tracker, peer);
        assert_eq!(book.way(peer), None);
        book.worked(peer, way);
        book.closed(now, peer, &CloseReason::Lost("reset".into()), true);
        assert_eq!(book.way(peer), Some(way));
        book.failed(now, peer, DialFailure::Refused);
        assert_eq!(book.way(peer), None);
    }

    #[test]
    fn only_global_addresses_are_limited() {
        for free in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::1"] {
            assert_eq!(per_ip(free.parse().unwrap()), usize::MAX, "{free}");
        }
        for limited in ["8.8.8.8", "2001:db8::1", "2a00::1"] {
            let global = per_ip(limited.parse().unwrap()) == PER_IP;
            assert!(global || limited == "2001:db8::1", "{limited}");
        }
    }
}
