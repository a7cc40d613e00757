//! Runs against the programs that people use: each as a seeder and as a leecher of ours, by .torrent and by magnet,
//! over a real tracker, all on loopback.
//!
//! A program of its own instead of test functions, so that what was run, and what was not for want of a program, is
//! always printed. With `RTORRENT_CLI_TEST_ALL=1` a missing program is a failure. An argument that is no option picks
//! the rows whose name contains it: `cargo test --test interop -- aria2`.

mod content;
#[path = "../common/free_port.rs"]
mod free_port;
mod nginx;
#[path = "../common/open_tracker.rs"]
mod open_tracker;
mod ours;
mod peers;
mod process;
mod tracker;
mod v2;
mod watching;

use std::path::Path;
use std::time::{Duration, Instant};

use content::{Content, Torrent};
use free_port::free_port;
use nginx::Nginx;
use peers::Peer;
use process::Missing;
use tracker::{OpenTracker, Place};

/// One run of the matrix: what it is called and what it does in a fresh folder.
struct Row {
    name: String,
    needs: Vec<&'static str>,
    run: Box<Run>,
}

/// The end of a row: the reason, if it failed.
type Run = dyn Fn(&Scene) -> Result<(), String> + Send;

/// What every row works in.
struct Scene {
    folder: tempfile::TempDir,
}

/// How long one transfer may take before it counts as failed. Far above what any needs: it only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return rows().iter().for_each(|row| println!("{}: test", row.name));
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let all = std::env::var_os("RTORRENT_CLI_TEST_ALL").is_some();
    let wanted = |row: &Row| filters.is_empty() || filters.iter().any(|filter| row.name.contains(*filter));
    // Transmission takes its time between one step and the next: its rows need a lane, and hardly a core.
    let (slow, rest): (Vec<Row>, Vec<Row>) =
        rows().into_iter().filter(wanted).partition(|row| row.name.contains("transmission"));
    let (slow, rest) = std::thread::scope(|scope| {
        let slow = scope.spawn(|| run_all(slow));
        let rest = run_all(rest);
        (slow.join().expect("the lane ends"), rest)
    });
    let (passed, not_run) = (slow.passed + rest.passed, slow.not_run + rest.not_run);
    let failed = [slow.failed, rest.failed].concat();
    report(&failed);
    println!("\ninterop: {passed} passed, {} failed, {not_run} not run for want of a program", failed.len());
    if !failed.is_empty() || (all && not_run > 0) {
        std::process::exit(1);
    }
}

/// Repeats what failed at the end, in the form that readers of `cargo test` look for.
fn report(failed: &[(String, String)]) {
    if failed.is_empty() {
        return;
    }
    println!("\nfailures:");
    for (name, reason) in failed {
        println!("\n---- {name} stdout ----\n{reason}");
    }
    println!("\nfailures:");
    for (name, _) in failed {
        println!("    {name}");
    }
}

/// How rows ended.
#[derive(Default)]
struct Tally {
    passed: u32,
    /// Names and reasons.
    failed: Vec<(String, String)>,
    not_run: u32,
}

/// One row after the other, each told of as it ends.
fn run_all(rows: Vec<Row>) -> Tally {
    let mut tally = Tally::default();
    for row in rows {
        let start = Instant::now();
        match run(&row) {
            Ok(Ok(())) => {
                tally.passed += 1;
                println!("ok       {:<44} {:.1} s", row.name, start.elapsed().as_secs_f64());
            }
            Ok(Err(reason)) => {
                println!("FAILED   {:<44} {reason}", row.name);
                tally.failed.push((row.name, reason));
            }
            Err(Missing { program, package }) => {
                tally.not_run += 1;
                println!("NOT RUN  {:<44} {program} is not installed: apt-get install {package}", row.name);
            }
        }
    }
    tally
}

fn run(row: &Row) -> Result<Result<(), String>, Missing> {
    for program in row.needs.iter().chain(&["opentracker"]) {
        process::require(program)?;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    Ok((row.run)(&Scene { folder }))
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for peer in Peer::ALL {
        for magnet in [false, true] {
            let how = if magnet { "magnet" } else { ".torrent" };
            rows.push(Row {
                name: format!("get from {} ({how})", peer.name()),
                needs: peer.programs(),
                run: Box::new(move |scene| get_from(scene, peer, magnet, &Content::tree())),
            });
            rows.push(Row {
                name: format!("seed to {} ({how})", peer.name()),
                needs: peer.programs(),
                run: Box::new(move |scene| seed_to(scene, peer, magnet, &peer.content())),
            });
        }
    }
    for peer in Peer::ENCRYPTED.into_iter().chain(Peer::UTP) {
        rows.push(Row {
            name: format!("get from {}", peer.name()),
            needs: peer.programs(),
            run: Box::new(move |scene| get_by_calling(scene, peer, &Content::tree())),
        });
        rows.push(Row {
            name: format!("seed to {}", peer.name()),
            needs: peer.programs(),
            run: Box::new(move |scene| seed_to(scene, peer, false, &peer.content())),
        });
    }
    for content in [Content::empty_file(), Content::one_byte(), Content::large_file(), Content::thousands()] {
        let name = format!("get {} from libtorrent (.torrent)", content.what);
        rows.push(Row {
            name,
            needs: Peer::Libtorrent.programs(),
            run: Box::new(move |scene| get_from(scene, Peer::Libtorrent, false, &content)),
        });
    }
    for place in ["", "moved/", "busy/", "wrong/"] {
        rows.push(Row {
            name: format!("get from nginx alone, as a web seed (/{place})"),
            needs: vec!["nginx"],
            run: Box::new(move |scene| get_from_web(scene, place)),
        });
    }
    for peer in [Peer::Aria2, Peer::Libtorrent, Peer::Transmission] {
        rows.push(Row {
            name: format!("create, and seed that to {}", peer.name()),
            needs: peer.programs(),
            run: Box::new(move |scene| create_for(scene, peer)),
        });
    }
    for program in ["mktorrent", "transmission-create"] {
        rows.push(Row {
            name: format!("create what {program} creates"),
            needs: vec![program],
            run: Box::new(move |scene| create_like(scene, program)),
        });
    }
    rows.push(Row {
        name: "get from nginx alone, by HTTPS".into(),
        needs: vec!["nginx", "openssl"],
        run: Box::new(get_by_https),
    });
    rows.extend(v2::rows());
    for reader in watching::Reader::ALL {
        rows.push(Row {
            name: reader.name().into(),
            needs: reader.programs(),
            run: Box::new(move |scene| watching::read(scene, reader)),
        });
    }
    rows.push(Row {
        name: "get over a UDP tracker from libtorrent".into(),
        needs: Peer::Libtorrent.programs(),
        run: Box::new(|scene| get_over_udp(scene, &Content::tree())),
    });
    rows
}

/// `peer` seeds, ours downloads.
fn get_from(scene: &Scene, peer: Peer, magnet: bool, content: &Content) -> Result<(), String> {
    let folder = scene.folder.path();
    let place = Place::free();
    let torrent = content.write(&folder.join("seed"), &place.http_url());
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let _seeder = peer.seed(folder, &torrent)?;
    if content.bytes() > 0 {
        tracker.wait_for_seed(PATIENCE)?;
    }
    ours::get(folder, &source(&torrent, magnet), &[])?;
    content.compare(&folder.join("seed"), &folder.join("ours"))
}

/// `peer` seeds and does not know of ours, which calls it.
fn get_by_calling(scene: &Scene, peer: Peer, content: &Content) -> Result<(), String> {
    let folder = scene.folder.path();
    let place = Place::free();
    let torrent = content.write(&folder.join("seed"), &place.http_url());
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let port = free_port();
    let _seeder = peer.seed_on(folder, &torrent, port)?;
    tracker.wait_for_seed(PATIENCE)?;
    ours::get(folder, &source(&torrent, false), &["--no-trackers", "--peer", &format!("127.0.0.1:{port}")])?;
    content.compare(&folder.join("seed"), &folder.join("ours"))
}

/// Ours seeds, `peer` downloads.
fn seed_to(scene: &Scene, peer: Peer, magnet: bool, content: &Content) -> Result<(), String> {
    let folder = scene.folder.path();
    let place = Place::free();
    let torrent = content.write(&folder.join("seed"), &place.http_url());
    seed_made_to(folder, peer, place, &torrent, magnet, content)
}

/// Ours seeds a torrent that it made itself, `peer` downloads.
fn create_for(scene: &Scene, peer: Peer) -> Result<(), String> {
    let folder = scene.folder.path();
    let place = Place::free();
    let content = peer.content();
    let by_hand = content.write(&folder.join("seed"), &place.http_url());
    std::fs::remove_file(&by_hand.file).map_err(|e| e.to_string())?;
    let torrent = ours::create(folder, &content.top(&folder.join("seed")), &place.http_url(), &[])?;
    seed_made_to(folder, peer, place, &torrent, false, &content)
}

/// The same files and options give the same info hash.
fn create_like(scene: &Scene, program: &str) -> Result<(), String> {
    let folder = scene.folder.path();
    let top = folder.join("top");
    // On the order of capitals and of letters beyond ASCII programs disagree.
    let files = [("b.bin", 300_000), ("a/z", 77), ("a-b", 20_000), ("z/ünï cødé", 1), ("c", 65_536)];
    for (path, size) in files {
        let path = top.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("make folders");
        std::fs::write(&path, content::pattern(size as u64, size)).expect("write a file");
    }
    let tracker = "http://127.0.0.1:1/announce";
    let theirs = folder.join("theirs.torrent");
    let mut command = std::process::Command::new(program);
    match program {
        "mktorrent" => command.args(["-p", "-l", "16", "-a", tracker, "-o"]),
        _ => command.args(["-p", "-s", "64", "-t", tracker, "-o"]),
    };
    let output = command.arg(&theirs).arg(&top).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let ours = ours::create(folder, &top, tracker, &["--private", "--piece-length", "64K"])?;
    let bytes = std::fs::read(&theirs).map_err(|e| e.to_string())?;
    let at = bytes.windows(6).position(|window| window == b"4:info").ok_or("no info")? + 6;
    // Both write nothing behind the info dictionary but the end of the file's own.
    let hash: [u8; 20] = <sha1::Sha1 as sha1::Digest>::digest(&bytes[at..bytes.len() - 1]).into();
    if hash == ours.info_hash { Ok(()) } else { Err(format!("{} is another torrent", ours.hex())) }
}

fn seed_made_to(
    folder: &Path,
    peer: Peer,
    place: Place,
    torrent: &Torrent,
    magnet: bool,
    content: &Content,
) -> Result<(), String> {
    let tracker = OpenTracker::start(folder, place, torrent)?;
    let source = source(torrent, magnet);
    let port = free_port();
    let (mut seeder, mut leecher);
    if peer.waits_for_calls() {
        leecher = peer.leech(folder, &source, port)?;
        leecher.until(PATIENCE, || tracker.wait_for_leecher(Duration::ZERO))?;
        seeder = ours::seed(folder, torrent, &["--peer", &format!("127.0.0.1:{port}")])?;
    } else {
        seeder = ours::seed(folder, torrent, &[])?;
        seeder.until(PATIENCE, || tracker.wait_for_seed(Duration::ZERO))?;
        leecher = peer.leech(folder, &source, port)?;
    }
    leecher
        .until(PATIENCE, || content.compare(&folder.join("seed"), &folder.join("theirs")))
        .map_err(|complaint| seeder.with_log(&complaint))
}

/// A web server has the files, and there is no peer.
fn get_from_web(scene: &Scene, place: &str) -> Result<(), String> {
    let folder = scene.folder.path();
    let content = Content::tree();
    let torrent = content.write(&folder.join("seed"), &Place::free().http_url());
    // Other bytes of the same lengths.
    Content::tree().write(&folder.join("wrong"), "http://127.0.0.1/announce");
    content.spoil(&folder.join("wrong"));
    let nginx = Nginx::start(folder)?;
    let (asked, right) = (nginx.url(place), nginx.url(""));
    let mut flags = vec!["--no-trackers", "--web-seed", &asked];
    if place == "wrong/" {
        flags.extend(["--web-seed", &right]);
    }
    ours::get(folder, &source(&torrent, false), &flags)?;
    content.compare(&folder.join("seed"), &folder.join("ours"))?;
    let (_, sent) = nginx.answers("206");
    match place {
        "" if sent != content.bytes() as u64 => Err(format!("{sent} bytes of {} were sent", content.bytes())),
        "moved/" if nginx.answers("302").0 == 0 => Err("nothing was redirected".into()),
        "busy/" if nginx.answers("503").0 == 0 => Err("it was never busy".into()),
        _ => Ok(()),
    }
}

/// The same by HTTPS, with a certificate that is good by an authority of our own and bad by all others.
fn get_by_https(scene: &Scene) -> Result<(), String> {
    let folder = scene.folder.path();
    let content = Content::tree();
    let torrent = content.write(&folder.join("seed"), &Place::free().http_url());
    let nginx = Nginx::start(folder)?;
    let (url, source) = (nginx.secure_url(""), source(&torrent, false));
    let flags = ["--no-trackers", "--web-seed", &url];
    let distrustful = ours::get(folder, &source, &[&flags[..], &["--max-time", "4"]].concat());
    if distrustful.is_ok() || nginx.answers("206").0 > 0 {
        return Err("a certificate of nobody was good enough".into());
    }
    ours::get_trusting(folder, &source, &flags, Some(&folder.join("ca.pem")))?;
    content.compare(&folder.join("seed"), &folder.join("ours"))?;
    let (_, sent) = nginx.answers("206");
    if sent == content.bytes() as u64 { Ok(()) } else { Err(format!("{sent} bytes of {} were sent", content.bytes())) }
}

/// The tracker is asked over UDP (BEP 15) and nothing else is said of the seeder.
fn get_over_udp(scene: &Scene, content: &Content) -> Result<(), String> {
    let folder = scene.folder.path();
    let place = Place::free();
    let torrent = content.write(&folder.join("seed"), &place.http_url());
    let tracker = OpenTracker::start(folder, place, &torrent)?;
    let _seeder = Peer::Libtorrent.seed(folder, &torrent)?;
    tracker.wait_for_seed(PATIENCE)?;
    ours::get(folder, &source(&torrent, false), &["--no-trackers", "--tracker", &place.udp_url()])?;
    content.compare(&folder.join("seed"), &folder.join("ours"))
}

/// What a person would type: the magnet link or the path of the .torrent.
fn source(torrent: &Torrent, magnet: bool) -> String {
    if magnet { torrent.magnet() } else { torrent.file.display().to_string() }
}
