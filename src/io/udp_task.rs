//! The task that owns the process's UDP port: datagrams of the DHT go to the DHT, packets of uTP to its machine, and
//! what the machine wants sent goes out in batches.
//!
//! It ends when every handle is gone.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::net_path::NetPath;
use super::udp_socket::{ReceiveBuffers, UdpPair};
use super::utp::{Endpoint, UtpHandle};
use crate::base::blocklist::Blocklist;
use crate::proto::utp::packet::looks_like_utp;
use crate::proto::utp::socket::Transmit;

/// A datagram and its sender.
pub type Datagram = (SocketAddr, Vec<u8>);

/// Datagrams that wait for the DHT; more are dropped, as the network would.
const DHT_QUEUE: usize = 512;
/// Batches that are sent before the next look at what has come.
const SEND_TURN: usize = 16;
/// After an error of the socket.
const PAUSE: Duration = Duration::from_millis(20);

/// The way to the port; cloned freely.
#[derive(Clone, Debug)]
pub struct UdpPort {
    shared: Arc<Shared>,
    utp: Arc<Endpoint>,
    alive: mpsc::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    sockets: UdpPair,
    dht: Mutex<Option<mpsc::Sender<Datagram>>>,
    blocklist: OnceLock<Arc<Blocklist>>,
}

impl UdpPort {
    /// Binds both families at `ips` on `path` to `port`, or any other where that is taken, and starts the task. To be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// Only if not one socket could be bound.
    pub fn open(path: &NetPath, ips: &[IpAddr], port: u16) -> io::Result<UdpPort> {
        Ok(UdpPort::on(UdpPair::bind(path, ips, port)?))
    }

    /// The same wherever `path` permits, through its proxy if there is one.
    ///
    /// # Errors
    /// If not one socket could be bound, or the proxy carries no datagrams.
    pub async fn open_on(path: &NetPath, port: u16) -> io::Result<UdpPort> {
        if path.is_proxied() {
            return Ok(UdpPort::on(UdpPair::through_proxy(path).await?));
        }
        UdpPort::open(path, &path.udp_ips(), port)
    }

    /// Starts the task on sockets that are bound already.
    pub(super) fn on(sockets: UdpPair) -> UdpPort {
        let shared = Arc::new(Shared { sockets, dht: Mutex::default(), blocklist: OnceLock::new() });
        let utp = Arc::new(Endpoint::new(Instant::now()));
        let (alive, ended) = mpsc::channel(1);
        let task = UdpTask { shared: shared.clone(), utp: utp.clone(), stuck: None, batch: Vec::new() };
        tokio::spawn(task.run(ended));
        UdpPort { shared, utp, alive }
    }

    pub fn port(&self) -> u16 {
        self.shared.sockets.port().unwrap_or(0)
    }

    pub fn has_v4(&self) -> bool {
        self.shared.sockets.has_v4()
    }

    pub fn has_v6(&self) -> bool {
        self.shared.sockets.has_v6()
    }

    /// Nothing goes to these addresses from now on, and nothing of theirs is heeded. Only the first list counts.
    pub fn set_blocklist(&self, blocklist: Arc<Blocklist>) {
        let _ = self.shared.blocklist.set(blocklist);
    }

    /// Sends one datagram at once or not at all.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        if self.shared.admits(to) {
            self.shared.sockets.send(to, bytes);
        }
    }

    /// Sends one datagram to a host that the proxy is to look up; without a proxy, nothing.
    pub fn send_by_name(&self, host: &str, port: u16, bytes: &[u8]) {
        self.shared.sockets.send_by_name(host, port, bytes);
    }

    /// True if datagrams go through a proxy.
    pub fn is_relayed(&self) -> bool {
        self.shared.sockets.is_relayed()
    }

    /// Hands the DHT's datagrams to the caller from now on.
    pub fn dht_datagrams(&self) -> mpsc::Receiver<Datagram> {
        let (sender, receiver) = mpsc::channel(DHT_QUEUE);
        *self.shared.dht.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// The uTP connections of this port.
    pub fn utp(&self) -> UtpHandle {
        let families = (self.has_v4(), self.has_v6());
        UtpHandle::new(self.utp.clone(), families, self.alive.clone())
    }
}

impl Shared {
    fn admits(&self, addr: SocketAddr) -> bool {
        self.blocklist.get().is_none_or(|blocklist| !blocklist.blocks(addr.ip()))
    }
}

struct UdpTask {
    shared: Arc<Shared>,
    utp: Arc<Endpoint>,
    /// A batch that found no room in the kernel.
    stuck: Option<Transmit>,
    batch: Vec<u8>,
}

impl UdpTask {
    async fn run(mut self, mut ended: mpsc::Receiver<()>) {
        let shared = self.shared.clone();
        let mut buffers = ReceiveBuffers::default();
        loop {
            let more = self.transmit();
            let wake = if more { Some(Instant::now()) } else { self.utp.poll_timeout() };
            let stuck = self.stuck;
            tokio::select! {
                ready = shared.sockets.readable() => {
                    let received = ready.and_then(|()| {
                        shared.sockets.receive(&mut buffers, |buffers| self.on_datagrams(buffers))
                    });
                    if let Err(error) = received {
                        tracing::debug!(%error, "UDP socket");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                () = self.utp.kicked() => {}
                _ = writable(&shared.sockets, stuck), if stuck.is_some() => {}
                () = sleep_until(wake) => self.utp.handle_timeout(Instant::now()),
                _ = ended.recv() => return,
            }
        }
    }

    fn on_datagrams(&self, buffers: &ReceiveBuffers) {
        let admitted = || buffers.datagrams().filter(|(from, _)| self.shared.admits(*from));
        self.utp.handle(Instant::now(), admitted().filter(|(_, datagram)| looks_like_utp(datagram)));
        let mut others = admitted().filter(|(_, datagram)| !looks_like_utp(datagram)).peekable();
        if others.peek().is_none() {
            return;
        }
        if let Some(dht) = &*self.shared.dht.lock().unwrap_or_else(PoisonError::into_inner) {
            for (from, datagram) in others {
                let _ = dht.try_send((from, datagram.to_vec())); // a full queue drops, as the network would
            }
        }
    }

    /// Sends what is to be sent; true if there is more.
    fn transmit(&mut self) -> bool {
        let segments = self.shared.sockets.segments();
        for _ in 0..SEND_TURN {
            let next = match self.stuck.take() {
                Some(stuck) => Some(stuck),
                None => self.utp.poll_transmit(Instant::now(), segments, &mut self.batch),
            };
            let Some(transmit) = next else { return false };
            if self.shared.sockets.try_send(transmit.to, transmit.segment, &self.batch).is_err() {
                self.stuck = Some(transmit);
                return false;
            }
        }
        true
    }
}

async fn writable(sockets: &UdpPair, stuck: Option<Transmit>) -> io::Result<()> {
    match stuck {
        Some(transmit) => sockets.writable(transmit.to).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(all(test, target_os = "linux"))] // elsewhere 127.0.0.1 alone is an address of the loopback interface
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[tokio::test]
    async fn whom_the_user_forbids_is_neither_heard_nor_told_anything() {
        let port = UdpPort::open(&NetPath::open(), &[[127, 0, 0, 1].into()], 0).unwrap();
        port.set_blocklist(Arc::new(Blocklist::parse(b"127.0.0.2").list));
        let mut heard = port.dht_datagrams();
        let ours = SocketAddr::from(([127, 0, 0, 1], port.port()));
        let forbidden = UdpSocket::bind("127.0.0.2:0").unwrap();
        let other = UdpSocket::bind("127.0.0.3:0").unwrap();
        // A datagram of the DHT and a SYN; the loopback keeps the order.
        forbidden.send_to(b"d1:ae", ours).unwrap();
        forbidden.send_to(&[&[0x41, 0, 0, 7][..], &[0; 16]].concat(), ours).unwrap();
        other.send_to(b"d1:be", ours).unwrap();
        assert_eq!(heard.recv().await.unwrap(), (other.local_addr().unwrap(), b"d1:be".to_vec()));
        port.send(forbidden.local_addr().unwrap(), b"x");
        port.send(other.local_addr().unwrap(), b"x");
        other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(other.recv(&mut [0; 9]).unwrap(), 1);
        forbidden.set_nonblocking(true).unwrap();
        assert_eq!(forbidden.recv(&mut [0; 99]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
