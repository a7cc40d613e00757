//! Many items in one run, and looking before downloading: lists, plans, archives, sessions, hooks, `ls` and `rm`.

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::io::Write as _;
use std::process::Stdio;

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};
use scene::{QUIET_NETWORK, Scene, Schema, seen};
use serde_json::json;

/// A torrent of three files, whose data lies in `shared/`.
fn tree(scene: &Scene) -> Made {
    let files = [("a.txt", noise(10, 1)), ("sub/b.bin", noise(100_000, 2)), ("sub/c.bin", noise(50_000, 3))];
    let made = Made::folder("tree", &files, 16_384, &[]);
    std::fs::create_dir_all(scene.path("shared")).unwrap();
    made.place(&scene.path("shared"));
    scene.write("tree.torrent", &made.bytes);
    made
}

#[test]
fn a_list_of_sources_with_flags_of_their_own() {
    let scene = Scene::new();
    let (one, two) = (scene.made("one.bin", 40_000, 1), scene.made("two.bin", 40_000, 2));
    let (first, second) =
        (LocalSeeder::start(&one, &scene.path("shared")), LocalSeeder::start(&two, &scene.path("shared")));
    scene.write("two.torrent", &second.torrent);
    let list = format!("# wanted\n{}\n  dir=first\n  output=other.bin\n\ntwo.torrent\n\tcheck=full\n", first.magnet);
    scene.write("list.txt", list);
    let got = scene.get(&["-i", "list.txt", "-d", "rest"]);
    got.ends(0);
    assert_eq!(got.out.lines().count(), 2, "{}", got.out);
    assert!(scene.same("one.bin", "first/other.bin") && scene.same("two.bin", "rest/two.bin"));
    assert!(got.err.contains("2 of 2 items complete"), "{}", got.err);
}

#[test]
fn the_list_may_come_from_standard_input_and_an_items_mistake_is_its_own() {
    let scene = Scene::new();
    let one = scene.made("one.bin", 40_000, 1);
    let seeder = LocalSeeder::start(&one, &scene.path("shared"));
    let mut child = scene
        .command(&[&["get"], &QUIET_NETWORK[..], &["--json", "-d", "out", "-i", "-"]].concat())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let list = format!("missing.torrent\n{}\n{}\n  dri=x\nmagnet:?xt=urn:btih:short\n", seeder.magnet, seeder.magnet);
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let events: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors: Vec<_> = events.iter().filter(|event| event["event"] == "error").collect();
    let codes: Vec<_> = errors.iter().map(|error| (error["id"].clone(), error["code"].clone())).collect();
    assert_eq!(codes, [(json!(1), json!(3)), (json!(3), json!(2)), (json!(4), json!(27))], "{errors:#?}");
    assert!(errors[1]["message"].as_str().unwrap().contains("did you mean dir?"), "{}", errors[1]);
    assert!(scene.same("one.bin", "out/one.bin"));
    for (list, words) in [("  dir=x\na", "line 1"), ("a\n  x", "KEY=VALUE")] {
        scene.write("bad.txt", list);
        let bad = scene.get(&["-i", "bad.txt"]);
        assert!(bad.ends(2).err.contains(words), "{}", bad.err);
    }
    // Without all its options an item is not what was wanted.
    let mut child = scene
        .command(&[&["get"], &QUIET_NETWORK[..], &["-d", "half", "-i", "-"]].concat())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{}\n  select\n  dir=half\n", seeder.magnet).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("line 2: an indented line is KEY=VALUE") && !scene.path("half").exists(), "{err}");
    scene.get(&["-i", "no.txt"]).ends(3);
    scene.get(&["-i", "-", "-"]).ends(2);
}

/// Links that nobody answers for take no slot: with one slot, what stands behind them comes at once.
#[test]
fn links_that_do_not_resolve_hold_nobody_up() {
    let scene = Scene::new();
    let made: Vec<Made> = (0..3).map(|n| scene.made(&format!("{n}.bin"), 40_000, n)).collect();
    let mut list = String::new();
    for n in 0..40 {
        list += &format!("magnet:?xt=urn:btih:{:040x}&dn=dead-{n}\n", n + 1);
    }
    let seeders: Vec<LocalSeeder> = made.iter().map(|made| LocalSeeder::start(made, &scene.path("shared"))).collect();
    for (n, seeder) in seeders.iter().enumerate() {
        scene.write(&format!("{n}.torrent"), &seeder.torrent);
        list += &format!("{n}.torrent\n");
    }
    scene.write("list.txt", list);
    // All that can be had comes before the first link gives up, if a slow machine gets the time that it needs; links that
    // took a slot would hold up everything for any time.
    let got = ["5s", "20s", "80s"].iter().find_map(|time| {
        let got = scene.get(&["-j", "1", "--metadata-timeout", time, "--json", "-d", time, "-i", "list.txt"]);
        let events = got.ends(4).events();
        let complete = events.iter().rposition(|event| event["event"] == "complete").unwrap();
        let error = events.iter().position(|event| event["event"] == "error").unwrap();
        (complete < error).then_some(got)
    });
    let got = got.expect("all that could be had came before the first gave up");
    let events = got.events();
    let summary = got.of("summary");
    assert_eq!((&summary[0]["complete"], &summary[0]["failed"]), (&json!(3), &json!(40)));
    assert!(got.of("error").iter().all(|error| error["code"] == 8), "{:#?}", got.of("error"));
    // One slot: no two of them download at a time.
    let mut downloading = std::collections::HashSet::new();
    for event in events.iter().filter(|event| event["event"] == "stage") {
        let id = event["id"].as_u64().unwrap();
        match event["stage"].as_str().unwrap() {
            "downloading" => drop(downloading.insert(id)),
            "stopping" | "done" | "failed" => drop(downloading.remove(&id)),
            _ => {}
        }
        assert!(downloading.len() <= 1, "{downloading:?}");
    }
}

#[test]
fn links_that_resolve_wait_for_a_slot_and_get_one() {
    let scene = Scene::new();
    let made: Vec<Made> = (0..4).map(|n| scene.made(&format!("{n}.bin"), 40_000, n)).collect();
    let seeders: Vec<LocalSeeder> = made.iter().map(|made| LocalSeeder::start(made, &scene.path("shared"))).collect();
    let links: Vec<&str> = seeders.iter().map(|seeder| seeder.magnet.as_str()).collect();
    let got = scene.get(&[&["-j", "1", "--json", "-d", "out"], &links[..]].concat());
    got.ends(0);
    assert_eq!(got.of("complete").len(), 4);
    assert_eq!(got.of("metadata").len(), 4, "each is told once");
}

#[test]
fn the_first_failure_ends_the_run_if_that_is_wanted() {
    let scene = Scene::new();
    let made = scene.made("a.bin", 40_000, 1);
    scene.write("a.torrent", &made.bytes);
    // Nobody has a.bin: without the failure the run would go on for ever.
    let got = scene.get(&["--fail-fast", "-d", "out", "a.torrent", "missing.torrent"]);
    got.ends(3);
    assert!(got.err.contains("--fail-fast") || got.err.contains("unfinished"), "{}", got.err);
}

#[test]
fn the_archive_keeps_what_is_complete_and_skips_it() {
    let scene = Scene::new();
    let made = scene.made("a.bin", 40_000, 1);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    let got = scene.get(&["--archive", "done.txt", "-d", "out", &seeder.magnet]);
    got.ends(0);
    assert_eq!(scene.read("done.txt"), format!("{}  a.bin\n", made.hash()));
    std::fs::remove_file(scene.path("out/a.bin")).unwrap();
    let again = scene.get(&["--archive", "done.txt", "--json", "-d", "out", &seeder.magnet]);
    again.ends(0);
    assert_eq!(again.of("skipped")[0]["reason"], "archive");
    assert_eq!(again.of("summary")[0]["skipped"], 1);
    assert!(!scene.path("out/a.bin").exists());
    assert_eq!(scene.read("done.txt").lines().count(), 1);
}

#[test]
fn what_is_left_becomes_a_session_that_goes_on() {
    let scene = Scene::new();
    let (one, two) = (scene.made("one.bin", 40_000, 1), scene.made("two.bin", 40_000, 2));
    let seeder = LocalSeeder::start(&one, &scene.path("shared"));
    scene.write("one.torrent", &seeder.torrent);
    scene.write("two.torrent", &two.bytes);
    scene.write("list.txt", "one.torrent\ntwo.torrent\n  stall-timeout=2s\n");
    let got = scene.get(&["--save-session", "left.txt", "-d", "out", "-s", "1", "-i", "list.txt"]);
    got.ends(4);
    let session = scene.read("left.txt");
    let folder = scene.dir.path().canonicalize().unwrap();
    assert!(session.starts_with(&format!("{}/two.torrent\n", folder.display())), "{session}");
    assert!(
        session.contains(&format!("  dir={}/out\n", folder.display())) && session.contains("  select=1\n"),
        "{session}"
    );
    assert!(!session.contains("one.torrent") && session.contains("  stall-timeout=2s\n"), "{session}");
    // Now somebody has it, who gets all the time that he needs; from another folder.
    scene.write("left.txt", session.replace("  stall-timeout=2s\n", ""));
    let second = LocalSeeder::start(&two, &scene.path("shared"));
    std::fs::create_dir(scene.path("elsewhere")).unwrap();
    let mut command = scene.command(&[
        "get",
        "--no-dht",
        "--no-lsd",
        "-i",
        "../left.txt",
        "--save-session",
        "../left.txt",
        "--tracker",
        &second.tracker,
    ]);
    seen(command.current_dir(scene.path("elsewhere"))).ends(0);
    assert!(scene.same("two.bin", "out/two.bin"));
    assert_eq!(scene.read("left.txt"), "");
}

#[test]
fn a_list_shows_the_files_and_a_plan_what_would_happen_and_neither_does_it() {
    let scene = Scene::new();
    let made = tree(&scene);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    let list = scene.get(&["-l", "-s", "*.bin", "-x", "3", "tree.torrent"]);
    list.ends(0);
    assert!(list.out.starts_with("tree: 97.7 KiB in 1 of 3 files, of 146 KiB\n"), "{}", list.out);
    let marked: Vec<&str> = list.out.lines().filter(|line| line.starts_with("* ")).collect();
    assert_eq!(marked.len(), 1);
    assert!(marked[0].ends_with("b.bin"), "{marked:?}");
    // A link's files have to be asked for.
    let list = scene.get(&["--list", "--json", &seeder.magnet]);
    assert_eq!(list.ends(0).of("metadata")[0]["total_size"], 150_010);
    let plan = scene.get(&["-n", "--json", "-d", "new/out", "tree.torrent"]);
    let event = plan.ends(0).of("plan").remove(0);
    assert_eq!(
        (&event["selected_size"], &event["to_fetch"], &event["there"]),
        (&json!(150_010), &json!(150_010), &json!(0))
    );
    assert_eq!((&event["needed_space"], event["free_space"].is_u64()), (&json!(150_010), cfg!(unix)));
    assert!(event["path"].as_str().unwrap().ends_with("new/out/tree"), "{event}");
    assert!(!scene.path("new").exists() && !scene.path(".local").exists(), "nothing is made");
    // What a finished run left is known, what somebody else left is to be checked.
    scene.get(&["-d", "out", "--tracker", &seeder.tracker, "tree.torrent"]).ends(0);
    let event = scene.get(&["-n", "--json", "-d", "out", "tree.torrent"]).of("plan").remove(0);
    assert_eq!((&event["there"], &event["to_check"], &event["to_fetch"]), (&json!(150_010), &json!(0), &json!(0)));
    let event = scene.get(&["-n", "--json", "-d", "shared", "tree.torrent"]).of("plan").remove(0);
    assert_eq!((&event["there"], &event["to_check"], &event["to_fetch"]), (&json!(0), &json!(150_010), &json!(0)));
    let words = scene.get(&["-n", "-d", "out", "tree.torrent"]);
    assert!(words.ends(0).out.contains("there     146 KiB verified"), "{}", words.out);
    scene.get(&["-l", "-n", "tree.torrent"]).ends(2);
    scene.get(&["-l", "missing.torrent"]).ends(3);
    let alone = scene.get(&["-I", "tree.torrent"]);
    assert!(alone.ends(2).err.contains("terminal"), "{}", alone.err);
}

/// A torrent that no disk here has room for.
#[cfg(unix)]
#[test]
fn what_does_not_fit_is_told_before_and_may_be_tried_all_the_same() {
    let scene = Scene::new();
    // 2^46 bytes in pieces of 128 MiB.
    let pieces = (1u64 << 46).div_ceil(1 << 27) as usize;
    let mut torrent =
        format!("d4:infod6:lengthi{}e4:name3:big12:piece lengthi134217728e6:pieces{}:", 1u64 << 46, pieces * 20)
            .into_bytes();
    torrent.extend(vec![1; pieces * 20]);
    torrent.extend(b"ee");
    scene.write("big.torrent", torrent);
    let plan = scene.get(&["-n", "-d", "out", "big.torrent"]);
    if plan.code == Some(0) {
        eprintln!("NOT RUN: there is a disk of 64 TiB here");
        return;
    }
    assert!(plan.ends(9).out.contains("not enough"), "{}", plan.out);
    scene.get(&["-d", "out", "big.torrent"]).ends(9);
    scene.get(&["-n", "--no-space-check", "-d", "out", "big.torrent"]).ends(0);
    let tried = scene.get(&["--no-space-check", "--stall-timeout", "1s", "-d", "out", "big.torrent"]);
    tried.ends(5);
}

#[test]
fn unfinished_files_may_have_their_names_and_their_room_at_once() {
    let scene = Scene::new();
    let made = scene.made("a.bin", 100_000, 1);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    scene.write("a.torrent", &seeder.torrent);
    for how in ["none", "sparse", "full"] {
        let out = format!("out-{how}");
        scene
            .get(&[
                "-d",
                &out,
                "--allocate",
                how,
                "--no-part",
                "--sequential",
                "--first-last",
                "--no-upload",
                "a.torrent",
            ])
            .ends(0);
        assert!(scene.same("a.bin", &format!("{out}/a.bin")), "{how}");
    }
    // What grows as it is written is taken up again where it stopped, under its own name.
    scene.write("half/a.bin", &noise(100_000, 1)[..50_000]);
    let event = scene.get(&["-d", "half", "--no-part", "--allocate", "none", "--json", "a.torrent"]);
    assert_eq!(event.ends(0).of("summary")[0]["downloaded"], 100_000 - 3 * 16_384);
    scene.get(&["--no-upload", "--seed-ratio", "1", "a.torrent"]).ends(2);
}

#[cfg(unix)]
#[test]
fn hooks_hear_of_items_and_the_run_waits_for_them() {
    let scene = Scene::new();
    let made = tree(&scene);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    let say = |what: &str| {
        format!(
            r#"sh -c 'sleep 0.2; echo "{what} $RTORRENT_HOOK_STATUS $RTORRENT_HOOK_NAME $RTORRENT_HOOK_INFOHASH $RTORRENT_HOOK_PATH" >> said; cp "$RTORRENT_HOOK_FILES" files-{what}; echo heard'"#
        )
    };
    let got = scene.get(&[
        "--on-metadata",
        &say("m"),
        "--on-complete",
        &say("c"),
        "--on-error",
        &say("e"),
        "-s",
        "*.bin",
        "-d",
        "out",
        &seeder.magnet,
        "missing.torrent",
    ]);
    got.ends(4);
    let mut said: Vec<String> = scene.read("said").lines().map(str::to_owned).collect();
    said.sort();
    let out = scene.path("out/tree").canonicalize().unwrap();
    assert_eq!(said[0], format!("c complete tree {} {}", made.hash(), out.display()));
    assert_eq!(said[1].trim_end(), "e not-found missing.torrent");
    assert_eq!(said[2].trim_end(), format!("m metadata tree {}", made.hash()));
    let files: serde_json::Value = serde_json::from_str(&scene.read("files-c")).unwrap();
    assert_eq!(files[0], json!({"index": 2, "path": "tree/sub/b.bin", "size": 100_000, "selected": true}));
    assert_eq!(files.as_array().unwrap().len(), 2);
    assert_eq!(got.out.lines().count(), 1, "hooks do not speak on standard output: {}", got.out);
    assert_eq!(got.err.matches("sh: heard").count(), 3, "{}", got.err);
    let wrong = scene.get(&["--on-complete", "echo 'x", "tree.torrent"]);
    assert!(wrong.ends(2).err.contains("quote"), "{}", wrong.err);
}

#[test]
fn downloads_are_listed_resumed_and_forgotten() {
    let scene = Scene::new();
    let (one, two) = (scene.made("one.bin", 40_000, 1), scene.made("two.bin", 40_000, 2));
    let (first, second) =
        (LocalSeeder::start(&one, &scene.path("shared")), LocalSeeder::start(&two, &scene.path("shared")));
    scene.write("one.torrent", &first.torrent);
    scene.write("two.torrent", &two.bytes);
    assert_eq!(scene.run(&["ls"]).ends(0).out, "");
    scene.get(&["-d", "out", "one.torrent"]).ends(0);
    scene.get(&["-d", "out", "-o", "other.bin", "--stall-timeout", "1s", "two.torrent"]).ends(5);
    let listed = scene.run(&["ls"]);
    assert!(
        listed.ends(0).out.contains("complete    100%") && listed.out.contains("unfinished    0%"),
        "{}",
        listed.out
    );
    assert_eq!(scene.run(&["ls", "-u"]).out.lines().count(), 1);
    let schema = Schema::load();
    let kept = scene.run(&["ls", "--json"]);
    kept.events().iter().for_each(|event| schema.accepts(event));
    assert_eq!(kept.of("kept").len(), 2);
    // All that is unfinished goes on, with the name that it had.
    scene.get(&["--resume", "--tracker", &second.tracker]).ends(0);
    assert!(scene.same("two.bin", "out/other.bin"));
    assert!(scene.get(&["--resume"]).ends(0).err.contains("nothing to do"));
    scene.run(&["rm", "nothing"]).ends(3);
    let gone = scene.run(&["rm", &one.hash()[..8]]);
    assert!(gone.ends(0).out.contains("one.bin"), "{}", gone.out);
    assert!(scene.path("out/one.bin").exists(), "the files stay");
    scene.run(&["rm", "--complete"]).ends(0);
    assert_eq!(scene.run(&["ls"]).out, "");
    scene.run(&["rm"]).ends(2);
}

#[test]
fn a_source_that_has_to_be_fetched_is_fetched_beside_the_others() {
    use std::io::Read as _;
    let scene = Scene::new();
    let (made, other) = (scene.made("a.bin", 40_000, 1), scene.made("b.bin", 40_000, 2));
    let (seeder, second) =
        (LocalSeeder::start(&made, &scene.path("shared")), LocalSeeder::start(&other, &scene.path("shared")));
    scene.write("b.torrent", &second.torrent);
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let torrent = seeder.torrent.clone();
    // Gives the torrent only to whom the header lets in, and tells what it was asked.
    let asked = std::thread::spawn(move || {
        let mut request = [0; 4096];
        let (mut stream, _) = server.accept().unwrap();
        let len = stream.read(&mut request).unwrap();
        let request = String::from_utf8_lossy(&request[..len]).into_owned();
        stream
            .write_all(
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", torrent.len()).as_bytes(),
            )
            .unwrap();
        stream.write_all(&torrent).unwrap();
        request
    });
    let url = format!("http://{address}/a.torrent");
    let arguments = ["-H", "Cookie: key=1", "--user-agent", "curl/9", "--json", "-d", "out", &url, "b.torrent"];
    let got = scene.get(&arguments);
    got.ends(0);
    let request = asked.join().unwrap().to_lowercase();
    assert!(request.contains("cookie: key=1") && request.contains("user-agent: curl/9"), "{request}");
    assert_eq!(got.of("item").len(), 2);
    assert!(scene.same("a.bin", "out/a.bin") && scene.same("b.bin", "out/b.bin"));
    assert!(scene.get(&["-H", "no colon", &url]).ends(2).err.contains("header"));
}

#[test]
fn a_log_has_what_was_told_and_more() {
    let scene = Scene::new();
    let made = scene.made("a.bin", 40_000, 1);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    let got = scene.get(&["-q", "--log", "run.log", "-d", "out", &seeder.magnet, "missing.torrent"]);
    got.ends(4);
    let log = scene.read("run.log");
    assert!(log.contains("no such file: missing.torrent"), "{log}");
    scene.get(&["--log", "no/such/folder/x", "missing.torrent"]).ends(3);
}

#[test]
fn a_link_whose_metadata_did_not_come_is_listed_and_taken_up_again() {
    let scene = Scene::new();
    let made = scene.made("late.bin", 50_000, 9);
    let seeder = LocalSeeder::start(&made, &scene.path("shared"));
    let link = seeder.magnet.split("&tr=").next().unwrap().to_owned() + "&dn=late%20name";
    let nobody = format!("magnet:?xt=urn:btih:{:040x}", 7);
    for link in [&link, &nobody] {
        scene.get(&["--metadata-timeout", "1s", "-d", "out", "-o", "mine.bin", link]).ends(8);
    }
    let listed = scene.run(&["ls"]);
    assert!(listed.ends(0).out.contains("no metadata  late name -> "), "{}", listed.out);
    let listed = scene.run(&["ls", "--json", "--unfinished"]);
    let kept = listed.ends(0).of("kept");
    assert_eq!(kept.len(), 2, "{}", listed.out);
    kept.iter().for_each(|event| {
        Schema::load().accepts(event);
        assert_eq!(event["state"], "unresolved");
    });
    scene.run(&["rm", "00000000000000"]).ends(0);
    let peer = seeder.peer.to_string();
    scene.get(&["--resume", "--peer", &peer]).ends(0);
    assert!(scene.same("late.bin", "out/mine.bin"));
    let listed = scene.run(&["ls", "--json"]).of("kept");
    assert_eq!((listed.len(), &listed[0]["state"]), (1, &"complete".into()));
    // What was never handed to the engine, or was only looked at, leaves nothing.
    scene.get(&["--metadata-timeout", "1s", "--list", &nobody]).ends(8);
    assert_eq!(scene.run(&["ls", "--unfinished"]).ends(0).out, "");
}

#[test]
fn a_v2_torrent_goes_by_its_own_hash_everywhere() {
    let scene = Scene::new();
    let hash = "ab".repeat(32);
    let link = format!("magnet:?xt=urn:btmh:1220{hash}&dn=a%20v2%20one");
    scene.write("done.txt", b"");
    let hook = "sh -c 'echo $RTORRENT_HOOK_INFOHASH > hash.txt'";
    let got = scene.get(&[
        "--json",
        "--metadata-timeout",
        "1s",
        "--archive",
        "done.txt",
        "--save-session",
        "left.txt",
        "--on-error",
        hook,
        "-d",
        "out",
        &link,
        &hash,
    ]);
    let item = &got.ends(4).of("item")[0];
    assert_eq!((&item["info_hash_v1"], &item["info_hash_v2"]), (&serde_json::Value::Null, &hash.as_str().into()));
    assert_eq!(got.of("skipped")[0]["reason"], "same");
    assert_eq!(scene.read("hash.txt").trim_end(), hash);
    assert!(scene.read("left.txt").contains(&format!("btmh:1220{hash}")), "{}", scene.read("left.txt"));
    assert_eq!(scene.read("done.txt"), "");
    let listed = scene.run(&["ls", "--json"]);
    let kept = &listed.ends(0).of("kept")[0];
    Schema::load().accepts(kept);
    assert_eq!((&kept["info_hash_v1"], &kept["info_hash_v2"]), (&serde_json::Value::Null, &hash.as_str().into()));
    assert!(scene.run(&["ls"]).ends(0).out.starts_with("ababababab  unfinished"));
    scene.get(&["--metadata-timeout", "1s", "--resume"]).ends(8);
    scene.get(&["--metadata-timeout", "1s", "-i", "left.txt"]).ends(8);
    assert!(scene.run(&["rm", "abab"]).ends(0).out.contains(&hash));
    assert_eq!(scene.run(&["ls"]).ends(0).out, "");
    // A hybrid that is done is known by the hash that a link of it has.
    scene.write("done.txt", format!("{hash}  a v2 one\n").as_bytes());
    let again = scene.get(&["--json", "--archive", "done.txt", &format!("{link}&xt=urn:btih:{}", "cd".repeat(20))]);
    assert_eq!(again.ends(0).of("skipped")[0]["reason"], "archive");
}

#[test]
fn an_item_of_standard_input_begins_when_it_is_read() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let scene = Scene::new();
    let mut seeders = Vec::new();
    for name in ["one.bin", "two.bin"] {
        let made = scene.made(name, 50_000, name.len() as u64);
        let seeder = LocalSeeder::start(&made, &scene.path("shared"));
        scene.write(&format!("{name}.torrent"), &seeder.torrent);
        seeders.push(seeder);
    }
    let mut command = scene.command(&["get", "--no-dht", "--no-lsd", "--no-pex", "--json", "-d", "out", "-i", "-"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |event: &str, id: u32| {
        let event = format!("\"event\":\"{event}\",\"id\":{id}");
        assert!(lines.any(|line| line.unwrap().contains(&event)), "{event}");
    };
    input.write_all(b"one.bin.torrent\n  output=renamed.bin\n").unwrap();
    until("complete", 1);
    // The first is there while nobody knows yet that there will be more.
    input.write_all(b"missing.torrent\n").unwrap();
    until("error", 2);
    input.write_all(b"two.bin.torrent").unwrap();
    drop(input);
    until("complete", 3);
    assert!(lines.last().unwrap().unwrap().contains("\"items\":3"));
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(scene.same("one.bin", "out/renamed.bin") && scene.same("two.bin", "out/two.bin"));
}
