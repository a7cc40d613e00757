//! The trackers of one torrent: a task that owns their schedule and makes the announces.
//!
//! Every announce runs on its own, on both address families where a tracker has both, and what it brings goes out as
//! soon as it is there: no tracker waits for another. The task sleeps until the schedule's next time, until something
//! comes back or until it is told something.
//!
//! A hybrid torrent (BEP 52) stands in two swarms of each tracker, one a hash. An announce goes to both side by side
//! and is one to the schedule: tiers, intervals and events are the tracker's, and what a private torrent may ask is one
//! tracker, not one swarm. So `started`, `completed` and `stopped` reach both, and neither waits for the other.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::announce::Announcer;
use crate::base::id::{InfoHashV1, PeerId, TorrentId};
use crate::proto::tracker::tiers::{Ask, AskId, Tiers, TrackerKey};
use crate::proto::tracker::{AnnounceReply, AnnounceRequest, Totals, TrackerError, TrackerUrl, UrlError};

/// What the trackers of one torrent are told and asked.
pub struct TrackerSetup {
    /// Announced under each of its hashes.
    pub id: TorrentId,
    pub peer_id: PeerId,
    /// The same for the whole run.
    pub key: u32,
    /// Where we take connections.
    pub port: u16,
    /// The torrent's own, in their tiers (BEP 12); others come by [`TrackerHandle::add`]. What can't be asked is left
    /// out and named in the status.
    pub tiers: Vec<Vec<String>>,
    /// BEP 27: one tracker at a time.
    pub private: bool,
    /// The latest of these is told whenever an announce is made.
    pub totals: watch::Receiver<Totals>,
    /// Shuffles tiers and spreads retries.
    pub rng: StdRng,
}

/// What comes out of the task, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrackerNews {
    /// Addresses that a tracker told.
    Peers(Vec<SocketAddr>),
    /// A private torrent has changed its tracker: drop every peer that it has (BEP 27). The peers of the new one follow.
    Switched,
}

/// How the trackers of a torrent are, for displays. Nothing in it carries a passkey.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrackerStatus {
    pub trackers: Vec<TrackerState>,
    /// Our address as a tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
}

/// One tracker, for displays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrackerState {
    pub name: String,
    /// It has answered in this run.
    pub answered: bool,
    /// Why the last announce failed.
    pub error: Option<String>,
    /// What it wants people to know (BEP 3, "warning message").
    pub warning: Option<String>,
    pub seeders: Option<u32>,
    pub leechers: Option<u32>,
}

impl TrackerStatus {
    /// Trackers that have answered, and all.
    pub fn counts(&self) -> (u32, u32) {
        (self.trackers.iter().filter(|tracker| tracker.answered).count() as u32, self.trackers.len() as u32)
    }

    /// Trackers whose last announce failed.
    pub fn failed(&self) -> u32 {
        self.trackers.iter().filter(|tracker| tracker.error.is_some()).count() as u32
    }

    /// A URL that can't be asked: its reason, once.
    fn refuse(&mut self, error: &UrlError) {
        let row = TrackerState { name: "tracker".into(), error: Some(error.to_string()), ..TrackerState::default() };
        if !self.trackers.contains(&row) {
            self.trackers.push(row);
        }
    }

    /// The trackers whose last announce failed, each as `tracker: why`.
    pub fn errors(&self) -> impl Iterator<Item = String> + '_ {
        self.trackers.iter().filter_map(|tracker| Some(format!("{}: {}", tracker.name, tracker.error.as_ref()?)))
    }
}

/// Talks to the task. When it is dropped the task ends without a farewell.
#[derive(Debug)]
pub struct TrackerHandle {
    commands: mpsc::UnboundedSender<Command>,
    status: watch::Receiver<TrackerStatus>,
}

#[derive(Debug)]
enum Command {
    Completed,
    WantPeers,
    Add(Vec<Vec<String>>),
    BecomePrivate,
    Adopt(TorrentId),
    Stop { within: Duration, done: oneshot::Sender<()> },
}

impl TrackerHandle {
    /// This run has brought `left` to 0 (never said for data that was found complete, or for a selection). Set the totals
    /// first.
    pub fn completed(&self) {
        self.say(Command::Completed);
    }

    /// More peers would help: asks again as soon as the trackers' min intervals allow. May be said as often as one likes.
    pub fn want_peers(&self) {
        self.say(Command::WantPeers);
    }

    /// Asks these too, each list a tier of its own: what is not in the torrent or its link, but named by the user or
    /// remembered. Ignored for a private torrent, and left by one that turns out to be private.
    pub fn add(&self, tiers: Vec<Vec<String>>) {
        self.say(Command::Add(tiers));
    }

    /// The metadata of a magnet says that the torrent is private: from now on one tracker at a time. If more than one had
    /// answered, [`TrackerNews::Switched`] and the peers of the one that is kept come out.
    pub fn become_private(&self) {
        self.say(Command::BecomePrivate);
    }

    /// The metadata of a magnet shows a hybrid of which only one hash was known: the trackers that know us are told of us
    /// under the other one too, and the next announces go to both.
    pub fn adopt(&self, id: TorrentId) {
        self.say(Command::Adopt(id));
    }

    /// Says farewell (`stopped`) to the trackers that know us, and ends the task. The farewells go out at once, or after
    /// the `completed` that is on its way; they are waited for no longer than `within`. To leave many torrents side by
    /// side, join these.
    pub fn stop(self, within: Duration) -> impl Future<Output = ()> + Send + 'static {
        let (done, end) = oneshot::channel();
        self.say(Command::Stop { within, done });
        async move { drop(end.await) }
    }

    /// The latest status; its `changed` wakes when there is a newer one.
    pub fn status(&self) -> watch::Receiver<TrackerStatus> {
        self.status.clone()
    }

    fn say(&self, command: Command) {
        drop(self.commands.send(command)); // a task that is gone needs no more telling
    }
}

/// Starts the task; the first announces go out at once. `news` takes what it finds.
pub fn spawn(setup: TrackerSetup, announcer: Announcer, news: mpsc::UnboundedSender<TrackerNews>) -> TrackerHandle {
    let (commands, inbox) = mpsc::unbounded_channel();
    let (publish, status) = watch::channel(TrackerStatus::default());
    tokio::spawn(Task::new(setup, announcer, news, publish).run(inbox));
    TrackerHandle { commands, status }
}

/// A request that is out.
struct Out {
    ask: Ask,
    /// Something has come of it: the other address family and the other swarm may say more.
    replied: bool,
    /// It is to one swarm of a hybrid that is joined late: that this one is refused says nothing of the tracker.
    late: bool,
}

/// What a running announce sends back.
enum Answer {
    Reply(AskId, AnnounceReply),
    Over(AskId, Result<(), TrackerError>),
}

struct Task {
    tiers: Tiers,
    announcer: Announcer,
    setup: TrackerSetup,
    news: mpsc::UnboundedSender<TrackerNews>,
    publish: watch::Sender<TrackerStatus>,
    /// Where in the status each tracker stands.
    rows: Vec<usize>,
    /// The last addresses of each tracker, while a magnet may still turn out private.
    heard: HashMap<TrackerKey, Vec<SocketAddr>>,
    /// The requests that are out, and which of them the end waits for.
    running: JoinSet<()>,
    open: HashMap<AskId, Out>,
    /// The latest announce to each tracker: its sender is dropped when it is over.
    latest: HashMap<TrackerKey, oneshot::Receiver<()>>,
    /// How far an announce runs ahead of the next one to the same tracker. Each has a connection of its own, and a
    /// tracker that hears `stopped` before `completed` would list us until it forgets us.
    head_start: Duration,
    tell: mpsc::UnboundedSender<Answer>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

/// How many addresses of a tracker are kept for a magnet that may turn out private.
const KEPT: usize = 200;

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Task {
    fn new(
        mut setup: TrackerSetup,
        announcer: Announcer,
        news: mpsc::UnboundedSender<TrackerNews>,
        publish: watch::Sender<TrackerStatus>,
    ) -> Self {
        let (tell, answers) = mpsc::unbounded_channel();
        let rng = StdRng::from_rng(&mut setup.rng);
        let tiers = read(std::mem::take(&mut setup.tiers), &publish);
        let mut task = Task {
            tiers: Tiers::new(now(), tiers, setup.private, rng),
            announcer,
            setup,
            news,
            publish,
            rows: Vec::new(),
            heard: HashMap::new(),
            running: JoinSet::new(),
            open: HashMap::new(),
            latest: HashMap::new(),
            head_start: Duration::ZERO,
            tell,
            answers,
        };
        task.add_rows();
        task
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        loop {
            self.make_announces();
            let due = self.tiers.poll_timeout();
            tokio::select! {
                command = inbox.recv() => match command {
                    None => return,
                    Some(Command::Stop { within, done }) => {
                        drop(timeout(within, self.stop(within / 2)).await);
                        drop(done);
                        return;
                    }
                    Some(command) => self.on_command(command),
                },
                Some(answer) = self.answers.recv() => self.on_answer(answer),
                Some(_) = self.running.join_next() => {}
                () = sleep_until(due.unwrap_or_else(now).into()), if due.is_some() => self.tiers.on_timeout(now()),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Completed => self.tiers.on_completed(),
            Command::WantPeers => self.tiers.want_peers(now()),
            Command::Add(tiers) => {
                let tiers = read(tiers, &self.publish);
                self.tiers.add(now(), tiers);
                self.add_rows();
            }
            Command::BecomePrivate => self.become_private(),
            Command::Adopt(id) => self.adopt(id),
            Command::Stop { .. } => unreachable!("the loop ends with it"),
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Reply(id, reply) => self.on_reply(id, reply),
            Answer::Over(id, outcome) => {
                let Some(Out { ask, late, .. }) = self.open.remove(&id) else { return };
                match outcome {
                    Ok(()) => self.tiers.on_done(id),
                    Err(_) if late => self.tiers.on_done(id),
                    Err(error) => {
                        let why = self.tiers.url(ask.tracker).scrub(&error.to_string());
                        self.show(ask.tracker, |row| row.error = Some(why));
                        self.tiers.on_failure(now(), id, &error);
                    }
                }
            }
        }
    }

    fn on_reply(&mut self, id: AskId, reply: AnnounceReply) {
        let Some(out) = self.open.get_mut(&id) else { return };
        let (key, more) = (out.ask.tracker, std::mem::replace(&mut out.replied, true));
        let heard = self.tiers.on_reply(now(), id, &reply);
        let warning = reply.warning.map(|warning| self.tiers.url(key).scrub(&warning));
        self.show(key, |row| {
            (row.answered, row.error, row.warning) = (true, None, warning);
            // Most peers stand in all swarms of a tracker: the largest count is nearest to the truth.
            let counted = |now: Option<u32>, before| if more { now.max(before) } else { now.or(before) };
            row.seeders = counted(reply.seeders, row.seeders);
            row.leechers = counted(reply.leechers, row.leechers);
        });
        if let Some(ip) = reply.external_ip {
            self.publish.send_if_modified(|status| status.external_ip.replace(ip) != Some(ip));
        }
        if heard.switched {
            self.report(TrackerNews::Switched);
        }
        if heard.usable && !reply.peers.is_empty() {
            if !self.setup.private {
                let heard = self.heard.entry(key).or_default();
                if !more {
                    heard.clear();
                }
                heard.extend(reply.peers.iter().take(KEPT.saturating_sub(heard.len())));
            }
            self.report(TrackerNews::Peers(reply.peers));
        }
    }

    fn become_private(&mut self) {
        if std::mem::replace(&mut self.setup.private, true) {
            return;
        }
        let kept = self.tiers.become_private(now());
        let mut heard = std::mem::take(&mut self.heard);
        let kept = kept.and_then(|key| heard.remove(&key));
        if !heard.is_empty() {
            self.report(TrackerNews::Switched);
            kept.into_iter().for_each(|peers| self.report(TrackerNews::Peers(peers)));
        }
    }

    fn adopt(&mut self, id: TorrentId) {
        let before = std::mem::replace(&mut self.setup.id, id);
        if let Some(new) = id.hashes().find(|hash| !before.answers_to(*hash)) {
            self.make_announces();
            self.tiers.join();
            while let Some(ask) = self.tiers.poll_ask() {
                self.set_out(ask, new, None, true);
            }
        }
    }

    /// Farewells, until all are said that are worth waiting for.
    async fn stop(&mut self, head_start: Duration) {
        self.head_start = head_start;
        self.tiers.stop();
        self.make_announces();
        while self.open.values().any(|out| out.ask.awaited) {
            match self.answers.recv().await {
                Some(answer) => self.on_answer(answer),
                None => return,
            }
        }
    }

    /// Sets out on every announce that is due.
    fn make_announces(&mut self) {
        while let Some(ask) = self.tiers.poll_ask() {
            self.set_out(ask, self.setup.id.wire(), self.setup.id.upgraded(), false);
        }
    }

    /// Sets out on an announce under `info_hash`, and under the `other` hash of a hybrid.
    fn set_out(&mut self, ask: Ask, info_hash: InfoHashV1, other: Option<InfoHashV1>, late: bool) {
        let request = AnnounceRequest {
            info_hash,
            peer_id: self.setup.peer_id,
            key: self.setup.key,
            port: self.setup.port,
            totals: *self.setup.totals.borrow(),
            event: ask.event,
            num_want: ask.num_want,
            tracker_id: ask.tracker_id.clone(),
        };
        let (id, url) = (ask.id, self.tiers.url(ask.tracker).clone());
        let (announcer, tell) = (self.announcer.clone(), self.tell.clone());
        let (over, end) = oneshot::channel::<()>();
        let (before, head_start) = (self.latest.insert(ask.tracker, end), self.head_start);
        self.open.insert(id, Out { ask, replied: false, late });
        self.running.spawn(async move {
            let _over = over;
            if let Some(before) = before {
                drop(timeout(head_start, before).await);
            }
            let heard = |reply| drop(tell.send(Answer::Reply(id, reply)));
            let outcome = announcer.announce_also(&url, &request, other, heard).await;
            drop(tell.send(Answer::Over(id, outcome)));
        });
    }

    /// Gives each tracker that is new a line in the status.
    fn add_rows(&mut self) {
        let new: Vec<TrackerKey> = self.tiers.keys().skip(self.rows.len()).collect();
        self.publish.send_if_modified(|status| {
            for key in &new {
                self.rows.push(status.trackers.len());
                let name = self.tiers.url(*key).to_string();
                status.trackers.push(TrackerState { name, ..TrackerState::default() });
            }
            !new.is_empty()
        });
    }

    fn show(&self, key: TrackerKey, change: impl FnOnce(&mut TrackerState)) {
        self.publish.send_modify(|status| change(&mut status.trackers[self.rows[key.0 as usize]]));
    }

    fn report(&self, news: TrackerNews) {
        drop(self.news.send(news)); // nobody wants to know any more: the end is near
    }
}

/// The URLs that can be asked; the others are named in the status with their reason.
fn read(tiers: Vec<Vec<String>>, publish: &watch::Sender<TrackerStatus>) -> Vec<Vec<TrackerUrl>> {
    let read = |text: String| match TrackerUrl::parse(&text) {
        Ok(url) => Some(url),
        Err(error) => {
            publish.send_modify(|status| status.refuse(&error));
            None
        }
    };
    tiers.into_iter().map(|tier| tier.into_iter().filter_map(read).collect()).collect()
}
