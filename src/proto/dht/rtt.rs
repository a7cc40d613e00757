//! How long a node may take to answer before another is asked in its place: follows the round trips that are measured.

use std::time::Duration;

/// Smoothed round trip and its deviation (RFC 6298's filter) over all nodes that answer.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips {
    smoothed: Option<Duration>,
    deviation: Duration,
}

impl RoundTrips {
    /// Before anything is known: most of the Internet is nearer than this.
    const UNKNOWN: Duration = Duration::from_millis(500);
    const LEAST: Duration = Duration::from_millis(80);
    const MOST: Duration = Duration::from_millis(1500);

    pub fn measured(&mut self, sample: Duration) {
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.deviation = sample / 2;
            }
            Some(smoothed) => {
                self.deviation = (self.deviation * 3 + sample.abs_diff(smoothed)) / 4;
                self.smoothed = Some((smoothed * 7 + sample) / 8);
            }
        }
    }

    /// After so long a query's slot is given to another node; its answer is still taken if it comes.
    pub fn patience(&self) -> Duration {
        match self.smoothed {
            None => Self::UNKNOWN,
            Some(smoothed) => (smoothed + self.deviation * 3).clamp(Self::LEAST, Self::MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_starts_cautious_then_follows_what_is_measured() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.patience(), Duration::from_millis(500));
        for _ in 0..50 {
            trips.measured(Duration::from_millis(100));
        }
        assert!(trips.patience() < Duration::from_millis(130), "{:?}", trips.patience());
        for _ in 0..50 {
            trips.measured(Duration::from_millis(400));
        }
        assert!(trips.patience() > Duration::from_millis(400), "{:?}", trips.patience());
    }

    #[test]
    fn patience_stays_within_its_bounds() {
        let mut trips = RoundTrips::default();
        (0..50).for_each(|_| trips.measured(Duration::from_micros(80)));
        assert_eq!(trips.patience(), RoundTrips::LEAST);
        (0..50).for_each(|_| trips.measured(Duration::from_secs(9)));
        assert_eq!(trips.patience(), RoundTrips::MOST);
    }
}
