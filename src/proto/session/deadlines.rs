//! What takes too long, and what is said every so often.

use std::time::{Duration, Instant};

use super::{CloseReason, PeerEvent, Session};
use crate::base::layout::BLOCK_LEN;
use crate::proto::wire::Message;

/// Peers drop a connection that is silent for two minutes (BEP 3): we speak before.
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// Nothing at all has come.
const IDLE: Duration = Duration::from_secs(180);
/// The peer has taken none of what waits to be written.
const DRAIN: Duration = Duration::from_secs(60);
/// No answer to a request for metadata or hashes.
const METADATA: Duration = Duration::from_secs(15);
/// A choked peer's rejects, or a request that others have overtaken.
const ANSWER: Duration = Duration::from_secs(20);
/// Bounds of the time after which silence about our requests is suspicious.
const SNUB: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(60));
/// The same before anything is known of the peer.
const FIRST_SNUB: Duration = Duration::from_secs(10);
/// At most one tally in this time.
const TALLY: Duration = Duration::from_secs(1);
/// A peer that rejects all that it was asked for without choking is left in peace for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// For what is queued when we close.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Deadlines {
    heard: Instant,
    spoke: Instant,
    /// Since when something waits to be written and nothing is taken.
    stuck: Option<Instant>,
    /// Since when blocks are due and none has come.
    waiting: Option<Instant>,
    snubbed: bool,
    /// Since when a fast peer that choked us owes answers.
    owed: Option<Instant>,
    /// When the last tally was reported, and whether something has come since.
    tallied: Instant,
    tally_due: bool,
    closing: Option<Instant>,
    /// The peer rejected all requests although it does not choke us; it is asked for nothing more for a while.
    rejected: Option<Instant>,
}

impl Deadlines {
    pub fn new(now: Instant) -> Self {
        Deadlines {
            heard: now,
            spoke: now,
            stuck: None,
            waiting: None,
            snubbed: false,
            owed: None,
            tallied: now,
            tally_due: false,
            closing: None,
            rejected: None,
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub fn is_snubbed(&self) -> bool {
        self.snubbed
    }

    pub fn is_pausing(&self) -> bool {
        self.rejected.is_some()
    }

    pub fn pause(&mut self, now: Instant) {
        self.rejected = Some(now);
    }

    pub fn spoke(&mut self, now: Instant) {
        self.spoke = now;
        self.stuck.get_or_insert(now);
    }

    /// Some of what waited was taken; `rest` is still waiting.
    pub fn drained(&mut self, now: Instant, rest: bool) {
        self.stuck = rest.then_some(now);
    }
}

impl Session {
    /// When [`Session::on_timeout`] wants to be called at the latest; `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let d = &self.deadlines;
        let deadlines = [
            Some(d.heard + IDLE),
            Some(d.spoke + KEEP_ALIVE),
            d.stuck.map(|since| since + DRAIN),
            d.waiting.filter(|_| !d.snubbed).map(|since| since + self.snub_after()),
            d.owed.map(|since| since + ANSWER),
            self.leases.overtaken().map(|since| since + ANSWER),
            self.metadata.asked_at.map(|since| since + METADATA),
            self.hashes.asked_at.map(|since| since + METADATA),
            d.tally_due.then_some(d.tallied + TALLY),
            d.closing.map(|since| since + LINGER),
            d.rejected.map(|since| since + PAUSE),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.now = self.now.max(now);
        let now = self.now;
        let over = |since: Option<Instant>, limit| since.is_some_and(|since| now >= since + limit);
        let d = &self.deadlines;
        if now >= d.heard + IDLE || over(d.stuck, DRAIN) {
            return self.close(now, CloseReason::TimedOut);
        }
        if over(d.closing, LINGER) {
            return self.close(now, CloseReason::Ours);
        }
        if now >= d.spoke + KEEP_ALIVE {
            self.deadlines.spoke = now;
            self.send(Message::KeepAlive);
        }
        if !self.deadlines.snubbed && over(self.deadlines.waiting, self.snub_after()) {
            self.deadlines.snubbed = true;
            self.emit(PeerEvent::Snubbed(true));
        }
        if over(self.deadlines.owed, ANSWER) {
            let allowed = std::mem::take(&mut self.allowed);
            self.return_where(|piece| !allowed.contains(&piece));
            self.allowed = allowed;
            self.deadlines.owed = None;
        }
        while let Some(overtaken) = now.checked_sub(ANSWER).and_then(|before| self.leases.take_overtaken(before)) {
            self.give_back(overtaken, true);
        }
        if over(self.metadata.asked_at, METADATA) {
            self.metadata_overdue();
        }
        if over(self.hashes.asked_at, METADATA) {
            self.hashes_overdue();
        }
        if self.deadlines.tally_due && now >= self.deadlines.tallied + TALLY {
            self.report_tally();
        }
        self.deadlines.rejected.take_if(|since| now >= *since + PAUSE);
        self.settle();
    }

    /// Something has come from the peer.
    pub(super) fn arrived(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.deadlines.heard = self.now;
    }

    /// Bytes of a block that we asked for have come.
    pub(super) fn flows(&mut self) {
        self.deadlines.waiting = (self.leases.in_flight() > 0).then_some(self.now);
        if std::mem::take(&mut self.deadlines.snubbed) {
            self.emit(PeerEvent::Snubbed(false));
        }
    }

    /// Requests have been sent, or taken back.
    pub(super) fn awaits(&mut self) {
        if self.leases.in_flight() == 0 {
            self.deadlines.waiting = None;
            self.deadlines.owed = None;
        } else {
            self.deadlines.waiting.get_or_insert(self.now);
        }
    }

    /// A fast peer has choked us and owes a reject or a block for each request.
    pub(super) fn owes(&mut self, owes: bool) {
        self.deadlines.owed = (owes && self.leases.in_flight() > 0).then_some(self.now);
    }

    /// Payload has come or gone.
    pub(super) fn tally_grew(&mut self) {
        self.deadlines.tally_due = true;
        if self.now >= self.deadlines.tallied + TALLY {
            self.report_tally();
        }
    }

    pub(super) fn report_tally(&mut self) {
        if std::mem::take(&mut self.deadlines.tally_due) {
            self.deadlines.tallied = self.now;
            self.emit(PeerEvent::Tally(self.tally));
        }
    }

    pub(super) fn begin_closing(&mut self) {
        self.deadlines.closing.get_or_insert(self.now);
    }

    /// A few delays and a few blocks' time beyond what was measured.
    fn snub_after(&self) -> Duration {
        let Some(delay) = self.window.delay() else { return FIRST_SNUB };
        let block = Duration::from_micros(u64::from(BLOCK_LEN) * 1_000_000 / self.window.rate().max(1));
        (4 * (delay + block)).clamp(SNUB.0, SNUB.1)
    }
}
