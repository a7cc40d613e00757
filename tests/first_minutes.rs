//! The first ten minutes of a new user, with nothing but the README: a transcript that is kept in
//! `tests/first_minutes.txt`. `UPDATE_GENERATED=1 cargo test --test first_minutes` writes it anew.
#![cfg(unix)]

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::path::Path;
use std::process::Command;

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};
use scene::Scene;

/// What is typed; `$MAGNET` is a link with a tracker on loopback.
const TYPED: &[&str] = &[
    "rtorrent-cli",
    "rtorrent-cli --version",
    "rtorrent-cli get -h",
    "rtorrent-cli nothing.torrent",
    "rtorrent-cli -x16 show.torrent",
    "rtorrent-cli get --sequental show.torrent",
    "rtorrent-cli info show.torrent",
    "rtorrent-cli get -l -s 'ext:mkv' show.torrent",
    "rtorrent-cli get -n -d Films show.torrent",
    "rtorrent-cli get -s '*.avi' show.torrent",
    "rtorrent-cli -q -d Films \"$MAGNET\"",
    "rtorrent-cli -q -d Films \"$MAGNET\"",
    "ls -1 Films/show",
    "rtorrent-cli verify show.torrent Films",
    "rtorrent-cli -q --json -d Films show.torrent | jq -r 'select(.event == \"file\") | .index'",
    "rtorrent-cli create -n Films/show",
    "rtorrent-cli create -o mine.torrent -t https://tracker.example/announce Films/show",
    "rtorrent-cli create -o mine.torrent Films/show",
    "rtorrent-cli ls",
    "rtorrent-cli get -q -i list.txt",
    "rtorrent-cli rm show",
    "rtorrent-cli config path",
    "mkdir -p .config/rtorrent-cli; echo 'jbos = 3' > .config/rtorrent-cli/config.toml",
    "rtorrent-cli show.torrent",
    "echo 'jobs = 3' > .config/rtorrent-cli/config.toml",
    "rtorrent-cli config show | grep -v default",
    "rtorrent-cli -q --stall-timeout 1s -d new show.torrent",
    "rtorrent-cli 'magnet:?xt=urn:btih:123'",
];

#[test]
fn the_first_ten_minutes_read_as_they_are_written_down() {
    if Command::new("jq").arg("--version").output().is_err() {
        eprintln!("NOT RUN: the transcript uses jq, which is in Debian's package jq");
        return;
    }
    let scene = Scene::new();
    let files =
        [("episode 1.mkv", noise(60_000, 1)), ("episode 2.mkv", noise(50_000, 2)), ("notes.txt", noise(100, 3))];
    let made = Made::folder("show", &files, 16_384, &[]);
    made.place(&scene.path("elsewhere"));
    scene.write("show.torrent", &made.bytes);
    scene.write("list.txt", "# what I want\nshow.torrent\n  dir=Films\nnothing.torrent\n");
    let seeder = LocalSeeder::start(&made, &scene.path("elsewhere"));
    let program = Path::new(env!("CARGO_BIN_EXE_rtorrent-cli")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut transcript = String::new();
    for line in TYPED {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec 2>&1; {line}")]).env_clear().current_dir(scene.dir.path());
        command.env("PATH", &path).env("HOME", scene.dir.path()).env("LANG", "C.UTF-8").env("MAGNET", &seeder.magnet);
        for variable in ["NO_DHT", "NO_LSD", "NO_PEX"] {
            command.env(format!("RTORRENT_CLI_{variable}"), "1");
        }
        let output = command.output().unwrap();
        transcript += &format!("$ {line}\n{}", String::from_utf8(output.stdout).unwrap());
        match output.status.code() {
            Some(0) => transcript += "\n",
            code => transcript += &format!("[exit {}]\n\n", code.unwrap_or(-1)),
        }
    }
    let actual = plain(&transcript, scene.dir.path());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/first_minutes.txt");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&kept, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&kept).unwrap_or_default();
    for (number, (now, before)) in (1..).zip(actual.lines().zip(expected.lines())) {
        assert_eq!(now, before, "line {number} of tests/first_minutes.txt; UPDATE_GENERATED=1 writes it anew");
    }
    assert_eq!(actual.lines().count(), expected.lines().count());
}

/// Without what differs from run to run: folders, times, rates, free space, the version.
fn plain(text: &str, folder: &Path) -> String {
    let canonical = folder.canonicalize().unwrap();
    let text = text.replace(&*canonical.to_string_lossy(), "/home/me").replace(&*folder.to_string_lossy(), "/home/me");
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let rules = [
        (r"\d+(\.\d+)? [KMGTP]?i?B free", "N GiB free"),
        (r"in \d+(\.\d+)?s, \d+(\.\d+)? [KMG]?i?B/s", "in T, RATE"),
        (r"in \d+(\.\d+)?s", "in T"),
    ];
    rules
        .iter()
        .fold(text, |text, (rule, word)| regex::Regex::new(rule).unwrap().replace_all(&text, *word).into_owned())
}
