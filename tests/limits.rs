//! `--limit-down`, `--limit-up` and `--limit-schedule` of the process, over each transport.
//!
//! Only the least time is asserted, which no slow machine can fall short of: how exact a rate is, the simulator shows.

#[path = "common/free_port.rs"]
mod free_port;
#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::io::{BufRead as _, BufReader};
use std::time::Instant;

use free_port::free_port;
use local_seeder::LocalSeeder;
use scene::{QUIET_NETWORK, Scene};

const SIZE: usize = 300_000;
const RATE: &str = "200KB";
/// What may flow before the rate counts: one block, and what the bucket holds.
const LEAST_SECONDS: f64 = (SIZE as f64 - 16_384.0 - 25_000.0) / 200_000.0;

/// A scene with a seeder of `a.bin`, and how to reach it alone.
fn scene() -> (Scene, Vec<String>) {
    let scene = Scene::new();
    let made = scene.made("a.bin", SIZE, 1);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    scene.write("a.torrent", &seeder.torrent);
    let peer = seeder.peer.to_string();
    let alone = ["--no-trackers", "--peer", &peer, "--state-dir", "none", "a.torrent"].map(str::to_owned);
    (scene, alone.to_vec())
}

/// Seconds that a download takes.
fn time(scene: &Scene, flags: &[&str], alone: &[String]) -> f64 {
    let start = Instant::now();
    let alone: Vec<&str> = alone.iter().map(String::as_str).collect();
    scene.get(&[flags, &alone].concat()).ends(0);
    start.elapsed().as_secs_f64()
}

#[test]
fn a_download_is_no_quicker_than_its_limit_over_any_transport() {
    let (scene, alone) = scene();
    for (nth, how) in [["--transport", "tcp"], ["--transport", "utp"], ["--encryption", "require"]].iter().enumerate() {
        let folder = format!("{nth}");
        let took = time(&scene, &[&["--limit-down", RATE, "-d", &folder], &how[..]].concat(), &alone);
        assert!(took >= LEAST_SECONDS, "{how:?}: {took}");
        assert!(scene.same("a.bin", &format!("{folder}/a.bin")));
    }
    let took = time(&scene, &["--max-overall-download-limit", RATE, "-d", "aria2"], &alone);
    assert!(took >= LEAST_SECONDS, "{took}");
}

#[test]
fn a_schedule_counts_before_the_limit() {
    let (scene, alone) = scene();
    let took = time(&scene, &["--limit-down", "1", "--limit-schedule", "*=200KB", "-d", "slow"], &alone);
    assert!(took >= LEAST_SECONDS, "{took}");
    // A byte a second would take days.
    time(&scene, &["--limit-down", "1", "--limit-schedule", "0:00-12:00=0,12:00-24:00=0", "-d", "quick"], &alone);
    let paused = ["--limit-schedule", "*=pause", "-d", "paused", "--max-time", "2", "--json"];
    let alone: Vec<&str> = alone.iter().map(String::as_str).collect();
    let seen = scene.get(&[&paused, &alone[..]].concat());
    seen.ends(7);
    let last = seen.events().into_iter().rfind(|event| event["event"] == "summary").unwrap();
    assert_eq!(last["downloaded"], 0, "{last}");
}

#[test]
fn a_seeder_is_no_quicker_than_its_limit() {
    let scene = Scene::new();
    let made = scene.made("a.bin", SIZE, 1);
    scene.write("a.torrent", &made.bytes);
    let port = free_port().to_string();
    let flags = ["--limit-up", RATE, "--port", &port, "--port-map=no", "--json", "a.torrent", "shared"];
    let mut seeder = scene.command(&[&["seed"], &QUIET_NETWORK[..], &flags].concat()).spawn().unwrap();
    let mut events = BufReader::new(seeder.stdout.take().unwrap()).lines();
    assert!(events.any(|line| line.unwrap().contains("\"seeding\"")));
    let peer = format!("127.0.0.1:{port}");
    for (folder, transport) in [("tcp", "tcp"), ("utp", "utp")] {
        let alone = ["--transport", transport, "--peer", &peer, "--state-dir", "none", "a.torrent"].map(str::to_owned);
        let took = time(&scene, &["-d", folder], &alone);
        assert!(took >= LEAST_SECONDS, "{transport}: {took}");
        assert!(scene.same("a.bin", &format!("{folder}/a.bin")));
    }
    seeder.kill().unwrap();
    seeder.wait().unwrap();
}
