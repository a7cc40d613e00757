//! How fast one stream is, by ways that can be compared:
//!
//! ```sh
//! cargo run --release --example utp_transfer -- loopback 1G          # ours, librqbit-utp and TCP in turn
//! cargo run --release --example utp_transfer -- serve WAY ADDR SIZE  # WAY: ours, librqbit or tcp
//! cargo run --release --example utp_transfer -- fetch WAY ADDR       # from where `serve` runs
//! ```
//!
//! `fetch` says how long the bytes took after the connection stood, and what they cost this side; run both ends in
//! network namespaces with a slow or lossy link between them to see how each way stands it.

use std::io::{IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use librqbit_utp::UtpSocket;
use rtorrent_cli::base::size::parse_size;
use rtorrent_cli::io::net_path::NetPath;
use rtorrent_cli::io::stream::PeerStream;
use rtorrent_cli::io::udp_task::UdpPort;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const CHUNK: usize = 64 << 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<()> {
    match *arguments {
        ["loopback", size] => loopback(parse_size(size).context("SIZE")?).await,
        ["serve", way, addr, size] => serve(way, addr.parse()?, parse_size(size).context("SIZE")?).await,
        ["fetch", way, addr] => fetch(way, addr.parse()?).await.map(|fetched| fetched.print(way)),
        _ => bail!("loopback SIZE, serve WAY ADDR SIZE or fetch WAY ADDR"),
    }
}

/// Both ends in this process: the CPU time is that of both.
async fn loopback(size: u64) -> Result<()> {
    for (way, port) in [("ours", 38_911), ("librqbit", 38_912), ("tcp", 38_913)] {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let server = tokio::spawn(serve(way, addr, size));
        // The server binds in its first breath; who comes before it calls again.
        tokio::time::sleep(Duration::from_millis(100)).await;
        fetch(way, addr).await?.print(way);
        server.abort();
    }
    Ok(())
}

struct Fetched {
    bytes: u64,
    took: Duration,
    cpu: Duration,
}

impl Fetched {
    fn print(&self, way: &str) {
        let (secs, gib) = (self.took.as_secs_f64(), self.bytes as f64 / f64::from(1 << 30));
        println!(
            "{way:10} {:8.1} Mbit/s  {:7.1} MB/s  {:6.2} s  {:5.2} CPU s a GiB",
            self.bytes as f64 * 8e-6 / secs,
            self.bytes as f64 * 1e-6 / secs,
            secs,
            self.cpu.as_secs_f64() / gib,
        );
    }
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    #[cfg(unix)]
    {
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(clock.tv_sec as u64, clock.tv_nsec as u32)
    }
    #[cfg(not(unix))]
    Duration::ZERO
}

/// Serves callers one after the other: each gets SIZE bytes after it has said one.
async fn serve(way: &str, addr: SocketAddr, size: u64) -> Result<()> {
    match way {
        "ours" => {
            let port = UdpPort::open(&NetPath::open(), &[addr.ip()], addr.port())?;
            ensure!(port.port() == addr.port(), "{addr} is taken");
            let (arrivals, mut callers) = mpsc::channel(4);
            port.utp().accept(arrivals);
            while let Some(mut caller) = callers.recv().await {
                caller.stream.read_exact(&mut [0]).await?;
                write_ours(&mut caller.stream, size).await?;
            }
        }
        "librqbit" => {
            let socket = UtpSocket::new_udp(addr).await?;
            loop {
                write(socket.accept().await?, size).await?;
            }
        }
        "tcp" => {
            let listener = TcpListener::bind(addr).await?;
            loop {
                write(listener.accept().await?.0, size).await?;
            }
        }
        _ => bail!("{way} is no way: ours, librqbit or tcp"),
    }
    Ok(())
}

async fn write_ours(stream: &mut PeerStream, size: u64) -> Result<()> {
    let (bytes, mut left) = (vec![7; CHUNK], size);
    while left > 0 {
        let part = &bytes[..left.min(CHUNK as u64) as usize];
        match stream.try_write_vectored(&[IoSlice::new(part)]) {
            Ok(n) => left -= n as u64,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.ready(true).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn write(mut stream: impl AsyncRead + AsyncWrite + Unpin, size: u64) -> Result<()> {
    stream.read_exact(&mut [0]).await?;
    let (bytes, mut left) = (vec![7; CHUNK], size);
    while left > 0 {
        let part = left.min(CHUNK as u64);
        stream.write_all(&bytes[..part as usize]).await?;
        left -= part;
    }
    stream.shutdown().await?;
    Ok(())
}

async fn fetch(way: &str, addr: SocketAddr) -> Result<Fetched> {
    match way {
        "ours" => {
            let any = if addr.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            let port = UdpPort::open(&NetPath::open(), &[any], 0)?;
            let mut stream = PeerStream::Utp(port.utp().connect(addr).await?);
            let (start, before) = (Instant::now(), cpu());
            stream.write_all(b"!").await?;
            let bytes = read_ours(&mut stream).await?;
            Ok(Fetched { bytes, took: start.elapsed(), cpu: cpu() - before })
        }
        "librqbit" => {
            let any = if addr.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UtpSocket::new_udp(any.parse()?).await?;
            read(socket.connect(addr).await?).await
        }
        "tcp" => read(TcpStream::connect(addr).await?).await,
        _ => bail!("{way} is no way: ours, librqbit or tcp"),
    }
}

async fn read_ours(stream: &mut PeerStream) -> Result<u64> {
    let (mut buffer, mut bytes) = (vec![0; 4 * CHUNK], 0);
    loop {
        stream.ready(false).await?;
        match stream.try_read_vectored(&mut [IoSliceMut::new(&mut buffer)]) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes += n as u64,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn read(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Fetched> {
    let (start, before) = (Instant::now(), cpu());
    stream.write_all(b"!").await?;
    let (mut buffer, mut bytes) = (vec![0; 4 * CHUNK], 0);
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(Fetched { bytes, took: start.elapsed(), cpu: cpu() - before });
        }
        bytes += n as u64;
    }
}
