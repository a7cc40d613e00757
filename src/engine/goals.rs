//! When an item is given up or has seeded enough.

use std::time::{Duration, Instant};

use super::item::{Failure, FailureKind};

/// The deadlines and goals of one item.
#[derive(Debug, Default)]
pub struct Goals {
    /// No metadata by then: give up.
    pub metadata_by: Option<(Instant, Duration)>,
    /// Give up after so long without payload.
    pub stall: Option<Duration>,
    /// When payload last came, and how much there was in all.
    last_payload: Option<(Instant, u64)>,
    /// Bytes to upload, and until when, while seeding; `None` of both: for ever.
    pub upload_goal: Option<u64>,
    pub seed_until: Option<Instant>,
}

impl Goals {
    /// The next moment at which something may have to end.
    pub fn due(&self) -> Option<Instant> {
        let stalled = self.stall.zip(self.last_payload).map(|(limit, (since, _))| since + limit);
        [self.metadata_by.map(|(by, _)| by), stalled, self.seed_until].into_iter().flatten().min()
    }

    /// Payload has grown to `total` bytes, or the clock for it starts.
    pub fn on_payload(&mut self, now: Instant, total: u64) {
        if self.last_payload.is_none_or(|(_, before)| before != total) {
            self.last_payload = Some((now, total));
        }
    }

    /// Nothing may come now: the clock for payload stands.
    pub fn on_pause(&mut self, now: Instant) {
        if let Some((since, _)) = &mut self.last_payload {
            *since = now;
        }
    }

    /// Nothing is to be fetched any more.
    pub fn on_complete(&mut self) {
        self.stall = None;
        self.metadata_by = None;
    }

    /// Why the item must be given up now, if it must. `lacks_layers`: of the metadata only the piece layers (BEP 52) are
    /// waited for.
    pub fn given_up(&self, now: Instant, what: &str, lacks_layers: bool) -> Option<Failure> {
        if let Some((by, limit)) = self.metadata_by
            && by <= now
        {
            let (lacking, found) = match lacks_layers {
                true => ("hashes of its pieces (piece layers)", "no peer gave them"),
                false => ("metadata", "no peer had it"),
            };
            return Some(Failure {
                kind: FailureKind::NoMetadata,
                message: format!(
                    "{what}: no {lacking} within {} s: {found}; try again later or give --metadata-timeout",
                    limit.as_secs()
                ),
            });
        }
        if let (Some(limit), Some((since, _))) = (self.stall, self.last_payload)
            && since + limit <= now
        {
            return Some(Failure {
                kind: FailureKind::Stalled,
                message: format!("{what}: nothing received for {} s (--stall-timeout)", limit.as_secs()),
            });
        }
        None
    }

    /// True once enough has been seeded.
    pub fn seeded_enough(&self, now: Instant, uploaded: u64) -> bool {
        self.upload_goal.is_some_and(|goal| uploaded >= goal) || self.seed_until.is_some_and(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_counts_from_the_last_payload() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut goals = Goals { stall: Some(10 * second), ..Goals::default() };
        goals.on_payload(start, 0);
        goals.on_payload(start + 5 * second, 0);
        assert_eq!(goals.due(), Some(start + 10 * second));
        goals.on_payload(start + 6 * second, 1);
        assert!(goals.given_up(start + 15 * second, "x", false).is_none());
        assert_eq!(goals.given_up(start + 16 * second, "x", false).unwrap().kind, FailureKind::Stalled);
        goals.on_pause(start + 20 * second);
        assert!(goals.given_up(start + 29 * second, "x", false).is_none());
    }

    #[test]
    fn the_first_seeding_goal_reached_ends_it() {
        let start = Instant::now();
        let goals =
            Goals { upload_goal: Some(100), seed_until: Some(start + Duration::from_secs(60)), ..Goals::default() };
        assert!(!goals.seeded_enough(start, 99));
        assert!(goals.seeded_enough(start, 100));
        assert!(goals.seeded_enough(start + Duration::from_secs(60), 0));
        assert!(!Goals::default().seeded_enough(start, u64::MAX));
    }
}
