//! From peers to verified pieces.

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::proto::session::PeerEvent;

const BLOCK: u32 = 16 * 1024;

#[test]
fn one_seed_is_enough() {
    let mut world = World::started(1, 4 * BLOCK, 50 * u64::from(BLOCK) + 77, 64 << 20);
    let seed = world.seed(1 << 20);
    world.run();
    assert_eq!(world.disk, world.truth);
    assert_eq!(world.completes, 1);
    assert!(!world.peers.contains_key(&seed), "a seed is of no use to a seed");
    assert_eq!(world.torrent.totals().left, 0);
    assert_eq!(world.torrent.snapshot().done_bytes, world.truth.len() as u64);
}

#[test]
fn a_small_file_is_split_over_all_peers_at_once() {
    let mut world = World::started(2, 16 * BLOCK, 16 * u64::from(BLOCK), 64 << 20);
    let connected: Vec<_> = (0..6).map(|_| world.connect()).collect();
    for &key in &connected {
        world.event(key, PeerEvent::Has(Bitfield::full(1)));
        world.peers.get_mut(&key).unwrap().window = 1 << 20;
    }
    for &key in &connected {
        world.unchoke(key);
    }
    let held: Vec<u32> = connected.iter().map(|key| world.held(*key) / BLOCK).collect();
    assert!(held.iter().all(|blocks| (1..=3).contains(blocks)), "{held:?}");
    assert_eq!(held.iter().sum::<u32>(), 16, "and nothing twice before anybody is late: {held:?}");
    world.check();
}

#[test]
fn peers_with_different_pieces_complete_each_other() {
    let mut world = World::started(3, BLOCK, 64 * u64::from(BLOCK), 64 << 20);
    for half in 0..2 {
        let mut has = Bitfield::new(64);
        for piece in (0..64).filter(|piece| piece % 2 == half) {
            has.set(piece);
        }
        world.peer(has, 1 << 20, 0);
    }
    world.run();
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
}

#[test]
fn small_pieces_are_leased_in_stretches_that_lie_together() {
    let mut world = World::started(4, BLOCK, 1_024 * u64::from(BLOCK), 64 << 20);
    world.peer(Bitfield::full(1_024), 4 << 20, 0);
    world.deliver_some(*world.peers.keys().next().unwrap(), 8);
    world.disk_works_off();
    world.grants.clear();
    world.run();
    let together = world.grants.windows(2).filter(|pair| pair[0].1 + 1 == pair[1].1).count();
    assert!(together + 20 > world.grants.len(), "{together} of {}", world.grants.len());
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
}

#[test]
fn whatever_a_fast_peer_is_hungry_for_its_buffers_are_used_again() {
    let mut world = World::started(6, 64 * BLOCK, 64 * 64 * u64::from(BLOCK), 64 << 20);
    let seed = world.peer(Bitfield::full(64), 64 * BLOCK, 100 << 20);
    let mut rounds = 0;
    while world.verified.len() < 56 {
        rounds += 1;
        world.peers.get_mut(&seed).unwrap().window = (40 + rounds * 7 % 60) * BLOCK;
        world.deliver(seed);
        world.disk_works();
    }
    let allocated = world.torrent.pieces.as_ref().unwrap().staging.pool().allocated();
    assert!(allocated <= 8, "{allocated} buffers were made for 56 pieces");
}

#[test]
fn the_rarest_pieces_are_fetched_first() {
    let mut world = World::started(5, BLOCK * 64, 64 * 64 * u64::from(BLOCK), 64 << 20);
    // Three peers that lack the last eight pieces and say nothing more.
    for _ in 0..3 {
        let key = world.connect();
        let mut has = Bitfield::new(64);
        for piece in 0..56 {
            has.set(piece);
        }
        world.event(key, PeerEvent::Has(has));
    }
    let seed = world.peer(Bitfield::full(64), BLOCK * 64, 1 << 20);
    while world.verified.len() < 20 {
        world.deliver(seed);
        world.disk_works();
    }
    let rare = world.verified.iter().filter(|piece| **piece >= 56).count();
    assert_eq!(rare, 8, "{:?}", world.verified);
}
