use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::dh::KeyPair;
use super::*;
use crate::base::id::InfoHashV1;

const SKEY: InfoHashV1 = InfoHashV1([0xaa; 20]);

fn skeys() -> Skeys {
    let mut skeys = Skeys::default();
    skeys.insert(InfoHashV1([1; 20]));
    skeys.insert(SKEY);
    skeys.insert(InfoHashV1([2; 20]));
    skeys
}

fn hex(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    text.as_chunks::<2>().0.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Exponents 01 02 … 14 and 65 66 … 78, worked out apart from this program.
const YA: &str = "96e112dab29e8c5272accb9b17b26887ce54a144a4e3b697c7d159b7a817e556b0918db2b4c658e02a87f7e5fb14b18a
                  553e084cbf3dad2d30f16596ccb982d406258c61b30c5c1dae2ddc60bdbd48d79896312aad63238c39e1a633821eb693";
const YB: &str = "d32ae8cedd0de9ca4fe67e35626bb8c7cdb0966727d899f6a62fdb2b68817f9ddc4b684e3eb34030b8dba4e028b7cff3
                  264020340cb4eab61923cdc4e4216ba873368d83f0a38e497f1f6b4e3d2012eb91a3ee6056f966f9eae732089b6fa46e";

fn keys_a() -> KeyPair {
    KeyPair::from_exponent(std::array::from_fn(|n| n as u8 + 1))
}

fn keys_b() -> KeyPair {
    KeyPair::from_exponent(std::array::from_fn(|n| n as u8 + 101))
}

/// Feeds bytes as far as they are wanted; `None` while it is not over.
fn call(initiator: &mut Initiator, bytes: &[u8]) -> Result<Option<Option<Ciphers>>, MseError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, more) = rest.split_at(initiator.wants().min(rest.len()));
        if let Some(end) = initiator.on_bytes(part)? {
            assert!(more.is_empty(), "{} bytes behind the handshake", more.len());
            return Ok(Some(end));
        }
        rest = more;
    }
    Ok(None)
}

fn answer(receiver: &mut Receiver, bytes: &[u8]) -> Result<Option<Admitted>, MseError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, more) = rest.split_at(receiver.wants().min(rest.len()));
        if let Some(end) = receiver.on_bytes(part, &skeys())? {
            assert!(more.is_empty(), "{} bytes behind the handshake", more.len());
            return Ok(Some(end));
        }
        rest = more;
    }
    Ok(None)
}

#[test]
fn the_bytes_stand_as_other_clients_write_them() {
    let mut a = Initiator::with(keys_a(), &[0x77; 3], 2, SKEY, Methods::ANY, b"hello".to_vec());
    let mut b = Receiver::with(keys_b(), vec![0x55; 4], 1, Methods::RC4);
    // 1: Ya, PadA
    let step_1 = [hex(YA), vec![0x77; 3]].concat();
    assert_eq!(a.take_output(), step_1);
    assert!(answer(&mut b, &step_1).unwrap().is_none());
    // 2: Yb, PadB
    let step_2 = [hex(YB), vec![0x55; 4]].concat();
    assert_eq!(b.take_output(), step_2);
    assert!(call(&mut a, &step_2).unwrap().is_none());
    let step_3 = [
        hex("78fffb0f23055a793ff7609f359e04e383ec3505"), // SHA1("req1", S)
        hex("f2f74cb293cbfc230fbc6707cd5dca1d7ea0e6fd"), // SHA1("req2", SKEY) xor SHA1("req3", S)
        hex("e50e282022084479"),                         // VC
        hex("e72308e4"),                                 // crypto_provide: 3
        hex("a3a6"),                                     // len(PadC): 2
        hex("e880"),                                     // PadC
        hex("6758"),                                     // len(IA): 5
        hex("4af63944db"),                               // IA: hello
    ]
    .concat();
    assert_eq!(a.take_output(), step_3);
    let admitted = answer(&mut b, &step_3).unwrap().unwrap();
    assert_eq!((admitted.skey, &admitted.first[..]), (SKEY, &b"hello"[..]));
    let step_4 = [
        hex("943d5a81d0106aa0"), // VC
        hex("3a3f5993"),         // crypto_select: 2
        hex("e0ba"),             // len(PadD): 1
        hex("8b"),               // PadD
    ]
    .concat();
    assert_eq!(b.take_output(), step_4);
    let (mut ours, mut theirs) = (call(&mut a, &step_4).unwrap().unwrap().unwrap(), admitted.ciphers.unwrap());
    // The payload goes on where the handshake ended.
    let (mut down, mut up) = (hex("eb05103659"), hex("8d859d4f60"));
    ours.theirs.apply(&mut down);
    theirs.theirs.apply(&mut up);
    assert_eq!((&down[..], &up[..]), (&b"world"[..], &b"again"[..]));
    ours.ours.apply(&mut up.clone());
    theirs.ours.apply(&mut down);
    assert_eq!(down, hex("eb05103659"));
}

/// Both sides until they are over, with the bytes cut as `cuts` says; each end's ciphers and what B got first.
fn handshake(
    seed: u64,
    offer: Methods,
    accept: Methods,
    first: &[u8],
    cuts: &[usize],
) -> Result<(Option<Ciphers>, Admitted), MseError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut a = Initiator::new(&mut rng, SKEY, offer, first.to_vec());
    let mut b = Receiver::new(&mut rng, accept);
    let (mut to_b, mut to_a): (Vec<u8>, Vec<u8>) = (a.take_output(), Vec::new());
    let (mut end_a, mut end_b) = (None, None);
    for cut in cuts.iter().copied().cycle() {
        if end_b.is_none() {
            let n = b.wants().min(cut).min(to_b.len());
            end_b = b.on_bytes(&to_b.drain(..n).collect::<Vec<_>>(), &skeys())?;
            to_a.extend(b.take_output());
        }
        if end_a.is_none() {
            let n = a.wants().min(cut).min(to_a.len());
            end_a = a.on_bytes(&to_a.drain(..n).collect::<Vec<_>>())?;
            to_b.extend(a.take_output());
        }
        if end_a.is_some() && end_b.is_some() {
            break;
        }
    }
    assert!(to_a.is_empty() && to_b.is_empty());
    Ok((end_a.unwrap(), end_b.unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_sides_meet_however_the_bytes_are_cut(
        seed in any::<u64>(),
        cuts in prop::collection::vec(1..200usize, 1..12),
        first in prop::collection::vec(any::<u8>(), 0..300),
        (plain_a, plain_b) in any::<(bool, bool)>(),
    ) {
        let methods = |plain| Methods { plain, rc4: true };
        let (a, b) = handshake(seed, methods(plain_a), methods(plain_b), &first, &cuts).unwrap();
        prop_assert_eq!(b.skey, SKEY);
        prop_assert_eq!(&b.first, &first);
        prop_assert_eq!(a.is_none(), plain_a && plain_b);
        prop_assert_eq!(b.ciphers.is_none(), plain_a && plain_b);
        if let (Some(mut a), Some(mut b)) = (a, b.ciphers) {
            let mut text = *b"there and back";
            a.ours.apply(&mut text);
            b.theirs.apply(&mut text);
            b.ours.apply(&mut text);
            a.theirs.apply(&mut text);
            prop_assert_eq!(&text, b"there and back");
        }
    }

    /// Whatever comes, it ends without a panic, and within the bytes that a handshake may have.
    #[test]
    fn noise_is_no_handshake(noise in prop::collection::vec(any::<u8>(), 700..1000), cut in 1..300usize) {
        let mut rng = StdRng::seed_from_u64(3);
        let mut a = Initiator::new(&mut rng, SKEY, Methods::ANY, Vec::new());
        let mut b = Receiver::new(&mut rng, Methods::ANY);
        let parts: Vec<&[u8]> = noise.chunks(cut).collect();
        prop_assert!(parts.iter().any(|part| call(&mut a, part).is_err()));
        prop_assert!(parts.iter().any(|part| answer(&mut b, part).is_err()));
    }
}

#[test]
fn without_a_way_in_common_there_is_no_connection() {
    let plain = Methods { plain: true, rc4: false };
    assert_eq!(handshake(1, plain, Methods::RC4, b"", &[100]).unwrap_err(), MseError::NoCommonMethod);
    assert_eq!(handshake(1, Methods::RC4, plain, b"", &[100]).unwrap_err(), MseError::NoCommonMethod);
}

#[test]
fn an_answer_that_was_not_offered_is_refused() {
    for (select, offer) in [(1u32, Methods::RC4), (0, Methods::ANY), (3, Methods::ANY), (4, Methods::ANY)] {
        let mut a = Initiator::with(keys_a(), b"", 0, SKEY, offer, Vec::new());
        assert!(call(&mut a, &hex(YB)).unwrap().is_none());
        let secret = super::keys::Secret(keys_b().secret(&keys_a().public).unwrap());
        let mut sealed = [&VC[..], &select.to_be_bytes(), &[0, 0]].concat();
        secret.cipher_b(SKEY).apply(&mut sealed);
        assert_eq!(call(&mut a, &sealed).unwrap_err(), MseError::NoCommonMethod, "{select}");
    }
}

#[test]
fn long_pads_wrong_checks_and_foreign_torrents_are_refused() {
    let secret = super::keys::Secret(keys_b().secret(&keys_a().public).unwrap());
    let offer = |vc: u8, pad: u16, skey: InfoHashV1| {
        let mut sealed = [&[vc; 8][..], &3u32.to_be_bytes(), &pad.to_be_bytes()].concat();
        secret.cipher_a(skey).apply(&mut sealed);
        let veiled = secret.veil(super::keys::req2(skey));
        let mut b = Receiver::with(keys_b(), Vec::new(), 0, Methods::ANY);
        answer(&mut b, &[&hex(YA)[..], &secret.req1(), &veiled, &sealed].concat()).map(|end| end.is_some())
    };
    assert_eq!(offer(0, 512, SKEY), Ok(false));
    assert_eq!(offer(0, 513, SKEY), Err(MseError::LongPad(513)));
    assert_eq!(offer(1, 0, SKEY), Err(MseError::BadCheck));
    assert_eq!(offer(0, 0, InfoHashV1([9; 20])), Err(MseError::UnknownTorrent));
    let mut a = Initiator::with(keys_a(), b"", 0, SKEY, Methods::ANY, Vec::new());
    assert!(call(&mut a, &hex(YB)).unwrap().is_none());
    let mut sealed = [&VC[..], &2u32.to_be_bytes(), &513u16.to_be_bytes()].concat();
    secret.cipher_b(SKEY).apply(&mut sealed);
    assert_eq!(call(&mut a, &sealed).unwrap_err(), MseError::LongPad(513));
}

#[test]
fn a_key_without_a_secret_ends_it_on_both_sides() {
    let mut a = Initiator::with(keys_a(), b"", 0, SKEY, Methods::ANY, Vec::new());
    assert_eq!(call(&mut a, &[0xff; 96]).unwrap_err(), MseError::WeakKey);
    let mut b = Receiver::with(keys_b(), Vec::new(), 0, Methods::ANY);
    assert_eq!(answer(&mut b, &[0; 96]).unwrap_err(), MseError::WeakKey);
    assert!(b.take_output().is_empty());
}

#[test]
fn a_torrent_that_is_gone_is_not_found() {
    let mut skeys = skeys();
    skeys.remove(SKEY);
    assert_eq!(skeys.find(super::keys::req2(SKEY)), None);
    assert_eq!(skeys.find(super::keys::req2(InfoHashV1([2; 20]))), Some(InfoHashV1([2; 20])));
}
