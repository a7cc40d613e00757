//! How many bytes a second, over the last few seconds.

use std::time::{Duration, Instant};

/// Counts bytes in slots of a quarter of a second and forgets them after four seconds. Fixed in size, no allocation.
#[derive(Clone, Debug, Default)]
pub struct RateMeter {
    /// When the first bytes were counted.
    since: Option<Instant>,
    /// Slot `n` (of all time) lies at `n % SLOTS`.
    slots: [u64; SLOTS as usize],
    /// The newest slot that was counted into.
    newest: u64,
}

const SLOTS: u64 = 16;
const SLOT: Duration = Duration::from_millis(250);
/// The shortest time that a rate is made of, so that the first bytes show no absurd one.
const LEAST: Duration = Duration::from_secs(1);

impl RateMeter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `bytes` at `now`. Times before the last one count as the last one.
    pub fn push(&mut self, now: Instant, bytes: u64) {
        let since = *self.since.get_or_insert(now);
        let slot = slot(since, now).max(self.newest);
        for passed in (self.newest + 1..=slot).rev().take(SLOTS as usize) {
            self.slots[(passed % SLOTS) as usize] = 0;
        }
        self.newest = slot;
        let count = &mut self.slots[(slot % SLOTS) as usize];
        *count = count.saturating_add(bytes);
    }

    /// Bytes a second up to `now`.
    pub fn rate(&self, now: Instant) -> u64 {
        let Some(since) = self.since else { return 0 };
        let current = slot(since, now).max(self.newest);
        let oldest = (current + 1).saturating_sub(SLOTS);
        let bytes: u64 = (oldest.max((self.newest + 1).saturating_sub(SLOTS))..=self.newest)
            .map(|slot| self.slots[(slot % SLOTS) as usize])
            .fold(0, u64::saturating_add);
        let begin = since + SLOT * u32::try_from(oldest).unwrap_or(u32::MAX);
        let span = now.saturating_duration_since(begin).max(LEAST);
        (bytes as f64 / span.as_secs_f64()).round() as u64
    }
}

fn slot(since: Instant, now: Instant) -> u64 {
    (now.saturating_duration_since(since).as_millis() / SLOT.as_millis()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: u64) -> impl Fn(Instant) -> Instant {
        move |start| start + Duration::from_millis(millis)
    }

    #[test]
    fn a_steady_stream_shows_its_rate() {
        let (start, mut meter) = (Instant::now(), RateMeter::new());
        for millis in (0..20_000).step_by(50) {
            meter.push(after(millis)(start), 5_000);
            if millis > 5_000 {
                let rate = meter.rate(after(millis)(start));
                assert!((98_000..=105_000).contains(&rate), "{rate} at {millis} ms");
            }
        }
    }

    #[test]
    fn the_first_bytes_count_as_if_they_took_a_second() {
        let (start, mut meter) = (Instant::now(), RateMeter::new());
        assert_eq!(meter.rate(start), 0);
        meter.push(start, 16_384);
        assert_eq!(meter.rate(start), 16_384);
        assert_eq!(meter.rate(after(2_000)(start)), 8_192);
    }

    #[test]
    fn silence_forgets_all_within_four_seconds() {
        let (start, mut meter) = (Instant::now(), RateMeter::new());
        meter.push(start, 1_000_000);
        assert!(meter.rate(after(3_900)(start)) > 0);
        assert_eq!(meter.rate(after(4_000)(start)), 0);
        meter.push(after(3_600_250)(start), 400);
        assert!((100..=400).contains(&meter.rate(after(3_600_250)(start))), "the old bytes are gone");
    }

    #[test]
    fn a_clock_that_stands_or_steps_back_does_no_harm() {
        let (start, mut meter) = (Instant::now(), RateMeter::new());
        meter.push(after(10_000)(start), 100);
        meter.push(after(12_000)(start), 100);
        meter.push(start, 100);
        assert!(meter.rate(start) > 0 && meter.rate(after(12_000)(start)) == 150);
        meter.push(start, u64::MAX);
        meter.push(start, u64::MAX);
        assert!(meter.rate(after(12_000)(start)) > 0);
    }
}
