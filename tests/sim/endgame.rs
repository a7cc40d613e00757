//! The last blocks.

use std::time::Duration;

use crate::node::Setup;
use crate::world::{Weather, World};

/// Runs until the leecher (the last client) lacks at most `pieces` pieces.
fn until_nearly_done(world: &mut World, pieces: u32) {
    let leecher = world.nodes.len() - 1;
    world.run_until(Duration::from_secs(100), move |world| {
        let node = &world.nodes[leecher];
        node.disk.verified.count() + pieces >= world.facts.layout.pieces()
    });
}

#[test]
fn a_peer_that_vanishes_in_endgame_takes_nothing_with_it() {
    for seed in 1..=4 {
        let mut world = World::new(seed, 256 * 1024, 6_000_000, Weather::foul());
        world.add(Setup::seeder().up(300_000));
        world.add(Setup::seeder().up(900_000));
        world.add(Setup::seeder().up(900_000));
        world.add(Setup::leecher());
        until_nearly_done(&mut world, 3);
        assert!(!world.all_complete());
        world.kill(1);
        world.kill(2);
        let before = world.elapsed();
        world.run_until(Duration::from_secs(100), World::all_complete);
        let rest = world.elapsed() - before;
        assert!(rest < Duration::from_secs(12), "seed {seed}: {rest:?} for three pieces at 300 kB/s");
    }
}

#[test]
fn a_slow_peer_does_not_keep_the_end_waiting() {
    let mut world = World::new(9, 256 * 1024, 8_000_000, Weather::fair());
    world.add(Setup::seeder().up(8_000));
    world.add(Setup::seeder().up(1_000_000));
    world.add(Setup::leecher());
    world.run_until(Duration::from_secs(100), World::all_complete);
    assert!(world.elapsed() < Duration::from_secs(14), "{:?}", world.elapsed());
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}
