//! The one front door to SHA-1 and SHA-256: downloads, checks and `create` hash through here and nowhere else.
//!
//! A message is a list of slices, since pieces lie in several buffers; the hash is that of the slices joined.

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
    messages.iter().map(|slices| joined::<sha1::Sha1>(slices).into()).collect()
}

/// SHA-256 of each message, in their order. Any number of messages of any lengths; the more of them, the faster.
pub fn sha256_batch(messages: &[&[&[u8]]]) -> Vec<Sha256Digest> {
    messages.iter().map(|slices| joined::<sha2::Sha256>(slices).into()).collect()
}

/// SHA-1 of one message that comes in parts over time.
#[derive(Clone, Default)]
pub struct Sha1Stream(sha1::Sha1);

impl Sha1Stream {
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The hash of all parts.
    pub fn finish(self) -> Sha1Digest {
        self.0.finalize().into()
    }
}

/// SHA-256 of one message that comes in parts over time.
#[derive(Clone, Default)]
pub struct Sha256Stream(sha2::Sha256);

impl Sha256Stream {
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The hash of all parts.
    pub fn finish(self) -> Sha256Digest {
        self.0.finalize().into()
    }
}

fn joined<D: Digest>(slices: &[&[u8]]) -> sha1::digest::Output<D> {
    let mut hasher = D::new();
    slices.iter().for_each(|slice| hasher.update(slice));
    hasher.finalize()
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

    #[test]
    fn a_batch_hashes_the_slices_of_each_message_joined() {
        let messages: [&[&[u8]]; 3] = [&[b"a", b"", b"bc"], &[], &[b"abc"]];
        assert_eq!(sha1_batch(&messages), [sha1(b"abc"), sha1(b""), sha1(b"abc")]);
        assert_eq!(sha256_batch(&messages), [sha256(b"abc"), sha256(b""), sha256(b"abc")]);
        let mut stream = Sha1Stream::default();
        ["ab", "c"].iter().for_each(|part| stream.update(part.as_bytes()));
        assert_eq!(stream.finish(), sha1(b"abc"));
        let mut stream = Sha256Stream::default();
        ["ab", "c"].iter().for_each(|part| stream.update(part.as_bytes()));
        assert_eq!(stream.finish(), sha256(b"abc"));
    }
}
