//! The UDP sockets of the process: one a family, on one port where that can be had; datagrams by the batch.
//!
//! Where the kernel can, one call sends or receives many datagrams of one length (UDP_SEGMENT and GRO on Linux, the like
//! on Windows); elsewhere the same calls move one at a time. Datagrams are never fragmented: the paths' sizes are found
//! by those who send.
//!
//! Behind a proxy one socket serves both families: it speaks to the proxy's relay and to nobody else.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::Socket;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::net_path::NetPath;
use super::udp_relay::{Target, UdpRelay, unwrap, wrap};
use crate::proto::tracker::udp::Family;

/// What a batch of datagrams may hold.
const BATCH_LEN: usize = 64 * 1024;
/// Batches that one call receives.
const BATCHES: usize = 8;
/// What the kernel is asked to hold for us, as far as it may.
const KERNEL_BUFFER: usize = 4 << 20;

#[derive(Debug)]
pub struct UdpPair {
    v4: Option<Half>,
    v6: Option<Half>,
    /// The way of all datagrams behind a proxy, and the one family that may be used there.
    relayed: Option<(UdpRelay, Option<Family>)>,
}

#[derive(Debug)]
struct Half {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// Memory to receive into.
pub struct ReceiveBuffers {
    bytes: Vec<u8>,
    metas: [RecvMeta; BATCHES],
    count: usize,
    /// What is not from here does not count, and what is says itself from whom.
    relay: Option<SocketAddr>,
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        let metas = [RecvMeta::default(); BATCHES];
        ReceiveBuffers { bytes: vec![0; BATCHES * BATCH_LEN], metas, count: 0, relay: None }
    }
}

impl ReceiveBuffers {
    /// The datagrams that the last call brought, with their senders.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let batches = self.bytes.chunks(BATCH_LEN).zip(&self.metas).take(self.count);
        let parts = batches
            .flat_map(|(bytes, meta)| bytes[..meta.len].chunks(meta.stride.max(1)).map(|part| (meta.addr, part)));
        parts.filter_map(|(from, part)| match self.relay {
            None => Some((from, part)),
            Some(relay) if relay == from => unwrap(part),
            Some(_) => None,
        })
    }
}

impl UdpPair {
    /// Binds both families at `ips` (one address a family at most) on `path` to `port`, or to any free port where that
    /// is taken or 0. A family that the system has no sockets for is left out.
    ///
    /// # Errors
    /// That of the last attempt, if neither family could be bound.
    pub fn bind(path: &NetPath, ips: &[IpAddr], port: u16) -> io::Result<UdpPair> {
        let mut pair = UdpPair { v4: None, v6: None, relayed: None };
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for &ip in ips {
            let wanted = pair.port().unwrap_or(port);
            let bind = |port| Half::of(path.udp_socket(SocketAddr::new(ip, port))?);
            match bind(wanted).or_else(|_| bind(0)) {
                Ok(half) if ip.is_ipv4() => pair.v4 = Some(half),
                Ok(half) => pair.v6 = Some(half),
                Err(failed) => error = failed,
            }
        }
        if pair.v4.is_none() && pair.v6.is_none() { Err(error) } else { Ok(pair) }
    }

    /// A socket that speaks through the proxy of `path`, which is to carry datagrams for it.
    ///
    /// # Errors
    /// If it does not.
    pub async fn through_proxy(path: &NetPath) -> io::Result<UdpPair> {
        let relay = UdpRelay::open(path).await?;
        let v4 = relay.place().is_none_or(|place| place.is_ipv4());
        let half = Some(Half::of(path.relay_socket(v4)?)?);
        let (v4, v6) = if v4 { (half, None) } else { (None, half) };
        Ok(UdpPair { v4, v6, relayed: Some((relay, path.only())) })
    }

    /// True if datagrams go through a proxy.
    pub fn is_relayed(&self) -> bool {
        self.relayed.is_some()
    }

    pub fn has_v4(&self) -> bool {
        self.relayed.as_ref().map_or(self.v4.is_some(), |(_, only)| *only != Some(Family::V6))
    }

    pub fn has_v6(&self) -> bool {
        self.relayed.as_ref().map_or(self.v6.is_some(), |(_, only)| *only != Some(Family::V4))
    }

    /// There is a socket that can reach `addr`.
    pub fn serves(&self, addr: SocketAddr) -> bool {
        self.half(addr).is_some()
    }

    fn half(&self, to: SocketAddr) -> Option<&Half> {
        if self.relayed.is_some() {
            return self.halves().next();
        }
        if to.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    fn halves(&self) -> impl Iterator<Item = &Half> {
        [&self.v4, &self.v6].into_iter().flatten()
    }

    /// The port of the IPv4 socket, or of the only one.
    pub fn port(&self) -> Option<u16> {
        Some(self.halves().next()?.socket.local_addr().ok()?.port())
    }

    /// True if every socket is at that port.
    pub fn is_at(&self, port: u16) -> bool {
        self.halves().all(|half| half.socket.local_addr().is_ok_and(|own| own.port() == port))
    }

    /// How many datagrams one call sends at most.
    pub fn segments(&self) -> usize {
        if self.relayed.is_some() {
            return 1;
        }
        self.halves().map(|half| half.state.max_gso_segments()).min().unwrap_or(1)
    }

    /// Waits until there is something to receive.
    ///
    /// # Errors
    /// What the system says of the socket; the next call may work again.
    pub async fn readable(&self) -> io::Result<()> {
        match (&self.v4, &self.v6) {
            (Some(v4), Some(v6)) => tokio::select! {
                ready = v4.socket.readable() => ready,
                ready = v6.socket.readable() => ready,
            },
            (Some(only), None) | (None, Some(only)) => only.socket.readable().await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Receives what is there, of each family in turn: calls `take` with what came, as often as something did.
    ///
    /// # Errors
    /// What the system says of a socket, nothing being there aside.
    pub fn receive(&self, buffers: &mut ReceiveBuffers, mut take: impl FnMut(&ReceiveBuffers)) -> io::Result<()> {
        buffers.relay = self.relayed.as_ref().and_then(|(relay, _)| relay.place());
        for half in self.halves() {
            match half.receive(buffers) {
                // Behind a proxy without a relay nobody has anything to say.
                Ok(()) if self.relayed.is_some() && buffers.relay.is_none() => {}
                Ok(()) => take(buffers),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until there may be room to send to the family of `to`.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub async fn writable(&self, to: SocketAddr) -> io::Result<()> {
        match self.half(to) {
            Some(half) => half.socket.writable().await,
            None => Ok(()),
        }
    }

    /// Sends datagrams of `segment` bytes, only the last may be shorter. What finds no route is as lost as one on its way.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room: nothing was sent.
    pub fn try_send(&self, to: SocketAddr, segment: usize, bytes: &[u8]) -> io::Result<()> {
        match &self.relayed {
            // One datagram a call is what `segments` allows.
            Some(_) if segment < bytes.len() => Ok(()),
            Some(_) => match self.wrapped(Target::Addr(to), bytes) {
                Some((relay, datagram)) => self.send_straight(relay, datagram.len(), &datagram),
                None => Ok(()),
            },
            None => self.send_straight(to, segment, bytes),
        }
    }

    /// The relay, and what it is to be sent for this to arrive; `None` without a relay, or for a family that is switched
    /// off.
    fn wrapped(&self, target: Target<'_>, bytes: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let (relay, _) = self.relayed.as_ref()?;
        let allowed = match target {
            Target::Addr(to) if to.is_ipv4() => self.has_v4(),
            Target::Addr(_) => self.has_v6(),
            Target::Name(..) => true,
        };
        let place = relay.place().filter(|_| allowed)?;
        let mut datagram = Vec::with_capacity(bytes.len() + 22);
        wrap(target, bytes, &mut datagram);
        Some((place, datagram))
    }

    fn send_straight(&self, to: SocketAddr, segment: usize, bytes: &[u8]) -> io::Result<()> {
        let Some(Half { socket, state }) = self.half(to) else { return Ok(()) };
        let segment_size = (segment < bytes.len()).then_some(segment);
        let transmit = quinn_udp::Transmit { destination: to, ecn: None, contents: bytes, segment_size, src_ip: None };
        match socket.try_io(Interest::WRITABLE, || state.try_send(UdpSockRef::from(socket), &transmit)) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                tracing::trace!(%to, %error, "datagrams not sent");
                Ok(())
            }
            sent => sent,
        }
    }

    /// Sends one datagram at once or not at all.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        match &self.relayed {
            Some(_) => self.send_now_wrapped(Target::Addr(to), bytes),
            None => self.send_now(to, bytes),
        }
    }

    /// The same to a host that the proxy is to look up; without a proxy, nothing.
    pub fn send_by_name(&self, host: &str, port: u16, bytes: &[u8]) {
        self.send_now_wrapped(Target::Name(host, port), bytes);
    }

    fn send_now_wrapped(&self, target: Target<'_>, bytes: &[u8]) {
        if let Some((relay, datagram)) = self.wrapped(target, bytes) {
            self.send_now(relay, &datagram);
        }
    }

    fn send_now(&self, to: SocketAddr, bytes: &[u8]) {
        let Some(Half { socket, .. }) = self.half(to) else { return };
        // Not through the runtime: it takes a fresh socket for blocked until it has first waited for it.
        if let Err(error) = socket2::SockRef::from(socket).send_to(bytes, &to.into()) {
            tracing::trace!(%to, %error, "datagram not sent");
        }
    }
}

impl Half {
    fn of(socket: Socket) -> io::Result<Half> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // A system that gives less makes it slower, not wrong.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        Ok(Half { socket: UdpSocket::from_std(socket.into())?, state })
    }

    fn receive(&self, buffers: &mut ReceiveBuffers) -> io::Result<()> {
        let ReceiveBuffers { bytes, metas, count, .. } = buffers;
        *count = 0;
        let mut slices = bytes.chunks_mut(BATCH_LEN).map(IoSliceMut::new);
        let mut slices: [IoSliceMut<'_>; BATCHES] =
            std::array::from_fn(|_| slices.next().expect("as many as there are batches"));
        let Half { socket, state } = self;
        let receive = || state.recv(UdpSockRef::from(socket), &mut slices, metas);
        *count = socket.try_io(Interest::READABLE, receive)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn pair() -> (UdpPair, SocketAddr) {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let pair = UdpPair::bind(&NetPath::open(), &[loopback], 0).unwrap();
        let addr = SocketAddr::new(loopback, pair.port().unwrap());
        (pair, addr)
    }

    /// Receives until so many bytes have come.
    async fn receive(pair: &UdpPair, len: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut buffers = ReceiveBuffers::default();
        let mut all: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        let receive = async {
            while all.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < len {
                pair.readable().await.unwrap();
                let take = |got: &ReceiveBuffers| all.extend(got.datagrams().map(|(from, part)| (from, part.to_vec())));
                pair.receive(&mut buffers, take).unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), receive).await.expect("it was sent");
        all
    }

    #[tokio::test]
    async fn the_very_first_datagram_of_a_fresh_socket_goes_out() {
        let ((a, from), (b, to)) = (pair(), pair());
        a.send(to, b"first");
        assert_eq!(receive(&b, 5).await, [(from, b"first".to_vec())]);
    }

    #[tokio::test]
    async fn a_batch_arrives_as_the_datagrams_that_it_is_made_of() {
        let ((a, from), (b, to)) = (pair(), pair());
        let segments = a.segments().min(10);
        let bytes: Vec<u8> = (0..1200 * segments - 500).map(|n| (n / 7) as u8).collect();
        a.writable(to).await.unwrap();
        a.try_send(to, 1200, &bytes).unwrap();
        let got = receive(&b, bytes.len()).await;
        assert!(got.iter().all(|(sender, _)| *sender == from));
        let parts: Vec<&[u8]> = got.iter().map(|(_, part)| part.as_slice()).collect();
        assert_eq!(parts, bytes.chunks(1200).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_gives_way_to_another() {
        let (path, loopback) = (NetPath::open(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        let first = UdpPair::bind(&path, &loopback, 0).unwrap();
        let second = UdpPair::bind(&path, &loopback, first.port().unwrap()).unwrap();
        assert_ne!(first.port(), second.port());
    }
}
