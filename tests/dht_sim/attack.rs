//! One attack on one torrent: hosts that answer everything, name only each other and give no peers.

use std::net::{IpAddr, SocketAddr};

use rand::RngExt;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::dht::node_id::{Contact, NodeId};

use crate::net::{Net, Shape};

/// How the attackers' ids come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ids {
    /// Nearer to the target than anybody: what an attacker would choose.
    Chosen,
    /// The nearest to the target that their addresses allow (BEP 42).
    Fitting,
}

/// So many attackers in each of so many subnets.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    pub name: &'static str,
    pub subnets: usize,
    pub each: usize,
    pub ids: Ids,
}

/// What is to be found in spite of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Announced {
    /// Before the attackers came.
    Before,
    /// While they were there.
    Amid,
}

/// Lookups under an attack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stood {
    /// Share of the lookups that found the peer.
    pub found: f64,
    /// Queries a lookup, on average.
    pub queries: f64,
}

impl Attack {
    pub const fn new(name: &'static str, subnets: usize, each: usize, ids: Ids) -> Attack {
        Attack { name, subnets, each, ids }
    }

    /// `lookups` of one torrent each, in networks of 1,000 nodes.
    pub fn run(self, lookups: usize, announced: Announced, private: bool) -> Stood {
        let mut stood = Stood::default();
        for round in 0..lookups {
            let mut net = Net::steady(Shape { private, ..Shape::of(1_000, 77 + round as u64) });
            let info_hash = InfoHashV1(net.random_id().0);
            let announcer = net.warm_client();
            if announced == Announced::Before {
                net.lookup(announcer, info_hash, Some(7000));
            }
            self.begin(&mut net, info_hash.into());
            if announced == Announced::Amid {
                net.lookup(announcer, info_hash, Some(7000));
            }
            let seeker = net.warm_client();
            let outcome = net.lookup(seeker, info_hash, None);
            let found = outcome.peers.iter().any(|peer| peer.ip() == net.addr(announcer).ip());
            stood.found += f64::from(u8::from(found)) / lookups as f64;
            stood.queries += f64::from(outcome.report.asked) / lookups as f64;
        }
        stood
    }

    fn begin(self, net: &mut Net, target: NodeId) {
        for _ in 0..self.subnets {
            let base = net.free_address();
            let IpAddr::V4(ip) = base.ip() else { unreachable!("the network is IPv4") };
            let [a, b, c, _] = ip.octets();
            for host in 1..=self.each {
                let addr = SocketAddr::from(([a, b, c, host as u8], 6881));
                let id = match self.ids {
                    Ids::Chosen => near(net, target),
                    Ids::Fitting => (0..64)
                        .map(|_| NodeId::for_address(addr.ip(), net.rng()))
                        .min_by_key(|id| target.distance(id))
                        .expect("64 were tried"),
                };
                net.add_sybil(Contact { id, addr });
            }
        }
        net.spread_sybils(target);
    }
}

/// An id that shares the first 40 bits with the target: in no network of this size anybody is nearer.
fn near(net: &mut Net, target: NodeId) -> NodeId {
    let depth = net.rng().random_range(40..60);
    target.random_beside(depth, net.rng())
}
