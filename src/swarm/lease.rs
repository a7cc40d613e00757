//! Which runs are lent to whom, and how much a hungry peer gets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use crate::base::layout::BLOCK_LEN;
use crate::base::run::{Run, RunId};
use crate::swarm::action::PeerKey;

/// A lease is about this long for a fast peer, in bytes.
pub const LEASE_LEN: u64 = 1 << 20;

/// One run that is lent.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub peer: PeerKey,
    pub run: Run,
    /// The opening of the piece that it belongs to.
    pub serial: u64,
    pub since: Instant,
    /// The peer has been told to give it back.
    pub recalled: bool,
    /// Length of the run.
    pub bytes: u64,
}

/// All runs that are lent, found by id and by peer.
#[derive(Default)]
pub struct Leases {
    by_id: HashMap<RunId, Lease>,
    by_peer: BTreeMap<PeerKey, Held>,
    bytes: u64,
}

#[derive(Default)]
struct Held {
    ids: BTreeSet<RunId>,
    bytes: u64,
    /// Those of them that were recalled.
    recalled: u64,
}

impl Leases {
    pub fn insert(&mut self, id: RunId, lease: Lease) {
        let held = self.by_peer.entry(lease.peer).or_default();
        held.ids.insert(id);
        held.bytes += lease.bytes;
        self.bytes += lease.bytes;
        self.by_id.insert(id, lease);
    }

    /// Ends a lease, if it is this peer's.
    pub fn remove(&mut self, peer: PeerKey, id: RunId) -> Option<Lease> {
        let held = self.by_peer.get_mut(&peer)?;
        if !held.ids.remove(&id) {
            return None;
        }
        let lease = self.by_id.remove(&id)?;
        held.bytes -= lease.bytes;
        held.recalled -= if lease.recalled { lease.bytes } else { 0 };
        self.bytes -= lease.bytes;
        if held.ids.is_empty() {
            self.by_peer.remove(&peer);
        }
        Some(lease)
    }

    /// Marks a lease as recalled; false if it was before or is none.
    pub fn recall(&mut self, id: RunId) -> bool {
        let Some(lease) = self.by_id.get_mut(&id).filter(|lease| !lease.recalled) else { return false };
        lease.recalled = true;
        if let Some(held) = self.by_peer.get_mut(&lease.peer) {
            held.recalled += lease.bytes;
        }
        true
    }

    pub fn get(&self, id: RunId) -> Option<&Lease> {
        self.by_id.get(&id)
    }

    /// The leases of one peer in the order in which they were granted.
    pub fn of(&self, peer: PeerKey) -> impl Iterator<Item = (RunId, &Lease)> {
        self.by_peer.get(&peer).into_iter().flat_map(|held| &held.ids).map(|id| (*id, &self.by_id[id]))
    }

    /// How many bytes of runs this peer holds.
    pub fn bytes_of(&self, peer: PeerKey) -> u64 {
        self.by_peer.get(&peer).map_or(0, |held| held.bytes)
    }

    /// The same without what it was told to give back.
    pub fn at_work(&self, peer: PeerKey) -> u64 {
        self.by_peer.get(&peer).map_or(0, |held| held.bytes - held.recalled)
    }

    /// How many bytes of runs are lent in all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those who hold leases.
    pub fn holders(&self) -> impl Iterator<Item = PeerKey> {
        self.by_peer.keys().copied()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// How many bytes to grant to a peer that could take `hungry` more and delivers `rate` bytes a second (0: not known).
///
/// A fast peer gets at least half a second's worth, up to [`LEASE_LEN`], so that it asks seldom, and in steps of about
/// that: runs of few lengths come of it, whose buffers are used again and again. Near the end nobody gets more than its
/// `share` of what is left, so that all finish together. Always whole blocks, at least one.
pub fn grant_len(hungry: u32, rate: u64, share: u64) -> u64 {
    let quantum = (rate / 2).min(LEASE_LEN);
    let block = u64::from(BLOCK_LEN);
    let step = (quantum / block).checked_ilog2().map_or(block, |log| block << log);
    u64::from(hungry).max(quantum).next_multiple_of(step).min(share).div_ceil(block).max(1) * block
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = BLOCK_LEN as u64;

    #[test]
    fn a_grant_follows_hunger_rate_and_share() {
        assert_eq!(grant_len(100_000, 0, u64::MAX), 7 * BLOCK, "what it asked for, in blocks");
        assert_eq!(grant_len(1, 4 << 20, u64::MAX), LEASE_LEN, "a fast peer seldom asks");
        assert_eq!(grant_len(8 << 20, 100 << 20, u64::MAX), 8 << 20);
        assert_eq!(grant_len((1 << 20) + 1, 100 << 20, u64::MAX), 2 << 20, "in steps of a lease");
        assert_eq!(grant_len(9 * BLOCK_LEN, 10 * BLOCK, u64::MAX), 12 * BLOCK, "half a second is 5 blocks: steps of 4");
        assert_eq!(grant_len(1, 3000, u64::MAX), BLOCK, "a slow peer gets one block");
        assert_eq!(grant_len(8 << 20, 0, 3 * BLOCK), 3 * BLOCK, "16 blocks for 6 peers are 3 each");
        assert_eq!(grant_len(8 << 20, 0, 0), BLOCK);
    }

    #[test]
    fn a_lease_ends_once_and_only_for_its_holder() {
        let run = Run { piece: 0, first: 0, count: 1 };
        let lease = |peer| Lease { peer, run, serial: 1, since: Instant::now(), recalled: false, bytes: 9 };
        let mut leases = Leases::default();
        leases.insert(RunId(1), lease(PeerKey(1)));
        leases.insert(RunId(2), lease(PeerKey(1)));
        assert!(leases.remove(PeerKey(2), RunId(1)).is_none());
        assert!(leases.recall(RunId(1)) && !leases.recall(RunId(1)) && !leases.recall(RunId(9)));
        assert_eq!((leases.bytes_of(PeerKey(1)), leases.at_work(PeerKey(1))), (18, 9));
        assert!(leases.remove(PeerKey(1), RunId(1)).is_some_and(|lease| lease.recalled));
        assert!(leases.remove(PeerKey(1), RunId(1)).is_none());
        assert_eq!(leases.at_work(PeerKey(1)), 9);
        assert_eq!((leases.len(), leases.bytes_of(PeerKey(1)), leases.bytes(), leases.holders().count()), (1, 9, 9, 1));
    }
}
