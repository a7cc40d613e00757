//! Who sent the bytes of a piece whose hash was wrong.
//!
//! A failed piece that came from one peer alone convicts it. Otherwise the hash of each block is kept with its sender;
//! once the piece passes, whoever sent a block that differs lied, and who sent the same is cleared. Bounded: a few
//! failures a piece, and a limited number of pieces.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::hash::sha1_batch;
use crate::base::run::RunBuffer;
use crate::swarm::action::PeerKey;

/// Failures of one piece whose block hashes are kept.
const FAILURES: usize = 4;
/// Pieces with failures that are kept.
const PIECES: usize = 1_000;

/// Owner of the evidence.
#[derive(Default)]
pub struct Blame {
    /// Who sent each block of the pieces that are with the disk.
    with_disk: BTreeMap<u32, Vec<Option<PeerKey>>>,
    failed: BTreeMap<u32, Vec<Evidence>>,
}

/// One failure: by block, who sent it and the hash of what was sent.
type Evidence = Vec<(Option<PeerKey>, [u8; 20])>;

impl Blame {
    /// The piece goes to the disk to be hashed.
    pub fn on_finish(&mut self, piece: u32, senders: Vec<Option<PeerKey>>) {
        self.with_disk.insert(piece, senders);
    }

    /// The hash was wrong. Returns the peer that is convicted by it, if one sent all of the piece.
    pub fn on_mismatch(&mut self, piece: u32, runs: &[RunBuffer]) -> Option<PeerKey> {
        let senders = self.with_disk.remove(&piece)?;
        let first = *senders.first()?;
        if first.is_some() && senders.iter().all(|sender| *sender == first) {
            return first;
        }
        if self.failed.len() < PIECES || self.failed.contains_key(&piece) {
            let failures = self.failed.entry(piece).or_default();
            if failures.len() < FAILURES {
                failures.push(senders.into_iter().zip(block_hashes(runs)).collect());
            }
        }
        None
    }

    /// The hash was right: those who sent a block that differs in an earlier failure.
    pub fn on_verified(&mut self, piece: u32, runs: &[RunBuffer]) -> BTreeSet<PeerKey> {
        self.with_disk.remove(&piece);
        let Some(failures) = self.failed.remove(&piece) else { return BTreeSet::new() };
        let right = block_hashes(runs);
        let sent = failures.iter().flat_map(|evidence| evidence.iter().zip(&right));
        sent.filter(|((_, hash), right)| hash != *right).filter_map(|((sender, _), _)| *sender).collect()
    }

    /// The disk has given the piece up.
    pub fn on_failed(&mut self, piece: u32) {
        self.with_disk.remove(&piece);
    }

    /// True if the piece has failed and not yet passed: it is better fetched from one peer alone.
    pub fn is_poisoned(&self, piece: u32) -> bool {
        !self.failed.is_empty() && self.failed.contains_key(&piece)
    }

    /// True if the peer sent something of the piece when it failed.
    pub fn suspects(&self, piece: u32, peer: PeerKey) -> bool {
        let failures = self.failed.get(&piece).into_iter().flatten();
        failures.flatten().any(|(sender, _)| *sender == Some(peer))
    }
}

fn block_hashes(runs: &[RunBuffer]) -> Vec<[u8; 20]> {
    let blocks: Vec<[&[u8]; 1]> =
        runs.iter().flat_map(|run| (0..run.run.count).map(|block| [run.block(block)])).collect();
    sha1_batch(&blocks.iter().map(|block| &block[..]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::layout::Layout;
    use crate::base::run::{Run, RunId};

    const A: Option<PeerKey> = Some(PeerKey(1));
    const B: Option<PeerKey> = Some(PeerKey(2));

    /// One piece of three blocks filled with these bytes.
    fn runs(fill: [u8; 3]) -> Vec<RunBuffer> {
        let layout = Layout::v1(40_000, [(40_000, false)]);
        let run = |first, count| RunBuffer::new(RunId(0), Run { piece: 0, first, count }, &layout);
        let mut runs = vec![run(0, 2), run(2, 1)];
        for (at, byte) in fill.into_iter().enumerate() {
            runs[at / 2].block_mut(at as u32 % 2).fill(byte);
        }
        runs
    }

    #[test]
    fn a_piece_wholly_from_one_peer_convicts_it_at_once() {
        let mut blame = Blame::default();
        blame.on_finish(0, vec![A, A, A]);
        assert_eq!(blame.on_mismatch(0, &runs([1, 2, 9])), A);
        assert!(!blame.is_poisoned(0));
        blame.on_finish(0, vec![None, None, None]);
        assert_eq!(blame.on_mismatch(0, &runs([1, 2, 9])), None, "an earlier run's blocks convict nobody");
    }

    #[test]
    fn who_sent_the_blocks_that_differ_is_blamed_and_others_are_spared() {
        let mut blame = Blame::default();
        blame.on_finish(0, vec![A, B, A]);
        assert_eq!(blame.on_mismatch(0, &runs([1, 9, 3])), None);
        assert!(blame.is_poisoned(0) && blame.suspects(0, PeerKey(1)) && !blame.suspects(0, PeerKey(3)));
        blame.on_finish(0, vec![B, A, A]);
        assert_eq!(blame.on_mismatch(0, &runs([9, 2, 3])), None);
        blame.on_finish(0, vec![A, A, A]);
        assert_eq!(blame.on_verified(0, &runs([1, 2, 3])), BTreeSet::from([PeerKey(2)]));
        assert!(!blame.is_poisoned(0));
    }
}
