//! The DHT of the process: one task that owns the sockets and both nodes, seen from outside as a [`DhtHandle`].
//!
//! Lookups are repeated here ([`Repeat`]), names of routers are resolved side by side without anybody waiting for
//! them, and the tables are kept in a file. No network,
//! no name and no node are facts that the status shows, never errors.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};

use super::resolve::Resolver;
use super::udp_task::{MAX_DATAGRAM, UdpPair};
use crate::base::id::{InfoHashV1, TorrentId};
use crate::proto::dht::bootstrap::{Bootstrap, Entry};
use crate::proto::dht::dual::{Dual, DualEvent};
use crate::proto::dht::lookup::Announce;
use crate::proto::dht::node::{Family, NodeStatus};
use crate::proto::dht::repeat::Repeat;
use crate::proto::dht::transactions::LookupId;

/// Nodes that are known to everybody, for those who know nobody.
pub const WELL_KNOWN: [&str; 5] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "router.utorrent.com:6881",
    "dht.aelitis.com:6881",
];

/// What the DHT of a run is started with.
#[derive(Clone, Debug)]
pub struct DhtConfig {
    /// The UDP port to try first; 0 for any.
    pub port: u16,
    /// Addresses to bind, one a family.
    pub ips: Vec<IpAddr>,
    /// Whether [`WELL_KNOWN`] is asked.
    pub well_known: bool,
    /// HOST:PORT of nodes to ask besides.
    pub bootstrap: Vec<String>,
    /// Begin as one who can't be reached (BEP 43): right for a run that is over in minutes.
    pub read_only: bool,
    /// Where the tables are kept between runs.
    pub table_file: Option<PathBuf>,
}

impl Default for DhtConfig {
    fn default() -> Self {
        DhtConfig {
            port: 0,
            ips: UdpPair::ANY.to_vec(),
            well_known: true,
            bootstrap: Vec::new(),
            read_only: true,
            table_file: None,
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
    Reachable,
    Shutdown(oneshot::Sender<()>),
}

impl DhtHandle {
    /// Starts the task. To be called within a tokio runtime.
    ///
    /// # Errors
    /// Only if not one UDP socket could be bound.
    pub fn start(config: DhtConfig, resolver: Resolver) -> std::io::Result<DhtHandle> {
        let sockets = UdpPair::bind(&config.ips, config.port)?;
        let port = sockets.port().unwrap_or(0);
        let (commands, receiver) = mpsc::unbounded_channel();
        let (status_sender, status) = watch::channel(DhtStatus::default());
        tokio::spawn(DhtTask::new(config, resolver, sockets, receiver, status_sender).run());
        Ok(DhtHandle { commands, status, port, next_search: Arc::default() })
    }

    /// Looks for the torrent's peers until the search is dropped, and announces us where `announce` is given. A private
    /// torrent is never looked for (BEP 27): its search stays silent.
    pub fn lookup(&self, id: TorrentId, announce: Option<Announce>, private: bool) -> DhtSearch {
        let key = self.next_search.fetch_add(1, Ordering::Relaxed);
        let (sender, peers) = mpsc::channel(64);
        let mut hashes: Vec<InfoHashV1> = id.v1().into_iter().collect();
        hashes.extend(id.v2().map(|v2| v2.truncated()));
        if !private {
            self.tell(Command::Search { key, hashes, announce, peers: sender });
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

    /// Somebody has reached us from outside: after ten minutes we answer others too.
    pub fn reachable(&self) {
        self.tell(Command::Reachable);
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

/// One torrent's search, as the task sees it.
#[derive(Debug)]
struct Search {
    hashes: Vec<InfoHashV1>,
    announce: Option<Announce>,
    peers: mpsc::Sender<Vec<SocketAddr>>,
    running: Vec<LookupId>,
    repeat: Repeat,
}

/// What a name turned out to be; empty if it could not be resolved.
type Resolved = (String, Vec<SocketAddr>);

struct DhtTask {
    dht: Dual,
    sockets: UdpPair,
    rng: StdRng,
    commands: mpsc::UnboundedReceiver<Command>,
    status: watch::Sender<DhtStatus>,
    searches: BTreeMap<u64, Search>,
    resolver: Resolver,
    resolved: mpsc::UnboundedReceiver<Resolved>,
    resolves: mpsc::UnboundedSender<Resolved>,
    names: u32,
    /// Names that could not be resolved, to be tried again.
    unresolved: Vec<String>,
    retry_at: Option<Instant>,
    retry_pause: Duration,
    table_file: Option<PathBuf>,
    save_at: Instant,
    saved_answers: u64,
    read_only: bool,
    reachable: bool,
    /// From then on a node that can be reached answers others.
    serve_at: Instant,
}

impl DhtTask {
    const SAVE_EVERY: Duration = Duration::from_secs(5 * 60);
    const SERVE_AFTER: Duration = Duration::from_secs(10 * 60);
    const RETRY_NAMES: Duration = Duration::from_secs(20);
    const RETRY_NAMES_MOST: Duration = Duration::from_secs(10 * 60);
    /// Datagrams that are handled before anything else gets a turn.
    const BATCH: usize = 64;

    fn new(
        config: DhtConfig,
        resolver: Resolver,
        sockets: UdpPair,
        commands: mpsc::UnboundedReceiver<Command>,
        status: watch::Sender<DhtStatus>,
    ) -> DhtTask {
        let now = Instant::now();
        let mut rng: StdRng = rand::make_rng();
        let saved = config.table_file.as_deref().and_then(|path| std::fs::read(path).ok());
        let has = |family: &Family| if *family == Family::V4 { sockets.has_v4() } else { sockets.has_v6() };
        let families: Vec<Family> = [Family::V4, Family::V6].into_iter().filter(has).collect();
        let mut dht = Dual::new(now, &families, saved.as_deref(), &mut rng);
        dht.set_read_only(config.read_only);
        let (resolves, resolved) = mpsc::unbounded_channel();
        let mut task = DhtTask {
            dht,
            sockets,
            rng,
            commands,
            status,
            searches: BTreeMap::new(),
            resolver,
            resolved,
            resolves,
            names: 0,
            unresolved: Vec::new(),
            retry_at: None,
            retry_pause: Self::RETRY_NAMES,
            table_file: config.table_file,
            save_at: now + Self::SAVE_EVERY,
            saved_answers: 0,
            read_only: config.read_only,
            reachable: false,
            serve_at: now + Self::SERVE_AFTER,
        };
        let well_known = WELL_KNOWN.iter().filter(|_| config.well_known).map(|name| name.to_string());
        task.resolve(config.bootstrap.into_iter().chain(well_known).collect());
        task
    }

    async fn run(mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            self.flush();
            let wake = self.next_time();
            tokio::select! {
                received = self.sockets.recv(&mut buffer) => match received {
                    Ok((len, from)) => self.on_datagrams(&mut buffer, len, from),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown(done)) => {
                        self.save();
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.on_command(command),
                    None => return self.save(),
                },
                Some((name, addrs)) = self.resolved.recv() => self.on_resolved(name, addrs),
                () = sleep_until(wake) => self.on_time(),
            }
        }
    }

    fn on_datagrams(&mut self, buffer: &mut [u8], len: usize, from: SocketAddr) {
        self.dht.handle_packet(Instant::now(), from, &buffer[..len]);
        for _ in 0..Self::BATCH {
            let Some((len, from)) = self.sockets.try_recv(buffer) else { return };
            self.dht.handle_packet(Instant::now(), from, &buffer[..len]);
        }
    }

    fn on_command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Search { key, hashes, announce, peers } => {
                let search = Search { hashes, announce, peers, running: Vec::new(), repeat: Repeat::new(now) };
                self.searches.insert(key, search);
                self.start_due(now);
            }
            Command::SetAnnounce { key, announce } => {
                if let Some(search) = self.searches.get_mut(&key)
                    && search.announce != announce
                {
                    search.announce = announce;
                    search.repeat.hasten();
                }
            }
            Command::SetStarving { key, starving } => {
                if let Some(search) = self.searches.get_mut(&key) {
                    search.repeat.set_starving(starving);
                }
            }
            Command::EndSearch { key } => {
                for lookup in self.searches.remove(&key).into_iter().flat_map(|search| search.running) {
                    self.dht.cancel(now, lookup);
                }
            }
            Command::AddNode(addr) => self.dht.add_node(now, addr),
            Command::AddHosts(hosts) => self.resolve(hosts),
            Command::Reachable => {
                self.reachable = true;
                self.serve_if_due(now);
            }
            Command::Shutdown(_) => unreachable!("the loop handles it"),
        }
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        self.dht.handle_timeout(now);
        self.start_due(now);
        self.serve_if_due(now);
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.retry_pause = (self.retry_pause * 2).min(Self::RETRY_NAMES_MOST);
            let enough = Bootstrap::ENOUGH as u32;
            let lonely = self.dht.status().into_iter().flatten().all(|node| node.confirmed < enough);
            if lonely {
                let names = std::mem::take(&mut self.unresolved);
                self.names -= names.len() as u32;
                self.resolve(names);
            }
        }
        if self.save_at <= now {
            self.save();
            self.save_at = now + Self::SAVE_EVERY;
        }
    }

    fn on_resolved(&mut self, name: String, addrs: Vec<SocketAddr>) {
        let now = Instant::now();
        if addrs.is_empty() {
            tracing::debug!(name, "DHT router not resolved");
            self.unresolved.push(name.clone());
            self.retry_at.get_or_insert(now + self.retry_pause);
        }
        for &addr in &addrs {
            self.dht.add_bootstrap(now, Entry { addr, router: WELL_KNOWN.contains(&name.as_str()) });
        }
    }

    /// Sends what is to be sent, hands out what was found, and shows how things stand.
    fn flush(&mut self) {
        let now = Instant::now();
        loop {
            while let Some((to, bytes)) = self.dht.poll_transmit() {
                self.sockets.send(to, &bytes);
            }
            let Some(event) = self.dht.poll_event() else { break };
            self.on_event(now, event);
        }
        let [v4, v6] = self.dht.status();
        let unresolved = self.unresolved.len() as u32;
        let resolved = self.names.saturating_sub(unresolved);
        let status = DhtStatus { v4, v6, names: self.names, resolved, read_only: self.read_only };
        self.status.send_if_modified(|old| std::mem::replace(old, status) != status);
    }

    fn on_event(&mut self, now: Instant, event: DualEvent) {
        match event {
            DualEvent::Peers { lookup, peers } => {
                if let Some(search) = self.searches.values().find(|search| search.running.contains(&lookup)) {
                    // A receiver that is far behind has more addresses than it can call; these come again.
                    let _ = search.peers.try_send(peers);
                }
            }
            DualEvent::Finished { lookup, report } => {
                tracing::debug!(?report, "DHT lookup");
                if let Some(search) = self.searches.values_mut().find(|search| search.running.contains(&lookup)) {
                    search.running.retain(|running| *running != lookup);
                    if search.running.is_empty() {
                        search.repeat.ended(now, &mut self.rng);
                    }
                }
            }
            DualEvent::Announced { nodes, .. } => tracing::debug!(nodes, "DHT announce"),
            DualEvent::External(ip) => tracing::debug!(%ip, "DHT nodes see us"),
        }
    }

    fn start_due(&mut self, now: Instant) {
        for search in self.searches.values_mut().filter(|search| search.repeat.is_due(now)) {
            search.repeat.started();
            let dht = &mut self.dht;
            search.running = search.hashes.iter().map(|&hash| dht.get_peers(now, hash, search.announce)).collect();
        }
    }

    fn serve_if_due(&mut self, now: Instant) {
        if self.read_only && self.reachable && now >= self.serve_at {
            self.read_only = false;
            self.dht.set_read_only(false);
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let searches = self.searches.values().filter_map(|search| search.repeat.next_time()).min();
        let serve = (self.read_only && self.reachable).then_some(self.serve_at);
        let save = self.table_file.as_ref().map(|_| self.save_at);
        [self.dht.poll_timeout(), searches, serve, save, self.retry_at].into_iter().flatten().min()
    }

    /// Resolves all names side by side; addresses need no resolving.
    fn resolve(&mut self, names: Vec<String>) {
        for name in names {
            self.names += 1;
            if let Ok(addr) = name.parse() {
                self.dht.add_bootstrap(Instant::now(), Entry { addr, router: false });
                continue;
            }
            let (resolver, answer) = (self.resolver.clone(), self.resolves.clone());
            tokio::spawn(async move {
                let addrs = look_up(&resolver, &name).await.unwrap_or_default();
                let _ = answer.send((name, addrs));
            });
        }
    }

    /// Keeps the tables for the next run, unless this one has learnt nothing.
    fn save(&mut self) {
        let answers: u64 = self.dht.status().into_iter().flatten().map(|node| node.answers).sum();
        let Some(path) = self.table_file.as_deref().filter(|_| answers > self.saved_answers) else { return };
        match write_atomically(path, &self.dht.save()) {
            Ok(()) => self.saved_answers = answers,
            Err(error) => tracing::debug!(path = %path.display(), %error, "DHT table not saved"),
        }
    }
}

/// The addresses of HOST:PORT.
async fn look_up(resolver: &Resolver, name: &str) -> Option<Vec<SocketAddr>> {
    let (host, port) = name.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let ips = resolver.lookup(host).await.ok()?;
    Some(ips.iter().map(|&ip| SocketAddr::new(ip, port)).collect())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
