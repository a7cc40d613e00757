//! How many bytes may be under way: LEDBAT (RFC 6817), which gives way to everybody else on the link.
//!
//! The window grows while packets wait less than [`TARGET`] in queues and shrinks in proportion when they wait longer,
//! so that a TCP beside us, which fills the queue, gets the link. A lost packet by itself does not say whether the
//! link is full: the window falls to what the link was seen to deliver in an empty round trip, which is the whole
//! window where the loss was bad luck, and empties the queue where there was one. Much loss halves the window, whatever
//! else is seen.

use std::time::Duration;

/// The queueing delay that is aimed at (BEP 29).
pub const TARGET: Duration = Duration::from_millis(100);

/// Packets of growth a round trip, with no queue.
const GAIN: f64 = 2.0;
const FIRST_PACKETS: u64 = 10;
const LEAST_PACKETS: u64 = 2;
const MOST: u64 = 64 << 20;
/// More than this share of a round lost is never bad luck.
const HEAVY_LOSS: f64 = 0.15;
/// With fewer packets lost, the share says nothing.
const HEAVY_PACKETS: u64 = 4;
/// Rounds without a quarter more throughput after which a start has found the end of the link.
const PLATEAU_ROUNDS: u32 = 3;
/// A maximum of the delivery rate lives one to two times so many rounds.
const RATE_ROUNDS: u32 = 4;

/// What an acknowledgement brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    /// Bytes that were news.
    pub bytes: u64,
    /// All bytes delivered when the newest of these packets was sent.
    pub delivered_before: u64,
    /// All bytes delivered now.
    pub delivered: u64,
    /// Bytes a second, if that could be told.
    pub rate: Option<u64>,
    /// There was nothing more to send while this was measured.
    pub app_limited: bool,
}

#[derive(Debug)]
pub struct Congestion {
    window: f64,
    /// Below it the window doubles each round trip.
    threshold: f64,
    packet: u64,
    /// The window is what held the sender up, so that it may grow.
    pub limited: bool,
    rate: MaxRate,
    round: Round,
    plateau: Plateau,
    /// Packets sent before this belong to a loss that was answered already.
    answered: u64,
}

/// One round trip's deliveries and losses, and those of the round before.
#[derive(Debug, Default)]
struct Round {
    /// It ends when a packet is acknowledged that was sent after so many bytes had been delivered.
    ends: u64,
    acked: u64,
    lost: u64,
    before: (u64, u64),
}

#[derive(Debug, Default)]
struct Plateau {
    rate: u64,
    rounds: u32,
}

/// The highest rate of the last rounds.
#[derive(Debug, Default)]
struct MaxRate {
    now: u64,
    before: u64,
    rounds: u32,
}

impl MaxRate {
    fn get(&self) -> u64 {
        self.now.max(self.before)
    }

    fn end_round(&mut self) {
        self.rounds += 1;
        if self.rounds == RATE_ROUNDS {
            (self.before, self.now, self.rounds) = (self.now, 0, 0);
        }
    }
}

impl Congestion {
    pub fn new(packet: usize) -> Congestion {
        let packet = packet as u64;
        Congestion {
            window: (FIRST_PACKETS * packet) as f64,
            threshold: MOST as f64,
            packet,
            limited: false,
            rate: MaxRate::default(),
            round: Round::default(),
            plateau: Plateau::default(),
            answered: 0,
        }
    }

    /// Bytes that may be under way.
    pub fn window(&self) -> u64 {
        self.window as u64
    }

    /// Bytes a second that the path was seen to carry.
    pub fn rate(&self) -> u64 {
        self.rate.get()
    }

    /// The payload of a packet has changed.
    pub fn set_packet(&mut self, packet: usize) {
        self.packet = packet as u64;
    }

    fn is_starting(&self) -> bool {
        self.window < self.threshold
    }

    /// Packets arrived. `queueing` is how long they waited on their way, as far as it is known.
    pub fn on_delivered(&mut self, ack: &Delivery, queueing: Option<Duration>) {
        self.round.acked += ack.bytes;
        if let Some(rate) = ack.rate
            && (!ack.app_limited || rate > self.rate.get())
        {
            self.rate.now = self.rate.now.max(rate);
        }
        if ack.delivered_before >= self.round.ends {
            self.end_round(ack.delivered);
        }
        let queue = queueing.unwrap_or_default().as_secs_f64() / TARGET.as_secs_f64();
        let (bytes, packet) = (ack.bytes as f64, self.packet as f64);
        if self.is_starting() {
            if queue > 0.5 {
                self.threshold = self.window;
            } else if self.limited {
                self.window += bytes;
            }
        } else if queue > 1.0 {
            self.window -= bytes * (queue - 1.0).min(0.5);
        } else if self.limited {
            self.window += GAIN * (1.0 - queue) * packet * bytes / self.window;
        }
        self.bound();
    }

    fn end_round(&mut self, delivered: u64) {
        self.rate.end_round();
        let Round { acked, lost, .. } = self.round;
        self.round = Round { ends: delivered, acked: 0, lost: 0, before: (acked, lost) };
        if self.is_starting() && self.limited {
            if self.rate.get() as f64 > 1.25 * self.plateau.rate as f64 {
                self.plateau = Plateau { rate: self.rate.get(), rounds: 0 };
            } else {
                self.plateau.rounds += 1;
                if self.plateau.rounds >= PLATEAU_ROUNDS {
                    self.threshold = self.window;
                }
            }
        }
    }

    /// `bytes` were lost; the newest of them was the `order`-th packet sent, the next one will be `next_order`. `least`
    /// is the round trip without queues.
    pub fn on_lost(
        &mut self,
        bytes: u64,
        order: u64,
        next_order: u64,
        queueing: Option<Duration>,
        least: Option<Duration>,
    ) {
        self.round.lost += bytes;
        if order < self.answered {
            return;
        }
        let heavy = self.has_heavy_loss();
        let queue = queueing.unwrap_or_default();
        if self.is_starting() && !heavy && queue < TARGET / 4 {
            return;
        }
        self.answered = next_order;
        let carried = self.rate.get() as f64 * least.unwrap_or_default().as_secs_f64();
        self.window = if heavy { self.window / 2.0 } else { carried.clamp(self.window / 2.0, self.window) };
        self.bound();
        self.threshold = self.window;
    }

    fn has_heavy_loss(&self) -> bool {
        let Round { acked, lost, before, .. } = self.round;
        let (acked, lost) = (acked + before.0, lost + before.1);
        lost >= HEAVY_PACKETS * self.packet && lost as f64 > HEAVY_LOSS * (acked + lost) as f64
    }

    /// Nothing came back at all: begin anew, up to half of what was.
    pub fn on_timeout(&mut self, next_order: u64) {
        self.threshold = (self.window / 2.0).max((LEAST_PACKETS * self.packet) as f64);
        self.window = (LEAST_PACKETS * self.packet) as f64;
        self.answered = next_order;
    }

    /// Nothing was sent for longer than a timeout: what the path carries now is not known.
    pub fn on_idle(&mut self) {
        self.threshold = self.threshold.max(self.window * 0.75);
        self.window = self.window.min((FIRST_PACKETS * self.packet) as f64);
        self.plateau = Plateau::default();
    }

    fn bound(&mut self) {
        self.window = self.window.clamp((LEAST_PACKETS * self.packet) as f64, MOST as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 1000;
    const RTT: Duration = Duration::from_millis(100);

    /// A congestion window and a path that carries `rate` bytes a second.
    struct Path {
        window: Congestion,
        delivered: u64,
        order: u64,
    }

    impl Path {
        fn new() -> Path {
            let mut window = Congestion::new(PACKET as usize);
            window.limited = true;
            Path { window, delivered: 0, order: 0 }
        }

        /// A round trip in which the whole window arrives, at `rate`, with so much queueing.
        fn round(&mut self, rate: u64, queueing: Duration) {
            let before = self.delivered;
            let packets = self.window.window() / PACKET;
            for _ in 0..packets {
                self.order += 1;
                self.delivered += PACKET;
                let ack = Delivery {
                    bytes: PACKET,
                    delivered_before: before,
                    delivered: self.delivered,
                    rate: Some(rate),
                    app_limited: false,
                };
                self.window.on_delivered(&ack, Some(queueing));
            }
        }

        fn lose(&mut self, packets: u64, queueing: Duration) {
            let next = self.order + 1;
            self.window.on_lost(packets * PACKET, self.order, next, Some(queueing), Some(RTT));
        }
    }

    #[test]
    fn a_start_doubles_until_the_queue_grows() {
        let mut path = Path::new();
        for round in 1..=4 {
            path.round(round * 1_000_000, Duration::ZERO);
            assert_eq!(path.window.window(), (10 * PACKET) << round);
        }
        path.round(10_000_000, TARGET);
        assert_eq!(path.window.window(), 160 * PACKET, "no growth at the target");
    }

    #[test]
    fn the_window_grows_below_the_target_and_shrinks_above() {
        let mut path = Path::new();
        path.round(1_000_000, TARGET); // ends the start
        let before = path.window.window();
        path.round(1_000_000, Duration::ZERO);
        let grown = path.window.window() - before;
        assert!((PACKET..=2 * PACKET).contains(&grown), "{grown}");
        let before = path.window.window();
        path.round(1_000_000, TARGET * 3 / 2);
        assert!(path.window.window() < before * 3 / 4, "half of what is acknowledged goes");
    }

    #[test]
    fn bad_luck_costs_nothing_and_a_full_queue_is_emptied() {
        let mut path = Path::new();
        path.round(1_000_000, TARGET);
        for _ in 0..45 {
            path.round(550_000, TARGET / 10);
        }
        let full = path.window.window();
        // The path delivered more than the window in an empty round trip: the queue was empty.
        path.round(full * 11, TARGET / 10);
        let full = path.window.window();
        path.lose(1, TARGET / 10);
        assert_eq!(path.window.window(), full);
        // It delivers only three quarters of it without a queue.
        for _ in 0..8 {
            path.round(full * 10 * 3 / 4, TARGET);
        }
        path.lose(1, TARGET);
        let after = path.window.window();
        assert!(after.abs_diff(full * 3 / 4) < PACKET, "{full} to {after}");
    }

    #[test]
    fn much_loss_halves_once_a_round() {
        let mut path = Path::new();
        path.round(10_000_000, TARGET);
        for _ in 0..10 {
            path.round(10_000_000, TARGET / 5);
        }
        let before = path.window.window();
        path.lose(before / PACKET, TARGET / 5);
        assert_eq!(path.window.window(), before / 2);
        path.lose(3, TARGET / 5); // newer than none that were answered
        assert_eq!(path.window.window(), before / 2);
    }

    #[test]
    fn silence_begins_anew() {
        let mut path = Path::new();
        (0..5).for_each(|_| path.round(10_000_000, Duration::ZERO));
        path.window.on_timeout(path.order + 1);
        assert_eq!(path.window.window(), 2 * PACKET);
    }
}
