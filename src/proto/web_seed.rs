//! What a web seed is to fetch (BEP 19, BEP 17): the runs it holds, the next stretch of bytes to ask for, and where the
//! bytes go that come.
//!
//! A server sends bytes in order and answers late, so that one request covers as many runs as lie behind each other.
//! Blocks are filled in order; one that a request leaves half is finished by the next, and no byte is asked for twice.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::layout::{BLOCK_LEN, Layout};
use crate::base::run::{RunBuffer, RunId};

/// The longest stretch of one request, in bytes.
const LONGEST: u64 = 16 << 20;
/// A request with no more than this left is heard to its end although nobody wants the rest: its connection stays.
const WORTH_HEARING: u64 = 64 << 10;

/// Where one request ends at the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// At the end of a file: the server has files (BEP 19).
    File,
    /// At the end of a piece: the server has pieces (BEP 17).
    Piece,
}

/// Bytes to ask for, from the position `start` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub start: u64,
    pub len: u64,
}

/// The runs of one web seed.
pub struct WebQueue {
    layout: Arc<Layout>,
    cut: Cut,
    held: VecDeque<Held>,
    /// The next byte of the request under way, and its end.
    at: u64,
    end: u64,
    /// Bytes that came and that nobody wanted any more.
    wasted: u64,
    /// Of one request, at most.
    longest: u64,
}

struct Held {
    buffer: RunBuffer,
    /// The position of its first byte.
    offset: u64,
    /// Bytes that are here of the first block that is wanted.
    part: u32,
}

impl Held {
    /// The first byte to be fetched, if any is.
    fn next(&self) -> Option<u64> {
        let block = self.buffer.want.trailing_zeros();
        (block < 64).then(|| self.offset + u64::from(block * BLOCK_LEN + self.part))
    }

    /// Where the wanted blocks end that follow each other from the first on.
    fn end(&self) -> u64 {
        let want = self.buffer.want;
        let beyond = want.trailing_zeros() + (!(want >> want.trailing_zeros())).trailing_zeros();
        self.offset + u64::from((beyond * BLOCK_LEN).min(self.buffer.bytes.len() as u32))
    }
}

impl WebQueue {
    pub fn new(layout: Arc<Layout>, cut: Cut) -> WebQueue {
        WebQueue { layout, cut, held: VecDeque::new(), at: 0, end: 0, wasted: 0, longest: LONGEST }
    }

    /// Bytes of one request, at most; a server may hang up on who takes too long to hear it.
    pub fn set_longest(&mut self, bytes: u64) {
        self.longest = bytes.clamp(BLOCK_LEN.into(), LONGEST);
    }

    /// Takes a run with something to fetch.
    pub fn push(&mut self, buffer: RunBuffer) {
        let offset = self.layout.piece_offset(buffer.run.piece) + u64::from(buffer.run.begin());
        self.held.push_back(Held { buffer, offset, part: 0 });
    }

    /// Bytes still to come.
    pub fn bytes(&self) -> u64 {
        self.held.iter().map(|held| u64::from(held.buffer.want.count_ones() * BLOCK_LEN)).sum()
    }

    pub fn wasted(&self) -> u64 {
        self.wasted
    }

    /// Gives these runs back as they are.
    pub fn recall(&mut self, ids: &[RunId]) -> Vec<RunBuffer> {
        let (gone, kept): (VecDeque<_>, _) = self.held.drain(..).partition(|held| ids.contains(&held.buffer.id));
        self.held = kept;
        gone.into_iter().map(|held| held.buffer).collect()
    }

    /// Gives every run back as it is.
    pub fn take_all(&mut self) -> Vec<RunBuffer> {
        self.held.drain(..).map(|held| held.buffer).collect()
    }

    /// The next request, which is under way from then on; the one before is over. Runs that need none (padding) come
    /// back full in `filled`.
    pub fn next(&mut self, filled: &mut Vec<RunBuffer>) -> Option<Span> {
        loop {
            let start = self.held.front()?.next()?;
            let (limit, pad) = self.limit(start);
            let mut end = self.held.front()?.end();
            for held in self.held.iter().skip(1) {
                if held.next() != Some(end) {
                    break;
                }
                end = held.end();
            }
            let end = end.min(limit).min(start + self.longest);
            (self.at, self.end) = (start, end);
            if !pad {
                return Some(Span { start, len: end - start });
            }
            self.on_bytes(&vec![0; (end - start) as usize], filled);
        }
    }

    /// Where a request that begins at `start` has to end, and whether there are only zeros that nobody has to send.
    fn limit(&self, start: u64) -> (u64, bool) {
        match self.cut {
            Cut::File => {
                let file = self.layout.files()[self.layout.file_at(start)];
                (file.offset + file.length, file.pad)
            }
            Cut::Piece => {
                let piece = self.layout.piece_at(start);
                (self.layout.piece_offset(piece) + u64::from(self.layout.piece_len(piece)), false)
            }
        }
    }

    /// Bytes of the request under way that have not come.
    pub fn remaining(&self) -> u64 {
        self.end - self.at
    }

    /// True if what is left of the request is not worth waiting for: its runs were recalled.
    pub fn is_pointless(&self) -> bool {
        let wanted = |held: &Held| held.next().is_some_and(|next| next < self.end && self.at < held.end());
        self.remaining() > WORTH_HEARING && !self.held.iter().any(wanted)
    }

    /// Bytes of the request under way, in order; runs that are full come out in `filled`. What goes beyond its end is
    /// not looked at.
    pub fn on_bytes(&mut self, mut bytes: &[u8], filled: &mut Vec<RunBuffer>) {
        bytes = &bytes[..bytes.len().min(self.remaining() as usize)];
        while !bytes.is_empty() {
            let place = self.held.iter().position(|held| held.next() == Some(self.at));
            let Some(place) = place else {
                // Recalled meanwhile: up to what is still wanted.
                let wanted = self.held.iter().filter_map(Held::next).filter(|&next| next > self.at).min();
                let skip = wanted.map_or(bytes.len(), |next| bytes.len().min((next - self.at) as usize));
                self.wasted += skip as u64;
                self.at += skip as u64;
                bytes = &bytes[skip..];
                continue;
            };
            let held = &mut self.held[place];
            let block = held.buffer.want.trailing_zeros();
            let memory = &mut held.buffer.block_mut(block)[held.part as usize..];
            let n = memory.len().min(bytes.len());
            memory[..n].copy_from_slice(&bytes[..n]);
            let whole = n == memory.len();
            held.part += n as u32;
            self.at += n as u64;
            bytes = &bytes[n..];
            if whole {
                held.part = 0;
                held.buffer.have |= 1 << block;
                held.buffer.want &= !(1 << block);
                if held.buffer.want == 0
                    && let Some(held) = self.held.remove(place)
                {
                    filled.push(held.buffer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::run::Run;

    const BLOCK: u64 = BLOCK_LEN as u64;

    /// Pieces of four blocks; files of 100,000 bytes, 31,072 of padding, and the rest of 300,000 in all.
    fn layout() -> Arc<Layout> {
        Arc::new(Layout::v1(4 * BLOCK_LEN, [(100_000, false), (31_072, true), (168_928, false)]))
    }

    fn run(id: u64, piece: u32, first: u32, count: u32) -> RunBuffer {
        RunBuffer::new(RunId(id), Run { piece, first, count }, &layout())
    }

    fn byte(at: u64) -> u8 {
        if (100_000..131_072).contains(&at) { 0 } else { (at * 7 + at / 251) as u8 }
    }

    fn send(queue: &mut WebQueue, span: Span, step: usize, filled: &mut Vec<RunBuffer>) {
        let bytes: Vec<u8> = (span.start..span.start + span.len).map(byte).collect();
        bytes.chunks(step).for_each(|part| queue.on_bytes(part, filled));
        assert_eq!(queue.remaining(), 0);
    }

    fn check(buffer: &RunBuffer) {
        let offset = u64::from(buffer.run.piece) * 4 * BLOCK + u64::from(buffer.run.begin());
        assert!(buffer.is_complete() && buffer.want == 0);
        assert!(buffer.bytes.iter().zip(offset..).all(|(have, at)| *have == byte(at)), "{:?}", buffer.run);
    }

    #[test]
    fn consecutive_runs_are_one_request_a_file_and_padding_is_none() {
        for step in [1_000, 16_384, 70_001, 300_000] {
            let (mut queue, mut filled) = (WebQueue::new(layout(), Cut::File), Vec::new());
            (0..5).for_each(|piece| queue.push(run(piece.into(), piece, 0, if piece == 4 { 3 } else { 4 })));
            let mut spans = Vec::new();
            while let Some(span) = queue.next(&mut filled) {
                spans.push((span.start, span.len));
                send(&mut queue, span, step, &mut filled);
            }
            assert_eq!(spans, [(0, 100_000), (131_072, 168_928)]);
            assert_eq!((filled.len(), queue.bytes(), queue.wasted()), (5, 0, 0));
            filled.iter().for_each(check);
        }
    }

    #[test]
    fn pieces_are_asked_for_one_by_one_where_the_server_has_pieces() {
        let (mut queue, mut filled) = (WebQueue::new(layout(), Cut::Piece), Vec::new());
        queue.push(run(1, 0, 1, 3));
        queue.push(run(2, 1, 0, 4));
        assert_eq!(queue.next(&mut filled), Some(Span { start: BLOCK, len: 3 * BLOCK }));
        send(&mut queue, Span { start: BLOCK, len: 3 * BLOCK }, 5_000, &mut filled);
        assert_eq!(queue.next(&mut filled), Some(Span { start: 4 * BLOCK, len: 4 * BLOCK }));
    }

    #[test]
    fn a_request_that_breaks_off_goes_on_at_the_byte_where_it_broke() {
        let (mut queue, mut filled) = (WebQueue::new(layout(), Cut::File), Vec::new());
        queue.push(run(1, 0, 0, 4));
        let span = queue.next(&mut filled).unwrap();
        let bytes: Vec<u8> = (0..20_000).map(byte).collect();
        queue.on_bytes(&bytes, &mut filled);
        let again = queue.next(&mut filled).unwrap();
        assert_eq!((span.start, again), (0, Span { start: 20_000, len: 4 * BLOCK - 20_000 }));
        send(&mut queue, again, 999, &mut filled);
        check(&filled[0]);
    }

    #[test]
    fn only_wanted_blocks_are_asked_for() {
        let (mut queue, mut filled) = (WebQueue::new(layout(), Cut::File), Vec::new());
        let mut some = run(1, 0, 0, 4);
        some.want = 0b1010;
        queue.push(some);
        assert_eq!(queue.next(&mut filled), Some(Span { start: BLOCK, len: BLOCK }));
        send(&mut queue, Span { start: BLOCK, len: BLOCK }, 100, &mut filled);
        assert_eq!(queue.next(&mut filled), Some(Span { start: 3 * BLOCK, len: BLOCK }));
        send(&mut queue, Span { start: 3 * BLOCK, len: BLOCK }, 100, &mut filled);
        assert_eq!((filled[0].have, filled[0].want), (0b1010, 0));
    }

    #[test]
    fn recalled_runs_are_skipped_and_a_request_for_nothing_else_is_given_up() {
        let (mut queue, mut filled) = (WebQueue::new(layout(), Cut::File), Vec::new());
        queue.push(run(1, 2, 0, 4));
        queue.push(run(2, 3, 0, 4));
        let span = queue.next(&mut filled).unwrap();
        assert_eq!(span.len, 8 * BLOCK);
        assert_eq!(queue.recall(&[RunId(1), RunId(9)]).len(), 1);
        assert!(!queue.is_pointless());
        send(&mut queue, span, 10_000, &mut filled);
        check(&filled[0]);
        assert_eq!((filled.len(), queue.wasted()), (1, 4 * BLOCK));
        queue.push(run(3, 2, 0, 4));
        queue.push(run(4, 3, 0, 4));
        queue.next(&mut filled);
        queue.recall(&[RunId(3), RunId(4)]);
        assert!(queue.is_pointless());
    }
}
