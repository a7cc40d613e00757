//! What a peer has: all pieces, or a bitfield of some. Who comes as a seed costs no memory and no counting.

use crate::base::bitfield::Bitfield;

/// The pieces of one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PieceSet {
    /// Every one of this many pieces, known at once.
    All(u32),
    /// Some pieces, with their number; they may become all of them, and are still counted piece by piece then.
    Some(Bitfield, u32),
}

impl PieceSet {
    pub fn empty(len: u32) -> Self {
        PieceSet::Some(Bitfield::new(len), 0)
    }

    pub fn from_bits(bits: Bitfield) -> Self {
        match bits.count() {
            count if count == bits.len() => PieceSet::All(count),
            count => PieceSet::Some(bits, count),
        }
    }

    pub fn get(&self, piece: u32) -> bool {
        match self {
            PieceSet::All(len) => piece < *len,
            PieceSet::Some(bits, _) => bits.get(piece),
        }
    }

    /// Adds a piece; true if it is new.
    pub fn add(&mut self, piece: u32) -> bool {
        match self {
            PieceSet::All(_) => false,
            PieceSet::Some(bits, count) => {
                let new = piece < bits.len() && bits.set(piece);
                *count += u32::from(new);
                new
            }
        }
    }

    /// Takes a piece out; true if it was in. All pieces become a bitfield for this.
    pub fn remove(&mut self, piece: u32) -> bool {
        if let PieceSet::All(len) = *self {
            *self = PieceSet::Some(Bitfield::full(len), len);
        }
        let PieceSet::Some(bits, count) = self else { return false };
        let was = bits.clear(piece);
        *count -= u32::from(was);
        was
    }

    /// Nothing is missing.
    pub fn is_full(&self) -> bool {
        match self {
            PieceSet::All(_) => true,
            PieceSet::Some(bits, count) => *count == bits.len(),
        }
    }

    /// The 64-bit word of pieces `64 * at` and on; bits beyond the last piece may be set.
    pub fn word(&self, at: usize) -> u64 {
        match self {
            PieceSet::All(_) => u64::MAX,
            PieceSet::Some(bits, _) => bits.words()[at],
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
        assert!(!some.is_full() && some.get(69) && !some.get(68) && some.meets(&bits));
        assert!(!some.get(70) && !PieceSet::All(70).get(70));
        assert!(!PieceSet::All(70).meets(&Bitfield::new(70)));
    }

    #[test]
    fn pieces_come_and_go_and_are_counted() {
        let mut set = PieceSet::empty(2);
        assert!(set.add(0) && !set.add(0) && !set.add(2) && set.add(1) && set.is_full());
        assert!(set.remove(1) && !set.remove(1) && !set.is_full());
        let mut all = PieceSet::All(3);
        assert!(!all.add(1) && all.remove(1) && !all.is_full() && all.get(2) && !all.get(1));
    }
}
