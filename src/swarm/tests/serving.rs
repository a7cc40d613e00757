//! Uploading, and what peers are told.

use std::time::Duration;

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::proto::ext::ExtHandshake;
use crate::proto::session::PeerEvent;
use crate::swarm::Command;

const BLOCK: u32 = 16 * 1024;

fn world() -> World {
    World::started(1, BLOCK, 8 * u64::from(BLOCK), 64 << 20)
}

#[test]
fn free_slots_are_given_at_once_and_never_too_many() {
    let mut world = world();
    world.command(Command::UploadSlots(3));
    let peers: Vec<_> = (0..6).map(|_| world.connect()).collect();
    for &key in &peers {
        world.event(key, PeerEvent::Interested(true));
    }
    let unchoked = |world: &World| world.peers.values().filter(|peer| peer.unchoked).count();
    assert_eq!(unchoked(&world), 3);
    for _ in 0..20 {
        world.wait(Duration::from_secs(10));
        assert_eq!(unchoked(&world), 3);
    }
    world.command(Command::UploadSlots(0));
    assert_eq!(unchoked(&world), 0);
}

#[test]
fn everybody_gets_the_optimistic_slot_in_time() {
    let mut world = world();
    world.command(Command::UploadSlots(2));
    let peers: Vec<_> = (0..5).map(|_| world.connect()).collect();
    for &key in &peers {
        world.event(key, PeerEvent::Interested(true));
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        world.wait(Duration::from_secs(10));
        seen.extend(world.peers.iter().filter(|(_, peer)| peer.unchoked).map(|(key, _)| *key));
    }
    assert_eq!(seen.len(), 5);
}

#[test]
fn who_takes_nothing_gets_no_slot() {
    let mut world = world();
    let seed = world.connect();
    world.event(seed, PeerEvent::Has(Bitfield::full(8)));
    world.event(seed, PeerEvent::Interested(true));
    let done = world.connect();
    let handshake = ExtHandshake { upload_only: true, ..ExtHandshake::default() };
    world.event(done, PeerEvent::Extended(Box::new(handshake)));
    world.event(done, PeerEvent::Interested(true));
    world.wait(Duration::from_secs(30));
    assert!(!world.peers[&seed].unchoked && !world.peers[&done].unchoked);
}

#[test]
fn new_pieces_are_told_to_all_but_seeds_and_not_too_often() {
    let mut world = world();
    let leecher = world.connect();
    world.event(leecher, PeerEvent::Has(Bitfield::new(8)));
    let seed = world.seed(1 << 20);
    for _ in 0..7 {
        world.deliver(seed);
    }
    world.disk_works_off();
    assert_eq!((world.peers[&leecher].haves_grew, world.peers[&seed].haves_grew), (1, 0));
    world.wait(Duration::from_millis(100));
    assert_eq!(world.peers[&leecher].haves_grew, 2, "the others together");
    world.wait(Duration::from_secs(5));
    assert_eq!(world.peers[&leecher].haves_grew, 2);
}

#[test]
fn completion_is_said_once_and_seeds_are_let_go() {
    let mut world = world();
    let leecher = world.connect();
    world.extended(leecher, None);
    world.event(leecher, PeerEvent::Has(Bitfield::new(8)));
    let seed = world.seed(1 << 20);
    assert!(world.peers[&seed].interest);
    world.run();
    assert_eq!(world.completes, 1);
    assert!(!world.peers.contains_key(&seed));
    let left = &world.peers[&leecher];
    assert_eq!((left.upload_only, left.interest), (Some(true), false));
    world.event(leecher, PeerEvent::Have((0..8).collect()));
    assert!(!world.peers.contains_key(&leecher), "it has just become a seed");
}

#[test]
fn interest_follows_what_a_peer_has() {
    let mut world = world();
    let key = world.connect();
    world.event(key, PeerEvent::Has(Bitfield::new(8)));
    assert!(!world.peers[&key].interest);
    world.event(key, PeerEvent::Have(vec![3]));
    assert!(world.peers[&key].interest);
    world.event(key, PeerEvent::DontHave(3));
    assert!(!world.peers[&key].interest);
}

#[test]
fn pieces_that_are_allowed_are_asked_for_although_choked() {
    let mut world = world();
    let key = world.connect();
    world.event(key, PeerEvent::Has(Bitfield::full(8)));
    world.peers.get_mut(&key).unwrap().window = 1 << 20;
    world.hunger(key);
    assert_eq!(world.held(key), 0);
    world.event(key, PeerEvent::AllowedFast(5));
    world.hunger(key);
    assert_eq!(world.grants, [(key, 5, 0, 1)]);
}

#[test]
fn waiting_costs_nothing() {
    let mut world = world();
    for _ in 0..50 {
        let key = world.connect();
        world.event(key, PeerEvent::Has(Bitfield::full(8)));
    }
    let (end, mut wakes) = (world.now + Duration::from_secs(3600), 0);
    while let Some(due) = world.torrent.poll_timeout().filter(|due| *due < end) {
        assert!(due > world.now);
        world.now = due;
        world.torrent.on_timeout(due);
        world.play();
        wakes += 1;
    }
    assert!(wakes < 20, "{wakes} in an hour");
    assert_eq!(world.want_peers, wakes);
}
