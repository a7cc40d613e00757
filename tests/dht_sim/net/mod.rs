//! A network of the program's own DHT nodes on a virtual clock.
//!
//! Everything follows from one seed: who is where, who is dead or behind a NAT, every delay and every lost datagram.
//! Large networks are *steady*: a node's table is made, when the first datagram reaches it, from what such a node would
//! know after a long life (dead and unreachable ones included). Small ones can be *grown*: everybody starts with nothing
//! but a router's address.

mod attackers;
mod hosts;
pub mod queue;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::dht::bootstrap::Entry;
use rtorrent_cli::proto::dht::lookup::{Announce, Report};
use rtorrent_cli::proto::dht::node::{DhtEvent, Family, Node};
use rtorrent_cli::proto::dht::node_id::{Contact, NodeId};
use rtorrent_cli::proto::dht::transactions::LookupId;

use self::queue::{Due, What};

/// How the network is made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub seed: u64,
    pub nodes: usize,
    /// Shares of all nodes that are gone but still in tables, and that only those reach whom they have called.
    pub dead: f64,
    pub nat: f64,
    /// Share of the nodes whose ids fit their addresses (BEP 42).
    pub fitting: f64,
    /// Share of datagrams that are lost.
    pub loss: f64,
    /// Everybody has a private address: no limit and no check by address holds.
    pub private: bool,
    pub family: Family,
}

impl Shape {
    /// The network that the goals are set for.
    pub fn of(nodes: usize, seed: u64) -> Shape {
        Shape { seed, nodes, dead: 0.1, nat: 0.3, fitting: 0.7, loss: 0.01, private: false, family: Family::V4 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Alive,
    Dead,
    Nat,
    /// Answers everything, names only its own kind, gives away no peers.
    Sybil,
}

struct Host {
    contact: Contact,
    kind: Kind,
    node: Option<Box<Node>>,
    /// Place on a circle, and delay of the own line: what round trips are made of.
    place: f64,
    line: Duration,
    called: HashMap<SocketAddr, Instant>,
    wake: Option<Instant>,
}

/// How a lookup went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub peers: Vec<SocketAddr>,
    pub report: Report,
    /// Queries that the node sent meanwhile, for whatever purpose.
    pub queries: u64,
    pub announced: Option<u32>,
}

pub struct Net {
    pub now: Instant,
    rng: StdRng,
    shape: Shape,
    hosts: Vec<Host>,
    at: HashMap<SocketAddr, usize>,
    /// Hosts that tables may name, sorted by id.
    by_id: Vec<(NodeId, usize)>,
    sybils: Vec<Contact>,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    events: Vec<(usize, DhtEvent)>,
    /// Datagrams of all hosts, and their bytes.
    pub datagrams: u64,
    pub bytes: u64,
    used_nets: HashSet<[u8; 3]>,
}

impl Net {
    /// A NAT forgets whom a host has called after this.
    const NAT_MEMORY: Duration = Duration::from_secs(60);

    fn empty(shape: Shape) -> Net {
        Net {
            now: Instant::now(),
            rng: StdRng::seed_from_u64(shape.seed),
            shape,
            hosts: Vec::new(),
            at: HashMap::new(),
            by_id: Vec::new(),
            sybils: Vec::new(),
            queue: BinaryHeap::new(),
            order: 0,
            events: Vec::new(),
            datagrams: 0,
            bytes: 0,
            used_nets: HashSet::new(),
        }
    }

    /// An address that nobody has, in a subnet of its own.
    pub fn free_address(&mut self) -> SocketAddr {
        self.draw_address()
    }

    pub fn random_id(&mut self) -> NodeId {
        NodeId::random(&mut self.rng)
    }

    pub fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    pub fn random_alive(&mut self) -> SocketAddr {
        loop {
            let at = self.rng.random_range(0..self.hosts.len().min(self.shape.nodes));
            if self.hosts[at].kind == Kind::Alive {
                return self.hosts[at].contact.addr;
            }
        }
    }

    pub fn bootstrap(&mut self, host: usize, addr: SocketAddr) {
        let now = self.now;
        self.with_node(host, |node| node.add_bootstrap(now, Entry { addr, router: false }));
    }

    pub fn kill(&mut self, host: usize) {
        self.hosts[host].kind = Kind::Dead;
        self.hosts[host].node = None;
    }

    /// Hosts that live and can be reached.
    pub fn alive(&self) -> Vec<usize> {
        (0..self.hosts.len()).filter(|&host| self.hosts[host].kind == Kind::Alive).collect()
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.hosts.iter().filter(|host| host.kind == kind).count()
    }

    pub fn addr(&self, host: usize) -> SocketAddr {
        self.hosts[host].contact.addr
    }

    pub fn node(&self, host: usize) -> &Node {
        self.hosts[host].node.as_ref().expect("the host has a node")
    }

    /// A new host joins with the help of a living one.
    pub fn join(&mut self) -> usize {
        let router = self.random_alive();
        let host = self.add_host(Kind::Alive);
        self.start_fresh(host);
        self.bootstrap(host, router);
        host
    }

    /// Looks for peers (and announces) until all of it is over.
    pub fn lookup(&mut self, host: usize, info_hash: InfoHashV1, announce: Option<u16>) -> Outcome {
        let now = self.now;
        let before = self.node(host).status().queries;
        let announce = announce.map(|port| Announce { port, seed: false });
        let mut id = LookupId(0);
        self.with_node(host, |node| id = node.get_peers(now, info_hash, announce));
        let mut outcome = Outcome::default();
        let end = now + Duration::from_secs(120);
        let mut over = false;
        while !over && self.now < end {
            self.step();
            for (at, event) in std::mem::take(&mut self.events) {
                match event {
                    DhtEvent::Peers { lookup, peers } if at == host && lookup == id => outcome.peers.extend(peers),
                    DhtEvent::Finished { lookup, report, announces } if at == host && lookup == id => {
                        outcome.report = report;
                        over = !announces;
                    }
                    DhtEvent::Announced { lookup, nodes } if at == host && lookup == id => {
                        outcome.announced = Some(nodes);
                        over = true;
                    }
                    _ => {}
                }
            }
        }
        outcome.queries = self.node(host).status().queries - before;
        outcome
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= end) {
            self.step();
        }
        self.now = end;
        self.events.clear();
    }

    /// The next thing that happens.
    fn step(&mut self) {
        let Some(Reverse(Due { at, host, what, .. })) = self.queue.pop() else {
            self.now += Duration::from_secs(1);
            return;
        };
        self.now = at;
        match what {
            What::Packet { from, bytes } => self.deliver(host, from, &bytes),
            What::Wake => {
                if self.hosts[host].wake != Some(at) {
                    return;
                }
                self.hosts[host].wake = None;
                self.with_node(host, |node| node.handle_timeout(at));
            }
        }
    }

    fn deliver(&mut self, host: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        match self.hosts[host].kind {
            Kind::Dead => return,
            Kind::Sybil => return self.answer_as_sybil(host, from, bytes),
            Kind::Nat => {
                let called = self.hosts[host].called.get(&from);
                if called.is_none_or(|&at| now - at > Self::NAT_MEMORY) {
                    return;
                }
            }
            Kind::Alive => {}
        }
        if self.hosts[host].node.is_none() {
            let table = self.steady_table(self.hosts[host].contact.id);
            let rng = StdRng::from_rng(&mut self.rng);
            self.hosts[host].node = Some(Box::new(Node::with_table(now, self.shape.family, table, rng)));
        }
        self.with_node(host, |node| node.handle_packet(now, from, bytes, None));
    }

    /// Lets the host's node do something, then sends what it has to send and notes when it wants to be woken.
    fn with_node(&mut self, host: usize, act: impl FnOnce(&mut Node)) {
        let Some(mut node) = self.hosts[host].node.take() else { return };
        act(&mut node);
        while let Some((to, bytes)) = node.poll_transmit() {
            self.send(host, to, bytes);
        }
        while let Some(event) = node.poll_event() {
            self.events.push((host, event));
        }
        let wake = node.poll_timeout().map(|at| at.max(self.now));
        if let Some(at) = wake.filter(|_| wake != self.hosts[host].wake) {
            self.push(at, host, What::Wake);
            self.hosts[host].wake = wake;
        }
        self.hosts[host].node = Some(node);
    }

    fn send(&mut self, host: usize, to: SocketAddr, bytes: Vec<u8>) {
        self.datagrams += 1;
        self.bytes += bytes.len() as u64;
        if self.hosts[host].kind == Kind::Nat {
            self.hosts[host].called.insert(to, self.now);
        }
        let Some(&there) = self.at.get(&to) else { return };
        if self.rng.random_bool(self.shape.loss) {
            return;
        }
        let (a, b) = (&self.hosts[host], &self.hosts[there]);
        let apart = (a.place - b.place).abs();
        let far = apart.min(1.0 - apart) * 0.16;
        let jitter = self.rng.random_range(0.0..0.004);
        let at = self.now + a.line + b.line + Duration::from_secs_f64(far + jitter);
        let from = a.contact.addr;
        self.push(at, there, What::Packet { from, bytes });
    }

    fn push(&mut self, at: Instant, host: usize, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, host, what }));
    }
}
