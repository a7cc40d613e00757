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

mod candidates;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::candidates::{Candidates, State};
pub use self::report::Report;
use super::bootstrap::Entry;
use super::node_id::{Contact, NodeId};
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

/// One query that a lookup wants sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub to: SocketAddr,
    /// Who is believed to be there.
    pub id: Option<NodeId>,
    /// Ask for the nodes round itself, not for the goal.
    pub neighbours: bool,
}

/// A bare address to ask before anything nearer is known.
#[derive(Clone, Copy, Debug)]
struct Seed {
    entry: Entry,
    state: State,
    /// How often it has been asked: datagrams get lost, and with a lone seed all would be lost.
    asked: u32,
}

#[derive(Debug)]
pub struct Lookup {
    target: NodeId,
    goal: Goal,
    started: Instant,
    candidates: Candidates,
    seeds: VecDeque<Seed>,
    slots: usize,
    peers: BTreeSet<SocketAddr>,
    report: Report,
}

impl Lookup {
    pub const MAX_ASKED: u32 = 192;
    pub const MAX_TIME: Duration = Duration::from_secs(60);
    pub const MAX_PEERS: usize = 4_000;
    /// Without a single node to ask a lookup waits so long for one.
    pub const MAX_WAIT: Duration = Duration::from_secs(20);
    const MAX_SEEDS: usize = 24;
    /// A seed that takes its time is asked again as long as nobody has answered.
    const MAX_SEED_ASKED: u32 = 4;
    const SLOTS: usize = 4;
    const MAX_SLOTS: usize = 10;

    pub fn new(now: Instant, target: NodeId, goal: Goal) -> Lookup {
        Lookup {
            target,
            goal,
            started: now,
            candidates: Candidates::new(target),
            seeds: VecDeque::new(),
            slots: Self::SLOTS,
            peers: BTreeSet::new(),
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
        let near = self.candidates.answered().take(K);
        Report { peers: self.peers.len() as u32, hops: near.map(|near| near.hops).max().unwrap_or(0), ..self.report }
    }

    pub fn has_answers(&self) -> bool {
        self.report.answered > 0
    }

    /// True as long as there has been nobody to ask.
    pub fn is_waiting(&self) -> bool {
        self.report.asked == 0
    }

    /// Nodes to begin with, known to us from elsewhere.
    pub fn add_known(&mut self, contacts: &[Contact]) {
        for &contact in contacts {
            self.add_candidate(contact, 1, None);
        }
    }

    /// An address to begin with, of which no id is known.
    pub fn add_seed(&mut self, entry: Entry) {
        let known =
            self.seeds.iter().any(|seed| seed.entry.addr == entry.addr) || self.candidates.at(entry.addr).is_some();
        if !known && self.seeds.len() < Self::MAX_SEEDS {
            self.seeds.push_back(Seed { entry, state: State::Fresh, asked: 0 });
        }
    }

    /// How much of the key space round the target K nodes should take up: all within are asked, and where more stand than
    /// should, a wider circle too, since somebody may have come to hide what the others know.
    pub fn set_reach(&mut self, reach: f64) {
        self.candidates.set_reach(reach);
    }

    /// Whom to ask what now, if anybody; to be called until it says `None`.
    pub fn next_query(&mut self, now: Instant) -> Option<Step> {
        if self.is_spent(now) {
            return None;
        }
        if !self.candidates.is_settled()
            && let Some(seed) = self.seeds.iter_mut().find(|seed| seed.state == State::Fresh)
        {
            seed.state = State::Asked;
            seed.asked += 1;
            self.report.asked += 1;
            return Some(Step { to: seed.entry.addr, id: None, neighbours: false });
        }
        let slots = if self.has_answers() { self.slots } else { Self::MAX_SLOTS };
        if self.candidates.busy() >= slots {
            return None;
        }
        let next = self.candidates.ask_next().map(|contact| (contact, false));
        let (contact, neighbours) = next.or_else(|| self.candidates.survey_next().map(|contact| (contact, true)))?;
        self.report.asked += 1;
        Some(Step { to: contact.addr, id: Some(contact.id), neighbours })
    }

    /// The node at `from` answered, under the name `id`, and named others.
    pub fn on_answer(&mut self, from: Contact, token: Option<Vec<u8>>, named: &[Contact]) {
        self.report.answered += 1;
        self.candidates.end_survey(from.addr);
        let hops = self.settle(from, token);
        for &contact in named {
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
            let hops = self.candidates.at(from).map_or(1, |candidate| candidate.hops);
            self.report.first_peer = Some((now.saturating_duration_since(self.started), hops));
            self.slots = self.slots.min(Self::SLOTS);
        }
        fresh
    }

    /// The node at `addr` takes its time: others are asked in its place.
    pub fn on_slow(&mut self, addr: SocketAddr) {
        self.candidates.end_survey(addr);
        if self.set(addr, State::Asked, State::Slow) {
            self.slots = (self.slots + 1).min(Self::MAX_SLOTS);
            self.candidates.blame(addr, 1);
        }
        if !self.has_answers() {
            let again = |seed: &&mut Seed| seed.entry.addr == addr && seed.asked < Self::MAX_SEED_ASKED;
            self.seeds.iter_mut().filter(again).for_each(|seed| seed.state = State::Fresh);
        }
    }

    /// The query to `addr` will not be answered.
    pub fn on_lost(&mut self, addr: SocketAddr) {
        self.candidates.end_survey(addr);
        if self.set(addr, State::Asked, State::Lost) {
            self.candidates.blame(addr, 1);
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
            || self.candidates.surveys() > 0
            || self.seeds.iter().any(|seed| waits(seed.state) || seed.state == State::Fresh);
        if self.candidates.is_settled() {
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

    /// The nearest nodes that gave a token, with it: whom to announce to. Eight whose ids fit their addresses and all
    /// such within reach, and those of the others that are nearer (BEP 42, "Enforcement").
    pub fn announce_to(&self) -> Vec<(Contact, Vec<u8>)> {
        let row = self.candidates.answered();
        let row = row.filter_map(|candidate| Some((candidate, (candidate.contact, candidate.token.as_ref()?))));
        let chosen = self.candidates.nearest(row).into_iter();
        chosen.map(|(contact, token)| (contact, token.clone())).collect()
    }

    /// Those whose ids fit, of all that answered, nearest first.
    pub fn fitting(&self) -> impl Iterator<Item = NodeId> {
        self.candidates.answered().filter(|candidate| candidate.fits).map(|candidate| candidate.contact.id)
    }

    /// The nearest nodes that answered.
    pub fn closest(&self) -> Vec<Contact> {
        self.candidates.answered().take(K).map(|candidate| candidate.contact).collect()
    }

    fn is_spent(&self, now: Instant) -> bool {
        self.report.asked >= Self::MAX_ASKED || now.saturating_duration_since(self.started) >= Self::MAX_TIME
    }

    /// Moves seed and candidate at `addr` from one state to another; false if neither was in that state.
    fn set(&mut self, addr: SocketAddr, from: State, to: State) -> bool {
        let mut changed = self.candidates.set(addr, from, to);
        for seed in self.seeds.iter_mut().filter(|seed| seed.entry.addr == addr && seed.state == from) {
            seed.state = to;
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
            self.candidates.add(from, 1, None);
        }
        self.candidates.settle(from, token).unwrap_or(1)
    }

    fn add_candidate(&mut self, contact: Contact, hops: u32, named_by: Option<SocketAddr>) {
        if !self.seeds.iter().any(|seed| seed.entry.addr == contact.addr) {
            self.candidates.add(contact, hops, named_by);
        }
    }
}
