//! UDP trackers: the sockets under [`UdpClient`].
//!
//! One task for the whole run. It sleeps while nothing is under way.

mod sockets;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use self::sockets::{Buffers, Sockets, StandIns};
use super::net_path::NetPath;
use crate::proto::tracker::TrackerError;
use crate::proto::tracker::udp_client::{Outcome, Query, QueryId, UdpAnswer, UdpClient};

/// Asks UDP trackers; clones share the sockets. The task ends with the last of them.
#[derive(Clone, Debug)]
pub struct UdpTrackers {
    asks: mpsc::UnboundedSender<Asked>,
    stand_ins: StandIns,
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
    pub fn spawn(rng: StdRng, path: NetPath) -> Self {
        let (asks, inbox) = mpsc::unbounded_channel();
        let stand_ins = StandIns::default();
        let sockets = Sockets::new(path, stand_ins.clone());
        tokio::spawn(Driver { client: UdpClient::new(rng), sockets, open: HashMap::new() }.run(inbox));
        UdpTrackers { asks, stand_ins }
    }

    /// What to [`UdpTrackers::ask`] for a tracker whose name only the proxy can look up.
    pub fn behind_proxy(&self, host: &str, port: u16) -> SocketAddr {
        self.stand_ins.of(host, port)
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

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Asked>) {
        let mut buffers = Buffers::default();
        loop {
            self.send_packets().await;
            self.report();
            let due = self.client.poll_timeout();
            tokio::select! {
                asked = inbox.recv() => match asked {
                    None => return,
                    Some(asked) => self.start(asked),
                },
                (packet, from) = self.sockets.receive(&mut buffers) => {
                    let (packet, senders) = self.sockets.senders(packet, from);
                    senders.iter().for_each(|sender| self.client.on_packet(now(), *sender, packet));
                }
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
                let why = error.get_ref().map_or_else(|| error.kind().to_string(), ToString::to_string);
                self.client.on_send_failed(addr, &why);
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
