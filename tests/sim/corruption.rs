//! Clients that send wrong bytes.

use std::time::Duration;

use crate::node::{Habit, Setup};
use crate::world::{Weather, World};

/// Some honest seeders and some that lie in a tenth of their blocks.
fn among_liars(seed: u64, liars: usize) -> World {
    let mut world = World::new(seed, 256 * 1024, 6_000_000, Weather::fair());
    for _ in 0..3 {
        world.add(Setup::seeder().up(300_000));
    }
    for _ in 0..liars {
        world.add(Setup::seeder().up(600_000).habit(Habit::Corrupt(0.1)));
    }
    for _ in 0..3 {
        world.add(Setup::leecher());
    }
    world
}

#[test]
fn corrupt_seeders_are_found_and_banned_and_honest_ones_are_spared() {
    for seed in [1, 2, 3] {
        let mut world = among_liars(seed, 2);
        let liars = [world.nodes[3].addr, world.nodes[4].addr];
        world.run_until(Duration::from_secs(200), World::all_complete);
        let leechers = &world.nodes[5..];
        assert!(leechers.iter().any(|node| node.disk.mismatches > 0), "seed {seed}: nothing was corrupt");
        for node in leechers {
            assert!(node.banned.iter().all(|addr| liars.contains(addr)), "seed {seed}: {:?}", node.banned);
        }
        assert!(leechers.iter().any(|node| !node.banned.is_empty()), "seed {seed}: nobody was found");
    }
}

#[test]
fn a_lone_liar_does_not_end_as_a_verified_file() {
    let mut world = World::new(5, 64 * 1024, 1_000_000, Weather::fair());
    world.add(Setup::seeder().habit(Habit::Corrupt(1.0)));
    let leecher = world.add(Setup::leecher());
    world.run_for(Duration::from_secs(60));
    assert!(world.nodes[leecher].disk.verified.none());
    // An honest one comes, and all is well.
    world.add(Setup::seeder());
    world.run_until(Duration::from_secs(120), |world| world.is_complete(1));
    assert!(world.nodes[leecher].disk.bytes == world.facts.bytes);
}
