//! From an id alone to the whole file.

use std::time::Duration;

use crate::node::{Habit, Setup};
use crate::world::{Weather, World};

fn magnet() -> Setup {
    Setup { magnet: true, ..Setup::leecher() }
}

#[test]
fn a_magnet_is_as_good_as_a_torrent() {
    let mut world = World::new(1, 64 * 1024, 1_000_000, Weather::fair());
    world.add(Setup::seeder());
    world.add(magnet());
    world.run_until(Duration::from_secs(30), World::all_complete);
    assert!(world.violations.is_empty(), "{:?}", world.violations);
    // An announce, a dial, the metadata and a second's worth of bytes.
    assert!(world.elapsed() < Duration::from_secs(3), "{:?}", world.elapsed());
}

#[test]
fn metadata_spreads_from_those_who_got_it() {
    for seed in [2, 3] {
        let mut world = World::new(seed, 64 * 1024, 1_000_000, Weather::foul());
        world.add(Setup::seeder().up(300_000));
        for nth in 0..12 {
            world.add(Setup { fast: nth % 3 != 0, ..magnet() });
        }
        world.run_until(Duration::from_secs(120), World::all_complete);
        assert!(world.violations.is_empty(), "{:?}", world.violations);
    }
}

#[test]
fn stallers_do_not_keep_the_metadata_waiting() {
    let mut world = World::new(4, 64 * 1024, 500_000, Weather::fair());
    for _ in 0..3 {
        world.add(Setup::seeder().habit(Habit::Stalls(0)));
    }
    world.add(Setup::seeder());
    world.add(magnet());
    world.run_until(Duration::from_secs(60), World::all_complete);
}
