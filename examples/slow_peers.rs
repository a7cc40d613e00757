//! Many slow peers, large pieces and little memory: does the download keep their pace, and how much memory does it take?
//! `cargo run --release --bin rtorrent-cli --example slow_peers [MEMORY [PEERS [PIECE [SIZE [RATE]]]]]`
//!
//! Unless told otherwise 100 peers on loopback send 100 KiB a second each, one in ten of them a tenth of that, a file of
//! 256 MiB in pieces of 16 MiB, to a `rtorrent-cli get --memory 32M`. Linux only (`/proc` tells the peak).

#[path = "../tests/common/make_torrent.rs"]
mod make_torrent;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use make_torrent::Made;
use rtorrent_cli::base::bitfield::Bitfield;
use rtorrent_cli::base::compact;
use rtorrent_cli::base::id::{InfoHashV1, PeerId};
use rtorrent_cli::base::size::parse_size;
use rtorrent_cli::proto::wire::{BlockRequest, HANDSHAKE_LEN, Handshake, Message, Reserved, piece_header};

/// What all peers have.
struct Shared {
    contents: Vec<u8>,
    piece_length: usize,
    info_hash: InfoHashV1,
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let memory = words.next().unwrap_or_else(|| "32M".into());
    let mut next = |usual: &str| parse_size(&words.next().unwrap_or_else(|| usual.into())).context("a number or size");
    let (peers, piece_length, size, rate) =
        (next("100")?, next("16M")? as usize, next("256M")? as usize, next("100K")?);

    let folder = tempfile::tempdir()?;
    let listeners: Vec<TcpListener> =
        (0..peers).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let mut addresses = Vec::new();
    for listener in &listeners {
        compact::write_v4(&mut addresses, SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr()?.port()));
    }
    let tracker = start_tracker(&addresses)?;
    let contents = make_torrent::noise(size, 1);
    let made = Made::file("slow.bin", contents.clone(), piece_length, &[&tracker]);
    let torrent = folder.path().join("slow.torrent");
    std::fs::write(&torrent, &made.bytes)?;
    let shared = Arc::new(Shared { contents, piece_length, info_hash: InfoHashV1(made.info_hash) });
    let rates: Vec<u64> = (0..peers).map(|nth| if nth % 10 == 9 { rate / 10 } else { rate }).collect();
    for (nth, (listener, &rate)) in listeners.into_iter().zip(&rates).enumerate() {
        let shared = shared.clone();
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                // A peer that was hung up on waits for the next caller.
                let _ = seed(&shared, nth, socket, rate);
            }
        });
    }

    let program = std::env::current_exe()?.with_file_name("../rtorrent-cli");
    let start = Instant::now();
    let mut child = Command::new(program)
        .arg("get")
        .arg(&torrent)
        .arg("-d")
        .arg(folder.path())
        .args(["--memory", &memory, "--max-peers", "500", "--max-time", "10m", "--no-dht", "--no-lsd", "--no-pex"])
        .args(["--state-dir", "none", "--progress", "none", "--transport", "tcp"])
        .stdout(Stdio::null())
        .spawn()
        .context("rtorrent-cli has to be built beside this example")?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let end = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        peak = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0).max(peak);
        if let Some(end) = child.try_wait()? {
            break end;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let took = start.elapsed().as_secs_f64();
    ensure!(end.success(), "the download ended with {end}");
    ensure!(std::fs::read(folder.path().join("slow.bin"))? == shared.contents, "the bytes differ");
    let fair = size as f64 / rates.iter().sum::<u64>() as f64;
    println!("{took:.1} s, {fair:.1} s at the peers' full pace; --memory {memory}, peak {} MiB", peak >> 10);
    Ok(())
}

/// A tracker that names these peers, in compact form, to everyone.
fn start_tracker(peers: &[u8]) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}/announce", listener.local_addr()?);
    let mut body = format!("d8:intervali1800e5:peers{}:", peers.len()).into_bytes();
    body.extend(peers);
    body.push(b'e');
    thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let mut request = [0; 2048];
            let _ = socket.read(&mut request);
            let _ = write!(socket, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = socket.write_all(&body);
        }
    });
    Ok(url)
}

/// Serves one caller at `rate` bytes a second.
fn seed(shared: &Shared, nth: usize, mut socket: TcpStream, rate: u64) -> Result<()> {
    socket.set_nodelay(true)?;
    socket.read_exact(&mut [0; HANDSHAKE_LEN])?;
    let mut peer_id = PeerId(*b"-SL0001-slow-peer---");
    peer_id.0[12..].copy_from_slice(&nth.to_be_bytes());
    let handshake = Handshake { reserved: Reserved::default(), info_hash: shared.info_hash, peer_id };
    let mut hello = handshake.encode().to_vec();
    let pieces = Bitfield::full(shared.contents.len().div_ceil(shared.piece_length) as u32).to_wire();
    Message::Bitfield(&pieces).encode(&mut hello);
    Message::Unchoke.encode(&mut hello);
    socket.write_all(&hello)?;
    let (mut bytes, mut asked) = (Vec::new(), VecDeque::new());
    let time_of = |ask: &BlockRequest| Duration::from_secs_f64(f64::from(ask.len) / rate as f64);
    // When the front block is out.
    let mut due = Instant::now();
    loop {
        while let Some((message, len)) = Message::take(&bytes)? {
            match message {
                Message::Request(ask) => {
                    if asked.is_empty() {
                        due = due.max(Instant::now()) + time_of(&ask);
                    }
                    asked.push_back(ask);
                }
                Message::Cancel(ask) => asked.retain(|one| *one != ask),
                _ => {}
            }
            bytes.drain(..len);
        }
        let wait = due.saturating_duration_since(Instant::now());
        if wait.is_zero()
            && let Some(ask) = asked.pop_front()
        {
            let start = ask.piece as usize * shared.piece_length + ask.begin as usize;
            let block = shared.contents.get(start..start + ask.len as usize).context("no such block")?;
            socket.write_all(&[&piece_header(ask.piece, ask.begin, ask.len)[..], block].concat())?;
            due += asked.front().map_or(Duration::ZERO, time_of);
            continue;
        }
        socket.set_read_timeout(if asked.is_empty() { None } else { Some(wait.max(Duration::from_millis(1))) })?;
        let mut part = [0; 4096];
        match socket.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
