//! UDP trackers: the sockets under [`UdpClient`].
//!
//! One task for the whole run with a socket per address family, bound when the first tracker of that family is asked.
//! It sleeps while nothing is under way.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::proto::tracker::TrackerError;
use crate::proto::tracker::udp::Family;
use crate::proto::tracker::udp_client::{Outcome, Query, QueryId, UdpAnswer, UdpClient};

/// Asks UDP trackers; clones share the sockets. The task ends with the last of them.
#[derive(Clone, Debug)]
pub struct UdpTrackers {
    asks: mpsc::UnboundedSender<Asked>,
}

#[derive(Debug)]
struct Asked {
    addr: SocketAddr,
    query: Query,
    within: Duration,
    answer: oneshot::Sender<Outcome>,
}

impl UdpTrackers {
    /// Starts the task. `rng` makes the transaction ids: seed it from the system.
    pub fn spawn(rng: StdRng) -> Self {
        let (asks, inbox) = mpsc::unbounded_channel();
        let driver =
            Driver { client: UdpClient::new(rng), sockets: Sockets { v4: None, v6: None }, open: HashMap::new() };
        tokio::spawn(driver.run(inbox));
        UdpTrackers { asks }
    }

    /// Asks the tracker at `addr`, sending again what is lost, for no longer than `within`.
    ///
    /// # Errors
    /// What the tracker said, or that it did not answer.
    pub async fn ask(&self, addr: SocketAddr, query: Query, within: Duration) -> Result<UdpAnswer, TrackerError> {
        let (answer, outcome) = oneshot::channel();
        drop(self.asks.send(Asked { addr, query, within, answer }));
        outcome.await.unwrap_or(Err(TrackerError::Unreachable("shutting down".into())))
    }
}

struct Driver {
    client: UdpClient,
    sockets: Sockets,
    open: HashMap<QueryId, oneshot::Sender<Outcome>>,
}

struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

/// More than any tracker sends.
const MAX_PACKET: usize = 8 * 1024;

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Asked>) {
        let (mut v4, mut v6) = ([0; MAX_PACKET], [0; MAX_PACKET]);
        loop {
            self.send_packets().await;
            self.report();
            let due = self.client.poll_timeout();
            tokio::select! {
                asked = inbox.recv() => match asked {
                    None => return,
                    Some(asked) => self.start(asked),
                },
                Some((len, from)) = receive(self.sockets.v4.as_ref(), &mut v4) => self.client.on_packet(now(), from, &v4[..len]),
                Some((len, from)) = receive(self.sockets.v6.as_ref(), &mut v6) => self.client.on_packet(now(), from, &v6[..len]),
                () = sleep_until(due.unwrap_or_else(now).into()), if due.is_some() => self.on_timeout(),
            }
        }
    }

    fn start(&mut self, asked: Asked) {
        let id = self.client.start(now(), asked.addr, asked.query, now() + asked.within);
        self.open.insert(id, asked.answer);
    }

    fn on_timeout(&mut self) {
        // Whose asker is gone is not asked again.
        let client = &mut self.client;
        self.open.retain(|id, answer| {
            let gone = answer.is_closed();
            if gone {
                client.cancel(*id);
            }
            !gone
        });
        self.client.on_timeout(now());
    }

    async fn send_packets(&mut self) {
        while let Some((addr, packet)) = self.client.poll_packet() {
            if let Err(error) = self.sockets.send(addr, &packet).await {
                self.client.on_send_failed(addr, &error.kind().to_string());
            }
        }
    }

    fn report(&mut self) {
        while let Some((id, outcome)) = self.client.poll_outcome() {
            if let Some(answer) = self.open.remove(&id) {
                drop(answer.send(outcome)); // nobody may be there any more
            }
        }
    }
}

impl Sockets {
    async fn send(&mut self, to: SocketAddr, packet: &[u8]) -> io::Result<()> {
        let (socket, any) = match Family::of(&to) {
            Family::V4 => (&mut self.v4, (Ipv4Addr::UNSPECIFIED, 0).into()),
            Family::V6 => (&mut self.v6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
        };
        if socket.is_none() {
            *socket = Some(UdpSocket::bind(any).await?);
        }
        let socket = socket.as_ref().expect("it has just been bound");
        socket.send_to(packet, to).await.map(drop)
    }
}

/// The next packet; never, without a socket. `None` for an error that is not about an earlier packet that nobody took.
async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        match socket.recv_from(buffer).await {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(_) => return None,
        }
    }
}
