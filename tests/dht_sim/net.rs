//! A network of the program's own DHT nodes on a virtual clock.
//!
//! Everything follows from one seed: who is where, who is dead or behind a NAT, every delay and every lost datagram.
//! Large networks are *steady*: a node's table is made, when the first datagram reaches it, from what such a node would
//! know after a long life (dead and unreachable ones included). Small ones can be *grown*: everybody starts with nothing
//! but a router's address.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::compact::is_global;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::dht::bootstrap::Entry;
use rtorrent_cli::proto::dht::krpc::{Ask, Body, Message, Query, Reply, Want};
use rtorrent_cli::proto::dht::lookup::{Announce, Report};
use rtorrent_cli::proto::dht::node::{DhtEvent, Family, Node};
use rtorrent_cli::proto::dht::node_id::{Contact, NodeId};
use rtorrent_cli::proto::dht::table::{K, Table};
use rtorrent_cli::proto::dht::transactions::LookupId;

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
}

impl Shape {
    /// The network that the goals are set for.
    pub fn of(nodes: usize, seed: u64) -> Shape {
        Shape { seed, nodes, dead: 0.1, nat: 0.3, fitting: 0.7, loss: 0.01, private: false }
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

enum What {
    Packet { from: SocketAddr, bytes: Vec<u8> },
    Wake,
}

struct Due {
    at: Instant,
    order: u64,
    host: usize,
    what: What,
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

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.order == other.order
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl Net {
    /// A NAT forgets whom a host has called after this.
    const NAT_MEMORY: Duration = Duration::from_secs(60);
    /// Nodes behind a NAT get into tables too (they call others), though less often.
    const NAT_IN_TABLES: f64 = 0.33;

    /// A network in its steady state.
    pub fn steady(shape: Shape) -> Net {
        let mut net = Net::empty(shape);
        for _ in 0..shape.nodes {
            let kind = net.draw_kind();
            net.add_host(kind);
        }
        net.index();
        net
    }

    /// A network whose nodes join one after another over `over`, knowing one of three routers; the dead die at the end.
    pub fn grown(shape: Shape, over: Duration) -> Net {
        let mut net = Net::empty(shape);
        let mut dying = Vec::new();
        for n in 0..shape.nodes {
            let kind = if n < 3 { Kind::Alive } else { net.draw_kind() };
            let host = net.add_host(if kind == Kind::Dead { Kind::Alive } else { kind });
            if kind == Kind::Dead {
                dying.push(host);
            }
            net.start_fresh(host);
            if n > 0 {
                let router = net.hosts[if n < 3 { 0 } else { n % 3 }].contact.addr;
                net.bootstrap(host, router);
            }
            net.run(over / shape.nodes as u32);
        }
        net.run(Duration::from_secs(60));
        dying.into_iter().for_each(|host| net.kill(host));
        net.index();
        net
    }

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

    fn draw_kind(&mut self) -> Kind {
        match self.rng.random_range(0.0..1.0) {
            x if x < self.shape.dead => Kind::Dead,
            x if x < self.shape.dead + self.shape.nat => Kind::Nat,
            _ => Kind::Alive,
        }
    }

    /// A host somewhere, in a subnet of its own.
    fn add_host(&mut self, kind: Kind) -> usize {
        let addr = self.draw_address();
        let fits = self.rng.random_bool(self.shape.fitting);
        let id = match fits {
            true => NodeId::for_address(addr.ip(), &mut self.rng),
            false => NodeId::random(&mut self.rng),
        };
        self.add_contact(Contact { id, addr }, kind)
    }

    fn draw_address(&mut self) -> SocketAddr {
        loop {
            let [_, b, c, d]: [u8; 4] = self.rng.random();
            let a = self.rng.random_range(1..224);
            let (ip, net) = match self.shape.private {
                true => (Ipv4Addr::new(10, b, c, d), [b, c, d]),
                false => (Ipv4Addr::new(a, b, c, d), [a, b, c]),
            };
            if (self.shape.private || is_global(IpAddr::V4(ip))) && self.used_nets.insert(net) {
                return SocketAddr::new(ip.into(), 6881);
            }
        }
    }

    fn add_contact(&mut self, contact: Contact, kind: Kind) -> usize {
        let slow = self.rng.random_bool(0.1);
        let line = self.rng.random_range(if slow { 40..150 } else { 4..30 });
        let place = self.rng.random_range(0.0..1.0);
        let line = Duration::from_millis(line);
        self.hosts.push(Host { contact, kind, node: None, place, line, called: HashMap::new(), wake: None });
        self.at.insert(contact.addr, self.hosts.len() - 1);
        self.hosts.len() - 1
    }

    fn index(&mut self) {
        self.by_id.clear();
        for (at, host) in self.hosts.iter().enumerate() {
            if host.kind != Kind::Nat || self.rng.random_bool(Self::NAT_IN_TABLES) {
                self.by_id.push((host.contact.id, at));
            }
        }
        self.by_id.sort_unstable();
    }

    /// A host with a new node that knows nobody.
    pub fn fresh_client(&mut self) -> usize {
        let host = self.add_host(Kind::Nat);
        self.start_fresh(host);
        host
    }

    /// A host whose node knows only a few routers.
    pub fn cold_client(&mut self) -> usize {
        let host = self.fresh_client();
        for _ in 0..3 {
            let router = self.random_alive();
            self.bootstrap(host, router);
        }
        host
    }

    /// A host whose node goes on with the table of an earlier run.
    pub fn warm_client(&mut self) -> usize {
        let host = self.add_host(Kind::Nat);
        let own = self.hosts[host].contact.id;
        let saved = self.steady_table(own).contacts();
        let rng = StdRng::from_rng(&mut self.rng);
        let mut node = Node::restored(self.now, Family::V4, own, &saved, rng);
        node.set_read_only(true);
        self.hosts[host].node = Some(Box::new(node));
        host
    }

    /// Puts an attacker's host into the network, and into everybody's sight.
    pub fn add_sybil(&mut self, contact: Contact) {
        let host = self.add_contact(contact, Kind::Sybil);
        let place = self.by_id.partition_point(|(id, _)| *id < contact.id);
        self.by_id.insert(place, (contact.id, host));
        self.sybils.push(contact);
    }

    /// The attackers make themselves known to the nodes round their target: these ask nobody else so often.
    pub fn spread_sybils(&mut self, target: NodeId) {
        let mut near = self.alive();
        near.sort_unstable_by_key(|&host| target.distance(&self.hosts[host].contact.id));
        near.truncate(2 * K);
        let now = self.now;
        for host in near {
            let own = self.hosts[host].contact.id;
            if self.hosts[host].node.is_none() {
                let table = self.steady_table(own);
                let rng = StdRng::from_rng(&mut self.rng);
                self.hosts[host].node = Some(Box::new(Node::with_table(now, Family::V4, table, rng)));
            }
            for sybil in self.sybils.clone() {
                let ask = Ask::FindNode { target };
                let body = Body::Query(Query { id: sybil.id, want: Want::default(), ask });
                let message = Message { transaction: b"sybl".to_vec(), body, ip: None, read_only: false };
                self.with_node(host, |node| node.handle_packet(now, sybil.addr, &message.encode(), None));
            }
        }
        self.run(Duration::from_secs(12));
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
            self.hosts[host].node = Some(Box::new(Node::with_table(now, Family::V4, table, rng)));
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

    fn start_fresh(&mut self, host: usize) {
        let own = self.hosts[host].contact.id;
        let rng = StdRng::from_rng(&mut self.rng);
        let table = Table::new(own, self.now);
        self.hosts[host].node = Some(Box::new(Node::with_table(self.now, Family::V4, table, rng)));
    }

    /// What a node of this id knows after a long life: of each bucket some, drawn at random.
    fn steady_table(&mut self, own: NodeId) -> Table {
        let mut table = Table::new(own, self.now);
        let mut range = 0..self.by_id.len();
        for depth in 0..NodeId::BITS {
            if range.is_empty() {
                break;
            }
            // Ids that share `depth` bits lie side by side; the next bit cuts them in two.
            let bit = |id: &NodeId| id.0[(depth / 8) as usize] & (0x80 >> (depth % 8)) != 0;
            let cut = range.start + self.by_id[range.clone()].partition_point(|(id, _)| !bit(id));
            let (near, far) = match bit(&own) {
                true => (cut..range.end, range.start..cut),
                false => (range.start..cut, cut..range.end),
            };
            let drawn: HashSet<usize> = match far.len() > K {
                true => (0..K + 2).map(|_| self.rng.random_range(far.clone())).collect(),
                false => far.collect(),
            };
            let mut drawn: Vec<usize> = drawn.into_iter().collect();
            drawn.sort_unstable();
            for at in drawn {
                let contact = self.hosts[self.by_id[at].1].contact;
                table.answered(self.now, contact);
            }
            range = near;
        }
        table
    }

    fn answer_as_sybil(&mut self, host: usize, from: SocketAddr, bytes: &[u8]) {
        let Ok(Message { transaction, body: Body::Query(Query { ask, .. }), .. }) = Message::decode(bytes) else {
            return;
        };
        let mut reply = Reply::bare(self.hosts[host].contact.id);
        let target = match ask {
            Ask::GetPeers { info_hash, .. } => Some(info_hash.into()),
            Ask::FindNode { target } => Some(target),
            _ => None,
        };
        if let Some(target) = target {
            let mut near = self.sybils.clone();
            near.sort_unstable_by_key(|contact| target.distance(&contact.id));
            near.truncate(K);
            reply.nodes = Some(near);
            reply.token = Some(b"trust me".to_vec());
        }
        let body = Body::Reply(Box::new(reply));
        let message = Message { transaction, body, ip: Some(from), read_only: false };
        self.send(host, from, message.encode());
    }
}
