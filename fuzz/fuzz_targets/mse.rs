//! The encrypted handshake: our two sides through arbitrary cuts, with or without somebody who changes bytes on the way,
//! and each side alone against noise.
//!
//! Must hold: untouched, they meet in what both can, nothing is left over, the first payload arrives and the ciphers agree;
//! touched, whoever comes to an end came for a torrent that is there, in a way that was allowed; and a side always wants at
//! least one byte, takes no more than a handshake may have, and asks for no more than that.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::base::id::InfoHashV1;
use rtorrent_cli::proto::mse::{Admitted, Ciphers, Initiator, Methods, MseError, Receiver, Skeys};

/// All that a handshake may take: key, padding, hashes or checks, padding with its length, and a first payload.
const LONGEST: usize = 96 + 512 + 40 + 14 + 512 + 2 + 65_535;
const SKEY: InfoHashV1 = InfoHashV1([7; 20]);

thread_local! {
    static SKEYS: RefCell<Skeys> = RefCell::new({
        let mut skeys = Skeys::default();
        (5..9).for_each(|n| skeys.insert(InfoHashV1([n; 20])));
        skeys
    });
}

/// Byte `at` of what one side sends is changed by `by`.
struct Touch {
    from_a: bool,
    at: usize,
    by: u8,
}

/// One way, with what is still under way.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
    sent: usize,
}

impl Wire {
    fn send(&mut self, mut bytes: Vec<u8>, from_a: bool, touches: &[Touch]) {
        for touch in touches.iter().filter(|touch| touch.from_a == from_a) {
            if let Some(byte) = touch.at.checked_sub(self.sent).and_then(|at| bytes.get_mut(at)) {
                *byte ^= touch.by;
            }
        }
        self.sent += bytes.len();
        self.bytes.append(&mut bytes);
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        self.bytes.drain(..n.min(self.bytes.len())).collect()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [flags, seed, length, touches, rest @ ..] = bytes else { return };
    let methods = |bits: u8| Methods { plain: bits & 1 != 0, rc4: bits & 2 != 0 };
    let (offer, accept) = (methods(*flags), methods(*flags >> 2));
    let skey = if flags & 16 == 0 { SKEY } else { InfoHashV1([77; 20]) };
    if flags & 32 != 0 {
        return noise(*seed, rest);
    }
    let (touches, cuts) = rest.split_at(usize::from(touches % 8 * 4).min(rest.len()));
    let touches: Vec<Touch> = touches
        .as_chunks::<4>()
        .0
        .iter()
        .map(|[side, high, low, by]| Touch {
            from_a: side & 1 == 0,
            at: usize::from(u16::from_be_bytes([*high, *low])) % 2_048,
            by: *by,
        })
        .collect();
    let first = vec![*seed; usize::from(*length) * 5];
    let end = meet(u64::from(*seed), skey, offer, accept, &first, &touches, cuts);
    let common = offer.plain && accept.plain || offer.rc4 && accept.rc4;
    if touches.iter().any(|touch| touch.by != 0) {
        return;
    }
    match end {
        Ok((a, Some(b))) => {
            assert!(common && skey == SKEY);
            let a = a.expect("who is called is over first");
            assert_eq!((b.skey, &b.first), (SKEY, &first));
            let plain = offer.plain && accept.plain;
            assert_eq!((a.is_none(), b.ciphers.is_none()), (plain, plain));
            if let (Some(mut a), Some(mut b)) = (a, b.ciphers) {
                let mut text = *b"there and back";
                a.ours.apply(&mut text);
                b.theirs.apply(&mut text);
                b.ours.apply(&mut text);
                a.theirs.apply(&mut text);
                assert_eq!(&text, b"there and back");
            }
        }
        Ok(_) => unreachable!("nobody changed anything, and yet they wait for each other"),
        Err(MseError::UnknownTorrent) => assert_ne!(skey, SKEY),
        Err(error) => assert!(error == MseError::NoCommonMethod && !common && skey == SKEY, "{error}"),
    }
});

/// Both sides until they are over or neither can go on.
fn meet(
    seed: u64,
    skey: InfoHashV1,
    offer: Methods,
    accept: Methods,
    first: &[u8],
    touches: &[Touch],
    cuts: &[u8],
) -> Result<(Option<Option<Ciphers>>, Option<Admitted>), MseError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut a = Initiator::new(&mut rng, skey, offer, first.to_vec());
    let mut b = Receiver::new(&mut rng, accept);
    let (mut to_a, mut to_b, mut end_a, mut end_b) = (Wire::default(), Wire::default(), None, None);
    to_b.send(a.take_output(), true, touches);
    let mut cuts = cuts.iter().map(|cut| usize::from(*cut) * 3 + 1).chain(std::iter::repeat(200));
    loop {
        let before = (to_a.bytes.len(), to_b.bytes.len(), to_a.sent, to_b.sent);
        if end_b.is_none() && !to_b.bytes.is_empty() {
            let wants = wanted(b.wants());
            let part = to_b.take(wants.min(cuts.next().unwrap_or(1)));
            end_b = SKEYS.with_borrow(|skeys| b.on_bytes(&part, skeys))?;
            to_a.send(b.take_output(), false, touches);
        }
        if end_a.is_none() && !to_a.bytes.is_empty() {
            let wants = wanted(a.wants());
            let part = to_a.take(wants.min(cuts.next().unwrap_or(1)));
            end_a = a.on_bytes(&part)?;
            to_b.send(a.take_output(), true, touches);
        }
        if before == (to_a.bytes.len(), to_b.bytes.len(), to_a.sent, to_b.sent) {
            break;
        }
    }
    if let Some(b) = &end_b {
        let known = (5..9).any(|n| b.skey == InfoHashV1([n; 20]));
        assert!(known && if b.ciphers.is_some() { accept.rc4 } else { accept.plain });
    }
    if let Some(a) = &end_a {
        assert!(if a.is_some() { offer.rc4 } else { offer.plain });
    }
    assert!(touches.iter().any(|touch| touch.by != 0) || to_a.bytes.is_empty() && to_b.bytes.is_empty());
    Ok((end_a, end_b))
}

fn wanted(wants: usize) -> usize {
    assert!((1..=65_535).contains(&wants), "{wants}");
    wants
}

/// What is neither: both sides give up before they have taken more than there is to a handshake.
fn noise(seed: u8, noise: &[u8]) {
    if noise.is_empty() {
        return;
    }
    let mut rng = StdRng::seed_from_u64(seed.into());
    let mut a = Initiator::new(&mut rng, SKEY, Methods::ANY, vec![seed; 68]);
    let mut b = Receiver::new(&mut rng, Methods::ANY);
    let (mut taken_a, mut taken_b) = (0, 0);
    for step in 0.. {
        let at = step % noise.len();
        let n = wanted(a.wants()).min(noise.len() - at);
        taken_a += n;
        if a.on_bytes(&noise[at..at + n]).map_or(true, |end| end.is_some()) {
            break;
        }
    }
    for step in 0.. {
        let at = step % noise.len();
        let n = wanted(b.wants()).min(noise.len() - at);
        taken_b += n;
        let end = SKEYS.with_borrow(|skeys| b.on_bytes(&noise[at..at + n], skeys));
        if end.map_or(true, |end| end.is_some()) {
            break;
        }
    }
    assert!(taken_a <= LONGEST && taken_b <= LONGEST, "{taken_a} {taken_b}");
}
