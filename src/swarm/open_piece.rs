//! One open piece: which blocks are there, which somebody fetches, which are free, and who sent what.
//!
//! Invariants: a block is done (its bytes lie in exactly one stored run), or held (one or more leases fetch it), or
//! free. `stored` never overlaps. Only staging changes an open piece, since it counts the bytes.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::base::bitfield::Bitfield;
use crate::base::layout::Layout;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::swarm::action::PeerKey;
use crate::swarm::picker::Urgency;

/// A piece that is being fetched.
#[derive(Debug)]
pub struct OpenPiece {
    pub piece: u32,
    /// Tells this opening of the piece from others.
    pub serial: u64,
    pub urgency: Urgency,
    /// When something was last granted or came.
    pub touched: Instant,
    /// What is to become of it when its leases are back.
    pub closing: Option<Closing>,
    /// Only this peer may fetch it for now.
    pub only: Option<Exclusive>,
    pub(super) blocks: Vec<Block>,
    pub(super) free: u32,
    pub(super) done: u32,
    pub(super) stored: BTreeMap<u32, RunBuffer>,
    /// Leases (and loads) of this opening that are out.
    pub(super) out: Vec<RunId>,
}

/// Why an open piece takes no more leases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// Its blocks go to the disk, unverified.
    Spill,
    /// Its blocks are thrown away: it is not wanted any more.
    Discard,
}

/// One peer fetches a whole piece alone, so that another failure says who lied; not for longer than to `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exclusive {
    pub peer: PeerKey,
    pub until: Instant,
}

/// The state of one block.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Block {
    pub done: bool,
    /// Leases that fetch it; more than one in endgame only.
    pub holders: u8,
    /// Who sent it; `None` for what an earlier run left on disk.
    pub sender: Option<PeerKey>,
}

impl Block {
    pub fn is_free(self) -> bool {
        !self.done && self.holders == 0
    }
}

impl OpenPiece {
    /// How many blocks nobody has or fetches.
    pub fn free(&self) -> u32 {
        self.free
    }

    /// How many blocks are not there yet.
    pub fn missing(&self) -> u32 {
        self.blocks.len() as u32 - self.done
    }

    pub fn done(&self) -> u32 {
        self.done
    }

    pub fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// Leases and loads that are out.
    pub fn out(&self) -> &[RunId] {
        &self.out
    }

    /// One bit a block: those that are there.
    pub fn done_blocks(&self) -> Bitfield {
        let mut bits = Bitfield::new(self.blocks.len() as u32);
        for (at, _) in self.blocks.iter().enumerate().filter(|(_, block)| block.done) {
            bits.set(at as u32);
        }
        bits
    }

    /// Who sent each block.
    pub fn senders(&self) -> Vec<Option<PeerKey>> {
        self.blocks.iter().map(|block| block.sender).collect()
    }

    /// True if `peer` may have leases of it.
    pub fn admits(&self, now: Instant, peer: PeerKey) -> bool {
        self.closing.is_none() && self.only.is_none_or(|only| only.peer == peer || only.until <= now)
    }

    /// True if `peer` may have some block of `run` a second time, with fewer than `holders` holders so far.
    pub fn doubles(&self, now: Instant, run: Run, peer: PeerKey, holders: u8) -> bool {
        self.admits(now, peer) && self.tail_stretch(run, 1, holders).is_some()
    }

    /// The first stretch of free blocks, at most `max` and [`Run::MAX_BLOCKS`] long.
    pub(super) fn free_stretch(&self, max: u32) -> Option<Run> {
        let first = self.blocks.iter().position(|block| block.is_free())?;
        let max = max.clamp(1, Run::MAX_BLOCKS) as usize;
        let count = self.blocks[first..].iter().take(max).take_while(|block| block.is_free()).count();
        Some(Run { piece: self.piece, first: first as u32, count: count as u32 })
    }

    /// The last stretch of blocks of `within` that are not there and have fewer than `holders` holders, at most `max`
    /// long: the end of a run is what its holder comes to last.
    pub(super) fn tail_stretch(&self, within: Run, max: u32, holders: u8) -> Option<Run> {
        let fits = |at: &u32| {
            let block = self.blocks[*at as usize];
            !block.done && block.holders < holders
        };
        let range = within.first..within.first + within.count;
        let last = range.clone().rev().find(fits)?;
        let count = (range.start..=last).rev().take(max.clamp(1, Run::MAX_BLOCKS) as usize).take_while(fits).count();
        Some(Run { piece: self.piece, first: last + 1 - count as u32, count: count as u32 })
    }

    /// Adds a holder to each block of `run`; the bytes of those that were free.
    pub(super) fn hold(&mut self, run: Run, layout: &Layout) -> u64 {
        let mut were_free = 0;
        for at in run.first..run.first + run.count {
            let block = &mut self.blocks[at as usize];
            if block.is_free() {
                self.free -= 1;
                were_free += u64::from(layout.block_len(run.piece, at));
            }
            block.holders += 1;
        }
        were_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a block: free, held once or twice, or done.
    fn piece(blocks: &str) -> OpenPiece {
        let block = |letter| Block {
            done: letter == 'd',
            holders: "h2".find(letter).map_or(0, |at| at as u8 + 1),
            sender: None,
        };
        OpenPiece {
            piece: 0,
            serial: 1,
            urgency: Urgency { deadline: 0, priority: 0 },
            touched: Instant::now(),
            closing: None,
            only: None,
            blocks: blocks.chars().map(block).collect(),
            free: 0,
            done: blocks.matches('d').count() as u32,
            stored: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    #[test]
    fn the_first_free_stretch_ends_where_somebody_has_or_holds_a_block() {
        let stretch = |blocks, max| piece(blocks).free_stretch(max).map(|run| (run.first, run.count));
        assert_eq!(stretch("dhfffhf", 9), Some((2, 3)));
        assert_eq!(stretch("dhfffhf", 2), Some((2, 2)));
        assert_eq!(stretch("dhh", 9), None);
        assert_eq!(stretch(&"f".repeat(100), 100), Some((0, 64)));
    }

    #[test]
    fn the_tail_of_a_run_skips_what_is_done_or_held_by_enough() {
        let tail = |blocks, max, holders| {
            let whole = Run { piece: 0, first: 0, count: 5 };
            piece(blocks).tail_stretch(whole, max, holders).map(|run| (run.first, run.count))
        };
        assert_eq!(tail("hhhhh", 2, 2), Some((3, 2)));
        assert_eq!(tail("hhh2d", 9, 2), Some((0, 3)));
        assert_eq!(tail("hdh2d", 9, 3), Some((2, 2)));
        assert_eq!(tail("22222", 9, 2), None);
    }
}
