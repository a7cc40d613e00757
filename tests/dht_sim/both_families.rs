//! Hosts with IPv4, with IPv6 and with both in one network: each family's nodes lead to the other's, and each torrent is
//! found by whoever shares a family with its peer (BEP 32).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::dht::bootstrap::Entry;
use rtorrent_cli::proto::dht::dual::{Dual, DualEvent};
use rtorrent_cli::proto::dht::lookup::Announce;
use rtorrent_cli::proto::dht::node::Family;

use crate::net::queue::{Due, What};

/// The families that a host has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Has {
    V4,
    V6,
    Both,
}

const ALL: [Has; 3] = [Has::V4, Has::V6, Has::Both];

struct Host {
    v4: Option<SocketAddr>,
    v6: Option<SocketAddr>,
    dual: Dual,
    wake: Option<Instant>,
}

struct Net {
    now: Instant,
    rng: StdRng,
    hosts: Vec<Host>,
    at: HashMap<SocketAddr, usize>,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    events: Vec<(usize, DualEvent)>,
}

impl Net {
    const HOSTS: usize = 90;
    const LOSS: f64 = 0.01;

    /// A third of the hosts of each kind, joined one after another with the help of one of three that have both. Who
    /// has both is told of an IPv4 address alone.
    fn grown(seed: u64) -> Net {
        let mut net = Net {
            now: Instant::now(),
            rng: StdRng::seed_from_u64(seed),
            hosts: Vec::new(),
            at: HashMap::new(),
            queue: BinaryHeap::new(),
            order: 0,
            events: Vec::new(),
        };
        for n in 0..Net::HOSTS {
            net.join(if n < 3 { Has::Both } else { ALL[n % 3] });
            net.run(Duration::from_millis(500));
        }
        net.run(Duration::from_secs(120));
        net
    }

    fn join(&mut self, has: Has) -> usize {
        let (joined, now) = (self.hosts.len(), self.now);
        let router = if joined < 3 { 0 } else { joined / 3 % 3 };
        let entry = self.hosts.get(router).and_then(|it| if has == Has::V6 { it.v6 } else { it.v4 });
        let host = self.add(has);
        if let Some(addr) = entry {
            self.with(host, |dual| dual.add_bootstrap(now, Entry { addr, router: false }));
        }
        host
    }

    /// A host in subnets of its own.
    fn add(&mut self, has: Has) -> usize {
        let host = self.hosts.len();
        let [high, low] = (host as u16).to_be_bytes();
        let v4 = SocketAddr::from((Ipv4Addr::new(60, high, low, 1), 6881));
        let v6 = SocketAddr::from((Ipv6Addr::new(0x2a02, host as u16, 0, 0, 0, 0, 0, 1), 6881));
        let (v4, v6) = ((has != Has::V6).then_some(v4), (has != Has::V4).then_some(v6));
        let families: Vec<Family> = v4.iter().chain(&v6).map(|&addr| Family::of(addr)).collect();
        let dual = Dual::new(self.now, &families, None, &mut self.rng);
        v4.iter().chain(&v6).for_each(|&addr| _ = self.at.insert(addr, host));
        self.hosts.push(Host { v4, v6, dual, wake: None });
        host
    }

    /// The peers that a lookup finds, and the nodes that took its announce.
    fn look_up(&mut self, host: usize, info_hash: InfoHashV1, port: Option<u16>) -> (Vec<SocketAddr>, u32) {
        let now = self.now;
        let announce = port.map(|port| Announce { port, seed: false });
        self.with(host, |dual| _ = dual.get_peers(now, info_hash, announce));
        let (mut found, mut taken) = (Vec::new(), 0);
        for (at, event) in self.run(Duration::from_secs(15)) {
            match event {
                DualEvent::Peers { peers, .. } if at == host => found.extend(peers),
                DualEvent::Announced { nodes, .. } if at == host => taken += nodes,
                _ => {}
            }
        }
        found.sort_unstable();
        (found, taken)
    }

    fn run(&mut self, time: Duration) -> Vec<(usize, DualEvent)> {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= end) {
            let Some(Reverse(Due { at, host, what, .. })) = self.queue.pop() else { break };
            self.now = at;
            match what {
                What::Packet { from, bytes } => self.with(host, |dual| dual.handle_packet(at, from, &bytes)),
                What::Wake if self.hosts[host].wake == Some(at) => {
                    self.hosts[host].wake = None;
                    self.with(host, |dual| dual.handle_timeout(at));
                }
                What::Wake => {}
            }
        }
        self.now = end;
        std::mem::take(&mut self.events)
    }

    fn with(&mut self, host: usize, act: impl FnOnce(&mut Dual)) {
        act(&mut self.hosts[host].dual);
        while let Some((to, bytes)) = self.hosts[host].dual.poll_transmit() {
            self.send(host, to, bytes);
        }
        while let Some(event) = self.hosts[host].dual.poll_event() {
            self.events.push((host, event));
        }
        let wake = self.hosts[host].dual.poll_timeout().map(|at| at.max(self.now));
        if let Some(at) = wake.filter(|_| wake != self.hosts[host].wake) {
            self.push(at, host, What::Wake);
            self.hosts[host].wake = wake;
        }
    }

    fn send(&mut self, host: usize, to: SocketAddr, bytes: Vec<u8>) {
        let own = if to.is_ipv4() { self.hosts[host].v4 } else { self.hosts[host].v6 };
        let from = own.expect("a node sends only in its own family");
        let Some(&there) = self.at.get(&to) else { return };
        if !self.rng.random_bool(Net::LOSS) {
            let delay = Duration::from_millis(self.rng.random_range(10..100));
            self.push(self.now + delay, there, What::Packet { from, bytes });
        }
    }

    fn push(&mut self, at: Instant, host: usize, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Due { at, order: self.order, host, what }));
    }
}

#[test]
fn who_has_both_and_knows_one_ipv4_address_settles_in_both() {
    let net = Net::grown(1);
    let both = net.hosts.iter().filter(|host| host.v4.is_some() && host.v6.is_some());
    let mut settled = 0;
    for host in both {
        let [v4, v6] = host.dual.status().map(|node| node.expect("it has both").confirmed);
        assert!(v4 >= 8 && v6 >= 8, "{:?}: {v4} and {v6}", host.v4);
        settled += 1;
    }
    assert_eq!(settled, 32);
}

#[test]
fn a_peer_is_found_by_all_that_share_a_family_with_it_at_each_address_that_they_can_reach() {
    let mut net = Net::grown(2);
    for round in 0..3u8 {
        for announcer_has in ALL {
            let info_hash = InfoHashV1([10 * round + announcer_has as u8; 20]);
            let announcer = net.join(announcer_has);
            let (_, taken) = net.look_up(announcer, info_hash, Some(7000));
            assert!(taken >= if announcer_has == Has::Both { 12 } else { 6 }, "{announcer_has:?}: {taken} took it");
            for seeker_has in ALL {
                let seeker = net.join(seeker_has);
                net.hosts[seeker].dual.set_read_only(true);
                let (found, _) = net.look_up(seeker, info_hash, None);
                let (peer, own) = (&net.hosts[announcer], &net.hosts[seeker]);
                let v4 = peer.v4.filter(|_| own.v4.is_some());
                let v6 = peer.v6.filter(|_| own.v6.is_some());
                let expected: Vec<SocketAddr> =
                    v4.into_iter().chain(v6).map(|addr| SocketAddr::new(addr.ip(), 7000)).collect();
                assert_eq!(found, expected, "round {round}: {announcer_has:?} by {seeker_has:?}");
            }
        }
    }
}
