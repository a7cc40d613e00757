//! Streams between our uTP and librqbit-utp, over real sockets on loopback.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use librqbit_utp::{UtpSocket, UtpSocketUdp};
use rtorrent_cli::io::net_path::NetPath;
use rtorrent_cli::io::stream::PeerStream;
use rtorrent_cli::io::udp_task::UdpPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const LEN: usize = 8 << 20;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn noise() -> Vec<u8> {
    (0..LEN as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

async fn theirs() -> std::sync::Arc<UtpSocketUdp> {
    UtpSocket::new_udp(SocketAddr::new(LOOPBACK, 0)).await.unwrap()
}

fn ours() -> (UdpPort, SocketAddr) {
    let port = UdpPort::open(&NetPath::open(), &[LOOPBACK], 0).unwrap();
    let addr = SocketAddr::new(LOOPBACK, port.port());
    (port, addr)
}

async fn write(stream: &mut PeerStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write_vectored(&[IoSlice::new(bytes)]) {
            Ok(n) => bytes = &bytes[n..],
            Err(_) => {
                stream.ready(true).await.unwrap();
            }
        }
    }
}

/// Reads to the end of the stream.
async fn read(stream: &mut PeerStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        stream.ready(false).await.unwrap();
        match stream.try_read_vectored(&mut [IoSliceMut::new(&mut buffer)]) {
            Ok(0) => return all,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
}

#[tokio::test]
async fn we_call_and_both_sides_say_much() {
    let their_socket = theirs().await;
    let (port, _) = ours();
    let addr = their_socket.bind_addr();
    let answer = tokio::spawn(async move {
        let mut stream = their_socket.accept().await.unwrap();
        let mut got = vec![0; LEN];
        stream.read_exact(&mut got).await.unwrap();
        stream.write_all(&got).await.unwrap();
        stream.shutdown().await.unwrap();
        got
    });
    let mut stream = PeerStream::Utp(port.utp().connect(addr).await.unwrap());
    let noise = noise();
    write(&mut stream, &noise).await;
    assert!(read(&mut stream).await == noise);
    drop(stream);
    assert!(answer.await.unwrap() == noise);
}

#[tokio::test]
async fn they_call_and_hear_the_end() {
    let their_socket = theirs().await;
    let (port, addr) = ours();
    let (arrivals, mut callers) = mpsc::channel(4);
    port.utp().accept(arrivals);
    let call = tokio::spawn(async move {
        let mut stream = their_socket.connect(addr).await.unwrap();
        stream.write_all(b"say it").await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all
    });
    let mut arrival = callers.recv().await.unwrap();
    assert!(arrival.utp);
    let mut asked = [0; 6];
    arrival.stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"say it");
    let noise = noise();
    write(&mut arrival.stream, &noise).await;
    drop(arrival);
    assert!(call.await.unwrap() == noise);
}

#[tokio::test]
async fn an_address_that_answers_nobody_is_given_up() {
    let (port, _) = ours();
    let (deaf, addr) = ours(); // it was not told to accept anybody
    let error = tokio::time::timeout(std::time::Duration::from_secs(60), port.utp().connect(addr)).await.unwrap();
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    drop(deaf);
}
