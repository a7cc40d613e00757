//! A whole swarm on this machine, no network needed: `cargo run --release --example local_swarm [SIZE]`.
//!
//! Makes a file of noise (128M unless SIZE says otherwise), starts a tracker and three seeders on loopback, downloads by
//! magnet link with the program's own display, and verifies what came.

#[path = "../tests/common/make_torrent.rs"]
mod make_torrent;
#[path = "../tests/common/tracker_server.rs"]
mod tracker_server;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rtorrent_cli::base::hash::sha1;
use rtorrent_cli::base::magnet::Magnet;
use rtorrent_cli::base::metainfo::{self, Metainfo};
use rtorrent_cli::base::size::parse_size;
use rtorrent_cli::cli;
use rtorrent_cli::engine::{CheckMode, Engine, EngineSettings, Goal, Item, ItemSource};
use tracker_server::TrackerServer;

const SEEDERS: usize = 3;
const PIECE: usize = 512 << 10;
const NAME: &str = "local-swarm.bin";

fn main() -> ExitCode {
    match show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show() -> Result<()> {
    let size = std::env::args().nth(1).unwrap_or_else(|| "128M".into());
    let size = parse_size(&size).context("SIZE")?;
    let temporary = tempfile::tempdir()?;
    let folder = |name: &str| -> Result<PathBuf> {
        let path = temporary.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    };
    let (shared, download, state) = (folder("shared")?, folder("download")?, folder("state")?);

    println!("making {NAME}: {} MiB", size >> 20);
    let info = make_file(&shared.join(NAME), size)?;
    println!("starting a tracker and {SEEDERS} seeders on loopback");
    let swarm = Swarm::start(info, shared.clone())?;

    let torrent = temporary.path().join("local-swarm.torrent");
    std::fs::write(&torrent, &swarm.torrent)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    run(&[
        "get",
        &swarm.magnet,
        "--dir",
        &text(&download),
        "--state-dir",
        &text(&state),
        "--no-dht",
        "--no-lsd",
        "--no-pex",
    ])?;
    run(&["verify", &text(&torrent), &text(&download)])?;
    ensure!(same(&shared.join(NAME), &download.join(NAME))?, "the bytes differ");
    println!("the bytes are the same");
    Ok(())
}

/// Runs a command of the program in this process, as it would run from a shell.
fn run(arguments: &[&str]) -> Result<()> {
    println!("\n$ rtorrent-cli {}", arguments.iter().map(|word| shortened(word)).collect::<Vec<_>>().join(" "));
    let line = std::iter::once("rtorrent-cli").chain(arguments.iter().copied()).map(OsString::from).collect();
    match cli::execute(line) {
        0 => Ok(()),
        code => bail!("exit code {code}"),
    }
}

fn shortened(word: &str) -> String {
    match word.get(..60) {
        Some(start) if word.starts_with("magnet:") => format!("'{start}...'"),
        _ => word.to_owned(),
    }
}

/// Writes a file of noise and gives its info dictionary.
fn make_file(path: &Path, size: u64) -> Result<Vec<u8>> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut hashes = Vec::new();
    let mut left = size;
    while left > 0 {
        let piece = make_torrent::noise(left.min(PIECE as u64) as usize, left);
        file.write_all(&piece)?;
        hashes.extend(sha1(&piece));
        left -= piece.len() as u64;
    }
    file.flush()?;
    let mut info = format!("d6:lengthi{size}e4:name{}:{NAME}12:piece lengthi{PIECE}e", NAME.len()).into_bytes();
    info.extend(format!("6:pieces{}:", hashes.len()).bytes());
    info.extend(hashes);
    info.push(b'e');
    Ok(info)
}

/// A tracker and seeders on a thread of their own; they end with the process.
struct Swarm {
    torrent: Vec<u8>,
    magnet: String,
}

impl Swarm {
    /// Starts them and waits until the tracker knows every seeder.
    fn start(info: Vec<u8>, shared: PathBuf) -> Result<Swarm> {
        let (ready, when_ready) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async move {
                match serve(info, shared).await {
                    Ok((swarm, _tracker, _engines)) => {
                        let _ = ready.send(Ok(swarm));
                        std::future::pending::<()>().await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        });
        when_ready.recv().context("the swarm did not start")?
    }
}

async fn serve(info: Vec<u8>, shared: PathBuf) -> Result<(Swarm, TrackerServer, Vec<Engine>)> {
    let tracker = TrackerServer::start(IpAddr::V4(Ipv4Addr::LOCALHOST)).await?;
    let torrent = metainfo::wrap(&info, &[], &[vec![tracker.http_url()]], &[]);
    let metainfo = Arc::new(Metainfo::parse(&torrent)?);
    let mut engines = Vec::new();
    for _ in 0..SEEDERS {
        let settings = EngineSettings { dht: false, pex: false, lsd: false, ..EngineSettings::default() };
        let mut engine = Engine::start(settings).await?;
        let (source, goal) =
            (ItemSource::Torrent(metainfo.clone()), Goal::Seed { ratio: None, time: None, super_seed: false });
        engine.add(Item { check: CheckMode::Full, ..Item::new(source, goal, shared.clone()) });
        engines.push(engine);
    }
    let patience = Instant::now() + Duration::from_secs(120);
    while tracker.peers(sha1(&info)).len() < SEEDERS {
        ensure!(Instant::now() < patience, "the seeders did not announce themselves");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let magnet = Magnet::of(&metainfo).to_string();
    Ok((Swarm { torrent, magnet }, tracker, engines))
}

fn same(one: &Path, other: &Path) -> Result<bool> {
    let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = one.read(&mut a)?;
        if n == 0 {
            return Ok(other.read(&mut b)? == 0);
        }
        if other.read_exact(&mut b[..n]).is_err() || a[..n] != b[..n] {
            return Ok(false);
        }
    }
}
