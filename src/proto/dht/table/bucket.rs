//! A bucket: the live nodes of one part of the key space, and spare ones that wait for a place.

use std::time::{Duration, Instant};

use super::{K, QUESTIONABLE_AFTER};
use crate::proto::dht::node_id::{Contact, Subnet};

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) contact: Contact,
    /// When it last answered a query; never, if it comes from a file or has only asked us.
    pub(super) answered: Option<Instant>,
    pub(super) asked_us: Option<Instant>,
    /// When upkeep last asked it.
    pub(super) tried: Option<Instant>,
    /// Queries in a row that it left unanswered.
    pub(super) failures: u8,
    /// Its id fits its address (BEP 42).
    pub(super) fits: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) live: Vec<Entry>,
    pub(super) spare: Vec<Entry>,
    pub(super) changed: Instant,
}

impl Entry {
    pub(super) fn new(contact: Contact, answered: Option<Instant>) -> Entry {
        let fits = contact.id.fits(contact.addr.ip());
        Entry { contact, answered, asked_us: None, tried: None, failures: 0, fits }
    }

    /// BEP 5: has answered, and shown itself within a quarter of an hour.
    pub(super) fn is_good(&self, now: Instant) -> bool {
        self.failures == 0
            && self.last_seen().is_some_and(|seen| now.saturating_duration_since(seen) < QUESTIONABLE_AFTER)
    }

    pub(super) fn last_seen(&self) -> Option<Instant> {
        self.answered.map(|answered| self.asked_us.map_or(answered, |asked| asked.max(answered)))
    }

    pub(super) fn is_bad(&self) -> bool {
        self.failures >= if self.answered.is_some() { 2 } else { 1 }
    }

    pub(super) fn rested(&self, now: Instant, pause: Duration) -> bool {
        self.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= pause)
    }
}

impl Bucket {
    pub(super) fn new(now: Instant) -> Bucket {
        Bucket { live: Vec::new(), spare: Vec::new(), changed: now }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.live.iter().chain(&self.spare)
    }

    /// Keeps a node that has no place; those that answered are worth more than those that only asked.
    pub(super) fn keep_spare(&mut self, entry: Entry) {
        if self.spare.len() >= K {
            let rank = |entry: &Entry| (entry.failures == 0, entry.fits, entry.answered);
            let (worst, least) =
                self.spare.iter().enumerate().min_by_key(|(_, spare)| rank(spare)).expect("the spares are full");
            if rank(least) > rank(&entry) {
                return;
            }
            self.spare.remove(worst);
        }
        self.spare.push(entry);
    }

    /// Fills a free place with the best spare that has answered.
    pub(super) fn promote(&mut self) {
        if self.live.len() >= K {
            return;
        }
        let free = |spare: &Entry| {
            let net = Subnet::of(spare.contact.addr);
            self.live.iter().all(|live| Subnet::of(live.contact.addr) != net)
        };
        let best = (self.spare.iter().enumerate())
            .filter(|(_, spare)| spare.answered.is_some() && spare.failures == 0 && free(spare))
            .max_by_key(|(_, spare)| (spare.fits, spare.answered))
            .map(|(at, _)| at);
        if let Some(at) = best {
            let entry = self.spare.remove(at);
            self.live.push(entry);
        }
    }
}
