//! An orderly stop keeps the blocks of open pieces.

use std::time::Duration;

use rtorrent_cli::swarm::Command;

use crate::node::Setup;
use crate::world::{Weather, World};

#[test]
fn a_stop_and_a_new_start_fetch_nothing_twice() {
    let mut world = World::new(1, 1 << 20, 8_000_000, Weather::fair());
    world.add(Setup::seeder().up(1_000_000));
    let leecher = world.add(Setup::leecher());
    world.run_for(Duration::from_millis(4_500));
    let now = world.now;
    world.nodes[leecher].torrent.on_command(now, Command::Stop);
    world.settle(leecher);
    world.run_until(Duration::from_secs(10), |world| world.nodes[1].torrent.is_at_rest());
    let node = &world.nodes[leecher];
    let spilled = node.torrent.spilled();
    let kept: u64 = spilled.iter().map(|piece| u64::from(piece.blocks.count()) * 16_384).sum();
    let wasted = node.torrent.snapshot().wasted;
    assert!(kept > 0 && node.disk.spills > 0 && !node.disk.verified.all());
    let downloaded = node.torrent.totals().downloaded;

    world.kill(leecher);
    world.run_for(Duration::from_secs(1));
    world.revive(leecher, spilled);
    world.run_until(Duration::from_secs(60), World::all_complete);
    let again = world.nodes[leecher].torrent.totals().downloaded;
    assert!(downloaded + again <= 8_000_000 + wasted + 100_000, "{downloaded} and then {again}, {kept} kept");
}
