//! The same seed is the same run, event by event.

use std::time::Duration;

use crate::crowd::crowd;
use crate::world::{Weather, World};

fn fingerprint(seed: u64) -> (u64, u64) {
    let mut world = crowd(seed, 8, Weather::foul());
    world.run_for(Duration::from_secs(4));
    world.kill(2);
    world.run_until(Duration::from_secs(200), World::all_complete);
    (world.fingerprint(), world.events)
}

#[test]
fn the_same_seed_repeats_itself_and_another_does_not() {
    let first = fingerprint(1);
    assert_eq!(first, fingerprint(1));
    assert_ne!(first, fingerprint(2));
}
