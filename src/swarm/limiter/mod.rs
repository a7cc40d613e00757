//! The limit of one direction of the whole run, shared out among all who want to move payload.
//!
//! Clients say how much they could use ([`Limiter::ask`], the latest wish counts) and are granted a turn's worth at a time
//! out of a [`Bucket`]. Groups (the torrents) get equal shares, and within a group its clients (peers, web seeds) do, as
//! far as they want them: two [`FairQueue`]s deep. What is granted and not used comes back with [`Limiter::adjust`].

mod bucket;
mod fair_queue;

use std::collections::BTreeMap;
use std::time::Instant;

pub use bucket::Bucket;
pub use fair_queue::FairQueue;

use crate::base::limit::Limit;

/// One who moves payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientKey {
    /// The torrent that it works for.
    pub group: u32,
    /// Never used again in its group.
    pub client: u64,
}

/// Bytes that a client may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allotment {
    pub client: ClientKey,
    pub bytes: u64,
    /// Bytes a second that it can expect as things are; `u64::MAX` without a limit.
    pub share: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Limiter {
    bucket: Bucket,
    groups: FairQueue<u32>,
    members: BTreeMap<u32, Members>,
}

#[derive(Debug, Default)]
struct Members {
    queue: FairQueue<u64>,
    wishes: BTreeMap<u64, u64>,
}

impl Limiter {
    pub fn limit(&self) -> Limit {
        self.bucket.limit()
    }

    pub fn set_limit(&mut self, now: Instant, limit: Limit) {
        self.bucket.set_limit(now, limit);
    }

    /// The client could use so many bytes beyond what it was granted; 0 takes the wish back.
    pub fn ask(&mut self, key: ClientKey, bytes: u64) {
        let members = self.members.entry(key.group).or_default();
        if bytes == 0 {
            members.wishes.remove(&key.client);
            members.queue.leave(key.client);
        } else {
            members.wishes.insert(key.client, bytes);
            members.queue.enter(key.client);
        }
        if members.queue.is_empty() { self.groups.leave(key.group) } else { self.groups.enter(key.group) }
    }

    /// Bytes that were granted and not used come back; below zero, more flowed than was granted.
    pub fn adjust(&mut self, bytes: i64) {
        self.bucket.take(bytes.saturating_neg());
    }

    /// The client is gone.
    pub fn forget(&mut self, key: ClientKey) {
        self.ask(key, 0);
        if let Some(members) = self.members.get_mut(&key.group) {
            members.queue.forget(key.client);
            if members.queue.is_forgotten() {
                self.members.remove(&key.group);
                self.groups.forget(key.group);
            }
        }
    }

    /// The next grant, if one may be made at `now`.
    pub fn poll_grant(&mut self, now: Instant) -> Option<Allotment> {
        let group = self.groups.first()?;
        if !self.bucket.is_open(now) {
            return None;
        }
        let members = self.members.get_mut(&group)?;
        let client = members.queue.first()?;
        let share = match self.bucket.limit() {
            Limit::Off => u64::MAX,
            limit => limit.rate() / self.groups.len() as u64 / members.queue.len() as u64,
        };
        let wish = members.wishes.get_mut(&client)?;
        let bytes = match self.bucket.limit() {
            Limit::Off => *wish,
            _ => self.bucket.turn().min(*wish),
        };
        *wish -= bytes;
        let rest = *wish;
        self.bucket.take(bytes as i64);
        members.queue.served(client, bytes);
        self.groups.served(group, bytes);
        let client = ClientKey { group, client };
        if rest == 0 {
            self.ask(client, 0);
        }
        Some(Allotment { client, bytes, share })
    }

    /// When [`Limiter::poll_grant`] may have something again; `None` while nobody waits or nothing may flow.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.groups.is_empty() { None } else { self.bucket.opens_at() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(group: u32, client: u64) -> ClientKey {
        ClientKey { group, client }
    }

    /// Bytes that each client gets in `time` if all want as much as they can have.
    fn run(limiter: &mut Limiter, start: Instant, time: Duration) -> BTreeMap<ClientKey, u64> {
        let (mut now, mut had) = (start, BTreeMap::new());
        while now <= start + time {
            while let Some(Allotment { client, bytes, .. }) = limiter.poll_grant(now) {
                *had.entry(client).or_default() += bytes;
            }
            now = limiter.poll_timeout().unwrap();
        }
        had
    }

    #[test]
    fn torrents_share_alike_however_many_peers_they_have() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        limiter.set_limit(start, Limit::bytes(1_000_000));
        limiter.ask(key(1, 0), u64::MAX >> 1);
        (0..10).for_each(|client| limiter.ask(key(2, client), u64::MAX >> 1));
        let had = run(&mut limiter, start, Duration::from_secs(20));
        let alone = had[&key(1, 0)];
        let together: Vec<u64> = (0..10).map(|client| had[&key(2, client)]).collect();
        assert!((9_900_000..=10_100_000).contains(&alone), "{alone}");
        assert!(together.iter().all(|bytes| (980_000..=1_020_000).contains(bytes)), "{together:?}");
    }

    #[test]
    fn what_one_does_not_want_goes_to_the_others() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        limiter.set_limit(start, Limit::bytes(1_000_000));
        limiter.ask(key(1, 0), 100_000);
        limiter.ask(key(2, 0), u64::MAX >> 1);
        let had = run(&mut limiter, start, Duration::from_secs(10));
        assert_eq!(had[&key(1, 0)], 100_000);
        assert!((9_890_000..=9_930_000).contains(&had[&key(2, 0)]), "{had:?}");
    }

    #[test]
    fn who_is_granted_hears_its_share_of_all_who_wait() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        limiter.set_limit(start, Limit::bytes(1_200_000));
        limiter.ask(key(1, 0), 1 << 30);
        (0..3).for_each(|client| limiter.ask(key(2, client), 1 << 30));
        let mut shares = BTreeMap::new();
        for second in 0..4 {
            while let Some(grant) = limiter.poll_grant(start + Duration::from_secs(second)) {
                shares.insert(grant.client, grant.share);
            }
        }
        let expected = [(key(1, 0), 600_000), (key(2, 0), 200_000), (key(2, 1), 200_000), (key(2, 2), 200_000)];
        assert_eq!(shares, BTreeMap::from(expected));
    }

    #[test]
    fn what_comes_back_flows_again_and_the_gone_are_forgotten() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        limiter.set_limit(start, Limit::bytes(16_384));
        limiter.ask(key(1, 0), 32_768);
        let first = limiter.poll_grant(start).unwrap();
        assert_eq!((first.bytes, first.share), (16_384, 16_384));
        assert_eq!(limiter.poll_grant(start), None);
        limiter.adjust(16_384);
        assert_eq!(limiter.poll_grant(start).unwrap().bytes, 16_384);
        assert_eq!(limiter.poll_timeout(), None, "nobody waits");
        limiter.ask(key(1, 0), 1);
        limiter.forget(key(1, 0));
        assert!(limiter.poll_grant(start + Duration::from_secs(9)).is_none() && limiter.members.is_empty());
        assert!(limiter.groups.is_forgotten());
    }

    #[test]
    fn without_a_limit_every_wish_is_granted_whole() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        limiter.set_limit(start, Limit::Paused);
        limiter.ask(key(1, 0), 1 << 40);
        assert_eq!((limiter.poll_grant(start), limiter.poll_timeout()), (None, None));
        limiter.set_limit(start, Limit::Off);
        let all = Allotment { client: key(1, 0), bytes: 1 << 40, share: u64::MAX };
        assert_eq!(limiter.poll_grant(start), Some(all));
    }
}
