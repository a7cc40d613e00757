//! The DHT of the process, as the rest of the program sees it: a [`DhtHandle`] to the one task that owns both nodes and
//! hears them on the process's UDP port. No network, no name and no node are facts that the status shows, never errors.

mod names;
mod table_file;
mod task;
mod whereabouts;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use self::task::DhtTask;
use super::resolve::Resolver;
use super::udp_task::UdpPort;
use crate::base::id::{InfoHashV1, TorrentId};
use crate::proto::dht::lookup::Announce;
use crate::proto::dht::node::NodeStatus;

/// Nodes that are known to everybody, for those who know nobody.
pub const WELL_KNOWN: [&str; 5] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "router.utorrent.com:6881",
    "dht.aelitis.com:6881",
];

/// The tables of the last run, in the state folder.
pub const TABLE_FILE: &str = "dht.nodes";

/// What the DHT of a run is started with.
#[derive(Clone, Debug)]
pub struct DhtConfig {
    /// The UDP port to try first; 0 for any.
    pub port: u16,
    /// Addresses to bind, one a family; none: wherever the path permits.
    pub ips: Vec<IpAddr>,
    /// Whether [`WELL_KNOWN`] is asked.
    pub well_known: bool,
    /// HOST:PORT of nodes to ask besides.
    pub bootstrap: Vec<String>,
    /// Begin as one who can't be reached (BEP 43): right for a run that is over in minutes.
    pub read_only: bool,
    /// Where the tables are kept between runs.
    pub table_file: Option<PathBuf>,
    /// Whether they are written there, too.
    pub keeps_table: bool,
}

impl Default for DhtConfig {
    fn default() -> Self {
        DhtConfig {
            port: 0,
            ips: Vec::new(),
            well_known: true,
            bootstrap: Vec::new(),
            read_only: true,
            table_file: None,
            keeps_table: true,
        }
    }
}

/// A moment of the DHT, for displays and for `doctor`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DhtStatus {
    /// `None` where there is no socket of that family.
    pub v4: Option<NodeStatus>,
    pub v6: Option<NodeStatus>,
    /// Names of routers, and how many of them have been resolved.
    pub names: u32,
    pub resolved: u32,
    pub read_only: bool,
    /// Others can reach us: somebody has called, or a gateway has opened a port.
    pub reachable: bool,
}

impl DhtStatus {
    /// Nodes in both tables.
    pub fn nodes(&self) -> u32 {
        self.each().map(|node| node.nodes).sum()
    }

    /// Queries sent in both.
    pub fn queries(&self) -> u64 {
        self.each().map(|node| node.queries).sum()
    }

    /// Answers received in both: with any, UDP works.
    pub fn answers(&self) -> u64 {
        self.each().map(|node| node.answers).sum()
    }

    fn each(&self) -> impl Iterator<Item = NodeStatus> {
        [self.v4, self.v6].into_iter().flatten()
    }
}

/// The way to the DHT; cloned freely. The task ends when every handle and every [`DhtSearch`] is gone, or at
/// [`DhtHandle::shutdown`].
#[derive(Clone, Debug)]
pub struct DhtHandle {
    commands: mpsc::UnboundedSender<Command>,
    status: watch::Receiver<DhtStatus>,
    port: u16,
    next_search: Arc<AtomicU64>,
}

/// The search for one torrent's peers; dropping it ends the search.
#[derive(Debug)]
pub struct DhtSearch {
    key: u64,
    peers: mpsc::Receiver<Vec<SocketAddr>>,
    commands: mpsc::UnboundedSender<Command>,
}

#[derive(Debug)]
enum Command {
    Search { key: u64, hashes: Vec<InfoHashV1>, announce: Option<Announce>, peers: mpsc::Sender<Vec<SocketAddr>> },
    SetAnnounce { key: u64, announce: Option<Announce> },
    SetStarving { key: u64, starving: bool },
    EndSearch { key: u64 },
    AddNode(SocketAddr),
    AddHosts(Vec<String>),
    Caller(IpAddr),
    Mapped,
    Shutdown(oneshot::Sender<()>),
}

impl DhtHandle {
    /// Starts the task on a port of its own. To be called within a tokio runtime.
    ///
    /// # Errors
    /// Only if not one UDP socket could be bound.
    pub fn start(config: DhtConfig, resolver: Resolver) -> std::io::Result<DhtHandle> {
        let path = resolver.path();
        let ips = if config.ips.is_empty() { path.udp_ips() } else { config.ips.clone() };
        let port = UdpPort::open(path, &ips, config.port)?;
        Ok(DhtHandle::start_on(port, config, resolver))
    }

    /// Starts the task on a port that is open already.
    pub fn start_on(udp: UdpPort, config: DhtConfig, resolver: Resolver) -> DhtHandle {
        let port = udp.port();
        let (commands, receiver) = mpsc::unbounded_channel();
        let (status_sender, status) = watch::channel(DhtStatus::default());
        tokio::spawn(DhtTask::new(config, resolver, udp, receiver, status_sender).run());
        DhtHandle { commands, status, port, next_search: Arc::default() }
    }

    /// Looks for the torrent's peers until the search is dropped, and announces us where `announce` is given. A private
    /// torrent is never looked for (BEP 27): its search stays silent.
    pub fn lookup(&self, id: TorrentId, announce: Option<Announce>, private: bool) -> DhtSearch {
        let key = self.next_search.fetch_add(1, Ordering::Relaxed);
        let (sender, peers) = mpsc::channel(64);
        if !private {
            self.tell(Command::Search { key, hashes: id.hashes().collect(), announce, peers: sender });
        }
        DhtSearch { key, peers, commands: self.commands.clone() }
    }

    /// A node that a peer's PORT message told of.
    pub fn add_node(&self, addr: SocketAddr) {
        self.tell(Command::AddNode(addr));
    }

    /// HOST:PORT of nodes that a torrent's `nodes` key names.
    pub fn add_hosts(&self, hosts: Vec<String>) {
        self.tell(Command::AddHosts(hosts));
    }

    /// Somebody at `from` has called us: after ten minutes we answer others too (BEP 43).
    pub fn called_from(&self, from: IpAddr) {
        self.tell(Command::Caller(from));
    }

    /// A gateway has opened our port: as good as a call.
    pub fn mapped(&self) {
        self.tell(Command::Mapped);
    }

    pub fn status(&self) -> DhtStatus {
        *self.status.borrow()
    }

    /// The status as it changes.
    pub fn watch(&self) -> watch::Receiver<DhtStatus> {
        self.status.clone()
    }

    /// Our UDP port, for PORT messages.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Saves the tables and ends the task; waits `grace` at most.
    pub async fn shutdown(&self, grace: Duration) {
        let (done, finished) = oneshot::channel();
        self.tell(Command::Shutdown(done));
        let _ = tokio::time::timeout(grace, finished).await;
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command); // the task may have ended; so has the need
    }
}

impl DhtSearch {
    /// Peers that have just been found; `None` once the DHT is down (at once, for a private torrent).
    pub async fn next(&mut self) -> Option<Vec<SocketAddr>> {
        self.peers.recv().await
    }

    /// What is announced from the next lookup on, which comes soon if this is news.
    pub fn set_announce(&self, announce: Option<Announce>) {
        let _ = self.commands.send(Command::SetAnnounce { key: self.key, announce });
    }

    /// Whether the torrent is without a usable peer (as it is at first): lookups are repeated sooner then.
    pub fn set_starving(&self, starving: bool) {
        let _ = self.commands.send(Command::SetStarving { key: self.key, starving });
    }
}

impl Drop for DhtSearch {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::EndSearch { key: self.key });
    }
}
