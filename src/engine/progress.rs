//! What displays see of an item: a [`Progress`] that is renewed a few times a second while something changes.
//!
//! The gauge keeps the meters of both directions and the last published moment; it never wakes the task by itself
//! unless something has changed since.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::item::{Progress, Stage};
use crate::base::rate::RateMeter;

/// How often a display may see something new.
const PERIOD: Duration = Duration::from_millis(100);

/// The publishing end of an item's progress.
#[derive(Debug)]
pub struct Gauge {
    current: Progress,
    published: watch::Sender<Progress>,
    down: RateMeter,
    up: RateMeter,
    last: Option<Instant>,
    dirty: bool,
}

impl Gauge {
    pub fn new(first: Progress) -> (Gauge, watch::Receiver<Progress>) {
        let (published, seen) = watch::channel(first.clone());
        let gauge = Gauge {
            current: first,
            published,
            down: RateMeter::default(),
            up: RateMeter::default(),
            last: None,
            dirty: false,
        };
        (gauge, seen)
    }

    /// Changes anything but what the torrent itself reports.
    pub fn update(&mut self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.current);
        self.dirty = true;
    }

    pub fn stage(&self) -> Stage {
        self.current.stage
    }

    /// Something happened that the next publication should show.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// When to publish next, if anything is new.
    pub fn due(&self) -> Option<Instant> {
        self.dirty.then(|| self.last.map_or_else(Instant::now, |last| last + PERIOD))
    }

    /// The item's name, as far as it is known.
    pub fn name(&self) -> Option<&str> {
        self.current.name.as_deref()
    }

    /// Publishes if something is new and the period is over, or at once if `force`d; `look` renews what is not told of
    /// as it happens.
    pub fn publish(&mut self, now: Instant, force: bool, look: impl FnOnce(&mut Progress)) {
        let due = self.dirty && self.last.is_none_or(|last| now >= last + PERIOD);
        if !due && !force {
            return;
        }
        let before = (self.current.swarm.downloaded, self.current.swarm.uploaded);
        look(&mut self.current);
        self.down.push(now, self.current.swarm.downloaded.saturating_sub(before.0));
        self.up.push(now, self.current.swarm.uploaded.saturating_sub(before.1));
        self.current.down_rate = self.down.rate(now);
        self.current.up_rate = self.up.rate(now);
        self.published.send_replace(self.current.clone());
        self.last = Some(now);
        // A rate that falls is news too: keep publishing until both have come to rest.
        self.dirty = self.current.down_rate > 0 || self.current.up_rate > 0;
    }
}
