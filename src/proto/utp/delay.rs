//! One-way delay: differences of two clocks that share no zero, of which only the part above the least one counts.

use std::time::{Duration, Instant};

use super::minutes::MinuteMin;

/// Of so many samples the least counts (RFC 6817, `CURRENT_FILTER`): one late packet is no queue.
const FILTER: usize = 4;

/// A clock that runs faster than the other moves the base by less than this between two samples.
const MOST_DRIFT: u32 = 10_000;

/// The delays of one direction, in microseconds that wrap.
#[derive(Debug, Default)]
pub struct OneWayDelay {
    base: MinuteMin<u32>,
    recent: [u32; FILTER],
    samples: usize,
}

fn is_less(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl OneWayDelay {
    /// Adds a sample. Returns by how much the base fell, if it did so by as little as a drifting clock does.
    pub fn add(&mut self, now: Instant, sample: u32) -> Option<u32> {
        let before = self.base.get_by(is_less);
        self.base.add_by(now, sample, is_less);
        self.recent[self.samples % FILTER] = sample;
        self.samples += 1;
        let fell = before?.wrapping_sub(sample);
        (1..=MOST_DRIFT).contains(&fell).then_some(fell)
    }

    /// The other direction's base fell by so much: the clocks drift, and this one's base rises.
    pub fn shift(&mut self, by: u32) {
        self.base.map(|base| base.wrapping_add(by));
    }

    /// How long packets wait in queues now; `None` before the first sample.
    pub fn queueing(&self) -> Option<Duration> {
        let base = self.base.get_by(is_less)?;
        let recent = &self.recent[..self.samples.min(FILTER)];
        let above = |sample: &u32| if is_less(*sample, base) { 0 } else { sample.wrapping_sub(base) };
        recent.iter().map(above).min().map(|micros| Duration::from_micros(micros.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queueing_is_what_lies_above_the_base_and_the_clock_may_wrap() {
        let now = Instant::now();
        let mut delay = OneWayDelay::default();
        assert_eq!(delay.queueing(), None);
        let base = u32::MAX - 10_000;
        delay.add(now, base);
        assert_eq!(delay.queueing(), Some(Duration::ZERO));
        for _ in 0..FILTER {
            delay.add(now, base.wrapping_add(50_000));
        }
        assert_eq!(delay.queueing(), Some(Duration::from_millis(50)));
        delay.add(now, base.wrapping_add(20_000));
        assert_eq!(delay.queueing(), Some(Duration::from_millis(20)), "the least of the last four");
    }

    #[test]
    fn drift_that_the_other_direction_shows_is_taken_out() {
        let start = Instant::now();
        let (mut ours, mut theirs) = (OneWayDelay::default(), OneWayDelay::default());
        // One clock gains 100 µs a second on the other: a delay that never changes seems to grow by a minute's worth.
        for second in 0..3000u32 {
            let now = start + Duration::from_secs(second.into());
            ours.add(now, 500_000 + 100 * second);
            if let Some(fell) = theirs.add(now, 900_000 - 100 * second) {
                ours.shift(fell);
            }
            assert!(ours.queueing().unwrap() < Duration::from_millis(2), "second {second}: {:?}", ours.queueing());
        }
    }
}
