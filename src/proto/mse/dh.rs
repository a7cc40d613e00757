//! Diffie-Hellman as MSE has it: a prime of 768 bits, generator 2, private exponents of 160 bits. In constant time.

use crypto_bigint::modular::ConstMontyForm;
use crypto_bigint::{U192, U768, const_monty_params};
use rand::Rng;
use rand::rngs::StdRng;

/// Length of a public key and of a secret: big-endian, zeros on the left.
pub const KEY_LEN: usize = 96;

/// Length of a private exponent.
const EXPONENT_LEN: usize = 20;

const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    "The prime P that all clients share."
);

/// A number modulo P.
type Element = ConstMontyForm<Prime, { U768::LIMBS }>;

/// A private exponent and the public key that belongs to it.
pub struct KeyPair {
    exponent: U192,
    pub public: [u8; KEY_LEN],
}

impl KeyPair {
    pub fn random(rng: &mut StdRng) -> KeyPair {
        let mut exponent = [0; EXPONENT_LEN];
        rng.fill_bytes(&mut exponent);
        KeyPair::from_exponent(exponent)
    }

    pub fn from_exponent(bytes: [u8; EXPONENT_LEN]) -> KeyPair {
        let mut wide = [0; U192::BYTES];
        wide[U192::BYTES - EXPONENT_LEN..].copy_from_slice(&bytes);
        let exponent = U192::from_be_slice(&wide);
        KeyPair { exponent, public: to_bytes(power(&U768::from_u8(2), &exponent)) }
    }

    /// The secret shared with the owner of `theirs`; `None` if that is 0, 1, P − 1 or no number below P: from such a key
    /// follows a secret that anybody can guess.
    pub fn secret(&self, theirs: &[u8; KEY_LEN]) -> Option<[u8; KEY_LEN]> {
        let theirs = U768::from_be_slice(theirs);
        // Their key is no secret: comparing may take its time.
        let last = Element::MODULUS.as_ref().wrapping_sub(&U768::ONE);
        (theirs > U768::ONE && theirs < last).then(|| to_bytes(power(&theirs, &self.exponent)))
    }
}

fn power(base: &U768, exponent: &U192) -> U768 {
    Element::new(base).pow_bounded_exp(exponent, 8 * EXPONENT_LEN as u32).retrieve()
}

fn to_bytes(number: U768) -> [u8; KEY_LEN] {
    let mut bytes = [0; KEY_LEN];
    bytes.copy_from_slice(number.to_be_bytes().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P in hex, as a number that can be reckoned with.
    fn prime_plus(n: i32) -> [u8; KEY_LEN] {
        let prime = *Element::MODULUS.as_ref();
        let step = U768::from_u32(n.unsigned_abs());
        to_bytes(if n < 0 { prime.wrapping_sub(&step) } else { prime.wrapping_add(&step) })
    }

    fn number(n: u8) -> [u8; KEY_LEN] {
        to_bytes(U768::from_u8(n))
    }

    #[test]
    fn small_exponents_can_be_checked_by_hand() {
        let mut three = [0; EXPONENT_LEN];
        three[EXPONENT_LEN - 1] = 3;
        let pair = KeyPair::from_exponent(three);
        assert_eq!(pair.public, number(8)); // 2^3, zeros on the left
        assert_eq!(pair.secret(&number(5)), Some(number(125))); // 5^3
    }

    #[test]
    fn keys_from_which_no_secret_follows_are_refused() {
        let pair = KeyPair::from_exponent([7; EXPONENT_LEN]);
        for bad in [number(0), number(1), prime_plus(-1), prime_plus(0), prime_plus(1), [0xff; KEY_LEN]] {
            assert_eq!(pair.secret(&bad), None, "{bad:02x?}");
        }
        assert!(pair.secret(&number(2)).is_some() && pair.secret(&prime_plus(-2)).is_some());
    }

    #[test]
    fn both_sides_reach_the_same_secret() {
        let mut rng = <StdRng as rand::SeedableRng>::seed_from_u64(1);
        for _ in 0..4 {
            let (a, b) = (KeyPair::random(&mut rng), KeyPair::random(&mut rng));
            assert_ne!(a.public, b.public);
            assert_eq!(a.secret(&b.public).unwrap(), b.secret(&a.public).unwrap());
        }
    }
}
