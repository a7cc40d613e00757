//! `get`, `seed` and `info` as processes, against a seeder of our own on loopback.

#[path = "common/free_port.rs"]
mod free_port;
#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use free_port::free_port;
use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};
use serde_json::{Value, json};

/// A folder with a torrent and its data, and room for a download.
struct Scene {
    dir: tempfile::TempDir,
    made: Made,
}

struct Seen {
    code: Option<i32>,
    out: String,
    err: String,
}

const QUIET_NETWORK: [&str; 3] = ["--no-dht", "--no-lsd", "--no-pex"];

impl Scene {
    fn new() -> Scene {
        let files = [("a.txt", noise(10, 1)), ("sub/b.bin", noise(300_000, 2)), ("sub/empty", Vec::new())];
        Scene::of(Made::folder("tree", &files, 32_768, &[]))
    }

    fn of(made: Made) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        made.place(&dir.path().join("shared"));
        std::fs::write(dir.path().join("lonely.torrent"), &made.bytes).unwrap();
        Scene { dir, made }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A seeder, and `tree.torrent` with its tracker.
    fn seeder(&self) -> LocalSeeder {
        let seeder = LocalSeeder::start(&self.made, &self.path("shared"));
        std::fs::write(self.path("tree.torrent"), &seeder.torrent).unwrap();
        seeder
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.args(arguments).env_clear().current_dir(self.dir.path()).env("HOME", self.dir.path());
        // Only a test that fails waits so long.
        command.env("RTORRENT_CLI_MAX_TIME", "300");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Seen {
        finish(self.command(arguments).spawn().unwrap())
    }

    fn get(&self, arguments: &[&str]) -> Seen {
        self.run(&[&["get"], &QUIET_NETWORK[..], arguments].concat())
    }

    /// A `get` that is under way: it has told of a stage.
    fn start(&self, arguments: &[&str]) -> Child {
        let mut child = self.command(&[&["get"], &QUIET_NETWORK[..], arguments].concat()).spawn().unwrap();
        let mut first = String::new();
        // One byte at a time, so that nothing of what follows is lost.
        let mut byte = [0];
        while !first.ends_with("looking for peers") {
            child.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap_or_else(|_| panic!("ended early: {first}"));
            first.push(byte[0] as char);
        }
        child
    }

    fn same(&self, name: &str, at: &str) -> bool {
        std::fs::read(self.path("shared").join(name)).unwrap() == std::fs::read(self.path(at)).unwrap_or_default()
    }
}

fn finish(child: Child) -> Seen {
    let output = child.wait_with_output().unwrap();
    Seen {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[cfg(unix)]
fn send(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

fn events(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// Every file below a folder, with `/`.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// The tracker, the seeder and the way between them have no IPv4 address.
#[test]
fn over_ipv6_alone_by_torrent_and_by_magnet() {
    if std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("NOT RUN: there is no ::1 on the loopback interface");
        return;
    }
    let scene = Scene::new();
    let seeder = LocalSeeder::start_at(std::net::Ipv6Addr::LOCALHOST.into(), &scene.made, &scene.path("shared"));
    std::fs::write(scene.path("tree.torrent"), &seeder.torrent).unwrap();
    assert!(seeder.tracker.starts_with("http://[::1]:"), "{}", seeder.tracker);
    for (dir, source) in [("torrent", "tree.torrent"), ("magnet", seeder.magnet.as_str())] {
        let seen = scene.get(&["-d", dir, source]);
        assert_eq!(seen.code, Some(0), "{source}: {}", seen.err);
        assert!(scene.same("tree/sub/b.bin", &format!("{dir}/tree/sub/b.bin")), "{source}");
    }
    let named = scene.get(&["-d", "named", "--peer", &seeder.peer.to_string(), "lonely.torrent"]);
    assert_eq!(named.code, Some(0), "{}", named.err);
    assert!(scene.same("tree/sub/b.bin", "named/tree/sub/b.bin"));
}

#[test]
fn a_torrent_becomes_files_and_standard_output_is_their_path() {
    let scene = Scene::new();
    let _seeder = scene.seeder();
    let seen = scene.get(&["-d", "new/folder", "tree.torrent"]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert_eq!(Path::new(seen.out.trim_end()), scene.path("new/folder/tree").canonicalize().unwrap());
    assert_eq!(files(&scene.path("new/folder")), ["tree/a.txt", "tree/sub/b.bin", "tree/sub/empty"]);
    assert!(scene.same("tree/sub/b.bin", "new/folder/tree/sub/b.bin"));
    assert!(!seen.err.contains(['\r', '\x1b']), "{:?}", seen.err);
    assert!(seen.err.contains("done: tree"), "{}", seen.err);
    // Again: all is there, nobody is needed.
    let again = scene.get(&["-d", "new/folder", "lonely.torrent"]);
    assert_eq!((again.code, again.out), (Some(0), seen.out), "{}", again.err);
    let quiet = scene.get(&["-q", "-d", "new/folder", "lonely.torrent"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""));
}

#[test]
fn a_magnet_link_tells_its_story_in_json() {
    let scene = Scene::new();
    let seeder = scene.seeder();
    let seen = scene.get(&["--json", "-d", "out", &seeder.magnet]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    let events = events(&seen.out);
    for event in &events {
        assert_eq!(event["v"], 1, "{event}");
        assert!(event["event"].is_string() && event.as_object().unwrap().contains_key("id"), "{event}");
    }
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!(events[0]["event"], "item");
    assert_eq!(events[0]["info_hash_v1"], scene.made.hash());
    let stages: Vec<&Value> = of("stage").iter().map(|event| &event["stage"]).collect();
    assert!(stages.contains(&&json!("resolving")) && stages.contains(&&json!("downloading")), "{stages:?}");
    assert_eq!(of("metadata")[0]["total_size"], 300_010);
    assert_eq!(
        of("metadata")[0]["files"][1],
        json!({"index": 2, "path": "tree/sub/b.bin", "size": 300_000, "selected": true})
    );
    let mut indices: Vec<u64> = of("file").iter().map(|event| event["index"].as_u64().unwrap()).collect();
    indices.sort_unstable();
    assert_eq!(indices, [1, 2, 3]);
    assert_eq!(of("complete").len(), 1);
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["complete"], &last["exit"]), (&json!("summary"), &json!(1), &json!(0)));
    assert_eq!(last["downloaded"], 300_010);
    assert!(!seen.out.contains(&seeder.tracker), "the tracker's URL stays out of events");
}

#[test]
fn only_what_is_selected_appears_and_the_rest_can_follow() {
    let scene = Scene::new();
    let seeder = scene.seeder();
    let peer = seeder.peer.to_string();
    let seen = scene.get(&["-d", "out", "-s", "a.txt", "--peer", &peer, "lonely.torrent"]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert_eq!(files(&scene.path("out")), ["tree/a.txt"]);
    let seen = scene.get(&["-d", "out", "tree.torrent"]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert!(scene.same("tree/sub/b.bin", "out/tree/sub/b.bin"));
}

#[test]
fn the_same_torrent_twice_is_one_item() {
    let scene = Scene::new();
    let seeder = scene.seeder();
    let seen = scene.get(&["-d", "out", "lonely.torrent", &seeder.magnet]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert_eq!(seen.out.lines().count(), 1, "{}", seen.out);
    assert!(seen.err.contains("same torrent"), "{}", seen.err);
}

#[test]
fn one_bad_source_does_not_keep_the_others() {
    let scene = Scene::new();
    let _seeder = scene.seeder();
    let seen = scene.get(&["-d", "out", "missing.torrent", "tree.torrent"]);
    assert_eq!((seen.code, seen.out.lines().count()), (Some(4), 1), "{}", seen.err);
    assert!(seen.err.contains("1 of 2 items complete, 1 failed"), "{}", seen.err);
}

#[test]
fn another_name_is_taken_for_the_top_folder() {
    let scene = Scene::new();
    let _seeder = scene.seeder();
    let seen = scene.get(&["-d", "out", "-o", "other", "tree.torrent"]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert!(Path::new(seen.out.trim_end()).ends_with("out/other"), "{}", seen.out);
    assert!(scene.same("tree/a.txt", "out/other/a.txt"));
    assert_eq!(scene.run(&["verify", "tree.torrent", "out/other"]).code, Some(0));
}

#[test]
fn a_foreign_file_is_not_overwritten_unless_told() {
    let scene = Scene::of(Made::file("one.bin", noise(100_000, 5), 32_768, &[]));
    let _seeder = scene.seeder();
    std::fs::create_dir(scene.path("out")).unwrap();
    std::fs::write(scene.path("out/one.bin"), noise(100_000, 6)).unwrap();
    let seen = scene.get(&["-d", "out", "tree.torrent"]);
    assert_eq!(seen.code, Some(13), "{}", seen.err);
    assert!(seen.err.contains("--overwrite") && !scene.same("one.bin", "out/one.bin"), "{}", seen.err);
    let seen = scene.get(&["-d", "out", "--overwrite", "tree.torrent"]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert!(scene.same("one.bin", "out/one.bin"));
}

#[test]
fn time_limits_have_codes_of_their_own() {
    let scene = Scene::new();
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let seen = scene.get(&["--max-time", "1", "lonely.torrent"]);
    assert_eq!(seen.code, Some(7), "{}", seen.err);
    assert!(seen.err.contains("to go on: "), "{}", seen.err);
    let seen = scene.get(&["--metadata-timeout", "1", hash]);
    assert_eq!(seen.code, Some(8), "{}", seen.err);
    let seen = scene.get(&["--stall-timeout", "1", "lonely.torrent"]);
    assert_eq!(seen.code, Some(5), "{}", seen.err);
    let seen = scene.run(&[&["info", "--metadata-timeout", "1", hash], &QUIET_NETWORK[..]].concat());
    assert_eq!((seen.code, seen.out.as_str()), (Some(8), ""), "{}", seen.err);
}

#[cfg(unix)]
#[test]
fn signals_stop_in_order_and_say_how_to_go_on() {
    use rustix::process::Signal;
    let scene = Scene::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let child = scene.start(&["-d", "my out", "lonely.torrent"]);
        send(&child, signal);
        let seen = finish(child);
        assert_eq!(seen.code, Some(code), "{}", seen.err);
        let hint = "get --no-dht --no-lsd --no-pex -d 'my out' lonely.torrent";
        assert!(seen.err.contains(hint), "{}", seen.err);
    }
}

/// Half of the torrent can be had, the run is ended in one way or another, then all of it can be had: the first half is
/// not fetched again.
#[cfg(unix)]
#[test]
fn what_was_verified_before_a_kill_is_not_fetched_again() {
    use rustix::process::Signal;
    const PIECE: usize = 32_768;
    for signal in [Signal::KILL, Signal::INT] {
        let files = [("a.bin", noise(10 * PIECE, 1)), ("b.bin", noise(5 * PIECE, 2))];
        let scene = Scene::of(Made::folder("tree", &files, PIECE, &[]));
        std::fs::create_dir_all(scene.path("half/tree")).unwrap();
        std::fs::copy(scene.path("shared/tree/a.bin"), scene.path("half/tree/a.bin")).unwrap();
        let half = LocalSeeder::start(&scene.made, &scene.path("half"));
        std::fs::write(scene.path("tree.torrent"), &half.torrent).unwrap();
        let arguments = [&["get", "--json"], &QUIET_NETWORK[..], &["-d", "out", "tree.torrent"]].concat();
        let mut child = scene.command(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("\"event\":\"file\"")), "the first half came");
        send(&child, signal);
        lines.for_each(|line| drop(line.unwrap()));
        child.wait().unwrap();
        drop(half);

        let _all = scene.seeder();
        let seen = scene.get(&["--json", "-d", "out", "tree.torrent"]);
        assert_eq!(seen.code, Some(0), "{}", seen.err);
        let summary = events(&seen.out).pop().unwrap();
        assert_eq!(summary["downloaded"], json!(5 * PIECE), "after {signal:?}");
        assert!(scene.same("tree/a.bin", "out/tree/a.bin") && scene.same("tree/b.bin", "out/tree/b.bin"));
    }
}

#[cfg(unix)]
#[test]
fn a_second_process_on_the_same_target_is_told() {
    let scene = Scene::new();
    let first = scene.start(&["-d", "out", "lonely.torrent"]);
    let second = scene.get(&["-d", "out", "lonely.torrent"]);
    send(&first, rustix::process::Signal::INT);
    finish(first);
    assert_eq!(second.code, Some(11), "{}", second.err);
}

#[cfg(unix)]
#[test]
fn what_seed_serves_can_be_got_and_stopping_it_is_a_success() {
    let scene = Scene::new();
    let arguments = [&["seed", "--json", "lonely.torrent", "shared"], &QUIET_NETWORK[..]].concat();
    let port = free_port().to_string();
    let mut child = scene.command(&[&arguments[..], &["--port", &port]].concat()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"seeding\"")), "it seeds");
    let seen = scene.get(&["-d", "out", "--peer", &format!("127.0.0.1:{port}"), "lonely.torrent"]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    assert!(scene.same("tree/sub/b.bin", "out/tree/sub/b.bin"));
    send(&child, rustix::process::Signal::INT);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let summary: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!((&summary["event"], &summary["uploaded"]), (&json!("summary"), &json!(300_010)));
}

#[test]
fn seeding_ends_at_its_goal() {
    let scene = Scene::new();
    let seen = scene.run(&[&["seed", "--seed-time", "1s", "lonely.torrent", "shared"], &QUIET_NETWORK[..]].concat());
    assert_eq!(seen.code, Some(0), "{}", seen.err);
}

#[test]
fn info_fetches_metadata_and_saves_a_torrent() {
    let scene = Scene::new();
    let seeder = scene.seeder();
    let arguments = [&["info", "--json", "--save", "saved.torrent", &seeder.magnet], &QUIET_NETWORK[..]].concat();
    let seen = scene.run(&arguments);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    let object: Value = serde_json::from_str(&seen.out).unwrap();
    assert_eq!((&object["name"], &object["total_size"]), (&json!("tree"), &json!(300_010)));
    assert_eq!(object["trackers"], json!([[seeder.tracker]]));
    let saved = scene.run(&["info", "--json", "saved.torrent"]);
    let saved: Value = serde_json::from_str(&saved.out).unwrap();
    assert_eq!((&saved["info_hash_v1"], &saved["trackers"]), (&json!(scene.made.hash()), &object["trackers"]));
    let seen = scene.run(&["info", "--json", "--scrape", "saved.torrent"]);
    let scraped: Value = serde_json::from_str(&seen.out).unwrap();
    assert_eq!(scraped["swarm"][0]["seeders"], 1, "{scraped}");
}

#[test]
fn a_torrent_comes_from_a_url_too() {
    let scene = Scene::new();
    let seeder = scene.seeder();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/get?key=secret", server.local_addr().unwrap());
    let torrent = seeder.torrent.clone();
    std::thread::spawn(move || {
        for answer in [torrent, b"<html>log in".to_vec()] {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            stream.write_all(&[head.as_bytes(), &answer].concat()).unwrap();
        }
    });
    let seen = scene.get(&["-d", "out", &url]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    let seen = scene.get(&["-d", "out", &url]);
    assert_eq!(seen.code, Some(25), "{}", seen.err);
    assert!(seen.err.contains("web page") && !seen.err.contains("secret"), "{}", seen.err);
    let seen = scene.get(&["-d", "out", "http://127.0.0.1:1/a.torrent"]);
    assert_eq!(seen.code, Some(6), "{}", seen.err);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let scene = Scene::new();
    let mut child =
        scene.command(&[&["get", "--json", "lonely.torrent"], &QUIET_NETWORK[..]].concat()).spawn().unwrap();
    drop(child.stdout.take());
    let seen = finish(child);
    assert_eq!(seen.code, Some(141), "{}", seen.err);
}

/// Flags of a run that should end with this code: where nothing can come, it does not wait for long.
fn ended_by(code: i32) -> &'static [&'static str] {
    if code == 5 { &["--stall-timeout", "1"] } else { &[] }
}

#[test]
fn encryption_is_as_the_user_wants_it() {
    let scene = Scene::new();
    let seeder = scene.seeder();
    let port = free_port().to_string();
    let seed = ["--encryption", "require", "--port", &port, "--json", "tree.torrent", "shared"];
    let mut required = scene.command(&[&["seed"], &QUIET_NETWORK[..], &seed].concat()).spawn().unwrap();
    let mut events = BufReader::new(required.stdout.take().unwrap()).lines();
    assert!(events.any(|line| line.unwrap().contains("\"seeding\"")));
    let peer = format!("127.0.0.1:{port}");
    let alone = ["--no-trackers", "--peer", &peer, "--state-dir", "none", "tree.torrent"];
    for (how, code) in [("off", 5), ("auto", 0), ("require", 0)] {
        let seen = scene.get(&[&["--encryption", how, "-d", how], ended_by(code), &alone[..]].concat());
        assert_eq!(seen.code, Some(code), "{how}: {}", seen.err);
    }
    assert!(scene.same("tree/sub/b.bin", "require/tree/sub/b.bin"));
    // A seeder that takes both.
    let both = ["--no-trackers", "--peer", &seeder.peer.to_string(), "--state-dir", "none", "-d", "r", "tree.torrent"];
    assert_eq!(scene.get(&[&["--encryption", "require"], &both[..]].concat()).code, Some(0));
    let seen = scene.get(&["--encryption", "maybe", "tree.torrent"]);
    assert_eq!(seen.code, Some(2));
    assert!(seen.err.contains("maybe") && seen.err.contains("require"), "{}", seen.err);
    required.kill().unwrap();
    required.wait().unwrap();
}

#[test]
fn transport_is_as_the_user_wants_it() {
    let scene = Scene::new();
    let _torrent = scene.seeder();
    let both = ["--transport", "utp", "--encryption", "require"];
    type Call<'a> = (&'a [&'a str], i32); // our flags, and our exit code
    let cases: [(&str, &[Call<'_>]); 2] = [
        ("utp", &[(&["--transport", "tcp"], 5), (&[], 0), (&["--transport", "utp"], 0), (&both, 0)]),
        ("tcp", &[(&["--transport", "utp"], 5), (&["--transport", "tcp"], 0)]),
    ];
    for (theirs, calls) in cases {
        let port = free_port().to_string();
        let seed = ["--transport", theirs, "--port", &port, "--json", "tree.torrent", "shared"];
        let mut seeder = scene.command(&[&["seed"], &QUIET_NETWORK[..], &seed].concat()).spawn().unwrap();
        let mut events = BufReader::new(seeder.stdout.take().unwrap()).lines();
        assert!(events.any(|line| line.unwrap().contains("\"seeding\"")));
        for (n, (ours, code)) in calls.iter().enumerate() {
            let (peer, folder) = (format!("127.0.0.1:{port}"), format!("{theirs}-{n}"));
            let alone = ["--no-trackers", "--peer", &peer, "--state-dir", "none", "-d", &folder, "tree.torrent"];
            let seen = scene.get(&[ours, ended_by(*code), &alone[..]].concat());
            assert_eq!(seen.code, Some(*code), "{ours:?} from {theirs}: {}", seen.err);
            assert!(*code != 0 || scene.same("tree/sub/b.bin", &format!("{folder}/tree/sub/b.bin")));
        }
        seeder.kill().unwrap();
        seeder.wait().unwrap();
    }
    let seen = scene.get(&["--transport", "pigeon", "tree.torrent"]);
    assert_eq!(seen.code, Some(2));
    assert!(seen.err.contains("pigeon") && seen.err.contains("utp"), "{}", seen.err);
}
