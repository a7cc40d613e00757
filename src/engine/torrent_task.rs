//! One torrent of a run: the task that owns its `swarm::Torrent` and everything that is wired to it.
//!
//! The loop takes events from peers, disk, trackers, listener and the user, gives them to the torrent with the time,
//! and carries out the actions that come back (`carry_out`). It never waits for a peer: a session that does not empty
//! its inbox is cut off. Its life: `begin` until the files are open, `on_disk` and `complete` while it works, `close`
//! at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;

use super::context::SharedContext;
use super::goals::Goals;
use super::item::{Event, Failure, FailureKind, Item, ItemKey, Sink, Stage};
use super::limits::{RunLimits, upload_slots};
use super::links::{Dialled, Links};
use super::playback::{Playback, Readers};
use super::prepare::{Opened, Prepared};
use super::progress::Gauge;
use super::saver::Saver;
use super::web_seeds::WebSeeds;
use crate::base::id::TorrentId;
use crate::base::metainfo::Info;
use crate::base::selection::Selection;
use crate::io::check::CheckWatch;
use crate::io::dht_task::{DhtHandle, DhtSearch, DhtStatus};
use crate::io::dial::Greeted;
use crate::io::disk::{DiskReport, TorrentDisk};
use crate::io::limiter_task::Limits;
use crate::io::lsd_task::Neighbours;
use crate::io::peer_task::PeerReport;
use crate::io::tracker_task::{TrackerHandle, TrackerNews, TrackerStatus};
use crate::proto::session::PeerEvent;
use crate::proto::tracker::Totals;
use crate::swarm::{Command, PlayWindow, Source, Torrent};

/// How long an orderly stop may wait for peers and disk to hand back what they hold.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// What the user can tell a running item.
#[derive(Clone, Debug)]
pub(super) enum Control {
    /// Wait no longer for the user once the metadata is known; perhaps with another selection.
    Go(Option<Selection>),
    /// Stop in order: keep what is there, tell trackers.
    Stop,
    /// A reader of a [`Playback`] needs this; `None`: it is gone.
    Reader(u64, Option<PlayWindow>),
}

/// Where the events of one torrent arrive.
pub(super) struct Inbox {
    pub controls: mpsc::UnboundedReceiver<Control>,
    pub reports: mpsc::Receiver<PeerReport>,
    pub callers: mpsc::Receiver<Greeted>,
    pub addresses: mpsc::UnboundedReceiver<(Source, Vec<SocketAddr>)>,
    pub trackers: mpsc::UnboundedReceiver<TrackerNews>,
    pub disk: mpsc::UnboundedReceiver<DiskReport>,
    pub prepared: mpsc::UnboundedReceiver<Result<Prepared, Failure>>,
    pub saved: mpsc::UnboundedReceiver<Option<String>>,
    /// How many items share the memory.
    pub running: watch::Receiver<u32>,
    /// `None` if nothing is ever limited.
    pub limits: Option<watch::Receiver<Limits>>,
}

/// The other ends, to be cloned into what sends.
pub(super) struct Outlets {
    pub reports: mpsc::Sender<PeerReport>,
    pub callers: mpsc::Sender<Greeted>,
    pub addresses: mpsc::UnboundedSender<(Source, Vec<SocketAddr>)>,
    pub trackers: mpsc::UnboundedSender<TrackerNews>,
    pub disk: mpsc::UnboundedSender<DiskReport>,
    pub prepared: mpsc::UnboundedSender<Result<Prepared, Failure>>,
    /// What peers read blocks from; empty until the files are open.
    pub blocks: watch::Sender<Option<TorrentDisk>>,
    pub totals: watch::Sender<Totals>,
    /// The way to read while it downloads, for items that are played.
    pub playback: watch::Sender<Option<Playback>>,
    /// Renewed with each piece that is verified.
    pub verified: watch::Sender<()>,
    /// The item's own inbox.
    pub control: mpsc::WeakUnboundedSender<Control>,
    pub events: mpsc::UnboundedSender<(ItemKey, Event)>,
}

/// What an item is waiting for before it can end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Working towards its goal.
    Running,
    /// Everything is there; the disk is making it durable.
    Finishing,
    /// Leases and spills come home, until this deadline.
    Draining { by: Instant },
    /// The last sync.
    Syncing,
    /// Over.
    Ended,
}

/// The state of one item.
pub(super) struct TorrentTask {
    pub context: SharedContext,
    pub key: ItemKey,
    pub item: Item,
    pub id: TorrentId,
    pub torrent: Torrent,
    pub links: Links,
    pub out: Outlets,
    pub gauge: Gauge,
    pub goals: Goals,
    pub readers: Readers,
    pub saver: Saver,
    pub phase: Phase,
    /// The files, once they are open.
    pub opened: Option<Box<Opened>>,
    pub disk: Option<TorrentDisk>,
    pub trackers: Option<TrackerHandle>,
    pub tracker_status: Option<watch::Receiver<TrackerStatus>>,
    /// What has been told of trackers, so that it is told once.
    pub told_of_trackers: Vec<String>,
    pub web: WebSeeds,
    /// It has been told that verified data can't be read any more.
    pub told_of_losses: bool,
    pub search: Option<DhtSearch>,
    pub neighbours: Option<Neighbours>,
    pub dht_status: Option<watch::Receiver<DhtStatus>>,
    /// The info dictionary while peers are asked for its piece layers (BEP 52).
    pub bare: Option<Arc<Info>>,
    /// The metadata, and the selection that was told of with it.
    pub known: Option<(Arc<Info>, Arc<[bool]>)>,
    /// One of those that share the memory.
    pub counted_in: bool,
    /// Known to be private (BEP 27).
    pub private: bool,
    pub check: Arc<CheckWatch>,
    /// Bytes that were missing when the files were opened.
    pub left_at_start: u64,
    /// The DHT's search has been told that there is nobody to download from; so it assumes at first.
    pub starving: bool,
    /// Pieces have been written in this run.
    pub wrote: bool,
    /// The last byte of what goes to standard output has been taken.
    pub passed_on: bool,
    /// Why the way that packets may leave is no more, once that is so.
    pub path_end: watch::Receiver<Option<String>>,
    /// Why it ends short of its goal.
    pub failure: Option<Failure>,
}

/// What a search finds next; waits for ever where there is none.
async fn found(search: &mut Option<DhtSearch>) -> Option<Vec<SocketAddr>> {
    match search {
        Some(search) => search.next().await,
        None => std::future::pending().await,
    }
}

/// What neighbour is heard next; waits for ever where there is none.
async fn heard(neighbours: &mut Option<Neighbours>) -> Option<SocketAddr> {
    match neighbours {
        Some(neighbours) => neighbours.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for news of the trackers or the DHT, for ever where there are none.
async fn changed<T>(status: &mut Option<watch::Receiver<T>>) -> bool {
    match status {
        Some(status) => status.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

impl TorrentTask {
    /// Runs the item to its end and reports it as the last event.
    pub async fn run(mut self, mut inbox: Inbox) {
        self.begin();
        while self.phase != Phase::Ended {
            self.turn(&mut inbox).await;
        }
        self.close(&mut inbox).await;
    }

    /// One wake-up: what has happened, and the actions that follow from it.
    async fn turn(&mut self, inbox: &mut Inbox) {
        let now = Instant::now();
        self.carry_out();
        self.advance(now);
        self.publish(now, false);
        if self.phase == Phase::Ended {
            return;
        }
        let due = self.next_deadline();
        tokio::select! {
            Some(report) = inbox.reports.recv() => self.on_reports(report, &mut inbox.reports),
            Some(report) = inbox.disk.recv() => self.on_disk_reports(report, &mut inbox.disk),
            dialled = self.links.dialled() => self.on_dialled(dialled),
            Some(caller) = inbox.callers.recv() => self.on_caller(caller),
            Some((source, addresses)) = inbox.addresses.recv() => self.on_addresses(source, &addresses),
            Some(news) = inbox.trackers.recv() => self.on_tracker_news(news),
            true = changed(&mut self.tracker_status) => self.on_tracker_status(),
            // Its nodes are of interest while there is nobody else.
            true = changed(&mut self.dht_status), if self.links.is_empty() => self.gauge.touch(),
            Some(neighbour) = heard(&mut self.neighbours) => self.on_addresses(Source::Lsd, &[neighbour]),
            Some(addresses) = found(&mut self.search) => self.on_addresses(Source::Dht, &addresses),
            Some(prepared) = inbox.prepared.recv() => self.on_prepared(prepared),
            Some(complaint) = inbox.saved.recv() => self.on_saved(complaint),
            Ok(()) = inbox.running.changed() => self.on_running(*inbox.running.borrow_and_update()),
            Ok(()) = self.path_end.changed() => self.on_path_end(),
            true = changed(&mut inbox.limits) => self.on_limits(),
            control = inbox.controls.recv() => self.on_control(control),
            () = sleep_until(due.unwrap_or(now).into()), if due.is_some() => self.on_timeout(),
        }
    }

    fn on_reports(&mut self, first: PeerReport, more: &mut mpsc::Receiver<PeerReport>) {
        let now = Instant::now();
        let mut next = Some(first);
        while let Some(PeerReport { peer, events }) = next {
            for event in events {
                let closed = if let PeerEvent::Closed(reason) = &event { Some(reason.clone()) } else { None };
                self.torrent.on_peer(now, peer, event);
                if let Some(reason) = closed {
                    self.links.forget(peer);
                    self.on_web_seed_closed(peer, &reason);
                }
            }
            next = more.try_recv().ok();
        }
        self.gauge.touch();
    }

    fn on_dialled(&mut self, (peer, end): Dialled) {
        match end {
            Ok(greeted) => self.connect(peer, greeted, None),
            Err(failure) => self.torrent.on_dial_failed(Instant::now(), peer, failure),
        }
        self.gauge.touch();
    }

    fn on_caller(&mut self, caller: Greeted) {
        if caller.handshake.peer_id == self.context.peer_id {
            return;
        }
        if let Some(dht) = self.dht() {
            dht.called_from(caller.addr.ip());
        }
        if let Some(peer) = self.torrent.accept(Instant::now(), caller.addr) {
            let answer = self.our_handshake(caller.handshake.answered_by(self.id));
            self.connect(peer, caller, Some(answer));
            self.gauge.touch();
        }
    }

    fn on_addresses(&mut self, source: Source, addresses: &[SocketAddr]) {
        self.torrent.on_addresses(Instant::now(), source, addresses);
        self.gauge.touch();
    }

    fn on_tracker_news(&mut self, news: TrackerNews) {
        match news {
            TrackerNews::Peers(addresses) => self.on_addresses(Source::Tracker, &addresses),
            // A private torrent keeps to the peers of its present tracker, which follow.
            TrackerNews::Switched => self.torrent.on_command(Instant::now(), Command::DropPeers),
        }
    }

    /// Tells what trackers want people to know, and that none of them answers, if it comes to that.
    fn on_tracker_status(&mut self) {
        self.gauge.touch();
        let Some(status) = &mut self.tracker_status else { return };
        let status = status.borrow_and_update().clone();
        let mut words: Vec<String> = status
            .trackers
            .iter()
            .filter_map(|tracker| Some(format!("{}: {}", tracker.name, tracker.warning.as_ref()?)))
            .collect();
        if !status.trackers.is_empty() && status.trackers.iter().all(|it| it.error.is_some() && !it.answered) {
            words.extend(status.errors());
        }
        for word in words {
            if self.told_of_trackers.len() < 20 && !self.told_of_trackers.contains(&word) {
                self.tell(Event::Warning(word.clone()));
                self.told_of_trackers.push(word);
            }
        }
    }

    pub(super) fn on_running(&mut self, running: u32) {
        let piece_length = self.opened.as_ref().map_or(0, |opened| opened.info.layout.piece_length());
        let share = self.context.memory_share(running, piece_length);
        self.torrent.on_command(Instant::now(), Command::Memory(share));
    }

    /// Serves as many peers at a time as the limit lets it.
    pub(super) fn on_limits(&mut self) {
        if let (Some(limits), true) = (&self.context.limits, self.item.upload) {
            let slots = upload_slots(limits.limits().up);
            self.torrent.on_command(Instant::now(), Command::UploadSlots(slots));
        }
        self.gauge.touch();
    }

    fn on_control(&mut self, control: Option<Control>) {
        match control {
            Some(Control::Go(selection)) => return self.go(selection),
            Some(Control::Reader(key, window)) => return self.on_reader(key, window),
            Some(Control::Stop) | None => {}
        }
        // The engine is gone (`None`), or the user has had enough. A second word changes nothing: who wants out at once
        // ends the process.
        if matches!(self.phase, Phase::Running | Phase::Finishing) {
            self.stop_on_request();
        }
    }

    /// The interface or the proxy is gone: there is no other way, so this is the end.
    fn on_path_end(&mut self) {
        let why = self.path_end.borrow_and_update().clone();
        if let Some(why) = why {
            self.fail(FailureKind::Network, format!("{}: {why}", self.name()));
        }
    }

    /// What players need has changed.
    fn on_reader(&mut self, key: u64, window: Option<PlayWindow>) {
        self.readers.note(key, window);
        self.torrent.on_command(Instant::now(), Command::Play(self.readers.windows()));
    }

    fn on_timeout(&mut self) {
        let now = Instant::now();
        if self.torrent.poll_timeout().is_some_and(|due| due <= now) {
            self.torrent.on_timeout(now);
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let draining = if let Phase::Draining { by } = self.phase { Some(by) } else { None };
        [self.torrent.poll_timeout(), self.gauge.due(), self.goals.due(), draining].into_iter().flatten().min()
    }

    /// Moves from phase to phase when what a phase waits for is there.
    fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Running => self.check_goals(now),
            Phase::Draining { by } if by <= now || self.torrent.is_at_rest() => self.sync_last(),
            _ => {}
        }
    }

    /// Starts an orderly end: nothing more is asked for, what is open goes to disk.
    pub fn stop(&mut self) {
        let now = Instant::now();
        self.enter(Stage::Stopping);
        self.check.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        // What is kept nowhere is not worth waiting for.
        self.phase = Phase::Draining { by: if self.keeps() { now + STOP_DEADLINE } else { now } };
        self.torrent.on_command(now, Command::Stop);
    }

    /// Whether anything of the item is kept on disk.
    pub fn keeps(&self) -> bool {
        self.item.sink == Sink::Files
    }

    /// Ends the item with a failure, in order.
    pub fn fail(&mut self, kind: FailureKind, message: String) {
        self.failure.get_or_insert(Failure { kind, message });
        if matches!(self.phase, Phase::Running | Phase::Finishing) {
            self.stop();
        }
    }

    /// Shows the present moment, if it is time or `force`d.
    pub fn publish(&mut self, now: Instant, force: bool) {
        let (context, torrent, trackers, check) = (&self.context, &self.torrent, &self.tracker_status, &self.check);
        self.gauge.publish(now, force, |progress| {
            progress.swarm = torrent.snapshot();
            progress.pieces = torrent.have().map_or_else(|| Arc::from([]), |have| have.words().into());
            progress.under_way = torrent.under_way().map_or_else(|| Arc::from([]), |bits| bits.words().into());
            progress.trackers_failed = trackers.as_ref().map_or(0, |trackers| trackers.borrow().failed());
            progress.limits = context.limits.as_ref().map(RunLimits::limits).unwrap_or_default();
            progress.trackers = trackers.as_ref().map_or((0, 0), |trackers| trackers.borrow().counts());
            progress.checked = check.progress();
            let dht = context.dht.get().and_then(Option::as_ref).map(DhtHandle::status).unwrap_or_default();
            (progress.dht_nodes, progress.dht_queries) = (dht.nodes(), dht.queries());
        });
    }

    /// Moves on to `stage` and says so.
    pub fn enter(&mut self, stage: Stage) {
        if self.gauge.stage() != stage {
            self.gauge.update(|progress| progress.stage = stage);
            self.tell(Event::Stage(stage));
            self.publish(Instant::now(), true);
        }
    }

    pub fn tell(&self, event: Event) {
        // Nobody listening is no reason to stop downloading.
        let _ = self.out.events.send((self.key, event));
    }

    /// What failures and warnings call the item.
    pub fn name(&self) -> String {
        self.gauge.name().map_or_else(|| self.id.to_string(), str::to_owned)
    }
}
