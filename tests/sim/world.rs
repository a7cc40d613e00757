//! The network and the time.
//!
//! Everything that happens is an entry of one queue, ordered by time and then by age. A connection carries bytes in
//! order: each client's uplink sends a chunk of one connection after another at its rate, a chunk takes the link's
//! delay, and one that is lost takes a retransmission's time more and holds up what is behind it, as TCP does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::limit::Limit;
use rtorrent_cli::proto::session::{CloseReason, Direction, Grant, QuotaWord};
use rtorrent_cli::swarm::action::{DialFailure, SpilledPiece};
use rtorrent_cli::swarm::limiter::{Allotment, ClientKey, Limiter};
use rtorrent_cli::swarm::{DiskJob, DiskOutcome, PeerKey, Source};

use crate::facts::Facts;
use crate::node::{Effect, Hello, Node, Setup};

/// Bytes of one connection that an uplink sends before it turns to the next.
const CHUNK: usize = 16 * 1024;
/// What a lost chunk costs.
const RETRANSMIT: Duration = Duration::from_millis(300);
/// A client asks the tracker again so often.
const ANNOUNCE: Duration = Duration::from_secs(60);
/// The tracker names so many addresses at a time.
const NUMWANT: usize = 50;

type NodeId = usize;
type ConnId = usize;

/// What links are like.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// One way, between these.
    pub delay: (Duration, Duration),
    /// Share of chunks that are lost.
    pub loss: f64,
}

impl Weather {
    pub fn fair() -> Weather {
        Weather { delay: (Duration::from_millis(5), Duration::from_millis(60)), loss: 0.0 }
    }

    pub fn foul() -> Weather {
        Weather { delay: (Duration::from_millis(20), Duration::from_millis(200)), loss: 0.02 }
    }
}

enum Event {
    DialArrives { conn: ConnId },
    DialAnswered { conn: ConnId },
    DialRefused { node: NodeId, key: PeerKey },
    Bytes { conn: ConnId, side: usize, bytes: Vec<u8> },
    Fin { conn: ConnId, side: usize },
    UplinkFree { node: NodeId },
    Disk { node: NodeId, life: u32, outcome: DiskOutcome },
    Timer { node: NodeId },
    Limiter { nth: usize },
    Announce { node: NodeId, life: u32 },
    TrackerAnswers { node: NodeId, life: u32 },
}

/// An event in its place; ordered by time, then by age.
struct Entry(Instant, u64, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

struct Conn {
    ends: [End; 2],
    delay: Duration,
    aborted: bool,
}

struct End {
    node: NodeId,
    /// The client's key for it, once it is up on this side.
    key: Option<PeerKey>,
    out: Vec<u8>,
    /// When the last byte sent from here arrives.
    arrives: Instant,
    /// Nothing more will be written here.
    closed: bool,
}

struct Place {
    alive: bool,
    /// Counts restarts: what was on its way to an earlier life is void.
    life: u32,
    timer: Option<Instant>,
    disk_free: Instant,
    conns: BTreeMap<PeerKey, (ConnId, usize)>,
    ready: VecDeque<(ConnId, usize)>,
    sending: bool,
}

pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub nodes: Vec<Node>,
    pub facts: Facts,
    pub weather: Weather,
    pub rng: StdRng,
    /// Sums up everything that happened, in order.
    trace: DefaultHasher,
    pub events: u64,
    /// Connections that ended because one side broke the protocol in the other's eyes.
    pub violations: Vec<&'static str>,
    seed: u64,
    queue: BinaryHeap<Reverse<Entry>>,
    age: u64,
    conns: Vec<Conn>,
    places: Vec<Place>,
    limiters: Vec<SharedLimit>,
}

/// A limit of one direction that some clients share, as the torrents of one run do.
struct SharedLimit {
    nodes: Vec<NodeId>,
    direction: Direction,
    limiter: Limiter,
    timer: Option<Instant>,
}

/// Says which seed it was, whatever made the run fail.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SEED {} failed at {:?} after {} events", self.seed, self.now - self.start, self.events);
            for node in &self.nodes {
                let s = node.torrent.snapshot();
                eprintln!(
                    "  {} {}/{} pieces, {} peers ({} unchoked us), {} staged, {} wasted, {} known, {:?}",
                    node.addr,
                    s.pieces_done,
                    s.pieces,
                    s.connected,
                    s.unchoked_us,
                    s.staged_bytes,
                    s.wasted,
                    s.known,
                    node.setup.habit
                );
            }
        }
    }
}

impl World {
    pub fn new(seed: u64, piece_length: u32, total: u64, weather: Weather) -> World {
        World::of(seed, Facts::new(seed, piece_length, total), weather)
    }

    /// A world about a torrent of one's own.
    pub fn of(seed: u64, facts: Facts, weather: Weather) -> World {
        let now = Instant::now();
        World {
            now,
            start: now,
            nodes: Vec::new(),
            facts,
            weather,
            rng: StdRng::seed_from_u64(seed),
            trace: DefaultHasher::new(),
            events: 0,
            violations: Vec::new(),
            seed,
            queue: BinaryHeap::new(),
            age: 0,
            conns: Vec::new(),
            places: Vec::new(),
            limiters: Vec::new(),
        }
    }

    /// Puts a limit on one direction of these clients together; changes it if they have one.
    pub fn limit(&mut self, nodes: &[NodeId], direction: Direction, limit: Limit) {
        let known = self.limiters.iter().position(|it| it.nodes == nodes && it.direction == direction);
        let nth = known.unwrap_or_else(|| {
            let limiter = Limiter::default();
            self.limiters.push(SharedLimit { nodes: nodes.to_vec(), direction, limiter, timer: None });
            self.limiters.len() - 1
        });
        self.limiters[nth].limiter.set_limit(self.now, limit);
        for &id in nodes {
            self.nodes[id].limit(self.now, direction, limit.holds());
            self.carry_out(id);
        }
        self.grant(nth);
    }

    fn on_quota(&mut self, id: NodeId, key: PeerKey, word: QuotaWord) {
        let (QuotaWord::Wish(direction, _) | QuotaWord::Adjust(direction, _)) = word;
        let nth = self.limiters.iter().position(|it| it.direction == direction && it.nodes.contains(&id));
        let Some(nth) = nth else { return };
        let client = ClientKey { group: id as u32, client: key.0 };
        match word {
            QuotaWord::Wish(_, bytes) => self.limiters[nth].limiter.ask(client, bytes),
            QuotaWord::Adjust(_, bytes) => self.limiters[nth].limiter.adjust(bytes),
        }
        // By an event of its own, as another task would do it.
        self.limiter_timer(nth, self.now);
    }

    fn grant(&mut self, nth: usize) {
        let direction = self.limiters[nth].direction;
        while let Some(Allotment { client, bytes, share }) = self.limiters[nth].limiter.poll_grant(self.now) {
            let id = client.group as usize;
            if !self.nodes[id].grant(self.now, PeerKey(client.client), Grant { direction, bytes, share }) {
                self.limiters[nth].limiter.adjust(bytes as i64);
            }
            self.carry_out(id);
        }
        if let Some(due) = self.limiters[nth].limiter.poll_timeout() {
            self.limiter_timer(nth, due);
        }
    }

    fn limiter_timer(&mut self, nth: usize, at: Instant) {
        if self.limiters[nth].timer.is_none_or(|timer| at < timer) {
            self.limiters[nth].timer = Some(at);
            self.push(at, Event::Limiter { nth });
        }
    }

    /// A client joins the swarm.
    pub fn add(&mut self, setup: Setup) -> NodeId {
        let id = self.nodes.len();
        let addr = SocketAddr::from(([10, 0, (id / 200) as u8, (id % 200) as u8 + 1], 6881));
        let seed = self.rng.random();
        self.nodes.push(Node::new(self.now, addr, &self.facts, setup, seed));
        self.places.push(Place {
            alive: true,
            life: 0,
            timer: None,
            disk_free: self.now,
            conns: BTreeMap::new(),
            ready: VecDeque::new(),
            sending: false,
        });
        self.announce(id);
        self.carry_out(id);
        id
    }

    /// The client dies without a word: power failure.
    pub fn kill(&mut self, id: NodeId) {
        let place = &mut self.places[id];
        place.alive = false;
        place.life += 1;
        place.ready.clear();
        place.sending = false;
        for (conn, side) in std::mem::take(&mut self.places[id].conns).into_values() {
            self.conns[conn].ends[side].out.clear();
            self.end(conn, side);
        }
    }

    /// A dead client comes back with what its disk has.
    pub fn revive(&mut self, id: NodeId, spilled: Vec<SpilledPiece>) {
        assert!(!self.places[id].alive);
        self.places[id].alive = true;
        self.places[id].disk_free = self.now;
        self.nodes[id].restart(self.now, spilled);
        self.announce(id);
        self.carry_out(id);
    }

    /// To be called after a client's torrent was spoken to directly.
    pub fn settle(&mut self, id: NodeId) {
        self.nodes[id].settle(self.now);
        self.carry_out(id);
    }

    /// Runs until `done`, at most for `limit` of virtual time.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) {
        let end = self.start + limit;
        while !done(self) {
            assert!(self.step(end), "not done within {limit:?}");
        }
    }

    /// Runs for `time` of virtual time.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Every living client is complete, byte for byte.
    pub fn all_complete(&self) -> bool {
        let mut living = (0..self.nodes.len()).filter(|&id| self.places[id].alive);
        let complete = living.clone().all(|id| self.is_complete(id));
        assert!(!complete || living.all(|id| self.nodes[id].disk.bytes == self.facts.bytes), "wrong bytes");
        complete
    }

    pub fn is_complete(&self, id: NodeId) -> bool {
        self.nodes[id].disk.verified.all()
    }

    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// One number for all that happened so far.
    pub fn fingerprint(&self) -> u64 {
        self.trace.finish()
    }

    /// The next event, if it is not after `end`.
    fn step(&mut self, end: Instant) -> bool {
        if self.queue.peek().is_none_or(|Reverse(next)| next.0 > end) {
            return false;
        }
        let Some(Reverse(Entry(at, _, event))) = self.queue.pop() else { return false };
        self.now = at;
        self.events += 1;
        (at - self.start).hash(&mut self.trace);
        self.happen(event);
        true
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::DialArrives { conn } => self.dial_arrives(conn),
            Event::DialAnswered { conn } => self.dial_answered(conn),
            Event::DialRefused { node, key } => {
                (1, node, key).hash(&mut self.trace);
                if self.places[node].alive {
                    self.nodes[node].torrent.on_dial_failed(now, key, DialFailure::Refused);
                    self.nodes[node].settle(now);
                    self.carry_out(node);
                }
            }
            Event::Bytes { conn, side, bytes } => {
                (2, conn, side, &bytes).hash(&mut self.trace);
                let End { node, key, closed, .. } = &self.conns[conn].ends[side];
                if let (node, Some(key), false) = (*node, *key, *closed) {
                    self.nodes[node].receive(now, key, &bytes);
                    self.carry_out(node);
                }
            }
            Event::Fin { conn, side } => {
                (3, conn, side).hash(&mut self.trace);
                let End { node, key, closed, .. } = &self.conns[conn].ends[side];
                if let (node, Some(key), false) = (*node, *key, *closed) {
                    self.nodes[node].lost(now, key);
                    self.carry_out(node);
                }
            }
            Event::UplinkFree { node } => self.send_chunk(node),
            Event::Disk { node, life, outcome } => {
                if self.places[node].alive && self.places[node].life == life {
                    self.nodes[node].torrent.on_disk(now, outcome);
                    self.nodes[node].settle(now);
                    self.carry_out(node);
                }
            }
            Event::Timer { node } => {
                if self.places[node].timer.is_some_and(|timer| timer <= now) {
                    self.places[node].timer = None;
                    if self.places[node].alive {
                        self.nodes[node].on_timeout(now);
                        self.carry_out(node);
                    }
                }
            }
            Event::Limiter { nth } => {
                if self.limiters[nth].timer.is_some_and(|timer| timer <= now) {
                    self.limiters[nth].timer = None;
                    self.grant(nth);
                }
            }
            Event::Announce { node, life } => {
                if self.places[node].alive && self.places[node].life == life {
                    self.announce(node);
                }
            }
            Event::TrackerAnswers { node, life } => self.tracker_answers(node, life),
        }
    }

    /// Does what a client wants, and sees to its timer.
    fn carry_out(&mut self, id: NodeId) {
        for effect in std::mem::take(&mut self.nodes[id].effects) {
            match effect {
                Effect::Dial { key, addr } => self.dial(id, key, addr),
                Effect::Abort { key } => {
                    if let Some((conn, _)) = self.places[id].conns.remove(&key) {
                        self.conns[conn].aborted = true;
                        self.end(conn, 0);
                    }
                }
                Effect::Send { key, bytes } => self.send(id, key, bytes),
                Effect::HangUp { key, reason } => {
                    if let CloseReason::Violation(what) = reason {
                        self.violations.push(what);
                    }
                    for it in self.limiters.iter_mut().filter(|it| it.nodes.contains(&id)) {
                        it.limiter.forget(ClientKey { group: id as u32, client: key.0 });
                    }
                    if let Some((conn, side)) = self.places[id].conns.remove(&key) {
                        self.end(conn, side);
                    }
                }
                Effect::Quota { key, word } => self.on_quota(id, key, word),
                Effect::Disk(job) => self.disk(id, job),
                Effect::WantPeers => self.announce(id),
                Effect::Complete => (4, id).hash(&mut self.trace),
            }
        }
        let due = self.nodes[id].due().map(|due| due.max(self.now));
        if let Some(due) = due.filter(|due| self.places[id].timer.is_none_or(|timer| *due < timer)) {
            self.places[id].timer = Some(due);
            self.push(due, Event::Timer { node: id });
        }
    }

    fn dial(&mut self, from: NodeId, key: PeerKey, addr: SocketAddr) {
        let (least, most) = self.weather.delay;
        let delay = self.rng.random_range(least..=most);
        let to = self.nodes.iter().position(|node| node.addr == addr).filter(|&to| self.places[to].alive);
        let Some(to) = to else {
            return self.push(self.now + 2 * delay, Event::DialRefused { node: from, key });
        };
        let end = |node, key| End { node, key, out: Vec::new(), arrives: self.now, closed: false };
        let conn = self.conns.len();
        // The caller's key counts from the answer on, but an abort has to find the connection before.
        self.conns.push(Conn { ends: [end(from, None), end(to, None)], delay, aborted: false });
        self.places[from].conns.insert(key, (conn, 0));
        self.conns[conn].ends[0].key = Some(key);
        // SYN, SYN ACK, handshake.
        self.push(self.now + 3 * delay, Event::DialArrives { conn });
    }

    fn dial_arrives(&mut self, conn: ConnId) {
        let now = self.now;
        let Conn { ends: [from, to], delay, aborted } = &self.conns[conn];
        let (from, to, delay, caller_gone) = (from.node, to.node, *delay, *aborted || from.closed);
        if caller_gone {
            return;
        }
        let hello = self.nodes[from].hello();
        // An incoming connection comes from a port of its own.
        let addr = SocketAddr::new(hello.addr.ip(), 40_000 + (conn % 20_000) as u16);
        let key = self.places[to].alive.then(|| self.nodes[to].torrent.accept(now, addr)).flatten();
        let Some(key) = key else {
            let caller = self.conns[conn].ends[0].key.expect("set by the dial");
            self.places[from].conns.remove(&caller);
            self.conns[conn].ends[0].closed = true;
            return self.push(now + delay, Event::DialRefused { node: from, key: caller });
        };
        self.conns[conn].ends[1].key = Some(key);
        self.conns[conn].ends[1].arrives = now + delay;
        self.places[to].conns.insert(key, (conn, 1));
        self.push(now + delay, Event::DialAnswered { conn });
        self.nodes[to].connect(now, key, true, &Hello { addr, ..hello });
        self.carry_out(to);
    }

    fn dial_answered(&mut self, conn: ConnId) {
        let End { node: from, key, closed, .. } = self.conns[conn].ends[0];
        if closed || self.conns[conn].aborted {
            return;
        }
        let hello = self.nodes[self.conns[conn].ends[1].node].hello();
        let key = key.expect("set by the dial");
        self.nodes[from].connect(self.now, key, false, &hello);
        self.carry_out(from);
    }

    fn send(&mut self, id: NodeId, key: PeerKey, bytes: Vec<u8>) {
        let Some(&(conn, side)) = self.places[id].conns.get(&key) else { return };
        let end = &mut self.conns[conn].ends[side];
        let was_empty = end.out.is_empty();
        end.out.extend_from_slice(&bytes);
        if was_empty {
            self.places[id].ready.push_back((conn, side));
        }
        if !std::mem::replace(&mut self.places[id].sending, true) {
            self.push(self.now, Event::UplinkFree { node: id });
        }
    }

    /// The uplink takes a chunk of the connection whose turn it is.
    fn send_chunk(&mut self, id: NodeId) {
        let now = self.now;
        let Some((conn, side)) = self.places[id].ready.pop_front() else {
            self.places[id].sending = false;
            return;
        };
        let lost = self.rng.random_bool(self.weather.loss);
        let Conn { ends, delay, .. } = &mut self.conns[conn];
        let end = &mut ends[side];
        let bytes: Vec<u8> = end.out.drain(..end.out.len().min(CHUNK)).collect();
        let more = !end.out.is_empty();
        let time = Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / self.nodes[id].setup.up);
        let sent = now + time;
        end.arrives = end.arrives.max(sent + *delay + if lost { RETRANSMIT } else { Duration::ZERO });
        let (arrives, key, closed) = (end.arrives, end.key, end.closed);
        let len = bytes.len();
        self.push(arrives, Event::Bytes { conn, side: 1 - side, bytes });
        if more {
            self.places[id].ready.push_back((conn, side));
        } else if closed {
            self.push(arrives, Event::Fin { conn, side: 1 - side });
        }
        self.push(sent, Event::UplinkFree { node: id });
        if let Some(key) = key.filter(|_| !closed) {
            self.nodes[id].carried(now, key, len);
            self.carry_out(id);
        }
    }

    /// One side has closed: the other learns of it behind what is on its way.
    fn end(&mut self, conn: ConnId, side: usize) {
        let Conn { ends, delay, .. } = &mut self.conns[conn];
        let end = &mut ends[side];
        if std::mem::replace(&mut end.closed, true) || !end.out.is_empty() {
            return;
        }
        let at = end.arrives.max(self.now + *delay);
        self.push(at, Event::Fin { conn, side: 1 - side });
    }

    fn disk(&mut self, id: NodeId, job: DiskJob) {
        let facts = self.facts.clone();
        let (outcome, took) = self.nodes[id].disk.work(&facts, job);
        let place = &mut self.places[id];
        place.disk_free = place.disk_free.max(self.now) + took;
        let (at, life) = (place.disk_free, place.life);
        self.push(at, Event::Disk { node: id, life, outcome });
    }

    fn announce(&mut self, id: NodeId) {
        let life = self.places[id].life;
        let latency = Duration::from_millis(self.rng.random_range(30..300));
        self.push(self.now + latency, Event::TrackerAnswers { node: id, life });
        self.push(self.now + ANNOUNCE, Event::Announce { node: id, life });
    }

    fn tracker_answers(&mut self, id: NodeId, life: u32) {
        if !self.places[id].alive || self.places[id].life != life {
            return;
        }
        let mut others: BTreeSet<NodeId> = (0..self.nodes.len()).filter(|&other| other != id).collect();
        let mut named = Vec::new();
        while named.len() < NUMWANT && !others.is_empty() {
            let at = self.rng.random_range(0..others.len());
            let other = *others.iter().nth(at).expect("below its length");
            others.remove(&other);
            named.push(self.nodes[other].addr);
        }
        self.nodes[id].torrent.on_addresses(self.now, Source::Tracker, &named);
        self.nodes[id].settle(self.now);
        self.carry_out(id);
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.age += 1;
        self.queue.push(Reverse(Entry(at, self.age, event)));
    }
}
