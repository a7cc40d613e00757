//! Readers: what they need comes first, what is passed on stays within memory, a late holder is not waited for.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::proto::session::PeerEvent;
use crate::swarm::{Command, PeerKey, PlayWindow};

const BLOCK: u32 = 16 * 1024;

/// A torrent of pieces of 4 blocks that is passed on, with memory for 8 of them.
fn passed_on(seed: u64, pieces: u32) -> World {
    let total = u64::from(pieces * 4 * BLOCK);
    let mut world = World::with(seed, 4 * BLOCK, total, u64::from(8 * 4 * BLOCK), |config| config.transient = true);
    world.start(Vec::new());
    world
}

fn window(first: u32, end: u32, ahead: u32) -> Command {
    Command::Play(vec![PlayWindow { first, end, ahead }])
}

fn pieces_granted(world: &mut World) -> BTreeSet<u32> {
    std::mem::take(&mut world.grants).into_iter().map(|(_, piece, _, _)| piece).collect()
}

#[test]
fn what_is_passed_on_is_fetched_within_memory_and_nobody_hears_of_it() {
    let mut world = passed_on(1, 40);
    let (seed, other) = (world.seed(1 << 20), world.seed(1 << 20));
    let leecher = world.peer(Bitfield::new(40), 0, 0);
    // Everything that comes waits for a reader who takes nothing.
    while world.deliver(seed) || world.deliver(other) {}
    world.check();
    assert_eq!(pieces_granted(&mut world), (0..7).collect(), "an eighth of the memory is left free");
    assert_eq!((world.jobs.len(), world.torrent.snapshot().staged_bytes), (7, u64::from(7 * 4 * BLOCK)));
    // The reader takes one piece, and one more is fetched.
    world.disk_works();
    while world.deliver(seed) || world.deliver(other) {}
    assert_eq!(pieces_granted(&mut world), BTreeSet::from([7]));
    world.run();
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
    assert_eq!(world.peers.get(&leecher).map_or(0, |peer| peer.haves_grew), 0);
    assert_eq!(world.torrent.totals().left, world.truth.len() as u64, "none of it is kept");
    assert_eq!(world.torrent.snapshot().done_bytes, world.truth.len() as u64);
}

#[test]
fn a_stop_throws_away_what_would_be_passed_on() {
    let mut world = passed_on(2, 20);
    let seed = world.seed(1 << 20);
    world.deliver_some(seed, 6);
    world.command(Command::Stop);
    assert!(world.jobs.iter().all(|job| matches!(job, crate::swarm::DiskJob::Finish { .. })), "nothing is spilled");
    world.disk_works_off();
    assert!(world.torrent.is_at_rest());
}

#[test]
fn a_reader_is_served_before_the_rest_and_after_a_jump_what_stands_in_its_way_comes_back() {
    let mut world = World::started(3, 4 * BLOCK, u64::from(100 * 4 * BLOCK), 64 << 20);
    let seed = world.seed(16 * BLOCK);
    world.grants.clear();
    world.command(window(40, 100, 10));
    assert!(world.recalls > 0);
    while world.grants.len() < 20 {
        world.deliver(seed);
        world.disk_works();
    }
    let order: Vec<u32> = world.grants.iter().map(|grant| grant.1).collect();
    assert!(order.is_sorted() && order[0] == 40, "{order:?}");
    (world.recalls, world.grants) = (0, Vec::new());
    world.command(window(10, 100, 10));
    assert!(world.recalls > 0);
    assert_eq!(world.grants[0].1, 10, "{:?}", world.grants);
    world.check();
    world.run();
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
}

#[test]
fn one_who_is_far_slower_than_the_others_gets_nothing_that_a_reader_waits_for() {
    let mut world = World::started(4, 64 * BLOCK, u64::from(8 * 64 * BLOCK), 64 << 20);
    world.command(window(0, 8, 4));
    let full = Bitfield::full(8);
    let [quick, slow, other] = [4_000_000, 10_000, 4_000_000].map(|rate| {
        let key = world.connect();
        world.event(key, PeerEvent::Has(full.clone()));
        let peer = world.peers.get_mut(&key).unwrap();
        (peer.window, peer.rate) = (8 * BLOCK, rate);
        key
    });
    [quick, slow, other].into_iter().for_each(|key| world.unchoke(key));
    let first = |world: &World, key| world.grants.iter().filter(|grant| grant.0 == key && grant.1 == 0).count();
    assert!(first(&world, quick) > 0 && first(&world, other) > 0, "{:?}", world.grants);
    assert_eq!(first(&world, slow), 0);
    assert!(world.held(slow) > 0, "it works on what is needed later");
}

#[test]
fn a_late_block_is_leased_a_second_time_to_one_who_is_quick() {
    let mut world = World::started(5, 8 * BLOCK, u64::from(40 * 8 * BLOCK), 64 << 20);
    world.command(window(0, 40, 20));
    let full = Bitfield::full(40);
    // The only one at first: it gets the first piece.
    let slow = world.peer(full.clone(), 8 * BLOCK, 0);
    assert!(world.grants.iter().any(|grant| (grant.0, grant.1) == (slow, 0)));
    world.wait(Duration::from_secs(2));
    let quick = world.peer(full, 16 * BLOCK, 4_000_000);
    let again = world.grants.iter().filter(|grant| grant.0 == quick && grant.1 == 0).count();
    assert!(again > 0, "{:?}", world.grants);
    world.check();
    for _ in 0..200 {
        world.deliver(quick);
        world.disk_works();
        world.check();
    }
    assert!(world.verified.contains(&0), "{:?}", world.verified);
}

#[test]
fn a_reader_takes_memory_from_what_nobody_reads() {
    // Room for one or two pieces, open for other reasons, and their holder, the quicker one, at work.
    for room in 1..=2 {
        let mut world = World::started(6, 8 * BLOCK, u64::from(10 * 8 * BLOCK), u64::from(room * 8 * BLOCK));
        let mut has = Bitfield::new(10);
        has.set(4);
        has.set(5);
        let busy = world.peer(has, 16 * BLOCK, 100_000);
        world.deliver_some(busy, 3);
        let seed = world.seed(8 * BLOCK);
        world.command(window(0, 10, 3));
        world.wait(Duration::from_secs(1));
        world.disk_works_off();
        world.wait(Duration::from_secs(1));
        assert!(world.grants.iter().any(|grant| (grant.0, grant.1) == (seed, 0)), "{:?}", world.grants);
        world.check();
        world.hunger(busy);
        world.run();
        assert_eq!(world.disk, world.truth);
    }
}

#[test]
fn a_piece_that_fails_within_a_window_is_fetched_again() {
    let mut world = passed_on(7, 12);
    let liar = world.peer(Bitfield::full(12), 4 * BLOCK, 0);
    world.peers.get_mut(&liar).unwrap().lies = true;
    world.deliver_some(liar, 4);
    world.disk_works_off();
    world.close(liar);
    world.seed(1 << 20);
    world.run();
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
}

#[test]
fn one_who_has_only_later_pieces_does_not_fill_the_memory() {
    let mut world = passed_on(8, 40);
    let mut late_half = Bitfield::full(40);
    for piece in 0..20 {
        late_half.clear(piece);
    }
    let late = world.peer(late_half, 1 << 20, 0);
    assert_eq!(world.held(late), 0);
    let seed = world.seed(1 << 20);
    assert!(world.held(seed) > 0);
    world.event(late, PeerEvent::Unchoked);
    world.run();
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
}

#[test]
fn the_only_one_is_asked_for_what_a_reader_waits_for_even_if_it_is_late() {
    let mut world = World::started(9, 4 * BLOCK, u64::from(100 * 4 * BLOCK), 64 << 20);
    world.command(window(0, 100, 10));
    let only = world.peer(Bitfield::full(100), 8 * BLOCK, 1_000_000);
    world.wait(Duration::from_secs(2));
    assert!(!pieces_granted(&mut world).contains(&9), "half a second of its rate");
    let peer = world.peers.get_mut(&only).unwrap();
    (peer.window, peer.rate) = (64 * BLOCK, 4_000_000);
    world.hunger(only);
    assert!(pieces_granted(&mut world).contains(&9));
}

/// Blocks of a piece that were granted to a peer.
fn blocks_of(world: &World, key: PeerKey, piece: u32) -> u32 {
    world.grants.iter().filter(|grant| (grant.0, grant.1) == (key, piece)).map(|grant| grant.3).sum()
}

/// A reader at the beginning of pieces of 64 blocks, and so many equally quick peers that have asked for nothing yet.
fn before_the_first_lease<const N: usize>(seed: u64) -> (World, [PeerKey; N]) {
    let mut world = World::started(seed, 64 * BLOCK, u64::from(8 * 64 * BLOCK), 64 << 20);
    world.command(window(0, 8, 4));
    let keys = [(); N].map(|()| world.peer(Bitfield::full(8), 0, 4_000_000));
    world.grants.clear();
    (world, keys)
}

fn wants(world: &mut World, key: PeerKey, blocks: u32) {
    world.peers.get_mut(&key).unwrap().window = blocks * BLOCK;
    world.hunger(key);
}

#[test]
fn what_a_reader_waits_for_is_shared_out_among_all_who_are_quick() {
    let (mut world, keys) = before_the_first_lease::<2>(9);
    for blocks in [8, 16, 64] {
        keys.into_iter().for_each(|key| wants(&mut world, key, blocks));
    }
    let [one, other] = keys.map(|key| blocks_of(&world, key, 0));
    assert_eq!(one + other, 64, "however often they ask");
    assert!(one.abs_diff(other) <= 4, "{one} and {other}: a block is not divided");
    world.check();
}

#[test]
fn one_who_has_stopped_sending_gets_nothing_more_that_a_reader_waits_for() {
    let (mut world, [snubbed, _quick]) = before_the_first_lease(10);
    world.event(snubbed, PeerEvent::Snubbed(true));
    wants(&mut world, snubbed, 8);
    assert_eq!(blocks_of(&world, snubbed, 0), 0);
    assert!(world.held(snubbed) > 0, "with what is needed later it may show that it sends again");
}

#[test]
fn what_comes_soon_is_leased_once() {
    let mut world = World::started(12, 16 * BLOCK, u64::from(40 * 16 * BLOCK), 64 << 20);
    world.command(window(0, 40, 20));
    // 256 KiB in an eighth of a second; the other one could have them at once.
    let holder = world.peer(Bitfield::full(40), 16 * BLOCK, 2_000_000);
    assert_eq!(blocks_of(&world, holder, 0), 16);
    let other = world.peer(Bitfield::full(40), 64 * BLOCK, 400_000_000);
    assert!(world.held(other) > 0);
    assert_eq!(blocks_of(&world, other, 0), 0);
}

/// A reader at the beginning, one that holds much of what is due and brings nothing, and when it was asked.
fn with_a_silent_holder(seed: u64) -> (World, PeerKey) {
    let mut world = World::started(seed, 4 * BLOCK, u64::from(100 * 4 * BLOCK), 64 << 20);
    world.command(window(0, 100, 100));
    let silent = world.peer(Bitfield::full(100), 64 * BLOCK, 1_000_000);
    assert!(world.held(silent) >= 16 * BLOCK, "it was asked for several pieces");
    (world, silent)
}

#[test]
fn who_is_silent_keeps_only_the_first_of_what_is_due_as_soon_as_others_are_at_work() {
    let (mut world, silent) = with_a_silent_holder(13);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.recalls, 0, "nobody else could do it");
    let quick = world.peer(Bitfield::full(100), 32 * BLOCK, 4_000_000);
    world.wait(Duration::from_millis(100));
    assert!(world.recalls > 0);
    assert!(world.held(silent) <= 4 * BLOCK, "{}", world.held(silent));
    let given_since = world.grants.iter().rposition(|grant| grant.0 == silent);
    let quick_since = world.grants.iter().position(|grant| grant.0 == quick);
    assert!(given_since < quick_since, "it gets nothing that is due: {:?}", world.grants);
    world.check();
    // As soon as it brings the first of it, it counts again.
    world.grants.clear();
    while world.held(silent) > 0 && world.grants.iter().all(|grant| grant.0 != silent) {
        world.deliver(silent);
    }
    assert!(world.grants.iter().any(|grant| grant.0 == silent), "{:?}", world.grants);
    world.run();
    assert_eq!((world.completes, &world.disk), (1, &world.truth));
}

#[test]
fn one_that_brings_something_now_and_then_is_not_silent() {
    let (mut world, holder) = with_a_silent_holder(14);
    world.peer(Bitfield::full(100), 0, 4_000_000);
    for _ in 0..20 {
        world.deliver_some(holder, 4);
        world.wait(Duration::from_millis(100));
    }
    assert_eq!(world.recalls, 0);
}
