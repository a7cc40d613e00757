//! The runs that this session holds, in the order of their grants, and which of their blocks are asked for.
//!
//! Requests go out run by run and block by block, so the order in which answers are due is the order of the slots and
//! their bits; there is no queue of requests beside it. Invariant: `asked` of a run is a subset of its `want`.

use std::collections::VecDeque;
use std::time::Instant;

use crate::base::layout::BLOCK_LEN;
use crate::base::run::{RunBuffer, RunId};
use crate::proto::wire::BlockRequest;

/// A block of a held run. Slots are numbered for the life of the session, so that a position outlives other slots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Position {
    pub slot: u64,
    /// Block within the run.
    pub bit: u32,
}

#[derive(Debug)]
struct Held {
    buffer: RunBuffer,
    asked: u64,
    /// Nothing more is asked for; it goes back once what is asked has been answered.
    leaving: bool,
    /// Since when blocks that were asked for later have been coming in before this run's.
    overtaken: Option<Instant>,
}

/// The runs of one session.
#[derive(Debug, Default)]
pub(super) struct Leases {
    slots: VecDeque<Option<Held>>,
    /// Number of the first slot.
    base: u64,
    /// No slot before this one has blocks to ask for.
    unasked_from: u64,
    /// Where the next block is expected: behind the one that came last.
    cursor: Position,
    in_flight: u32,
    in_flight_bytes: u64,
    unasked_bytes: u64,
}

impl Held {
    fn request(&self, bit: u32) -> BlockRequest {
        BlockRequest {
            piece: self.buffer.run.piece,
            begin: (self.buffer.run.first + bit) * BLOCK_LEN,
            len: self.buffer.block(bit).len() as u32,
        }
    }

    fn bytes_of(&self, mask: u64) -> u64 {
        bits(mask).map(|bit| self.buffer.block(bit).len() as u64).sum()
    }

    fn unasked(&self) -> u64 {
        if self.leaving { 0 } else { self.buffer.want & !self.asked }
    }
}

impl Leases {
    /// Requests that have not been answered.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Bytes asked for and not here.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    /// Bytes still to be asked for.
    pub fn unasked_bytes(&self) -> u64 {
        self.unasked_bytes
    }

    /// Takes a run with something left to fetch.
    pub fn push(&mut self, buffer: RunBuffer) {
        debug_assert!(buffer.want != 0 && buffer.want & !buffer.run.full_mask() == 0);
        let held = Held { buffer, asked: 0, leaving: false, overtaken: None };
        self.unasked_bytes += held.bytes_of(held.buffer.want);
        self.slots.push_back(Some(held));
    }

    /// Marks the next block as asked for and names it.
    pub fn ask(&mut self) -> Option<(Position, BlockRequest)> {
        let start = self.unasked_from.max(self.base);
        for slot in start..self.base + self.slots.len() as u64 {
            self.unasked_from = slot;
            let Some(held) = self.slots[(slot - self.base) as usize].as_mut() else { continue };
            let unasked = held.unasked();
            if unasked != 0 {
                let bit = unasked.trailing_zeros();
                held.asked |= 1 << bit;
                let request = held.request(bit);
                self.in_flight += 1;
                self.in_flight_bytes += u64::from(request.len);
                self.unasked_bytes -= u64::from(request.len);
                return Some((Position { slot, bit }, request));
            }
        }
        None
    }

    /// The block that is expected next, if any is asked for.
    pub fn expected(&self) -> Option<(Position, BlockRequest)> {
        self.expected_in_order().next()
    }

    /// The blocks that are expected, from the one behind the last that came, in the order asked; if there is none behind
    /// it, from the first.
    pub fn expected_in_order(&self) -> impl Iterator<Item = (Position, BlockRequest)> + '_ {
        let start = self.expected_start();
        let first = start.slot.saturating_sub(self.base) as usize;
        self.slots.iter().enumerate().skip(first).flat_map(move |(nth, held)| {
            let slot = self.base + nth as u64;
            let asked = held.as_ref().map_or(0, |held| held.asked) & from_bit(start, slot);
            bits(asked).filter_map(move |bit| Some((Position { slot, bit }, held.as_ref()?.request(bit))))
        })
    }

    fn expected_start(&self) -> Position {
        let behind = self.slots.iter().enumerate().skip(self.cursor.slot.saturating_sub(self.base) as usize).any(
            |(nth, held)| {
                held.as_ref().is_some_and(|held| held.asked & from_bit(self.cursor, self.base + nth as u64) != 0)
            },
        );
        if behind { self.cursor } else { Position::default() }
    }

    /// The memory of the blocks that are expected, in the order of [`Leases::expected_in_order`].
    pub fn expected_memory(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let start = self.expected_start();
        let (base, first) = (self.base, start.slot.saturating_sub(self.base) as usize);
        self.slots.iter_mut().enumerate().skip(first).flat_map(move |(nth, held)| {
            let (asked, mut rest) = match held {
                Some(held) => (held.asked & from_bit(start, base + nth as u64), &mut held.buffer.bytes[..]),
                None => (0, &mut [][..]),
            };
            let mut at = 0;
            bits(asked).map(move |bit| {
                let begin = (bit * BLOCK_LEN) as usize;
                let (_, tail) = std::mem::take(&mut rest).split_at_mut(begin - at);
                let (block, tail) = tail.split_at_mut(tail.len().min(BLOCK_LEN as usize));
                at = begin + block.len();
                rest = tail;
                block
            })
        })
    }

    /// Block `at` is on its way: it is what is expected next.
    pub fn expect(&mut self, at: Position) {
        self.cursor = at;
    }

    /// The place of an asked block, if it is exactly that one.
    pub fn find(&self, request: BlockRequest) -> Option<Position> {
        self.slots.iter().enumerate().find_map(|(nth, held)| {
            let held = held.as_ref().filter(|held| held.buffer.run.piece == request.piece)?;
            let bit = request.begin.checked_sub(held.buffer.run.begin())? / BLOCK_LEN;
            (bit < held.buffer.run.count && held.asked >> bit & 1 == 1 && held.request(bit) == request)
                .then_some(Position { slot: self.base + nth as u64, bit })
        })
    }

    /// The memory of an asked block.
    pub fn memory(&mut self, at: Position) -> Option<&mut [u8]> {
        let held = self.held(at.slot).filter(|held| held.asked >> at.bit & 1 == 1)?;
        Some(held.buffer.block_mut(at.bit))
    }

    /// Block `at` is wholly in its memory. Gives the run if that was the last of it.
    pub fn fill(&mut self, now: Instant, at: Position) -> Option<RunBuffer> {
        let held = self.held(at.slot)?;
        held.buffer.have |= 1 << at.bit;
        held.buffer.want &= !(1 << at.bit);
        held.overtaken = None;
        self.cursor = Position { slot: at.slot, bit: at.bit + 1 };
        if at.slot > self.base
            && let Some(Some(first)) = self.slots.front_mut()
            && first.asked != 0
        {
            first.overtaken.get_or_insert(now);
        }
        self.settle(at)
    }

    /// Block `at` will not come. Gives the run if nothing of it is on its way any more.
    pub fn refuse(&mut self, at: Position) -> Option<RunBuffer> {
        let unasked = self.held(at.slot).map(|held| {
            let bytes = held.bytes_of(held.unasked());
            held.leaving = true;
            bytes
        })?;
        self.unasked_bytes -= unasked;
        self.settle(at)
    }

    fn settle(&mut self, at: Position) -> Option<RunBuffer> {
        let held = self.held(at.slot).expect("the caller has seen it");
        let len = held.request(at.bit).len;
        debug_assert!(held.asked >> at.bit & 1 == 1);
        held.asked &= !(1 << at.bit);
        let over = held.asked == 0 && (held.leaving || held.buffer.want == 0);
        self.in_flight -= 1;
        self.in_flight_bytes -= u64::from(len);
        over.then(|| self.remove(at.slot).0)
    }

    /// Takes run `id` out, with the requests of it that are not answered.
    pub fn recall(&mut self, id: RunId) -> Option<(RunBuffer, Vec<BlockRequest>)> {
        let nth = self.slots.iter().position(|held| held.as_ref().is_some_and(|held| held.buffer.id == id))?;
        Some(self.remove(self.base + nth as u64))
    }

    /// Takes out every run that `which` (by its piece) says, whatever is on its way, with the unanswered requests.
    pub fn take_where(&mut self, which: impl Fn(u32) -> bool) -> Vec<(RunBuffer, Vec<BlockRequest>)> {
        self.slot_numbers(which).into_iter().map(|slot| self.remove(slot)).collect()
    }

    /// Asks for nothing more of the runs that `which` says: those with nothing on its way come out, the others follow when
    /// they are answered.
    pub fn release_where(&mut self, which: impl Fn(u32) -> bool) -> Vec<RunBuffer> {
        let mut out = Vec::new();
        for slot in self.slot_numbers(which) {
            let held = self.held(slot).expect("just listed");
            if held.asked == 0 {
                out.push(self.remove(slot).0);
            } else {
                let unasked = held.bytes_of(held.unasked());
                held.leaving = true;
                self.unasked_bytes -= unasked;
            }
        }
        out
    }

    /// Takes out the first run if blocks asked for later have been coming in before it since `before` or longer.
    pub fn take_overtaken(&mut self, before: Instant) -> Option<(RunBuffer, Vec<BlockRequest>)> {
        self.overtaken().filter(|&since| since <= before).map(|_| self.remove(self.base))
    }

    /// Since when the first run has been overtaken.
    pub fn overtaken(&self) -> Option<Instant> {
        self.slots.front()?.as_ref()?.overtaken
    }

    fn slot_numbers(&self, which: impl Fn(u32) -> bool) -> Vec<u64> {
        let numbered = (self.base..).zip(&self.slots);
        numbered
            .filter(|(_, held)| held.as_ref().is_some_and(|held| which(held.buffer.run.piece)))
            .map(|(n, _)| n)
            .collect()
    }

    fn held(&mut self, slot: u64) -> Option<&mut Held> {
        self.slots.get_mut(usize::try_from(slot.checked_sub(self.base)?).ok()?)?.as_mut()
    }

    fn remove(&mut self, slot: u64) -> (RunBuffer, Vec<BlockRequest>) {
        let held = self.slots[(slot - self.base) as usize].take().expect("a slot is removed once");
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.base += 1;
        }
        let unanswered: Vec<_> = bits(held.asked).map(|bit| held.request(bit)).collect();
        self.unasked_bytes -= held.bytes_of(held.unasked());
        self.in_flight -= unanswered.len() as u32;
        self.in_flight_bytes -= unanswered.iter().map(|request| u64::from(request.len)).sum::<u64>();
        (held.buffer, unanswered)
    }
}

/// The bits of slot `slot` that do not lie before `start`.
fn from_bit(start: Position, slot: u64) -> u64 {
    match slot.cmp(&start.slot) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => u64::MAX.checked_shl(start.bit).unwrap_or(0),
        std::cmp::Ordering::Greater => u64::MAX,
    }
}

fn bits(mask: u64) -> impl Iterator<Item = u32> {
    std::iter::successors((mask != 0).then_some(mask), |rest| Some(rest & (rest - 1)).filter(|&rest| rest != 0))
        .map(u64::trailing_zeros)
}
