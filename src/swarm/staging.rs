//! The buffers of open pieces and what they cost.
//!
//! A piece is opened only when the budget can reserve all of it. From then on each of its blocks is paid for once: as
//! a promise while it is free, as part of a buffer while it is fetched, stored or with the disk. Duplicates of the
//! endgame are paid for on top. `charged` never exceeds the limit, which is the budget or, if that is less, one piece:
//! every torrent can go on with one piece at least.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::base::bitfield::Bitfield;
use crate::base::layout::Layout;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::swarm::action::PeerKey;
use crate::swarm::buffers::Buffers;
use crate::swarm::lease::{Lease, Leases};
use crate::swarm::open_piece::{Block, Closing, Exclusive, OpenPiece};
use crate::swarm::picker::Urgency;

/// Owner of the open pieces and of every buffer that is not with a peer or the disk.
pub struct Staging {
    layout: Arc<Layout>,
    /// Those that are lent, stored or with the disk.
    buffers: Buffers,
    /// Bytes of free blocks: promised, not allocated.
    promised: u64,
    open: BTreeMap<u32, OpenPiece>,
    /// Open pieces that have free blocks and take leases, most urgent and oldest first.
    helpable: BTreeSet<(Urgency, u64, u32)>,
    leases: Leases,
    next_serial: u64,
}

/// What a buffer that came back has brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// Bytes of blocks that were missing.
    pub fresh: u64,
    /// Bytes of blocks that were there already or that nobody wants any more.
    pub wasted: u64,
    /// The piece has all its blocks now.
    pub complete: bool,
    /// Other leases of blocks that have just come: to be recalled.
    pub losers: Vec<(PeerKey, RunId)>,
    /// The piece can go now: it was closing, and this was its last lease.
    pub closed: bool,
    /// It had been asked for.
    pub recalled: bool,
}

/// A piece that has left staging, with its memory; still charged until [`Staging::release`].
#[derive(Debug)]
pub struct Taken {
    pub runs: Vec<RunBuffer>,
    pub blocks: Bitfield,
    pub senders: Vec<Option<PeerKey>>,
}

impl Staging {
    pub fn new(layout: Arc<Layout>, budget: u64) -> Self {
        Staging {
            buffers: Buffers::new(layout.clone(), budget),
            layout,
            promised: 0,
            open: BTreeMap::new(),
            helpable: BTreeSet::new(),
            leases: Leases::default(),
            next_serial: 0,
        }
    }

    pub fn set_budget(&mut self, budget: u64) {
        self.buffers.set_budget(budget);
    }

    /// Most bytes that may be charged.
    pub fn limit(&self) -> u64 {
        self.buffers.limit()
    }

    /// Bytes promised, lent, stored or with the disk.
    pub fn charged(&self) -> u64 {
        self.promised + self.buffers.bytes()
    }

    /// Bytes of free blocks of open pieces.
    pub fn promised(&self) -> u64 {
        self.promised
    }

    #[cfg(test)]
    pub fn pool(&self) -> &crate::swarm::pool::Pool {
        self.buffers.pool()
    }

    /// True if a whole piece of `bytes` (or a duplicate) can be paid for.
    pub fn can_charge(&self, bytes: u64) -> bool {
        self.charged() + bytes <= self.limit()
    }

    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    pub fn get(&self, piece: u32) -> Option<&OpenPiece> {
        self.open.get(&piece)
    }

    pub fn open_pieces(&self) -> impl Iterator<Item = &OpenPiece> {
        self.open.values()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Open pieces with free blocks, in the order in which they should be helped.
    pub fn helpable(&self) -> impl Iterator<Item = &OpenPiece> {
        self.helpable.iter().map(|(_, _, piece)| &self.open[piece])
    }

    pub fn any_helpable(&self) -> bool {
        !self.helpable.is_empty()
    }

    /// Opens a piece; the caller has asked [`Staging::can_charge`].
    pub fn open(&mut self, now: Instant, piece: u32, urgency: Urgency, only: Option<Exclusive>) {
        let blocks = self.layout.blocks(piece);
        self.next_serial += 1;
        self.promised += u64::from(self.layout.piece_len(piece));
        let open = OpenPiece {
            piece,
            serial: self.next_serial,
            urgency,
            touched: now,
            closing: None,
            only,
            blocks: vec![Block::default(); blocks as usize],
            free: blocks,
            done: 0,
            stored: BTreeMap::new(),
            out: Vec::new(),
        };
        self.helpable.insert((urgency, open.serial, piece));
        let before = self.open.insert(piece, open);
        debug_assert!(before.is_none(), "piece {piece} is open already");
    }

    /// Opens a piece of which `blocks` lie on disk: the runs to be read back. The other blocks are free at once.
    pub fn open_spilled(&mut self, now: Instant, piece: u32, urgency: Urgency, blocks: &Bitfield) -> Vec<RunBuffer> {
        self.open(now, piece, urgency, None);
        let mut runs = Vec::new();
        let mut at = 0;
        while at < blocks.len() {
            let count = (at..blocks.len()).take(Run::MAX_BLOCKS as usize).take_while(|at| blocks.get(*at)).count();
            if count == 0 {
                at += 1;
                continue;
            }
            let run = Run { piece, first: at, count: count as u32 };
            let mut buffer = self.buffers.make(run);
            buffer.want = 0;
            let open = self.open.get_mut(&piece).expect("opened above");
            open.out.push(buffer.id);
            self.promised -= open.hold(run, &self.layout);
            runs.push(buffer);
            at += count as u32;
        }
        self.note_helpable(piece);
        runs
    }

    /// Leases the first free blocks of an open piece to a peer.
    pub fn lend(&mut self, now: Instant, peer: PeerKey, piece: u32, max_blocks: u32) -> Option<RunBuffer> {
        let run = self.open.get(&piece).filter(|open| open.admits(now, peer))?.free_stretch(max_blocks)?;
        Some(self.lend_run(now, peer, run))
    }

    /// Leases blocks of `within` a second time, from the end; `None` if nothing there is missing, each block has
    /// `holders` holders already, or the budget has no room.
    pub fn lend_again(
        &mut self,
        now: Instant,
        peer: PeerKey,
        within: Run,
        max_blocks: u32,
        holders: u8,
    ) -> Option<RunBuffer> {
        let open = self.open.get(&within.piece).filter(|open| open.admits(now, peer))?;
        let run = open.tail_stretch(within, max_blocks, holders)?;
        self.can_charge(run.byte_len(&self.layout).into()).then(|| self.lend_run(now, peer, run))
    }

    /// Takes a lent buffer back, whatever came of it. `None` if it was not lent to this peer.
    pub fn take_back(&mut self, now: Instant, peer: PeerKey, buffer: RunBuffer) -> Option<Brought> {
        let lease = self.leases.remove(peer, buffer.id)?;
        let brought = self.settle(now, lease.serial, buffer, Some(peer));
        Some(Brought { recalled: lease.recalled, ..brought })
    }

    /// Takes a buffer back that was read from the disk.
    pub fn loaded(&mut self, now: Instant, buffer: RunBuffer) -> Brought {
        let serial = self.open.get(&buffer.run.piece).map_or(0, |open| open.serial);
        self.settle(now, serial, buffer, None)
    }

    /// A lease whose holder is gone with the buffer: its blocks are free again.
    pub fn lose(&mut self, now: Instant, peer: PeerKey, id: RunId) -> Brought {
        let Some(lease) = self.leases.remove(peer, id) else { return Brought::default() };
        let run = lease.run;
        let buffer = RunBuffer { id, run, have: 0, want: 0, bytes: Box::default() };
        self.buffers.write_off(run);
        self.unhold(now, lease.serial, &buffer, None).1
    }

    /// Marks a lease as recalled; false if it was before or is none.
    pub fn recall(&mut self, id: RunId) -> bool {
        self.leases.recall(id)
    }

    /// Lets an open piece take no more leases. True if none is out, so that it can be taken at once.
    pub fn close(&mut self, piece: u32, closing: Closing) -> bool {
        let Some(open) = self.open.get_mut(&piece) else { return false };
        open.closing = Some(closing);
        let free_now = open.out.is_empty();
        self.note_helpable(piece);
        free_now
    }

    /// Lets only `only` fetch the piece, or everybody.
    pub fn set_only(&mut self, piece: u32, only: Option<Exclusive>) {
        if let Some(open) = self.open.get_mut(&piece) {
            open.only = only;
        }
    }

    /// Removes a piece. Its buffers stay charged until they are [released](Staging::release); leases that are still
    /// out bring nothing any more.
    pub fn take(&mut self, piece: u32) -> Option<Taken> {
        let open = self.open.remove(&piece)?;
        self.helpable.remove(&(open.urgency, open.serial, piece));
        let free = open.blocks.iter().enumerate().filter(|(_, block)| block.is_free());
        self.promised -= free.map(|(at, _)| u64::from(self.layout.block_len(piece, at as u32))).sum::<u64>();
        Some(Taken { blocks: open.done_blocks(), senders: open.senders(), runs: open.stored.into_values().collect() })
    }

    /// Buffers that nobody needs any more.
    pub fn release(&mut self, runs: Vec<RunBuffer>) {
        runs.into_iter().for_each(|run| self.buffers.put(run));
    }

    /// Frees idle memory.
    pub fn shrink(&mut self) {
        self.buffers.shrink();
    }

    /// (promised, stored) as counted block by block and buffer by buffer, to be compared with what is kept.
    #[cfg(test)]
    pub fn audit(&self) -> (u64, u64) {
        let (mut promised, mut stored) = (0, 0);
        for open in self.open.values() {
            let free = |(_, block): &(usize, &Block)| block.is_free();
            let len = |(at, _)| u64::from(self.layout.block_len(open.piece, at as u32));
            promised += open.blocks.iter().enumerate().filter(free).map(len).sum::<u64>();
            stored += open.stored.values().map(|run| run.bytes.len() as u64).sum::<u64>();
            let done: u32 = open.stored.values().map(|run| run.run.count).sum();
            assert_eq!(done, open.done, "each block that is there lies in one stored run");
            assert_eq!(open.free as usize, open.blocks.iter().filter(|block| block.is_free()).count());
        }
        (promised, stored)
    }

    /// Most holders of one block.
    #[cfg(test)]
    pub fn most_holders(&self) -> u8 {
        self.open.values().flat_map(|open| &open.blocks).map(|block| block.holders).max().unwrap_or(0)
    }

    fn lend_run(&mut self, now: Instant, peer: PeerKey, run: Run) -> RunBuffer {
        let buffer = self.buffers.make(run);
        let open = self.open.get_mut(&run.piece).expect("only blocks of open pieces are lent");
        open.touched = now;
        open.out.push(buffer.id);
        let bytes = buffer.bytes.len() as u64;
        self.leases.insert(buffer.id, Lease { peer, run, serial: open.serial, since: now, recalled: false, bytes });
        self.promised -= open.hold(run, &self.layout);
        self.note_helpable(run.piece);
        buffer
    }

    /// Stores what is fresh in `buffer` and gives the rest of its memory back.
    fn settle(&mut self, now: Instant, serial: u64, buffer: RunBuffer, sender: Option<PeerKey>) -> Brought {
        let (fresh, brought) = self.unhold(now, serial, &buffer, sender);
        let stored = self.buffers.keep(buffer, fresh);
        if let Some(open) = stored.first().and_then(|run| self.open.get_mut(&run.run.piece)) {
            open.stored.extend(stored.into_iter().map(|run| (run.run.first, run)));
        }
        for (_, id) in &brought.losers {
            self.leases.recall(*id);
        }
        brought
    }

    /// Ends the hold of `buffer` on its blocks and marks as done those that it has and that were missing. Returns
    /// these as bits of the run.
    fn unhold(&mut self, now: Instant, serial: u64, buffer: &RunBuffer, sender: Option<PeerKey>) -> (u64, Brought) {
        let (run, mut fresh, mut brought) = (buffer.run, 0u64, Brought::default());
        let length = |at: u32| u64::from(self.layout.block_len(run.piece, at));
        let open = self.open.get_mut(&run.piece).filter(|open| open.serial == serial);
        let Some(open) = open else {
            let had = (0..run.count).filter(|bit| buffer.have >> bit & 1 == 1);
            brought.wasted = had.map(|bit| length(run.first + bit)).sum();
            return (0, brought);
        };
        open.out.retain(|id| *id != buffer.id);
        let mut contested = false;
        for bit in 0..run.count {
            let at = run.first + bit;
            let block = &mut open.blocks[at as usize];
            block.holders -= 1;
            match (buffer.have >> bit & 1 == 1, block.done) {
                (true, true) => brought.wasted += length(at),
                (true, false) => {
                    *block = Block { done: true, sender, ..*block };
                    contested |= block.holders > 0;
                    open.done += 1;
                    fresh |= 1 << bit;
                    brought.fresh += length(at);
                }
                (false, false) if block.holders == 0 => {
                    open.free += 1;
                    self.promised += length(at);
                }
                (false, _) => {}
            }
        }
        if fresh != 0 {
            open.touched = now;
        }
        if contested {
            brought.losers = losers(open, &self.leases, run, fresh);
        }
        brought.complete = open.is_complete();
        brought.closed = open.closing.is_some() && open.out.is_empty();
        self.note_helpable(run.piece);
        (fresh, brought)
    }

    fn note_helpable(&mut self, piece: u32) {
        let Some(open) = self.open.get(&piece) else { return };
        let key = (open.urgency, open.serial, piece);
        if open.free > 0 && open.closing.is_none() {
            self.helpable.insert(key);
        } else {
            self.helpable.remove(&key);
        }
    }
}

/// Leases of the blocks of `run` that `fresh` names.
fn losers(open: &OpenPiece, leases: &Leases, run: Run, fresh: u64) -> Vec<(PeerKey, RunId)> {
    let is_fresh = |at: u32| at.checked_sub(run.first).is_some_and(|bit| bit < run.count && fresh >> bit & 1 == 1);
    let lost = |lease: &Lease| (lease.run.first..lease.run.first + lease.run.count).any(is_fresh);
    let rivals = open.out.iter().filter_map(|id| Some((*id, leases.get(*id)?)));
    rivals.filter(|(_, lease)| !lease.recalled && lost(lease)).map(|(id, lease)| (lease.peer, id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::layout::BLOCK_LEN;

    const ORDINARY: Urgency = Urgency { deadline: u32::MAX, priority: u8::MAX };
    const BLOCK: u64 = BLOCK_LEN as u64;
    const A: PeerKey = PeerKey(1);
    const B: PeerKey = PeerKey(2);

    /// Two pieces, of 100 blocks and of 3 blocks with a short one at the end; memory for 150 blocks.
    fn staging() -> (Staging, Instant) {
        let layout = Layout::v1(100 * BLOCK_LEN, [(102 * BLOCK + 5, false)]);
        (Staging::new(Arc::new(layout), 150 * BLOCK), Instant::now())
    }

    fn fill(mut buffer: RunBuffer, have: u64, byte: u8) -> RunBuffer {
        for bit in (0..buffer.run.count).filter(|bit| have >> bit & 1 == 1) {
            buffer.block_mut(bit).fill(byte);
        }
        (buffer.have, buffer.want) = (have, buffer.run.full_mask() & !have);
        buffer
    }

    #[test]
    fn a_piece_is_paid_for_once_from_opening_to_release() {
        let (mut staging, now) = staging();
        assert!(staging.can_charge(100 * BLOCK));
        staging.open(now, 0, ORDINARY, None);
        assert_eq!(staging.charged(), 100 * BLOCK);
        let run = staging.lend(now, A, 0, 1_000).unwrap();
        assert_eq!((run.run.count, staging.charged(), staging.promised()), (64, 100 * BLOCK, 36 * BLOCK));
        let rest = staging.lend(now, B, 0, 1_000).unwrap();
        assert_eq!((rest.run.first, rest.run.count), (64, 36));
        assert!(staging.lend(now, A, 0, 1).is_none() && !staging.any_helpable());
        for (peer, run) in [(A, run), (B, rest)] {
            let full = run.run.full_mask();
            let brought = staging.take_back(now, peer, fill(run, full, 1)).unwrap();
            assert_eq!((brought.complete, brought.wasted), (peer == B, 0));
        }
        let taken = staging.take(0).unwrap();
        assert_eq!((taken.runs.len(), staging.charged()), (2, 100 * BLOCK), "with the disk it still counts");
        assert_eq!((taken.senders[63], taken.senders[64]), (Some(A), Some(B)));
        staging.release(taken.runs);
        assert_eq!((staging.charged(), staging.pool().idle_bytes()), (0, 100 * BLOCK));
    }

    #[test]
    fn of_a_run_that_comes_back_half_full_the_full_stretches_stay() {
        let (mut staging, now) = staging();
        staging.open(now, 1, ORDINARY, None);
        let run = staging.lend(now, A, 1, 3).unwrap();
        assert_eq!(run.bytes.len() as u64, 2 * BLOCK + 5);
        let brought = staging.take_back(now, A, fill(run, 0b101, 7)).unwrap();
        assert_eq!((brought.fresh, brought.complete), (BLOCK + 5, false));
        assert_eq!(staging.charged(), 2 * BLOCK + 5);
        let again = staging.lend(now, B, 1, 3).unwrap();
        assert_eq!((again.run.first, again.run.count), (1, 1), "only what is missing");
        assert!(staging.take_back(now, B, fill(again, 1, 8)).unwrap().complete);
        let runs = staging.take(1).unwrap().runs;
        let bytes: Vec<u8> = runs.iter().map(|run| run.bytes[0]).collect();
        assert_eq!(bytes, [7, 8, 7]);
        assert_eq!(runs[2].bytes.len(), 5);
    }

    #[test]
    fn the_first_full_block_wins_and_the_other_holder_is_named() {
        let (mut staging, now) = staging();
        staging.open(now, 1, ORDINARY, None);
        let slow = staging.lend(now, A, 1, 3).unwrap();
        let within = slow.run;
        let twice = staging.lend_again(now, B, within, 2, 2).unwrap();
        assert_eq!((twice.run.first, twice.run.count), (1, 2), "from the end");
        assert_eq!(staging.charged(), 3 * BLOCK + 10, "paid for on top");
        assert!(staging.lend_again(now, PeerKey(3), twice.run, 1, 2).is_none(), "two holders are enough");
        let (id, full) = (slow.id, twice.run.full_mask());
        let brought = staging.take_back(now, B, fill(twice, full, 2)).unwrap();
        assert_eq!(brought.losers, [(A, id)]);
        let brought = staging.take_back(now, A, fill(slow, 0b011, 1)).unwrap();
        assert_eq!((brought.fresh, brought.wasted, brought.complete), (BLOCK, BLOCK, true));
        let runs = staging.take(1).unwrap().runs;
        assert_eq!((runs[0].bytes[0], runs[1].bytes[0]), (1, 2));
    }

    #[test]
    fn a_late_buffer_of_a_piece_that_is_gone_only_frees_memory() {
        let (mut staging, now) = staging();
        staging.open(now, 1, ORDINARY, None);
        let late = staging.lend(now, A, 1, 3).unwrap();
        let done = staging.lend_again(now, B, late.run, 3, 2).unwrap();
        let full = done.run.full_mask();
        assert!(staging.take_back(now, B, fill(done, full, 2)).unwrap().complete);
        let runs = staging.take(1).unwrap().runs;
        staging.release(runs);
        staging.open(now, 1, ORDINARY, None);
        let brought = staging.take_back(now, A, fill(late, full, 1)).unwrap();
        assert_eq!((brought.fresh, brought.wasted), (0, 2 * BLOCK + 5), "it belongs to an earlier opening");
        assert_eq!((staging.get(1).unwrap().missing(), staging.charged()), (3, 2 * BLOCK + 5));
    }

    #[test]
    fn one_piece_is_always_allowed_and_no_more_than_the_budget() {
        let (mut staging, now) = staging();
        staging.set_budget(0);
        assert!(staging.can_charge(100 * BLOCK) && !staging.can_charge(100 * BLOCK + 1));
        staging.open(now, 0, ORDINARY, None);
        assert!(!staging.can_charge(1));
        staging.set_budget(150 * BLOCK);
        assert!(staging.can_charge(2 * BLOCK + 5) && !staging.can_charge(51 * BLOCK));
    }

    #[test]
    fn in_the_steady_state_nothing_is_allocated() {
        let (mut staging, now) = staging();
        for round in 0..50 {
            staging.open(now, 0, ORDINARY, None);
            while let Some(run) = staging.lend(now, A, 0, 64) {
                let full = run.run.full_mask();
                staging.take_back(now, A, fill(run, full, round)).unwrap();
            }
            let taken = staging.take(0).unwrap();
            staging.release(taken.runs);
        }
        assert_eq!(staging.pool().allocated(), 2);
    }
}
