//! The peer's requests: which are taken, and what is served next.
//!
//! What is out with the driver (being read from disk and written) is not in the queue any more; it is always served, as
//! BEP 6 allows. Invariant: at most `reqq` requests are queued, none twice.

use std::collections::VecDeque;

use crate::base::layout::Layout;
use crate::proto::wire::{BlockRequest, MAX_REQUEST};

#[derive(Debug)]
pub(super) struct UploadQueue {
    queue: VecDeque<BlockRequest>,
    reqq: usize,
    /// Pieces that the peer may have although choked (BEP 6), with the bytes of each that are left of the gift.
    gifts: Vec<(u32, u32)>,
}

/// Requests that leave is asked for at a time, under a limit.
const AHEAD: usize = 16;

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Queued,
    /// Not served: REJECT it to a fast peer, say nothing to others.
    Refused,
    /// No client asks for this.
    Absurd,
}

impl UploadQueue {
    pub fn new(reqq: u32) -> Self {
        UploadQueue { queue: VecDeque::new(), reqq: reqq as usize, gifts: Vec::new() }
    }

    /// Serves these pieces although choked, each as far as its length.
    pub fn give(&mut self, pieces: &[u32], layout: &Layout) {
        self.gifts = pieces.iter().map(|&piece| (piece, layout.piece_len(piece))).collect();
    }

    /// Takes up a request for a piece of `layout` that we have (`available`) or not, while we choke the peer or not.
    pub fn take(&mut self, request: BlockRequest, layout: &Layout, available: bool, choked: bool) -> Verdict {
        if request.len > MAX_REQUEST || !layout.may_be_asked(request.piece, request.begin, request.len) {
            return Verdict::Absurd;
        }
        if !available || self.queue.len() >= self.reqq || self.queue.contains(&request) {
            return Verdict::Refused;
        }
        if choked {
            let Some((_, left)) = self.gifts.iter_mut().find(|(piece, _)| *piece == request.piece) else {
                return Verdict::Refused;
            };
            let bytes = request.len.min(layout.piece_len(request.piece) - request.begin);
            let Some(rest) = left.checked_sub(bytes) else { return Verdict::Refused };
            *left = rest;
        }
        self.queue.push_back(request);
        Verdict::Queued
    }

    /// Drops a request that the peer takes back; false if it is not (or no longer) queued.
    pub fn cancel(&mut self, request: BlockRequest) -> bool {
        let at = self.queue.iter().position(|queued| *queued == request);
        at.and_then(|at| self.queue.remove(at)).is_some()
    }

    /// Drops what a choke drops and returns it: all but the gifts.
    pub fn choke(&mut self) -> Vec<BlockRequest> {
        let gift = |request: &BlockRequest| self.gifts.iter().any(|(piece, _)| *piece == request.piece);
        let (kept, dropped) = self.queue.drain(..).partition(gift);
        self.queue = kept;
        Vec::from(dropped)
    }

    pub fn next(&mut self) -> Option<BlockRequest> {
        self.queue.pop_front()
    }

    pub fn front(&self) -> Option<BlockRequest> {
        self.queue.front().copied()
    }

    /// Bytes that are worth having leave for now: of the first few requests.
    pub fn bytes_ahead(&self) -> u64 {
        self.queue.iter().take(AHEAD).map(|request| u64::from(request.len)).sum()
    }

    pub fn clear(&mut self) {
        self.queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(piece: u32, begin: u32) -> BlockRequest {
        BlockRequest { piece, begin, len: 16_384 }
    }

    fn setup() -> (UploadQueue, Layout) {
        (UploadQueue::new(3), Layout::v1(65_536, [(200_000, false)]))
    }

    #[test]
    fn the_queue_is_bounded_and_holds_nothing_twice() {
        let (mut queue, layout) = setup();
        let mut take = |begin| queue.take(block(0, begin), &layout, true, false);
        assert_eq!([take(0), take(0), take(16_384)], [Verdict::Queued, Verdict::Refused, Verdict::Queued]);
        assert_eq!([take(32_768), take(49_152)], [Verdict::Queued, Verdict::Refused]);
        assert!(queue.cancel(block(0, 16_384)) && !queue.cancel(block(0, 16_384)));
        assert_eq!((queue.next(), queue.next(), queue.next()), (Some(block(0, 0)), Some(block(0, 32_768)), None));
    }

    #[test]
    fn what_lies_outside_or_is_too_long_is_absurd() {
        let (mut queue, layout) = setup();
        let mut take = |piece, begin, len| queue.take(BlockRequest { piece, begin, len }, &layout, true, false);
        assert_eq!(take(0, 49_153, 16_384), Verdict::Absurd);
        assert_eq!(take(4, 0, 1), Verdict::Absurd);
        assert_eq!(take(0, 0, 0), Verdict::Absurd);
        assert_eq!(take(0, u32::MAX, u32::MAX), Verdict::Absurd);
        assert_eq!(take(0, 0, 65_536), Verdict::Queued);
    }

    #[test]
    fn the_last_block_of_a_v2_file_may_be_asked_for_whole() {
        let (mut queue, layout) = (UploadQueue::new(9), Layout::v2(32_768, [(40_000, false), (1_000, false)]));
        let mut take = |piece, begin, choked| queue.take(block(piece, begin), &layout, true, choked);
        assert_eq!([take(1, 0, false), take(2, 0, false)], [Verdict::Queued, Verdict::Queued]);
        assert_eq!(take(2, 16_384, false), Verdict::Absurd, "there is nothing but padding");
        queue.give(&[2], &layout);
        queue.clear();
        assert_eq!(queue.take(block(2, 0), &layout, true, true), Verdict::Queued);
        assert_eq!(queue.take(BlockRequest { len: 1, ..block(2, 0) }, &layout, true, true), Verdict::Refused);
    }

    #[test]
    fn a_choked_peer_gets_its_gifts_once_and_nothing_else() {
        let (mut queue, layout) = setup();
        queue.give(&[1], &layout);
        assert_eq!(queue.take(block(0, 0), &layout, true, true), Verdict::Refused);
        assert_eq!(queue.take(BlockRequest { piece: 1, begin: 0, len: 65_536 }, &layout, true, true), Verdict::Queued);
        assert_eq!(queue.take(block(1, 0), &layout, true, true), Verdict::Refused);
        assert_eq!(queue.take(block(0, 0), &layout, true, false), Verdict::Queued);
        assert_eq!(queue.choke(), [block(0, 0)]);
        assert_eq!(queue.next().unwrap().piece, 1);
    }
}
