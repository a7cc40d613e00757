//! Small values kept for others: immutable ones under their hash, mutable ones under their signer's key (BEP 44).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, VerifyingKey};

use super::krpc::{Item, Signed, code};
use super::node_id::NodeId;
use crate::base::bencode::{Limits, Value};
use crate::base::compact::is_global;
use crate::base::hash::sha1;

#[derive(Debug)]
struct Kept {
    item: Item,
    from: IpAddr,
    at: Instant,
}

#[derive(Debug, Default)]
pub struct Items {
    kept: BTreeMap<NodeId, Kept>,
}

/// Why a value was not stored, as the answer says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    pub code: i64,
    pub text: &'static str,
}

impl Items {
    pub const LIFETIME: Duration = Duration::from_secs(2 * 3600);
    pub const MAX_VALUE: usize = 1000;
    pub const MAX_ITEMS: usize = 700;
    /// Of one global host.
    const MAX_PER_HOST: usize = 20;
    const MAX_SALT: usize = 64;

    pub fn get(&self, now: Instant, target: &NodeId) -> Option<&Item> {
        let fresh = |kept: &&Kept| now.saturating_duration_since(kept.at) < Self::LIFETIME;
        self.kept.get(target).filter(fresh).map(|kept| &kept.item)
    }

    /// Checks and stores a value.
    ///
    /// # Errors
    /// [`Refusal`] as BEP 44 asks ("Errors"), and where there is no room for a value of this host.
    pub fn put(
        &mut self,
        now: Instant,
        own: &NodeId,
        from: SocketAddr,
        item: Item,
        cas: Option<i64>,
    ) -> Result<(), Refusal> {
        let target = check(&item)?;
        if let Some(kept) = self.kept.get_mut(&target) {
            if let (Some(new), Some(old)) = (&item.signed, &kept.item.signed) {
                supersedes(new, old, item.value == kept.item.value, cas)?;
            }
            *kept = Kept { item, from: from.ip(), at: now };
            return Ok(());
        }
        let of_host = self.kept.values().filter(|kept| kept.from == from.ip()).count();
        if is_global(from.ip()) && of_host >= Self::MAX_PER_HOST {
            return Err(Refusal { code: 202, text: "too many items" });
        }
        self.make_room(now, own, &target)?;
        self.kept.insert(target, Kept { item, from: from.ip(), at: now });
        Ok(())
    }

    pub fn expire(&mut self, now: Instant) {
        self.kept.retain(|_, kept| now.saturating_duration_since(kept.at) < Self::LIFETIME);
    }

    fn make_room(&mut self, now: Instant, own: &NodeId, target: &NodeId) -> Result<(), Refusal> {
        if self.kept.len() >= Self::MAX_ITEMS {
            self.expire(now);
        }
        if self.kept.len() >= Self::MAX_ITEMS {
            let farthest = *self.kept.keys().max_by_key(|id| own.distance(id)).expect("the store is full");
            if own.distance(&farthest) <= own.distance(target) {
                return Err(Refusal { code: 202, text: "no room" });
            }
            self.kept.remove(&farthest);
        }
        Ok(())
    }
}

/// The target that a value is stored under, if it is whole and, where it is mutable, rightly signed.
///
/// # Errors
/// [`Refusal`] with the code of BEP 44.
pub fn check(item: &Item) -> Result<NodeId, Refusal> {
    if item.value.len() > Items::MAX_VALUE {
        return Err(Refusal { code: code::VALUE_TOO_BIG, text: "value too big" });
    }
    if !is_canonical(&item.value) {
        return Err(Refusal { code: code::PROTOCOL, text: "value is not well-formed bencode" });
    }
    let Some(signed) = &item.signed else { return Ok(NodeId(sha1(&item.value))) };
    if signed.salt.len() > Items::MAX_SALT {
        return Err(Refusal { code: code::SALT_TOO_BIG, text: "salt too big" });
    }
    let key = VerifyingKey::from_bytes(&signed.key);
    let signature = Signature::from_bytes(&signed.signature);
    let message = signed_bytes(signed, &item.value);
    if signed.seq < 0 || key.is_err() || key.is_ok_and(|key| key.verify_strict(&message, &signature).is_err()) {
        return Err(Refusal { code: code::BAD_SIGNATURE, text: "invalid signature" });
    }
    Ok(NodeId(sha1(&[&signed.key[..], &signed.salt].concat())))
}

/// What is signed: salt if any, sequence number, value (BEP 44, "Signature Verification").
fn signed_bytes(signed: &Signed, value: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    if !signed.salt.is_empty() {
        message.extend(format!("4:salt{}:", signed.salt.len()).into_bytes());
        message.extend(&signed.salt);
    }
    message.extend(format!("3:seqi{}e1:v", signed.seq).into_bytes());
    message.extend(value);
    message
}

/// Whether a mutable value may replace the one that is kept (BEP 44, "put message", "CAS").
fn supersedes(new: &Signed, old: &Signed, same_value: bool, cas: Option<i64>) -> Result<(), Refusal> {
    if cas.is_some_and(|cas| cas != old.seq) {
        return Err(Refusal { code: code::CAS_MISMATCH, text: "the sequence number is another" });
    }
    if new.seq < old.seq || (new.seq == old.seq && !same_value) {
        return Err(Refusal { code: code::SEQ_TOO_LOW, text: "sequence number less than current" });
    }
    Ok(())
}

/// One bencoded value with sorted, distinct keys at every level and nothing after it.
fn is_canonical(bytes: &[u8]) -> bool {
    fn sorted(value: &Value) -> bool {
        if let Some(list) = value.as_list() {
            return list.iter().all(|item| sorted(&item));
        }
        let Some(dict) = value.as_dict() else { return true };
        let mut last: Option<&[u8]> = None;
        dict.iter().all(|(key, item)| {
            let rising = last.is_none_or(|last| last < key);
            last = Some(key);
            rising && sorted(&item)
        })
    }
    Value::parse(bytes, Limits::KRPC).is_ok_and(|(value, used)| used == bytes.len() && sorted(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: NodeId = NodeId([0; 20]);
    const KEY: &str = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
    const SIGNATURE: &str = "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
        1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01";
    const SALTED: &str = "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
        df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08";

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    fn signed(signature: &str, salt: &[u8]) -> Item {
        let signed = Signed { key: hex(KEY), salt: salt.to_vec(), seq: 1, signature: hex(signature) };
        Item { value: b"12:Hello World!".to_vec(), signed: Some(signed) }
    }

    fn host(n: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::from((0x0b00_0000 + n).to_be_bytes()), 1)
    }

    /// BEP 44, "Test Vectors" 1 to 3.
    #[test]
    fn the_vectors_of_bep_44() {
        let target = |text| Ok(NodeId(hex(text)));
        assert_eq!(check(&signed(SIGNATURE, b"")), target("4a533d47ec9c7d95b1ad75f576cffc641853b750"));
        assert_eq!(check(&signed(SALTED, b"foobar")), target("411eba73b6f087ca51a3795d9c8c938d365e32c1"));
        let plain = Item { value: b"12:Hello World!".to_vec(), signed: None };
        assert_eq!(check(&plain), target("e5f96f6f38320f0f33959cb4d3d656452117aadb"));
    }

    #[test]
    fn a_wrong_signature_a_long_value_and_crooked_bencode_are_refused_by_their_codes() {
        assert_eq!(check(&signed(SALTED, b"")).unwrap_err().code, 206);
        let mut bent = signed(SIGNATURE, b"");
        bent.value[5] ^= 1;
        assert_eq!(check(&bent).unwrap_err().code, 206);
        assert_eq!(check(&signed(SALTED, &[b'x'; 65])).unwrap_err().code, 207);
        let plain = |value: &[u8]| check(&Item { value: value.to_vec(), signed: None });
        assert_eq!(plain(&[b"1000:".as_slice(), &[b'x'; 1000]].concat()).unwrap_err().code, 205);
        assert_eq!(plain(b"d1:bi1e1:ai2ee").unwrap_err().code, 203, "keys out of order");
        assert_eq!(plain(b"ld1:ai1e1:ai2eee").unwrap_err().code, 203, "a key twice, deeper down");
        assert_eq!(plain(b"i1e ").unwrap_err().code, 203, "more after the value");
        assert!(plain(b"d1:ai1e1:bli2eee").is_ok());
    }

    #[test]
    fn a_lower_sequence_number_and_a_failed_compare_and_swap_change_nothing() {
        let old = Signed { key: [0; 32], salt: vec![], seq: 4, signature: [0; 64] };
        let new = |seq| Signed { seq, ..old.clone() };
        assert!(supersedes(&new(5), &old, false, None).is_ok());
        assert!(supersedes(&new(4), &old, true, None).is_ok(), "the same again renews it");
        assert_eq!(supersedes(&new(4), &old, false, None).unwrap_err().code, 302);
        assert_eq!(supersedes(&new(3), &old, true, None).unwrap_err().code, 302);
        assert_eq!(supersedes(&new(5), &old, false, Some(3)).unwrap_err().code, 301);
        assert!(supersedes(&new(5), &old, false, Some(4)).is_ok());
    }

    #[test]
    fn stored_values_come_back_until_they_expire() {
        let (mut items, now) = (Items::default(), Instant::now());
        let item = signed(SIGNATURE, b"");
        let target = check(&item).unwrap();
        items.put(now, &OWN, host(1), item.clone(), None).unwrap();
        assert_eq!(items.get(now, &target), Some(&item));
        assert_eq!(items.get(now + Items::LIFETIME, &target), None);
    }

    #[test]
    fn a_host_has_its_share_and_the_store_its_size() {
        let (mut items, now) = (Items::default(), Instant::now());
        let value = |n: u32| Item { value: format!("i{n}e").into_bytes(), signed: None };
        let kept = (0..100).filter(|&n| items.put(now, &OWN, host(1), value(n), None).is_ok()).count();
        assert_eq!(kept, Items::MAX_PER_HOST);
        (0..3_000).for_each(|n| _ = items.put(now, &OWN, host(n), value(1_000 + n), None));
        assert_eq!(items.kept.len(), Items::MAX_ITEMS);
    }
}
