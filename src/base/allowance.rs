//! How often something may happen: so many times at once, and so many more a minute.

use std::time::Instant;

/// Fills with time, up to its brim.
#[derive(Clone, Debug)]
pub struct Allowance {
    most: u32,
    a_minute: u32,
    left: u32,
    since: Option<Instant>,
}

impl Allowance {
    /// A full one: `most` at a time, `a_minute` more every minute.
    pub const fn new(most: u32, a_minute: u32) -> Allowance {
        Allowance { most, a_minute, left: most, since: None }
    }

    /// Takes `n`, or what there is; says how many were had.
    pub fn take(&mut self, now: Instant, n: u32) -> u32 {
        let since = *self.since.get_or_insert(now);
        let earned = now.saturating_duration_since(since).as_millis() * u128::from(self.a_minute) / 60_000;
        if earned > 0 {
            self.left = self.left.saturating_add(earned.min(u128::from(self.most)) as u32).min(self.most);
            self.since = Some(now);
        }
        let had = n.min(self.left);
        self.left -= had;
        had
    }

    /// Takes one, if there is one.
    pub fn allows(&mut self, now: Instant) -> bool {
        self.take(now, 1) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_fills_with_time_up_to_its_brim() {
        let (mut allowance, now) = (Allowance::new(200, 100), Instant::now());
        assert_eq!(allowance.take(now, 150), 150);
        assert_eq!(allowance.take(now, 150), 50);
        assert!(!allowance.allows(now));
        assert_eq!(allowance.take(now + Duration::from_secs(30), 90), 50);
        assert_eq!(allowance.take(now + Duration::from_secs(3600), 900), 200);
    }

    #[test]
    fn many_small_looks_earn_as_much_as_one() {
        let (mut allowance, now) = (Allowance::new(5, 60), Instant::now());
        assert_eq!(allowance.take(now, 5), 5);
        let had: u32 = (1..=100).map(|tick| allowance.take(now + Duration::from_millis(tick * 300), 1)).sum();
        assert!((25..=30).contains(&had), "{had}");
    }
}
