//! The addresses known for a torrent: who told of them, when to call them (again), and whom never.
//!
//! An address is ready, waiting for its time, or in use by one connection or dial. Fresh addresses come before those
//! that failed, good sources before doubtful ones, so that dead peers never delay live ones; among equals the canonical
//! priority decides (BEP 40). Bounded: the least promising address gives way, and never to one of a worse source.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::blocklist::Blocklist;
use crate::base::compact::{canonical, is_global};
use crate::base::priority::canonical_priority;
use crate::proto::ext::PexFlags;
use crate::proto::session::message::CloseReason;
use crate::proto::tracker::udp::Family;
use crate::swarm::action::{DialFailure, PeerKey, Source, Way};
use crate::swarm::outside::Ours;

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
    /// Whom the user forbids.
    blocklist: Arc<Blocklist>,
    ours: Ours,
    /// Addresses of the other family are not taken up.
    only: Option<Family>,
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
    /// What peers say of it (BEP 11), and the last of them that said so and can bring us together (BEP 55).
    flags: PexFlags,
    relay: Option<PeerKey>,
    /// Of the connection between it and us; the higher, the better.
    priority: u32,
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
    priority: Reverse<u32>,
    serial: u64,
}

impl Book {
    /// An empty book for one address family alone or for both, that never takes in whom `blocklist` names.
    pub fn new(only: Option<Family>, blocklist: Arc<Blocklist>) -> Self {
        Book { only, blocklist, ..Book::default() }
    }

    /// Remembers an address. True if it is new and may be called.
    pub fn add(&mut self, source: Source, addr: SocketAddr) -> bool {
        let addr = canonical(addr);
        let switched_off = self.only.is_some_and(|only| only != Family::of(&addr));
        if switched_off || !dialable(addr) || self.is_banned(addr) {
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
        if self.entries.len() >= LIMIT && !self.make_room(standing(source)) {
            return false;
        }
        self.serial += 1;
        let entry = Entry {
            source,
            place: Place::InUse,
            failures: 0,
            worked: false,
            way: None,
            flags: PexFlags::default(),
            relay: None,
            priority: self.priority(addr),
            serial: self.serial,
        };
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

    /// An address is called although it is not its turn.
    pub fn begin(&mut self, source: Source, addr: SocketAddr) {
        self.add(source, addr);
        self.put(canonical(addr), Place::InUse);
    }

    /// A peer has told of the address, with these flags; `relay`: it can bring us together with it.
    pub fn vouch(&mut self, addr: SocketAddr, flags: PexFlags, relay: Option<PeerKey>) {
        if let Some(entry) = self.entries.get_mut(&canonical(addr)) {
            entry.flags = flags;
            entry.relay = relay.or(entry.relay);
        }
    }

    /// `relay` is not connected to the address (any more).
    pub fn unvouch(&mut self, addr: SocketAddr, relay: PeerKey) {
        if let Some(entry) = self.entries.get_mut(&canonical(addr)) {
            entry.relay.take_if(|known| *known == relay);
        }
    }

    /// What is said of an address, and who can bring us together with it.
    pub fn voucher(&self, addr: SocketAddr) -> Option<(PexFlags, PeerKey)> {
        self.entries.get(&canonical(addr)).and_then(|entry| Some((entry.flags, entry.relay?)))
    }

    /// True if peers say that a seed listens there.
    pub fn is_seed(&self, addr: SocketAddr) -> bool {
        self.entries.get(&canonical(addr)).is_some_and(|entry| entry.flags.has(PexFlags::SEED))
    }

    /// The world sees us at these addresses: canonical priorities follow from them.
    pub fn set_ours(&mut self, ours: Ours) {
        self.ours = ours;
        let addresses: Vec<SocketAddr> = self.entries.keys().copied().collect();
        for addr in addresses {
            let priority = self.priority(addr);
            let Some(entry) = self.entries.get_mut(&addr) else { continue };
            entry.priority = priority;
            let (place, rank) = (entry.place, entry.rank());
            if let Place::Ready(_) = place {
                self.put(addr, Place::Ready(rank));
            }
        }
    }

    /// The canonical priority of an address (BEP 40); 0 while it is not known where the world sees us.
    pub fn priority(&self, addr: SocketAddr) -> u32 {
        self.ours.facing(addr).map_or(0, |ours| canonical_priority(ours, addr))
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

    /// Never to be called or let in: it lied, or the user forbids it.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        let addr = canonical(addr);
        self.banned.contains(&addr) || self.banned_ips.contains(&addr.ip()) || self.blocklist.blocks(addr.ip())
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

    /// Forgets the least promising address that is not in use, did not come from the user and is no better than one of
    /// this `standing`.
    fn make_room(&mut self, newcomer: u8) -> bool {
        let idle = self.waiting.iter().rev().map(|(_, addr)| *addr);
        let worst = idle.chain(self.ready.iter().rev().map(|(_, addr)| *addr)).take(64).find(|addr| {
            let entry = &self.entries[addr];
            let better = entry.worked || standing(entry.source) < newcomer && entry.failures == 0;
            entry.source != Source::User && !better
        });
        worst.map(|addr| self.forget(addr)).is_some()
    }
}

impl Entry {
    fn rank(&self) -> Rank {
        Rank {
            failures: self.failures,
            source: standing(self.source),
            priority: Reverse(self.priority),
            serial: self.serial,
        }
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

/// True if something can listen there.
pub fn dialable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests;
