//! The calling side of the handshake.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::dh::{KEY_LEN, KeyPair};
use super::keys::{Secret, req2};
use super::sync::Sync;
use super::{Ciphers, MAX_PAD, Methods, MseError, VC};
use crate::base::id::InfoHashV1;

/// Calls for one torrent, with our first payload on board.
pub struct Initiator {
    skey: InfoHashV1,
    offer: Methods,
    keys: KeyPair,
    /// Length of PadC.
    pad_c: u16,
    /// IA, until it has left.
    first: Vec<u8>,
    stage: Stage,
    input: Vec<u8>,
    output: Vec<u8>,
}

enum Stage {
    /// Waiting for Yb.
    Key,
    /// In PadB, looking for the encrypted VC.
    Pad {
        sync: Sync<8>,
        ciphers: Ciphers,
    },
    /// crypto_select and len(PadD).
    Choice {
        ciphers: Ciphers,
    },
    /// PadD.
    PadD {
        ciphers: Ciphers,
        len: usize,
        chosen: Methods,
    },
    Over,
}

impl Initiator {
    /// A handshake for `skey` that offers `offer`; `first` is what we have to say in the payload, and goes with it.
    pub fn new(rng: &mut StdRng, skey: InfoHashV1, offer: Methods, first: Vec<u8>) -> Initiator {
        let keys = KeyPair::random(rng);
        let mut pad = vec![0; rng.random_range(0..=MAX_PAD)];
        rng.fill_bytes(&mut pad);
        Initiator::with(keys, &pad, rng.random_range(0..=MAX_PAD as u16), skey, offer, first)
    }

    pub(super) fn with(
        keys: KeyPair,
        pad_a: &[u8],
        pad_c: u16,
        skey: InfoHashV1,
        offer: Methods,
        first: Vec<u8>,
    ) -> Initiator {
        debug_assert!(first.len() <= usize::from(u16::MAX), "IA has a length of two bytes");
        let output = [&keys.public, pad_a].concat();
        Initiator { skey, offer, keys, pad_c, first, stage: Stage::Key, input: Vec::new(), output }
    }

    /// Bytes to be sent now; empty if there are none.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Bytes of the other side that it can take now; at least 1 until it is over.
    pub fn wants(&self) -> usize {
        match &self.stage {
            Stage::Pad { sync, .. } => sync.wants(),
            stage => stage.len() - self.input.len(),
        }
    }

    /// Takes up to [`Initiator::wants`] bytes. Once the handshake is over, the ciphers of the payload come back, or
    /// `None` in their stead if it goes plain.
    ///
    /// # Errors
    /// Why there will be no connection.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> Result<Option<Option<Ciphers>>, MseError> {
        debug_assert!(bytes.len() <= self.wants(), "no more than it wants");
        match &mut self.stage {
            Stage::Pad { sync, .. } => {
                if sync.on_bytes(bytes)?.is_some() {
                    let Stage::Pad { mut ciphers, .. } = std::mem::replace(&mut self.stage, Stage::Over) else {
                        unreachable!("just matched")
                    };
                    ciphers.theirs.apply(&mut VC.clone());
                    self.stage = Stage::Choice { ciphers };
                }
                return Ok(None);
            }
            _ => self.input.extend_from_slice(bytes),
        }
        // A pad of no bytes is over without any.
        while self.wants() == 0 {
            let input = std::mem::take(&mut self.input);
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Key => self.on_key(&input)?,
                Stage::Choice { ciphers } => self.on_choice(input, ciphers)?,
                Stage::PadD { mut ciphers, chosen, .. } => {
                    let mut input = input;
                    ciphers.theirs.apply(&mut input);
                    return Ok(Some(chosen.rc4.then_some(ciphers)));
                }
                Stage::Pad { .. } | Stage::Over => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The secret follows, and what we have to say with it.
    fn on_key(&mut self, theirs: &[u8]) -> Result<(), MseError> {
        let theirs: &[u8; KEY_LEN] = theirs.try_into().map_err(|_| MseError::WeakKey)?;
        let secret = Secret(self.keys.secret(theirs).ok_or(MseError::WeakKey)?);
        let mut ours = secret.cipher_a(self.skey);
        let first = std::mem::take(&mut self.first);
        let mut sealed = VC.to_vec();
        sealed.extend(self.offer.bits().to_be_bytes());
        sealed.extend(self.pad_c.to_be_bytes());
        sealed.resize(sealed.len() + usize::from(self.pad_c), 0);
        sealed.extend((first.len() as u16).to_be_bytes());
        sealed.extend(first);
        ours.apply(&mut sealed);
        self.output.extend(secret.req1());
        self.output.extend(secret.veil(req2(self.skey)));
        self.output.extend(sealed);
        let theirs = secret.cipher_b(self.skey);
        let mut pattern = VC;
        theirs.clone().apply(&mut pattern);
        self.stage = Stage::Pad { sync: Sync::new(pattern), ciphers: Ciphers { theirs, ours } };
        Ok(())
    }

    fn on_choice(&mut self, mut input: Vec<u8>, mut ciphers: Ciphers) -> Result<(), MseError> {
        ciphers.theirs.apply(&mut input);
        let (select, pad) = choice(&input);
        let chosen = Methods::from_bits(select);
        let offered = if chosen.plain { self.offer.plain } else { self.offer.rc4 };
        // One of those offered, and nothing else.
        if !offered || !matches!(select, 1 | 2) {
            return Err(MseError::NoCommonMethod);
        }
        let len = usize::from(pad);
        if len > MAX_PAD {
            return Err(MseError::LongPad(pad));
        }
        self.stage = Stage::PadD { ciphers, len, chosen };
        Ok(())
    }
}

impl Stage {
    /// Bytes of this stage, where that is known.
    fn len(&self) -> usize {
        match self {
            Stage::Key => KEY_LEN,
            Stage::Choice { .. } => 6,
            Stage::PadD { len, .. } => *len,
            Stage::Pad { .. } | Stage::Over => 0,
        }
    }
}

/// Four bytes of methods and two of a length.
pub(super) fn choice(bytes: &[u8]) -> (u32, u16) {
    let (methods, len) = bytes.split_at(4);
    (u32::from_be_bytes(methods.try_into().unwrap_or_default()), u16::from_be_bytes([len[0], len[1]]))
}
