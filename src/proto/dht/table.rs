//! The routing table: the nodes we know, dense near our own id and sparse far from it (BEP 5, "Routing Table").
//!
//! Bucket `i` holds nodes whose ids share exactly `i` bits with ours; the last one holds all that share more and is
//! split when it overflows. What holds always:
//! - a bucket has at most [`K`] live nodes and [`K`] spare ones that wait for a place;
//! - one node a global host in the whole table, one a subnet and bucket (limits are for global addresses only);
//! - only nodes that have answered us are named to others;
//! - a node that answered lately is never thrown out for a new one, unless its id does not fit its address (BEP 42)
//!   and the new one's does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::node_id::{Contact, NodeId, Subnet, same_host};

/// Nodes a bucket, and how many are named in an answer (BEP 5).
pub const K: usize = 8;

/// After so long without a sign of life a node is asked again.
pub const QUESTIONABLE_AFTER: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Debug)]
struct Entry {
    contact: Contact,
    /// When it last answered a query; never, if it comes from a file or has only asked us.
    answered: Option<Instant>,
    asked_us: Option<Instant>,
    /// When upkeep last asked it.
    tried: Option<Instant>,
    /// Queries in a row that it left unanswered.
    failures: u8,
    /// Its id fits its address (BEP 42).
    fits: bool,
}

#[derive(Clone, Debug)]
struct Bucket {
    live: Vec<Entry>,
    spare: Vec<Entry>,
    changed: Instant,
}

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

impl Entry {
    fn new(contact: Contact, answered: Option<Instant>) -> Entry {
        let fits = contact.id.fits(contact.addr.ip());
        Entry { contact, answered, asked_us: None, tried: None, failures: 0, fits }
    }

    /// BEP 5: has answered, and shown itself within a quarter of an hour.
    fn is_good(&self, now: Instant) -> bool {
        self.failures == 0
            && self.last_seen().is_some_and(|seen| now.saturating_duration_since(seen) < QUESTIONABLE_AFTER)
    }

    fn last_seen(&self) -> Option<Instant> {
        self.answered.map(|answered| self.asked_us.map_or(answered, |asked| asked.max(answered)))
    }

    fn is_bad(&self) -> bool {
        self.failures >= if self.answered.is_some() { 2 } else { 1 }
    }

    fn rested(&self, now: Instant, pause: Duration) -> bool {
        self.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= pause)
    }
}

impl Bucket {
    fn new(now: Instant) -> Bucket {
        Bucket { live: Vec::new(), spare: Vec::new(), changed: now }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.live.iter().chain(&self.spare)
    }

    /// Keeps a node that has no place; those that answered are worth more than those that only asked.
    fn keep_spare(&mut self, entry: Entry) {
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
    fn promote(&mut self) {
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const OWN: NodeId = NodeId([0; 20]);

    /// A node that shares exactly `depth` bits with [`OWN`], on a host of its own (private, so that no limit holds).
    fn node(depth: u32, n: u16) -> Contact {
        let mut rng = StdRng::seed_from_u64(u64::from(depth) << 32 | u64::from(n));
        let id = OWN.random_beside(depth, &mut rng);
        Contact { id, addr: SocketAddr::from(([10, depth as u8, (n >> 8) as u8, n as u8], 6881)) }
    }

    fn global(ip: [u8; 4], id: NodeId) -> Contact {
        Contact { id, addr: SocketAddr::new(IpAddr::from(ip), 6881) }
    }

    #[test]
    fn far_buckets_stay_at_eight_and_near_ones_are_split() {
        let now = Instant::now();
        let mut table = Table::new(OWN, now);
        for depth in 0..20 {
            (0..30).for_each(|n| table.answered(now, node(depth, n)));
        }
        assert_eq!(table.len(), 20 * K);
        assert_eq!(table.buckets.len(), 21, "the last one has been split and is empty");
        let near = table.closest_known(now, &OWN, K);
        assert!(near.iter().all(|contact| OWN.common_bits(&contact.id) == 19));
    }

    #[test]
    fn closest_is_what_a_sort_of_everything_says() {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(5);
        let mut table = Table::new(OWN, now);
        (0..500).for_each(|n| table.answered(now, node(rng.random_range(0..12), n)));
        for _ in 0..50 {
            let target = NodeId::random(&mut rng);
            let mut all = table.contacts();
            all.retain(|contact| table.buckets.iter().flat_map(|b| &b.live).any(|live| live.contact == *contact));
            all.sort_by_key(|contact| target.distance(&contact.id));
            assert_eq!(table.closest_known(now, &target, 8), all[..8]);
        }
    }

    #[test]
    fn a_node_is_named_to_others_only_after_it_has_answered() {
        let now = Instant::now();
        let mut table = Table::new(OWN, now);
        table.restore(now, node(0, 1));
        assert!(table.asked_us(now, node(0, 2)));
        assert_eq!(table.closest_known(now, &OWN, 8), []);
        assert_eq!(table.closest_usable(&OWN, 8).len(), 2);
        let due: Vec<Contact> = std::iter::from_fn(|| table.due(now)).map(|check| check.contact).collect();
        assert_eq!(due.len(), 2, "upkeep asks both");
        due.iter().for_each(|&contact| table.answered(now, contact));
        assert_eq!(table.closest_known(now, &OWN, 8).len(), 2);
    }

    #[test]
    fn a_quiet_node_is_asked_twice_before_a_spare_takes_its_place() {
        let now = Instant::now();
        let mut table = Table::new(OWN, now);
        (0..8).for_each(|n| table.answered(now, node(0, n)));
        (0..8).for_each(|n| table.answered(now, node(1, n)));
        let later = now + Duration::from_secs(60);
        table.answered(later, node(0, 100));
        assert_eq!(table.len(), 16, "the ninth of the bucket waits");
        let quiet = now + QUESTIONABLE_AFTER;
        (1..8).for_each(|n| table.answered(quiet, node(0, n)));
        let check = table.due(quiet).expect("node 0 has been quiet");
        assert_eq!(check, Check { contact: node(0, 0), bucket: Depth::Beside(0) });
        table.failed(quiet, node(0, 0));
        assert!(table.contacts().contains(&node(0, 0)), "one failure is forgiven");
        let again = quiet + Table::SECOND_CHANCE;
        assert_eq!(table.due(again).map(|check| check.contact), Some(node(0, 0)));
        table.failed(again, node(0, 0));
        let known = table.closest_known(again, &node(0, 100).id, 8);
        assert!(known.contains(&node(0, 100)) && !known.contains(&node(0, 0)));
    }

    #[test]
    fn one_node_a_global_host_and_one_a_subnet_and_bucket() {
        let now = Instant::now();
        let mut table = Table::new(OWN, now);
        let id = |n: u8| NodeId([n; 20]);
        table.answered(now, global([60, 1, 1, 1], id(0x80)));
        table.answered(now, global([60, 1, 1, 1], id(0x81)));
        assert_eq!(table.len(), 1, "it restarted under another id");
        table.answered(now, Contact { addr: "60.1.1.1:7000".parse().unwrap(), id: id(0x82) });
        table.answered(now, global([60, 1, 1, 2], id(0x83)));
        assert_eq!(table.contacts().len(), 1, "neither another port nor a neighbour in its bucket");
        table.answered(now, global([60, 1, 2, 2], id(0x84)));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_known_node_keeps_its_id_until_it_stops_answering() {
        let now = Instant::now();
        let mut table = Table::new(OWN, now);
        let honest = node(3, 1);
        let thief = Contact { addr: "10.99.0.1:1".parse().unwrap(), ..honest };
        table.answered(now, honest);
        table.answered(now, thief);
        assert_eq!(table.contacts(), [honest]);
        table.failed(now, honest);
        table.failed(now, honest);
        table.answered(now, thief);
        assert_eq!(table.contacts(), [thief]);
    }

    #[test]
    fn in_a_full_bucket_ids_that_fit_their_address_displace_those_that_do_not() {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(9);
        let mut table = Table::new(OWN, now);
        let far = |mut id: NodeId| {
            id.0[0] |= 0x80;
            id
        };
        (0..8).for_each(|n| table.answered(now, node(1, n)));
        for n in 0..8 {
            let ip = [61, n, 0, 1];
            let id = std::iter::repeat_with(|| far(NodeId::random(&mut rng))).find(|id| !id.fits(ip.into())).unwrap();
            table.answered(now, global(ip, id));
        }
        let mut fitting = (0..=255u8).filter_map(|n| {
            let ip = [62, n, 0, 1];
            let id = NodeId::for_address(ip.into(), &mut rng);
            (id.0[0] & 0x80 != 0).then(|| global(ip, id))
        });
        let eight: Vec<Contact> = fitting.by_ref().take(8).collect();
        eight.iter().for_each(|&contact| table.answered(now, contact));
        let live: Vec<Contact> = table.buckets[0].live.iter().map(|entry| entry.contact).collect();
        assert_eq!(live, eight);
    }

    #[test]
    fn under_churn_the_table_stays_bounded_and_finds_the_living() {
        let mut rng = StdRng::seed_from_u64(11);
        let mut now = Instant::now();
        let mut table = Table::new(OWN, now);
        let mut living: Vec<Contact> = (0..200).map(|n| node(rng.random_range(0..8), n)).collect();
        for step in 0..4_000u16 {
            now += Duration::from_secs(10);
            let at = rng.random_range(0..living.len());
            living[at] = node(rng.random_range(0..8), 200 + step);
            table.answered(now, living[at]);
            while let Some(check) = table.due(now) {
                if living.contains(&check.contact) {
                    table.answered(now, check.contact);
                } else {
                    table.failed(now, check.contact);
                }
            }
            assert!(table.buckets.iter().all(|b| b.live.len() <= K && b.spare.len() <= K));
        }
        let known = table.closest_known(now, &OWN, 1_000);
        let alive = known.iter().filter(|contact| living.contains(contact)).count();
        // A node lives 2,000 s and is asked every 900 s: about a fifth have died since.
        assert!(known.len() >= 40 && alive * 10 >= known.len() * 7, "{alive} of {}", known.len());
    }
}
