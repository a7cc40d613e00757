//! One iterative lookup: ever nearer to a target, until the nearest nodes have answered (BEP 5).
//!
//! The lookup owns its candidates and decides whom to ask next; the node sends and reports back. What it is built on:
//! - The *window* is the [`K`] nearest candidates that may still answer. Only queries within it hold one of α slots, so
//!   that a nearer node is asked the moment we hear of it, whatever else is under way.
//! - A slow node loses its slot and its place in the window, and gets both back if it answers after all. A lost one
//!   widens α: among dead nodes more are asked side by side.
//! - Nodes whose id does not fit their address (BEP 42) are asked too, but don't count towards the eight that end the
//!   lookup. Who names nodes that never answer is not believed for long. And it ends: after
//!   [`Lookup::MAX_ASKED`] queries or [`Lookup::MAX_TIME`], whatever anybody claims.
//! - Addresses without an id are *seeds*: asked at once, and candidates like others once they answer, except routers.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::bootstrap::Entry;
use super::node_id::{Contact, Distance, NodeId, Subnet, same_host};
use super::table::K;
use crate::base::compact::is_global;
use crate::base::id::InfoHashV1;

/// What the lookup is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// To meet nodes near the target.
    Nodes,
    /// To find a torrent's peers.
    Peers {
        info_hash: InfoHashV1,
        /// Afterwards tell the nearest nodes that we are a peer.
        announce: Option<Announce>,
    },
}

/// What is announced (BEP 5, `announce_peer`; BEP 33).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Our listen port.
    pub port: u16,
    pub seed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Asked,
    Slow,
    Answered,
    Lost,
}

#[derive(Clone, Debug)]
struct Candidate {
    contact: Contact,
    distance: Distance,
    state: State,
    /// Counts towards the end of the lookup (BEP 42).
    fits: bool,
    token: Option<Vec<u8>>,
    /// Answers between us and it, it included once it answers.
    hops: u32,
    /// The address of who named it, to know whose word it is.
    named_by: Option<SocketAddr>,
}

/// A bare address to ask before anything nearer is known.
#[derive(Clone, Copy, Debug)]
struct Seed {
    entry: Entry,
    state: State,
}

/// How a lookup went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub asked: u32,
    pub answered: u32,
    /// Different peers.
    pub peers: u32,
    /// The most answers that came one after another on the way to the nearest node.
    pub hops: u32,
    /// From the start to the first peer, and how many answers that took one after another.
    pub first_peer: Option<(Duration, u32)>,
}

impl Report {
    /// Joins the other family's part of the same lookup.
    pub fn add(&mut self, other: &Report) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.peers += other.peers;
        self.hops = self.hops.max(other.hops);
        self.first_peer = match (self.first_peer, other.first_peer) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

#[derive(Debug)]
pub struct Lookup {
    target: NodeId,
    goal: Goal,
    started: Instant,
    /// Nearest first; at most [`Lookup::MAX_CANDIDATES`].
    candidates: Vec<Candidate>,
    seeds: VecDeque<Seed>,
    slots: usize,
    peers: BTreeSet<SocketAddr>,
    /// Who has named nodes that did not answer, with how many more did not than did.
    debts: Vec<(SocketAddr, i32)>,
    report: Report,
}

impl Lookup {
    pub const MAX_ASKED: u32 = 192;
    pub const MAX_TIME: Duration = Duration::from_secs(60);
    pub const MAX_PEERS: usize = 4_000;
    /// Without a single node to ask a lookup waits so long for one.
    pub const MAX_WAIT: Duration = Duration::from_secs(20);
    const MAX_CANDIDATES: usize = 96;
    const MAX_SEEDS: usize = 24;
    /// Taken from one answer.
    const MAX_NAMED: usize = 16;
    const SLOTS: usize = 4;
    const MAX_SLOTS: usize = 10;
    const MAX_PER_SUBNET: usize = 2;
    /// So many nodes that did not answer make who named them unbelievable.
    const MAX_DEBT: i32 = 4;

    pub fn new(now: Instant, target: NodeId, goal: Goal) -> Lookup {
        Lookup {
            target,
            goal,
            started: now,
            candidates: Vec::new(),
            seeds: VecDeque::new(),
            slots: Self::SLOTS,
            peers: BTreeSet::new(),
            debts: Vec::new(),
            report: Report::default(),
        }
    }

    pub fn target(&self) -> NodeId {
        self.target
    }

    pub fn goal(&self) -> Goal {
        self.goal
    }

    pub fn report(&self) -> Report {
        let near = self.candidates.iter().filter(|candidate| candidate.state == State::Answered).take(K);
        Report { peers: self.peers.len() as u32, hops: near.map(|near| near.hops).max().unwrap_or(0), ..self.report }
    }

    pub fn has_answers(&self) -> bool {
        self.report.answered > 0
    }

    /// More patience than the round trips suggest is no use once peers are there.
    pub fn in_a_hurry(&self) -> bool {
        self.peers.is_empty() && matches!(self.goal, Goal::Peers { .. })
    }

    /// Nodes to begin with, known to us from elsewhere.
    pub fn add_known(&mut self, contacts: &[Contact]) {
        for &contact in contacts {
            self.add_candidate(contact, 1, None);
        }
    }

    /// An address to begin with, of which no id is known.
    pub fn add_seed(&mut self, entry: Entry) {
        let known = self.seeds.iter().any(|seed| seed.entry.addr == entry.addr)
            || self.candidates.iter().any(|candidate| candidate.contact.addr == entry.addr);
        if !known && self.seeds.len() < Self::MAX_SEEDS {
            self.seeds.push_back(Seed { entry, state: State::Fresh });
        }
    }

    /// Whom to ask now, if anybody; to be called until it says `None`.
    pub fn next_query(&mut self, now: Instant) -> Option<(SocketAddr, Option<NodeId>)> {
        if self.is_spent(now) {
            return None;
        }
        if !self.is_settled()
            && let Some(seed) = self.seeds.iter_mut().find(|seed| seed.state == State::Fresh)
        {
            seed.state = State::Asked;
            self.report.asked += 1;
            return Some((seed.entry.addr, None));
        }
        let window = self.window();
        let busy = window.iter().filter(|&&at| self.candidates[at].state == State::Asked).count();
        let slots = if self.has_answers() { self.slots } else { Self::MAX_SLOTS };
        if busy >= slots {
            return None;
        }
        let at = window.into_iter().find(|&at| self.candidates[at].state == State::Fresh)?;
        self.candidates[at].state = State::Asked;
        self.report.asked += 1;
        let contact = self.candidates[at].contact;
        Some((contact.addr, Some(contact.id)))
    }

    /// The node at `from` answered, under the name `id`, and named others.
    pub fn on_answer(&mut self, from: Contact, token: Option<Vec<u8>>, named: &[Contact]) {
        self.report.answered += 1;
        let hops = self.settle(from, token);
        for &contact in named.iter().take(Self::MAX_NAMED) {
            if is_global(from.addr.ip()) && !is_global(contact.addr.ip()) {
                continue;
            }
            self.add_candidate(contact, hops + 1, Some(from.addr));
        }
    }

    /// Peers that the node at `from` told of; those that are new.
    pub fn on_peers(&mut self, now: Instant, from: SocketAddr, peers: &[SocketAddr]) -> Vec<SocketAddr> {
        let usable = |peer: &&SocketAddr| {
            let ip = peer.ip();
            let nowhere = ip.is_unspecified() || ip.is_multicast() || peer.port() == 0;
            !nowhere && (is_global(ip) || !is_global(from.ip()))
        };
        let mut fresh = Vec::new();
        for &peer in peers.iter().filter(usable) {
            if self.peers.len() < Self::MAX_PEERS && self.peers.insert(peer) {
                fresh.push(peer);
            }
        }
        if self.report.first_peer.is_none() && !fresh.is_empty() {
            let hops = self.candidates.iter().find(|candidate| candidate.contact.addr == from);
            let hops = hops.map_or(1, |candidate| candidate.hops);
            self.report.first_peer = Some((now.saturating_duration_since(self.started), hops));
            self.slots = self.slots.min(Self::SLOTS);
        }
        fresh
    }

    /// The node at `addr` takes its time: others are asked in its place.
    pub fn on_slow(&mut self, addr: SocketAddr) {
        if self.set(addr, State::Asked, State::Slow) {
            self.slots = (self.slots + 1).min(Self::MAX_SLOTS);
            self.blame(addr, 1);
        }
    }

    /// The query to `addr` will not be answered.
    pub fn on_lost(&mut self, addr: SocketAddr) {
        if self.set(addr, State::Asked, State::Lost) {
            self.blame(addr, 1);
        }
        self.set(addr, State::Slow, State::Lost);
    }

    /// True once nothing more will come of it.
    pub fn is_done(&self, now: Instant) -> bool {
        if self.is_spent(now) {
            return true;
        }
        let waits = |state: State| matches!(state, State::Asked | State::Slow);
        let in_flight = self.candidates.iter().any(|candidate| waits(candidate.state))
            || self.seeds.iter().any(|seed| waits(seed.state) || seed.state == State::Fresh);
        if self.is_settled() {
            return true;
        }
        if in_flight || self.candidates.iter().any(|candidate| candidate.state == State::Fresh) {
            return false;
        }
        self.has_answers() || self.report.asked > 0 || now.saturating_duration_since(self.started) >= Self::MAX_WAIT
    }

    /// When it must end, if nothing ends it before.
    pub fn deadline(&self) -> Instant {
        let time = if self.report.asked == 0 { Self::MAX_WAIT } else { Self::MAX_TIME };
        self.started + time
    }

    /// The nearest nodes that gave a token, with it: whom to announce to. Eight whose ids fit their addresses, and
    /// such of the others as are nearer (BEP 42, "Enforcement").
    pub fn announce_to(&self) -> Vec<(Contact, Vec<u8>)> {
        let (mut fitting, mut others) = (0, 0);
        let mut chosen = Vec::new();
        for candidate in self.candidates.iter().filter(|candidate| candidate.state == State::Answered) {
            let Some(token) = &candidate.token else { continue };
            let count = if candidate.fits { &mut fitting } else { &mut others };
            if *count < K {
                *count += 1;
                chosen.push((candidate.contact, token.clone()));
            }
            if fitting >= K {
                break;
            }
        }
        chosen
    }

    /// The nearest nodes that answered.
    pub fn closest(&self) -> Vec<Contact> {
        let answered = self.candidates.iter().filter(|candidate| candidate.state == State::Answered);
        answered.take(K).map(|candidate| candidate.contact).collect()
    }

    /// The K nearest whose nodes have all answered, none of them still to be asked.
    fn is_settled(&self) -> bool {
        let window = self.window();
        let counted = window.iter().filter(|&&at| self.candidates[at].fits).count();
        counted >= K && window.iter().all(|&at| self.candidates[at].state == State::Answered)
    }

    fn is_spent(&self, now: Instant) -> bool {
        self.report.asked >= Self::MAX_ASKED || now.saturating_duration_since(self.started) >= Self::MAX_TIME
    }

    /// The nearest candidates that may still answer or have: K whose ids fit, and at most K of the others between them.
    /// What unbelievable nodes named is left out as long as there is anything else to ask.
    fn window(&self) -> Vec<usize> {
        let believed = self.window_of(|candidate| !self.is_doubted(candidate));
        let open = believed.iter().any(|&at| matches!(self.candidates[at].state, State::Fresh | State::Asked));
        let enough = believed.iter().filter(|&&at| self.candidates[at].fits).count() >= K;
        if open || enough || self.debts.is_empty() { believed } else { self.window_of(|_| true) }
    }

    fn window_of(&self, counts: impl Fn(&Candidate) -> bool) -> Vec<usize> {
        let (mut fitting, mut others) = (0, 0);
        let mut window = Vec::with_capacity(2 * K);
        for (at, candidate) in self.candidates.iter().enumerate() {
            if matches!(candidate.state, State::Slow | State::Lost) || !counts(candidate) {
                continue;
            }
            let count = if candidate.fits { &mut fitting } else { &mut others };
            if *count < K {
                *count += 1;
                window.push(at);
            }
            if fitting >= K {
                break;
            }
        }
        window
    }

    fn is_doubted(&self, candidate: &Candidate) -> bool {
        let debt = |by| self.debts.iter().find(|(who, _)| *who == by).map_or(0, |&(_, debt)| debt);
        candidate.state == State::Fresh && candidate.named_by.is_some_and(|by| debt(by) >= Self::MAX_DEBT)
    }

    /// Charges (or with a negative sum clears) whoever named the node at `addr`.
    fn blame(&mut self, addr: SocketAddr, sum: i32) {
        let named_by = self.candidates.iter().find(|candidate| candidate.contact.addr == addr);
        let Some(by) = named_by.and_then(|candidate| candidate.named_by) else { return };
        match self.debts.iter_mut().find(|(who, _)| *who == by) {
            Some((_, debt)) => *debt += sum,
            None => self.debts.push((by, sum)),
        }
    }

    fn set(&mut self, addr: SocketAddr, from: State, to: State) -> bool {
        let seeds = self.seeds.iter_mut().filter(|seed| seed.entry.addr == addr).map(|seed| &mut seed.state);
        let candidates = self.candidates.iter_mut().filter(|candidate| candidate.contact.addr == addr);
        let states = seeds.chain(candidates.map(|candidate| &mut candidate.state));
        let mut changed = false;
        for state in states.filter(|state| **state == from) {
            *state = to;
            changed = true;
        }
        changed
    }

    /// Notes an answer; how many hops away its sender is.
    fn settle(&mut self, from: Contact, token: Option<Vec<u8>>) -> u32 {
        let seed = self.seeds.iter().position(|seed| seed.entry.addr == from.addr);
        if let Some(seed) = seed.and_then(|at| self.seeds.remove(at)) {
            if seed.entry.router {
                self.seeds.push_back(Seed { state: State::Answered, ..seed });
                return 1;
            }
            self.add_candidate(from, 1, None);
        }
        let Some(at) = self.candidates.iter().position(|candidate| candidate.contact.addr == from.addr) else {
            return 1;
        };
        self.blame(from.addr, if self.candidates[at].state == State::Slow { -2 } else { -1 });
        let mut candidate = self.candidates.remove(at);
        candidate.state = State::Answered;
        candidate.token = token;
        if candidate.contact.id != from.id {
            // It goes by another name than we were told: its place is where its own id puts it.
            candidate.contact = from;
            candidate.distance = self.target.distance(&from.id);
            candidate.fits = from.id.fits(from.addr.ip());
        }
        let hops = candidate.hops;
        let place = self.candidates.partition_point(|other| other.distance < candidate.distance);
        self.candidates.insert(place, candidate);
        hops
    }

    fn add_candidate(&mut self, contact: Contact, hops: u32, named_by: Option<SocketAddr>) {
        let ip = contact.addr.ip();
        if ip.is_unspecified() || ip.is_multicast() || contact.addr.port() == 0 {
            return;
        }
        let distance = self.target.distance(&contact.id);
        let place = self.candidates.partition_point(|other| other.distance < distance);
        if place >= Self::MAX_CANDIDATES {
            return;
        }
        let net = Subnet::of(contact.addr);
        let mut neighbours = 0;
        for other in &mut self.candidates {
            if same_host(other.contact.addr, contact.addr) || other.contact.id == contact.id {
                if other.contact == contact && other.named_by != named_by && other.state == State::Fresh {
                    other.named_by = None; // two name it: no single one's word
                }
                return;
            }
            if other.state != State::Lost && Subnet::of(other.contact.addr) == net {
                neighbours += 1;
            }
        }
        if neighbours >= Self::MAX_PER_SUBNET || self.seeds.iter().any(|seed| seed.entry.addr == contact.addr) {
            return;
        }
        let fits = contact.id.fits(ip);
        let candidate = Candidate { contact, distance, state: State::Fresh, fits, token: None, hops, named_by };
        self.candidates.insert(place, candidate);
        self.trim();
    }

    /// Forgets the farthest when there are too many; of those whose ids don't fit, no more than half are kept, so that
    /// they can't crowd out the others.
    fn trim(&mut self) {
        let misfits = self.candidates.iter().filter(|candidate| !candidate.fits).count();
        let surplus = |candidate: &Candidate| misfits > Self::MAX_CANDIDATES / 2 && !candidate.fits;
        let full = self.candidates.len() > Self::MAX_CANDIDATES;
        let idle = |candidate: &Candidate| matches!(candidate.state, State::Fresh | State::Lost);
        let gone = self.candidates.iter().rposition(|candidate| idle(candidate) && (full || surplus(candidate)));
        if let Some(at) = gone.filter(|_| full || misfits > Self::MAX_CANDIDATES / 2) {
            self.candidates.remove(at);
        }
    }
}
