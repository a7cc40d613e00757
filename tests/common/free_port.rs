//! Ports for programs that are told where to listen, and places where nobody does.
#![allow(dead_code)] // each user needs only a part

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// A TCP and UDP port that is free on every address. None is given twice by one process, others begin elsewhere, and all
/// are below those that the system gives to whoever asks for any: nobody takes it before the program that it is for.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id().wrapping_mul(101) as u16;
    loop {
        let port = 10_000 + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 11_000;
        let any = (Ipv4Addr::UNSPECIFIED, port);
        if TcpListener::bind(any).is_ok() && UdpSocket::bind(any).is_ok() {
            return port;
        }
    }
}

/// An address that refuses connections for as long as it lives: it is held, and nobody listens there.
pub struct ClosedPort {
    _held: socket2::Socket,
    pub addr: SocketAddr,
}

impl ClosedPort {
    pub fn new() -> ClosedPort {
        let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        held.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let addr = held.local_addr().unwrap().as_socket().unwrap();
        ClosedPort { _held: held, addr }
    }
}
