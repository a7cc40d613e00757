//! SHA-1 of messages of one length that come a step at a time, side by side: for pieces that are too long to be held in
//! memory together.

use super::lanes::{Block, Kernel, Ladder, MAX_LANES};
use super::{SHA1_INITIAL, Sha1Digest, choice, sha1_bytes};

/// Up to [`MAX_LANES`] hashes that advance together.
pub struct Abreast {
    ladder: &'static Ladder<5>,
    states: Vec<[u32; 5]>,
    /// Bytes of each message so far.
    length: u64,
}

impl Abreast {
    /// `messages` hashes, 1 to [`MAX_LANES`], of nothing yet.
    pub fn new(messages: usize) -> Self {
        assert!((1..=MAX_LANES).contains(&messages), "one lane a message");
        Abreast { ladder: &choice::SHA1, states: vec![SHA1_INITIAL; messages], length: 0 }
    }

    /// Adds a part to each message.
    ///
    /// # Panics
    /// If there is not one part a message, or they are not equally long and whole blocks of 64 bytes.
    pub fn add(&mut self, parts: &[&[u8]]) {
        let len = parts.first().map_or(0, |part| part.len());
        assert!(parts.len() == self.states.len() && len.is_multiple_of(64), "whole blocks for each message");
        assert!(parts.iter().all(|part| part.len() == len), "equal steps");
        let mut blocks: [&[Block]; MAX_LANES] = [&[]; MAX_LANES];
        for (blocks, part) in blocks.iter_mut().zip(parts) {
            *blocks = part.as_chunks().0;
        }
        self.compress(&blocks[..parts.len()]);
        self.length += len as u64;
    }

    /// Adds the last part of each message, of any length but the same for all, and gives the digests.
    ///
    /// # Panics
    /// If there is not one part a message, or they are not equally long.
    pub fn finish(mut self, parts: &[&[u8]]) -> Vec<Sha1Digest> {
        let len = parts.first().map_or(0, |part| part.len());
        let whole = len / 64 * 64;
        self.add(&parts.iter().map(|part| &part[..whole]).collect::<Vec<_>>());
        // One bit, zeros, and the length in bits in the last eight bytes (FIPS 180-4, section 5.1.1).
        let bits = (self.length + (len - whole) as u64) * 8;
        let padded = if len - whole < 56 { 64 } else { 128 };
        let ends: Vec<[u8; 128]> = parts
            .iter()
            .map(|part| {
                assert!(part.len() == len, "equal ends");
                let mut end = [0; 128];
                end[..len - whole].copy_from_slice(&part[whole..]);
                end[len - whole] = 0x80;
                end[padded - 8..padded].copy_from_slice(&bits.to_be_bytes());
                end
            })
            .collect();
        self.add(&ends.iter().map(|end| &end[..padded]).collect::<Vec<_>>());
        self.states.into_iter().map(sha1_bytes).collect()
    }

    fn compress(&mut self, mut inputs: &[&[Block]]) {
        if inputs[0].is_empty() {
            return;
        }
        let mut states = &mut self.states[..];
        while !states.is_empty() {
            let Kernel { lanes, compress, .. } = self.ladder.kernel_for(states.len());
            let (now, later) = std::mem::take(&mut states).split_at_mut(lanes.min(inputs.len()));
            compress(now, &inputs[..now.len()]);
            inputs = &inputs[now.len()..];
            states = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::choice::{sha1_kernels, sha1_ladder};
    use crate::base::hash::plain::SHA1_PLAIN;
    use crate::base::hash::sha1;

    /// Every number of messages, and every length round the edges of blocks, padding and steps, by every kernel.
    #[test]
    fn steps_give_the_hash_of_the_whole() {
        let ladders = sha1_kernels().into_iter().chain([SHA1_PLAIN]).map(Ladder::new).chain([sha1_ladder()]);
        for ladder in ladders.map(|ladder| &*Box::leak(Box::new(ladder))) {
            for messages in if cfg!(miri) { 1..=2 } else { 1..=MAX_LANES } {
                for len in [0, 1, 55, 56, 63, 64, 119, 120, 128, 192, 200, 256 + 55, 256 + 56, 500] {
                    let whole: Vec<Vec<u8>> =
                        (0..messages).map(|nth| (0..len).map(|at| (at * 7 + nth * 31) as u8).collect()).collect();
                    let mut abreast = Abreast { ladder, ..Abreast::new(messages) };
                    let mut at = 0;
                    while len - at > 128 {
                        abreast.add(&whole.iter().map(|bytes| &bytes[at..at + 128]).collect::<Vec<_>>());
                        at += 128;
                    }
                    let digests = abreast.finish(&whole.iter().map(|bytes| &bytes[at..]).collect::<Vec<_>>());
                    let expected: Vec<_> = whole.iter().map(|bytes| sha1(bytes)).collect();
                    assert_eq!(digests, expected, "{messages} messages of {len} bytes");
                }
            }
        }
    }
}
