//! The configuration file as a run finds it.

#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;

use scene::{Scene, seen};
use serde_json::Value;

fn scene() -> Scene {
    let scene = Scene::new();
    let made = scene.made("a.bin", 40_000, 1);
    scene.write("a.torrent", &made.bytes);
    scene
}

#[test]
fn the_file_the_profile_the_environment_and_the_flag_are_asked_in_turn() {
    let scene = scene();
    let path = scene.run(&["config", "path"]).ends(0).out.trim_end().to_owned();
    let file = std::path::Path::new(&path);
    assert!(file.starts_with(scene.dir.path()) && file.ends_with("config.toml"), "{path}");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, "dir = 'from-file'\nno-dht = true\nno-lsd = true\n[profile.other]\ndir = 'from-profile'\n")
        .unwrap();
    let target = |arguments: &[&str], variables: &[(&str, &str)]| {
        let line = [&["get", "-n", "--json", "a.torrent"], arguments].concat();
        let got = seen(scene.command(&line).envs(variables.iter().copied()));
        got.ends(0).of("plan")[0]["path"].as_str().unwrap().to_owned()
    };
    assert!(target(&[], &[]).ends_with("from-file/a.bin"));
    assert!(target(&["--profile", "other"], &[]).ends_with("from-profile/a.bin"));
    assert!(target(&[], &[("RTORRENT_CLI_PROFILE", "other")]).ends_with("from-profile/a.bin"));
    assert!(target(&["--profile", "other"], &[("RTORRENT_CLI_DIR", "from-env")]).ends_with("from-env/a.bin"));
    assert!(target(&["--profile", "other", "-d", "flag"], &[("RTORRENT_CLI_DIR", "from-env")]).ends_with("flag/a.bin"));
    assert!(
        target(&["--config", "none"], &[]).ends_with("a.bin") && !target(&["--config", "none"], &[]).contains("from")
    );
    // What an item of a list says goes before all of them.
    scene.write("list", "a.torrent\n  dir=own\n");
    let own = scene.run(&["get", "-n", "--json", "-i", "list"]);
    assert!(own.ends(0).of("plan")[0]["path"].as_str().unwrap().ends_with("own/a.bin"));
    let mut shown = scene.command(&["config", "show", "--json", "--profile", "other"]);
    let shown = seen(shown.env("RTORRENT_CLI_JOBS", "9"));
    let of = |key: &str| shown.events().into_iter().find(|it| it["key"] == key).unwrap_or(Value::Null);
    assert_eq!((&of("dir")["origin"], &of("dir")["value"][0]), (&"profile other".into(), &"from-profile".into()));
    assert_eq!((&of("no-dht")["origin"], &of("jobs")["origin"]), (&"file".into(), &"RTORRENT_CLI_JOBS".into()));
    assert_eq!((&of("memory")["origin"], &of("memory")["value"][0]), (&"default".into(), &"64M".into()));
    let words = scene.run(&["config", "show"]);
    assert!(
        words.ends(0).out.lines().any(|line| line.starts_with("dir ") && line.ends_with("= \"from-file\"  # file")),
        "{}",
        words.out
    );
}

#[test]
fn a_file_that_is_wrong_stops_a_run_in_one_line_and_nothing_else() {
    let scene = scene();
    for (text, words) in [
        ("jbos = 3", "unknown key jbos; did you mean jobs?"),
        ("jobs = 'many'", "jobs: "),
        ("dir = ", "line 1"),
        ("[profile.a]\ndirr = 'x'", "[profile.a] unknown key dirr; did you mean dir?"),
        ("port = [1, 2]", "one value"),
    ] {
        scene.write("c.toml", text);
        let got = scene.run(&["get", "--config", "c.toml", "a.torrent"]);
        assert!(got.ends(2).err.contains(words), "{text}: {}", got.err);
        assert!(got.err.starts_with("error: c.toml: ") && got.err.lines().count() == 1, "{}", got.err);
    }
    scene.run(&["get", "--config", "c.toml", "--help"]).ends(0);
    scene.run(&["man"]).ends(0);
    scene.run(&["get", "--config", "no.toml", "a.torrent"]).ends(3);
    let missing = scene.run(&["get", "--profile", "x", "--config", "none", "a.torrent"]);
    assert!(missing.ends(2).err.contains("no configuration file"), "{}", missing.err);
    scene.run(&["config", "path", "--config", "none"]).ends(3);
}
