//! The sockets that UDP trackers are asked over: one a family, bound when it is first needed, or one that speaks with the
//! proxy's relay.
//!
//! Behind a proxy the names of trackers mean something to it alone. Such a tracker has a stand-in for an address, one out
//! of `0.0.0.0/8` that nobody can have: the relay is told the name in its place.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;

use crate::io::net_path::NetPath;
use crate::io::udp_relay::{Target, UdpRelay, unwrap, wrap};

/// More than any tracker sends.
pub(super) const MAX_PACKET: usize = 8 * 1024;

/// Trackers that only the proxy can find, and their stand-ins.
#[derive(Clone, Debug, Default)]
pub(super) struct StandIns(Arc<Mutex<Vec<(String, u16)>>>);

impl StandIns {
    /// That of `host`, the same every time.
    pub fn of(&self, host: &str, port: u16) -> SocketAddr {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.iter().position(|(name, at)| name == host && *at == port);
        let nth = known.unwrap_or_else(|| {
            names.push((host.into(), port));
            names.len() - 1
        });
        SocketAddr::new(Ipv4Addr::from(nth as u32 + 1).into(), port)
    }

    fn name(&self, addr: SocketAddr) -> Option<(String, u16)> {
        let IpAddr::V4(ip) = addr.ip() else { return None };
        let nth = usize::try_from(u32::from(ip)).ok()?.checked_sub(1).filter(|_| ip.octets()[0] == 0)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(nth).cloned()
    }

    /// All that a packet from that port may come from.
    fn at_port(&self, port: u16) -> Vec<SocketAddr> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let with = names.iter().enumerate().filter(|(_, (_, at))| *at == port);
        with.map(|(nth, _)| SocketAddr::new(Ipv4Addr::from(nth as u32 + 1).into(), port)).collect()
    }
}

pub(super) struct Sockets {
    path: NetPath,
    stand_ins: StandIns,
    relay: Option<UdpRelay>,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    pub fn new(path: NetPath, stand_ins: StandIns) -> Sockets {
        Sockets { path, stand_ins, relay: None, v4: None, v6: None }
    }

    /// # Errors
    /// Why it can't leave.
    pub async fn send(&mut self, to: SocketAddr, packet: &[u8]) -> io::Result<()> {
        if self.path.is_proxied() {
            return self.send_through_proxy(to, packet).await;
        }
        let socket = if to.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if socket.is_none() {
            let own = self.path.udp_ips().into_iter().find(|ip| ip.is_ipv4() == to.is_ipv4());
            *socket = Some(self.path.udp(SocketAddr::new(own.ok_or(io::ErrorKind::Unsupported)?, 0))?);
        }
        let socket = socket.as_ref().expect("it has just been bound");
        socket.send_to(packet, to).await.map(drop)
    }

    async fn send_through_proxy(&mut self, to: SocketAddr, packet: &[u8]) -> io::Result<()> {
        let relay = match &self.relay {
            Some(relay) => relay,
            None => self.relay.insert(UdpRelay::open(&self.path).await?),
        };
        let place = relay.place().ok_or(io::ErrorKind::NotConnected)?;
        let socket = if place.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if socket.is_none() {
            *socket = Some(UdpSocket::from_std(self.path.relay_socket(place.is_ipv4())?.into())?);
        }
        let mut datagram = Vec::new();
        match self.stand_ins.name(to) {
            Some((host, port)) => wrap(Target::Name(&host, port), packet, &mut datagram),
            None => wrap(Target::Addr(to), packet, &mut datagram),
        }
        socket.as_ref().expect("it has just been bound").send_to(&datagram, place).await.map(drop)
    }

    /// Waits for the next packet on either socket. Cancel-safe.
    pub async fn receive<'a>(&self, buffers: &'a mut Buffers) -> (&'a [u8], SocketAddr) {
        let Buffers { v4, v6 } = buffers;
        tokio::select! {
            (len, from) = receive(self.v4.as_ref(), v4) => (&v4[..len], from),
            (len, from) = receive(self.v6.as_ref(), v6) => (&v6[..len], from),
        }
    }

    /// What a packet holds, and whose it may be; trackers themselves know by their transaction ids.
    pub fn senders<'a>(&self, packet: &'a [u8], from: SocketAddr) -> (&'a [u8], Vec<SocketAddr>) {
        let Some(relay) = &self.relay else { return (packet, vec![from]) };
        match unwrap(packet).filter(|_| relay.place() == Some(from)) {
            // Stand-ins are of IPv4, and so is what a tracker would name then.
            Some((sender, packet)) if sender.is_ipv4() => {
                let mut senders = self.stand_ins.at_port(sender.port());
                senders.push(sender);
                (packet, senders)
            }
            Some((sender, packet)) => (packet, vec![sender]),
            None => (packet, Vec::new()),
        }
    }
}

/// Memory to receive into.
pub(super) struct Buffers {
    v4: [u8; MAX_PACKET],
    v6: [u8; MAX_PACKET],
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers { v4: [0; MAX_PACKET], v6: [0; MAX_PACKET] }
    }
}

/// The next packet; never, without a socket or with a broken one.
async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> (usize, SocketAddr) {
    while let Some(socket) = socket {
        match socket.recv_from(buffer).await {
            Ok(received) => return received,
            // An earlier packet that nobody took.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(_) => break,
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_lead_back_to_their_names() {
        let stand_ins = StandIns::default();
        let (a, b) = (stand_ins.of("a.example", 80), stand_ins.of("b.example", 80));
        assert_eq!((a, stand_ins.of("a.example", 80)), ("0.0.0.1:80".parse().unwrap(), a));
        assert_eq!(stand_ins.name(b), Some(("b.example".into(), 80)));
        assert_eq!(stand_ins.at_port(80), [a, b]);
        assert_eq!(
            (stand_ins.name("1.0.0.1:80".parse().unwrap()), stand_ins.name("0.0.0.9:80".parse().unwrap())),
            (None, None)
        );
    }
}
