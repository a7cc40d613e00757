//! A film that is watched while it downloads: it begins soon, does not stall, and goes on soon after a jump.

use std::time::Duration;

use rtorrent_cli::swarm::{Command, PlayWindow};

use crate::node::{Habit, Setup};
use crate::world::{Weather, World};

const PIECE: u32 = 256 * 1024;
const FILM: u64 = 30_000_000;
/// Bytes a second that the viewer needs.
const BITRATE: u64 = 1_000_000;
/// What a player has before it begins.
const BUFFER: u64 = 300_000;
const STEP: Duration = Duration::from_millis(20);

/// One who watches, and how that was.
struct Viewer {
    at: u64,
    piece: Option<u32>,
    /// From the moment at which it sat down here.
    waited: Duration,
    playing: bool,
    stalled: Duration,
}

impl Viewer {
    fn at(at: u64) -> Viewer {
        Viewer { at, piece: None, waited: Duration::ZERO, playing: false, stalled: Duration::ZERO }
    }

    fn window(&self) -> PlayWindow {
        let pieces = FILM.div_ceil(PIECE.into()) as u32;
        PlayWindow { first: (self.at / u64::from(PIECE)) as u32, end: pieces, ahead: 32 }
    }

    /// Bytes that are there without a gap from where it is.
    fn ready(&self, world: &World, id: usize) -> u64 {
        let verified = &world.nodes[id].disk.verified;
        let first = (self.at / u64::from(PIECE)) as u32;
        let gap = (first..verified.len()).find(|piece| !verified.get(*piece)).unwrap_or(verified.len());
        (u64::from(gap) * u64::from(PIECE)).min(FILM).saturating_sub(self.at)
    }

    /// A step of time is over.
    fn watch(&mut self, world: &World, id: usize) {
        let (ready, left) = (self.ready(world, id), FILM - self.at);
        self.playing |= ready >= BUFFER.min(left);
        if !self.playing {
            self.waited += STEP;
            return;
        }
        let step = (BITRATE / 1000 * STEP.as_millis() as u64).min(left);
        self.at += step.min(ready);
        self.stalled += if step > ready { STEP } else { Duration::ZERO };
    }
}

/// Ten seeders with some 2.5 times of what the viewer needs, many quick ones and some very slow ones, and `stalling` more
/// that soon answer no more.
fn cinema(seed: u64, weather: Weather, stalling: usize) -> (World, usize) {
    let mut world = World::new(seed, PIECE, FILM, weather);
    for up in [400_000, 400_000, 500_000, 300_000, 600_000, 300_000, 20_000, 20_000, 30_000, 40_000] {
        world.add(Setup::seeder().up(up));
    }
    for _ in 0..stalling {
        world.add(Setup::seeder().up(400_000).habit(Habit::Stalls(12)));
    }
    let id = world.add(Setup { memory: 12 << 20, ..Setup::leecher() });
    (world, id)
}

/// Lets the viewers watch for `time` or to the end.
fn watch(world: &mut World, id: usize, viewers: &mut [Viewer], time: Duration) {
    let end = world.now + time;
    while world.now < end && viewers.iter().any(|viewer| viewer.at < FILM) {
        let moved = viewers.iter().any(|viewer| viewer.piece != Some(viewer.window().first));
        if moved {
            let windows = viewers.iter().map(Viewer::window).collect();
            viewers.iter_mut().for_each(|viewer| viewer.piece = Some(viewer.window().first));
            let now = world.now;
            world.nodes[id].torrent.on_command(now, Command::Play(windows));
            world.settle(id);
        }
        world.run_for(STEP);
        viewers.iter_mut().for_each(|viewer| viewer.watch(world, id));
    }
}

/// How it was for one viewer, and what it may be at most, in milliseconds.
fn judge(what: &str, viewer: &Viewer, waited: u64, stalled: u64) -> Vec<String> {
    println!("{what}: waited {:?} of {waited}, stalled {:?} of {stalled}", viewer.waited, viewer.stalled);
    let good = viewer.waited <= Duration::from_millis(waited) && viewer.stalled <= Duration::from_millis(stalled);
    if good { Vec::new() } else { vec![format!("{what}: waited {:?}, stalled {:?}", viewer.waited, viewer.stalled)] }
}

/// The film from its start to its end. Returns what was wrong.
fn whole(seeds: std::ops::RangeInclusive<u64>, weather: Weather, stalling: usize, bounds: (u64, u64)) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in seeds {
        let (mut world, id) = cinema(seed, weather, stalling);
        let mut viewer = [Viewer::at(0)];
        watch(&mut world, id, &mut viewer, Duration::from_secs(60));
        let wasted = world.nodes[id].torrent.snapshot().wasted;
        println!("seed {seed}: {wasted} wasted");
        assert_eq!(viewer[0].at, FILM, "seed {seed}");
        assert!(wasted < FILM / 16, "seed {seed}: {wasted} wasted");
        assert!(world.violations.is_empty(), "{:?}", world.violations);
        wrong.extend(judge(&format!("seed {seed}"), &viewer[0], bounds.0, bounds.1));
    }
    wrong
}

/// Two jumps after three seconds of watching. Returns what was wrong.
fn jumps(seeds: std::ops::RangeInclusive<u64>, stalling: usize, bounds: (u64, u64)) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in seeds {
        let (mut world, id) = cinema(seed, Weather::fair(), stalling);
        watch(&mut world, id, &mut [Viewer::at(0)], Duration::from_secs(3));
        for to in [FILM / 10 * 8, FILM / 2] {
            let mut viewer = [Viewer::at(to)];
            watch(&mut world, id, &mut viewer, Duration::from_secs(5));
            wrong.extend(judge(&format!("seed {seed}, jump to {to}"), &viewer[0], bounds.0, bounds.1));
        }
        world.run_until(Duration::from_secs(120), World::all_complete);
    }
    wrong
}

/// Two viewers at different places. Returns what was wrong.
fn two(seeds: std::ops::RangeInclusive<u64>, stalling: usize, bounds: (u64, u64)) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in seeds {
        let (mut world, id) = cinema(seed, Weather::fair(), stalling);
        let mut viewers = [Viewer::at(0), Viewer::at(FILM / 2)];
        watch(&mut world, id, &mut viewers, Duration::from_secs(5));
        let judged = viewers.iter().map(|viewer| judge(&format!("seed {seed}"), viewer, bounds.0, bounds.1));
        wrong.extend(judged.flatten());
    }
    wrong
}

#[test]
fn a_film_begins_soon_and_does_not_stall() {
    assert_eq!(whole(1..=4, Weather::fair(), 0, (2_000, 0)), [""; 0]);
}

/// What a peer has in its socket no cancel reaches: 64 KiB of each, a fifth of a second. Then two or three pieces come, a
/// third of a second at the rate of all, and the rest is round trips of up to 120 ms.
#[test]
fn after_a_jump_it_goes_on_soon() {
    assert_eq!(jumps(11..=14, 0, (1_200, 100)), [""; 0]);
}

#[test]
fn two_who_watch_at_different_places_both_get_what_they_need() {
    assert_eq!(two(21..=22, 0, (2_500, 100)), [""; 0]);
}

#[test]
fn where_one_in_six_stalls_a_film_is_watched_all_the_same() {
    assert_eq!(whole(1..=4, Weather::fair(), 2, (2_500, 500)), [""; 0]);
    assert_eq!(whole(31..=32, Weather::foul(), 2, (2_500, 1_000)), [""; 0]);
}

#[test]
fn where_one_in_six_stalls_nobody_waits_for_long_after_a_jump() {
    assert_eq!(jumps(11..=14, 2, (2_000, 500)), [""; 0]);
    assert_eq!(two(21..=22, 2, (3_000, 1_000)), [""; 0]);
}
