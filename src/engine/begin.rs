//! The beginning of an item: from its source to open files and a torrent that downloads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};

use super::context::SharedContext;
use super::goals::Goals;
use super::item::{Event, Failure, FailureKind, Goal, Item, ItemKey, ItemSource, Progress, Sink, Stage};
use super::limits::RunLimits;
use super::links::Links;
use super::order;
use super::playback::{Playback, Readers};
use super::prepare::{Opened, Preparation, Prepared, Store};
use super::progress::Gauge;
use super::saver::Saver;
use super::torrent_task::{Control, Inbox, Outlets, Phase, TorrentTask};
use super::web_seeds::WebSeeds;
use crate::base::id::TorrentId;
use crate::base::merkle::Node;
use crate::base::metainfo::Info;
use crate::base::selection::Selection;
use crate::io::dht_task::{DhtHandle, DhtSearch};
use crate::io::lsd_task::Neighbours;
use crate::io::resume::ResumeRecord;
use crate::io::tracker_task::{self, TrackerSetup};
use crate::proto::dht::lookup::Announce;
use crate::proto::tracker::Totals;
use crate::swarm::action::Start;
use crate::swarm::{Command, Source, Torrent, TorrentConfig};

/// Reports of peers that may wait for the torrent.
const REPORTS: usize = 1024;
/// Callers that may wait for it.
const CALLERS: usize = 32;

/// What of an item can be looked at while it runs.
pub(super) struct Seen {
    pub progress: watch::Receiver<Progress>,
    pub playback: watch::Receiver<Option<Playback>>,
}

impl TorrentTask {
    pub(super) fn new(
        context: SharedContext,
        key: ItemKey,
        item: Item,
        events: mpsc::UnboundedSender<(ItemKey, Event)>,
        (control, controls): (mpsc::WeakUnboundedSender<Control>, mpsc::UnboundedReceiver<Control>),
    ) -> (TorrentTask, Inbox, Seen) {
        let (reports, reports_in) = mpsc::channel(REPORTS);
        let (callers, callers_in) = mpsc::channel(CALLERS);
        let (addresses, addresses_in) = mpsc::unbounded_channel();
        let (trackers, trackers_in) = mpsc::unbounded_channel();
        let (disk, disk_in) = mpsc::unbounded_channel();
        let (prepared, prepared_in) = mpsc::unbounded_channel();
        let (saved, saved_in) = mpsc::unbounded_channel();
        let running = context.running.subscribe();
        let limits = context.limits.as_ref().map(RunLimits::watch);
        let (blocks, totals) = (watch::channel(None).0, watch::channel(Totals::default()).0);
        let (id, name) = match &item.source {
            ItemSource::Torrent(metainfo) => (metainfo.info.id, Some(metainfo.info.name.clone())),
            ItemSource::Magnet(magnet) => (magnet.id, magnet.name.clone()),
        };
        let mut config = TorrentConfig::new(id, context.peer_id);
        config.max_peers = context.settings.max_peers;
        config.memory = context.memory_share(*running.borrow(), 0);
        config.pex = context.settings.pex;
        config.super_seed = matches!(item.goal, Goal::Seed { super_seed: true, .. });
        let path = &context.settings.path;
        config.only = path.only();
        config.listen_port = (!path.is_proxied()).then(|| context.registry.port());
        config.blocklist = context.settings.blocklist.clone();
        config.transient = item.sink == Sink::StandardOutput;
        let torrent = Torrent::new(config, Instant::now(), StdRng::from_rng(&mut rand::rng()));
        let (playback, verified) = (watch::channel(None).0, watch::channel(()).0);
        let (gauge, progress) = Gauge::new(Progress { name, ..Progress::default() });
        let path_end = context.settings.path.broken();
        let seen = Seen { progress, playback: playback.subscribe() };
        let task = TorrentTask {
            saver: Saver::new(context.settings.state_dir.clone(), saved),
            context,
            key,
            item,
            id,
            torrent,
            links: Links::default(),
            out: Outlets {
                reports,
                callers,
                addresses,
                trackers,
                disk,
                prepared,
                blocks,
                totals,
                playback,
                verified,
                control,
                events,
            },
            gauge,
            goals: Goals::default(),
            readers: Readers::default(),
            phase: Phase::Running,
            opened: None,
            disk: None,
            trackers: None,
            tracker_status: None,
            told_of_trackers: Vec::new(),
            web: WebSeeds::default(),
            told_of_losses: false,
            search: None,
            neighbours: None,
            dht_status: None,
            known: None,
            bare: None,
            counted_in: false,
            private: false,
            check: Arc::default(),
            left_at_start: 0,
            starving: true,
            wrote: false,
            passed_on: false,
            path_end,
            failure: None,
        };
        let inbox = Inbox {
            controls,
            reports: reports_in,
            callers: callers_in,
            addresses: addresses_in,
            trackers: trackers_in,
            disk: disk_in,
            prepared: prepared_in,
            saved: saved_in,
            running,
            limits,
        };
        (task, inbox, seen)
    }

    /// First of all: is the metadata here, and what is on disk?
    pub(super) fn begin(&mut self) {
        let info = match &self.item.source {
            ItemSource::Torrent(metainfo) => Some(metainfo.info.clone()),
            ItemSource::Magnet(_) => None,
        };
        self.private = info.as_ref().is_some_and(|info| info.private);
        if !self.keeps()
            && let Err(error) = self.context.disk.watch_standard_output(self.out.disk.clone())
        {
            return self.fail(FailureKind::FileIo, format!("can't write to standard output: {error}"));
        }
        self.prepare(info);
    }

    fn prepare(&self, info: Option<Arc<Info>>) {
        Preparation {
            id: self.id,
            item: self.item.clone(),
            info,
            state_dir: self.context.settings.state_dir.clone(),
            watch: self.check.clone(),
            results: self.out.prepared.clone(),
        }
        .start();
    }

    pub(super) fn on_prepared(&mut self, result: Result<Prepared, Failure>) {
        if self.phase != Phase::Running {
            return;
        }
        match result {
            Err(Failure { kind, message }) => self.fail(kind, message),
            Ok(Prepared::Warning(warning)) => self.tell(Event::Warning(warning)),
            Ok(Prepared::Lacking(info)) => self.resolve(info),
            Ok(Prepared::Known { info, selected, record, more }) => {
                self.on_known(info, selected, record.as_deref(), more);
            }
            Ok(Prepared::Opened(opened)) => self.on_opened(opened),
        }
    }

    /// Nobody here has the metadata, or only the info dictionary without piece layers: look for peers that do.
    fn resolve(&mut self, info: Option<Arc<Info>>) {
        self.enter(Stage::Resolving);
        let limit = self.item.metadata_timeout;
        self.goals.metadata_by = limit.map(|limit| (Instant::now() + limit, limit));
        if let Some(info) = info {
            if info.private {
                self.become_private();
            }
            self.take_info(info);
        }
        self.meet_peers(None);
    }

    /// The info dictionary has come from peers, and its hash is right.
    pub(super) fn on_metadata(&mut self, bytes: &[u8]) {
        if self.known.is_some() {
            // A remembered peer was quicker with it than the check of what is on disk.
            self.goals.metadata_by = None;
            return;
        }
        match Info::parse(bytes) {
            Ok(info) => {
                if info.private {
                    self.become_private();
                }
                self.take_info(Arc::new(info));
            }
            Err(error) => self.fail(FailureKind::Refused, format!("{}: {error}", self.name())),
        }
    }

    /// Goes on with the info dictionary; while it lacks piece layers (BEP 52), peers are asked for them.
    fn take_info(&mut self, info: Arc<Info>) {
        match &info.trees {
            Some(trees) if self.item.goal.needs_layers() && info.missing_layers().next().is_some() => {
                self.torrent.on_command(Instant::now(), Command::FetchLayers(trees.clone()));
                self.bare = Some(info);
            }
            _ => {
                self.goals.metadata_by = None;
                self.prepare(Some(info));
            }
        }
    }

    /// The piece layers have come from peers.
    pub(super) fn on_layers(&mut self, layers: Vec<(Node, Vec<Node>)>) {
        let Some(info) = self.bare.take().filter(|_| self.known.is_none()) else { return self.keep_layers(layers) };
        match info.with_layers(layers) {
            Ok(info) => self.take_info(Arc::new(info)),
            Err(error) => self.fail(FailureKind::Refused, format!("{}: {error}", self.name())),
        }
    }

    /// The layers of a hybrid that is at work already: for others, and for the next run.
    fn keep_layers(&mut self, layers: Vec<(Node, Vec<Node>)>) {
        let Some(opened) = &mut self.opened else { return };
        let Ok(info) = opened.info.with_layers(layers) else { return };
        if let Some(record) = &mut opened.record {
            record.layers = info.encode_layers();
        }
        if let Some(trees) = &info.trees {
            self.torrent.on_command(Instant::now(), Command::Layers(trees.clone()));
        }
        opened.info = Arc::new(info);
        self.save();
    }

    /// The metadata is known; with `more` the files follow.
    fn on_known(&mut self, info: Arc<Info>, selected: Arc<[bool]>, record: Option<&ResumeRecord>, more: bool) {
        self.adopt(info.id);
        self.private = info.private;
        if self.private {
            self.torrent.on_command(Instant::now(), Command::TrackerOnly);
        }
        self.gauge.update(|progress| progress.name = Some(info.name.clone()));
        if let (Some(record), false) = (record, self.private) {
            self.out_addresses(Source::Resume, record.peers.clone());
        }
        let told = self.known.replace((info.clone(), selected.clone())).is_some_and(|(_, before)| before == selected);
        if !told {
            self.tell(Event::Metadata { info: info.clone(), selected });
        }
        if matches!(self.item.goal, Goal::Metadata { .. }) {
            self.stop();
        } else if self.item.hold {
            self.enter(Stage::Queued);
        } else if more {
            self.count_in(true);
            if self.keeps() {
                self.enter(Stage::Checking);
            }
        } else {
            self.prepare(Some(info));
        }
    }

    /// The metadata shows a hybrid of which the link named one hash: the torrent is found under both from now on.
    fn adopt(&mut self, id: TorrentId) {
        if std::mem::replace(&mut self.id, id) == id || self.trackers.is_none() {
            return;
        }
        self.context.registry.register(id, self.out.callers.clone());
        if let Some(trackers) = &self.trackers {
            trackers.adopt(id);
        }
        if self.search.is_some() {
            self.search = self.search();
        }
        if self.neighbours.is_some() {
            self.neighbours = self.neighbours();
        }
    }

    /// The user wants it to go on beyond the metadata.
    pub(super) fn go(&mut self, selection: Option<Selection>) {
        let changed = selection.is_some();
        if let Some(selection) = selection {
            self.item.selection = selection;
        }
        let held = std::mem::replace(&mut self.item.hold, false);
        if let (true, Phase::Running, Some((info, _))) = (held || changed, self.phase, &self.known) {
            self.prepare(Some(info.clone()));
        }
    }

    /// Joins or leaves those that share the memory.
    pub(super) fn count_in(&mut self, there: bool) {
        if std::mem::replace(&mut self.counted_in, there) != there {
            self.context.running.send_modify(|running| if there { *running += 1 } else { *running -= 1 });
        }
    }

    /// The files are open: the torrent begins with pieces.
    fn on_opened(&mut self, opened: Box<Opened>) {
        let now = Instant::now();
        let Opened { info, store, log, verified, spilled, want, .. } = &*opened;
        self.left_at_start = missing(info, verified);
        let disk = match store {
            Store::Files(files) => {
                let disk = self.context.disk.torrent(files.clone(), self.out.disk.clone());
                self.out.blocks.send_replace(Some(disk.clone()));
                disk
            }
            Store::StandardOutput { file, there } => {
                match self.context.disk.standard_output(&info.layout, *file, there.clone(), self.out.disk.clone()) {
                    Ok(disk) => disk,
                    Err(e) => return self.fail(FailureKind::FileIo, format!("can't write to standard output: {e}")),
                }
            }
        };
        self.disk = Some(disk);
        self.torrent.on_command(
            now,
            Command::Start(Start {
                layout: info.layout.clone(),
                info: info.raw.clone(),
                hashes: info.hashes.clone(),
                trees: info.trees.clone(),
                have: verified.clone(),
                log: log.clone(),
                want: want.clone(),
                spilled: spilled.clone(),
            }),
        );
        if let Some(files) = opened.files() {
            let urgent = order::urgencies(&info.layout, &files.selected(), self.item.order);
            if !urgent.is_empty() {
                self.torrent.on_command(now, Command::Urge(urgent));
            }
        }
        if let (true, Some(files), Some(disk)) = (self.item.play, opened.files(), &self.disk) {
            self.readers = Readers::begin(&info.layout, &files.selected());
            self.torrent.on_command(now, Command::Play(self.readers.windows()));
            let (verified, control) = (self.out.verified.subscribe(), self.out.control.clone());
            let playback = Playback::new(info.clone(), log.clone(), disk.clone(), verified, control);
            self.out.playback.send_replace(Some(playback));
        }
        if !self.item.upload {
            self.torrent.on_command(now, Command::UploadSlots(0));
        }
        self.on_limits();
        let incomplete = want.has_beyond(verified);
        if let Some(files) = opened.files() {
            for index in files.take_finished() {
                self.tell(Event::File { index, path: files.path(index) });
            }
        }
        if matches!(self.item.goal, Goal::Seed { .. }) && verified.none() && info.layout.pieces() > 0 {
            let message = format!("{}: nothing of it is on disk, so there is nothing to seed", info.name);
            return self.fail(FailureKind::Verification, message);
        }
        self.goals.stall = self.item.stall_timeout;
        self.goals.on_payload(now, 0);
        let tiers = opened.record.as_ref().map_or_else(Vec::new, |record| record.trackers.clone());
        self.opened = Some(opened);
        let running = *self.context.running.borrow();
        self.on_running(running);
        self.save();
        if incomplete {
            self.enter(Stage::Downloading);
        }
        if incomplete || self.wants_to_seed() {
            self.meet_peers(Some(tiers));
        }
        if incomplete {
            self.meet_web_seeds();
        }
    }

    /// Starts everything that knows addresses, and lets peers call. `remembered`: trackers of earlier runs. Said again,
    /// it does nothing.
    fn meet_peers(&mut self, remembered: Option<Vec<Vec<String>>>) {
        if self.trackers.is_some() {
            return;
        }
        self.context.registry.register(self.id, self.out.callers.clone());
        if !self.private {
            self.call_named_peers();
        }
        self.note_totals();
        let setup = TrackerSetup {
            id: self.id,
            peer_id: self.context.peer_id,
            key: self.context.key,
            port: self.context.registry.port(),
            tiers: self.tiers(),
            private: self.private,
            totals: self.out.totals.subscribe(),
            rng: StdRng::from_rng(&mut rand::rng()),
        };
        let anywhere = self.context.settings.allow_private;
        let announcer = self.context.announcer.clone().trusting(&self.item.trackers, anywhere);
        let trackers = tracker_task::spawn(setup, announcer, self.out.trackers.clone());
        // Beside the torrent's own, since only these are left if a magnet turns out private.
        trackers.add(self.item.trackers.iter().map(|url| vec![url.clone()]).collect());
        if !self.item.no_trackers {
            trackers.add(remembered.unwrap_or_default());
        }
        self.tracker_status = Some(trackers.status());
        self.trackers = Some(trackers);
        self.search = self.search();
        self.neighbours = self.neighbours();
        self.context.map_ports(matches!(self.item.goal, Goal::Seed { .. }));
        self.dht_status = self.dht().map(DhtHandle::watch);
    }

    /// The DHT's search for peers; never for a private torrent (BEP 27).
    fn search(&self) -> Option<DhtSearch> {
        if self.private {
            return None;
        }
        let seed = matches!(self.item.goal, Goal::Seed { .. });
        let dht = self.context.dht(!seed)?;
        if let ItemSource::Torrent(metainfo) = &self.item.source {
            dht.add_hosts(metainfo.nodes.iter().map(|(host, port)| join(host, *port)).collect());
        }
        // Behind a proxy there is nowhere to be called.
        let called = !self.context.settings.path.is_proxied();
        let announce = called.then(|| Announce { port: self.context.registry.port(), seed });
        Some(dht.lookup(self.id, announce, false))
    }

    /// The neighbours that work on the same torrent; never for a private one (BEP 27).
    fn neighbours(&self) -> Option<Neighbours> {
        if self.private { None } else { Some(self.context.lsd()?.join(self.id)) }
    }

    /// The trackers of the source, in tiers.
    pub(super) fn tiers(&self) -> Vec<Vec<String>> {
        match &self.item.source {
            _ if self.item.no_trackers => Vec::new(),
            ItemSource::Torrent(metainfo) => metainfo.trackers.clone(),
            ItemSource::Magnet(magnet) => magnet.trackers.iter().map(|url| vec![url.clone()]).collect(),
        }
    }

    /// Peers that the user or the link named.
    fn call_named_peers(&self) {
        let mut named = self.item.peers.clone();
        if let ItemSource::Magnet(magnet) = &self.item.source {
            named.extend(magnet.peers.iter().cloned());
        }
        for peer in named {
            if let Ok(addr) = peer.parse::<SocketAddr>() {
                if self.context.settings.blocklist.blocks(addr.ip()) {
                    self.tell(Event::Warning(format!("peer {addr} stands in the blocklist: it is not called")));
                }
                self.out_addresses(Source::User, vec![addr]);
            } else if let Some((host, port)) = peer.rsplit_once(':').and_then(|(h, p)| Some((h, p.parse().ok()?))) {
                self.look_up(host.into(), port);
            }
        }
    }

    fn look_up(&self, host: String, port: u16) {
        let (http, out, events, key) =
            (self.context.http.clone(), self.out.addresses.clone(), self.out.events.clone(), self.key);
        tokio::spawn(async move {
            // An item that is over by then needs neither.
            let _ = match http.resolver().lookup(&host).await {
                Ok(found) => {
                    out.send((Source::User, found.iter().map(|&ip| SocketAddr::new(ip, port)).collect())).map_err(drop)
                }
                Err(error) => events.send((key, Event::Warning(format!("peer {host}:{port}: {error}")))).map_err(drop),
            };
        });
    }

    fn out_addresses(&self, source: Source, addresses: Vec<SocketAddr>) {
        // Our own inbox: it lives as long as we do.
        let _ = self.out.addresses.send((source, addresses));
    }

    /// The metadata says that only its trackers may be asked (BEP 27).
    fn become_private(&mut self) {
        self.private = true;
        (self.search, self.dht_status, self.neighbours) = (None, None, None);
        self.torrent.on_command(Instant::now(), Command::TrackerOnly);
        if let Some(trackers) = &self.trackers {
            trackers.become_private();
        }
    }
}

/// HOST:PORT, with the brackets that an IPv6 address wants.
fn join(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Bytes of the torrent that are not verified.
fn missing(info: &Info, verified: &crate::base::bitfield::Bitfield) -> u64 {
    info.layout.total() - verified.ones().map(|piece| u64::from(info.layout.piece_len(piece))).sum::<u64>()
}
