//! When a torrent is looked up again.
//!
//! Without a usable peer: 15 s after the last lookup ended, doubling to 5 min. With peers: every 15 to 30 minutes, which
//! keeps our announce alive (nodes forget peers after half an hour) and finds newcomers.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::node_id::jitter;

#[derive(Debug)]
pub struct Repeat {
    starving: bool,
    attempts: u32,
    ended: Option<Instant>,
    /// `None` while a lookup is under way.
    next: Option<Instant>,
}

impl Repeat {
    const FIRST: Duration = Duration::from_secs(15);
    const LONGEST: Duration = Duration::from_secs(5 * 60);
    const CONTENT: Duration = Duration::from_secs(15 * 60);

    /// The first lookup is due at once.
    pub fn new(now: Instant) -> Repeat {
        Repeat { starving: true, attempts: 0, ended: None, next: Some(now) }
    }

    pub fn next_time(&self) -> Option<Instant> {
        self.next
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    pub fn started(&mut self) {
        self.next = None;
    }

    pub fn ended(&mut self, now: Instant, rng: &mut StdRng) {
        self.ended = Some(now);
        self.next = Some(match self.starving {
            true => now + self.pause(),
            false => now + Self::CONTENT + jitter(rng, Self::CONTENT.as_millis() as u64),
        });
        self.attempts = if self.starving { self.attempts.saturating_add(1) } else { 0 };
    }

    /// The torrent has no usable peer, or has some again.
    pub fn set_starving(&mut self, starving: bool) {
        if starving == self.starving {
            return;
        }
        self.starving = starving;
        self.attempts = 0;
        if let (true, Some(next), Some(ended)) = (starving, self.next, self.ended) {
            self.next = Some(next.min(ended + Self::FIRST));
        }
    }

    /// Something changed that others should hear of (our port): again as soon as a starving torrent would.
    pub fn hasten(&mut self) {
        if let (Some(next), Some(ended)) = (self.next, self.ended) {
            self.next = Some(next.min(ended + Self::FIRST));
        }
    }

    fn pause(&self) -> Duration {
        (Self::FIRST * 2u32.saturating_pow(self.attempts.min(8))).min(Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn starving_lookups_double_from_15_seconds_to_5_minutes() {
        let mut rng = StdRng::seed_from_u64(1);
        let now = Instant::now();
        let mut repeat = Repeat::new(now);
        assert!(repeat.is_due(now));
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                repeat.started();
                assert_eq!(repeat.next_time(), None);
                repeat.ended(now, &mut rng);
                (repeat.next_time().unwrap() - now).as_secs()
            })
            .collect();
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
    }

    #[test]
    fn with_peers_it_is_15_to_30_minutes_and_losing_them_brings_the_next_forward() {
        let mut rng = StdRng::seed_from_u64(1);
        let now = Instant::now();
        let mut repeat = Repeat::new(now);
        repeat.set_starving(false);
        repeat.started();
        repeat.ended(now, &mut rng);
        let pause = repeat.next_time().unwrap() - now;
        assert!((900..=1800).contains(&pause.as_secs()), "{pause:?}");
        repeat.set_starving(true);
        assert_eq!(repeat.next_time(), Some(now + Repeat::FIRST));
    }
}
