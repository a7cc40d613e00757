//! A fixed number of bits, one a piece or a block, in 64-bit words.
//!
//! Bits beyond the length are always zero, so that counting and comparing go word by word. On the wire the first bit is
//! the highest of the first byte (BEP 3, "bitfield").

/// A set of piece (or block) indices below a fixed length.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bitfield {
    words: Box<[u64]>,
    len: u32,
}

impl Bitfield {
    /// `len` bits, all clear.
    pub fn new(len: u32) -> Self {
        Bitfield { words: vec![0; (len as usize).div_ceil(64)].into(), len }
    }

    /// `len` bits, all set.
    pub fn full(len: u32) -> Self {
        let mut bits = Bitfield { words: vec![u64::MAX; (len as usize).div_ceil(64)].into(), len };
        bits.clear_tail();
        bits
    }

    /// Reads the wire form; `None` if the byte count does not fit `len` or a spare bit is set.
    pub fn from_wire(bytes: &[u8], len: u32) -> Option<Self> {
        if bytes.len() != (len as usize).div_ceil(8) {
            return None;
        }
        let mut bits = Bitfield::new(len);
        for (word, chunk) in bits.words.iter_mut().zip(bytes.chunks(8)) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_be_bytes(eight).reverse_bits();
        }
        let read = bits.words.last().copied();
        bits.clear_tail();
        (read == bits.words.last().copied()).then_some(bits)
    }

    /// The wire form: `len.div_ceil(8)` bytes.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.reverse_bits().to_be_bytes()).collect();
        bytes.truncate((self.len as usize).div_ceil(8));
        bytes
    }

    /// How many bits there are, set or not.
    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if bit `index` is set; false beyond the end.
    pub fn get(&self, index: u32) -> bool {
        index < self.len && self.words[index as usize / 64] >> (index % 64) & 1 == 1
    }

    /// Sets bit `index` and says whether it was clear before.
    ///
    /// # Panics
    /// If `index` is not below the length.
    pub fn set(&mut self, index: u32) -> bool {
        assert!(index < self.len, "bit {index} of {}", self.len);
        let (word, mask) = (&mut self.words[index as usize / 64], 1 << (index % 64));
        let new = *word & mask == 0;
        *word |= mask;
        new
    }

    /// Clears bit `index` and says whether it was set before.
    pub fn clear(&mut self, index: u32) -> bool {
        let was = self.get(index);
        if was {
            self.words[index as usize / 64] &= !(1 << (index % 64));
        }
        was
    }

    /// How many bits are set.
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub fn all(&self) -> bool {
        self.count() == self.len
    }

    pub fn none(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// True if some bit is set here and clear in `other` ("does this peer have a piece that I lack").
    pub fn has_beyond(&self, other: &Bitfield) -> bool {
        debug_assert_eq!(self.len, other.len);
        self.words.iter().zip(&other.words).any(|(a, b)| a & !b != 0)
    }

    /// The set bits, in rising order.
    pub fn ones(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            std::iter::successors((word != 0).then_some(word), |w| Some(w & (w - 1)).filter(|w| *w != 0))
                .map(move |w| at as u32 * 64 + w.trailing_zeros())
        })
    }

    /// The 64-bit words, bit `i` at bit `i % 64` of word `i / 64`.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    fn clear_tail(&mut self) {
        if let (Some(last), spare @ 1..) = (self.words.last_mut(), self.len % 64) {
            *last &= (1 << spare) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_piece_is_the_highest_bit_of_the_first_byte() {
        let mut bits = Bitfield::new(10);
        assert!(bits.set(0) && bits.set(9) && !bits.set(9));
        assert_eq!(bits.to_wire(), [0b1000_0000, 0b0100_0000]);
        assert_eq!(Bitfield::from_wire(&[0b1000_0000, 0b0100_0000], 10), Some(bits));
    }

    #[test]
    fn a_spare_bit_or_a_wrong_length_is_refused() {
        assert_eq!(Bitfield::from_wire(&[0, 0b0010_0000], 10), None);
        assert_eq!(Bitfield::from_wire(&[0], 10), None);
        assert_eq!(Bitfield::from_wire(&[0, 0, 0], 10), None);
    }

    #[test]
    fn full_counts_and_lists_across_words() {
        for len in [0, 1, 63, 64, 65, 128, 130] {
            let full = Bitfield::full(len);
            assert_eq!(full.count(), len);
            assert!(full.all());
            assert_eq!(full.ones().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            assert_eq!(Bitfield::from_wire(&full.to_wire(), len), Some(full));
        }
    }

    #[test]
    fn beyond_sees_only_what_the_other_lacks() {
        let (mut peer, mut mine) = (Bitfield::new(70), Bitfield::new(70));
        peer.set(69);
        assert!(peer.has_beyond(&mine));
        mine.set(69);
        assert!(!peer.has_beyond(&mine));
        assert!(peer.clear(69) && !peer.clear(69) && peer.none());
    }
}
