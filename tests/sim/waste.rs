//! What is received twice.

use std::time::Duration;

use crate::crowd::crowd;
use crate::node::Setup;
use crate::world::{Weather, World};

/// Of the payload that all clients received, the share that was thrown away.
fn waste(world: &World) -> f64 {
    let snapshots = world.nodes.iter().map(|node| node.torrent.snapshot());
    let (wasted, received) = snapshots.fold((0, 0), |(w, d), s| (w + s.wasted, d + s.downloaded));
    wasted as f64 / received.max(1) as f64
}

#[test]
fn leechers_that_are_short_of_bandwidth_receive_little_twice() {
    let mut world = World::new(1, 256 * 1024, 12_000_000, Weather::fair());
    world.add(Setup::seeder().up(500_000));
    for _ in 0..20 {
        world.add(Setup::leecher().up(300_000));
    }
    world.run_until(Duration::from_secs(600), World::all_complete);
    assert!(waste(&world) < 0.05, "{:.3}", waste(&world));
}

#[test]
fn nor_do_they_where_nearly_all_of_it_is_the_end() {
    // 23 pieces, and 30 who want them of one slow seeder.
    let mut world = crowd(32, 30, Weather::fair());
    world.run_until(Duration::from_secs(300), World::all_complete);
    assert!(waste(&world) < 0.15, "{:.3}", waste(&world));
}

#[test]
fn a_small_file_from_quick_seeders_is_asked_for_about_once() {
    for seed in 1..4 {
        let mut world = World::new(seed, 32 * 1024, 256 * 1024, Weather::fair());
        for _ in 0..5 {
            world.add(Setup::seeder().up(1_000_000));
        }
        world.add(Setup::leecher());
        world.run_until(Duration::from_secs(60), World::all_complete);
        assert!(waste(&world) < 0.15, "seed {seed}: {:.3}", waste(&world));
        assert!(world.elapsed() < Duration::from_millis(600), "seed {seed}: {:?}", world.elapsed());
    }
}
