//! The called side of the handshake.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::dh::{KEY_LEN, KeyPair};
use super::initiator::choice;
use super::keys::{Secret, Skeys};
use super::sync::Sync;
use super::{Ciphers, MAX_PAD, Methods, MseError, VC};
use crate::base::id::InfoHashV1;

/// Answers a caller.
pub struct Receiver {
    accept: Methods,
    keys: KeyPair,
    pad_b: Vec<u8>,
    /// Length of PadD.
    pad_d: u16,
    stage: Stage,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// A caller that has shown that it knows one of our torrents.
#[derive(Debug)]
pub struct Admitted {
    /// What it came for.
    pub skey: InfoHashV1,
    /// IA: the beginning of its payload, in the clear.
    pub first: Vec<u8>,
    /// `None` if the payload goes plain from here on.
    pub ciphers: Option<Ciphers>,
}

enum Stage {
    /// Waiting for Ya.
    Key,
    /// In PadA, looking for SHA1("req1", S).
    Pad {
        sync: Sync<20>,
        secret: Secret,
    },
    /// The veiled SKEY.
    Skey {
        secret: Secret,
    },
    /// VC, crypto_provide, len(PadC).
    Offer {
        skey: InfoHashV1,
        ciphers: Ciphers,
    },
    /// PadC and len(IA).
    PadC {
        skey: InfoHashV1,
        ciphers: Ciphers,
        len: usize,
        offered: Methods,
    },
    /// IA.
    First {
        skey: InfoHashV1,
        ciphers: Ciphers,
        len: usize,
        chosen: Methods,
    },
    Over,
}

impl Receiver {
    /// Answers with one of `accept`, plain if there is a choice.
    pub fn new(rng: &mut StdRng, accept: Methods) -> Receiver {
        let keys = KeyPair::random(rng);
        let mut pad = vec![0; rng.random_range(0..=MAX_PAD)];
        rng.fill_bytes(&mut pad);
        Receiver::with(keys, pad, rng.random_range(0..=MAX_PAD as u16), accept)
    }

    pub(super) fn with(keys: KeyPair, pad_b: Vec<u8>, pad_d: u16, accept: Methods) -> Receiver {
        Receiver { accept, keys, pad_b, pad_d, stage: Stage::Key, input: Vec::new(), output: Vec::new() }
    }

    /// Bytes to be sent now; empty if there are none.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Bytes of the caller that it can take now; at least 1 until it is over.
    pub fn wants(&self) -> usize {
        match &self.stage {
            Stage::Pad { sync, .. } => sync.wants(),
            stage => stage.len() - self.input.len(),
        }
    }

    /// Takes up to [`Receiver::wants`] bytes. `skeys` are the torrents that may be called for.
    ///
    /// # Errors
    /// Why there will be no connection.
    pub fn on_bytes(&mut self, bytes: &[u8], skeys: &Skeys) -> Result<Option<Admitted>, MseError> {
        debug_assert!(bytes.len() <= self.wants(), "no more than it wants");
        match &mut self.stage {
            Stage::Pad { sync, .. } => {
                if sync.on_bytes(bytes)?.is_some() {
                    let Stage::Pad { secret, .. } = std::mem::replace(&mut self.stage, Stage::Over) else {
                        unreachable!("just matched")
                    };
                    self.stage = Stage::Skey { secret };
                }
                return Ok(None);
            }
            _ => self.input.extend_from_slice(bytes),
        }
        // An IA of no bytes is over without any.
        while self.wants() == 0 {
            let input = std::mem::take(&mut self.input);
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Key => self.on_key(&input)?,
                Stage::Skey { secret } => self.on_skey(&input, &secret, skeys)?,
                Stage::Offer { skey, ciphers } => self.on_offer(input, skey, ciphers)?,
                Stage::PadC { skey, ciphers, offered, .. } => self.on_pad_c(input, skey, ciphers, offered)?,
                Stage::First { skey, mut ciphers, chosen, .. } => {
                    let mut first = input;
                    ciphers.theirs.apply(&mut first);
                    self.answer(chosen, &mut ciphers);
                    return Ok(Some(Admitted { skey, first, ciphers: chosen.rc4.then_some(ciphers) }));
                }
                Stage::Pad { .. } | Stage::Over => return Ok(None),
            }
        }
        Ok(None)
    }

    fn on_key(&mut self, theirs: &[u8]) -> Result<(), MseError> {
        let theirs: &[u8; KEY_LEN] = theirs.try_into().map_err(|_| MseError::WeakKey)?;
        let secret = Secret(self.keys.secret(theirs).ok_or(MseError::WeakKey)?);
        self.output.extend(self.keys.public);
        self.output.append(&mut self.pad_b);
        self.stage = Stage::Pad { sync: Sync::new(secret.req1()), secret };
        Ok(())
    }

    fn on_skey(&mut self, veiled: &[u8], secret: &Secret, skeys: &Skeys) -> Result<(), MseError> {
        let veiled: [u8; 20] = veiled.try_into().map_err(|_| MseError::UnknownTorrent)?;
        let skey = skeys.find(secret.veil(veiled)).ok_or(MseError::UnknownTorrent)?;
        let ciphers = Ciphers { theirs: secret.cipher_a(skey), ours: secret.cipher_b(skey) };
        self.stage = Stage::Offer { skey, ciphers };
        Ok(())
    }

    fn on_offer(&mut self, mut input: Vec<u8>, skey: InfoHashV1, mut ciphers: Ciphers) -> Result<(), MseError> {
        ciphers.theirs.apply(&mut input);
        let (check, rest) = input.split_at(VC.len());
        if check != VC {
            return Err(MseError::BadCheck);
        }
        let (provide, pad) = choice(rest);
        let len = usize::from(pad);
        if len > MAX_PAD {
            return Err(MseError::LongPad(pad));
        }
        self.stage = Stage::PadC { skey, ciphers, len, offered: Methods::from_bits(provide) };
        Ok(())
    }

    fn on_pad_c(
        &mut self,
        mut input: Vec<u8>,
        skey: InfoHashV1,
        mut ciphers: Ciphers,
        offered: Methods,
    ) -> Result<(), MseError> {
        ciphers.theirs.apply(&mut input);
        let len = input.last_chunk().map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
        let chosen = self.accept.choose(offered).ok_or(MseError::NoCommonMethod)?;
        self.stage = Stage::First { skey, ciphers, len, chosen };
        Ok(())
    }

    /// Step 4, without the payload.
    fn answer(&mut self, chosen: Methods, ciphers: &mut Ciphers) {
        let mut sealed = VC.to_vec();
        sealed.extend(chosen.bits().to_be_bytes());
        sealed.extend(self.pad_d.to_be_bytes());
        sealed.resize(sealed.len() + usize::from(self.pad_d), 0);
        ciphers.ours.apply(&mut sealed);
        self.output.append(&mut sealed);
    }
}

impl Stage {
    /// Bytes of this stage, where that is known.
    fn len(&self) -> usize {
        match self {
            Stage::Key => KEY_LEN,
            Stage::Skey { .. } => 20,
            Stage::Offer { .. } => VC.len() + 6,
            Stage::PadC { len, .. } => len + 2,
            Stage::First { len, .. } => *len,
            Stage::Pad { .. } | Stage::Over => 0,
        }
    }
}
