//! The names of nodes to begin with: resolved side by side without anybody waiting for them, and tried again if they
//! could not be.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::whereabouts::Whereabouts;
use crate::io::resolve::Resolver;
use crate::io::udp_task::UdpPort;

/// What a name turned out to be; no addresses if it could not be resolved.
type Resolved = (String, Vec<SocketAddr>);

pub(super) struct Names {
    resolver: Resolver,
    /// Asked instead, where only a proxy can look names up.
    behind_proxy: Option<(UdpPort, Whereabouts)>,
    answers: mpsc::UnboundedReceiver<Resolved>,
    sender: mpsc::UnboundedSender<Resolved>,
    count: u32,
    /// To be tried again.
    unresolved: Vec<String>,
    retry_at: Option<Instant>,
    retry_pause: Duration,
}

impl Names {
    const RETRY: Duration = Duration::from_secs(20);
    const RETRY_MOST: Duration = Duration::from_secs(10 * 60);

    pub fn new(resolver: Resolver, udp: &UdpPort, whereabouts: &Whereabouts) -> Names {
        let (sender, answers) = mpsc::unbounded_channel();
        Names {
            resolver,
            behind_proxy: udp.is_relayed().then(|| (udp.clone(), whereabouts.clone())),
            answers,
            sender,
            count: 0,
            unresolved: Vec::new(),
            retry_at: None,
            retry_pause: Self::RETRY,
        }
    }

    /// HOST:PORT; its address at once if it needs no resolving.
    pub fn add(&mut self, name: String) -> Option<SocketAddr> {
        self.count += 1;
        if let Ok(addr) = name.parse() {
            return Some(addr);
        }
        let (resolver, answer, behind_proxy) = (self.resolver.clone(), self.sender.clone(), self.behind_proxy.clone());
        tokio::spawn(async move {
            let addrs = match behind_proxy {
                None => look_up(&resolver, &name).await,
                Some((udp, whereabouts)) => ask(&udp, &whereabouts, &name).await,
            };
            let addrs = addrs.unwrap_or_default();
            let _ = answer.send((name, addrs)); // the DHT may be over
        });
        None
    }

    /// Waits for what one of the names turns out to be, for [`Names::note`].
    pub async fn resolved(&mut self) -> Resolved {
        self.answers.recv().await.expect("a sender is held here")
    }

    pub fn note(&mut self, now: Instant, name: &str, addrs: &[SocketAddr]) {
        if addrs.is_empty() {
            tracing::debug!(name, "DHT router not resolved");
            self.unresolved.push(name.to_owned());
            self.retry_at.get_or_insert(now + self.retry_pause);
        }
    }

    /// True once each time that it is time to try again; each pause is twice the one before.
    pub fn retry_is_due(&mut self, now: Instant) -> bool {
        if self.retry_at.is_none_or(|at| at > now) {
            return false;
        }
        self.retry_at = None;
        self.retry_pause = (self.retry_pause * 2).min(Self::RETRY_MOST);
        true
    }

    /// Tries again all that could not be resolved.
    pub fn retry(&mut self) {
        let names = std::mem::take(&mut self.unresolved);
        self.count -= names.len() as u32;
        for name in names {
            self.add(name);
        }
    }

    pub fn next_time(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Names and addresses given.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Of those, how many have not failed.
    pub fn resolved_count(&self) -> u32 {
        self.count.saturating_sub(self.unresolved.len() as u32)
    }
}

async fn ask(udp: &UdpPort, whereabouts: &Whereabouts, name: &str) -> Option<Vec<SocketAddr>> {
    let (host, port) = host_port(name)?;
    Some(vec![whereabouts.ask(udp, host, port).await?])
}

fn host_port(name: &str) -> Option<(&str, u16)> {
    let (host, port) = name.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// The addresses of HOST:PORT.
async fn look_up(resolver: &Resolver, name: &str) -> Option<Vec<SocketAddr>> {
    let (host, port) = host_port(name)?;
    let ips = resolver.lookup(host).await.ok()?;
    Some(ips.iter().map(|&ip| SocketAddr::new(ip, port)).collect())
}
