//! Which hashes of a file's tree HASH REQUEST, HASHES and HASH REJECT speak of (BEP 52, "peer messages").
//!
//! A range lies in one layer of the tree, counted from the leaves. The answer holds its hashes from left to right and then
//! the uncles that prove them, from the lowest up.

use super::WireError;
use crate::base::merkle;

/// The bytes of a range on the wire: a root and four numbers.
pub const HASH_RANGE_LEN: usize = 32 + 4 * 4;

/// Hashes of one layer that are asked for at a time, at most (BEP 52).
pub const MAX_HASHES: u32 = 512;

/// Layers that no tree reaches: a file of 2^63 bytes has 50.
const MAX_LAYERS: u32 = 64;

/// The longest HASHES frame, counted as its length field does.
pub(super) const MAX_HASHES_FRAME: u32 = 1 + HASH_RANGE_LEN as u32 + 32 * (MAX_HASHES + MAX_LAYERS);

/// Hashes of one file's tree, and how far up their proof goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HashRange {
    /// The file's pieces root.
    pub root: [u8; 32],
    /// The layer of the hashes; 0 is that of the 16 KiB blocks.
    pub base: u32,
    /// The first hash, counted in its layer.
    pub index: u32,
    /// How many of them.
    pub length: u32,
    /// Layers above `base` that the proof covers, with those that the hashes themselves give.
    pub proof: u32,
}

impl HashRange {
    /// True for what can be asked for: a power of two of hashes, no more than [`MAX_HASHES`], that begins at a multiple of
    /// it, in a tree that can be. One hash alone passes too: libtorrent asks for the last of 513 that way, although the BEP
    /// wants two.
    pub fn is_sound(&self) -> bool {
        self.length.is_power_of_two()
            && self.length <= MAX_HASHES
            && self.index.is_multiple_of(self.length)
            && self.base.saturating_add(self.proof) < MAX_LAYERS
    }

    /// Uncle hashes of a sound range: one for each proof layer, but for those that the hashes themselves give. For a lone
    /// hash its sibling counts too.
    pub fn uncles(&self) -> u32 {
        merkle::uncles(self.length, self.proof)
    }

    /// How many hashes the answer to a sound range has.
    pub fn answer_len(&self) -> usize {
        (self.length + self.uncles()) as usize
    }

    pub(super) fn encode(&self) -> [u8; HASH_RANGE_LEN] {
        let mut bytes = [0; HASH_RANGE_LEN];
        bytes[..32].copy_from_slice(&self.root);
        for (at, number) in [self.base, self.index, self.length, self.proof].into_iter().enumerate() {
            bytes[32 + at * 4..36 + at * 4].copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// # Errors
    /// If that is not as many bytes as a range has.
    pub(super) fn decode(bytes: &[u8]) -> Result<HashRange, WireError> {
        let bytes: &[u8; HASH_RANGE_LEN] = bytes.try_into().map_err(|_| WireError("a message of a wrong length"))?;
        let mut root = [0; 32];
        root.copy_from_slice(&bytes[..32]);
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Ok(HashRange { root, base: number(32), index: number(36), length: number(40), proof: number(44) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(index: u32, length: u32, proof: u32) -> HashRange {
        HashRange { root: [1; 32], base: 3, index, length, proof }
    }

    #[test]
    fn what_can_not_be_asked_for_is_unsound() {
        for sound in [range(0, 2, 0), range(512, 512, 60), range(1_024, 1, 0), range(6, 2, 5)] {
            assert!(sound.is_sound(), "{sound:?}");
        }
        for unsound in [
            range(0, 0, 0),
            range(0, 3, 0),
            range(0, 1_024, 0),
            range(2, 4, 0),
            range(0, 2, 61),
            range(0, 2, u32::MAX),
            HashRange { base: u32::MAX, ..range(0, 2, 0) },
        ] {
            assert!(!unsound.is_sound(), "{unsound:?}");
        }
    }

    #[test]
    fn an_answer_has_an_uncle_for_each_proof_layer_that_the_hashes_do_not_give() {
        // Two hashes of eight: the layer above them and the next have an uncle each, the root has none.
        assert_eq!(range(4, 2, 2).answer_len(), 2 + 2);
        // Four of eight give the layer above them.
        assert_eq!(range(4, 4, 2).answer_len(), 4 + 1);
        // The whole of a layer proves itself.
        assert_eq!(range(0, 8, 2).answer_len(), 8);
        assert_eq!(range(0, 512, 0).answer_len(), 512);
        // One of eight needs its sibling and two uncles.
        assert_eq!(range(4, 1, 2).answer_len(), 1 + 3);
    }
}
