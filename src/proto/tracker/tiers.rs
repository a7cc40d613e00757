//! Which tracker is asked when (BEP 12, BEP 27): the schedule of one torrent's announces.
//!
//! Public torrents ask every tier's first tracker at once, and whenever a tier has been silent for [`PATIENCE`] or its
//! tracker failed, the next of that tier; the first to answer moves to the front of its tier and is the one that is
//! asked again after its interval. Private torrents put all trackers into one row and ask one at a time.
//!
//! Owns: per tracker what it was told (started, completed) and when it may be asked again; per tier the round that is
//! under way. Invariants: a tracker is told `stopped` only if it was told `started`; a tracker in back-off is not asked,
//! nor is one before its min interval, except for `completed` and `stopped`.

mod rounds;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::announce::{AnnounceEvent, AnnounceReply, Retry, TrackerError};
use super::url::TrackerUrl;

/// How long a tier's tracker may be silent before the next of the tier is asked beside it.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How long the tracker of a private torrent may be silent before it counts as failed: a lost first packet of a UDP
/// tracker, which is sent again after 15 s, is forgiven.
pub const PRIVATE_PATIENCE: Duration = Duration::from_secs(20);
/// No tracker is asked more often, whatever it says.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(15);
/// No tracker that answers is asked less often, whatever it says: it would forget us.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(2 * 3600);
/// Where a tracker names no interval.
pub const USUAL_INTERVAL: Duration = Duration::from_secs(1800);
/// Where a tracker names no min interval, and peers are wanted.
pub const USUAL_MIN_INTERVAL: Duration = Duration::from_secs(300);
/// How many trackers of a torrent are looked at; the rest is left out.
pub const MAX_TRACKERS: usize = 256;

const NUM_WANT: u32 = 200;

/// Names a tracker of a torrent for the whole run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TrackerKey(pub u32);

/// Names one request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AskId(pub u64);

/// An announce to be made now. It is answered by one [`Tiers::on_failure`] or by one or (where a tracker is asked on two
/// address families) more [`Tiers::on_reply`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    pub id: AskId,
    pub tracker: TrackerKey,
    pub event: AnnounceEvent,
    pub num_want: u32,
    pub tracker_id: Option<Vec<u8>>,
    /// A farewell that is worth waiting for; other farewells are sent on the chance.
    pub awaited: bool,
}

/// What a reply means for the torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Its peers may be called; not so what an abandoned tracker of a private torrent says.
    pub usable: bool,
    /// A private torrent has another tracker now: all peers that it has are to be dropped first (BEP 27).
    pub switched: bool,
}

/// The schedule. See the module.
#[derive(Debug)]
pub struct Tiers {
    trackers: Vec<Tracker>,
    tiers: Vec<Tier>,
    /// One tracker at a time; there is one tier then.
    private: bool,
    /// The tracker that a private torrent belongs to.
    current: Option<TrackerKey>,
    stopped: bool,
    open: BTreeMap<AskId, Open>,
    next_id: u64,
    asks: VecDeque<Ask>,
    rng: StdRng,
}

#[derive(Debug)]
struct Tracker {
    url: TrackerUrl,
    /// Not one of the torrent's own.
    added: bool,
    told: Told,
    /// `completed` is still to be told.
    completed_due: bool,
    tracker_id: Option<Vec<u8>>,
    /// The earliest time of a regular announce.
    not_before: Option<Instant>,
    failures: u32,
    /// Never to be asked again: it wants it so (BEP 31), or the torrent is private and it is not one of its own.
    gone: bool,
    answered: bool,
    /// The request of a round that is out, also when the round is over.
    asked: Option<AskId>,
}

/// What a tracker knows of us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Nothing,
    Started,
    Stopped,
}

#[derive(Debug, Default)]
struct Tier {
    /// In the order in which they are asked.
    order: Vec<TrackerKey>,
    round: Option<Round>,
    /// When the next round begins; `None`: one is under way, or all its trackers are out or gone.
    next: Option<Instant>,
    /// A tracker answered in the last round: it leads `order`.
    led: bool,
}

/// One walk along a tier until a tracker answers or nobody is left to be asked.
#[derive(Debug)]
struct Round {
    /// Those still to be asked, in order.
    waiting: VecDeque<TrackerKey>,
    /// The last that was asked.
    last: TrackerKey,
    /// When to go on although `last` is silent.
    patience: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    tracker: TrackerKey,
    event: AnnounceEvent,
    /// Of a private torrent, after patience was over: what comes is not used.
    abandoned: bool,
}

impl Tiers {
    /// The schedule for `tiers`; what stands twice counts once. The first announces are due at `now`.
    pub fn new(now: Instant, tiers: Vec<Vec<TrackerUrl>>, private: bool, rng: StdRng) -> Self {
        let mut schedule = Tiers {
            trackers: Vec::new(),
            tiers: Vec::new(),
            private: false,
            current: None,
            stopped: false,
            open: BTreeMap::new(),
            next_id: 0,
            asks: VecDeque::new(),
            rng,
        };
        schedule.insert(now, tiers, false);
        if private {
            schedule.merge_tiers(now);
        }
        schedule.on_timeout(now);
        schedule
    }

    /// Asks these too, each list a tier of its own, as long as the torrent is not private: such a one has no trackers but
    /// its own (BEP 27).
    pub fn add(&mut self, now: Instant, tiers: Vec<Vec<TrackerUrl>>) {
        if !self.private && !self.stopped {
            self.insert(now, tiers, true);
            self.on_timeout(now);
        }
    }

    /// The metadata says that the torrent is private: from now on there is one tracker, the first of its own that has
    /// answered. The others that know us are told `stopped`, those that were added are out. Gives that one tracker.
    pub fn become_private(&mut self, now: Instant) -> Option<TrackerKey> {
        if self.private || self.stopped {
            return self.current;
        }
        for tracker in &mut self.trackers {
            tracker.gone |= tracker.added;
        }
        let keep = |key: &TrackerKey| self.at(*key).answered && !self.at(*key).gone;
        self.current = self.tiers.iter().flat_map(|tier| &tier.order).copied().find(keep);
        self.merge_tiers(now);
        for key in self.keys().filter(|key| Some(*key) != self.current).collect::<Vec<_>>() {
            self.part_from(key);
        }
        self.on_timeout(now);
        self.current
    }

    /// The next announce to be made.
    pub fn poll_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// When [`Tiers::on_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = |tier: &Tier| tier.round.as_ref().map_or(tier.next, |round| Some(round.patience));
        if self.stopped { None } else { self.tiers.iter().filter_map(due).min() }
    }

    /// Begins the rounds that are due and goes on where patience is over.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.stopped {
            return;
        }
        for nth in 0..self.tiers.len() {
            let tier = &mut self.tiers[nth];
            if let Some(round) = tier.round.take_if(|round| round.patience <= now) {
                if self.private {
                    self.abandon(now, round.last);
                }
                self.ask_next(now, nth, round.waiting);
            } else if tier.next.is_some_and(|at| at <= now) {
                (tier.next, tier.led) = (None, false);
                let waiting = tier.order.iter().copied().collect();
                self.ask_next(now, nth, waiting);
            }
        }
    }

    /// A tracker answered `id`.
    pub fn on_reply(&mut self, now: Instant, id: AskId, reply: &AnnounceReply) -> Heard {
        let none = Heard { usable: false, switched: false };
        let Some(&Open { tracker: key, event, abandoned }) = self.open.get(&id) else { return none };
        let tracker = self.at_mut(key);
        match event {
            AnnounceEvent::Started if tracker.told == Told::Nothing => tracker.told = Told::Started,
            AnnounceEvent::Stopped => return none,
            _ => {}
        }
        if reply.tracker_id.is_some() {
            tracker.tracker_id = reply.tracker_id.clone();
        }
        if abandoned && !self.stopped && event == AnnounceEvent::Started {
            self.part_from(key);
        }
        if self.stopped || abandoned {
            return none;
        }
        let tracker = self.at_mut(key);
        tracker.answered = true;
        tracker.failures = 0;
        let interval = reply.interval.unwrap_or(USUAL_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        let min = reply.min_interval.unwrap_or(USUAL_MIN_INTERVAL).clamp(SHORTEST_INTERVAL, interval);
        tracker.not_before = Some(now + min);
        if tracker.completed_due && event == AnnounceEvent::Started {
            self.say_completed(key);
        }
        self.settle(now, id, key, interval);
        let switched = self.private && self.current.replace(key).is_some_and(|before| before != key);
        Heard { usable: true, switched }
    }

    /// Nothing came of `id`.
    pub fn on_failure(&mut self, now: Instant, id: AskId, error: &TrackerError) {
        let Some(Open { tracker: key, event, abandoned }) = self.open.remove(&id) else { return };
        if event == AnnounceEvent::Completed {
            self.at_mut(key).completed_due = true;
        }
        if self.stopped || abandoned || event == AnnounceEvent::Stopped {
            return;
        }
        self.back_off(now, key, error);
        let nth = self.tier_of(key);
        let asked = self.at_mut(key).asked.take_if(|asked| *asked == id).is_some();
        if asked && let Some(round) = self.tiers[nth].round.take_if(|round| round.last == key) {
            self.ask_next(now, nth, round.waiting);
        } else if !self.tiers[nth].led || self.at(key).completed_due {
            self.plan(now, nth);
        }
    }

    /// No more replies will come for `id`, which had one at least.
    pub fn on_done(&mut self, id: AskId) {
        self.open.remove(&id);
    }

    /// This run has brought `left` to 0: whoever was told `started` hears of it at once.
    pub fn on_completed(&mut self) {
        for key in self.keys() {
            if self.at(key).told == Told::Started {
                self.say_completed(key);
            } else if self.at(key).told == Told::Nothing && self.is_starting(key) {
                self.at_mut(key).completed_due = true;
            }
        }
    }

    /// More peers would help: trackers that answer are asked again as soon as their min interval allows.
    pub fn want_peers(&mut self, now: Instant) {
        for nth in 0..self.tiers.len() {
            let soonest = |key: &TrackerKey| self.at(*key).not_before.filter(|_| self.at(*key).failures == 0);
            if let Some(soonest) = self.tiers[nth].order.first().and_then(soonest) {
                let next = &mut self.tiers[nth].next;
                *next = next.map(|at| at.min(soonest));
            }
        }
        self.on_timeout(now);
    }

    /// The torrent has got another swarm: whoever knows us, or is about to, is told `started` of that one.
    pub fn join(&mut self) {
        for key in self.keys() {
            if !self.stopped && (self.at(key).told == Told::Started || self.is_starting(key)) {
                self.say(key, AnnounceEvent::Started, false);
            }
        }
    }

    /// The end: nothing is asked any more, and whoever was told `started` is told `completed`, if that is still to be
    /// said, and `stopped`. The asks that are `awaited` go to trackers that have answered.
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.unsay(|ask| ask.event == AnnounceEvent::Completed);
        for key in self.keys() {
            let starting = self.is_starting(key);
            let tracker = self.at_mut(key);
            let known = tracker.told == Told::Started;
            if known || (tracker.told == Told::Nothing && starting) {
                tracker.told = Told::Stopped;
                if std::mem::take(&mut tracker.completed_due) {
                    self.say(key, AnnounceEvent::Completed, known);
                }
                self.say(key, AnnounceEvent::Stopped, known);
            }
        }
    }

    /// Every tracker that can be asked, in a fixed order.
    pub fn keys(&self) -> impl Iterator<Item = TrackerKey> + use<> {
        (0..self.trackers.len() as u32).map(TrackerKey)
    }

    pub fn url(&self, key: TrackerKey) -> &TrackerUrl {
        &self.at(key).url
    }

    // ---- saying ----

    /// The announce that is due to a tracker in a round.
    fn ask(&mut self, key: TrackerKey) -> AskId {
        let tracker = self.at_mut(key);
        let event = match tracker.told {
            Told::Nothing | Told::Stopped => AnnounceEvent::Started,
            Told::Started if std::mem::take(&mut tracker.completed_due) => AnnounceEvent::Completed,
            Told::Started => AnnounceEvent::Regular,
        };
        if event == AnnounceEvent::Started {
            tracker.told = Told::Nothing;
        }
        self.say(key, event, false)
    }

    fn say(&mut self, key: TrackerKey, event: AnnounceEvent, awaited: bool) -> AskId {
        let id = AskId(self.next_id);
        self.next_id += 1;
        self.open.insert(id, Open { tracker: key, event, abandoned: false });
        let num_want = if event == AnnounceEvent::Stopped { 0 } else { NUM_WANT };
        let tracker_id = self.at(key).tracker_id.clone();
        self.asks.push_back(Ask { id, tracker: key, event, num_want, tracker_id, awaited });
        id
    }

    fn say_completed(&mut self, key: TrackerKey) {
        self.at_mut(key).completed_due = false;
        self.say(key, AnnounceEvent::Completed, true);
    }

    /// Takes back what nobody has polled yet, except what `keep` keeps.
    fn unsay(&mut self, keep: impl Fn(&Ask) -> bool) {
        let (open, trackers) = (&mut self.open, &mut self.trackers);
        self.asks.retain(|ask| {
            let kept = keep(ask);
            if !kept {
                open.remove(&ask.id);
                trackers[ask.tracker.0 as usize].asked.take_if(|asked| *asked == ask.id);
            }
            kept
        });
    }

    /// True if `started` is on its way to `key`.
    fn is_starting(&self, key: TrackerKey) -> bool {
        self.open.values().any(|open| open.tracker == key && open.event == AnnounceEvent::Started)
    }

    // ---- the books ----

    fn insert(&mut self, now: Instant, tiers: Vec<Vec<TrackerUrl>>, added: bool) {
        for urls in tiers {
            let mut order = Vec::new();
            for url in urls {
                let known = self.trackers.iter().any(|tracker| tracker.url == url);
                if !known && self.trackers.len() < MAX_TRACKERS {
                    order.push(TrackerKey(self.trackers.len() as u32));
                    self.trackers.push(Tracker::new(url, added));
                }
            }
            if !order.is_empty() {
                order.shuffle(&mut self.rng);
                self.tiers.push(Tier { order, round: None, next: Some(now), led: false });
            }
        }
    }

    /// Puts all trackers into one row, the current one first, and asks one at a time from now on.
    fn merge_tiers(&mut self, now: Instant) {
        self.private = true;
        let current = self.current;
        self.unsay(|ask| Some(ask.tracker) == current);
        for open in self.open.values_mut().filter(|open| Some(open.tracker) != current) {
            open.abandoned = true;
        }
        let next = current.and_then(|key| self.tiers[self.tier_of(key)].next).unwrap_or(now);
        let mut order: Vec<TrackerKey> = self.tiers.drain(..).flat_map(|tier| tier.order).collect();
        order.sort_by_key(|key| Some(*key) != current);
        for key in &order {
            self.at_mut(*key).asked = None;
        }
        if !order.is_empty() {
            self.tiers.push(Tier { order, round: None, next: Some(next), led: current.is_some() });
        }
    }

    fn tier_of(&self, key: TrackerKey) -> usize {
        self.tiers.iter().position(|tier| tier.order.contains(&key)).expect("every tracker stands in a tier")
    }

    fn at(&self, key: TrackerKey) -> &Tracker {
        &self.trackers[key.0 as usize]
    }

    fn at_mut(&mut self, key: TrackerKey) -> &mut Tracker {
        &mut self.trackers[key.0 as usize]
    }
}

impl Tracker {
    fn new(url: TrackerUrl, added: bool) -> Self {
        Tracker {
            url,
            added,
            told: Told::Nothing,
            completed_due: false,
            tracker_id: None,
            not_before: None,
            failures: 0,
            gone: false,
            answered: false,
            asked: None,
        }
    }
}

#[cfg(test)]
mod tests;
