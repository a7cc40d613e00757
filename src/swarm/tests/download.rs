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
    assert!(held.iter().all(|blocks| (2..=3).contains(blocks)), "{held:?}");
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
