//! `get -o -` as a process: the bytes of one file on standard output, and nothing anywhere else.

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};

/// A folder with a torrent, its data and a seeder.
struct Scene {
    dir: tempfile::TempDir,
    seeder: LocalSeeder,
}

impl Scene {
    fn of(made: &Made) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        std::fs::create_dir(dir.path().join("here")).unwrap();
        made.place(&dir.path().join("shared"));
        let seeder = LocalSeeder::start(made, &dir.path().join("shared"));
        std::fs::write(dir.path().join("here/it.torrent"), &seeder.torrent).unwrap();
        Scene { dir, seeder }
    }

    /// Three files of which only the largest has whole pieces of its own.
    fn tree() -> Scene {
        let files = [("a.txt", noise(10, 1)), ("sub/b.bin", noise(300_000, 2)), ("c.txt", noise(777, 3))];
        Scene::of(&Made::folder("tree", &files, 32_768, &[]))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.args(["get", "--no-dht", "--no-lsd", "--no-pex"]).args(arguments);
        command.env_clear().current_dir(self.dir.path().join("here")).env("HOME", self.dir.path().join("here"));
        // Only a test that fails waits so long.
        command.env("RTORRENT_CLI_MAX_TIME", "300");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Waits until the seeder knows that it has sent `least` bytes; how many it has.
    fn sent(&self, least: u64) -> u64 {
        let patience = Instant::now() + Duration::from_secs(300);
        while self.seeder.uploaded() < least {
            assert!(Instant::now() < patience, "{} of {least} bytes were sent", self.seeder.uploaded());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.seeder.uploaded()
    }

    fn shared(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join("shared").join(name)).unwrap()
    }

    /// Every file in the folder in which the program works and has its home, and what is in it.
    fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = self.files();
        files.sort();
        files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    /// The same without what is in it.
    fn files(&self) -> Vec<PathBuf> {
        fn below(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { below(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        below(&self.dir.path().join("here"), &mut found);
        found
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn end(mut child: Child) -> (Option<i32>, String) {
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), err(&output))
}

#[test]
fn one_file_comes_out_byte_for_byte_and_nothing_is_written() {
    let scene = Scene::tree();
    let before = scene.files();
    for source in ["it.torrent", &scene.seeder.magnet] {
        for (select, name) in [("b.bin", "tree/sub/b.bin"), ("3", "tree/c.txt")] {
            let output = scene.run(&["-o", "-", "-s", select, source]);
            assert_eq!(output.status.code(), Some(0), "{source}: {}", err(&output));
            assert!(output.stdout == scene.shared(name), "{source} {name}: {} bytes", output.stdout.len());
            assert!(err(&output).contains("done: tree"), "{}", err(&output));
        }
    }
    assert_eq!(scene.files(), before);
}

#[test]
fn a_single_file_of_many_pieces_is_passed_on_in_little_memory() {
    let scene = Scene::of(&Made::file("film.mkv", noise(20_000_000, 4), 65_536, &[]));
    let output = scene.run(&["-q", "-o", "-", "--memory", "4M", "it.torrent"]);
    assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
    assert!(output.stdout == scene.shared("film.mkv"));
}

#[test]
fn an_empty_file_is_passed_on_too() {
    let scene = Scene::of(&Made::folder("t", &[("empty", Vec::new()), ("b", noise(50_000, 5))], 32_768, &[]));
    let output = scene.run(&["-o", "-", "-s", "empty", "it.torrent"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{}", err(&output));
}

/// Nobody has the data, so that all of it can come from the disk alone.
#[test]
fn what_an_earlier_download_left_is_read_and_nothing_is_written() {
    let made = Made::file("film.mkv", noise(3_000_000, 11), 65_536, &[]);
    let scene = Scene::of(&made);
    let output = scene.run(&["-d", "kept", "it.torrent"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    std::fs::write(scene.dir.path().join("here/lonely.torrent"), &made.bytes).unwrap();
    let (before, sent) = (scene.contents(), scene.sent(3_000_000));
    for how in [&["--check", "quick"][..], &["--check", "full"], &["--state-dir", "none"]] {
        let output = scene.run(&[&["-o", "-", "-d", "kept", "lonely.torrent"], how].concat());
        assert_eq!(output.status.code(), Some(0), "{how:?}: {}", err(&output));
        assert!(output.stdout == scene.shared("film.mkv"), "{how:?}");
    }
    assert!(scene.contents() == before, "nothing is written");
    // Not believed, it is fetched.
    let output = scene.run(&["-o", "-", "-d", "kept", "--check", "none", "it.torrent"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(output.stdout == scene.shared("film.mkv"));
    scene.sent(sent + 3_000_000);
}

#[test]
fn what_is_missing_or_wrong_on_disk_is_fetched_and_left_as_it_is() {
    let scene = Scene::of(&Made::file("film.mkv", noise(6_000_000, 12), 65_536, &[]));
    let mut film = scene.shared("film.mkv");
    film[2_000_000..4_000_000].fill(0);
    for (name, round) in [("film.mkv.part", 1), ("film.mkv", 2)] {
        let path = scene.dir.path().join("here").join(name);
        std::fs::write(&path, &film).unwrap();
        let before = scene.contents();
        let output = scene.run(&["-o", "-", "it.torrent"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", err(&output));
        assert!(output.stdout == scene.shared("film.mkv"), "{name}");
        assert!(scene.contents() == before, "{name}: nothing is written");
        let sent = scene.sent(2_000_000 * round);
        assert!(sent < 3_500_000 * round, "{name}: {sent}");
        std::fs::remove_file(&path).unwrap();
    }
}

/// A file that shares its first and last piece with others, which are not there.
#[test]
fn of_a_file_within_a_folder_the_pieces_of_its_own_are_read() {
    let scene = Scene::tree();
    let path = scene.dir.path().join("here/tree/sub/b.bin");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, scene.shared("tree/sub/b.bin")).unwrap();
    let output = scene.run(&["-o", "-", "-s", "b.bin", "it.torrent"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(output.stdout == scene.shared("tree/sub/b.bin"));
    let sent = scene.sent(32_768 + 5_000);
    assert!(sent < 150_000, "{sent}");
}

/// The reader takes all of what is on disk long after the last piece has come from a peer.
#[test]
fn the_end_waits_for_what_is_on_disk() {
    let scene = Scene::of(&Made::file("film.mkv", noise(6_000_000, 13), 65_536, &[]));
    let mut film = scene.shared("film.mkv");
    film[..65_536].fill(0);
    std::fs::write(scene.dir.path().join("here/film.mkv"), &film).unwrap();
    let mut child = scene.command(&["-q", "-o", "-", "it.torrent"]).spawn().unwrap();
    let (mut seen, mut chunk) = (Vec::new(), vec![0; 10_000]);
    loop {
        match child.stdout.as_mut().unwrap().read(&mut chunk).unwrap() {
            0 => break,
            n => seen.extend_from_slice(&chunk[..n]),
        }
    }
    assert!(seen == scene.shared("film.mkv"), "{} bytes", seen.len());
    assert_eq!(end(child), (Some(0), String::new()));
}

#[test]
fn a_reader_who_is_slow_holds_the_download() {
    const MEMORY: u64 = 4 << 20;
    let scene = Scene::of(&Made::file("film.mkv", noise(24_000_000, 6), 65_536, &[]));
    let mut child = scene.command(&["-q", "-o", "-", "--memory", "4M", "it.torrent"]).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let (mut seen, mut chunk) = (Vec::new(), vec![0; 512 * 1024]);
    loop {
        let n = out.read(&mut chunk).unwrap();
        if n == 0 {
            break;
        }
        seen.extend_from_slice(&chunk[..n]);
        // What the seeder has sent is with the reader, in the pipe (64 KiB) or in memory.
        let ahead = scene.seeder.uploaded().saturating_sub(seen.len() as u64);
        assert!(ahead <= MEMORY + 256 * 1024, "{ahead} bytes are ahead of the reader");
    }
    assert!(seen == scene.shared("film.mkv"));
    assert_eq!(end(child), (Some(0), String::new()));
    assert!(scene.seeder.uploaded() <= 24_000_000 + MEMORY, "little comes twice");
}

#[cfg(unix)]
#[test]
fn a_reader_who_goes_away_ends_it_quietly() {
    let scene = Scene::of(&Made::file("film.mkv", noise(24_000_000, 7), 65_536, &[]));
    let mut child = scene.command(&["-q", "-o", "-", "it.torrent"]).spawn().unwrap();
    let mut first = vec![0; 1_000];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert!(first == scene.shared("film.mkv")[..1_000]);
    assert_eq!(end(child), (Some(141), String::new()));
    assert!(scene.seeder.uploaded() < 24_000_000 * 2);
}

/// Nobody has the metadata either.
#[cfg(unix)]
#[test]
fn a_reader_who_goes_away_before_anything_is_known_is_noticed() {
    let scene = Scene::tree();
    let magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
    let child = scene.command(&["-q", "-o", "-", magnet]).spawn().unwrap();
    assert_eq!(end(child), (Some(141), String::new()));
}

/// All of it is on disk: the reader's end is noticed by the write.
#[cfg(unix)]
#[test]
fn a_reader_who_goes_away_from_what_is_on_disk_ends_it_quietly() {
    let made = Made::file("film.mkv", noise(3_000_000, 14), 65_536, &[]);
    let scene = Scene::of(&made);
    std::fs::write(scene.dir.path().join("here/lonely.torrent"), &made.bytes).unwrap();
    std::fs::write(scene.dir.path().join("here/film.mkv"), scene.shared("film.mkv")).unwrap();
    let mut child = scene.command(&["-q", "-o", "-", "lonely.torrent"]).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 1_000]).unwrap();
    assert_eq!(end(child), (Some(141), String::new()));
}

/// Nobody has the data, so that nothing is ever written: the reader's end is noticed all the same.
#[cfg(unix)]
#[test]
fn a_reader_who_goes_away_is_noticed_while_there_is_nothing_to_write() {
    let scene = Scene::tree();
    let lonely = Made::file("lonely", noise(100_000, 8), 32_768, &[]);
    std::fs::write(scene.dir.path().join("here/lonely.torrent"), &lonely.bytes).unwrap();
    let child = scene.command(&["-q", "-o", "-", "lonely.torrent"]).spawn().unwrap();
    assert_eq!(end(child), (Some(141), String::new()));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_at_once_although_the_reader_takes_nothing() {
    let scene = Scene::of(&Made::file("film.mkv", noise(24_000_000, 9), 65_536, &[]));
    let mut child = scene.command(&["-o", "-", "it.torrent"]).spawn().unwrap();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(!told.contains("saving") && !told.contains("to go on"), "{told}");
}

#[test]
fn what_can_not_be_passed_on_is_said_in_one_line() {
    let scene = Scene::tree();
    let said = |arguments: &[&str]| {
        let output = scene.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        // With --json the error is an event, too.
        assert!(output.stdout.is_empty() || arguments.contains(&"--json"), "{arguments:?}");
        let err = err(&output);
        err.lines().find(|line| line.starts_with("error:")).unwrap_or_else(|| panic!("{err}")).to_owned()
    };
    let several = "error: tree: -o - writes one file, but 3 are selected; name one with --select (--list shows them)";
    assert_eq!(said(&["-o", "-", "it.torrent"]), several);
    // The link knows no name yet.
    assert!(said(&["-o", "-", &scene.seeder.magnet]).ends_with(several.strip_prefix("error: tree").unwrap()));
    assert_eq!(
        said(&["-o", "-", "--json", "-s", "1", "it.torrent"]),
        "error: -o - and --json both want standard output; leave one of them out"
    );
    assert_eq!(
        said(&["-o", "-", "--overwrite", "-s", "1", "it.torrent"]),
        "error: -o - and --overwrite do not go together: nothing is written to disk"
    );
    assert!(said(&["-o", "-", "--seed-ratio", "1", "it.torrent"]).contains("nothing is kept"));
    assert!(said(&["-o", "-", "it.torrent", "it.torrent"]).contains("there are several sources"));
    let mut list = std::fs::File::create(scene.dir.path().join("here/list")).unwrap();
    list.write_all(b"it.torrent\n  output=-\n  select=1\n").unwrap();
    assert!(said(&["-i", "list"]).contains("give it as -o - with one source"));
}

/// What a configuration says of other downloads is no error.
#[test]
fn defaults_from_elsewhere_do_no_harm() {
    let scene = Scene::tree();
    let mut command = scene.command(&["-o", "-", "-s", "c.txt", "it.torrent"]);
    command.env("RTORRENT_CLI_DIR", "nowhere").env("RTORRENT_CLI_SEED_RATIO", "2");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(output.stdout == scene.shared("tree/c.txt"));
    assert!(!scene.dir.path().join("here/nowhere").exists());
}
