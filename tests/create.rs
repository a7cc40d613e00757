//! `create`: what stands in the torrent, where it is written, what is refused.

#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;

use make_torrent::{Made, noise};
use scene::{Scene, Seen, seen};

/// A tree whose files stand in the order in which they are sorted.
fn tree() -> Made {
    let files = [
        ("a-b", noise(20_000, 1)),
        ("a/z", noise(77, 2)),
        ("b.bin", noise(300_000, 3)),
        ("empty", Vec::new()),
        ("ä ☃", noise(5, 4)),
    ];
    Made::folder("tree", &files, 32_768, &["http://t.example/announce"])
}

fn with_tree() -> (Scene, Made) {
    let (scene, made) = (Scene::new(), tree());
    made.place(scene.dir.path());
    (scene, made)
}

fn create(scene: &Scene, arguments: &[&str]) -> Seen {
    scene.run(&[&["create"], arguments].concat())
}

/// The info dictionary of the oracle is written by hand and hashed by the sha1 crate's code path for single messages.
#[test]
fn the_torrent_is_that_of_the_files_and_its_link_is_printed() {
    let (scene, made) = with_tree();
    let seen = create(&scene, &["--piece-length", "32K", "-t", "http://t.example/announce", "tree"]);
    let link = format!("magnet:?xt=urn:btih:{}&dn=tree&xl=320082&tr=http%3A%2F%2Ft.example%2Fannounce\n", made.hash());
    assert_eq!(seen.ends(0).out, link);
    assert!(seen.err.contains("tree.torrent") && seen.err.contains("10 pieces of 32 KiB"), "{}", seen.err);
    scene.run(&["verify", "tree.torrent", "."]).ends(0);
    // Also from elsewhere, by its whole path, and from within.
    for path in [&*scene.path("tree").to_string_lossy(), "tree/", "./tree/a/.."] {
        let seen = create(&scene, &["-f", "--piece-length", "32K", "-t", "http://t.example/announce", path]);
        assert_eq!(seen.ends(0).out, link, "{path}");
    }
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (scene, _) = with_tree();
    let made = |file: &str, epoch: &str| {
        let mut command = scene.command(&["create", "-q", "-o", file, "-c", "for all", "tree"]);
        seen(command.env("SOURCE_DATE_EPOCH", epoch)).ends(0);
        std::fs::read(scene.path(file)).unwrap()
    };
    let one = made("one.torrent", "1700000000");
    assert_eq!(one, made("two.torrent", "1700000000"));
    assert_ne!(one, made("three.torrent", "1700000001"));
    let text = String::from_utf8_lossy(&one).into_owned();
    let head = format!(
        "d7:comment7:for all10:created by{}:rtorrent-cli {}13:creation datei1700000000e4:infod5:filesl",
        "rtorrent-cli ".len() + env!("CARGO_PKG_VERSION").len(),
        env!("CARGO_PKG_VERSION")
    );
    assert!(text.starts_with(&head), "{text}");
    create(&scene, &["-q", "--no-date", "-o", "four.torrent", "tree"]).ends(0);
    assert!(!scene.run(&["info", "--json", "four.torrent"]).ends(0).out.contains("\"creation_date\":1"));
    let seen = seen(scene.command(&["create", "tree"]).env("SOURCE_DATE_EPOCH", "yesterday"));
    assert!(seen.ends(2).err.contains("SOURCE_DATE_EPOCH"), "{}", seen.err);
}

/// The bytes of a file at `offset` are changed.
fn spoil(scene: &Scene, name: &str, offset: usize) {
    let mut bytes = std::fs::read(scene.path(name)).unwrap();
    bytes[offset] ^= 1;
    std::fs::write(scene.path(name), bytes).unwrap();
}

#[test]
fn v2_and_hybrid_torrents_are_verified_by_what_they_say() {
    for (flag, v1, v2) in [("--v2", false, true), ("--hybrid", true, true)] {
        let (scene, _) = with_tree();
        let arguments = [flag, "--no-date", "--piece-length", "32K", "tree"];
        let link = create(&scene, &arguments).ends(0).out.clone();
        assert_eq!((link.contains("urn:btih:"), link.contains("urn:btmh:1220")), (v1, v2), "{link}");
        let first = std::fs::read(scene.path("tree.torrent")).unwrap();
        assert_eq!(create(&scene, &[&["-f"], &arguments[..]].concat()).ends(0).out, link);
        assert_eq!(first, std::fs::read(scene.path("tree.torrent")).unwrap(), "the same content, the same bytes");

        let info: serde_json::Value =
            serde_json::from_str(&scene.run(&["info", "--json", "tree.torrent"]).ends(0).out).unwrap();
        assert_eq!((info["info_hash_v1"].is_string(), info["info_hash_v2"].is_string()), (v1, v2));
        assert_eq!(info["magnet"], link.trim_end());
        assert_eq!((&info["total_size"], &info["pieces"]), (&320_082.into(), &13.into()));
        let paths: Vec<_> =
            info["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["tree/a/z", "tree/a-b", "tree/b.bin", "tree/empty", "tree/ä ☃"], "the order of the tree");

        // Pieces 0 and 1 are small files, 2 to 11 are b.bin.
        assert!(scene.run(&["verify", "tree.torrent", "."]).ends(0).err.contains("13 pieces"));
        spoil(&scene, "tree/b.bin", 299_999);
        spoil(&scene, "tree/a/z", 0);
        let seen = scene.run(&["verify", "tree.torrent", "."]);
        assert_eq!(seen.ends(32).out, "bad  tree/a/z: piece 0\nbad  tree/b.bin: piece 11\n");
        std::fs::remove_file(scene.path("tree/ä ☃")).unwrap();
        let seen = scene.run(&["verify", "--json", "tree.torrent", "."]);
        let bad: Vec<_> = seen.ends(32).of("file").iter().map(|file| file["bad_pieces"].to_string()).collect();
        assert_eq!(bad, ["[0]", "[]", "[11]", "[]", "[12]"]);
    }
}

#[test]
fn a_v2_torrent_of_one_file_has_no_folder_and_that_is_said() {
    let scene = Scene::new();
    scene.write("top/one.bin", noise(40_000, 9));
    let seen = create(&scene, &["--v2", "top"]);
    assert!(seen.ends(0).err.contains("\"top/one.bin\" will be \"one.bin\""), "{}", seen.err);
    scene.run(&["verify", "top.torrent", "top"]).ends(0);
    assert_eq!(create(&scene, &["--hybrid", "-f", "top"]).ends(0).err.lines().count(), 1);
    scene.run(&["verify", "top.torrent", "."]).ends(0);
    create(&scene, &["--v2", "--hybrid", "-f", "top"]).ends(2);
}

/// libtorrent makes v2 and hybrid torrents of the same files: the same info dictionaries, byte for byte, and piece layers;
/// and it reads ours.
#[test]
#[cfg(target_os = "linux")]
fn libtorrent_makes_the_same_of_the_same_files() {
    let python = "/usr/bin/python3";
    let found = std::process::Command::new(python).args(["-c", "import libtorrent"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("NOT RUN: {python} has no module libtorrent");
        return;
    }
    let (scene, _) = with_tree();
    scene.write("tree/d/copy", noise(300_000, 3));
    scene.write("tree/d/e/whole", noise(131_072, 6));
    scene.write("alone.bin", noise(70_000, 7));
    scene.write("single/x", noise(70_000, 7));
    let script = "
import libtorrent as lt, sys
name, flags, ours = sys.argv[1], int(sys.argv[2]), sys.argv[3]
files = lt.file_storage()
lt.add_files(files, name)
made = lt.create_torrent(files, 32768, flags)
lt.set_piece_hashes(made, '.')
theirs, ours_bytes = made.generate(), open(ours, 'rb').read()
read = lt.bdecode(ours_bytes)
assert lt.bencode(read) == ours_bytes, 'not canonical'
assert lt.bencode(read[b'info']) == lt.bencode(theirs[b'info']), (read[b'info'], theirs[b'info'])
assert read.get(b'piece layers', {}) == theirs.get(b'piece layers', {})
hashes = lt.torrent_info(ours).info_hashes()
print(hashes.v1 if hashes.has_v1() else '-', hashes.v2 if hashes.has_v2() else '-')
";
    scene.write("theirs.py", script);
    // The flags of create_torrent: v2_only, none, v1_only.
    for (flag, number) in [("--v2", "32"), ("--hybrid", "0")] {
        for name in ["tree", "alone.bin", "single"] {
            let arguments = [flag, "--no-date", "--piece-length", "32K", "-f", "-o", "ours.torrent", name];
            create(&scene, &arguments).ends(0);
            let mut theirs = std::process::Command::new(python);
            let output =
                theirs.args(["theirs.py", name, number, "ours.torrent"]).current_dir(scene.dir.path()).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{flag} {name}: {}", String::from_utf8_lossy(&output.stderr));
            let told = String::from_utf8(output.stdout).unwrap();
            let info: serde_json::Value =
                serde_json::from_str(&scene.run(&["info", "--json", "ours.torrent"]).ends(0).out).unwrap();
            let hash = |key: &str| info[key].as_str().unwrap_or("-").to_owned();
            assert_eq!(told.trim(), format!("{} {}", hash("info_hash_v1"), hash("info_hash_v2")), "{flag} {name}");
        }
    }
}

#[test]
fn every_field_stands_where_others_read_it() {
    let scene = Scene::new();
    scene.write("notes.txt", noise(20_000, 7));
    let flags = "-t http://a,http://b -t udp://c:1 -w https://w/ --private --source X --name other.txt -c hi";
    let flags: Vec<&str> = flags.split(' ').collect();
    create(&scene, &[&flags[..], &["notes.txt"]].concat()).ends(0);
    let info: serde_json::Value =
        serde_json::from_str(&scene.run(&["info", "--json", "other.txt.torrent"]).ends(0).out).unwrap();
    assert_eq!(info["trackers"], serde_json::json!([["http://a", "http://b"], ["udp://c:1"]]));
    assert_eq!(info["web_seeds"], serde_json::json!(["https://w/"]));
    assert_eq!((&info["private"], &info["comment"]), (&true.into(), &"hi".into()));
    assert_eq!((&info["name"], &info["piece_length"]), (&"other.txt".into(), &16_384.into()));
    let bytes = std::fs::read(scene.path("other.txt.torrent")).unwrap();
    assert!(bytes.windows(13).any(|window| window == b"6:source1:X8:" || window == b"6:source1:Xe8"));
    // Its own word gives it its own info hash.
    let hash = |more: &[&str]| create(&scene, &[&["-q", "-f", "notes.txt"], more].concat()).ends(0).out.clone();
    assert_ne!(hash(&["--source", "X"]), hash(&[]));
    assert_ne!(hash(&["--private", "-t", "http://a"]), hash(&["-t", "http://a"]));
}

#[test]
fn what_is_there_is_not_replaced_and_nothing_is_left_half() {
    let (scene, _) = with_tree();
    scene.write("tree.torrent", "something else");
    let seen = create(&scene, &["tree"]);
    assert!(seen.ends(13).err.contains("tree.torrent is there already; --force"), "{}", seen.err);
    assert_eq!(scene.read("tree.torrent"), "something else");
    create(&scene, &["--force", "tree"]).ends(0);
    std::fs::create_dir(scene.path("folder")).unwrap();
    create(&scene, &["-o", "folder", "tree"]).ends(0);
    create(&scene, &["-o", "nowhere/x.torrent", "tree"]).ends(3);
    scene.run(&["info", "folder/tree.torrent"]).ends(0);
    let mut names: Vec<_> =
        std::fs::read_dir(scene.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["folder", "tree", "tree.torrent"]);
    #[cfg(unix)]
    assert!(create(&scene, &["-f", "-o", "/dev/null", "tree"]).ends(13).err.contains("no plain file"));
}

#[test]
fn standard_output_takes_the_bytes_alone() {
    let (scene, _) = with_tree();
    let output = scene.command(&["create", "-o", "-", "--no-date", "tree"]).output().unwrap();
    create(&scene, &["--no-date", "tree"]).ends(0);
    assert_eq!(output.stdout, std::fs::read(scene.path("tree.torrent")).unwrap());
    assert!(String::from_utf8_lossy(&output.stderr).contains("magnet:?xt="));
    create(&scene, &["-o", "-", "--json", "tree"]).ends(2);
}

#[test]
fn it_never_holds_itself() {
    let (scene, _) = with_tree();
    let there = |arguments: &[&str]| {
        let mut command = scene.command(&[&["create", "--no-date"], arguments].concat());
        seen(command.current_dir(scene.path("tree"))).ends(0).out.clone()
    };
    let first = there(&["."]);
    assert!(scene.path("tree/tree.torrent").is_file());
    assert_eq!(first, there(&["-f", "../tree"]));
}

#[test]
fn what_is_left_out_is_told() {
    let (scene, _) = with_tree();
    scene.write("tree/.git/config", "x");
    scene.write("tree/.gitignore", "*.bin\n");
    let files = |arguments: &[&str]| {
        let seen = create(&scene, &[&["-n", "--json", "tree"], arguments].concat());
        let files = seen.ends(0).of("created")[0]["files"].as_array().unwrap().len();
        (files, seen.err)
    };
    let (all, told) = files(&[]);
    assert_eq!((all, told.trim()), (5, "left out: 2 hidden files or folders (--hidden takes them)"));
    assert_eq!(files(&["--hidden"]), (7, String::new()));
    assert_eq!(files(&["--ignore-files"]).0, 4);
    assert_eq!(files(&["-g", "*.bin", "-g", "a/**"]).0, 2);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("b.bin", scene.path("tree/link")).unwrap();
        assert!(files(&[]).1.contains("1 link (--follow"));
        assert_eq!(files(&["-L"]).0, 6);
    }
    assert!(!scene.path("tree.torrent").exists(), "a dry run writes nothing");
    let plan = create(&scene, &["-n", "tree"]).ends(0).out.clone();
    assert!(plan.contains("b.bin") && plan.contains("pieces    20 pieces of 16 KiB"), "{plan}");
}

#[test]
fn what_cannot_be_shared_is_said_in_one_line() {
    let (scene, _) = with_tree();
    scene.write("empty/a", "");
    for (arguments, code, word) in [
        (&["nowhere"][..], 3, "no such file"),
        (&["empty"], 3, "every file is empty"),
        (&["-g", "*.nothing", "tree"], 3, "no file to share"),
        (&["-g", "[", "tree"], 2, "bad glob"),
        (&["--piece-length", "3M", "tree"], 2, "power of two"),
        (&["--name", "a/b", "tree"], 2, "plain name"),
        (&["-t", "wss://t", "tree"], 2, "wss"),
        (&["/"], 2, "--name"),
    ] {
        let seen = create(&scene, arguments);
        assert!(seen.ends(code).err.contains(word), "{arguments:?}: {}", seen.err);
        assert!(arguments[0].starts_with('-') || seen.err.lines().count() == 1, "{}", seen.err);
    }
    let seen = create(&scene, &["-q", "--private", "-o", "private.torrent", "tree"]);
    assert_eq!(seen.ends(0).err, "");
    assert!(create(&scene, &["-f", "--private", "tree"]).ends(0).err.contains("finds nobody"));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_others_cannot_have_are_refused_or_warned_of() {
    use std::os::unix::ffi::OsStrExt as _;
    let (scene, _) = with_tree();
    scene.write("tree/back\\slash", "x");
    let seen = create(&scene, &["-n", "tree"]);
    assert!(seen.ends(0).err.contains("1 file will be called otherwise"), "{}", seen.err);
    std::fs::write(scene.path("tree").join(std::ffi::OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    assert!(create(&scene, &["tree"]).ends(26).err.contains("not UTF-8"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_changes_while_it_is_hashed_is_no_torrent() {
    // Of this file the kernel says another size than there are bytes.
    let (scene, _) = with_tree();
    std::os::unix::fs::symlink("/sys/kernel/uevent_seqnum", scene.path("tree/sys")).unwrap();
    if !std::path::Path::new("/sys/kernel/uevent_seqnum").exists() {
        eprintln!("NOT RUN: /sys is not mounted");
        return;
    }
    let seen = create(&scene, &["-L", "tree"]);
    assert!(seen.ends(17).err.contains("changed while it was hashed; try again"), "{}", seen.err);
    assert!(!scene.path("tree.torrent").exists());
}

#[cfg(unix)]
#[test]
fn the_configuration_of_downloads_does_not_leak_into_torrents() {
    let (scene, _) = with_tree();
    scene.write("c.toml", "tracker = [\"http://mine.example/\"]\nquiet = true\n");
    let mut command = scene.command(&["create", "tree"]);
    let seen = seen(command.env("RTORRENT_CLI_CONFIG", scene.path("c.toml")));
    assert!(!seen.ends(0).out.contains("mine") && seen.err.is_empty(), "{} {}", seen.out, seen.err);
}
