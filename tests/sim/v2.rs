//! v2 torrents (BEP 52): files that begin at pieces of their own, and the piece layers from peers for who has an id alone.

use std::time::Duration;

use crate::facts::Facts;
use crate::node::{Habit, Setup};
use crate::world::{Weather, World};

const PIECE: u32 = 64 * 1024;
/// Nothing, one byte, exactly a piece, one byte more, and a few pieces and a bit.
const FILES: [u64; 8] = [0, 1, 65_536, 65_537, 16_384, 200_000, 0, 700_001];

fn magnet() -> Setup {
    Setup { magnet: true, ..Setup::leecher() }
}

/// A world of so many honest seeds of `files`.
fn world(seed: u64, files: &[u64], weather: Weather, seeds: usize) -> World {
    let mut world = World::of(seed, Facts::v2(seed, PIECE, files), weather);
    for _ in 0..seeds {
        world.add(Setup::seeder());
    }
    world
}

fn finish(world: &mut World, limit: u64) {
    world.run_until(Duration::from_secs(limit), World::all_complete);
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}

#[test]
fn files_with_short_last_pieces_arrive_whole() {
    for seed in [1, 2] {
        let mut world = world(seed, &FILES, Weather::foul(), 1);
        for _ in 0..4 {
            world.add(Setup::leecher());
        }
        finish(&mut world, 60);
    }
}

#[test]
fn an_id_is_enough() {
    let mut world = world(3, &FILES, Weather::fair(), 1);
    world.add(magnet());
    finish(&mut world, 30);
    // One round trip more than a v1 magnet.
    assert!(world.elapsed() < Duration::from_secs(4), "{:?}", world.elapsed());
}

#[test]
fn layers_spread_from_those_who_got_them() {
    let mut world = World::of(4, Facts::v2(4, PIECE, &FILES), Weather::foul());
    world.add(Setup::seeder().up(300_000));
    for nth in 0..12 {
        world.add(Setup { fast: nth % 3 != 0, ..magnet() });
    }
    finish(&mut world, 120);
}

/// 1,601 pieces of 16 KiB: three whole spans and the rest, with their uncles; the leaves are the piece layer.
#[test]
fn a_layer_of_several_spans_comes_from_several_peers() {
    let mut world = World::of(5, Facts::v2(5, 16_384, &[1_600 * 16_384 + 5]), Weather::fair());
    for _ in 0..3 {
        world.add(Setup::seeder());
    }
    let leecher = world.add(magnet());
    world.run_until(Duration::from_secs(10), |world| world.nodes[leecher].torrent.have().is_some());
    assert!(world.violations.is_empty(), "{:?}", world.violations);
}

#[test]
fn many_small_files_are_many_requests() {
    let files: Vec<u64> = (0..150).map(|nth| if nth % 7 == 0 { 0 } else { 65_000 + nth * 10 }).collect();
    let mut world = world(6, &files, Weather::foul(), 2);
    world.add(magnet());
    finish(&mut world, 60);
}

#[test]
fn a_torrent_without_layers_needs_none() {
    let mut world = world(7, &[0, 5, 65_536, 1], Weather::fair(), 1);
    world.add(magnet());
    finish(&mut world, 10);
}

#[test]
fn who_lies_about_hashes_is_banned_and_nobody_else() {
    for seed in [8, 9] {
        let mut world = World::of(seed, Facts::v2(seed, PIECE, &FILES), Weather::fair());
        let liar = world.add(Setup::seeder().habit(Habit::LiesAboutHashes));
        let honest = world.add(Setup::seeder().up(20_000));
        let leecher = world.add(magnet());
        world.run_until(Duration::from_secs(60), |world| world.nodes[leecher].torrent.have().is_some());
        let (liar, honest) = (world.nodes[liar].addr, world.nodes[honest].addr);
        assert!(!world.nodes[leecher].banned.contains(&honest));
        assert_eq!(world.nodes[leecher].banned, vec![liar; world.nodes[leecher].banned.len()]);
        world.run_until(Duration::from_secs(120), World::all_complete);
    }
}

#[test]
fn liars_alone_are_all_found_out() {
    let mut world = World::of(10, Facts::v2(10, PIECE, &FILES), Weather::fair());
    for _ in 0..3 {
        world.add(Setup::seeder().habit(Habit::LiesAboutHashes));
    }
    let leecher = world.add(magnet());
    world.run_until(Duration::from_secs(60), |world| world.nodes[leecher].banned.len() == 3);
    assert!(world.nodes[leecher].torrent.have().is_none());
    world.add(Setup::seeder());
    world.run_until(Duration::from_secs(200), World::all_complete);
}

#[test]
fn who_rejects_or_says_nothing_does_not_keep_others_waiting() {
    let mut world = World::of(11, Facts::v2(11, PIECE, &FILES), Weather::fair());
    for _ in 0..2 {
        world.add(Setup::seeder().habit(Habit::RejectsHashes));
        world.add(Setup::seeder().habit(Habit::KeepsHashes));
    }
    world.add(Setup::seeder());
    world.add(magnet());
    finish(&mut world, 30);
}

/// Who has begun with a link gets the layers beside its download, and gives them to others; it costs the download nothing.
#[test]
fn a_hybrid_gets_its_layers_aside_and_passes_them_on() {
    for seed in [13, 14] {
        let facts = Facts::hybrid(seed, 16_384, 1_600 * 16_384 + 5);
        let of_v1 = {
            let mut world = World::of(seed, Facts::new(seed, 16_384, 1_600 * 16_384 + 5), Weather::fair());
            world.add(Setup::seeder());
            world.add(magnet());
            finish(&mut world, 120);
            world.elapsed()
        };
        let mut world = World::of(seed, facts, Weather::fair());
        let seeder = world.add(Setup::seeder());
        let second = world.add(magnet());
        world.run_until(Duration::from_secs(120), |world| world.is_complete(second));
        assert!(world.elapsed() < of_v1.mul_f64(1.01), "{:?} and {of_v1:?}", world.elapsed());
        assert_eq!(world.nodes[second].trees, world.nodes[seeder].trees, "52 KB beside 26 MB");
        world.kill(seeder);
        let third = world.add(magnet());
        world.run_until(Duration::from_secs(400), |world| world.is_complete(third));
        assert_eq!(world.nodes[third].trees, world.facts.trees);
        assert!(world.violations.is_empty(), "{:?}", world.violations);
    }
}

/// Nobody has the layers: that is no reason to be slower, nor to ask again and again.
#[test]
fn a_hybrid_needs_no_layers() {
    let mut world = World::of(15, Facts::hybrid(15, 16_384, 200_000), Weather::fair());
    for habit in [Habit::RejectsHashes, Habit::KeepsHashes] {
        world.add(Setup::seeder().habit(habit));
    }
    let leecher = world.add(magnet());
    finish(&mut world, 20);
    assert_ne!(world.nodes[leecher].trees, world.facts.trees);
}

#[test]
fn who_lies_about_a_hybrids_hashes_is_banned() {
    let mut world = World::of(16, Facts::hybrid(16, 16_384, 2_000_000), Weather::fair());
    let liar = world.add(Setup::seeder().habit(Habit::LiesAboutHashes));
    let honest = world.add(Setup::seeder().up(50_000));
    let leecher = world.add(magnet());
    world.run_until(Duration::from_secs(300), World::all_complete);
    let (liar, honest) = (world.nodes[liar].addr, world.nodes[honest].addr);
    assert!(world.nodes[leecher].banned.iter().all(|banned| *banned == liar) && liar != honest);
    assert!(!world.nodes[leecher].banned.is_empty());
    assert_eq!(world.nodes[leecher].trees, world.facts.trees);
}

#[test]
fn wrong_blocks_of_v2_pieces_are_found_out() {
    let mut world = world(12, &FILES, Weather::fair(), 2);
    world.add(Setup::seeder().habit(Habit::Corrupt(0.3)));
    let leecher = world.add(magnet());
    world.run_until(Duration::from_secs(120), World::all_complete);
    assert!(world.nodes[leecher].disk.mismatches > 0, "it was tried");
}
