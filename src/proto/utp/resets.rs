//! Packets of no connection are answered with a RST, but not many, and not one that is forged from many addresses.

use std::time::Instant;

const PER_SECOND: f64 = 20.0;
const BURST: f64 = 40.0;

/// A budget of answers.
#[derive(Debug)]
pub struct Resets {
    level: f64,
    at: Instant,
}

impl Resets {
    pub fn new(now: Instant) -> Resets {
        Resets { level: BURST, at: now }
    }

    /// True if one more may be sent.
    pub fn admits(&mut self, now: Instant) -> bool {
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.level = (self.level + gone * PER_SECOND).min(BURST);
        let admitted = self.level >= 1.0;
        if admitted {
            self.level -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_is_answered_a_little() {
        let now = Instant::now();
        let mut resets = Resets::new(now);
        assert_eq!((0..1000).filter(|_| resets.admits(now)).count(), 40);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| resets.admits(later)).count(), 20);
    }
}
