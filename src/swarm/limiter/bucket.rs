//! The bytes that a limit allows so far.
//!
//! The level rises with time up to a brim of an eighth of a second's worth, and may be taken below zero by one grant, so
//! that a block that is larger than the brim can pass. Over any stretch of time no more flows than the rate gives, the
//! brim, and that one grant.

use std::time::{Duration, Instant};

use crate::base::layout::BLOCK_LEN;
use crate::base::limit::Limit;

const BLOCK: u64 = BLOCK_LEN as u64;
/// Grants a second of a quick limit; a slow one grants a block at a time.
const TURNS: u64 = 64;
const MOST_TURN: u64 = 1 << 20;
/// Seconds' worth that may be owed at most.
const MOST_DEBT: f64 = 2.0;

/// A token bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    limit: Limit,
    /// Bytes that may flow now; below zero are owed.
    level: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Changes the limit; what was saved or is owed under the old one counts only as far as the new one would allow.
    pub fn set_limit(&mut self, now: Instant, limit: Limit) {
        self.fill(now);
        self.limit = limit;
        self.level = self.level.clamp(-self.most_debt(), self.brim());
    }

    /// Bytes of one grant, whole blocks.
    pub fn turn(&self) -> u64 {
        match self.limit {
            Limit::Rate(rate) => (rate.get() / TURNS).clamp(BLOCK, MOST_TURN) / BLOCK * BLOCK,
            Limit::Off | Limit::Paused => MOST_TURN,
        }
    }

    /// True if something may flow now.
    pub fn is_open(&mut self, now: Instant) -> bool {
        self.fill(now);
        match self.limit {
            Limit::Off => true,
            Limit::Rate(_) => self.level >= 0.0,
            Limit::Paused => false,
        }
    }

    /// Takes bytes out, or puts back (below zero) what was not used.
    pub fn take(&mut self, bytes: i64) {
        if self.limit.holds() {
            self.level = (self.level - bytes as f64).max(-self.most_debt());
        }
    }

    /// When something may flow again; `None` if it may now, or not before the limit changes.
    pub fn opens_at(&self) -> Option<Instant> {
        match self.limit {
            Limit::Rate(rate) if self.level < 0.0 => {
                let wait = Duration::from_secs_f64(-self.level / rate.get() as f64);
                // Never early: a wake-up that finds nothing is for nothing.
                Some(self.filled? + wait + Duration::from_micros(1))
            }
            _ => None,
        }
    }

    fn fill(&mut self, now: Instant) {
        let since = self.filled.replace(now).map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        if let Limit::Rate(rate) = self.limit {
            self.level = (self.level + since.as_secs_f64() * rate.get() as f64).min(self.brim());
        }
    }

    fn brim(&self) -> f64 {
        match self.limit {
            Limit::Rate(rate) => rate.get() as f64 / 8.0,
            Limit::Off | Limit::Paused => 0.0,
        }
    }

    fn most_debt(&self) -> f64 {
        match self.limit {
            Limit::Off => 0.0,
            limit => limit.rate() as f64 * MOST_DEBT + self.turn() as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Bytes that flow from `from` for `time` if somebody always waits.
    fn drain(bucket: &mut Bucket, from: Instant, time: Duration) -> u64 {
        let (mut now, mut taken) = (from, 0);
        while now <= from + time {
            while bucket.is_open(now) {
                taken += bucket.turn();
                bucket.take(bucket.turn() as i64);
            }
            now = bucket.opens_at().unwrap();
        }
        taken
    }

    #[test]
    fn what_flows_is_the_rate_and_one_grant() {
        for rate in [2_048, 20_000, 100_000, 1_500_000, 250_000_000] {
            let (mut bucket, start) = (Bucket::default(), Instant::now());
            bucket.set_limit(start, Limit::bytes(rate));
            let ten = drain(&mut bucket, start, 10 * SECOND);
            assert!((rate * 10..=rate * 10 + bucket.turn()).contains(&ten), "{rate}: {ten}");
        }
    }

    #[test]
    fn idle_time_saves_no_more_than_the_brim() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        bucket.set_limit(start, Limit::bytes(1_600_000));
        assert!(bucket.is_open(start + 3600 * SECOND));
        let taken = drain(&mut bucket, start + 3600 * SECOND, SECOND);
        assert!((1_800_000..1_850_000).contains(&taken), "{taken}");
    }

    #[test]
    fn nothing_flows_in_a_pause_and_a_new_limit_begins_afresh() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        bucket.set_limit(start, Limit::bytes(100_000_000));
        bucket.take(1 << 20);
        bucket.set_limit(start, Limit::bytes(1_000));
        assert!(bucket.opens_at().unwrap() <= start + 20 * SECOND, "debts of a quick limit do not stop a slow one");
        bucket.set_limit(start + SECOND, Limit::Paused);
        assert!(!bucket.is_open(start + 100 * SECOND) && bucket.opens_at().is_none());
        bucket.set_limit(start + 100 * SECOND, Limit::Off);
        assert!(bucket.is_open(start + 100 * SECOND));
        bucket.take(1 << 40);
        assert!(bucket.is_open(start + 100 * SECOND));
        bucket.set_limit(start + 100 * SECOND, Limit::bytes(1_000));
        assert!(bucket.is_open(start + 100 * SECOND), "what flowed without a limit is not owed");
    }

    #[test]
    fn no_more_is_owed_than_two_seconds_and_a_grant() {
        let (mut bucket, start) = (Bucket::default(), Instant::now());
        bucket.set_limit(start, Limit::bytes(100_000));
        bucket.take(1 << 40);
        let (least, most) = (Duration::from_millis(2_160), Duration::from_millis(2_170));
        assert!((start + least..start + most).contains(&bucket.opens_at().unwrap()));
    }
}
