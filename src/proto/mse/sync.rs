//! Finding the place where padding of unknown length ends.

use super::{MAX_PAD, MseError};

/// A search for a pattern behind 0 to 512 bytes of padding.
#[derive(Debug)]
pub struct Sync<const N: usize> {
    pattern: [u8; N],
    seen: Vec<u8>,
}

impl<const N: usize> Sync<N> {
    pub fn new(pattern: [u8; N]) -> Self {
        Sync { pattern, seen: Vec::new() }
    }

    /// Bytes that come for certain before the pattern is complete: as many as it lacks if what was seen last is its
    /// beginning.
    pub fn wants(&self) -> usize {
        let longest = self.seen.len().min(N - 1);
        let begun = (0..=longest).rev().find(|&n| self.seen.ends_with(&self.pattern[..n])).unwrap_or(0);
        N - begun
    }

    /// Takes `bytes`; what follows the pattern comes back once it is found.
    ///
    /// # Errors
    /// [`MseError::NoSync`] if it can't come any more.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, MseError> {
        let from = self.seen.len().saturating_sub(N - 1);
        self.seen.extend_from_slice(bytes);
        let found = self.seen[from..].windows(N).position(|window| window == self.pattern).map(|at| from + at);
        match found {
            Some(at) if at <= MAX_PAD => Ok(Some(self.seen.split_off(at + N))),
            None if self.seen.len() < MAX_PAD + N => Ok(None),
            _ => Err(MseError::NoSync),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_pattern_is_found_at_its_last_place_and_not_beyond() {
        for (pad, found) in [(0, true), (1, true), (511, true), (512, true), (513, false)] {
            let mut sync = Sync::new([1, 2, 3]);
            let bytes = [vec![9; pad], vec![1, 2, 3, 4]].concat();
            let expected = if found { Ok(Some(vec![4])) } else { Err(MseError::NoSync) };
            assert_eq!(sync.on_bytes(&bytes), expected, "{pad}");
        }
    }

    proptest! {
        /// Few letters, so that the padding is full of beginnings of the pattern.
        #[test]
        fn as_many_bytes_as_it_wants_never_run_past_the_pattern(
            pattern in any::<[bool; 6]>(),
            pad in prop::collection::vec(any::<bool>(), 0..200),
            appetite in prop::collection::vec(1..7usize, 1..20),
        ) {
            let pattern = pattern.map(u8::from);
            let bytes = [pad.iter().map(|&bit| u8::from(bit)).collect(), pattern.to_vec()].concat();
            let end = 6 + bytes.windows(6).position(|window| window == pattern).unwrap();
            let mut sync = Sync::new(pattern);
            let mut at = 0;
            for appetite in appetite.into_iter().cycle() {
                let n = sync.wants().min(appetite);
                prop_assert!(n > 0 && at + n <= end);
                let rest = sync.on_bytes(&bytes[at..at + n]).unwrap();
                at += n;
                if let Some(rest) = rest {
                    prop_assert!(rest.is_empty());
                    break;
                }
            }
            prop_assert_eq!(at, end);
        }
    }
}
