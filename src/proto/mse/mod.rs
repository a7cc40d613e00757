//! Message stream encryption (MSE, also PE): the handshake that hides BitTorrent from those who look for its first
//! bytes. There is no BEP; this is what clients do.
//!
//! ```text
//! 1. A → B  Ya, PadA
//! 2. B → A  Yb, PadB
//! 3. A → B  SHA1("req1", S), SHA1("req2", SKEY) xor SHA1("req3", S),
//!           ENC(VC, crypto_provide, len(PadC), PadC, len(IA)), ENC(IA)
//! 4. B → A  ENC(VC, crypto_select, len(PadD), PadD), then the payload in the selected way
//! ```
//!
//! Y are Diffie-Hellman keys (`dh`), S the secret that follows from them, SKEY the info hash, VC eight zero bytes, IA
//! the caller's first payload; ENC is RC4 (`rc4`) with a key for each direction. Nobody says how long PadA and PadB
//! are: what follows them is searched for (`sync`).
//!
//! [`Initiator`] and [`Receiver`] are machines for the two sides. They say how many bytes they can take ([`wants`]) and
//! never take a byte of the payload: who drives them reads no further, and can hand the bare socket on when the payload
//! goes plain.
//!
//! [`wants`]: Initiator::wants

mod dh;
mod initiator;
mod keys;
mod rc4;
mod receiver;
mod sync;

pub use initiator::Initiator;
pub use keys::Skeys;
pub use rc4::Rc4;
pub use receiver::{Admitted, Receiver};

/// Longest padding, in bytes.
const MAX_PAD: usize = 512;
/// The verification constant: eight bytes of zeros.
const VC: [u8; 8] = [0; 8];

/// What may carry the payload after the handshake: the bits of `crypto_provide` and `crypto_select`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Methods {
    pub plain: bool,
    pub rc4: bool,
}

impl Methods {
    /// Whatever the other side likes.
    pub const ANY: Methods = Methods { plain: true, rc4: true };
    /// Encrypted to the last byte.
    pub const RC4: Methods = Methods { plain: false, rc4: true };

    fn bits(self) -> u32 {
        u32::from(self.plain) | u32::from(self.rc4) << 1
    }

    /// Bits that we do not know are offers that we do not take.
    fn from_bits(bits: u32) -> Methods {
        Methods { plain: bits & 1 != 0, rc4: bits & 2 != 0 }
    }

    /// What to choose of both: plain where it will do, since RC4 costs more than all the rest of a connection.
    fn choose(self, offered: Methods) -> Option<Methods> {
        if self.plain && offered.plain {
            Some(Methods { plain: true, rc4: false })
        } else if self.rc4 && offered.rc4 {
            Some(Methods::RC4)
        } else {
            None
        }
    }
}

/// The ciphers of a payload that goes encrypted, at the place where it begins.
#[derive(Debug)]
pub struct Ciphers {
    /// For what the other side sends.
    pub theirs: Rc4,
    /// For what we send.
    pub ours: Rc4,
}

/// Why a handshake is given up; the text is fit for a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MseError {
    #[error("the key of the other side is none that gives a secret")]
    WeakKey,
    #[error("the other side does not know the secret: not an encrypted handshake")]
    NoSync,
    #[error("the other side comes for a torrent that is not here")]
    UnknownTorrent,
    #[error("the other side's encryption is out of step")]
    BadCheck,
    #[error("padding of {0} bytes, at most {max} are allowed", max = MAX_PAD)]
    LongPad(u16),
    #[error("the two sides have no way in common to go on after the handshake")]
    NoCommonMethod,
}

#[cfg(test)]
mod tests;
