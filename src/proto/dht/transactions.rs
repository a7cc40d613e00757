//! The queries that wait for an answer.
//!
//! An answer counts only if its transaction id is one of ours and it comes from the very address that was asked: the
//! ids are 32 random bits, so that nobody who doesn't see our packets can answer for another. A query grows *slow*
//! after its patience (its slot goes to another node) and is *lost* after [`Transactions::LOST_AFTER`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::node_id::NodeId;

/// Names a lookup for the life of the node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LookupId(pub u64);

/// Why a query was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A step of a lookup.
    Lookup(LookupId),
    /// An `announce_peer` at the end of a lookup.
    Announce(LookupId),
    /// To learn whether a node is alive.
    Upkeep,
}

#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub to: SocketAddr,
    /// Who we believe answers there; unknown for routers and bare addresses.
    pub id: Option<NodeId>,
    pub purpose: Purpose,
    pub sent: Instant,
    slow_at: Option<Instant>,
}

/// What time did to a query.
#[derive(Clone, Copy, Debug)]
pub enum Overdue {
    /// Still awaited, but no longer counted on.
    Slow(Pending),
    /// No longer awaited.
    Lost(Pending),
}

#[derive(Debug, Default)]
pub struct Transactions {
    pending: BTreeMap<u32, Pending>,
    slow: BTreeSet<(Instant, u32)>,
    lost: BTreeSet<(Instant, u32)>,
}

impl Transactions {
    pub const LOST_AFTER: Duration = Duration::from_secs(5);
    /// No more queries than this wait at once.
    pub const MAX: usize = 1024;

    /// How many wait.
    pub fn open_count(&self) -> usize {
        self.pending.len()
    }

    pub fn is_full(&self) -> bool {
        self.pending.len() >= Self::MAX
    }

    /// Notes a query and gives it its transaction id.
    pub fn open(
        &mut self,
        now: Instant,
        to: SocketAddr,
        id: Option<NodeId>,
        purpose: Purpose,
        patience: Duration,
        rng: &mut StdRng,
    ) -> [u8; 4] {
        let mut key = rng.next_u32();
        while self.pending.contains_key(&key) {
            key = rng.next_u32();
        }
        let slow_at = now + patience;
        self.pending.insert(key, Pending { to, id, purpose, sent: now, slow_at: Some(slow_at) });
        self.slow.insert((slow_at, key));
        self.lost.insert((now + Self::LOST_AFTER, key));
        key.to_be_bytes()
    }

    /// The query that this answers, if it is one of ours and was sent to `from`.
    pub fn close(&mut self, transaction: &[u8], from: SocketAddr) -> Option<Pending> {
        let key = u32::from_be_bytes(transaction.try_into().ok()?);
        self.pending.get(&key).filter(|pending| pending.to == from)?;
        let pending = self.pending.remove(&key)?;
        self.forget_times(key, &pending);
        Some(pending)
    }

    /// Queries whose time has come, one a call, oldest first.
    pub fn overdue(&mut self, now: Instant) -> Option<Overdue> {
        if let Some(&(at, key)) = self.lost.first()
            && at <= now
        {
            let pending = self.pending.remove(&key)?;
            self.forget_times(key, &pending);
            return Some(Overdue::Lost(pending));
        }
        let &(at, key) = self.slow.first()?;
        if at > now {
            return None;
        }
        self.slow.pop_first();
        let pending = self.pending.get_mut(&key)?;
        pending.slow_at = None;
        Some(Overdue::Slow(*pending))
    }

    pub fn next_time(&self) -> Option<Instant> {
        let first = |set: &BTreeSet<(Instant, u32)>| set.first().map(|&(at, _)| at);
        [first(&self.slow), first(&self.lost)].into_iter().flatten().min()
    }

    fn forget_times(&mut self, key: u32, pending: &Pending) {
        if let Some(slow_at) = pending.slow_at {
            self.slow.remove(&(slow_at, key));
        }
        self.lost.remove(&(pending.sent + Self::LOST_AFTER, key));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    fn open(transactions: &mut Transactions, now: Instant, to: SocketAddr, rng: &mut StdRng) -> [u8; 4] {
        transactions.open(now, to, None, Purpose::Upkeep, PATIENCE, rng)
    }

    #[test]
    fn only_the_node_that_was_asked_can_answer_and_only_once() {
        let (mut transactions, mut rng) = (Transactions::default(), StdRng::seed_from_u64(1));
        let now = Instant::now();
        let asked: SocketAddr = "203.0.113.1:6881".parse().unwrap();
        let spoofer: SocketAddr = "203.0.113.2:6881".parse().unwrap();
        let id = open(&mut transactions, now, asked, &mut rng);
        assert!(transactions.close(&id, spoofer).is_none());
        assert!(transactions.close(&id[..3], asked).is_none());
        assert!(transactions.close(&[id[0] ^ 1, id[1], id[2], id[3]], asked).is_none());
        assert_eq!(transactions.close(&id, asked).unwrap().to, asked);
        assert!(transactions.close(&id, asked).is_none());
        assert!(transactions.next_time().is_none(), "no time is left behind");
    }

    #[test]
    fn a_query_grows_slow_then_lost_and_a_slow_one_can_still_be_answered() {
        let (mut transactions, mut rng) = (Transactions::default(), StdRng::seed_from_u64(1));
        let now = Instant::now();
        let addr: SocketAddr = "203.0.113.1:6881".parse().unwrap();
        let first = open(&mut transactions, now, addr, &mut rng);
        let _second = open(&mut transactions, now, addr, &mut rng);
        assert_eq!(transactions.next_time(), Some(now + PATIENCE));
        assert!(transactions.overdue(now + PATIENCE / 2).is_none());
        assert!(matches!(transactions.overdue(now + PATIENCE), Some(Overdue::Slow(_))));
        assert!(matches!(transactions.overdue(now + PATIENCE), Some(Overdue::Slow(_))));
        assert!(transactions.overdue(now + PATIENCE).is_none());
        assert!(transactions.close(&first, addr).is_some());
        let end = now + Transactions::LOST_AFTER;
        assert_eq!(transactions.next_time(), Some(end));
        assert!(matches!(transactions.overdue(end), Some(Overdue::Lost(_))));
        assert!(transactions.overdue(end).is_none());
        assert_eq!(transactions.open_count(), 0);
    }

    #[test]
    fn transaction_ids_do_not_count_up() {
        let (mut transactions, mut rng) = (Transactions::default(), StdRng::seed_from_u64(3));
        let now = Instant::now();
        let addr: SocketAddr = "203.0.113.1:6881".parse().unwrap();
        let ids: Vec<u32> =
            (0..100).map(|_| u32::from_be_bytes(open(&mut transactions, now, addr, &mut rng))).collect();
        assert!(ids.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 1 << 16).count() < 3);
    }
}
