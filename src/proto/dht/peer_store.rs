//! The peers that others announced to us (BEP 5, `announce_peer`), for half an hour each.
//!
//! Bounded in every direction: torrents, peers a torrent, and torrents a host announces. When there is no room for
//! another torrent, the one farthest from our own id goes: those near it are ours to keep.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use super::bloom::Bloom;
use super::krpc::{Filters, Samples};
use super::node_id::{NodeId, same_host};
use crate::base::compact::is_global;
use crate::base::id::InfoHashV1;

#[derive(Debug)]
struct Stored {
    addr: SocketAddr,
    seed: bool,
    at: Instant,
}

#[derive(Debug)]
pub struct PeerStore {
    torrents: BTreeMap<InfoHashV1, Vec<Stored>>,
    /// How many torrents each global host is stored under.
    hosts: BTreeMap<IpAddr, u32>,
    sample: Vec<InfoHashV1>,
    sampled: Option<Instant>,
}

impl PeerStore {
    /// Without another announce a peer is forgotten.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 60);
    pub const MAX_TORRENTS: usize = 2_000;
    pub const MAX_PEERS: usize = 500;
    pub const MAX_PER_HOST: u32 = 100;
    /// BEP 51: the sample stays the same for so long.
    const SAMPLE_INTERVAL: Duration = Duration::from_secs(30 * 60);
    const SAMPLE_LEN: usize = 20;

    pub fn new() -> PeerStore {
        PeerStore { torrents: BTreeMap::new(), hosts: BTreeMap::new(), sample: Vec::new(), sampled: None }
    }

    /// True if no more peers of this torrent are taken; then its askers get no token (BEP 33).
    pub fn is_full(&self, info_hash: InfoHashV1) -> bool {
        self.torrents.get(&info_hash).is_some_and(|peers| peers.len() >= Self::MAX_PEERS)
    }

    /// Stores or renews a peer; false if there is no room for it.
    pub fn announce(
        &mut self,
        now: Instant,
        own: &NodeId,
        info_hash: InfoHashV1,
        addr: SocketAddr,
        seed: bool,
    ) -> bool {
        if let Some(known) = self.torrents.get_mut(&info_hash).and_then(|peers| find(peers, addr)) {
            *known = Stored { addr, seed, at: now };
            return true;
        }
        let host = is_global(addr.ip()).then_some(addr.ip());
        if host.is_some_and(|host| self.hosts.get(&host).is_some_and(|&count| count >= Self::MAX_PER_HOST)) {
            return false;
        }
        if !self.torrents.contains_key(&info_hash) && !self.make_room(now, own, info_hash) {
            return false;
        }
        let peers = self.torrents.entry(info_hash).or_default();
        if peers.len() >= Self::MAX_PEERS {
            return false;
        }
        peers.push(Stored { addr, seed, at: now });
        if let Some(host) = host {
            *self.hosts.entry(host).or_default() += 1;
        }
        true
    }

    /// Up to `count` peers of the torrent, drawn at random.
    pub fn peers(
        &self,
        now: Instant,
        info_hash: InfoHashV1,
        no_seeds: bool,
        count: usize,
        rng: &mut StdRng,
    ) -> Vec<SocketAddr> {
        let Some(stored) = self.torrents.get(&info_hash) else { return Vec::new() };
        let usable = |peer: &&Stored| is_fresh(now, peer) && !(no_seeds && peer.seed);
        let mut peers: Vec<SocketAddr> = stored.iter().filter(usable).map(|peer| peer.addr).collect();
        let drawn = count.min(peers.len());
        for at in 0..drawn {
            let other = rng.random_range(at..peers.len());
            peers.swap(at, other);
        }
        peers.truncate(drawn);
        peers
    }

    /// The swarm as two bloom filters, if anybody is known (BEP 33).
    pub fn filters(&self, now: Instant, info_hash: InfoHashV1) -> Option<Box<Filters>> {
        let stored = self.torrents.get(&info_hash)?;
        let (mut seeds, mut peers) = (Bloom::new(), Bloom::new());
        for peer in stored.iter().filter(|peer| is_fresh(now, peer)) {
            if peer.seed { &mut seeds } else { &mut peers }.insert(peer.addr.ip());
        }
        Some(Box::new(Filters { seeds: seeds.0, peers: peers.0 }))
    }

    /// Some of the info hashes stored here; the same ones for the interval that the answer names (BEP 51).
    pub fn sample(&mut self, now: Instant, rng: &mut StdRng) -> Samples {
        let left = self.sampled.map(|at| Self::SAMPLE_INTERVAL.saturating_sub(now.saturating_duration_since(at)));
        if left.is_none_or(|left| left.is_zero()) || self.sample.len() < self.torrents.len().min(Self::SAMPLE_LEN) {
            let mut all: Vec<InfoHashV1> = self.torrents.keys().copied().collect();
            for at in 0..all.len().min(Self::SAMPLE_LEN) {
                let other = rng.random_range(at..all.len());
                all.swap(at, other);
            }
            all.truncate(Self::SAMPLE_LEN);
            self.sample = all;
            self.sampled = Some(now);
        }
        Samples {
            interval: left.filter(|left| !left.is_zero()).unwrap_or(Self::SAMPLE_INTERVAL).as_secs() as u32,
            num: self.torrents.len() as u32,
            hashes: self.sample.clone(),
        }
    }

    /// Forgets what is older than its lifetime.
    pub fn expire(&mut self, now: Instant) {
        let hosts = &mut self.hosts;
        self.torrents.retain(|_, peers| {
            peers.retain(|peer| is_fresh(now, peer) || uncount(hosts, peer));
            !peers.is_empty()
        });
    }

    pub fn torrent_count(&self) -> usize {
        self.torrents.len()
    }

    /// True if there is room for one more torrent, after the farthest has gone if need be.
    fn make_room(&mut self, now: Instant, own: &NodeId, info_hash: InfoHashV1) -> bool {
        if self.torrents.len() < Self::MAX_TORRENTS {
            return true;
        }
        self.expire(now);
        if self.torrents.len() < Self::MAX_TORRENTS {
            return true;
        }
        let distance = |hash: &InfoHashV1| own.distance(&NodeId::from(*hash));
        let farthest = self.torrents.keys().copied().max_by_key(distance).expect("the store is full");
        if distance(&farthest) <= distance(&info_hash) {
            return false;
        }
        for peer in self.torrents.remove(&farthest).unwrap_or_default() {
            uncount(&mut self.hosts, &peer);
        }
        true
    }
}

impl Default for PeerStore {
    fn default() -> Self {
        PeerStore::new()
    }
}

fn is_fresh(now: Instant, peer: &Stored) -> bool {
    now.saturating_duration_since(peer.at) < PeerStore::LIFETIME
}

/// The entry of the peer at `addr`: a global host has one a torrent, whatever its port (BEP 33).
fn find(peers: &mut [Stored], addr: SocketAddr) -> Option<&mut Stored> {
    peers.iter_mut().find(|peer| same_host(peer.addr, addr))
}

/// Takes a peer that goes off its host's count; always false, for `retain`.
fn uncount(hosts: &mut BTreeMap<IpAddr, u32>, peer: &Stored) -> bool {
    if let Some(count) = hosts.get_mut(&peer.addr.ip()) {
        *count -= 1;
        if *count == 0 {
            hosts.remove(&peer.addr.ip());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const OWN: NodeId = NodeId([0; 20]);

    fn hash(n: u32) -> InfoHashV1 {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        InfoHashV1(bytes)
    }

    fn peer(n: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::from((0x0b00_0000 + n).to_be_bytes()), 6881)
    }

    #[test]
    fn a_host_counts_once_a_torrent_and_its_last_port_is_given() {
        let (mut store, now, mut rng) = (PeerStore::new(), Instant::now(), StdRng::seed_from_u64(1));
        let again = SocketAddr::new(peer(1).ip(), 7000);
        assert!(store.announce(now, &OWN, hash(1), peer(1), false));
        assert!(store.announce(now, &OWN, hash(1), again, true));
        assert_eq!(store.peers(now, hash(1), false, 10, &mut rng), [again]);
        assert!(store.peers(now, hash(1), true, 10, &mut rng).is_empty(), "it is a seed now");
        for port in [1, 2] {
            assert!(store.announce(now, &OWN, hash(2), SocketAddr::from(([127, 0, 0, 1], port)), false));
        }
        assert_eq!(store.peers(now, hash(2), false, 10, &mut rng).len(), 2, "loopback peers differ by port");
    }

    #[test]
    fn a_peer_is_forgotten_after_half_an_hour_without_an_announce() {
        let (mut store, now, mut rng) = (PeerStore::new(), Instant::now(), StdRng::seed_from_u64(1));
        store.announce(now, &OWN, hash(1), peer(1), false);
        let later = now + Duration::from_secs(20 * 60);
        store.announce(later, &OWN, hash(1), peer(2), false);
        let end = now + PeerStore::LIFETIME;
        assert_eq!(store.peers(end, hash(1), false, 10, &mut rng), [peer(2)]);
        store.expire(later + PeerStore::LIFETIME);
        assert_eq!(store.torrent_count(), 0);
        assert!(store.hosts.is_empty());
    }

    #[test]
    fn a_flood_of_torrents_fills_the_store_no_further_and_the_nearest_stay() {
        let (mut store, now) = (PeerStore::new(), Instant::now());
        for n in 0..2_300u32 {
            store.announce(now, &OWN, hash(10_000 - n), peer(n), false);
        }
        assert_eq!(store.torrent_count(), PeerStore::MAX_TORRENTS);
        assert!(store.torrents.contains_key(&hash(7_701)), "the nearest is there");
        assert!(!store.torrents.contains_key(&hash(10_000)), "the farthest has gone");
        assert!(!store.announce(now, &OWN, hash(20_000), peer(1), false), "farther than all");
        assert_eq!(store.hosts.len(), PeerStore::MAX_TORRENTS, "hosts that went are no longer counted");
    }

    #[test]
    fn one_host_fills_only_its_share_and_one_torrent_only_so_many_peers() {
        let (mut store, now) = (PeerStore::new(), Instant::now());
        let taken = (0..1_000).filter(|&n| store.announce(now, &OWN, hash(n), peer(1), false)).count();
        assert_eq!(taken as u32, PeerStore::MAX_PER_HOST);
        (0..2_000).for_each(|n| _ = store.announce(now, &OWN, hash(7), peer(n), false));
        assert!(store.is_full(hash(7)));
        assert_eq!(store.torrents[&hash(7)].len(), PeerStore::MAX_PEERS);
    }

    #[test]
    fn peers_are_drawn_at_random_and_a_sample_keeps_for_its_interval() {
        let (mut store, now, mut rng) = (PeerStore::new(), Instant::now(), StdRng::seed_from_u64(1));
        (0..100).for_each(|n| _ = store.announce(now, &OWN, hash(n), peer(n), false));
        (0..100).for_each(|n| _ = store.announce(now, &OWN, hash(0), peer(n), false));
        let draws: Vec<_> = (0..2).map(|_| store.peers(now, hash(0), false, 20, &mut rng)).collect();
        assert_ne!(draws[0], draws[1]);
        let first = store.sample(now, &mut rng);
        assert_eq!((first.num, first.hashes.len(), first.interval), (100, 20, 1800));
        let second = store.sample(now + Duration::from_secs(60), &mut rng);
        assert_eq!((&second.hashes, second.interval), (&first.hashes, 1740));
        assert_ne!(store.sample(now + Duration::from_secs(1800), &mut rng).hashes, first.hashes);
    }
}
