//! Why nothing comes, told by the process when nothing has come for 15 s: reasons that need somebody who holds it up.
#![cfg(unix)]

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use local_seeder::LocalSeeder;
use make_torrent::Made;
use rtorrent_cli::base::id::{InfoHashV1, PeerId};
use rtorrent_cli::proto::wire::{HANDSHAKE_LEN, Handshake, Message, Reserved};
use scene::{QUIET_NETWORK, Scene};
use serde_json::Value;

const SIZE: usize = 300_000;

/// The first reason that a run tells, as a word and a sentence; `None` if it ends without one.
fn reason(child: &mut Child) -> Option<(String, String)> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let why = events.find(|event| event["event"] == "why")?;
    scene::Schema::load().accepts(&why);
    let word = |key: &str| why[key].as_str().unwrap().to_owned();
    Some((word("reason"), word("message")))
}

/// The reason of `get` with `flags`, which is ended then.
#[track_caller]
fn told(scene: &Scene, flags: &[&str]) -> (String, String) {
    let mut child = scene.command(&[&["get", "--json"], &QUIET_NETWORK[..], flags].concat()).spawn().unwrap();
    let reason = reason(&mut child);
    child.kill().unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    child.wait().unwrap();
    reason.unwrap_or_else(|| panic!("it ended without a reason: {err}"))
}

/// A scene with a seeder of `a.bin`, and its address.
fn seeded() -> (Scene, String) {
    let scene = Scene::new();
    let made = scene.made("a.bin", SIZE, 1);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    scene.write("a.torrent", &seeder.torrent);
    (scene, seeder.peer.to_string())
}

#[test]
fn a_pause_of_the_schedule_is_told() {
    let (scene, peer) = seeded();
    let (word, text) = told(&scene, &["--limit-schedule", "*=pause", "--no-trackers", "--peer", &peer, "a.torrent"]);
    assert_eq!((&*word, &*text), ("paused", "paused by the schedule (--limit-schedule)"));
}

#[test]
fn a_limit_under_which_a_block_takes_long_is_told() {
    let (scene, peer) = seeded();
    // A block takes more than two minutes.
    let (word, text) = told(&scene, &["--limit-down", "100", "--no-trackers", "--peer", &peer, "a.torrent"]);
    assert_eq!((&*word, &*text), ("limit", "the limit of 100 B/s is reached (--limit-down)"));
}

#[test]
fn a_peer_that_keeps_the_metadata_to_itself_is_told() {
    let made = Made::file("a.bin", make_torrent::noise(SIZE, 1), 16_384, &[]);
    let peer = peer_without_answers(made.info_hash).to_string();
    let link = format!("magnet:?xt=urn:btih:{}", made.hash());
    let scene = Scene::new();
    let (word, text) = told(&scene, &["--transport", "tcp", "--peer", &peer, &link]);
    assert_eq!(word, "metadata");
    assert!(text.starts_with("metadata not had from 1 peer yet"), "{text}");
}

/// A peer that says it has the metadata, and answers nothing that it is asked.
fn peer_without_answers(info_hash: [u8; 20]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            std::thread::spawn(move || {
                let mut socket = socket.unwrap();
                let mut hello = [0; HANDSHAKE_LEN];
                if socket.read_exact(&mut hello).is_err() {
                    return;
                }
                // BEP 10 is all that it knows.
                let mut reserved = Reserved::default();
                reserved.0[5] |= 0x10;
                let peer_id = PeerId(*b"-XX0001-nothing-said");
                let handshake = Handshake { reserved, info_hash: InfoHashV1(info_hash), peer_id };
                let mut words = handshake.encode().to_vec();
                let payload = b"d1:md11:ut_metadatai1ee13:metadata_sizei20000ee";
                Message::Extended { id: 0, payload }.encode(&mut words);
                if socket.write_all(&words).is_ok() {
                    let _ = std::io::copy(&mut socket, &mut std::io::sink());
                }
            });
        }
    });
    addr
}

/// strace holds up each call that writes a file, as a disk does that is busy with something else.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_does_not_write_is_told() {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|works| works.status.success()) {
        eprintln!(
            "NOT RUN: a slow disk is shown with strace, which is not here or may not trace; Debian's package strace"
        );
        return;
    }
    let (scene, peer) = seeded();
    let run = scene.command(&[&["get", "--json"], &QUIET_NETWORK[..]].concat());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwritev", "-e", "inject=pwritev:delay_enter=60000000"]);
    strace.arg(run.get_program()).args(run.get_args()).args(["--no-trackers", "--peer", &peer, "a.torrent"]);
    strace.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.current_dir(scene.dir.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut strace = strace.spawn().unwrap();
    let reason = reason(&mut strace);
    // Whoever ends strace lets what it traces go on.
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", strace.id())).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|id| rustix::process::Pid::from_raw(id.parse().ok()?)) {
        let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
    }
    strace.kill().unwrap();
    strace.wait().unwrap();
    let (word, text) = reason.expect("a reason before it ends");
    assert_eq!(word, "disk");
    assert!(text.starts_with("the disk is the limit: ") && text.ends_with(" to be written"), "{text}");
}
