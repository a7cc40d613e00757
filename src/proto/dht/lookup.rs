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
    /// How often it has been asked: datagrams get lost, and with a lone seed all would be lost.
    asked: u32,
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
    /// A seed that takes its time is asked again as long as nobody has answered.
    const MAX_SEED_ASKED: u32 = 4;
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
        let known = self.seeds.iter().any(|seed| seed.entry.addr == entry.addr)
            || self.candidates.iter().any(|candidate| candidate.contact.addr == entry.addr);
        if !known && self.seeds.len() < Self::MAX_SEEDS {
            self.seeds.push_back(Seed { entry, state: State::Fresh, asked: 0 });
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
            seed.asked += 1;
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
        if !self.has_answers() {
            let again = |seed: &&mut Seed| seed.entry.addr == addr && seed.asked < Self::MAX_SEED_ASKED;
            self.seeds.iter_mut().filter(again).for_each(|seed| seed.state = State::Fresh);
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
        let fits = contact.id.fits(contact.addr.ip());
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([0; 20]);
    const TARGET: NodeId = NodeId([0; 20]);

    fn lookup(now: Instant) -> Lookup {
        Lookup::new(now, TARGET, Goal::Peers { info_hash: HASH, announce: None })
    }

    /// A node `bits` bits near to the target, on a private address of its own.
    fn node(bits: u32, n: u16) -> Contact {
        let mut rng = StdRng::seed_from_u64(u64::from(bits) << 16 | u64::from(n));
        let [high, low] = n.to_be_bytes();
        Contact { id: TARGET.random_beside(bits, &mut rng), addr: SocketAddr::from(([10, bits as u8, high, low], 1)) }
    }

    fn global(ip: [u8; 4], id: NodeId) -> Contact {
        Contact { id, addr: SocketAddr::new(IpAddr::from(ip), 6881) }
    }

    fn asked(lookup: &mut Lookup, now: Instant) -> Vec<SocketAddr> {
        std::iter::from_fn(|| lookup.next_query(now)).map(|(addr, _)| addr).collect()
    }

    #[test]
    fn nodes_that_each_answer_name_come_nearer_until_the_eight_nearest_have_answered() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        lookup.add_known(&[node(0, 1)]);
        let mut steps = 0;
        while !lookup.is_done(now) {
            steps += 1;
            for addr in asked(&mut lookup, now) {
                // Who is `bits` near knows eight that are one bit nearer, up to 6 bits: there are 8 such nodes.
                let IpAddr::V4(ip) = addr.ip() else { panic!() };
                let [_, bits, _, n] = ip.octets();
                let named: Vec<Contact> = (0..8).map(|n| node((u32::from(bits) + 1).min(6), n)).collect();
                lookup.on_answer(node(bits.into(), n.into()), Some(vec![bits, n]), &named);
            }
        }
        assert_eq!(steps, 8, "one a bit, and the last eight in two turns of four");
        let nearest: Vec<Contact> = lookup.announce_to().into_iter().map(|(contact, _)| contact).collect();
        assert_eq!(nearest.len(), 8);
        assert!(nearest.iter().all(|contact| TARGET.common_bits(&contact.id) == 6));
        assert!(nearest.windows(2).all(|pair| TARGET.distance(&pair[0].id) < TARGET.distance(&pair[1].id)));
        assert_eq!(lookup.report().hops, 7);
    }

    #[test]
    fn a_nearer_node_is_asked_at_once_and_a_slow_one_gives_up_its_slot() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        lookup.add_known(&(0..16).map(|n| node(1, n)).collect::<Vec<_>>());
        let first = asked(&mut lookup, now);
        assert_eq!(first.len(), 8, "without any answer the whole window");
        lookup.on_answer(node(1, 0), None, &[]);
        assert!(asked(&mut lookup, now).is_empty(), "seven are still under way");
        let answering = first.iter().find(|&&addr| addr != node(1, 0).addr).unwrap();
        let from = (0..16).map(|n| node(1, n)).find(|contact| contact.addr == *answering).unwrap();
        let nearer: Vec<Contact> = (0..8).map(|n| node(9, n)).collect();
        lookup.on_answer(from, None, &nearer);
        let second = asked(&mut lookup, now);
        assert_eq!(second.len(), Lookup::SLOTS, "the old ones no longer hold slots");
        assert!(second.iter().all(|addr| nearer.iter().any(|contact| contact.addr == *addr)));
        lookup.on_slow(second[0]);
        assert_eq!(asked(&mut lookup, now).len(), 2, "its own slot and one more");
    }

    #[test]
    fn a_slow_node_that_answers_after_all_counts() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        let all: Vec<Contact> = (0..8).map(|n| node(5, n)).collect();
        lookup.add_known(&all);
        asked(&mut lookup, now);
        lookup.on_slow(all[0].addr);
        all[1..].iter().for_each(|&contact| lookup.on_answer(contact, None, &[]));
        assert!(!lookup.is_done(now), "seven answers are too few to do without the eighth");
        lookup.on_answer(all[0], Some(b"t".to_vec()), &[]);
        assert!(lookup.is_done(now));
        assert_eq!(lookup.announce_to(), [(all[0], b"t".to_vec())]);
    }

    #[test]
    fn it_ends_even_if_nodes_forever_claim_nearer_ones() {
        let mut now = Instant::now();
        let mut lookup = lookup(now);
        lookup.add_known(&[node(0, 0)]);
        let (mut next, mut total) = (1u16, 0);
        while !lookup.is_done(now) {
            now += Duration::from_millis(10);
            for addr in asked(&mut lookup, now) {
                total += 1;
                let from = Contact { id: node(0, 0).id, addr };
                let named: Vec<Contact> = (0..16).map(|n| node(u32::from(next / 2).min(150), next + n)).collect();
                next += 16;
                lookup.on_answer(from, None, &named);
            }
        }
        assert!(total <= Lookup::MAX_ASKED, "{total}");
        assert!(lookup.candidates.len() <= Lookup::MAX_CANDIDATES);
    }

    #[test]
    fn invented_nodes_that_never_answer_do_not_keep_it_from_the_real_ones() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        let real: Vec<Contact> = (0..8).map(|n| node(4, n)).collect();
        let liar = node(3, 99);
        lookup.add_known(&real);
        lookup.add_known(&[liar]);
        let mut wasted = 0;
        let mut waiting: VecDeque<SocketAddr> = VecDeque::new();
        while !lookup.is_done(now) {
            waiting.extend(asked(&mut lookup, now));
            let Some(addr) = waiting.pop_front() else { panic!("nothing under way and not done") };
            if let Some(&contact) = real.iter().find(|contact| contact.addr == addr) {
                lookup.on_answer(contact, Some(vec![1]), &[liar]);
            } else if addr == liar.addr {
                lookup.on_answer(liar, None, &(0..16).map(|n| node(30, n)).collect::<Vec<_>>());
            } else {
                wasted += 1;
                lookup.on_slow(addr);
                lookup.on_lost(addr);
            }
        }
        assert!(wasted <= 16, "{wasted}");
        assert_eq!(lookup.announce_to().len(), 8);
    }

    #[test]
    fn ids_that_do_not_fit_do_not_count_towards_the_end() {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(4);
        let mut lookup = lookup(now);
        // 30 hosts stand nearer than anybody can honestly; 8 honest ones are farther.
        let sybils: Vec<Contact> =
            (0..30).map(|n| global([60, n, 0, 1], TARGET.random_beside(100, &mut rng))).collect();
        let honest: Vec<Contact> =
            (0..8).map(|n| global([70, n, 0, 1], NodeId::for_address(IpAddr::from([70, n, 0, 1]), &mut rng))).collect();
        lookup.add_known(&sybils);
        lookup.add_known(&honest);
        while !lookup.is_done(now) {
            let addrs = asked(&mut lookup, now);
            assert!(!addrs.is_empty());
            for addr in addrs {
                let from = *sybils.iter().chain(&honest).find(|contact| contact.addr == addr).unwrap();
                lookup.on_answer(from, Some(vec![1]), &[]);
            }
        }
        let chosen = lookup.announce_to();
        assert!(honest.iter().all(|contact| chosen.iter().any(|(chosen, _)| chosen == contact)));
        assert!(chosen.len() <= 2 * K);
    }

    #[test]
    fn one_host_and_one_subnet_get_few_places() {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(4);
        let mut lookup = lookup(now);
        let crowd: Vec<Contact> = (0..100).map(|n| global([60, 1, 1, n], NodeId::random(&mut rng))).collect();
        lookup.add_known(&crowd);
        let ports: Vec<Contact> = (1..100)
            .map(|port| Contact { id: NodeId::random(&mut rng), addr: SocketAddr::from(([61, 1, 1, 1], port)) })
            .collect();
        lookup.add_known(&ports);
        assert_eq!(asked(&mut lookup, now).len(), Lookup::MAX_PER_SUBNET + 1);
    }

    #[test]
    fn peers_come_once_and_none_that_nobody_can_call() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        let from: SocketAddr = "60.1.1.1:1".parse().unwrap();
        let told: Vec<SocketAddr> =
            ["61.0.0.1:5", "61.0.0.1:5", "61.0.0.2:0", "0.0.0.0:5", "192.168.1.1:5", "224.0.0.1:5"]
                .map(|addr| addr.parse().unwrap())
                .to_vec();
        assert_eq!(lookup.on_peers(now, from, &told), told[..1]);
        assert_eq!(lookup.on_peers(now, from, &told), []);
        let private: SocketAddr = "192.168.1.7:1".parse().unwrap();
        assert_eq!(lookup.on_peers(now, private, &told), [told[4]], "from within a private net they are right");
    }

    #[test]
    fn seeds_are_asked_at_once_and_only_routers_are_never_announced_to() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        let (router, plain) = (node(2, 1), node(2, 2));
        lookup.add_seed(Entry { addr: router.addr, router: true });
        lookup.add_seed(Entry { addr: plain.addr, router: false });
        assert_eq!(asked(&mut lookup, now), [router.addr, plain.addr]);
        lookup.on_answer(router, Some(vec![1]), &[node(3, 3)]);
        lookup.on_answer(plain, Some(vec![2]), &[router]);
        assert_eq!(asked(&mut lookup, now), [node(3, 3).addr]);
        lookup.on_answer(node(3, 3), Some(vec![3]), &[]);
        assert!(lookup.is_done(now));
        assert_eq!(lookup.announce_to(), [(node(3, 3), vec![3]), (plain, vec![2])]);
    }

    #[test]
    fn a_lone_seed_is_asked_again_when_its_datagram_is_lost() {
        let now = Instant::now();
        let mut lookup = lookup(now);
        lookup.add_seed(Entry { addr: node(2, 1).addr, router: true });
        for _ in 0..Lookup::MAX_SEED_ASKED {
            assert_eq!(asked(&mut lookup, now), [node(2, 1).addr]);
            lookup.on_slow(node(2, 1).addr);
        }
        assert_eq!(asked(&mut lookup, now), []);
        lookup.on_lost(node(2, 1).addr);
        assert!(lookup.is_done(now));
    }

    #[test]
    fn without_anybody_to_ask_it_waits_and_then_ends() {
        let now = Instant::now();
        let lookup = lookup(now);
        assert!(!lookup.is_done(now));
        assert_eq!(lookup.deadline(), now + Lookup::MAX_WAIT);
        assert!(lookup.is_done(now + Lookup::MAX_WAIT));
    }
}
