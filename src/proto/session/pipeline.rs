//! How much to ask for at a time: the request window.
//!
//! One request at a time is a probe: from when it went out to when its block came, the delay is known, and from what
//! came meanwhile, the rate. The window aims at twice rate × least delay, so that a link that is still opening up is
//! always asked for more than it gave, and some time's worth on top for peers that answer in bursts. It starts
//! small, grows by what arrives (doubling each round trip) and shrinks slowly.

use std::time::{Duration, Instant};

use super::leases::Position;
use crate::base::layout::BLOCK_LEN;

/// The window of the slowest peer.
const LEAST: u64 = 4 * BLOCK_LEN as u64;
/// Beyond rate × delay: this time's worth of bytes ...
const BURST: Duration = Duration::from_millis(500);
/// ... but not more than this.
const BURST_BYTES: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Window {
    bytes: u64,
    max: u64,
    probe: Option<Probe>,
    /// Bytes of blocks that have come in.
    delivered: u64,
    /// Bytes a second; rises at once, falls slowly.
    rate: u64,
    least_delay: Option<Duration>,
    last_delay: Option<Duration>,
}

#[derive(Debug)]
struct Probe {
    at: Position,
    sent: Instant,
    delivered: u64,
}

impl Window {
    /// `first` bytes to begin with, and never more than `max`.
    pub fn new(first: u32, max: u32) -> Self {
        let max = u64::from(max).max(LEAST);
        let bytes = u64::from(first).clamp(LEAST, max);
        Window { bytes, max, probe: None, delivered: 0, rate: 0, least_delay: None, last_delay: None }
    }

    /// Bytes to have asked for at a time.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes a second; 0 if not known yet.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// From the last measured request to its block.
    pub fn delay(&self) -> Option<Duration> {
        self.last_delay
    }

    pub fn on_ask(&mut self, now: Instant, at: Position) {
        if self.probe.is_none() {
            self.probe = Some(Probe { at, sent: now, delivered: self.delivered });
        }
    }

    /// Block `at` of `len` bytes has come, while `in_flight` bytes (with it) were asked for.
    pub fn on_block(&mut self, now: Instant, at: Position, len: u64, in_flight: u64) {
        self.delivered += len;
        if let Some(probe) = self.probe.take_if(|probe| probe.at == at) {
            let delay = now.saturating_duration_since(probe.sent).max(Duration::from_micros(1));
            self.sample(delay, self.delivered - probe.delivered);
        }
        // Grows only where it was in use: a peer that had too few leases shows nothing.
        if self.bytes < self.ceiling() && in_flight * 2 >= self.bytes {
            self.bytes = (self.bytes + len).min(self.ceiling()).min(self.max);
        }
    }

    /// The request at `at` will not be answered.
    pub fn on_lost(&mut self, lost: impl Fn(Position) -> bool) {
        self.probe.take_if(|probe| lost(probe.at));
    }

    /// The probe may be among the requests that were taken back.
    pub fn forget_probe(&mut self) {
        self.probe = None;
    }

    fn sample(&mut self, delay: Duration, bytes: u64) {
        self.last_delay = Some(delay);
        self.least_delay = Some(self.least_delay.map_or(delay, |least| least.min(delay)));
        let rate = (bytes as u128 * 1_000_000 / delay.as_micros()) as u64;
        self.rate = rate.max(self.rate - self.rate.saturating_sub(rate) / 8);
        let excess = self.bytes.saturating_sub(self.ceiling());
        self.bytes = (self.bytes - excess / 8).max(LEAST).min(self.max);
    }

    fn ceiling(&self) -> u64 {
        let Some(delay) = self.least_delay else { return self.max };
        let pipe = 2 * (u128::from(self.rate) * delay.as_micros() / 1_000_000) as u64;
        let burst = (u128::from(self.rate) * BURST.as_micros() / 1_000_000) as u64;
        (pipe + burst.min(BURST_BYTES)).clamp(LEAST, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes a second and a round trip of `delay`, always asked for the whole window.
    fn run(window: &mut Window, rate: u64, delay: Duration, blocks: u64) {
        let start = Instant::now();
        let len = u64::from(BLOCK_LEN);
        let service = Duration::from_nanos(len * 1_000_000_000 / rate);
        let (mut asked, mut free_at) = (0u64, start);
        let mut due = std::collections::VecDeque::new();
        let mut now = start;
        for received in 0..blocks {
            while (asked - received) * len < window.bytes() {
                window.on_ask(now, Position { slot: asked, bit: 0 });
                free_at = free_at.max(now + delay) + service;
                due.push_back(free_at);
                asked += 1;
            }
            now = due.pop_front().unwrap();
            window.on_block(now, Position { slot: received, bit: 0 }, len, (asked - received) * len);
        }
    }

    #[test]
    fn a_long_fat_link_is_filled_within_a_few_round_trips() {
        let mut window = Window::new(64 << 10, 16 << 20);
        assert_eq!(window.bytes(), 64 << 10);
        // 50 MB/s × 100 ms is 5 MB in flight; the window doubles from 64 KiB in each round trip.
        run(&mut window, 50_000_000, Duration::from_millis(100), 1_500);
        assert!(window.bytes() >= 5_000_000 && window.bytes() <= 14_000_000, "{}", window.bytes());
        assert!((45_000_000..60_000_000).contains(&window.rate()), "{}", window.rate());
    }

    #[test]
    fn a_slow_peer_is_not_asked_for_minutes_of_work() {
        let mut window = Window::new(64 << 10, 16 << 20);
        run(&mut window, 20_000, Duration::from_millis(50), 400);
        assert!(window.bytes() < LEAST + u64::from(BLOCK_LEN), "{}", window.bytes());
    }

    #[test]
    fn a_standing_queue_does_not_feed_on_itself() {
        let mut window = Window::new(64 << 10, 64 << 20);
        run(&mut window, 100_000_000, Duration::from_millis(1), 20_000);
        // Twice rate × delay, and the burst.
        assert!(window.bytes() <= 200_000 + BURST_BYTES + 1_000_000, "{}", window.bytes());
    }
}
