//! What a peer has: all pieces, or a bitfield of some. A seed costs no memory and no counting.

use crate::base::bitfield::Bitfield;

/// The pieces of one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PieceSet {
    /// Every one of this many pieces.
    All(u32),
    Some(Bitfield),
}

impl PieceSet {
    pub fn from_bits(bits: Bitfield) -> Self {
        if bits.all() { PieceSet::All(bits.len()) } else { PieceSet::Some(bits) }
    }

    pub fn get(&self, piece: u32) -> bool {
        match self {
            PieceSet::All(len) => piece < *len,
            PieceSet::Some(bits) => bits.get(piece),
        }
    }

    pub fn is_all(&self) -> bool {
        matches!(self, PieceSet::All(_))
    }

    /// The 64-bit word of pieces `64 * at` and on; bits beyond the last piece may be set.
    pub fn word(&self, at: usize) -> u64 {
        match self {
            PieceSet::All(_) => u64::MAX,
            PieceSet::Some(bits) => bits.words()[at],
        }
    }

    /// True if some piece of `these` is here.
    pub fn meets(&self, these: &Bitfield) -> bool {
        these.words().iter().enumerate().any(|(at, word)| word & self.word(at) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bitfield_becomes_all() {
        assert_eq!(PieceSet::from_bits(Bitfield::full(70)), PieceSet::All(70));
        let mut bits = Bitfield::new(70);
        bits.set(69);
        let some = PieceSet::from_bits(bits.clone());
        assert!(!some.is_all() && some.get(69) && !some.get(68) && some.meets(&bits));
        assert!(!some.get(70) && !PieceSet::All(70).get(70));
        assert!(!PieceSet::All(70).meets(&Bitfield::new(70)));
    }
}
