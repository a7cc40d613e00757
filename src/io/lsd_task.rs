//! Local service discovery on the sockets of this machine (BEP 14): one task a process, both groups, every interface.
//!
//! A machine without a network, or whose port 6771 belongs to somebody who doesn't share it, has no neighbours: no error.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::interfaces::{Interface, interfaces};
use crate::base::id::{InfoHashV1, TorrentId};
use crate::proto::lsd::{GROUP_V4, GROUP_V6, Lsd, PORT};
use crate::proto::tracker::udp::Family;

/// Routers between us and those who are to hear us, at most.
const HOPS: u32 = 4;

/// The way to the neighbours. Cheap to clone; the task ends with the runtime.
#[derive(Clone, Debug)]
pub struct LsdHandle {
    commands: mpsc::UnboundedSender<Command>,
}

/// A torrent that is announced to the neighbours; dropping it ends that.
#[derive(Debug)]
pub struct Neighbours {
    hashes: Vec<InfoHashV1>,
    commands: mpsc::UnboundedSender<Command>,
    peers: mpsc::Receiver<SocketAddr>,
}

#[derive(Debug)]
enum Command {
    Add { hashes: Vec<InfoHashV1>, peers: mpsc::Sender<SocketAddr> },
    Remove(Vec<InfoHashV1>),
}

impl LsdHandle {
    /// Starts the task, which tells neighbours that peers can call us at `port`, over one family alone if `only` names it.
    /// To be called within a tokio runtime, and never behind a fence: it speaks on every interface.
    pub fn start(port: u16, only: Option<Family>) -> LsdHandle {
        let (commands, inbox) = mpsc::unbounded_channel();
        tokio::spawn(run(port, only, inbox));
        LsdHandle { commands }
    }

    /// Announces the torrent and hears of others who do. Not for private torrents (BEP 27).
    pub fn join(&self, id: TorrentId) -> Neighbours {
        let hashes: Vec<InfoHashV1> = id.hashes().collect();
        let (sender, peers) = mpsc::channel(64);
        // A task that is gone has nobody to tell of.
        let _ = self.commands.send(Command::Add { hashes: hashes.clone(), peers: sender });
        Neighbours { hashes, commands: self.commands.clone(), peers }
    }
}

impl Neighbours {
    /// The next neighbour that was heard; `None` once there can be none any more.
    pub async fn next(&mut self) -> Option<SocketAddr> {
        self.peers.recv().await
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Remove(std::mem::take(&mut self.hashes)));
    }
}

async fn run(port: u16, only: Option<Family>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let sockets = Sockets::open(only);
    let mut lsd = Lsd::new(Instant::now(), port, &mut StdRng::from_rng(&mut rand::rng()));
    let mut torrents: HashMap<InfoHashV1, mpsc::Sender<SocketAddr>> = HashMap::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(announce) = lsd.poll_announce(Instant::now()) {
            sockets.send(|group| announce.encode(group));
        }
        let wake = lsd.poll_timeout();
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Add { hashes, peers }) => for hash in hashes {
                    lsd.add(Instant::now(), hash);
                    torrents.insert(hash, peers.clone());
                },
                Some(Command::Remove(hashes)) => for hash in hashes {
                    lsd.remove(&hash);
                    torrents.remove(&hash);
                },
                None => return,
            },
            (len, from) = sockets.recv(&mut buffer) => {
                if let Some((peer, hashes)) = lsd.handle_packet(Instant::now(), from, &buffer[..len]) {
                    for peers in hashes.iter().filter_map(|hash| torrents.get(hash)) {
                        // Who is that far behind has neighbours enough; they come again.
                        let _ = peers.try_send(peer);
                    }
                }
            },
            () = sleep_until(wake) => {}
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A listening socket a family, and a sending one an interface and family: who hears us goes by the address we send from.
#[derive(Debug)]
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    out: Vec<(IpAddr, Socket)>,
}

impl Sockets {
    fn open(only: Option<Family>) -> Sockets {
        let (want_v4, want_v6) = (only != Some(Family::V6), only != Some(Family::V4));
        let all: Vec<Interface> = interfaces().into_iter().filter(|it| it.multicast).collect();
        let told = |result: io::Result<UdpSocket>| {
            result.inspect_err(|error| tracing::debug!(%error, "local service discovery hears nobody")).ok()
        };
        let v4 = want_v4.then(|| told(listen_v4(&all))).flatten();
        let v6 = want_v6.then(|| told(listen_v6(&all))).flatten();
        let mut sockets = Sockets { v4, v6, out: Vec::new() };
        for it in &all {
            let v4 = it.v4.filter(|_| want_v4).and_then(|own| sender_v4(own).ok());
            sockets.out.extend(v4.map(|socket| (GROUP_V4.into(), socket)));
            let v6 = (want_v6 && it.v6).then(|| sender_v6(it.index).ok()).flatten();
            sockets.out.extend(v6.map(|socket| (GROUP_V6.into(), socket)));
        }
        sockets
    }

    /// Sends on every interface; what can't leave is as lost as any datagram.
    fn send(&self, datagram: impl Fn(IpAddr) -> Vec<u8>) {
        for (group, socket) in &self.out {
            let to = SocketAddr::new(*group, PORT);
            if let Err(error) = socket.send_to(&datagram(*group), &to.into()) {
                tracing::trace!(%to, %error, "local announce not sent");
            }
        }
    }

    async fn recv(&self, buffer: &mut [u8; 4096]) -> (usize, SocketAddr) {
        loop {
            let on_v6 = tokio::select! {
                () = readable(&self.v4) => false,
                () = readable(&self.v6) => true,
            };
            let socket = if on_v6 { &self.v6 } else { &self.v4 };
            if let Some(Ok(received)) = socket.as_ref().map(|socket| socket.try_recv_from(buffer)) {
                return received;
            }
        }
    }
}

async fn readable(socket: &Option<UdpSocket>) {
    match socket {
        Some(socket) if socket.readable().await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

fn listen_v4(interfaces: &[Interface]) -> io::Result<UdpSocket> {
    // Bound to the group where the system allows it, the socket hears nothing but multicast.
    let socket = shared(Domain::IPV4)?;
    let at = if cfg!(windows) { Ipv4Addr::UNSPECIFIED } else { GROUP_V4 };
    socket.bind(&SocketAddr::new(at.into(), PORT).into())?;
    for own in interfaces.iter().filter_map(|it| it.v4) {
        // An interface that takes no part is one less.
        let _ = socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Address(own));
    }
    UdpSocket::from_std(socket.into())
}

fn listen_v6(interfaces: &[Interface]) -> io::Result<UdpSocket> {
    let socket = shared(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    let at = if cfg!(windows) { Ipv6Addr::UNSPECIFIED } else { GROUP_V6 };
    socket.bind(&SocketAddr::new(at.into(), PORT).into())?;
    for it in interfaces.iter().filter(|it| it.v6) {
        let _ = socket.join_multicast_v6(&GROUP_V6, it.index);
    }
    UdpSocket::from_std(socket.into())
}

fn shared(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn sender_v4(own: Ipv4Addr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(own.into(), 0).into())?;
    socket.set_multicast_if_v4(&own)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_multicast_loop_v4(true)?;
    Ok(socket)
}

fn sender_v6(index: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_only_v6(true)?;
    socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0).into())?;
    socket.set_multicast_if_v6(index)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_multicast_loop_v6(true)?;
    Ok(socket)
}
