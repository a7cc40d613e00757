//! Clients that stop answering while their connections stay up.

use std::time::Duration;

use crate::node::{Habit, Setup};
use crate::world::{Weather, World};

#[test]
fn stallers_hold_nobody_up_for_long() {
    for seed in [1, 2] {
        let mut world = World::new(seed, 256 * 1024, 5_000_000, Weather::fair());
        world.add(Setup::seeder().up(500_000));
        for _ in 0..4 {
            world.add(Setup::seeder().up(2_000_000).habit(Habit::Stalls(20)));
        }
        world.add(Setup::leecher());
        world.run_until(Duration::from_secs(100), World::all_complete);
        // 10 s by the honest seeder alone, a suspicion, and what the stallers hold.
        assert!(world.elapsed() < Duration::from_secs(30), "seed {seed}: {:?}", world.elapsed());
    }
}

#[test]
fn who_never_answers_at_all_is_not_waited_for() {
    let mut world = World::new(3, 256 * 1024, 2_000_000, Weather::fair());
    for _ in 0..5 {
        world.add(Setup::seeder().habit(Habit::Stalls(0)));
    }
    world.add(Setup::leecher());
    world.run_for(Duration::from_secs(5));
    world.add(Setup::seeder());
    world.run_until(Duration::from_secs(100), World::all_complete);
    // The late one is found by the next announce at the latest.
    assert!(world.elapsed() < Duration::from_secs(75), "{:?}", world.elapsed());
}
