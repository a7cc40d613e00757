//! The rounds of a tier: whom to ask next, when to try again, who leads.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::RngExt;

use super::{
    AskId, PATIENCE, PRIVATE_PATIENCE, Retry, Round, SHORTEST_INTERVAL, Tiers, Told, Tracker, TrackerError, TrackerKey,
};
use crate::proto::tracker::announce::AnnounceEvent;

impl Tiers {
    /// Asks the first of `waiting` that may be asked; without one the round is over.
    pub(super) fn ask_next(&mut self, now: Instant, nth: usize, mut waiting: VecDeque<TrackerKey>) {
        let may_be_asked = |tracker: &Tracker| {
            !tracker.gone && tracker.asked.is_none() && tracker.not_before.is_none_or(|at| at <= now)
        };
        while let Some(key) = waiting.pop_front() {
            if may_be_asked(self.at(key)) {
                let id = self.ask(key);
                self.at_mut(key).asked = Some(id);
                let patience = now + if self.private { PRIVATE_PATIENCE } else { PATIENCE };
                self.tiers[nth].round = Some(Round { waiting, last: key, patience });
                return;
            }
        }
        self.plan(now, nth);
    }

    /// Without a round under way: the next one is due when the first tracker may be asked that is not out already.
    pub(super) fn plan(&mut self, now: Instant, nth: usize) {
        let tier = &self.tiers[nth];
        if tier.round.is_none() {
            let at = |key: &TrackerKey| {
                let tracker = self.at(*key);
                (!tracker.gone && tracker.asked.is_none()).then(|| tracker.not_before.unwrap_or(now))
            };
            // A second at least, so that no mistake in the books can make this spin.
            let next = tier.order.iter().filter_map(at).min().map(|at| at.max(now + Duration::from_secs(1)));
            self.tiers[nth].next = next;
        }
    }

    /// A tracker answered: unless another did before, it leads its tier and the round is over.
    pub(super) fn settle(&mut self, now: Instant, id: AskId, key: TrackerKey, interval: Duration) {
        let asked = self.at_mut(key).asked.take_if(|asked| *asked == id).is_some();
        let nth = self.tier_of(key);
        let tier = &mut self.tiers[nth];
        if asked && !tier.led {
            (tier.round, tier.led) = (None, true);
            tier.order.retain(|other| *other != key);
            tier.order.insert(0, key);
        }
        if tier.led && tier.order.first() == Some(&key) {
            tier.next = Some(now + interval);
        }
    }

    /// The tracker that a private torrent waits for has been silent too long.
    pub(super) fn abandon(&mut self, now: Instant, key: TrackerKey) {
        if let Some(id) = self.at_mut(key).asked.take() {
            if let Some(open) = self.open.get_mut(&id) {
                open.abandoned = true;
            }
            self.back_off(now, key, &TrackerError::Unreachable(String::new()));
        }
    }

    /// A private torrent leaves a tracker that knows it.
    pub(super) fn part_from(&mut self, key: TrackerKey) {
        if self.at(key).told == Told::Started {
            self.at_mut(key).told = Told::Stopped;
            self.say(key, AnnounceEvent::Stopped, true);
        }
    }

    /// Notes when a tracker that failed may be asked again.
    pub(super) fn back_off(&mut self, now: Instant, key: TrackerKey, error: &TrackerError) {
        let tracker = &mut self.trackers[key.0 as usize];
        let doublings = tracker.failures.min(10);
        tracker.failures = tracker.failures.saturating_add(1);
        let doubled = |first: u64, most: u64| Duration::from_secs((first << doublings).min(most));
        let wait = match error {
            TrackerError::Refused { retry: Retry::Never, .. } => {
                tracker.gone = true;
                return;
            }
            TrackerError::Refused { retry: Retry::After(wait), .. } => {
                (*wait).clamp(SHORTEST_INTERVAL, Duration::from_secs(24 * 3600))
            }
            TrackerError::Refused { retry: Retry::Unsaid, .. } => doubled(60, 3600),
            TrackerError::BadReply(_) | TrackerError::Unreachable(_) => doubled(15, 1800),
        };
        // Up to an eighth more, so that all who lost a tracker do not come back as one.
        let spread = self.rng.random_range(0..=wait.as_millis() as u64 / 8);
        tracker.not_before = Some(now + wait + Duration::from_millis(spread));
    }
}
