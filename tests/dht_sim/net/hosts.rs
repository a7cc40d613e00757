//! Who is in the network: how it comes about, clients that join it, and what a node knows after a long life.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::compact::is_global;
use rtorrent_cli::proto::dht::node::{Family, Node};
use rtorrent_cli::proto::dht::node_id::{Contact, NodeId};
use rtorrent_cli::proto::dht::table::{K, Table};

use super::{Host, Kind, Net, Shape};

impl Net {
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

    pub(super) fn draw_kind(&mut self) -> Kind {
        match self.rng.random_range(0.0..1.0) {
            x if x < self.shape.dead => Kind::Dead,
            x if x < self.shape.dead + self.shape.nat => Kind::Nat,
            _ => Kind::Alive,
        }
    }

    /// A host somewhere, in a subnet of its own.
    pub(super) fn add_host(&mut self, kind: Kind) -> usize {
        let addr = self.draw_address();
        let fits = self.rng.random_bool(self.shape.fitting);
        let id = match fits {
            true => NodeId::for_address(addr.ip(), &mut self.rng),
            false => NodeId::random(&mut self.rng),
        };
        self.add_contact(Contact { id, addr }, kind)
    }

    pub(super) fn draw_address(&mut self) -> SocketAddr {
        loop {
            let [_, b, c, d]: [u8; 4] = self.rng.random();
            let a: u8 = self.rng.random_range(1..224);
            if self.shape.family == Family::V6 {
                if self.used_nets.insert([b, c, d]) {
                    let ip = Ipv6Addr::new(0x2a02, b.into(), u16::from_be_bytes([c, d]), a.into(), 0, 0, 0, 1);
                    return SocketAddr::new(ip.into(), 6881);
                }
                continue;
            }
            let (ip, net) = match self.shape.private {
                true => (Ipv4Addr::new(10, b, c, d), [b, c, d]),
                false => (Ipv4Addr::new(a, b, c, d), [a, b, c]),
            };
            if (self.shape.private || is_global(IpAddr::V4(ip))) && self.used_nets.insert(net) {
                return SocketAddr::new(ip.into(), 6881);
            }
        }
    }

    pub(super) fn add_contact(&mut self, contact: Contact, kind: Kind) -> usize {
        let slow = self.rng.random_bool(0.1);
        let line = self.rng.random_range(if slow { 40..150 } else { 4..30 });
        let place = self.rng.random_range(0.0..1.0);
        let line = Duration::from_millis(line);
        self.hosts.push(Host { contact, kind, node: None, place, line, called: HashMap::new(), wake: None });
        self.at.insert(contact.addr, self.hosts.len() - 1);
        self.hosts.len() - 1
    }

    pub(super) fn index(&mut self) {
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
        let mut node = Node::restored(self.now, self.shape.family, own, &saved, rng);
        node.set_read_only(true);
        self.hosts[host].node = Some(Box::new(node));
        host
    }

    pub(super) fn start_fresh(&mut self, host: usize) {
        let own = self.hosts[host].contact.id;
        let rng = StdRng::from_rng(&mut self.rng);
        let table = Table::new(own, self.now);
        self.hosts[host].node = Some(Box::new(Node::with_table(self.now, self.shape.family, table, rng)));
    }

    /// What a node of this id knows after a long life: of each bucket some, drawn at random.
    pub(super) fn steady_table(&mut self, own: NodeId) -> Table {
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
}
