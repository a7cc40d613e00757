//! The peers that others may be told of (BEP 11), as one timeline for all of them: who came, who went.
//!
//! Each peer keeps only the number up to which it has been told, so that memory grows with the connections and not with
//! their square. Invariants: an address stands in it once; `REMEMBERED` departures are kept, for who has not heard of
//! them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::proto::ext::pex::MAX_SENT;
use crate::proto::ext::{PexFlags, PexMessage, PexPeer};

/// Departures that are remembered.
const REMEMBERED: usize = 400;
/// With fewer connections than this, peers that we let go ourselves are told of for a while (BEP 11, "Filling
/// underpopulated lists").
const FEW: usize = 25;
const LINGER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Timeline {
    latest: u64,
    notes: BTreeMap<u64, Note>,
    /// Where the note on an address stands.
    places: HashMap<SocketAddr, u64>,
    departures: VecDeque<u64>,
    /// Peers that are gone and are still told of, and until when.
    lingering: VecDeque<(Instant, SocketAddr)>,
}

#[derive(Clone, Copy, Debug)]
enum Note {
    Came(PexPeer),
    /// It had come at `since`: who has not been told that is not told this either.
    Went {
        addr: SocketAddr,
        since: u64,
    },
}

impl Timeline {
    /// A connection with `peer` stands. True if that is news.
    pub fn came(&mut self, peer: PexPeer) -> bool {
        self.lingering.retain(|(_, addr)| *addr != peer.addr);
        if let Some(Note::Came(known)) = self.places.get(&peer.addr).and_then(|at| self.notes.get_mut(at)) {
            known.flags = peer.flags;
            return false;
        }
        self.remove(peer.addr);
        self.note(peer.addr, Note::Came(peer));
        true
    }

    /// The connection with the peer at `addr` is over. `let_go`: by us, although it could be reached and is of use to
    /// others. True if that is news.
    pub fn went(&mut self, now: Instant, addr: SocketAddr, let_go: bool) -> bool {
        let Some(&since) = self.places.get(&addr) else { return false };
        let Some(Note::Came(_)) = self.notes.get(&since) else { return false };
        if let_go && self.places.len() - self.departures.len() < FEW {
            self.lingering.push_back((now + LINGER, addr));
            return false;
        }
        self.remove(addr);
        self.note(addr, Note::Went { addr, since });
        self.departures.push_back(self.latest);
        if self.departures.len() > REMEMBERED
            && let Some(oldest) = self.departures.pop_front()
            && let Some(Note::Went { addr, .. }) = self.notes.remove(&oldest)
        {
            self.places.remove(&addr);
        }
        true
    }

    /// Lets go of those that were told of although they are gone.
    pub fn on_time(&mut self, now: Instant) {
        while let Some(&(until, addr)) = self.lingering.front()
            && until <= now
        {
            self.lingering.pop_front();
            self.went(now, addr, false);
        }
    }

    /// When [`Timeline::on_time`] has something to do.
    pub fn next_due(&self) -> Option<Instant> {
        self.lingering.front().map(|(until, _)| *until)
    }

    /// True if something has happened since `told`.
    pub fn has_news(&self, told: u64) -> bool {
        self.notes.range(told + 1..).next().is_some()
    }

    /// What happened since `told`, as much as one message may say, about addresses that `fits`, and up to where that is.
    pub fn since(&self, told: u64, fits: impl Fn(SocketAddr) -> bool) -> (PexMessage, u64) {
        let (mut message, mut upto) = (PexMessage::default(), told);
        for (&at, note) in self.notes.range(told + 1..) {
            match *note {
                Note::Came(peer) if fits(peer.addr) => {
                    if message.added.len() == MAX_SENT {
                        return (message, upto);
                    }
                    message.added.push(peer);
                }
                Note::Went { addr, since } if since <= told && fits(addr) => {
                    if message.dropped.len() == MAX_SENT {
                        return (message, upto);
                    }
                    message.dropped.push(addr);
                }
                Note::Came(_) | Note::Went { .. } => {}
            }
            upto = at;
        }
        (message, upto)
    }

    fn note(&mut self, addr: SocketAddr, note: Note) {
        self.latest += 1;
        self.notes.insert(self.latest, note);
        self.places.insert(addr, self.latest);
    }

    fn remove(&mut self, addr: SocketAddr) {
        if let Some(at) = self.places.remove(&addr)
            && let Some(Note::Went { .. }) = self.notes.remove(&at)
        {
            self.departures.retain(|departure| *departure != at);
        }
    }
}

/// What is said of a peer: `encrypted`, `seed`, `utp`, `holepunch`, `reachable`.
pub fn flags(encrypted: bool, seed: bool, utp: bool, holepunch: bool, reachable: bool) -> PexFlags {
    PexFlags::default()
        .with(PexFlags::ENCRYPTION, encrypted)
        .with(PexFlags::SEED, seed)
        .with(PexFlags::UTP, utp)
        .with(PexFlags::HOLEPUNCH, holepunch)
        .with(PexFlags::REACHABLE, reachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> PexPeer {
        let addr = SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + n), 1));
        PexPeer { addr, flags: PexFlags::default() }
    }

    fn told(timeline: &Timeline, from: u64) -> (Vec<SocketAddr>, Vec<SocketAddr>, u64) {
        let (message, upto) = timeline.since(from, |_| true);
        (message.added.into_iter().map(|peer| peer.addr).collect(), message.dropped, upto)
    }

    #[test]
    fn each_reader_hears_what_happened_since_it_was_told() {
        let (mut timeline, now) = (Timeline::default(), Instant::now());
        (1..=3).for_each(|n| assert!(timeline.came(peer(n))));
        let (added, dropped, upto) = told(&timeline, 0);
        assert_eq!((added.len(), dropped.len()), (3, 0));
        assert!(!timeline.has_news(upto));
        timeline.went(now, peer(2).addr, false);
        timeline.came(peer(4));
        assert_eq!(told(&timeline, upto), (vec![peer(4).addr], vec![peer(2).addr], 5));
        assert_eq!(told(&timeline, 0).0.len(), 3, "who comes later hears only of those that are there");
        assert!(told(&timeline, 0).1.is_empty());
    }

    #[test]
    fn what_came_and_went_between_two_messages_is_not_told() {
        let (mut timeline, now) = (Timeline::default(), Instant::now());
        timeline.came(peer(1));
        let upto = told(&timeline, 0).2;
        timeline.came(peer(2));
        timeline.went(now, peer(2).addr, false);
        let (added, dropped, _) = told(&timeline, upto);
        assert!(added.is_empty() && dropped.is_empty());
        // Gone and back again: one word, and never both.
        timeline.went(now, peer(1).addr, false);
        timeline.came(peer(1));
        assert_eq!(told(&timeline, upto).1, []);
    }

    #[test]
    fn fifty_at_a_time_and_nothing_is_lost() {
        let (mut timeline, now) = (Timeline::default(), Instant::now());
        (1..=120).for_each(|n| _ = timeline.came(peer(n)));
        let (mut upto, mut heard) = (0, 0);
        while timeline.has_news(upto) {
            let (added, _, next) = told(&timeline, upto);
            assert!(added.len() <= 50 && next > upto);
            (heard, upto) = (heard + added.len(), next);
        }
        assert_eq!(heard, 120);
        (1..=120).for_each(|n| _ = timeline.went(now, peer(n).addr, false));
        let (_, dropped, next) = told(&timeline, upto);
        assert_eq!((dropped.len(), told(&timeline, next).1.len()), (50, 50));
    }

    #[test]
    fn who_is_let_go_from_a_small_swarm_is_told_of_for_a_minute() {
        let (mut timeline, now) = (Timeline::default(), Instant::now());
        timeline.came(peer(1));
        assert!(!timeline.went(now, peer(1).addr, true));
        let (added, _, upto) = told(&timeline, 0);
        assert_eq!(added, [peer(1).addr]);
        timeline.on_time(now + LINGER);
        assert_eq!(told(&timeline, upto).1, [peer(1).addr]);
        assert_eq!(timeline.next_due(), None);
    }

    #[test]
    fn memory_is_bounded_however_many_come_and_go() {
        let (mut timeline, now) = (Timeline::default(), Instant::now());
        for n in 0..10_000 {
            timeline.came(peer(n));
            timeline.went(now, peer(n).addr, n % 2 == 0);
            timeline.on_time(now + LINGER);
        }
        assert!(timeline.notes.len() <= REMEMBERED + FEW && timeline.places.len() == timeline.notes.len());
    }
}
