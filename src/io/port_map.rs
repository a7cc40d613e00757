//! A port that the router forwards to us: by PCP or NAT-PMP where it speaks one of them, else by UPnP.
//!
//! The task asks once, renews the lease at half of its time, asks again where nobody answered, and gives the ports back
//! at [`PortMap::close`]. A router that knows none of these protocols, or refuses, is a fact that the status shows.

#[cfg_attr(not(feature = "nat"), path = "port_map/router_none.rs")]
mod router;

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use self::router::ask;

/// How long a router is asked to keep it, in seconds: what a crash leaves behind is gone after that.
const LEASE: u32 = 3600;

/// Nobody answered: asked again after this.
const AGAIN: Duration = Duration::from_secs(10 * 60);

/// How it stands with the mapping.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum MapStatus {
    #[default]
    Asking,
    Mapped(Mapped),
    /// In a person's words.
    Failed(String),
}

/// A port that is forwarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// "PCP", "NAT-PMP" or "UPnP".
    pub by: &'static str,
    /// The router's own address in the world, where it says so.
    pub external: Option<IpAddr>,
    /// The ports that the world calls.
    pub tcp: u16,
    pub udp: u16,
}

/// The mapping of a run.
#[derive(Debug)]
pub struct PortMap {
    status: watch::Receiver<MapStatus>,
    close: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl PortMap {
    /// Asks for the TCP and the UDP port. To be called within a tokio runtime.
    pub fn start(tcp: u16, udp: u16) -> PortMap {
        let (sender, status) = watch::channel(MapStatus::Asking);
        let (close, closed) = mpsc::unbounded_channel();
        tokio::spawn(run(tcp, udp, sender, closed));
        PortMap { status, close }
    }

    /// The status as it changes.
    pub fn watch(&self) -> watch::Receiver<MapStatus> {
        self.status.clone()
    }

    /// Gives the ports back; waits `grace` at most.
    pub async fn close(&self, grace: Duration) {
        let (done, finished) = oneshot::channel();
        if self.close.send(done).is_ok() {
            // A router that is gone has forgotten us anyway.
            let _ = timeout(grace, finished).await;
        }
    }
}

async fn run(
    tcp: u16,
    udp: u16,
    status: watch::Sender<MapStatus>,
    mut close: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    loop {
        let held = match ask(tcp, udp).await {
            Ok(held) => {
                status.send_replace(MapStatus::Mapped(held.told()));
                Some(held)
            }
            Err(why) => {
                tracing::debug!(why, "no port mapped");
                status.send_replace(MapStatus::Failed(why));
                None
            }
        };
        let pause = if held.is_some() { Duration::from_secs(u64::from(LEASE) / 2) } else { AGAIN };
        tokio::select! {
            closed = close.recv() => {
                if let Some(held) = held {
                    held.give_back().await;
                }
                if let Some(done) = closed {
                    let _ = done.send(());
                }
                return;
            }
            // Asking again for a port that is ours renews it.
            () = tokio::time::sleep(pause) => {}
        }
    }
}
