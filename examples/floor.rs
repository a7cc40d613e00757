//! What no downloader can do without, each alone: receiving over loopback, hashing, and writing.
//! `cargo run --release --example floor FOLDER`; the folder gets a file of 2 GiB for a moment.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use rtorrent_cli::base::hash::sha1_batch;

const TOTAL: u64 = 2 << 30;
const PIECE: usize = 1 << 20;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let first = args.next().context("give a folder")?;
    if first == "send" {
        return send(&args.next().context("give a port")?);
    }
    let folder = PathBuf::from(first);
    println!("|  | wall s | user CPU s/GiB | all CPU s/GiB |\n|---|---|---|---|");
    timed("receive", receive)?;
    timed("hash, sixteen pieces side by side", hash)?;
    timed("write, 1 MiB at a time", || write(&folder))?;
    Ok(())
}

fn timed(what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let (start, before) = (Instant::now(), cpu()?);
    work()?;
    let (wall, after) = (start.elapsed().as_secs_f64(), cpu()?);
    let gib = TOTAL as f64 / f64::from(1 << 30);
    let (user, system) = ((after.0 - before.0) / gib, (after.1 - before.1) / gib);
    println!("| {what} | {wall:.2} | {user:.2} | {:.2} |", user + system);
    Ok(())
}

/// User and system seconds of this process, in steps of the kernel's clock.
fn cpu() -> Result<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("this needs Linux")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / 100.0;
    Ok((ticks(11), ticks(12)))
}

/// Another process sends, so that its work is not counted.
fn receive() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let mut sender = std::process::Command::new(std::env::current_exe()?).args(["send", &port]).spawn()?;
    let (mut socket, _) = listener.accept()?;
    let mut pieces = vec![vec![1; PIECE]; 16];
    let mut headers = [0; 13 * 64];
    let mut got = 0;
    while got < TOTAL {
        let piece = &mut pieces[got as usize / PIECE % 16];
        let slices = headers.chunks_mut(13).zip(piece.chunks_mut(PIECE / 64));
        let mut slices: Vec<_> =
            slices.flat_map(|(header, block)| [IoSliceMut::new(header), IoSliceMut::new(block)]).collect();
        match socket.read_vectored(&mut slices)? {
            0 => break,
            n => got += n as u64,
        }
    }
    drop(socket);
    sender.wait()?;
    Ok(())
}

fn send(port: &str) -> Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port.parse()?))?;
    let bytes = vec![7; 128 << 10];
    // Until the other end has had enough.
    while socket.write_all(&bytes).is_ok() {}
    Ok(())
}

fn hash() -> Result<()> {
    let pieces = vec![vec![1; PIECE]; 16];
    let slices: Vec<[&[u8]; 1]> = pieces.iter().map(|piece| [&piece[..]]).collect();
    let messages: Vec<&[&[u8]]> = slices.iter().map(|slices| &slices[..]).collect();
    for _ in 0..TOTAL / (16 * PIECE as u64) {
        std::hint::black_box(sha1_batch(&messages));
    }
    Ok(())
}

fn write(folder: &std::path::Path) -> Result<()> {
    let path = folder.join("floor.bin");
    let mut file = File::create(&path)?;
    let bytes = vec![7; PIECE];
    for _ in 0..TOTAL / PIECE as u64 {
        file.write_all(&bytes)?;
    }
    drop(file);
    std::fs::remove_file(path)?;
    Ok(())
}
