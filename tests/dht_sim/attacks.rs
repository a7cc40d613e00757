//! What attackers achieve who want to hide a torrent's peers, with and without the limits that addresses set.
//!
//! Without: everybody has a private address, for which neither BEP 42 nor a limit a host or subnet holds; the nodes are
//! the same otherwise. The torrent was announced before the attack began; the attackers answer everything, name only
//! each other and give no peers.

use rand::RngExt;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::dht::node_id::{Contact, NodeId};
use std::net::{IpAddr, SocketAddr};

use crate::net::{Net, Shape};

/// How the attackers' ids come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ids {
    /// Nearer to the target than anybody: what an attacker would choose.
    Chosen,
    /// The nearest to the target that their addresses allow (BEP 42).
    Fitting,
}

/// So many attackers in each of so many subnets.
#[derive(Clone, Copy, Debug)]
struct Attack {
    name: &'static str,
    subnets: usize,
    each: usize,
    ids: Ids,
}

const LOOKUPS: usize = 10;

/// The share of lookups that find the peer in spite of the attack.
fn found(attack: Attack, private: bool) -> f64 {
    let mut shape = Shape::of(1_000, 77);
    shape.private = private;
    let mut found = 0;
    for round in 0..LOOKUPS {
        shape.seed = 77 + round as u64;
        let mut net = Net::steady(shape);
        let info_hash = InfoHashV1(net.random_id().0);
        let announcer = net.warm_client();
        net.lookup(announcer, info_hash, Some(7000));
        begin(&mut net, attack, info_hash.into());
        let seeker = net.warm_client();
        let outcome = net.lookup(seeker, info_hash, None);
        found += usize::from(outcome.peers.iter().any(|peer| peer.ip() == net.addr(announcer).ip()));
    }
    found as f64 / LOOKUPS as f64
}

fn begin(net: &mut Net, attack: Attack, target: NodeId) {
    for _ in 0..attack.subnets {
        let base = net.free_address();
        let IpAddr::V4(ip) = base.ip() else { unreachable!("the network is IPv4") };
        let [a, b, c, _] = ip.octets();
        for host in 1..=attack.each {
            let addr = SocketAddr::from(([a, b, c, host as u8], 6881));
            let id = match attack.ids {
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

/// An id that shares the first 40 bits with the target: in no network of this size anybody is nearer.
fn near(net: &mut Net, target: NodeId) -> NodeId {
    let depth = net.rng().random_range(40..60);
    target.random_beside(depth, net.rng())
}

#[test]
fn sybils_that_hide_a_torrent_are_defeated_by_the_limits_of_addresses() {
    let attacks = [
        Attack { name: "64 chosen ids, 2 subnets", subnets: 2, each: 32, ids: Ids::Chosen },
        Attack { name: "32 chosen ids, 32 subnets", subnets: 32, each: 1, ids: Ids::Chosen },
        Attack { name: "32 fitting ids, 32 subnets", subnets: 32, each: 1, ids: Ids::Fitting },
    ];
    println!("{:<32}{:>14}{:>16}", "attack", "limits off", "limits on");
    for attack in attacks {
        let (without, with) = (found(attack, true), found(attack, false));
        println!("{:<32}{:>12.0} %{:>14.0} %", attack.name, without * 100.0, with * 100.0);
        assert!(with >= 0.9, "{}: {with}", attack.name);
        if attack.ids == Ids::Chosen {
            assert!(without <= 0.5, "{}: {without} without limits, so the attack shows nothing", attack.name);
        }
    }
}
