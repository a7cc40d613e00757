//! Clients that die and come back.

use std::time::Duration;

use crate::crowd::crowd;
use crate::world::{Weather, World};

#[test]
fn a_swarm_completes_although_clients_die_and_come_back() {
    for seed in [11, 12] {
        let mut world = crowd(seed, 20, Weather::foul());
        for id in [3, 7, 11, 15] {
            world.run_for(Duration::from_secs(3));
            world.kill(id);
        }
        world.run_for(Duration::from_secs(5));
        for id in [3, 7, 11, 15] {
            world.run_for(Duration::from_secs(2));
            world.revive(id, Vec::new());
        }
        world.run_until(Duration::from_secs(300), World::all_complete);
        assert!(world.violations.is_empty(), "{:?}", world.violations);
    }
}

#[test]
fn the_seeder_may_go_once_one_copy_is_out() {
    let mut world = crowd(21, 10, Weather::fair());
    let one_copy_is_out = |world: &World| {
        let pieces = world.facts.layout.pieces();
        (0..pieces).all(|piece| world.nodes[1..].iter().any(|node| node.disk.verified.get(piece)))
    };
    world.run_until(Duration::from_secs(100), one_copy_is_out);
    world.kill(0);
    world.run_until(Duration::from_secs(200), World::all_complete);
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}
