//! A film that is watched while it downloads, from a swarm with stallers and very slow peers: it begins within seconds, hardly
//! stalls, and goes on within seconds after a jump.

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

/// Twelve seeders with some 2.5 times of what the viewer needs: many quick ones, some very slow ones, two that stall.
fn cinema(seed: u64, weather: Weather) -> (World, usize) {
    let mut world = World::new(seed, PIECE, FILM, weather);
    for up in [400_000, 400_000, 500_000, 300_000, 600_000, 300_000, 20_000, 20_000, 30_000, 40_000] {
        world.add(Setup::seeder().up(up));
    }
    for _ in 0..2 {
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

#[test]
fn a_film_begins_within_seconds_and_hardly_stalls() {
    for seed in 1..=4 {
        let (mut world, id) = cinema(seed, Weather::fair());
        let mut viewer = [Viewer::at(0)];
        watch(&mut world, id, &mut viewer, Duration::from_secs(60));
        let [viewer] = viewer;
        println!(
            "seed {seed}: waited {:?}, stalled {:?}, wasted {}",
            viewer.waited,
            viewer.stalled,
            wasted(&world, id)
        );
        assert_eq!(viewer.at, FILM, "seed {seed}");
        assert!(viewer.waited < Duration::from_secs(4), "seed {seed}: began after {:?}", viewer.waited);
        assert!(viewer.stalled < Duration::from_millis(500), "seed {seed}: stalled {:?}", viewer.stalled);
        assert!(wasted(&world, id) < FILM / 7, "seed {seed}: {} wasted", wasted(&world, id));
        assert!(world.violations.is_empty(), "{:?}", world.violations);
    }
}

#[test]
fn after_a_jump_it_goes_on_within_seconds() {
    for seed in 11..=14 {
        let (mut world, id) = cinema(seed, Weather::fair());
        let mut viewer = [Viewer::at(0)];
        watch(&mut world, id, &mut viewer, Duration::from_secs(3));
        for to in [FILM / 10 * 8, FILM / 2] {
            let mut viewer = [Viewer::at(to)];
            watch(&mut world, id, &mut viewer, Duration::from_secs(10));
            let [viewer] = viewer;
            println!("seed {seed}: at {to} after {:?}, stalled {:?}", viewer.waited, viewer.stalled);
            assert!(viewer.waited < Duration::from_secs(7), "seed {seed}: after {:?}", viewer.waited);
            assert!(viewer.stalled < Duration::from_secs(3), "seed {seed}: {:?}", viewer.stalled);
        }
        world.run_until(Duration::from_secs(120), World::all_complete);
    }
}

#[test]
fn two_who_watch_at_different_places_both_get_what_they_need() {
    for seed in [21, 22] {
        let (mut world, id) = cinema(seed, Weather::fair());
        let mut viewers = [Viewer::at(0), Viewer::at(FILM / 2)];
        watch(&mut world, id, &mut viewers, Duration::from_secs(5));
        for viewer in viewers {
            println!("seed {seed}: waited {:?}, stalled {:?}", viewer.waited, viewer.stalled);
            assert!(viewer.waited < Duration::from_secs(4), "seed {seed}: {:?}", viewer.waited);
            assert!(viewer.stalled < Duration::from_secs(3), "seed {seed}: {:?}", viewer.stalled);
        }
    }
}

#[test]
fn in_foul_weather_it_begins_within_seconds() {
    for seed in [31, 32] {
        let (mut world, id) = cinema(seed, Weather::foul());
        let mut viewer = [Viewer::at(0)];
        watch(&mut world, id, &mut viewer, Duration::from_secs(60));
        let [viewer] = viewer;
        println!("seed {seed}: waited {:?}, stalled {:?}", viewer.waited, viewer.stalled);
        assert!(viewer.waited < Duration::from_secs(4), "seed {seed}: {:?}", viewer.waited);
        assert!(viewer.stalled < Duration::from_secs(2), "seed {seed}: {:?}", viewer.stalled);
    }
}

fn wasted(world: &World, id: usize) -> u64 {
    world.nodes[id].torrent.snapshot().wasted
}
