//! Everything that happens when nothing comes: calls again, sends again, gives up.

use std::time::{Duration, Instant};

use super::{Connection, Ending, State};
use crate::proto::utp::congestion::TARGET;

/// SYNs leave at 0, 1 and 3 s; the third is given four.
const CALLS: u32 = 3;
const FIRST_CALL: Duration = Duration::from_secs(1);
/// How long an answered SYN may stay without its caller's next packet.
const CALLED_FOR: Duration = Duration::from_secs(10);
/// Timeouts in a row after which nobody is there.
const TIMEOUTS: u32 = 6;
/// Mappings of NATs are kept alive (30 s is the least that is seen).
const KEEPALIVE: Duration = Duration::from_secs(29);
/// How long the rest may take after both sides, or we alone, are done.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_AFTER_FIN: Duration = Duration::from_secs(5);
/// The other side may hold an acknowledgement back for so long.
const HELD_BACK: Duration = Duration::from_millis(100);
const LEAST_TAIL_WAIT: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Timers {
    /// The next SYN, tail probe or timeout.
    retry_at: Option<Instant>,
    /// SYNs sent, or timeouts in a row.
    retries: u32,
    /// The last packet has been sent again for want of an answer: a timeout is next.
    tail_probed: bool,
    linger_at: Option<Instant>,
    keepalive_at: Option<Instant>,
    pub syn_due: bool,
    pub tail_due: bool,
    /// One packet is to go out although the other side has no room.
    pub window_probe_due: bool,
    pub last_sent: Instant,
}

impl Timers {
    pub fn new(now: Instant) -> Timers {
        Timers {
            retry_at: None,
            retries: 0,
            tail_probed: false,
            linger_at: None,
            keepalive_at: None,
            syn_due: false,
            tail_due: false,
            window_probe_due: false,
            last_sent: now,
        }
    }

    pub fn start_calling(&mut self, now: Instant) {
        (self.syn_due, self.retries, self.retry_at) = (true, 1, Some(now + FIRST_CALL));
    }

    pub fn start_called(&mut self, now: Instant) {
        self.retry_at = Some(now + CALLED_FOR);
    }

    pub fn start_open(&mut self, now: Instant) {
        (self.syn_due, self.retries, self.retry_at) = (false, 0, None);
        self.keepalive_at = Some(now + KEEPALIVE);
    }

    pub fn start_lingering(&mut self, now: Instant) {
        self.linger_at = Some(now + LINGER);
    }

    /// All that we said has arrived: the other side's end can't be far.
    pub fn fin_arrived(&mut self, now: Instant) {
        let soon = now + LINGER_AFTER_FIN;
        self.linger_at = Some(self.linger_at.map_or(soon, |at| at.min(soon)));
    }

    /// A SYN was sent once only, so that its answer tells the round trip.
    pub fn called_once(&self) -> bool {
        self.retries == 1
    }

    /// Something came: somebody is there.
    pub fn heard(&mut self) {
        self.retries = 0;
    }

    pub fn sent(&mut self, now: Instant) {
        self.last_sent = now;
        if let Some(at) = &mut self.keepalive_at {
            *at = now + KEEPALIVE;
        }
    }

    pub fn stop(&mut self) {
        *self = Timers::new(self.last_sent);
    }
}

fn earliest(times: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    times.into_iter().flatten().min()
}

impl Connection {
    /// When to call [`Connection::on_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let Timers { retry_at, linger_at, keepalive_at, .. } = self.timers;
        earliest([retry_at, linger_at, keepalive_at, self.ack.at, self.flight.overdue_at()])
    }

    pub fn on_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.timers.linger_at) {
            return self.end(Ending::Closed);
        }
        if due(self.ack.at) {
            (self.ack.now, self.ack.at) = (true, None);
        }
        if due(self.flight.overdue_at()) {
            self.find_lost(now);
        }
        if due(self.timers.keepalive_at) {
            self.ack.now = true;
            self.timers.keepalive_at = Some(now + KEEPALIVE);
        }
        if due(self.timers.retry_at) {
            self.timers.retry_at = None;
            match self.state {
                State::Calling => self.call_again(now),
                State::Called => self.end(Ending::TimedOut),
                State::Open => self.on_silence(now),
                State::Over(_) => {}
            }
        }
    }

    fn call_again(&mut self, now: Instant) {
        if self.timers.retries >= CALLS {
            return self.end(Ending::TimedOut);
        }
        self.timers.retry_at = Some(now + FIRST_CALL * (1 << self.timers.retries));
        self.timers.retries += 1;
        self.timers.syn_due = true;
    }

    fn on_silence(&mut self, now: Instant) {
        if self.flight.is_empty() {
            self.timers.window_probe_due = true;
            return;
        }
        if !self.timers.tail_probed && self.flight.packets_under_way() > 0 {
            (self.timers.tail_probed, self.timers.tail_due) = (true, true);
            self.timers.retry_at = Some(now + self.rtt.timeout(0));
            return;
        }
        self.timers.retries += 1;
        if self.timers.retries > TIMEOUTS {
            return self.end(Ending::TimedOut);
        }
        if let Some(size) = self.flight.lose_all() {
            self.mtu.on_probe_lost(size.into());
        }
        if self.timers.retries >= 2 && self.mtu.on_black_hole() {
            self.cut_anew();
        }
        self.congestion.on_timeout(self.flight.next_order());
        self.timers.window_probe_due = true;
        self.arm_retry(now);
    }

    /// Nothing as long as the first packets has ever arrived: the stream is cut into shorter ones, under the same
    /// numbers, since nobody has seen those.
    fn cut_anew(&mut self) {
        if let Some(start) = self.flight.take_back() {
            self.outbound.rewind(start);
            self.fin_sent = false;
            self.packet_changed();
        }
    }

    /// Waits for an answer to what is under way, or for room at the other side.
    pub(super) fn arm_retry(&mut self, now: Instant) {
        let timeout = self.rtt.timeout(self.timers.retries);
        let wait = match self.rtt.smoothed() {
            _ if self.flight.is_empty() && self.outbound.unsent() == 0 => return self.timers.retry_at = None,
            Some(rtt) if !self.timers.tail_probed && self.timers.retries == 0 && !self.flight.is_empty() => {
                let held_back = if self.flight.packets_under_way() == 1 { HELD_BACK } else { Duration::ZERO };
                (rtt * 2 + held_back).max(LEAST_TAIL_WAIT).min(timeout)
            }
            _ => timeout,
        };
        self.timers.retry_at = Some(now + wait);
    }

    /// New data waits, and the other side has no room: it is asked again after a while.
    pub(super) fn arm_window_probe(&mut self, now: Instant) {
        if self.timers.retry_at.is_none() {
            self.timers.retry_at = Some(now + self.rtt.timeout(self.timers.retries));
        }
    }

    /// The other side has moved on: what was feared did not happen.
    pub(super) fn on_progress(&mut self, now: Instant) {
        self.timers.tail_probed = false;
        self.timers.tail_due = false;
        self.timers.retries = 0;
        self.arm_retry(now);
    }

    /// After so long without a packet the window is out of date.
    pub(super) fn has_been_idle(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.timers.last_sent) > self.rtt.timeout(0) + TARGET
    }
}
