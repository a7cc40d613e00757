//! Limits of the run: their rate, who gets what of it, and that they harm nothing else.

use std::time::Duration;

use rtorrent_cli::base::limit::Limit;
use rtorrent_cli::proto::session::Direction;

use crate::node::Setup;
use crate::world::{Weather, World};

const TEN: Duration = Duration::from_secs(10);

/// Bytes that came to a client so far.
fn received(world: &World, id: usize) -> u64 {
    world.nodes[id].received.values().sum()
}

/// Bytes that come to these clients together in the next ten seconds.
fn in_ten_seconds(world: &mut World, ids: &[usize]) -> u64 {
    let all = |world: &World| ids.iter().map(|&id| received(world, id)).sum::<u64>();
    let before = all(world);
    world.run_for(TEN);
    all(world) - before
}

fn assert_near(bytes: u64, expected: u64, percent: f64, what: &str) {
    let off = (bytes as f64 / expected as f64 - 1.0).abs() * 100.0;
    assert!(off <= percent, "{what}: {bytes} of {expected}, off by {off:.1} %");
}

/// So many quick seeders, and so many who want it all.
fn world(seed: u64, total: u64, seeders: usize, leechers: usize, weather: Weather) -> (World, Vec<usize>) {
    let mut world = World::new(seed, 256 * 1024, total, weather);
    for _ in 0..seeders {
        world.add(Setup::seeder().up(2_000_000));
    }
    let ids = (0..leechers).map(|_| world.add(Setup::leecher())).collect();
    (world, ids)
}

#[test]
fn a_download_keeps_to_its_rate_over_any_ten_seconds() {
    for seed in [1, 2] {
        for (rate, total) in [(100_000, 5_000_000), (700_000, 28_000_000)] {
            for weather in [Weather::fair(), Weather::foul()] {
                let (mut world, ids) = world(seed, total, 10, 1, weather);
                world.limit(&ids, Direction::Down, Limit::bytes(rate));
                world.run_for(Duration::from_secs(5));
                for nth in 0..3 {
                    let bytes = in_ten_seconds(&mut world, &ids);
                    assert_near(bytes, 10 * rate, 3.0, &format!("seed {seed}, {rate} B/s, window {nth}"));
                }
                assert!(world.violations.is_empty(), "{:?}", world.violations);
            }
        }
    }
}

#[test]
fn ten_peers_that_could_all_do_more_deliver_alike() {
    for seed in [4, 5] {
        let (mut world, ids) = world(seed, 20_000_000, 10, 1, Weather::fair());
        world.limit(&ids, Direction::Down, Limit::bytes(500_000));
        world.run_for(Duration::from_secs(35));
        let shares: Vec<u64> = world.nodes[ids[0]].received.values().copied().collect();
        assert_eq!(shares.len(), 10);
        let mean = shares.iter().sum::<u64>() / 10;
        shares.iter().for_each(|&bytes| assert_near(bytes, mean, 10.0, &format!("seed {seed}: {shares:?}")));
    }
}

#[test]
fn two_torrents_share_alike_and_one_that_ends_leaves_all_to_the_other() {
    // The first has been at it for a while when the second comes.
    let (mut world, _) = world(6, 30_000_000, 6, 0, Weather::fair());
    let first = world.add(Setup::leecher());
    let second = world.add(Setup::leecher());
    let both = [first, second];
    world.limit(&both, Direction::Down, Limit::bytes(1_000_000));
    world.run_for(Duration::from_secs(5));
    for _ in 0..2 {
        let before = both.map(|id| received(&world, id));
        let bytes = in_ten_seconds(&mut world, &both);
        assert_near(bytes, 10_000_000, 3.0, "both");
        for (id, before) in both.into_iter().zip(before) {
            assert_near(received(&world, id) - before, 5_000_000, 5.0, "one of two");
        }
    }
    world.kill(first);
    world.run_for(Duration::from_secs(1));
    assert_near(in_ten_seconds(&mut world, &[second]), 10_000_000, 3.0, "the one that is left");
}

#[test]
fn an_upload_keeps_to_its_rate_and_feeds_all_alike() {
    for seed in [7, 8] {
        let mut world = World::new(seed, 256 * 1024, 40_000_000, Weather::fair());
        let seeder = world.add(Setup { slots: 5, ..Setup::seeder().up(5_000_000) });
        let ids: Vec<usize> = (0..4).map(|_| world.add(Setup::leecher().up(50_000))).collect();
        world.limit(&[seeder], Direction::Up, Limit::bytes(400_000));
        let from_seeder = |world: &World| -> Vec<u64> {
            let ip = world.nodes[seeder].addr.ip();
            ids.iter().map(|&id| world.nodes[id].received.get(&ip).copied().unwrap_or_default()).collect()
        };
        world.run_for(Duration::from_secs(5));
        let before = from_seeder(&world);
        world.run_for(TEN);
        let bytes: Vec<u64> = from_seeder(&world).iter().zip(before).map(|(now, before)| now - before).collect();
        assert_near(bytes.iter().sum(), 4_000_000, 3.0, &format!("seed {seed}: {bytes:?}"));
        // They have blocks of each other's too, and so do not always want some.
        bytes.iter().for_each(|&one| assert_near(one, 1_000_000, 15.0, &format!("seed {seed}: {bytes:?}")));
    }
}

#[test]
fn a_few_kilobytes_a_second_neither_stall_nor_cost_a_connection() {
    for seed in [9, 10] {
        let (mut world, ids) = world(seed, 400_000, 5, 1, Weather::fair());
        world.limit(&ids, Direction::Down, Limit::bytes(3_000));
        world.run_for(Duration::from_secs(60));
        let peers = world.nodes[ids[0]].torrent.snapshot().unchoked_us;
        assert_eq!(peers, 5, "seed {seed}: nobody is lost");
        world.run_until(Duration::from_secs(200), World::all_complete);
        assert!(world.elapsed() > Duration::from_secs(120), "seed {seed}: {:?}", world.elapsed());
        assert!(world.elapsed() < Duration::from_secs(150), "seed {seed}: {:?}", world.elapsed());
        assert!(world.violations.is_empty(), "{:?}", world.violations);
        let wasted = world.nodes[ids[0]].torrent.snapshot().wasted;
        // In the end each peer may fetch one block that another has been asked for.
        assert!(wasted <= 5 * 16_384, "seed {seed}: {wasted}");
    }
}

#[test]
fn a_limit_out_of_reach_costs_no_time() {
    let time = |limit| {
        let (mut world, ids) = world(11, 20_000_000, 3, 1, Weather::fair());
        world.limit(&ids, Direction::Down, limit);
        world.run_until(Duration::from_secs(60), World::all_complete);
        world.elapsed().as_secs_f64()
    };
    let (free, limited) = (time(Limit::Off), time(Limit::bytes(1 << 30)));
    assert!(limited <= free * 1.03, "{limited} with a limit, {free} without");
}

#[test]
fn limits_change_while_it_runs() {
    let mut world = World::new(12, 256 * 1024, 50_000_000, Weather::fair());
    for _ in 0..10 {
        world.add(Setup::seeder().up(250_000));
    }
    let ids = [world.add(Setup::leecher())];
    for (limit, least, most) in [
        (Limit::bytes(1_000_000), 9_700_000, 10_300_000),
        (Limit::Paused, 0, 100_000),
        (Limit::bytes(200_000), 1_940_000, 2_060_000),
        (Limit::Off, 20_000_000, u64::MAX),
    ] {
        world.limit(&ids, Direction::Down, limit);
        world.run_for(Duration::from_secs(3));
        let bytes = in_ten_seconds(&mut world, &ids);
        assert!((least..=most).contains(&bytes), "{limit:?}: {bytes}");
    }
    world.run_until(Duration::from_secs(200), World::all_complete);
}
