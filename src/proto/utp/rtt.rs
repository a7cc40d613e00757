//! Round trip times: smoothed, with their variance (RFC 6298), and the least of the last minutes.

use std::time::{Duration, Instant};

use super::minutes::MinuteMin;

/// BEP 29, "timeouts": never sooner.
const MIN_RTO: Duration = Duration::from_millis(500);
const MAX_RTO: Duration = Duration::from_secs(30);
/// Before anything was measured.
const FIRST_RTO: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Rtt {
    smoothed: Option<Duration>,
    variance: Duration,
    least: MinuteMin<Duration>,
}

impl Rtt {
    /// A packet that was sent once was acknowledged after `sample`.
    pub fn on_sample(&mut self, now: Instant, sample: Duration) {
        self.least.add(now, sample);
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.variance = sample / 2;
            }
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(sample)) / 4;
                self.smoothed = Some((smoothed * 7 + sample) / 8);
            }
        }
    }

    pub fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The least of the last minutes: what the path takes without queues.
    pub fn least(&self) -> Option<Duration> {
        self.least.get()
    }

    /// How long to wait for an acknowledgement, the `backoff`-th time in a row.
    pub fn timeout(&self, backoff: u32) -> Duration {
        let base = self.smoothed.map_or(FIRST_RTO, |smoothed| (smoothed + self.variance * 4).max(MIN_RTO));
        base.saturating_mul(1 << backoff.min(6)).min(MAX_RTO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_samples_and_backs_off() {
        let now = Instant::now();
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(0), Duration::from_secs(1));
        rtt.on_sample(now, Duration::from_millis(400));
        assert_eq!(rtt.timeout(0), Duration::from_millis(400 + 4 * 200));
        for _ in 0..100 {
            rtt.on_sample(now, Duration::from_millis(100));
        }
        assert_eq!(rtt.timeout(0), MIN_RTO);
        assert_eq!(rtt.timeout(2), 4 * MIN_RTO);
        assert_eq!(rtt.timeout(60), MAX_RTO);
        assert_eq!(rtt.least(), Some(Duration::from_millis(100)));
    }
}
