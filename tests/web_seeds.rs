//! The program against web servers that do wrong by a seed: busy, moved, cut short, slow, lying. Every byte that they
//! send is counted.

#[path = "common/make_torrent.rs"]
mod make_torrent;
#[path = "common/scene.rs"]
mod scene;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use make_torrent::{Made, noise};
use percent_encoding::percent_decode_str;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scene::Scene;

const PIECE: usize = 32_768;
/// What goes wrong on one server, at most, and never twice in a row: each costs the program a rest, longer ones give back
/// what was begun.
const FAULTS: u32 = 5;

/// A server of some files, by path.
struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    rng: StdRng,
    files: HashMap<String, Vec<u8>>,
    /// How often each byte of each file was sent.
    sent: HashMap<String, Vec<u32>>,
    faults: u32,
    well: bool,
    lies: bool,
    seen: HashMap<&'static str, u32>,
}

/// What becomes of one request.
enum Answer {
    Right,
    Busy,
    Moved,
    /// Of so many bytes that were promised, this share is sent.
    Short(f64),
    Slow,
}

impl Server {
    /// Does wrong at times if `faults`; if `lies`, every byte is wrong.
    fn start(seed: u64, files: &[(&str, Vec<u8>)], faults: bool, lies: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/files/", listener.local_addr().unwrap());
        let path = |name: &str| format!("/files/tree/{name}");
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            sent: files.iter().map(|(name, bytes)| (path(name), vec![0; bytes.len()])).collect(),
            files: files.iter().map(|(name, bytes)| (path(name), bytes.clone())).collect(),
            faults: if faults { FAULTS } else { 0 },
            well: true,
            lies,
            seen: HashMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), shared.clone());
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Server { url, state }
    }

    /// Bytes that were sent, and the most often that one of them was.
    fn sent(&self) -> (usize, u32) {
        let state = self.state.lock().unwrap();
        let counts = || state.sent.values().flatten().copied();
        (counts().sum::<u32>() as usize, counts().max().unwrap_or(0))
    }
}

/// Answers requests on one connection until one side has enough.
fn serve(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let mut head = Vec::new();
        loop {
            match lines.next()?.ok()? {
                line if line.is_empty() => break,
                line => head.push(line),
            }
        }
        let path = percent_decode_str(head[0].split(' ').nth(1)?).decode_utf8_lossy().replace("/moved/", "/files/");
        let range =
            head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let (from, to) = range.as_deref()?.split_once('-')?;
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse::<usize>().ok()? + 1);
        answer(stream, state, &path, head[0].contains("/moved/"), from..to)?;
    }
}

/// `None` if the connection is over.
fn answer(
    mut stream: &TcpStream,
    state: &Mutex<State>,
    path: &str,
    moved: bool,
    range: std::ops::Range<usize>,
) -> Option<()> {
    let (how, mut bytes, length) = {
        let mut state = state.lock().unwrap();
        let file = state.files.get(path)?;
        let (bytes, length) = (file[range.clone()].to_vec(), file.len());
        (state.decide(moved), bytes, length)
    };
    if state.lock().unwrap().lies {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let count = |part: std::ops::Range<usize>| {
        let mut state = state.lock().unwrap();
        state.sent.get_mut(path).unwrap()[part].iter_mut().for_each(|count| *count += 1);
    };
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{length}\r\nContent-Length: {}\r\n\r\n",
        range.start,
        range.end - 1,
        bytes.len()
    );
    match how {
        Answer::Busy => {
            let head = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy";
            stream.write_all(head.as_bytes()).ok()
        }
        Answer::Moved => {
            let place = path.replace("/files/", "/moved/");
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).ok()
        }
        Answer::Right => {
            count(range);
            stream.write_all(&[head.as_bytes(), &bytes].concat()).ok()
        }
        Answer::Short(share) => {
            let part = (bytes.len() as f64 * share) as usize;
            count(range.start..range.start + part);
            stream.write_all(&[head.as_bytes(), &bytes[..part]].concat()).ok()?;
            None
        }
        Answer::Slow => {
            count(range);
            stream.write_all(head.as_bytes()).ok()?;
            for part in bytes.chunks(bytes.len().div_ceil(8)) {
                std::thread::sleep(Duration::from_millis(20));
                stream.write_all(part).ok()?;
            }
            Some(())
        }
    }
}

impl State {
    fn decide(&mut self, moved: bool) -> Answer {
        self.well = !self.well;
        if self.faults == 0 || self.well {
            return Answer::Right;
        }
        self.faults -= 1;
        let (what, answer) = match self.rng.random_range(0..4) {
            0 => ("busy", Answer::Busy),
            1 if !moved => ("moved", Answer::Moved),
            2 => ("short", Answer::Short(self.rng.random_range(0.0..0.95))),
            _ => ("slow", Answer::Slow),
        };
        *self.seen.entry(what).or_default() += 1;
        answer
    }
}

fn files(seed: u64) -> Vec<(&'static str, Vec<u8>)> {
    // Pieces reach over the ends of files.
    [("a.bin", 700_001), ("b c.bin", 10), ("sub/d.bin", 1_300_007), ("e.bin", 90_000)]
        .into_iter()
        .enumerate()
        .map(|(nth, (name, len))| (name, noise(len, seed * 10 + nth as u64)))
        .collect()
}

/// Downloads from these servers alone. What was said on the way.
fn get(files: &[(&'static str, Vec<u8>)], servers: &[&Server]) -> String {
    let scene = Scene::new();
    let made = Made::folder("tree", files, PIECE, &[]);
    scene.write("tree.torrent", &made.bytes);
    let mut line = vec!["tree.torrent", "-d", "got", "--no-trackers"];
    servers.iter().for_each(|server| line.extend(["--web-seed", &server.url]));
    let said = scene.get(&line).ends(0).err.clone();
    for (name, bytes) in files {
        assert!(std::fs::read(scene.path("got/tree").join(name)).unwrap() == *bytes, "{name}");
    }
    said
}

/// In order and alone, whatever happens on the way.
#[test]
fn a_server_with_troubles_sends_every_byte_once() {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let runs = (1..=6).map(|seed| {
        std::thread::spawn(move || {
            let files = files(seed);
            let server = Server::start(seed, &files, true, false);
            let said = get(&files, &[&server]);
            let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
            assert_eq!(server.sent(), (total, 1), "seed {seed}: {said}");
            let state = server.state.lock().unwrap();
            state.seen.clone()
        })
    });
    for run in runs.collect::<Vec<_>>() {
        for (what, times) in run.join().unwrap() {
            *seen.entry(what).or_default() += times;
        }
    }
    for what in ["busy", "moved", "short", "slow"] {
        assert!(seen.contains_key(what), "{what} never happened: {seen:?}");
    }
}

/// One of them lies: it is found out and dropped, and only what it touched is fetched twice.
#[test]
fn a_server_that_lies_is_dropped_and_costs_no_more_than_what_it_sent() {
    for seed in 1..=3 {
        let files = files(seed);
        let (liar, honest) = (Server::start(seed, &files, false, true), Server::start(seed, &files, true, false));
        let said = get(&files, &[&liar, &honest]);
        let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
        let ((lies, _), (sent, most)) = (liar.sent(), honest.sent());
        assert!(lies > 0 && said.contains("sent wrong data"), "seed {seed}: {said}");
        // What the two fetched of one piece comes again as a whole.
        assert!((total..=total + 4 * PIECE).contains(&sent) && most <= 2, "seed {seed}: {sent} of {total}, {most}");
    }
}
