//! Super-seeding (BEP 16), and pieces that can't be read back (BEP 54).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::base::have_log::{Change, HaveLog};
use crate::proto::session::PeerEvent;
use crate::swarm::action::Start;
use crate::swarm::{Command, PeerKey};

/// A seed of `pieces` pieces.
fn seed(pieces: u32, super_seed: bool) -> World {
    let total = u64::from(pieces) * 16_384;
    let mut world = World::with(1, 16_384, total, 1 << 20, |config| config.super_seed = super_seed);
    let log = HaveLog::new(pieces);
    (0..pieces).for_each(|piece| log.push(piece));
    let hashes = vec![[0; 20]; pieces as usize].into_iter().collect();
    world.command(Command::Start(Start {
        layout: world.layout.clone(),
        info: world.info.clone().into(),
        hashes,
        trees: None,
        have: Bitfield::full(pieces),
        log,
        want: Bitfield::full(pieces),
        spilled: vec![],
    }));
    world
}

fn leecher(world: &mut World) -> PeerKey {
    let key = world.connect();
    world.event(key, PeerEvent::Has(Bitfield::new(world.layout.pieces())));
    key
}

#[test]
fn a_super_seed_offers_two_pieces_and_more_when_they_have_spread() {
    let mut world = seed(20, true);
    let (a, b) = (leecher(&mut world), leecher(&mut world));
    let offered = |world: &World, key: PeerKey| world.peers[&key].offered.clone();
    let (to_a, to_b) = (offered(&world, a), offered(&world, b));
    assert_eq!((to_a.len(), to_b.len()), (2, 2));
    assert!(to_a.iter().all(|piece| !to_b.contains(piece)), "nobody is offered what another one is to pass on");
    world.event(a, PeerEvent::Have(vec![to_a[0]]));
    assert_eq!(offered(&world, a).len(), 2, "nobody else has it yet");
    world.event(b, PeerEvent::Have(vec![to_a[0]]));
    assert_eq!(offered(&world, a).len(), 3, "it has passed it on");
    assert_eq!(offered(&world, b).len(), 2);
}

#[test]
fn who_has_nobody_to_pass_it_on_to_or_takes_too_long_is_offered_more_all_the_same() {
    let mut world = seed(20, true);
    let alone = leecher(&mut world);
    let first = world.peers[&alone].offered[0];
    world.event(alone, PeerEvent::Have(vec![first]));
    assert_eq!(world.peers[&alone].offered.len(), 3);
    let _other = leecher(&mut world);
    let second = world.peers[&alone].offered[1];
    world.event(alone, PeerEvent::Have(vec![second]));
    assert_eq!(world.peers[&alone].offered.len(), 3);
    world.event(alone, PeerEvent::Interested(true));
    world.wait(Duration::from_secs(45));
    assert_eq!(world.peers[&alone].offered.len(), 4);
}

#[test]
fn a_swarm_gets_its_first_copy_at_the_price_of_little_more_than_one() {
    const PIECES: u32 = 60;
    let mut world = seed(PIECES, true);
    let keys: Vec<PeerKey> = (0..6).map(|_| leecher(&mut world)).collect();
    let mut has: BTreeMap<PeerKey, BTreeSet<u32>> = keys.iter().map(|key| (*key, BTreeSet::new())).collect();
    let mut uploads = 0;
    'all: for _ in 0..1000 {
        for &key in &keys {
            if !world.torrent.is_super_seeding() {
                break 'all;
            }
            // It fetches what it was offered from us, and then passes one piece on to the next peer.
            let fresh = world.peers[&key].offered.iter().copied().find(|piece| !has[&key].contains(piece));
            if let Some(piece) = fresh {
                uploads += 1;
                has.get_mut(&key).unwrap().insert(piece);
                world.event(key, PeerEvent::Have(vec![piece]));
            }
            for &other in &keys {
                if !world.torrent.is_super_seeding() {
                    break 'all;
                }
                if let Some(&piece) = has[&key].difference(&has[&other]).next() {
                    has.get_mut(&other).unwrap().insert(piece);
                    world.event(other, PeerEvent::Have(vec![piece]));
                }
            }
        }
    }
    assert!(world.peers.values().all(|peer| peer.owned_up), "the others have a copy between them");
    let copy: BTreeSet<u32> = has.values().flatten().copied().collect();
    assert_eq!(copy.len(), PIECES as usize);
    assert!((PIECES..PIECES + PIECES / 10).contains(&uploads), "{uploads} pieces went out for a copy of {PIECES}");
    assert!(!world.torrent.is_super_seeding());
}

#[test]
fn another_seed_ends_super_seeding() {
    let mut world = seed(20, true);
    let key = leecher(&mut world);
    let other = world.connect();
    world.event(other, PeerEvent::Has(Bitfield::full(20)));
    assert!(world.peers[&key].owned_up);
}

#[test]
fn a_piece_that_cannot_be_read_is_neither_announced_nor_written_again_by_a_seed() {
    let mut world = seed(4, false);
    let key = leecher(&mut world);
    world.event(key, PeerEvent::Unreadable(2));
    world.event(key, PeerEvent::Unreadable(2));
    assert_eq!(world.unreadable, [2]);
    assert!(!world.torrent.have().unwrap().get(2) && world.torrent.is_complete());
    assert_eq!(world.torrent.snapshot().have_bytes, 3 * 16_384);
    let log = &world.torrent.pieces.as_ref().unwrap().log;
    assert_eq!(log.since(4).collect::<Vec<_>>(), [Change::Lost(2)]);
    assert!(world.peers[&key].haves_grew > 0, "its session looks at the log");
}

#[test]
fn a_piece_that_is_lost_while_downloading_is_fetched_again() {
    let mut world = World::started(1, 16_384, 4 * 16_384, 1 << 20);
    let key = world.seed(0);
    world.peers.get_mut(&key).unwrap().window = 16_384;
    world.hunger(key);
    world.deliver_some(key, 1);
    world.disk_works_off();
    let piece = world.torrent.have().unwrap().ones().next().expect("one is there");
    let taker = leecher(&mut world);
    world.verified.remove(&piece);
    world.event(taker, PeerEvent::Unreadable(piece));
    assert!(!world.torrent.have().unwrap().get(piece));
    while world.deliver(key) {
        world.disk_works_off();
    }
    assert!(world.torrent.is_complete() && world.torrent.have().unwrap().all());
}
