//! The RC4 stream cipher. Broken as a cipher; here it only hides what a stream is.

use std::fmt;

/// Bytes at the front of every key stream that are thrown away.
const DISCARDED: usize = 1024;

/// One direction of a connection. The permutation stands in words rather than bytes, since the loop waits for loads and
/// stores of it all the time.
#[derive(Clone)]
pub struct Rc4 {
    state: [u32; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// The cipher as MSE has it: past its first 1,024 bytes.
    pub fn new(key: &[u8; 20]) -> Rc4 {
        let mut cipher = Rc4::bare(key);
        cipher.apply(&mut [0; DISCARDED]);
        cipher
    }

    fn bare(key: &[u8]) -> Rc4 {
        let mut state: [u32; 256] = std::array::from_fn(|n| n as u32);
        let mut j = 0u8;
        for i in 0..256 {
            j = j.wrapping_add(state[i] as u8).wrapping_add(key[i % key.len()]);
            state.swap(i, usize::from(j));
        }
        Rc4 { state, i: 0, j: 0 }
    }

    /// Encrypts or decrypts in place, and moves on.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let Rc4 { state, mut i, mut j } = *self;
        let mut state = state;
        let mut next = || {
            i = i.wrapping_add(1);
            let a = state[usize::from(i)];
            j = j.wrapping_add(a as u8);
            let b = state[usize::from(j)];
            state[usize::from(i)] = b;
            state[usize::from(j)] = a;
            state[usize::from(a.wrapping_add(b) as u8)] as u8
        };
        // Gathered in a register, eight bytes of the key stream cost one load and one store of the text.
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            let key = u64::from_le_bytes(std::array::from_fn(|_| next()));
            *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
        }
        rest.iter_mut().for_each(|byte| *byte ^= next());
        *self = Rc4 { state, i, j };
    }
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rc4")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::rc4::{KeyInit, StreamCipher};
    use proptest::prelude::*;

    #[test]
    fn the_key_stream_is_that_of_rfc_6229() {
        let mut stream = [0; 16];
        Rc4::bare(&[1, 2, 3, 4, 5]).apply(&mut stream);
        // "Key length: 40 bits", "DEC 0"
        assert_eq!(
            stream,
            [0xb2, 0x39, 0x63, 0x05, 0xf0, 0x3d, 0xc0, 0x27, 0xcc, 0xc3, 0x52, 0x4a, 0x0a, 0x11, 0x18, 0xa8]
        );
    }

    proptest! {
        #[test]
        fn it_is_the_cipher_of_the_crate_however_it_is_cut(
            key in any::<[u8; 20]>(),
            text in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(0..40usize, 0..20),
        ) {
            let mut expected = [vec![0; DISCARDED], text.clone()].concat();
            ::rc4::Rc4::new_from_slice(&key).unwrap().apply_keystream(&mut expected);
            let (mut cipher, mut ours) = (Rc4::new(&key), text);
            let mut rest = &mut ours[..];
            for cut in cuts {
                let (part, more) = rest.split_at_mut(cut.min(rest.len()));
                cipher.apply(part);
                rest = more;
            }
            cipher.apply(rest);
            prop_assert_eq!(&ours[..], &expected[DISCARDED..]);
        }
    }
}
