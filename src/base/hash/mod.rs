//! The one front door to SHA-1 and SHA-256: downloads, checks and `create` hash through here and nowhere else.
//!
//! A message is a list of slices, since pieces lie in several buffers; the hash is that of the slices joined.
//!
//! Batches go through a scheduler ([`lanes`]) to kernels that hash up to sixteen messages side by side in the lanes of
//! vector registers (`x86`); [`choice`] says which kernel for how many messages. Single messages, and machines without
//! such registers, get the `sha1` and `sha2` crates, by which the tests also judge the kernels.

mod abreast;
pub mod choice;
pub mod lanes;
#[cfg(test)]
mod plain;
#[cfg(any(test, target_arch = "x86_64"))]
mod rounds;
mod single;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use abreast::Abreast;
use sha1::Digest;

/// A SHA-1 digest.
pub type Sha1Digest = [u8; 20];
/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// SHA-1 of one message that lies in one piece.
pub fn sha1(message: &[u8]) -> Sha1Digest {
    sha1::Sha1::digest(message).into()
}

/// SHA-256 of one message that lies in one piece.
pub fn sha256(message: &[u8]) -> Sha256Digest {
    sha2::Sha256::digest(message).into()
}

/// SHA-1 of each message, in their order. Any number of messages of any lengths; the more of them, the faster.
pub fn sha1_batch(messages: &[&[&[u8]]]) -> Vec<Sha1Digest> {
    choice::SHA1.hash(SHA1_INITIAL, messages).into_iter().map(sha1_bytes).collect()
}

/// SHA-256 of each message, in their order. Any number of messages of any lengths; the more of them, the faster.
pub fn sha256_batch(messages: &[&[&[u8]]]) -> Vec<Sha256Digest> {
    choice::SHA256.hash(SHA256_INITIAL, messages).into_iter().map(sha256_bytes).collect()
}

/// The value that SHA-1 starts from (FIPS 180-4, section 5.3.1).
pub const SHA1_INITIAL: [u32; 5] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

/// The value that SHA-256 starts from (FIPS 180-4, section 5.3.3).
#[rustfmt::skip]
pub const SHA256_INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

fn sha1_bytes(words: [u32; 5]) -> Sha1Digest {
    let mut digest = [0; 20];
    digest.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
    digest
}

fn sha256_bytes(words: [u32; 8]) -> Sha256Digest {
    let mut digest = [0; 32];
    digest.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// FIPS 180-4's examples: "abc", and the 448 bit message.
    #[test]
    fn the_examples_of_the_standard() {
        let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&sha1(long)), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex(&sha256(long)), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }

    /// FIPS 180-4's third example: a million times "a", here in uneven slices and beside other messages.
    #[test]
    #[cfg_attr(miri, ignore = "takes hours")]
    fn the_long_example_of_the_standard() {
        let a = vec![b'a'; 1000];
        let long: Vec<&[u8]> = (0..1000).flat_map(|cut| [&a[cut..], &a[..cut]]).collect();
        let messages: Vec<&[&[u8]]> = [&long[..], &[b"abc"], &long[..]].repeat(5);
        for (digest, message) in sha1_batch(&messages).iter().zip(&messages) {
            let expected = if message.len() == 1 { sha1(b"abc") } else { sha1(&a.repeat(1000)) };
            assert_eq!(*digest, expected);
        }
        assert_eq!(hex(&sha1(&a.repeat(1000))), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        for (digest, message) in sha256_batch(&messages).iter().zip(&messages) {
            let expected = if message.len() == 1 { sha256(b"abc") } else { sha256(&a.repeat(1000)) };
            assert_eq!(*digest, expected);
        }
        let expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(hex(&sha256(&a.repeat(1000))), expected);
    }

    #[test]
    fn a_batch_hashes_the_slices_of_each_message_joined() {
        let messages: [&[&[u8]]; 3] = [&[b"a", b"", b"bc"], &[], &[b"abc"]];
        assert_eq!(sha1_batch(&messages), [sha1(b"abc"), sha1(b""), sha1(b"abc")]);
        assert_eq!(sha256_batch(&messages), [sha256(b"abc"), sha256(b""), sha256(b"abc")]);
    }
}
