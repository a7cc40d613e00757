//! What a person types and sees: usage, exit codes, hints, `info`, `verify`.

#[path = "common/make_torrent.rs"]
mod make_torrent;

use std::path::Path;

use assert_cmd::Command;
use make_torrent::{Made, noise};
use serde_json::{Value, json};

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// The program with nothing of this machine's in its environment, in a folder of its own.
struct Place {
    dir: tempfile::TempDir,
}

struct Seen {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.env_clear().current_dir(self.path()).env("HOME", self.path()).env("LANG", "C.UTF-8");
        command.timeout(std::time::Duration::from_secs(300));
        command
    }

    fn run(&self, arguments: &[&str]) -> Seen {
        seen(self.command().args(arguments))
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }
}

fn seen(command: &mut Command) -> Seen {
    let output = command.output().unwrap();
    Seen {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Seen {
    Place::new().run(arguments)
}

impl Seen {
    /// Failed with `code` in one line that has `words` in it, and nothing on standard output.
    #[track_caller]
    fn fails(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.err.contains(words), "{words:?} in {:?}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert_eq!(self.out, "");
        assert!(!self.err.contains(['\r', '\x1b']), "{:?}", self.err);
    }

    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.err);
        assert_eq!(self.out.lines().count(), 1);
        serde_json::from_str(&self.out).unwrap()
    }
}

fn tree() -> Made {
    let files = [("a.txt", noise(10, 1)), ("sub/b.bin", noise(100_000, 2)), ("sub/empty", Vec::new())];
    Made::folder("tree", &files, 32_768, &["http://127.0.0.1:1/announce?key=1", "udp://127.0.0.1:1"])
}

#[test]
fn version_help_and_usage() {
    let version = run(&["-V"]);
    assert_eq!(
        (version.code, version.out.as_str()),
        (Some(0), concat!("rtorrent-cli ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    assert_eq!(run(&["--version"]).out, version.out);
    let help = run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert!(help.out.contains("info") && help.out.contains("Examples:"));
    let bare = run(&[]);
    assert_eq!((bare.code, bare.out.as_str()), (Some(2), ""));
    assert_eq!(run(&["get"]).code, Some(2));
}

#[test]
fn flags_that_are_not_built_are_usage_errors_and_not_shown() {
    let help = run(&["get", "--help"]).out;
    for flag in ["--player", "--limit-sideways"] {
        assert_eq!(run(&["get", flag, "1", HASH]).code, Some(2), "{flag}");
        assert!(!help.contains(flag), "{flag}");
    }
}

#[test]
fn values_are_checked_before_anything_starts() {
    for (arguments, words) in [
        (["--port", "0"], "not a port"),
        (["--memory", "12X"], "not a size"),
        (["--memory", "1K"], "too little"),
        (["--peer", "nobody"], "HOST:PORT"),
        (["--tracker", "wss://t.example"], "not supported"),
        (["--max-time", "soon"], "not a time"),
        (["--seed-ratio", "much"], "not a ratio"),
        (["--limit-down", "fast"], "not a rate"),
        (["--limit-rate", "1Q"], "not a rate"),
        (["--limit-schedule", "22:00-7=1M,25:00=0"], "\"25:00\" in \"25:00=0\" is not a part of the day"),
        (["--jobs", "0"], "0"),
        (["--check", "slow"], "slow"),
    ] {
        let seen = run(&[arguments[0], arguments[1], HASH]);
        assert_eq!(seen.code, Some(2), "{arguments:?}");
        assert!(seen.err.contains(words), "{arguments:?}: {}", seen.err);
    }
    let both = run(&["-o", "-", "--json", HASH]);
    assert!(both.code == Some(2) && both.out.contains("-o -"), "{}", both.out);
    run(&["-o", "a/b", HASH]).fails(2, "-d");
    run(&["-o", "a", HASH, "b.torrent"]).fails(2, "several");
    run(&["-", "-"]).fails(2, "standard input");
    run(&["-s", "re:(", HASH]).fails(2, "re:(");
}

#[test]
fn a_habit_of_aria2_gets_a_hint() {
    run(&["-x16", "-s16", HASH]).fails(2, "--max-peers");
    run(&["get", "-s16", HASH]).fails(2, "-s 16");
}

#[test]
fn environment_variables_stand_for_flags() {
    let place = Place::new();
    let seen = seen(place.command().args([HASH]).env("RTORRENT_CLI_PORT", "nonsense"));
    assert_eq!(seen.code, Some(2));
    assert!(seen.err.starts_with("error: RTORRENT_CLI_PORT: \"nonsense\" is not a port"), "{}", seen.err);
}

#[test]
fn bad_sources_end_with_their_codes() {
    let place = Place::new();
    place.write("page.torrent", b"<html><title>Log in</title>");
    place.write("garbage.torrent", b"d4:infod");
    place.write(
        "v2.torrent",
        b"d4:infod9:file treed1:ad0:d6:lengthi20000e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee\
          12:meta versioni2e4:name1:a12:piece lengthi16384eee",
    );
    place.write("zero.torrent", b"d4:infod6:lengthi1e4:name1:a12:piece lengthi0e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
    place.run(&["nothing.torrent"]).fails(3, "no such file");
    place.run(&["."]).fails(25, "folder");
    place.run(&["page.torrent"]).fails(25, "web page");
    place.run(&["garbage.torrent"]).fails(25, "not a torrent");
    place.run(&["verify", "v2.torrent"]).fails(26, "verify needs the piece layer of \"a\", which the torrent lacks");
    place.run(&["zero.torrent"]).fails(26, "piece length");
    place.run(&["magnet:?dn=nothing"]).fails(27, "quotes");
    place.run(&["magnet:?xt=urn:btih:short&dn=x"]).fails(27, "short");
    place.run(&[&HASH[..39]]).fails(27, "39 digits");
    place.run(&[&format!("{HASH}0123456789abcdef0123456")]).fails(27, "63 digits");
    place.run(&["ftp://example.org/a.torrent"]).fails(3, "ftp");
    place.run(&["create", "--help"]);
    assert_eq!(place.run(&["stream"]).code, Some(2));
    place.write("file", b"x");
    place.run(&["-d", "file", HASH]).fails(13, "not a folder");
}

#[test]
fn several_bad_sources_end_with_4_and_each_is_told() {
    let seen = run(&["a.torrent", "magnet:?x"]);
    assert_eq!(seen.code, Some(4), "{}", seen.err);
    assert!(seen.err.contains("a.torrent") && seen.err.contains("magnet:?x"), "{}", seen.err);
    assert!(seen.err.contains("0 of 2 items complete, 2 failed"), "{}", seen.err);
}

#[test]
fn errors_are_events_under_json() {
    let seen = run(&["--json", "nothing.torrent"]);
    let events: Vec<Value> = seen.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{}", seen.out);
    assert_eq!(events[0]["event"], "error");
    assert_eq!((&events[0]["v"], &events[0]["id"], &events[0]["code"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!(events[0]["source"], "nothing.torrent");
    assert_eq!(
        (&events[1]["event"], &events[1]["failed"], &events[1]["exit"]),
        (&json!("summary"), &json!(1), &json!(3))
    );
}

#[test]
fn a_mistake_of_the_command_line_is_one_line_and_under_json_an_event() {
    let seen = run(&["get", "--json", "--sequental", HASH]);
    assert_eq!((seen.code, &*seen.err), (Some(2), "error: there is no flag --sequental; is it --sequential?\n"));
    let event: Value = serde_json::from_str(&seen.out).unwrap();
    assert_eq!((&event["event"], &event["code"], &event["id"]), (&json!("error"), &json!(2), &Value::Null));
    let seen = run(&["get", "--select-file=1", HASH]);
    assert_eq!((&*seen.out, &*seen.err), ("", "error: there is no flag --select-file; here that is --select\n"));
}

#[test]
fn help_is_had_by_flag_and_by_word() {
    let wanted = run(&["get", "--help"]);
    assert_eq!((wanted.code, &*wanted.err), (Some(0), ""));
    assert_eq!(run(&["help", "get"]).out, wanted.out);
    assert_eq!(run(&["help"]).out, run(&["--help"]).out);
    run(&["help", "verfy"]).fails(2, "help verify");
    assert!(run(&["config", "show", "--help"]).out.contains("Usage: rtorrent-cli config show"));
    let page = run(&["man", "get"]).out;
    assert!(page.contains(".TH rtorrent-cli-get"), "{}", &page[..200.min(page.len())]);
    assert!(page.contains("\nrtorrent\\-cli get [OPTIONS] [SRC]...\n"), "{}", &page[..400.min(page.len())]);
}

#[test]
fn nothing_selected_is_told_before_anything_starts() {
    let place = Place::new();
    place.write("tree.torrent", &tree().bytes);
    let seen = place.run(&["-s", "*.mkv", "tree.torrent"]);
    assert_eq!(seen.code, Some(3), "{}", seen.err);
    assert!(seen.err.contains("b.bin"), "{}", seen.err);
}

#[test]
fn info_shows_a_tree_and_json_has_the_shape() {
    let (place, made) = (Place::new(), tree());
    place.write("tree.torrent", &made.bytes);
    let seen = place.run(&["info", "tree.torrent"]);
    assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""));
    for words in [&made.hash(), "sub/", "b.bin", "3 files", "97.7 KiB", "udp://127.0.0.1:1"] {
        assert!(seen.out.contains(words), "{words}: {}", seen.out);
    }
    let object = place.run(&["info", "--json", "tree.torrent"]).json();
    assert_eq!(object["info_hash_v1"], made.hash());
    assert_eq!(object["info_hash_v2"], Value::Null);
    assert_eq!(
        (&object["piece_length"], &object["pieces"], &object["total_size"]),
        (&json!(32_768), &json!(4), &json!(100_010))
    );
    assert_eq!(object["files"][1], json!({ "index": 2, "path": "tree/sub/b.bin", "size": 100_000 }));
    assert_eq!(object["trackers"], json!([["http://127.0.0.1:1/announce?key=1"], ["udp://127.0.0.1:1"]]));
    assert_eq!(
        (&object["private"], &object["comment"], &object["web_seeds"]),
        (&json!(false), &Value::Null, &json!([]))
    );
    let magnet = place.run(&["info", "--magnet", "tree.torrent"]).out;
    assert_eq!(object["magnet"], magnet.trim_end());
    assert!(magnet.starts_with(&format!("magnet:?xt=urn:btih:{}", made.hash())));
}

#[test]
fn info_reads_standard_input_and_saves_the_same_bytes() {
    let (place, made) = (Place::new(), tree());
    let seen =
        seen(place.command().args(["info", "--save", "copy.torrent", "--json", "-"]).write_stdin(made.bytes.clone()));
    assert_eq!(seen.json()["name"], "tree");
    assert_eq!(std::fs::read(place.path().join("copy.torrent")).unwrap(), made.bytes);
}

#[test]
fn offline_shows_what_the_link_says_itself() {
    let link =
        format!("magnet:?xt=urn:btih:{}&dn=a%20b&tr=udp%3A%2F%2Ft%3A80&so=0,2-4&x.pe=h:1&xl=5", HASH.to_uppercase());
    let object = run(&["info", "--offline", "--json", &link]).json();
    assert_eq!((&object["info_hash_v1"], &object["name"]), (&json!(HASH), &json!("a b")));
    assert_eq!((&object["trackers"], &object["peers"]), (&json!([["udp://t:80"]]), &json!(["h:1"])));
    assert_eq!((&object["files"], &object["pieces"], &object["private"]), (&json!([]), &Value::Null, &Value::Null));
    assert_eq!((&object["select"], &object["total_size"]), (&json!("0,2-4"), &json!(5)));
    let bare = run(&["info", "--offline", "--json", HASH]).json();
    assert_eq!((&bare["name"], &bare["trackers"]), (&Value::Null, &json!([])));
    run(&["info", "--offline", "http://127.0.0.1:1/a.torrent"]).fails(2, "--offline");
    assert_eq!(run(&["info", "--offline", "--save", "x", HASH]).code, Some(2));
}

#[test]
fn verify_finds_what_is_bad_missing_and_good() {
    let (place, made) = (Place::new(), tree());
    place.write("tree.torrent", &made.bytes);
    std::fs::create_dir(place.path().join("data")).unwrap();
    made.place(&place.path().join("data"));
    for path in ["data", "data/tree"] {
        let seen = place.run(&["verify", "tree.torrent", path]);
        assert_eq!((seen.code, seen.out.as_str()), (Some(0), ""), "{}", seen.err);
        assert!(seen.err.contains("good: tree, 4 pieces"), "{}", seen.err);
    }
    // What stands behind the last piece is in none, and makes another file of it all the same.
    let text = place.path().join("data/tree/a.txt");
    let right = std::fs::read(&text).unwrap();
    std::fs::write(&text, [&right[..], b"x"].concat()).unwrap();
    let seen = place.run(&["verify", "tree.torrent", "data"]);
    assert_eq!(seen.code, Some(32), "{}", seen.out);
    assert!(seen.out.starts_with("too long  tree/a.txt: ") && seen.out.lines().count() == 1, "{}", seen.out);
    assert!(seen.err.contains("all pieces are good, but not all files"), "{}", seen.err);
    std::fs::write(&text, right).unwrap();
    let bin = place.path().join("data/tree/sub/b.bin");
    let mut bytes = std::fs::read(&bin).unwrap();
    bytes[40_000] ^= 1;
    std::fs::write(&bin, bytes).unwrap();
    let seen = place.run(&["verify", "tree.torrent", "data"]);
    assert_eq!((seen.code, seen.out.as_str()), (Some(32), "bad  tree/sub/b.bin: piece 1\n"), "{}", seen.err);
    std::fs::remove_file(place.path().join("data/tree/a.txt")).unwrap();
    let seen = place.run(&["verify", "tree.torrent", "data/tree"]);
    assert_eq!(seen.code, Some(32));
    assert_eq!(seen.out, "missing  tree/a.txt\nbad  tree/sub/b.bin: pieces 0-1\n");
    let seen = place.run(&["verify", "--json", "tree.torrent", "data"]);
    let events: Vec<Value> = seen.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!(of("file").len(), 3);
    assert_eq!((&of("file")[1]["bad_pieces"], &of("file")[0]["missing"]), (&json!([0, 1]), &json!(true)));
    assert_eq!((&of("summary")[0]["exit"], &of("summary")[0]["bad_pieces"]), (&json!(32), &json!(2)));
    place.run(&["verify", "tree.torrent", "nowhere"]).fails(3, "nowhere");
    place.run(&["verify", HASH]).fails(2, "--save");
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let place = Place::new();
    let files: Vec<(String, Vec<u8>)> = (0..5000).map(|n| (format!("file {n}"), Vec::new())).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    place.write("many.torrent", &Made::folder("many", &[&files[..], &[("x", vec![1])]].concat(), 16_384, &[]).bytes);
    for arguments in [&["info", "many.torrent"][..], &["completions", "zsh"], &["man"]] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"))
            .args(arguments)
            .current_dir(place.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

/// What could not be written is no result: only a reader that went away goes without a word.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_told_and_has_its_code() {
    let place = Place::new();
    place.write("tree.torrent", &tree().bytes);
    std::fs::write(place.path().join("a"), "a").unwrap();
    for arguments in [
        &["info", "tree.torrent"][..],
        &["get", "-l", "tree.torrent"],
        &["create", "-o", "-", "a"],
        &["completions", "zsh"],
        &["config", "show"],
        &["schema"],
        &["man"],
        &["--help"],
        &["--version"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        let output = command.args(arguments).current_dir(place.path()).env("HOME", place.path()).stdout(full).output();
        let output = output.unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(9), "{arguments:?}: {err}");
        assert!(err.contains("cannot write to standard output: no space left"), "{arguments:?}: {err}");
    }
}

#[test]
fn a_mistyped_command_does_not_download_what_stands_behind_it() {
    let place = Place::new();
    place.write("tree.torrent", &tree().bytes);
    for line in [&["verfy", "tree.torrent"][..], &["--no-dht", "verify", "tree.torrent"]] {
        let seen = place.run(line);
        assert_eq!((seen.code, seen.err.lines().count()), (Some(2), 1), "{line:?}: {}", seen.err);
    }
    // The last of a flag counts, an empty variable is none.
    let mut command = place.command();
    command.args(["get", "-l", "-d", "a", "-d", "b", "-q", "-q", "tree.torrent"]);
    command.env("RTORRENT_CLI_JOBS", "").env("RTORRENT_CLI_NO_DHT", "");
    let listed = seen(&mut command);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
}

/// A service may have no home that it can write to; it wants its files all the same.
#[cfg(target_os = "linux")]
#[test]
fn without_a_state_folder_it_downloads_and_says_that_nothing_is_kept() {
    let (place, made) = (Place::new(), tree());
    place.write("tree.torrent", &made.bytes);
    made.place(&place.path().join("data"));
    place.write("file", b"");
    let get = ["get", "--no-dht", "--no-lsd", "--no-trackers", "-d", "data", "tree.torrent"];
    let mut command = place.command();
    command.args(get).env("XDG_STATE_HOME", place.path().join("file"));
    let got = seen(&mut command);
    assert_eq!(got.code, Some(0), "{}", got.err);
    assert!(got.err.contains("nothing is kept for a later run; --state-dir names another"), "{}", got.err);
    assert!(got.err.contains("done: tree, 97.7 KiB, all there"), "{}", got.err);
    // A folder that was named is wanted.
    let named = place.run(&[&get[..], &["--state-dir", "file/state"]].concat());
    assert_eq!(named.code, Some(17), "{}", named.err);
    assert!(named.err.contains("give another --state-dir, or none"), "{}", named.err);
    assert!(!named.err.contains("os error"), "{}", named.err);
}

#[test]
fn colours_only_where_they_are_wanted() {
    let place = Place::new();
    let colored = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = place.command();
        command.args(arguments).envs(variables.iter().copied());
        seen(&mut command).err.contains('\x1b')
    };
    assert!(!colored(&["nothing"], &[]));
    assert!(colored(&["--color", "always", "nothing"], &[]));
    assert!(colored(&["nothing"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&["nothing"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn completions_and_manual_pages_come_for_every_shell_and_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish", "nushell"] {
        let seen = run(&["completions", shell]);
        assert_eq!(seen.code, Some(0));
        assert!(seen.out.contains("rtorrent-cli"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"]).code, Some(2));
    let place = Place::new();
    assert_eq!(place.run(&["man", "pages"]).code, Some(0));
    let page = std::fs::read_to_string(place.path().join("pages/rtorrent-cli-get.1")).unwrap();
    for section in ["EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
        assert!(page.contains(&format!(".SH \"{section}\"")), "{section}");
    }
    assert!(run(&["man"]).out.contains(".TH rtorrent-cli 1"));
}
