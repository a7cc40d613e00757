//! The lane scheduler: feeds messages of any number, length and slicing to kernels that move several of them forward
//! at a time.
//!
//! Each running message has one lane. All lanes advance together by as many whole blocks as the shortest contiguous
//! stretch among them allows; a block that straddles slices, and the padding, are gathered in a small buffer of the
//! lane. A lane that runs out takes the next waiting message, longest first, so that the last lanes end close together.
//! Once none waits and lanes fall idle, the [`Ladder`] steps down to narrower kernels: the cost of a step of a wide
//! kernel is the same for one lane as for all. With sixteen lanes, half of them run a little ahead, for the caches' sake.
//!
//! Nothing here knows SHA-1 from SHA-256 except by the number of words, and nothing is `unsafe`.

/// What both hashes consume at a time (FIPS 180-4, section 5.2.1).
pub type Block = [u8; 64];

/// A message: its bytes are those of the slices joined.
pub type Message<'a> = &'a [&'a [u8]];

/// The most lanes that any kernel has.
pub const MAX_LANES: usize = 16;

/// How many lines with the same low address bits the first two caches hold at least. Pieces lie at multiples of large
/// powers of two, so more lanes than this, all at the same place of their pieces, push out of the caches what was
/// fetched ahead for the others.
const CACHE_WAYS: usize = 8;

/// By how many blocks half of the lanes go ahead of the others where there are more than [`CACHE_WAYS`]: half of the
/// distance at which addresses meet again in the first cache, 4 KiB.
const HEAD_START: usize = 32;

/// A compression function that moves several hashes of `W` words forward side by side.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<const W: usize> {
    pub name: &'static str,
    /// How many messages one call takes at most, 1 to [`MAX_LANES`].
    pub lanes: usize,
    /// Adds the blocks of `inputs[i]` to `states[i]`. Both have one element for each lane in use, at least one, and all
    /// inputs are equally long.
    pub compress: fn(states: &mut [[u32; W]], inputs: &[&[Block]]),
}

/// Which kernel is the fastest for how many messages.
#[derive(Clone, Debug)]
pub struct Ladder<const W: usize> {
    /// Each kernel with the least number of unfinished messages that it pays for, ascending; the first is for one.
    rungs: Vec<(usize, Kernel<W>)>,
}

impl<const W: usize> Ladder<W> {
    /// A ladder that has `single` alone.
    pub fn new(single: Kernel<W>) -> Self {
        Ladder { rungs: vec![(1, single)] }
    }

    /// Adds a kernel for `from` and more unfinished messages, which are more than those of the rung before.
    pub fn and(mut self, from: usize, kernel: Kernel<W>) -> Self {
        debug_assert!(self.rungs.last().is_some_and(|&(below, _)| below < from) && kernel.lanes <= MAX_LANES);
        self.rungs.push((from, kernel));
        self
    }

    /// The same, if the machine has that kernel.
    pub fn and_some(self, from: usize, kernel: Option<Kernel<W>>) -> Self {
        match kernel {
            Some(kernel) => self.and(from, kernel),
            None => self,
        }
    }

    /// The kernel for `unfinished` messages.
    pub fn kernel_for(&self, unfinished: usize) -> Kernel<W> {
        let above = self.rungs.partition_point(|&(from, _)| from <= unfinished);
        self.rungs[above.saturating_sub(1)].1
    }

    /// The hash of each message, as words, in their order; `initial` is the hash function's initial value.
    pub fn hash(&self, initial: [u32; W], messages: &[Message<'_>]) -> Vec<[u32; W]> {
        let mut hashes = vec![initial; messages.len()];
        let mut waiting = longest_first(messages).into_iter();
        // One element for each running message, the three in step.
        let mut owners: Vec<usize> = Vec::with_capacity(MAX_LANES);
        let mut states: Vec<[u32; W]> = Vec::with_capacity(MAX_LANES);
        let mut feeds: Vec<Feed<'_>> = Vec::with_capacity(MAX_LANES);
        let mut staggered = false;
        let widest = self.rungs.iter().map(|(_, kernel)| kernel.lanes).max().unwrap_or(1);
        loop {
            for (length, owner) in waiting.by_ref().take(widest - owners.len()) {
                owners.push(owner);
                states.push(initial);
                feeds.push(Feed::new(messages[owner], length));
            }
            if owners.is_empty() {
                return hashes;
            }
            let kernel = self.kernel_for(owners.len());
            let mut lanes = kernel.lanes.min(owners.len());
            if lanes > CACHE_WAYS && !staggered {
                lanes /= 2;
                self.head_start(&mut states[..lanes], &mut feeds[..lanes]);
                staggered = true;
            } else {
                advance(kernel, &mut states[..lanes], &mut feeds[..lanes], usize::MAX);
            }
            for lane in (0..lanes).rev() {
                if feeds[lane].ready().is_empty() {
                    feeds.swap_remove(lane);
                    hashes[owners.swap_remove(lane)] = states.swap_remove(lane);
                }
            }
        }
    }

    /// Moves these lanes forward by [`HEAD_START`] blocks each, or until one of them ends.
    fn head_start(&self, states: &mut [[u32; W]], feeds: &mut [Feed<'_>]) {
        let kernel = self.kernel_for(states.len());
        for (states, feeds) in states.chunks_mut(kernel.lanes).zip(feeds.chunks_mut(kernel.lanes)) {
            let mut left = HEAD_START;
            while left > 0 && feeds.iter().all(|feed| !feed.ready().is_empty()) {
                left -= advance(kernel, states, feeds, left);
            }
        }
    }
}

/// The messages' lengths in bytes and their places in `messages`, the longest first, else in their order.
fn longest_first(messages: &[Message<'_>]) -> Vec<(u64, usize)> {
    let length = |message: &Message<'_>| message.iter().map(|slice| slice.len() as u64).sum();
    let mut order: Vec<(u64, usize)> = messages.iter().map(length).zip(0..).collect();
    order.sort_by_key(|&(length, _)| std::cmp::Reverse(length));
    order
}

/// Moves all lanes forward by as many blocks as each of them has at hand, at most `limit`, and says by how many.
fn advance<const W: usize>(kernel: Kernel<W>, states: &mut [[u32; W]], feeds: &mut [Feed<'_>], limit: usize) -> usize {
    let blocks = feeds.iter().map(|feed| feed.ready().len()).min().unwrap_or(0).min(limit);
    let mut inputs: [&[Block]; MAX_LANES] = [&[]; MAX_LANES];
    for (input, feed) in inputs.iter_mut().zip(feeds.iter()) {
        *input = &feed.ready()[..blocks];
    }
    (kernel.compress)(states, &inputs[..feeds.len()]);
    feeds.iter_mut().for_each(|feed| feed.advance(blocks));
    blocks
}

/// Cuts a message into stretches of whole blocks, the padding included.
struct Feed<'a> {
    /// What is left of the slice that is being read.
    head: &'a [u8],
    rest: std::slice::Iter<'a, &'a [u8]>,
    /// The message's length in bytes.
    length: u64,
    /// A block that straddles slices, or the last one or two of the message; read before `head` goes on.
    gathered: [Block; 2],
    /// Which of `gathered` are still to be read.
    pending: std::ops::Range<usize>,
    /// True once the padding is in `gathered`, after which nothing follows.
    padded: bool,
}

impl<'a> Feed<'a> {
    fn new(message: Message<'a>, length: u64) -> Self {
        let gathered = [[0; 64]; 2];
        let mut feed = Feed { head: &[], rest: message.iter(), length, gathered, pending: 0..0, padded: false };
        feed.settle();
        feed
    }

    /// The blocks at hand; none only at the end of the message.
    fn ready(&self) -> &[Block] {
        if self.pending.is_empty() { self.head.as_chunks().0 } else { &self.gathered[self.pending.clone()] }
    }

    /// Moves on by `blocks`, at most as many as are ready.
    fn advance(&mut self, blocks: usize) {
        if self.pending.is_empty() {
            self.head = &self.head[blocks * 64..];
        } else {
            self.pending.start += blocks;
        }
        self.settle();
    }

    /// Makes blocks ready unless there are some or the message has ended.
    fn settle(&mut self) {
        if !self.pending.is_empty() || self.padded {
            return;
        }
        let mut filled = 0;
        loop {
            if filled == 0 && self.head.len() >= 64 {
                return;
            }
            let (taken, left) = self.head.split_at(self.head.len().min(64 - filled));
            self.gathered[0][filled..filled + taken.len()].copy_from_slice(taken);
            self.head = left;
            filled += taken.len();
            if filled == 64 {
                self.pending = 0..1;
                return;
            }
            match self.rest.next() {
                Some(slice) => self.head = slice,
                None => return self.pad(filled),
            }
        }
    }

    /// Ends the message, whose last block has `filled` bytes, fewer than 64: one bit, zeros, and the length in bits in
    /// the last eight bytes (FIPS 180-4, section 5.1.1).
    fn pad(&mut self, filled: usize) {
        let blocks = if filled < 56 { 1 } else { 2 };
        let bytes = self.gathered.as_flattened_mut();
        bytes[filled..].fill(0);
        bytes[filled] = 0x80;
        bytes[blocks * 64 - 8..blocks * 64].copy_from_slice(&(self.length * 8).to_be_bytes());
        self.pending = 0..blocks;
        self.padded = true;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::base::hash::choice::{sha1_kernels, sha1_ladder, sha256_kernels, sha256_ladder};
    use crate::base::hash::plain::{SHA1_PLAIN, SHA256_PLAIN};
    use crate::base::hash::{SHA1_INITIAL, SHA256_INITIAL, sha1, sha1_bytes, sha256, sha256_bytes};

    /// Where a message lies in [`noise`], and where it is cut into slices, from its start.
    #[derive(Clone, Debug)]
    struct Spot {
        start: usize,
        length: usize,
        cuts: Vec<usize>,
    }

    const NOISE: usize = if cfg!(miri) { 600 } else { 130_000 };

    fn noise() -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..NOISE).map(|_| next()).collect()
    }

    /// Lengths round the edges of blocks and of the padding, short ones, and some that span many blocks.
    fn lengths() -> impl Strategy<Value = usize> {
        let edges = [0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129, 192];
        prop_oneof![40 => prop::sample::select(edges.to_vec()), 40 => 0..NOISE / 200, 1 => 0..NOISE * 3 / 4]
    }

    fn spots() -> impl Strategy<Value = Vec<Spot>> {
        let spot = (0..NOISE / 4, lengths()).prop_flat_map(|(start, length)| {
            let near = prop_oneof![0..=length, 0..=length.min(200), Just(length / 64 * 64), Just(length)];
            (Just(start), Just(length), prop::collection::vec(near, 0..6)).prop_map(|(start, length, mut cuts)| {
                cuts.sort();
                Spot { start, length, cuts }
            })
        });
        prop::collection::vec(spot, 0..if cfg!(miri) { 6 } else { 40 })
    }

    fn slices<'a>(noise: &'a [u8], spots: &[Spot]) -> Vec<Vec<&'a [u8]>> {
        let cut = |spot: &Spot| {
            let message = &noise[spot.start..spot.start + spot.length];
            let edges: Vec<usize> = [&[0], &spot.cuts[..], &[spot.length]].concat();
            edges.windows(2).map(|pair| &message[pair[0]..pair[1]]).collect()
        };
        spots.iter().map(cut).collect()
    }

    /// Each ladder that ought to give the same hashes, with a name for the report.
    fn ladders<const W: usize>(plain: Kernel<W>, real: Ladder<W>, all: Vec<Kernel<W>>) -> Vec<(String, Ladder<W>)> {
        let mut ladders = vec![
            ("the real one".to_owned(), real),
            ("plain".to_owned(), Ladder::new(plain)),
            ("plain from 3".to_owned(), Ladder::new(all[0]).and(3, plain)),
        ];
        ladders.extend(all.into_iter().map(|kernel| (kernel.name.to_owned(), Ladder::new(kernel))));
        ladders
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 2 } else { 32 },
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(0x5ca1ab1e),
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_kernel_hashes_like_the_crates(spots in spots()) {
            let noise = noise();
            let whole: Vec<&[u8]> = spots.iter().map(|spot| &noise[spot.start..spot.start + spot.length]).collect();
            let slices = slices(&noise, &spots);
            let messages: Vec<Message<'_>> = slices.iter().map(Vec::as_slice).collect();

            let expected: Vec<_> = whole.iter().map(|message| sha1(message)).collect();
            for (name, ladder) in ladders(SHA1_PLAIN, sha1_ladder(), sha1_kernels()) {
                let got: Vec<_> = ladder.hash(SHA1_INITIAL, &messages).into_iter().map(sha1_bytes).collect();
                prop_assert_eq!(&got, &expected, "SHA-1, {}", name);
            }
            let expected: Vec<_> = whole.iter().map(|message| sha256(message)).collect();
            for (name, ladder) in ladders(SHA256_PLAIN, sha256_ladder(), sha256_kernels()) {
                let got: Vec<_> = ladder.hash(SHA256_INITIAL, &messages).into_iter().map(sha256_bytes).collect();
                prop_assert_eq!(&got, &expected, "SHA-256, {}", name);
            }
        }
    }

    /// A kernel is alone with its machine code, so each count of lanes in use is tried by itself.
    #[test]
    fn every_kernel_takes_any_number_of_lanes_and_leaves_the_others_alone() {
        let noise = noise();
        let rows: Vec<&[Block]> =
            (0..MAX_LANES).map(|lane| &noise[lane * 7..lane * 7 + 192].as_chunks().0[..3]).collect();
        for kernel in sha1_kernels().into_iter().chain([SHA1_PLAIN]) {
            for used in 1..=kernel.lanes {
                let start: Vec<[u32; 5]> = (0..used as u32).map(|lane| SHA1_INITIAL.map(|word| word ^ lane)).collect();
                let mut expected = start.clone();
                expected.iter_mut().zip(&rows).for_each(|(state, row)| sha1::block_api::compress(state, row));
                let mut states = start;
                (kernel.compress)(&mut states, &rows[..used]);
                assert_eq!(states, expected, "{} with {used} lanes", kernel.name);
            }
        }
        for kernel in sha256_kernels().into_iter().chain([SHA256_PLAIN]) {
            for used in 1..=kernel.lanes {
                let start: Vec<[u32; 8]> =
                    (0..used as u32).map(|lane| SHA256_INITIAL.map(|word| word ^ lane)).collect();
                let mut expected = start.clone();
                expected.iter_mut().zip(&rows).for_each(|(state, row)| sha2::block_api::compress256(state, row));
                let mut states = start;
                (kernel.compress)(&mut states, &rows[..used]);
                assert_eq!(states, expected, "{} with {used} lanes", kernel.name);
            }
        }
    }

    thread_local! {
        /// What the counting kernels were asked for: lanes in use and blocks, one entry a call.
        static CALLS: RefCell<Vec<(&'static str, usize, usize)>> = const { RefCell::new(Vec::new()) };
    }

    fn counted(name: &'static str, inputs: &[&[Block]]) {
        assert!(inputs.iter().all(|input| input.len() == inputs[0].len()));
        CALLS.with_borrow_mut(|calls| calls.push((name, inputs.len(), inputs[0].len())));
    }

    /// The calls for messages of so many blocks (the padding included), with a kernel of `lanes` lanes from three
    /// messages on, and else one message at a time.
    fn calls(lanes: usize, blocks: &[usize]) -> Vec<(&'static str, usize, usize)> {
        let single = Kernel { name: "single", lanes: 1, compress: |_, inputs| counted("single", inputs) };
        let wide = Kernel { name: "wide", lanes, compress: |_, inputs| counted("wide", inputs) };
        let messages: Vec<Vec<u8>> = blocks.iter().map(|&blocks| vec![0; blocks * 64 - 9]).collect();
        let slices: Vec<[&[u8]; 1]> = messages.iter().map(|message| [message.as_slice()]).collect();
        let messages: Vec<Message<'_>> = slices.iter().map(|slices| slices.as_slice()).collect();
        Ladder::new(single).and(3, wide).hash([0_u32; 1], &messages);
        CALLS.take()
    }

    #[test]
    fn lanes_that_run_out_are_filled_and_stragglers_get_the_narrow_kernel() {
        assert_eq!(calls(4, &[]), []);
        assert_eq!(calls(4, &[1]), [("single", 1, 1)]);
        // Three fill the wide kernel well enough, two do not.
        assert_eq!(calls(4, &[3, 3, 3]), [("wide", 3, 2), ("wide", 3, 1)]);
        assert_eq!(calls(4, &[1, 1]), [("single", 1, 1), ("single", 1, 1)]);
        // The longest go first; the short ones take turns on the lanes that they leave.
        assert_eq!(
            calls(4, &[1, 1, 5, 5, 5, 1, 1]),
            [("wide", 4, 1), ("wide", 4, 1), ("wide", 4, 1), ("wide", 4, 1), ("wide", 3, 1)]
        );
        // One that is much longer than the others does not keep the wide kernel busy alone.
        let straggler = calls(4, &[9, 2, 2, 2]);
        assert_eq!(straggler, [("wide", 4, 1), ("wide", 4, 1), ("single", 1, 6), ("single", 1, 1)]);
    }

    #[test]
    fn half_of_sixteen_lanes_run_ahead() {
        let ahead = HEAD_START;
        // Until the padding of those ahead, the padding, the rest of the others, and their padding.
        let expected =
            [("wide", 8, ahead), ("wide", 16, 99 - ahead), ("wide", 16, 1), ("wide", 8, ahead - 1), ("wide", 8, 1)];
        assert_eq!(calls(16, &[100; 16]), expected);
        // Messages shorter than the head start just go first.
        assert_eq!(calls(16, &[2; 16]), [("wide", 8, 1), ("wide", 8, 1), ("wide", 8, 1), ("wide", 8, 1)]);
    }

    #[test]
    fn blocks_are_read_in_place_except_where_slices_meet() {
        let bytes = noise();
        let slices: [&[u8]; 5] = [&bytes[..128], &[], &bytes[128..128 + 70], &bytes[198..198 + 58], &bytes[256..320]];
        let mut feed = Feed::new(&slices, 320);
        let mut stretches = Vec::new();
        while let blocks @ 1.. = feed.ready().len() {
            stretches.push((blocks, bytes.as_ptr_range().contains(&feed.ready().as_ptr().cast())));
            feed.advance(blocks);
        }
        // Two in place, one in place, 6 + 58 bytes gathered, one in place, the padding.
        assert_eq!(stretches, [(2, true), (1, true), (1, false), (1, true), (1, false)]);
    }
}
