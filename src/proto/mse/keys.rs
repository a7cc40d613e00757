//! What is derived from the shared secret and the info hash.

use std::collections::HashMap;

use super::dh::KEY_LEN;
use super::rc4::Rc4;
use crate::base::hash::sha1;
use crate::base::id::InfoHashV1;

/// The secret that both sides have reached.
#[derive(Clone)]
pub struct Secret(pub [u8; KEY_LEN]);

impl Secret {
    /// What the caller shows first, to be found behind its padding.
    pub fn req1(&self) -> [u8; 20] {
        hash(&[b"req1", &self.0])
    }

    /// SHA1("req2", SKEY) hidden by the secret, or laid bare again.
    pub fn veil(&self, req2: [u8; 20]) -> [u8; 20] {
        let req3 = hash(&[b"req3", &self.0]);
        std::array::from_fn(|n| req2[n] ^ req3[n])
    }

    /// The cipher for what the caller sends.
    pub fn cipher_a(&self, skey: InfoHashV1) -> Rc4 {
        Rc4::new(&hash(&[b"keyA", &self.0, &skey.0]))
    }

    /// The cipher for what the called side sends.
    pub fn cipher_b(&self, skey: InfoHashV1) -> Rc4 {
        Rc4::new(&hash(&[b"keyB", &self.0, &skey.0]))
    }
}

/// SHA1("req2", SKEY).
pub fn req2(skey: InfoHashV1) -> [u8; 20] {
    hash(&[b"req2", &skey.0])
}

fn hash(parts: &[&[u8]]) -> [u8; 20] {
    sha1(&parts.concat())
}

/// The info hashes that a caller may come for.
#[derive(Clone, Debug, Default)]
pub struct Skeys {
    by_req2: HashMap<[u8; 20], InfoHashV1>,
}

impl Skeys {
    pub fn insert(&mut self, skey: InfoHashV1) {
        self.by_req2.insert(req2(skey), skey);
    }

    pub fn remove(&mut self, skey: InfoHashV1) {
        self.by_req2.remove(&req2(skey));
    }

    pub(super) fn find(&self, req2: [u8; 20]) -> Option<InfoHashV1> {
        self.by_req2.get(&req2).copied()
    }
}
