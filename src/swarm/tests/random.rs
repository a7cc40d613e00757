//! Random schedules from fixed seeds: whatever happens, every byte has one owner, memory is never beyond the budget,
//! and everything is finished in the end.

use std::time::Duration;

use rand::RngExt;

use super::world::World;
use crate::base::bitfield::Bitfield;
use crate::proto::session::PeerEvent;
use crate::swarm::PeerKey;

const BLOCK: u32 = 16 * 1024;

/// Some hundred random events.
fn storm(world: &mut World, events: u32) {
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
                world.peer(has, window, rate);
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
            22..35 => drop(world.disk_works()),
            35..40 => {
                let millis = world.rng.random_range(0..4_000);
                world.wait(Duration::from_millis(millis));
            }
            _ => drop(world.deliver(key)),
        }
        world.check();
    }
}

fn whole_download(seed: u64, piece_blocks: u32, total: u64, memory: u64) {
    let mut world = World::started(seed, piece_blocks * BLOCK, total, memory);
    storm(&mut world, 1_500);
    let helper = world.seed(1 << 20);
    for _ in 0..200 {
        if world.completes > 0 {
            break;
        }
        world.hunger(helper);
        world.run();
        world.wait(Duration::from_secs(5));
    }
    assert_eq!(world.completes, 1, "seed {seed}: {:?}", world.torrent.snapshot());
    world.disk_works_off();
    assert!(world.disk == world.truth, "seed {seed}");
}

#[test]
fn everything_is_finished_whatever_happens() {
    for seed in 0..15 {
        whole_download(seed, 4, 60 * u64::from(BLOCK) + 5, 64 << 20);
    }
}

#[test]
fn little_memory_stalls_nothing() {
    for seed in 100..116 {
        let memory = u64::from(BLOCK) * [1, 16, 17, 40][seed as usize % 4];
        whole_download(seed, 16, 200 * u64::from(BLOCK) + 5, memory);
    }
}

#[test]
fn pieces_longer_than_a_run() {
    for seed in 200..204 {
        whole_download(seed, 150, 700 * u64::from(BLOCK), u64::from(BLOCK) * 320);
    }
}
