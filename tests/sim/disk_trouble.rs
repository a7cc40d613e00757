//! Disks that are slow or full.

use std::time::Duration;

use crate::node::Setup;
use crate::world::{Weather, World};

#[test]
fn a_slow_disk_slows_down_and_nothing_else() {
    let mut world = World::new(1, 256 * 1024, 4_000_000, Weather::fair());
    world.add(Setup::seeder().up(4_000_000));
    let slow = world.add(Setup { memory: 1 << 20, ..Setup::leecher() });
    world.nodes[slow].disk.speed = 500_000;
    world.run_until(Duration::from_secs(60), World::all_complete);
    // 3 MB at the disk's speed before the last of what fits into memory is handed to it; the link could do it in one.
    assert!((6..9).contains(&world.elapsed().as_secs()), "{:?}", world.elapsed());
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}

#[test]
fn a_full_disk_stops_the_download_and_keeps_what_is_verified() {
    let mut world = World::new(2, 256 * 1024, 4_000_000, Weather::fair());
    world.add(Setup::seeder().up(2_000_000));
    let full = world.add(Setup::leecher());
    let other = world.add(Setup::leecher());
    world.nodes[full].disk.room = 1_000_000;
    world.run_until(Duration::from_secs(60), |world| world.is_complete(2));
    let downloaded = world.nodes[full].torrent.totals().downloaded;
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.nodes[full].disk.verified.count(), 3);
    assert_eq!(world.nodes[full].torrent.totals().downloaded, downloaded, "nothing more is asked for");
    assert!(world.nodes[other].disk.bytes == world.facts.bytes);
}
