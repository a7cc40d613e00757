//! Every event of real runs is one of the schema; scripts that know nothing but exit codes and JSON.

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Command;

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};
use scene::{Scene, Schema, Seen, seen};
use serde_json::{Value, json};

#[test]
fn every_event_of_real_runs_is_in_the_schema_and_every_kind_of_event_happens() {
    let (scene, schema) = (Scene::new(), Schema::load());
    let files = [("a.txt", noise(10, 1)), ("sub/b.bin", noise(300_000, 2)), ("sub/empty", Vec::new())];
    let made = Made::folder("tree", &files, 32_768, &[]);
    std::fs::create_dir(scene.path("shared")).unwrap();
    made.place(&scene.path("shared"));
    scene.write("tree.torrent", &made.bytes);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    let mut runs: Vec<Seen> = vec![
        scene.get(&["--json", "-d", "out", &seeder.magnet, "tree.torrent", "missing.torrent"]),
        scene.get(&["--json", "-d", "out", "--archive", "archive", "tree.torrent"]),
        scene.get(&["--json", "-d", "out", "--archive", "archive", "tree.torrent"]),
        scene.get(&["--json", "-n", "-d", "out", "tree.torrent"]),
        scene.get(&["--json", "-l", &seeder.magnet]),
        scene.get(&["--json", "-d", "lonely", "--stall-timeout", "2s", "tree.torrent"]),
        scene.get(&["--json", "--seed-ratio", "0", "-d", "out", "tree.torrent"]),
        scene.get(&["--json", "--nothing-such"]),
        scene.run(&["seed", "--json", "--no-dht", "--no-lsd", "--seed-time", "1s", "tree.torrent", "shared"]),
        scene.run(&["stream", "--json", "--no-dht", "--no-lsd", "--player", "true", "-d", "out", "tree.torrent"]),
        scene.run(&["verify", "--json", "tree.torrent", "shared"]),
        scene.run(&["ls", "--json"]),
        scene.run(&["create", "--json", "-n", "shared/tree"]),
        scene.run(&["create", "--json", "-o", "new.torrent", "shared/tree"]),
        scene.run(&["create", "--json", "-o", "new.torrent", "shared/tree"]),
    ];
    scene.write("shared/tree/sub/b.bin", noise(200_000, 9));
    runs.push(scene.run(&["verify", "--json", "tree.torrent", "shared"]));
    runs.push(scene.get(&["--json", "-d", "tree.torrent", "tree.torrent"]));
    let mut kinds = BTreeSet::new();
    for event in runs.iter().flat_map(Seen::events).chain([why_it_is_still(&scene)]) {
        schema.accepts(&event);
        kinds.insert(event["event"].as_str().unwrap().to_owned());
    }
    let printed: Value = serde_json::from_str(&scene.run(&["schema"]).ends(0).out).unwrap();
    let known: BTreeSet<String> = printed["properties"]["event"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, known);
    // The schema is no net with wide meshes.
    let stage = json!({ "v": 1, "event": "stage", "id": 1, "stage": "queued" });
    schema.accepts(&stage);
    for (key, value) in
        [("v", json!(2)), ("event", json!("other")), ("id", json!(null)), ("stage", json!("x")), ("more", json!(1))]
    {
        let mut wrong = stage.clone();
        wrong[key] = value;
        assert!(schema.refuses(&wrong), "{wrong}");
    }
}

/// What is said when nothing has come for a while.
fn why_it_is_still(scene: &Scene) -> Value {
    scene.write("still.torrent", Made::file("still", noise(50_000, 8), 16_384, &[]).bytes);
    let mut command = scene.command(&["get", "--json", "--no-dht", "--no-lsd", "-d", "still", "still.torrent"]);

    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let events = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let why = { events }.find(|event| event["event"] == "why").expect("it is told before the run ends");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        (&why["reason"], &why["message"]),
        (&json!("no_peers"), &json!("no peers found yet: there is no tracker"))
    );
    why
}

/// 15 good items and 5 bad ones, as a list.
fn batch_of_twenty(scene: &Scene) -> Vec<LocalSeeder> {
    let mut list = String::new();
    let mut seeders = Vec::new();
    for n in 0..15 {
        let made = scene.made(&format!("good {n}.bin"), 20_000 + n, n as u64);
        let seeder = LocalSeeder::start(&made, &scene.path("shared"));
        if n % 3 == 0 {
            list += &format!("{}\n", seeder.magnet);
        } else {
            scene.write(&format!("{n}.torrent"), &seeder.torrent);
            list += &format!("{n}.torrent\n");
        }
        seeders.push(seeder);
    }
    scene.write("page.torrent", "<html>log in</html>");
    scene.write("dead.torrent", Made::file("dead", noise(50_000, 77), 16_384, &[]).bytes);
    list += "missing.torrent\npage.torrent\nmagnet:?xt=urn:btih:short&dn=x\ndead.torrent\n  stall-timeout=2s\n";
    list += &format!("magnet:?xt=urn:btih:{:040x}&dn=nobody\n  metadata-timeout=2s\n", 7);
    scene.write("list.txt", list);
    seeders
}

#[track_caller]
fn drives(interpreter: &str, script: &str, needs: &str) {
    if Command::new(interpreter).arg("--version").output().is_err()
        || Command::new(needs).arg("--version").output().is_err()
    {
        eprintln!("NOT RUN: {script} needs {interpreter} and {needs}, which are in Debian's packages of these names");
        return;
    }
    let scene = Scene::new();
    let _seeders = batch_of_twenty(&scene);
    let mut command = Command::new(interpreter);
    command.arg(format!("{}/examples/scripts/{script}", env!("CARGO_MANIFEST_DIR"))).args(["list.txt", "out"]);
    command.env_clear().current_dir(scene.dir.path()).env("HOME", scene.dir.path());
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("RTORRENT_CLI", env!("CARGO_BIN_EXE_rtorrent-cli"));
    for variable in ["NO_DHT", "NO_LSD", "NO_PEX"] {
        command.env(format!("RTORRENT_CLI_{variable}"), "1");
    }
    let ran = seen(&mut command);
    ran.ends(4);
    let mut lines: Vec<&str> = ran.out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 21, "{}", ran.out);
    assert_eq!(lines.iter().filter(|line| line.starts_with("ok ")).count(), 15, "{}", ran.out);
    let bad: Vec<&str> = lines.iter().filter(|line| line.starts_with("bad ")).copied().collect();
    let codes: BTreeSet<&str> = bad.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(codes, BTreeSet::from(["3", "25", "27", "5", "8"]), "{}", ran.out);
    assert!(lines.contains(&"total 15 of 20, exit 4"), "{}", ran.out);
    assert!((0..15).all(|n| scene.same(&format!("good {n}.bin"), &format!("out/good {n}.bin"))));
}

#[cfg(unix)]
#[test]
fn a_script_of_bash_drives_a_batch() {
    drives("bash", "drive_batch.sh", "jq");
}

#[cfg(unix)]
#[test]
fn a_script_of_python_drives_a_batch() {
    drives("python3", "drive_batch.py", "python3");
}
