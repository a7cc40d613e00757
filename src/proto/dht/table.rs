//! The routing table: the nodes we know, dense near our own id and sparse far from it (BEP 5, "Routing Table").
//!
//! Bucket `i` holds nodes whose ids share exactly `i` bits with ours; the last one holds all that share more and is
//! split when it overflows. What holds always:
//! - a bucket has at most [`K`] live nodes and [`K`] spare ones that wait for a place;
//! - one node a global host in the whole table, one a subnet and bucket (limits are for global addresses only);
//! - only nodes that have answered us are named to others;
//! - a node that answered lately is never thrown out for a new one, unless its id does not fit its address (BEP 42)
//!   and the new one's does.

mod bucket;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use self::bucket::{Bucket, Entry};
use super::node_id::{Contact, NodeId, Subnet, same_host};

/// Nodes a bucket, and how many are named in an answer (BEP 5).
pub const K: usize = 8;

/// After so long without a sign of life a node is asked again.
pub const QUESTIONABLE_AFTER: Duration = Duration::from_secs(15 * 60);

/// A node that upkeep should ask now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check {
    pub contact: Contact,
    pub bucket: Depth,
}

/// A part of the key space, seen from our id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// Ids that share exactly so many bits with ours.
    Beside(u32),
    /// Ids that share more than any other bucket's.
    Nearest,
}

#[derive(Debug)]
pub struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
    /// Addresses that did not answer lately: what others say of them is not followed again so soon.
    silent: VecDeque<(SocketAddr, Instant)>,
}

impl Depth {
    fn of(index: usize, last: usize) -> Depth {
        if index == last { Depth::Nearest } else { Depth::Beside(index as u32) }
    }

    /// An id in that part of the space, to look for.
    pub fn target(self, own: NodeId, rng: &mut StdRng) -> NodeId {
        match self {
            Depth::Beside(bits) => own.random_beside(bits, rng),
            Depth::Nearest => own,
        }
    }
}

impl Table {
    /// A node that fails once is asked again after this; then its place is free for another.
    const SECOND_CHANCE: Duration = Duration::from_secs(15);
    const MAX_FAILURES: u8 = 5;
    const MAX_SILENT: usize = 256;

    pub fn new(own: NodeId, now: Instant) -> Table {
        Table { own, buckets: vec![Bucket::new(now)], silent: VecDeque::new() }
    }

    pub fn own(&self) -> NodeId {
        self.own
    }

    /// Live nodes.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.live.len()).sum()
    }

    /// True if not even a spare node is known.
    pub fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// Live nodes that have answered in this run.
    pub fn confirmed(&self) -> usize {
        let live = self.buckets.iter().flat_map(|bucket| &bucket.live);
        live.filter(|entry| entry.answered.is_some()).count()
    }

    /// A node answered us.
    pub fn answered(&mut self, now: Instant, contact: Contact) {
        self.meet(now, contact, Some(now));
    }

    /// A node of an earlier run: used for lookups at once, named to nobody before it has answered.
    pub fn restore(&mut self, now: Instant, contact: Contact) {
        self.meet(now, contact, None);
    }

    /// A node asked us something: a sign of life, and if we don't know it, as good as hearsay.
    pub fn asked_us(&mut self, now: Instant, contact: Contact) -> bool {
        if let Some(entry) = self.find(&contact.id).filter(|entry| entry.contact == contact) {
            entry.asked_us = Some(now);
            return false;
        }
        self.heard_of(now, contact)
    }

    /// Somebody named a node. One that a bucket has room for waits among the spares until upkeep has asked it; false
    /// if it is of no use.
    pub fn heard_of(&mut self, now: Instant, contact: Contact) -> bool {
        let index = self.index_of(&contact.id);
        let known = |entry: &Entry| entry.contact.id == contact.id;
        if contact.id == self.own || self.buckets[index].entries().any(known) || self.is_silent(now, contact.addr) {
            return false;
        }
        if self.entries().any(|entry| same_host(entry.contact.addr, contact.addr)) {
            return false;
        }
        let last = index + 1 == self.buckets.len();
        let bucket = &mut self.buckets[index];
        if bucket.live.len() >= K && !last && !bucket.live.iter().any(Entry::is_bad) {
            return false;
        }
        bucket.keep_spare(Entry::new(contact, None));
        true
    }

    /// A query to this node was lost.
    pub fn failed(&mut self, now: Instant, contact: Contact) {
        self.silent.retain(|(addr, _)| *addr != contact.addr);
        if self.silent.len() >= Self::MAX_SILENT {
            self.silent.pop_front();
        }
        self.silent.push_back((contact.addr, now));
        let index = self.index_of(&contact.id);
        let bucket = &mut self.buckets[index];
        bucket.spare.retain(|spare| spare.contact != contact);
        let Some(at) = bucket.live.iter().position(|live| live.contact == contact) else { return };
        bucket.live[at].failures = bucket.live[at].failures.saturating_add(1);
        let replaceable = bucket.spare.iter().any(|spare| spare.answered.is_some() && spare.failures == 0);
        if (bucket.live[at].is_bad() && replaceable) || bucket.live[at].failures >= Self::MAX_FAILURES {
            bucket.live.remove(at);
            bucket.promote();
        }
    }

    /// The up to `count` nodes nearest to `target` that we would name to others: those that answered, good ones
    /// before questionable ones.
    pub fn closest_known(&self, now: Instant, target: &NodeId, count: usize) -> Vec<Contact> {
        let live = || self.buckets.iter().flat_map(|bucket| &bucket.live);
        let mut good = nearest(live().filter(|entry| entry.is_good(now)), target, count);
        if good.len() < count {
            let fair = |entry: &&Entry| entry.answered.is_some() && entry.failures < 2 && !entry.is_good(now);
            let missing = count - good.len();
            good.extend(nearest(live().filter(fair), target, missing));
            good.sort_unstable_by_key(|contact| target.distance(&contact.id));
        }
        good
    }

    /// The up to `count` nodes nearest to `target` that a lookup may begin with, from files and spares too.
    pub fn closest_usable(&self, target: &NodeId, count: usize) -> Vec<Contact> {
        nearest(self.entries().filter(|entry| !entry.is_bad()), target, count)
    }

    /// A node that upkeep should ask now: one that failed once, one that has never answered, or one that has been
    /// quiet for long.
    pub fn due(&mut self, now: Instant) -> Option<Check> {
        let second =
            |entry: &Entry| entry.failures > 0 && entry.rested(now, Self::SECOND_CHANCE * entry.failures.into());
        let unproven =
            |entry: &Entry| entry.answered.is_none() && entry.failures == 0 && entry.rested(now, Self::SECOND_CHANCE);
        let quiet =
            |entry: &Entry| entry.failures == 0 && !entry.is_good(now) && entry.rested(now, Self::SECOND_CHANCE);
        let last = self.buckets.len() - 1;
        for (index, bucket) in self.buckets.iter_mut().enumerate() {
            let room = bucket.live.len() < K || index == last || bucket.live.iter().any(Entry::is_bad);
            let live = bucket.live.iter_mut().find(|entry| second(entry) || unproven(entry) || quiet(entry));
            let entry = live.or_else(|| bucket.spare.iter_mut().find(|entry| room && unproven(entry)));
            if let Some(entry) = entry {
                entry.tried = Some(now);
                return Some(Check { contact: entry.contact, bucket: Depth::of(index, last) });
            }
        }
        None
    }

    /// A bucket in which nothing has happened for a quarter of an hour.
    pub fn stale_bucket(&mut self, now: Instant) -> Option<Depth> {
        let stale = |bucket: &Bucket| now.saturating_duration_since(bucket.changed) >= QUESTIONABLE_AFTER;
        let index = self.buckets.iter().position(stale)?;
        self.buckets[index].changed = now;
        Some(Depth::of(index, self.buckets.len() - 1))
    }

    /// All that is worth keeping for the next run, nearest to our id first.
    pub fn contacts(&self) -> Vec<Contact> {
        let worth = |entry: &&Entry| !entry.is_bad();
        nearest(self.entries().filter(worth), &self.own, usize::MAX)
    }

    /// The same nodes round another id of ours.
    pub fn rebuilt(&self, own: NodeId, now: Instant) -> Table {
        let mut table = Table::new(own, now);
        for entry in self.entries() {
            table.meet(now, entry.contact, entry.answered);
        }
        table.silent.clone_from(&self.silent);
        table
    }

    fn is_silent(&self, now: Instant, addr: SocketAddr) -> bool {
        let lately = |at: Instant| now.saturating_duration_since(at) < QUESTIONABLE_AFTER;
        self.silent.iter().any(|&(silent, at)| silent == addr && lately(at))
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(Bucket::entries)
    }

    fn index_of(&self, id: &NodeId) -> usize {
        (self.own.common_bits(id) as usize).min(self.buckets.len() - 1)
    }

    fn find(&mut self, id: &NodeId) -> Option<&mut Entry> {
        let index = self.index_of(id);
        let bucket = &mut self.buckets[index];
        bucket.live.iter_mut().chain(&mut bucket.spare).find(|entry| entry.contact.id == *id)
    }

    fn meet(&mut self, now: Instant, contact: Contact, answered: Option<Instant>) {
        if contact.id == self.own {
            return;
        }
        if let Some(known) = self.find(&contact.id) {
            if known.contact == contact {
                if answered.is_some() {
                    self.seen(now, &contact);
                }
                return;
            }
            // The same id elsewhere: believed only when the node that we know has stopped answering.
            if answered.is_none() || !known.is_bad() {
                return;
            }
            self.remove(|entry| entry.contact.id == contact.id);
        }
        if !self.clear_host(&contact, answered.is_some()) {
            return;
        }
        let mut entry = Entry::new(contact, answered);
        entry.tried = answered;
        self.place(now, entry);
    }

    /// Notes an answer of a node that the table has.
    fn seen(&mut self, now: Instant, contact: &Contact) {
        let index = self.index_of(&contact.id);
        let bucket = &mut self.buckets[index];
        bucket.changed = now;
        if let Some(entry) = bucket.live.iter_mut().find(|live| live.contact == *contact) {
            entry.answered = Some(now);
            entry.failures = 0;
        } else if let Some(at) = bucket.spare.iter().position(|spare| spare.contact == *contact) {
            let spare = bucket.spare.remove(at);
            self.place(now, Entry { answered: Some(now), failures: 0, ..spare });
        }
    }

    /// Makes way at a host for the node that answers there now; false if the place is another's.
    fn clear_host(&mut self, contact: &Contact, answered: bool) -> bool {
        let there = |entry: &Entry| same_host(entry.contact.addr, contact.addr);
        let Some(known) = self.entries().find(|entry| there(entry)) else { return true };
        let restarted = known.contact.addr == contact.addr;
        if !answered || !(restarted || known.is_bad() || known.answered.is_none()) {
            return false;
        }
        self.remove(there);
        true
    }

    fn remove(&mut self, gone: impl Fn(&Entry) -> bool) {
        for bucket in &mut self.buckets {
            bucket.live.retain(|entry| !gone(entry));
            bucket.spare.retain(|entry| !gone(entry));
        }
    }

    /// Puts a new node where there is room, splitting the last bucket as often as that helps.
    fn place(&mut self, now: Instant, entry: Entry) {
        loop {
            let index = self.index_of(&entry.contact.id);
            let splits = index + 1 == self.buckets.len() && self.buckets.len() < NodeId::BITS as usize;
            let bucket = &mut self.buckets[index];
            let net = Subnet::of(entry.contact.addr);
            if let Some(neighbour) = bucket.live.iter().position(|live| Subnet::of(live.contact.addr) == net) {
                if bucket.live[neighbour].is_bad() && entry.answered.is_some() {
                    bucket.live[neighbour] = entry;
                    bucket.changed = now;
                }
                return;
            }
            if bucket.live.len() < K {
                bucket.live.push(entry);
                bucket.changed = now;
                return;
            }
            if splits {
                self.split(now);
                continue;
            }
            let outranked = |live: &Entry| live.is_bad() || (live.answered.is_none() && entry.answered.is_some());
            if let Some(at) = bucket.live.iter().position(outranked) {
                bucket.live[at] = entry;
                bucket.changed = now;
            } else if let Some(at) = bucket.live.iter().position(|live| !live.fits && entry.fits)
                && entry.answered.is_some()
            {
                let out = std::mem::replace(&mut bucket.live[at], entry);
                bucket.changed = now;
                bucket.keep_spare(out);
            } else {
                bucket.keep_spare(entry);
            }
            return;
        }
    }

    fn split(&mut self, now: Instant) {
        let depth = self.buckets.len() as u32 - 1;
        let own = self.own;
        let old = self.buckets.last_mut().expect("there is always a bucket");
        let mut deeper = Bucket::new(now);
        let goes = |entry: &Entry| own.common_bits(&entry.contact.id) > depth;
        deeper.live = old.live.extract_if(.., |entry| goes(entry)).collect();
        deeper.spare = old.spare.extract_if(.., |entry| goes(entry)).collect();
        deeper.promote();
        old.promote();
        self.buckets.push(deeper);
    }
}

fn nearest<'a>(entries: impl Iterator<Item = &'a Entry>, target: &NodeId, count: usize) -> Vec<Contact> {
    let mut found: Vec<Contact> = entries.map(|entry| entry.contact).collect();
    if found.len() > count && count > 0 {
        found.select_nth_unstable_by_key(count - 1, |contact| target.distance(&contact.id));
    }
    found.truncate(count);
    found.sort_unstable_by_key(|contact| target.distance(&contact.id));
    found
}
