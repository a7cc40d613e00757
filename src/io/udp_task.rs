//! The UDP sockets of the process: one a family, on one port where that can be had.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

/// A longer datagram is cut; nothing that we speak sends one.
pub const MAX_DATAGRAM: usize = 4096;

#[derive(Debug)]
pub struct UdpPair {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl UdpPair {
    /// Binds both families at `ips` (one address a family at most) to `port`, or to any free port where that is taken
    /// or 0. A family that the system has no sockets for is left out.
    ///
    /// # Errors
    /// That of the last attempt, if neither family could be bound.
    pub fn bind(ips: &[IpAddr], port: u16) -> io::Result<UdpPair> {
        let mut pair = UdpPair { v4: None, v6: None };
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for &ip in ips {
            let wanted = pair.port().unwrap_or(port);
            match bind(SocketAddr::new(ip, wanted)).or_else(|_| bind(SocketAddr::new(ip, 0))) {
                Ok(socket) if ip.is_ipv4() => pair.v4 = Some(socket),
                Ok(socket) => pair.v6 = Some(socket),
                Err(failed) => error = failed,
            }
        }
        if pair.v4.is_none() && pair.v6.is_none() { Err(error) } else { Ok(pair) }
    }

    /// Every address of this machine.
    pub const ANY: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

    pub fn has_v4(&self) -> bool {
        self.v4.is_some()
    }

    pub fn has_v6(&self) -> bool {
        self.v6.is_some()
    }

    /// The port of the IPv4 socket, or of the only one.
    pub fn port(&self) -> Option<u16> {
        let socket = self.v4.as_ref().or(self.v6.as_ref())?;
        Some(socket.local_addr().ok()?.port())
    }

    /// Waits for a datagram on either socket.
    ///
    /// # Errors
    /// What the system says of the socket; the next call may work again.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match (&self.v4, &self.v6) {
            (Some(v4), Some(v6)) => {
                let on_v6 = tokio::select! {
                    ready = v4.readable() => ready.map(|()| false)?,
                    ready = v6.readable() => ready.map(|()| true)?,
                };
                if on_v6 { v6.try_recv_from(buffer) } else { v4.try_recv_from(buffer) }
            }
            (Some(only), None) | (None, Some(only)) => only.recv_from(buffer).await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Another datagram, if one is there already.
    pub fn try_recv(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let sockets = [&self.v4, &self.v6].into_iter().flatten();
        sockets.map(|socket| socket.try_recv_from(buffer)).find_map(Result::ok)
    }

    /// Sends at once or not at all: a datagram that finds no room or no route is as lost as one on its way.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        if let Some(socket) = socket
            // Not through the runtime: it takes a fresh socket for blocked until it has first waited for it.
            && let Err(error) = SockRef::from(socket).send_to(bytes, &to.into())
        {
            tracing::trace!(%to, %error, "datagram not sent");
        }
    }
}

fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_very_first_datagram_of_a_fresh_socket_goes_out() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let (a, b) = (UdpPair::bind(&loopback, 0).unwrap(), UdpPair::bind(&loopback, 0).unwrap());
        a.send(SocketAddr::new(loopback[0], b.port().unwrap()), b"first");
        let mut buffer = [0; MAX_DATAGRAM];
        let received = tokio::time::timeout(std::time::Duration::from_secs(10), b.recv(&mut buffer)).await;
        let (len, from) = received.expect("it was sent").unwrap();
        assert_eq!((&buffer[..len], from.port()), (b"first".as_slice(), a.port().unwrap()));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_gives_way_to_another() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let first = UdpPair::bind(&loopback, 0).unwrap();
        let second = UdpPair::bind(&loopback, first.port().unwrap()).unwrap();
        assert_ne!(first.port(), second.port());
    }
}
