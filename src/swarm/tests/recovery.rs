//! What goes wrong, and what then happens: liars, silence, lack of memory, stopping.

use std::collections::BTreeSet;
use std::time::Duration;

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::base::run::RunBuffer;
use crate::proto::session::PeerEvent;
use crate::swarm::{Command, DiskFailure, DiskFailureKind, DiskJob, DiskOutcome, PeerKey};

const BLOCK: u32 = 16 * 1024;
const MEMORY: u64 = 64 << 20;

fn of(pieces: u32, ones: impl IntoIterator<Item = u32>) -> Bitfield {
    let mut bits = Bitfield::new(pieces);
    for one in ones {
        bits.set(one);
    }
    bits
}

fn holders(world: &World) -> BTreeSet<PeerKey> {
    world.peers.iter().filter(|(_, peer)| !peer.leases.is_empty()).map(|(key, _)| *key).collect()
}

#[test]
fn a_liar_is_banned_and_honest_contributors_are_spared() {
    for seed in 0..10 {
        let mut world = World::started(seed, 8 * BLOCK, 80 * u64::from(BLOCK), MEMORY);
        let peers: Vec<PeerKey> = (0..4).map(|_| world.peer(Bitfield::full(10), 3 * BLOCK, 0)).collect();
        let liar = world.peers.get_mut(&peers[1]).unwrap();
        liar.lies = true;
        let liars_addr = world.torrent.connections().find(|(key, _)| *key == peers[1]).unwrap().1;
        world.run();
        assert_eq!(world.completes, 1, "seed {seed}");
        assert!(world.disk == world.truth);
        assert_eq!(world.banned, [liars_addr], "seed {seed}");
        assert!(world.torrent.snapshot().wasted > 0);
        assert!(world.torrent.accept(world.now, liars_addr).is_none());
    }
}

#[test]
fn a_liar_that_has_left_is_banned_all_the_same() {
    let mut world = World::started(1, 2 * BLOCK, 2 * u64::from(BLOCK), MEMORY);
    let honest = world.connect();
    let liar = world.connect();
    for key in [honest, liar] {
        world.event(key, PeerEvent::Has(Bitfield::full(1)));
        world.peers.get_mut(&key).unwrap().window = BLOCK;
    }
    let addr = world.torrent.connections().find(|(key, _)| *key == liar).unwrap().1;
    world.peers.get_mut(&liar).unwrap().lies = true;
    world.unchoke(honest);
    world.unchoke(liar);
    world.deliver(liar);
    world.event(liar, PeerEvent::Tally(crate::proto::session::Tally { down: 16384, ..Default::default() }));
    world.deliver(honest);
    world.close(liar);
    world.run();
    assert_eq!((world.completes, world.banned), (1, vec![addr]));
}

#[test]
fn a_piece_wholly_from_one_liar_convicts_it_at_once() {
    let mut world = World::started(1, 4 * BLOCK, 4 * u64::from(BLOCK), MEMORY);
    let liar = world.seed(1 << 20);
    world.peers.get_mut(&liar).unwrap().lies = true;
    world.run();
    assert_eq!((world.completes, world.banned.len(), world.peers.len()), (0, 1, 0));
    world.seed(1 << 20);
    world.run();
    assert_eq!(world.completes, 1);
}

#[test]
fn a_snubbed_peers_leases_go_to_others() {
    let mut world = World::started(1, 8 * BLOCK, 8 * u64::from(BLOCK), MEMORY);
    let slow = world.seed(1 << 20);
    assert_eq!(world.held(slow), 8 * BLOCK);
    world.event(slow, PeerEvent::Snubbed(true));
    assert_eq!(world.held(slow), BLOCK, "one block to show that it is back");
    let quick = world.peer(Bitfield::full(1), 1 << 20, 1 << 20);
    assert_eq!(world.held(quick), 8 * BLOCK, "the rest, and that one block a second time");
    world.check();
    while world.deliver(quick) {}
    world.disk_works_off();
    assert_eq!((world.completes, world.held(slow)), (1, 0));
}

#[test]
fn in_the_endgame_the_quick_take_from_the_slow() {
    let mut world = World::started(1, 64 * BLOCK, 64 * u64::from(BLOCK), MEMORY);
    let slow = world.peer(Bitfield::full(1), 64 * BLOCK, 20_000);
    assert_eq!(world.held(slow), 64 * BLOCK);
    let quick = world.peer(Bitfield::full(1), 1 << 20, 10 << 20);
    world.check();
    assert_eq!(world.held(quick), 32 * BLOCK, "half of what is missing, from its end");
    assert!(world.grants.contains(&(quick, 0, 32, 32)));
    while world.deliver(quick) {
        world.check();
    }
    world.disk_works_off();
    assert_eq!(world.completes, 1);
    assert!(world.recalls >= 1);
    assert_eq!(world.torrent.snapshot().wasted, 0, "the slow one had sent nothing");
    assert!(world.disk == world.truth);
}

#[test]
fn a_slow_holder_loses_its_lease_when_there_is_no_memory_for_two() {
    let mut world = World::started(1, 64 * BLOCK, 64 * u64::from(BLOCK), 1);
    let slow = world.peer(Bitfield::full(1), 64 * BLOCK, 20_000);
    let quick = world.peer(Bitfield::full(1), 1 << 20, 10 << 20);
    world.check();
    assert_eq!(world.held(quick), 0);
    world.wait(Duration::from_secs(4));
    world.check();
    assert!(world.held(quick) > 50 * BLOCK, "{}", world.held(quick) / BLOCK);
    assert!(world.held(slow) < 5 * BLOCK);
    world.run();
    assert_eq!(world.completes, 1);
}

#[test]
fn a_peer_that_gives_a_piece_back_is_asked_for_others() {
    let mut world = World::started(1, BLOCK, 3 * u64::from(BLOCK), MEMORY);
    let seed = world.seed(BLOCK);
    let refuse = |world: &mut World| {
        let run = world.peers.get_mut(&seed).unwrap().leases.pop_front().unwrap();
        let piece = run.run.piece;
        world.event(seed, PeerEvent::Returned(run));
        world.hunger(seed);
        piece
    };
    let mut refused = BTreeSet::new();
    for _ in 0..3 {
        assert!(refused.insert(refuse(&mut world)));
    }
    assert!(world.peers[&seed].leases.is_empty());
    world.wait(Duration::from_secs(31));
    world.hunger(seed);
    assert!(!world.peers[&seed].leases.is_empty(), "later it is asked again");
}

#[test]
fn stuck_memory_goes_to_the_disk_and_comes_back() {
    // Memory for one piece. Its only holder leaves when half of it is there; others have other pieces.
    let mut world = World::started(1, 8 * BLOCK, 32 * u64::from(BLOCK), 1);
    let gone = world.peer(of(4, [2]), 1 << 20, 0);
    world.deliver_some(gone, 4);
    world.close(gone);
    let other = world.peer(of(4, [0, 1, 3]), 1 << 20, 0);
    assert!(matches!(world.jobs[0], DiskJob::Spill { piece: 2, .. }), "nobody can help with it");
    world.check();
    world.run();
    assert_eq!(world.verified, [0, 1, 3].into());
    assert_eq!(world.torrent.spilled().len(), 1);
    world.wait(Duration::from_secs(1));
    assert!(!world.peers[&other].interest, "it has nothing more for us");
    let last = world.peer(of(4, [2]), 1 << 20, 0);
    assert!(matches!(world.jobs[0], DiskJob::Load { piece: 2, .. }));
    assert_eq!(world.held(last), 4 * BLOCK, "only what is missing is asked for");
    world.run();
    assert_eq!((world.completes, world.torrent.spilled().len()), (1, 0));
    assert!(world.disk == world.truth);
}

#[test]
fn a_stop_spills_what_is_open_and_the_next_run_takes_it_up() {
    let mut world = World::started(1, 64 * BLOCK, 256 * u64::from(BLOCK), MEMORY);
    let seed = world.seed(10 * BLOCK);
    world.deliver_some(seed, 25);
    world.command(Command::Stop);
    assert!(!world.torrent.is_at_rest(), "the disk has work");
    world.disk_works_off();
    assert!(world.torrent.is_at_rest());
    assert_eq!(holders(&world), BTreeSet::new());
    let spilled = world.torrent.spilled();
    let blocks: u32 = spilled.iter().map(|spilled| spilled.blocks.count()).sum();
    assert_eq!(blocks, 25);
    assert!(world.torrent.poll_timeout().is_none());

    let mut next = World::new(1, 64 * BLOCK, 256 * u64::from(BLOCK), MEMORY);
    next.disk.clone_from(&world.disk);
    next.start(spilled);
    let seed = next.seed(1 << 20);
    next.run();
    assert!(!next.peers.contains_key(&seed));
    let asked: u32 = next.grants.iter().map(|(_, _, _, count)| count).sum();
    assert_eq!((next.completes, asked), (1, 256 - 25));
    assert!(next.disk == next.truth);
}

#[test]
fn nonsense_from_an_earlier_run_is_fetched_again() {
    let mut world = World::new(1, 4 * BLOCK, 8 * u64::from(BLOCK), MEMORY);
    let spilled = vec![
        crate::swarm::action::SpilledPiece { piece: 0, blocks: of(4, [0, 1, 2]) },
        crate::swarm::action::SpilledPiece { piece: 9, blocks: of(4, [0]) },
        crate::swarm::action::SpilledPiece { piece: 1, blocks: of(3, [0]) },
    ];
    world.start(spilled);
    world.seed(1 << 20);
    world.run();
    assert_eq!((world.completes, world.banned.len()), (1, 0), "what was on disk was wrong; nobody here is to blame");
}

#[test]
fn what_is_not_wanted_any_more_is_recalled() {
    let mut world = World::started(1, 4 * BLOCK, 16 * u64::from(BLOCK), MEMORY);
    let seed = world.seed(1 << 20);
    assert_eq!(world.held(seed), 16 * BLOCK);
    world.command(Command::Want(of(4, [3])));
    world.check();
    assert_eq!(world.held(seed), 4 * BLOCK);
    world.run();
    assert_eq!((world.completes, &world.verified), (1, &[3].into()));
    assert_eq!(world.torrent.totals().left, u64::from(12 * BLOCK), "left is of the torrent, not of the selection");

    let more = world.connect();
    world.event(more, PeerEvent::Has(Bitfield::new(4)));
    world.command(Command::Want(of(4, [0, 3])));
    assert_eq!(world.peers[&more].upload_only, Some(false));
    world.seed(1 << 20);
    world.run();
    assert_eq!((world.completes, &world.verified), (2, &[0, 3].into()));
}

#[test]
fn a_disk_that_refuses_ends_all_asking() {
    let mut world = World::started(1, 4 * BLOCK, 16 * u64::from(BLOCK), MEMORY);
    let seed = world.seed(1 << 20);
    world.deliver_some(seed, 4);
    let Some(DiskJob::Finish { piece, runs, .. }) = world.jobs.pop_front() else { panic!("a piece is complete") };
    let error = DiskFailure { kind: DiskFailureKind::NoSpace, message: "full".into() };
    world.torrent.on_disk(world.now, DiskOutcome::Failed { piece, runs, error });
    world.play();
    world.check();
    assert_eq!(world.held(seed), 0);
    world.command(Command::Stop);
    world.disk_works_off();
    assert!(world.torrent.is_at_rest());
}

#[test]
fn a_buffer_that_is_lost_or_foreign_harms_nothing() {
    let mut world = World::started(1, 4 * BLOCK, 16 * u64::from(BLOCK), MEMORY);
    let (one, other) = (world.seed(4 * BLOCK), world.seed(4 * BLOCK));
    let lease = &world.peers[&one].leases[0];
    let forged =
        RunBuffer { have: lease.run.full_mask(), want: 0, ..RunBuffer::new(lease.id, lease.run, &world.layout) };
    world.event(other, PeerEvent::Filled(forged));
    world.check();
    // The session is gone and its buffers with it.
    world.peers.remove(&one);
    world.event(one, PeerEvent::Closed(crate::proto::session::message::CloseReason::Lost("panic".into())));
    world.check();
    world.run();
    assert_eq!(world.completes, 1);
    assert!(world.disk == world.truth);
}

#[test]
fn many_slow_peers_and_large_pieces_stay_within_little_memory() {
    // 100 peers with some pieces each, room for two pieces of sixteen.
    let (blocks, pieces) = (64, 16);
    let mut world =
        World::started(7, blocks * BLOCK, u64::from(pieces * blocks * BLOCK), 2 * u64::from(blocks * BLOCK));
    for n in 0..100u32 {
        world.peer(of(pieces, (0..pieces).filter(|piece| (piece + n) % 5 == 0)), 4 * BLOCK, 5_000);
    }
    world.check();
    for _ in 0..2_000 {
        if world.completes > 0 {
            break;
        }
        world.run();
        world.wait(Duration::from_secs(1));
    }
    assert_eq!(world.completes, 1, "{:?}", world.torrent.snapshot());
    assert!(world.disk == world.truth);
}
