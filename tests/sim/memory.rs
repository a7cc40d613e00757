//! A tight memory budget. `Node::check_memory` looks after it in every scenario; here it is what matters.

use std::time::Duration;

use crate::node::Setup;
use crate::world::{Weather, World};

/// Pieces of 1 MiB and leechers with room for so many of them.
fn tight(seed: u64, pieces_in_memory: u64, leechers: usize) -> World {
    let mut world = World::new(seed, 1 << 20, 10_000_000, Weather::fair());
    world.add(Setup::seeder().up(1_000_000));
    for _ in 0..leechers {
        world.add(Setup { memory: pieces_in_memory << 20, ..Setup::leecher().up(1_000_000) });
    }
    world
}

#[test]
fn room_for_one_piece_is_enough() {
    for seed in [1, 2] {
        let mut world = tight(seed, 1, 6);
        world.run_until(Duration::from_secs(300), World::all_complete);
        assert!(world.nodes[1..].iter().all(|node| node.peak <= 1 << 20));
        assert!(world.violations.is_empty(), "{:?}", world.violations);
    }
}

#[test]
fn less_than_a_piece_counts_as_one() {
    let mut world = tight(3, 0, 2);
    world.run_until(Duration::from_secs(300), World::all_complete);
}

#[test]
fn pieces_that_only_the_dead_could_finish_make_room_for_others() {
    for seed in [4, 5] {
        // Every leecher has begun pieces; then half of the swarm is gone, and its bytes with it.
        let mut world = tight(seed, 2, 8);
        world.run_for(Duration::from_secs(8));
        for id in [2, 4, 6, 8] {
            world.kill(id);
        }
        world.run_until(Duration::from_secs(300), World::all_complete);
    }
}

#[test]
fn long_pieces_from_a_hundred_slow_peers_stay_within_the_budget_and_do_not_stall() {
    // Room for two pieces of four; every peer alone would need 37 minutes, all together 22 seconds.
    let mut world = World::new(6, 16 << 20, 64 << 20, Weather::fair());
    for _ in 0..100 {
        world.add(Setup::seeder().up(30_000));
    }
    let leecher = world.add(Setup { memory: 32 << 20, ..Setup::leecher() });
    world.run_until(Duration::from_secs(120), World::all_complete);
    assert!(world.nodes[leecher].peak <= 32 << 20, "{}", world.nodes[leecher].peak);
    assert!(world.violations.is_empty(), "{:?}", world.violations);
    assert!(world.elapsed() < Duration::from_secs(60), "{:?}", world.elapsed());
}
