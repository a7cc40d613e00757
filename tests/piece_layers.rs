//! Torrents that lack piece layers (BEP 52): peers are asked for them, and what can't ask says so in one line.

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};
use rtorrent_cli::base::bencode::{Limits, Value};
use rtorrent_cli::base::metainfo::{Info, Metainfo, put_layers};
use scene::Scene;

const LACKS: &str = "needs the piece layer of \"top/";

/// `shared/top` with two files that have piece layers and two that have none; `whole.torrent`, and `bare.torrent` without
/// layers.
fn scene(form: &str) -> (Scene, Made) {
    let scene = Scene::new();
    for (name, len) in [("a", 100_000), ("b/c", 5), ("b/d", 16_385), ("e", 16_384)] {
        scene.write(&format!("shared/top/{name}"), noise(len, len as u64));
    }
    let create = ["create", "-q", "--no-date", form, "--piece-length", "16K", "-o", "whole.torrent", "shared/top"];
    scene.run(&create).ends(0);
    let bytes = std::fs::read(scene.path("whole.torrent")).unwrap();
    scene.write("bare.torrent", put_layers(&bytes, b"de").unwrap());
    let hash = info(&bytes).id.wire().0;
    (scene, Made::of(bytes, hash))
}

fn info(torrent: &[u8]) -> std::sync::Arc<Info> {
    Metainfo::parse(torrent).unwrap().info
}

fn seeder(scene: &Scene, made: &Made) -> String {
    LocalSeeder::start(made, &scene.path("shared")).peer.to_string()
}

fn came(scene: &Scene) -> bool {
    ["top/a", "top/b/c", "top/b/d", "top/e"].iter().all(|name| scene.same(name, &format!("out/{name}")))
}

#[test]
fn get_asks_peers_for_the_layers_and_keeps_them() {
    let (scene, made) = scene("--v2");
    let peer = seeder(&scene, &made);
    scene.get(&["-d", "out", "--peer", &peer, "bare.torrent"]).ends(0);
    assert!(came(&scene));
    // The state folder has them now: for a run without peers, and for commands that ask nobody.
    scene.get(&["-d", "out", "--check", "full", "bare.torrent"]).ends(0);
    scene.run(&["verify", "bare.torrent", "out"]).ends(0);
    scene.run(&["verify", "--state-dir", "none", "bare.torrent", "out"]).ends(26);
    // Players are no different.
    let stream = ["stream", "-d", "played", "--peer", &peer, "--player", "true", "bare.torrent"];
    scene.run(&[&stream[..1], &scene::QUIET_NETWORK, &stream[1..]].concat()).ends(0);
}

#[test]
fn what_is_there_of_the_layers_is_used_and_must_be_right() {
    let (scene, made) = scene("--v2");
    let peer = seeder(&scene, &made);
    let whole = info(&made.bytes);
    let layers = whole.encode_layers();
    let (value, _) = Value::parse(&layers, Limits::TORRENT).unwrap();
    let (root, layer) = value.as_dict().unwrap().iter().next().unwrap();
    let one = |layer: &[u8]| [b"d32:", root, layer, b"e"].concat();
    scene.write("half.torrent", put_layers(&made.bytes, &one(layer.raw())).unwrap());
    assert!(info(&std::fs::read(scene.path("half.torrent")).unwrap()).lacks_layer_of().is_some());
    scene.get(&["-d", "out", "--peer", &peer, "half.torrent"]).ends(0);
    assert!(came(&scene));
    let mut wrong = layer.raw().to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    scene.write("wrong.torrent", put_layers(&made.bytes, &one(&wrong)).unwrap());
    let refused = scene.get(&["-d", "other", "--peer", &peer, "wrong.torrent"]);
    assert!(refused.ends(26).err.contains("does not fit its pieces root"), "{}", refused.err);
}

#[test]
fn info_saves_a_whole_torrent_and_asks_nobody_otherwise() {
    let (scene, made) = scene("--v2");
    for arguments in [&["info", "bare.torrent"][..], &["info", "--offline", "bare.torrent"]] {
        let seen = scene.run(arguments);
        assert!(seen.ends(0).err.contains("lacks the piece layer of \"top/"), "{}", seen.err);
        assert!(seen.out.contains("top"), "{}", seen.out);
    }
    // Lists need no layers either.
    assert!(scene.get(&["--list", "bare.torrent"]).ends(0).out.contains("b/"));
    let peer = seeder(&scene, &made);
    let save = ["info", "--save", "saved.torrent", "--peer", &peer, "bare.torrent"];
    let seen = scene.run(&[&save[..1], &scene::QUIET_NETWORK, &save[1..]].concat());
    assert!(!seen.ends(0).err.contains("lacks"), "{}", seen.err);
    assert_eq!(std::fs::read(scene.path("saved.torrent")).unwrap(), made.bytes, "byte for byte as it was made");
}

#[test]
fn who_can_not_ask_says_so_in_one_line() {
    let (scene, _) = scene("--v2");
    for command in ["verify", "seed"] {
        let seen = scene.run(&[command, "bare.torrent", "shared"]);
        let line = seen.ends(26).err.trim_end();
        assert!(line.contains(LACKS) && line.contains("info --save") && !line.contains('\n'), "{line}");
    }
    let nobody = scene.get(&["-d", "out", "--metadata-timeout", "1s", "bare.torrent"]);
    assert!(nobody.ends(8).err.contains("no hashes of its pieces (piece layers) within 1 s"), "{}", nobody.err);
    assert!(!scene.path("out/top").exists());
}

/// The v1 hashes of a hybrid do; the layers come beside, and are kept for who asks.
#[test]
fn a_hybrid_needs_no_layers_and_gets_them_all_the_same() {
    let (scene, made) = scene("--hybrid");
    scene.run(&["verify", "bare.torrent", "shared"]).ends(0);
    let peer = seeder(&scene, &made);
    let id = info(&made.bytes).id;
    let link = format!("magnet:?xt=urn:btmh:1220{}", id.v2().unwrap());
    // So slow that the first piece is there long before the last.
    let flags = ["get", "-d", "out", "--seed-time", "inf", "--limit-down", "32K", "--peer", &peer, &link];
    let mut child = scene.command(&[&flags[..], &scene::QUIET_NETWORK].concat()).spawn().unwrap();
    let kept = || {
        let state = scene.path(".local/state/rtorrent-cli");
        rtorrent_cli::io::resume::ResumeRecord::load(&state, &id).ok().flatten().map(|record| record.layers)
    };
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while kept().is_none_or(|layers| layers != info(&made.bytes).encode_layers()) {
        assert!(std::time::Instant::now() < patience, "the layers did not come");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
