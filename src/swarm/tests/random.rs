//! Random schedules from fixed seeds: whatever happens, every byte has one owner, memory is never beyond the budget,
//! and everything is finished in the end.

use std::time::Duration;

use rand::RngExt;

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::proto::session::PeerEvent;
use crate::swarm::{Command, PeerKey};

const BLOCK: u32 = 16 * 1024;

/// Some hundred random events.
fn storm(world: &mut World, events: u32, wants: bool) {
    for _ in 0..events {
        let keys: Vec<PeerKey> = world.peers.keys().copied().collect();
        let key = match keys.len() {
            0 => PeerKey(0),
            len => keys[world.rng.random_range(0..len)],
        };
        let pieces = world.layout.pieces();
        match world.rng.random_range(0..100) {
            0..4 if keys.len() < 12 => {
                let share = world.rng.random_range(0.0..1.4);
                let mut has = Bitfield::new(pieces);
                for piece in 0..pieces {
                    if world.rng.random_bool(f64::min(share, 1.0)) {
                        has.set(piece);
                    }
                }
                let window = 1 << world.rng.random_range(12..20);
                let rate = [0, 1_000, 100_000, 10_000_000][world.rng.random_range(0..4)];
                let key = world.peer(has, window, rate);
                let lies = world.rng.random_bool(0.1);
                if let Some(peer) = world.peers.get_mut(&key) {
                    peer.lies = lies;
                }
            }
            4..6 => world.close(key),
            6..9 if keys.contains(&key) => world.choke(key),
            9..14 if keys.contains(&key) => world.unchoke(key),
            14..16 => {
                let snubbed = world.rng.random();
                world.event(key, PeerEvent::Snubbed(snubbed));
            }
            16..20 => {
                let piece = world.rng.random_range(0..pieces);
                world.event(key, PeerEvent::Have(vec![piece]));
            }
            20..22 => {
                let piece = world.rng.random_range(0..pieces);
                world.event(key, PeerEvent::DontHave(piece));
            }
            22..35 => {
                world.disk_works();
            }
            35..40 => {
                let millis = world.rng.random_range(0..4_000);
                world.wait(Duration::from_millis(millis));
            }
            40..42 if wants => {
                let mut want = Bitfield::new(pieces);
                for piece in 0..pieces {
                    if world.rng.random_bool(0.7) {
                        want.set(piece);
                    }
                }
                world.command(Command::Want(want));
            }
            _ => {
                world.deliver(key);
            }
        }
        world.check();
    }
}

fn whole_download(seed: u64, piece_blocks: u32, total: u64, memory: u64) {
    let mut world = World::started(seed, piece_blocks * BLOCK, total, memory);
    storm(&mut world, 1_500, false);
    finish(world, seed);
}

/// A reliable peer comes: all is fetched.
fn finish(mut world: World, seed: u64) {
    let before = world.completes;
    for key in world.peers.keys().copied().collect::<Vec<_>>() {
        world.peers.get_mut(&key).unwrap().lies = false;
    }
    let helper = world.seed(1 << 20);
    for _ in 0..200 {
        if world.torrent.is_complete() {
            break;
        }
        world.hunger(helper);
        world.run();
        world.wait(Duration::from_secs(5));
    }
    assert!(world.completes == 1 || before > 0, "seed {seed}: {:?}", world.torrent.snapshot());
    assert!(world.torrent.is_complete());
    world.disk_works_off();
    assert!(world.disk == world.truth, "seed {seed}");
}

#[test]
fn everything_is_finished_whatever_happens() {
    for seed in 0..8 {
        whole_download(seed, 4, 60 * u64::from(BLOCK) + 5, 64 << 20);
    }
}

#[test]
fn little_memory_stalls_nothing() {
    for seed in 100..110 {
        let memory = u64::from(BLOCK) * [1, 16, 17, 40][seed as usize % 4];
        whole_download(seed, 16, 200 * u64::from(BLOCK) + 5, memory);
    }
}

#[test]
fn a_selection_that_changes_all_the_time() {
    for seed in 300..306 {
        let mut world = World::started(seed, 16 * BLOCK, 200 * u64::from(BLOCK), 40 * u64::from(BLOCK));
        storm(&mut world, 1_000, true);
        world.command(Command::Want(Bitfield::full(world.layout.pieces())));
        finish(world, seed);
    }
}

#[test]
fn pieces_longer_than_a_run() {
    for seed in 200..203 {
        whole_download(seed, 150, 700 * u64::from(BLOCK), u64::from(BLOCK) * 320);
    }
}
