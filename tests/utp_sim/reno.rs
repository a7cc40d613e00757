//! A TCP as it was in the beginning (Reno): one more packet a round trip, half after a loss. It fills any queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::net::Link;

const PACKET: usize = 1472;

/// An endless stream over one link; acknowledgements return after `back`.
pub struct Reno {
    window: f64,
    threshold: f64,
    under_way: u64,
    back: Duration,
    /// What becomes known when: the packet's number, and whether it arrived.
    news: BinaryHeap<Reverse<(Instant, u64, bool)>>,
    next: u64,
    /// Losses of packets before this one have been answered.
    answered: u64,
    pub delivered: u64,
}

impl Reno {
    pub fn new(back: Duration) -> Reno {
        Reno {
            window: 10.0,
            threshold: f64::MAX,
            under_way: 0,
            back,
            news: BinaryHeap::new(),
            next: 0,
            answered: 0,
            delivered: 0,
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.news.peek().map(|Reverse((at, ..))| *at)
    }

    pub fn run(&mut self, now: Instant, link: &mut Link) {
        while let Some(Reverse((at, packet, arrived))) = self.news.peek().copied()
            && at <= now
        {
            self.news.pop();
            self.under_way -= 1;
            if arrived {
                self.delivered += PACKET as u64;
                self.window += if self.window < self.threshold { 1.0 } else { 1.0 / self.window };
            } else if packet >= self.answered {
                self.window = (self.window / 2.0).max(2.0);
                self.threshold = self.window;
                self.answered = self.next;
            }
        }
        while (self.under_way as f64) < self.window.floor() {
            let arrival = link.pass(now, PACKET);
            // A hole is seen when the next packets are acknowledged, a full queue later.
            let known = arrival.unwrap_or(now + link.queue + link.delay) + self.back;
            self.news.push(Reverse((known, self.next, arrival.is_some())));
            self.next += 1;
            self.under_way += 1;
        }
    }
}
