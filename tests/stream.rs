//! `stream` as a process: players of all kinds over HTTP, while the download goes on.

#[path = "common/local_seeder.rs"]
mod local_seeder;
#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use local_seeder::LocalSeeder;
use make_torrent::{Made, noise};

const PIECE: usize = 65_536;
/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(300);

struct Scene {
    dir: tempfile::TempDir,
    made: Made,
}

/// A running `stream`, and where it serves.
struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    url: String,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Scene {
    fn film() -> Scene {
        Scene::of(Made::file("a film #1.mkv", noise(6_000_000, 1), PIECE, &[]))
    }

    fn of(made: Made) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        made.place(&dir.path().join("shared"));
        std::fs::write(dir.path().join("lonely.torrent"), &made.bytes).unwrap();
        Scene { dir, made }
    }

    fn seeder(&self) -> LocalSeeder {
        let seeder = LocalSeeder::start(&self.made, &self.dir.path().join("shared"));
        std::fs::write(self.dir.path().join("it.torrent"), &seeder.torrent).unwrap();
        seeder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn shared(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path("shared").join(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rtorrent-cli"));
        command.args(["stream", "--no-dht", "--no-lsd", "--no-pex"]).args(arguments);
        command.env_clear().current_dir(self.dir.path()).env("HOME", self.dir.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("RTORRENT_CLI_MAX_TIME", "300").env("RTORRENT_CLI_DIR", "out");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, arguments: &[&str]) -> Server {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        out.read_line(&mut url).unwrap();
        assert!(url.starts_with("http://"), "{url:?}: {}", said(&mut child));
        Server { child, out, url: url.trim_end().to_owned() }
    }
}

impl Server {
    fn host(&self) -> &str {
        self.url.strip_prefix("http://").unwrap().split('/').next().unwrap()
    }

    fn path(&self) -> &str {
        self.url.strip_prefix("http://").unwrap().strip_prefix(self.host()).unwrap()
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        ask(self.host(), method, path, headers)
    }

    /// The bytes of the file at the server's own URL from `first` to `last`.
    fn range(&self, first: usize, last: usize) -> Vec<u8> {
        let answer = self.ask("GET", self.path(), &[&format!("Range: bytes={first}-{last}")]);
        assert_eq!(answer.status, 206, "{}", answer.head);
        answer.body
    }

    /// Ends it as Ctrl-C does; its code, and what it wrote to standard error.
    #[cfg(unix)]
    fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let told = said(&mut self.child);
        (self.child.wait().unwrap().code(), told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(child: &mut Child) -> String {
    let mut told = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut told).unwrap();
    told
}

fn open(host: &str, method: &str, path: &str, headers: &[&str]) -> TcpStream {
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let own = format!("Host: {host}");
    let host: &[&str] = if headers.iter().any(|header| header.starts_with("Host:")) { &[] } else { &[&own] };
    let headers: String = host.iter().chain(headers).map(|header| format!("{header}\r\n")).collect();
    write!(socket, "{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
    socket
}

fn ask(host: &str, method: &str, path: &str, headers: &[&str]) -> Answer {
    let mut all = Vec::new();
    open(host, method, path, headers).read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the head");
    let head = String::from_utf8(all[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: all[end + 4..].to_vec() }
}

#[test]
fn a_film_is_served_from_any_place_before_it_is_there_and_lies_on_disk_afterwards() {
    let scene = Scene::film();
    let seeder = scene.seeder();
    let film = scene.shared("a film #1.mkv");
    for (dir, source) in [("torrent", "it.torrent"), ("magnet", seeder.magnet.as_str())] {
        let server = scene.start(&["-d", dir, source]);
        assert!(server.url.ends_with("/1/a%20film%20%231.mkv"), "{}", server.url);
        // The end first, as players that look for an index do; then pieces from anywhere, then all of it.
        assert!(server.range(5_900_000, 7_000_000) == film[5_900_000..]);
        assert!(server.range(3_000_001, 3_200_000) == film[3_000_001..=3_200_000]);
        assert!(server.range(0, 0) == film[..1]);
        let whole = server.ask("GET", server.path(), &[]);
        assert_eq!(whole.status, 200);
        assert!(
            whole.head.contains("content-type: video/x-matroska") && whole.head.contains("content-length: 6000000")
        );
        assert!(whole.body == film);
        // The path follows when all of it is verified.
        let mut path = String::new();
        let mut server = server;
        server.out.read_line(&mut path).unwrap();
        assert!(path.trim_end().ends_with(&format!("{dir}/a film #1.mkv")), "{path}");
        assert!(std::fs::read(scene.path(dir).join("a film #1.mkv")).unwrap() == film);
        #[cfg(unix)]
        {
            let (code, told) = server.interrupt();
            assert_eq!(code, Some(0), "{told}");
        }
    }
}

/// Nobody has the data: what is served is what lay on disk.
#[test]
fn what_is_on_disk_already_is_played() {
    let scene = Scene::film();
    let film = scene.shared("a film #1.mkv");
    std::fs::create_dir(scene.path("out")).unwrap();
    std::fs::write(scene.path("out/a film #1.mkv.part"), &film[..3_000_000]).unwrap();
    let server = scene.start(&["lonely.torrent"]);
    assert!(server.range(1_000_000, 1_999_999) == film[1_000_000..2_000_000]);
}

/// Nobody has the metadata either, so that no URL is ever said.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_before_anything_is_known() {
    let scene = Scene::film();
    let mut child = scene.command(&["magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"]).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // With its first word it is under way; signals are heard by then.
    told.read_line(&mut line).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    told.read_to_string(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{line}");
}

#[test]
fn heads_conditions_and_refusals() {
    let scene = Scene::film();
    let _seeder = scene.seeder();
    let server = scene.start(&["it.torrent"]);
    let head = server.ask("HEAD", server.path(), &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.head.contains("content-length: 6000000") && head.head.contains("accept-ranges: bytes"));
    let etag = head.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let part = |more: &str| server.ask("GET", server.path(), &["Range: bytes=10-19", more]).status;
    assert_eq!(part(&format!("If-Range: {etag}")), 206);
    assert_eq!(part("If-Range: \"other\""), 200);
    let behind = server.ask("GET", server.path(), &["Range: bytes=6000000-"]);
    assert_eq!(behind.status, 416);
    assert!(behind.head.contains("content-range: bytes */6000000"), "{}", behind.head);
    assert_eq!(server.ask("GET", server.path(), &["Host: evil.example"]).status, 421);
    assert_eq!(server.ask("POST", server.path(), &["Content-Length: 0"]).status, 405);
    assert_eq!(server.ask("GET", "/2/x", &[]).status, 404);
}

#[test]
fn several_readers_at_once_and_some_that_go_away() {
    let scene = Scene::film();
    let _seeder = scene.seeder();
    let server = scene.start(&["it.torrent"]);
    let film = scene.shared("a film #1.mkv");
    std::thread::scope(|scope| {
        for start in [0usize, 1_500_000, 3_000_000, 4_500_000] {
            let (server, film) = (&server, &film);
            scope.spawn(move || assert!(server.range(start, start + 1_499_999) == film[start..start + 1_500_000]));
            scope.spawn(move || {
                let mut gone = open(server.host(), "GET", server.path(), &[&format!("Range: bytes={start}-")]);
                gone.read_exact(&mut [0; 1_000]).unwrap();
            });
        }
    });
    assert!(server.ask("GET", server.path(), &[]).body == film);
}

#[test]
fn a_folder_is_a_playlist_of_what_plays() {
    let files = [
        ("2 second.flac", noise(100_000, 2)),
        ("1 first.flac", noise(150_000, 3)),
        ("cover.jpg", noise(3_000, 4)),
        ("page.html", noise(500, 5)),
    ];
    let scene = Scene::of(Made::folder("album", &files, 32_768, &[]));
    let _seeder = scene.seeder();
    let server = scene.start(&["it.torrent"]);
    assert!(server.url.ends_with("/playlist.m3u"), "{}", server.url);
    let list = server.ask("GET", server.path(), &[]);
    let list = String::from_utf8(list.body).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 5, "{list}");
    assert_eq!((lines[0], lines[1], lines[3]), ("#EXTM3U", "#EXTINF:-1,2 second.flac", "#EXTINF:-1,1 first.flac"));
    for (url, name) in [(lines[2], "2 second.flac"), (lines[4], "1 first.flac")] {
        let path = url.strip_prefix("http://").unwrap().strip_prefix(server.host()).unwrap();
        assert!(server.ask("GET", path, &[]).body == scene.shared(&format!("album/{name}")), "{url}");
    }
    let page = server.ask("GET", "/4/page.html", &[]);
    assert!(page.head.contains("content-type: application/octet-stream") && page.head.contains("nosniff"));
    // One of them by name.
    let server = scene.start(&["-d", "one", "it.torrent", "cover.jpg"]);
    assert!(server.url.ends_with("/3/cover.jpg"), "{}", server.url);
    assert!(server.ask("GET", server.path(), &[]).body == scene.shared("album/cover.jpg"));
    assert!(!scene.path("one/album/page.html").exists());
}

#[cfg(unix)]
#[test]
fn the_run_ends_with_its_player() {
    let scene = Scene::film();
    let _seeder = scene.seeder();
    let script = |name: &str, text: &str| {
        let path = scene.path(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        // Read by sh and not run itself: a child that another test starts may have it open for writing at that moment.
        format!("sh '{}'", path.to_str().unwrap())
    };
    // It asks for nothing and says what it was told.
    let player = script("player", "printf '%s\\n' \"$@\" > told; echo on standard output");
    let output = scene.command(&["--player", &format!("{player} --fs '$HOME;'"), "it.torrent"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{err}");
    let told = std::fs::read_to_string(scene.path("told")).unwrap();
    let words: Vec<&str> = told.lines().collect();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!((words[0], words[1]), ("--fs", "$HOME;"), "no shell");
    assert_eq!(words[2], out.lines().next().unwrap());
    assert!(err.contains("on standard output") && !out.contains("on standard output"), "{out}");
    let bad = script("bad", "exit 3");
    let output = scene.command(&["--player", &bad, "it.torrent"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && err.contains("ended with exit status 3"), "{err}");
    let output = scene.command(&["--player", "no-such-player-here", "it.torrent"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && err.contains("can't run the player no-such-player-here"), "{err}");
}

/// What nobody has does not come; the player that waits for it is let go when the run ends.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_while_a_player_waits_and_the_next_run_goes_on() {
    let scene = Scene::film();
    let server = scene.start(&["lonely.torrent"]);
    let mut waiting = open(server.host(), "GET", server.path(), &[]);
    // The head of the answer is there, so that the request is under way.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        waiting.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let (code, told) = server.interrupt();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("to go on:") && told.contains("stream"), "{told}");
    let mut rest = Vec::new();
    // Cut off, one way or the other.
    let _ = waiting.read_to_end(&mut rest);
    assert!(rest.is_empty());
    let seeder = scene.seeder();
    let server = scene.start(&["--peer", &seeder.peer.to_string(), "lonely.torrent"]);
    assert!(server.ask("GET", server.path(), &[]).body == scene.shared("a film #1.mkv"));
}

#[test]
fn what_is_wrong_is_said_before_anything_begins() {
    let scene = Scene::film();
    let fails = |arguments: &[&str], code: i32, word: &str| {
        let output = scene.command(arguments).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(err.contains(word) && output.stdout.is_empty(), "{arguments:?}: {err}");
    };
    fails(&["lonely.torrent", "nothing.such"], 3, "no file is selected");
    fails(&["--player", "a 'b", "lonely.torrent"], 2, "not closed");
    fails(&["--http-port", "0", "lonely.torrent"], 2, "http-port");
    fails(&["--http-bind", "example.org", "lonely.torrent"], 2, "http-bind");
    fails(&["--http-bind", "192.0.2.1", "lonely.torrent"], 6, "can't listen for players on 192.0.2.1");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(&["--http-port", &port, "lonely.torrent"], 6, "give another --http-port");
}
