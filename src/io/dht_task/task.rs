//! The task that owns both nodes: datagrams in and out, searches that are repeated ([`Repeat`]), events
//! handed to whom they concern.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};

use super::names::Names;
use super::table_file::TableFile;
use super::whereabouts::Whereabouts;
use super::{Command, DhtConfig, DhtStatus, WELL_KNOWN};
use crate::base::id::InfoHashV1;
use crate::io::resolve::Resolver;
use crate::io::udp_task::{Datagram, UdpPort};
use crate::proto::dht::bootstrap::{Bootstrap, Entry};
use crate::proto::dht::dual::{Dual, DualEvent};
use crate::proto::dht::lookup::Announce;
use crate::proto::dht::node::Family;
use crate::proto::dht::repeat::Repeat;
use crate::proto::dht::role::Role;
use crate::proto::dht::transactions::LookupId;

/// One torrent's search, as the task sees it.
#[derive(Debug)]
struct Search {
    hashes: Vec<InfoHashV1>,
    announce: Option<Announce>,
    peers: mpsc::Sender<Vec<SocketAddr>>,
    running: Vec<LookupId>,
    repeat: Repeat,
}

pub(super) struct DhtTask {
    dht: Dual,
    udp: UdpPort,
    datagrams: mpsc::Receiver<Datagram>,
    rng: StdRng,
    commands: mpsc::UnboundedReceiver<Command>,
    status: watch::Sender<DhtStatus>,
    searches: BTreeMap<u64, Search>,
    names: Names,
    whereabouts: Whereabouts,
    table_file: Option<TableFile>,
    role: Role,
}

impl DhtTask {
    /// Datagrams that are handled before anything else gets a turn.
    const BATCH: usize = 64;

    pub(super) fn new(
        config: DhtConfig,
        resolver: Resolver,
        udp: UdpPort,
        commands: mpsc::UnboundedReceiver<Command>,
        status: watch::Sender<DhtStatus>,
    ) -> DhtTask {
        let now = Instant::now();
        let mut rng: StdRng = rand::make_rng();
        let table_file = config.table_file.map(|path| TableFile::new(path, now));
        let saved = table_file.as_ref().and_then(TableFile::read);
        let has = |family: &Family| if *family == Family::V4 { udp.has_v4() } else { udp.has_v6() };
        let families: Vec<Family> = [Family::V4, Family::V6].into_iter().filter(has).collect();
        let mut dht = Dual::new(now, &families, saved.as_deref(), &mut rng);
        dht.set_read_only(config.read_only);
        let whereabouts = Whereabouts::default();
        let names = Names::new(resolver, &udp, &whereabouts);
        let mut task = DhtTask {
            dht,
            datagrams: udp.dht_datagrams(),
            udp,
            rng,
            commands,
            status,
            searches: BTreeMap::new(),
            names,
            whereabouts,
            table_file: table_file.filter(|_| config.keeps_table),
            role: Role::new(now, config.read_only),
        };
        let well_known = WELL_KNOWN.iter().filter(|_| config.well_known).map(|name| name.to_string());
        task.resolve(config.bootstrap.into_iter().chain(well_known).collect());
        task
    }

    pub(super) async fn run(mut self) {
        loop {
            self.flush();
            let wake = self.next_time();
            tokio::select! {
                Some(datagram) = self.datagrams.recv() => self.on_datagrams(datagram),
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown(done)) => {
                        self.save();
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.on_command(command),
                    None => return self.save(),
                },
                (name, addrs) = self.names.resolved() => self.on_resolved(&name, &addrs),
                () = sleep_until(wake) => self.on_time(),
            }
        }
    }

    fn on_datagrams(&mut self, first: Datagram) {
        self.on_datagram(first);
        for _ in 0..Self::BATCH {
            let Ok(next) = self.datagrams.try_recv() else { return };
            self.on_datagram(next);
        }
    }

    fn on_datagram(&mut self, (from, bytes): Datagram) {
        if !self.whereabouts.take(from, &bytes) {
            self.dht.handle_packet(Instant::now(), from, &bytes);
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
            Command::Caller(from) => {
                self.role.on_caller(from);
                self.serve_if_due(now);
            }
            Command::Mapped => {
                self.role.on_mapping();
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
        if self.names.retry_is_due(now) {
            let enough = Bootstrap::ENOUGH as u32;
            let lonely = self.dht.status().into_iter().flatten().all(|node| node.confirmed < enough);
            if lonely {
                self.names.retry();
            }
        }
        if self.table_file.as_ref().is_some_and(|file| file.is_due(now)) {
            self.save();
        }
    }

    fn on_resolved(&mut self, name: &str, addrs: &[SocketAddr]) {
        let now = Instant::now();
        self.names.note(now, name, addrs);
        for &addr in addrs {
            self.dht.add_bootstrap(now, Entry { addr, router: WELL_KNOWN.contains(&name) });
        }
    }

    /// Sends what is to be sent, hands out what was found, and shows how things stand.
    fn flush(&mut self) {
        let now = Instant::now();
        loop {
            while let Some((to, bytes)) = self.dht.poll_transmit() {
                self.udp.send(to, &bytes);
            }
            let Some(event) = self.dht.poll_event() else { break };
            self.on_event(now, event);
        }
        let [v4, v6] = self.dht.status();
        let (names, resolved) = (self.names.count(), self.names.resolved_count());
        let status =
            DhtStatus { v4, v6, names, resolved, read_only: self.role.is_read_only(), reachable: self.role.is_open() };
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
        let external = self.dht.status()[0].and_then(|node| node.external);
        if self.role.turns(now, external) {
            self.dht.set_read_only(false);
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let searches = self.searches.values().filter_map(|search| search.repeat.next_time()).min();
        let serve = self.role.next_time(Instant::now());
        let save = self.table_file.as_ref().map(TableFile::next_time);
        [self.dht.poll_timeout(), searches, serve, save, self.names.next_time()].into_iter().flatten().min()
    }

    /// Names are resolved, addresses are of use at once.
    fn resolve(&mut self, names: Vec<String>) {
        for name in names {
            if let Some(addr) = self.names.add(name) {
                self.dht.add_bootstrap(Instant::now(), Entry { addr, router: false });
            }
        }
    }

    /// Keeps the tables for the next run.
    fn save(&mut self) {
        let answers = self.dht.status().into_iter().flatten().map(|node| node.answers).sum();
        if let Some(file) = &mut self.table_file {
            file.save(Instant::now(), answers, || self.dht.save());
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
