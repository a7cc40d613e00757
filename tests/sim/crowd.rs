//! Many leechers and one slow seeder.

use std::time::Duration;

use crate::node::Setup;
use crate::world::{Weather, World};

pub fn crowd(seed: u64, leechers: usize, weather: Weather) -> World {
    let mut world = World::new(seed, 64 * 1024, 1_500_000, weather);
    world.add(Setup::seeder().up(200_000));
    for nth in 0..leechers {
        // Every fifth does not know the fast extension.
        world.add(Setup { fast: nth % 5 != 0, ..Setup::leecher().up(400_000) });
    }
    world
}

#[test]
fn two_clients_and_a_file() {
    let mut world = crowd(1, 1, Weather::fair());
    world.run_until(Duration::from_secs(60), World::all_complete);
    // 1.5 MB at 200 kB a second.
    assert!(world.elapsed() < Duration::from_secs(10), "{:?}", world.elapsed());
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}

#[test]
fn fifty_leechers_and_one_slow_seeder_complete_under_loss_and_churn() {
    for seed in [1, 2] {
        let mut world = crowd(seed, 50, Weather::foul());
        world.run_for(Duration::from_secs(4));
        (5..15).for_each(|id| world.kill(id));
        world.run_for(Duration::from_secs(6));
        (5..10).for_each(|id| world.revive(id, Vec::new()));
        world.run_until(Duration::from_secs(300), World::all_complete);
        assert!(world.violations.is_empty(), "{:?}", world.violations);
        // 45 copies by the seeder alone would take 340 seconds.
        assert!(world.elapsed() < Duration::from_secs(120), "seed {seed}: {:?}", world.elapsed());
    }
}
