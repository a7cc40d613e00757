//! The rounds of SHA-1 and SHA-256 over any kind of word, unrolled, and the frame of a kernel round them.
//!
//! A word is a vector that has one 32 bit word of each lane. The macros call functions by names that the module which
//! uses them defines for its kind of vector: `Word` (the type), `LANES`, `load`, `splat`, `add`, `rotate::<N>` (to the
//! left), `shift::<N>` (to the right), `xor3`, `xor4`, `choose` and `majority`. Macros and not a trait, because only a
//! function with the same `target_feature` as its caller is inlined into it.

/// One block of SHA-1 (FIPS 180-4, section 6.1.2): `$state` are the five words, `$w` the block's 16 words, `$k` the
/// constants.
#[rustfmt::skip] // It would indent the inner macros further on each run.
macro_rules! sha1_rounds {
    ($state:ident, $w:ident, $k:ident) => {{
        let [mut a, mut b, mut c, mut d, mut e] = $state;
        macro_rules! step {
            ($t:expr, $f:ident, $constant:ident, $a:ident $b:ident $c:ident $d:ident $e:ident) => {
                if $t >= 16 {
                    let mixed = xor4($w[($t + 13) % 16], $w[($t + 8) % 16], $w[($t + 2) % 16], $w[$t % 16]);
                    $w[$t % 16] = rotate::<1>(mixed);
                }
                $e = add(add(add($e, $constant), $w[$t % 16]), $f($b, $c, $d));
                $e = add($e, rotate::<5>($a));
                $b = rotate::<30>($b);
            };
        }
        macro_rules! five {
            ($t:expr, $f:ident, $constant:ident) => {
                step!($t, $f, $constant, a b c d e);
                step!($t + 1, $f, $constant, e a b c d);
                step!($t + 2, $f, $constant, d e a b c);
                step!($t + 3, $f, $constant, c d e a b);
                step!($t + 4, $f, $constant, b c d e a);
            };
        }
        macro_rules! twenty {
            ($t:expr, $f:ident) => {
                let constant = splat($k[$t / 20]);
                five!($t, $f, constant);
                five!($t + 5, $f, constant);
                five!($t + 10, $f, constant);
                five!($t + 15, $f, constant);
            };
        }
        twenty!(0, choose);
        twenty!(20, xor3);
        twenty!(40, majority);
        twenty!(60, xor3);
        $state = [add($state[0], a), add($state[1], b), add($state[2], c), add($state[3], d), add($state[4], e)];
    }};
}

/// One block of SHA-256 (FIPS 180-4, section 6.2.2): `$state` are the eight words, `$w` the block's 16 words, `$k` the
/// constants.
#[rustfmt::skip] // It would indent the inner macros further on each run.
macro_rules! sha256_rounds {
    ($state:ident, $w:ident, $k:ident) => {{
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = $state;
        macro_rules! step {
            ($t:expr, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
                if $t >= 16 {
                    let (early, late) = ($w[($t + 1) % 16], $w[($t + 14) % 16]);
                    let early = xor3(rotate::<25>(early), rotate::<14>(early), shift::<3>(early));
                    let late = xor3(rotate::<15>(late), rotate::<13>(late), shift::<10>(late));
                    $w[$t % 16] = add(add($w[$t % 16], $w[($t + 9) % 16]), add(early, late));
                }
                let constant = splat($k[$t]);
                let sum = xor3(rotate::<26>($e), rotate::<21>($e), rotate::<7>($e));
                $h = add(add(add($h, constant), $w[$t % 16]), add(choose($e, $f, $g), sum));
                $d = add($d, $h);
                let sum = xor3(rotate::<30>($a), rotate::<19>($a), rotate::<10>($a));
                $h = add($h, add(majority($a, $b, $c), sum));
            };
        }
        macro_rules! eight {
            ($t:expr) => {
                step!($t, a b c d e f g h);
                step!($t + 1, h a b c d e f g);
                step!($t + 2, g h a b c d e f);
                step!($t + 3, f g h a b c d e);
                step!($t + 4, e f g h a b c d);
                step!($t + 5, d e f g h a b c);
                step!($t + 6, c d e f g h a b);
                step!($t + 7, b c d e f g h a);
            };
        }
        eight!(0);
        eight!(8);
        eight!(16);
        eight!(24);
        eight!(32);
        eight!(40);
        eight!(48);
        eight!(56);
        let added = [a, b, c, d, e, f, g, h];
        for (word, added) in $state.iter_mut().zip(added) {
            *word = add(*word, added);
        }
    }};
}

/// A function `$name` for [`Kernel::compress`](super::lanes::Kernel) out of one of the rounds above. Lanes that are not
/// in use repeat the first one.
macro_rules! lane_kernel {
    ($(#[$attribute:meta])* $name:ident, $words:literal, $rounds:ident, $constants:ident) => {
        $(#[$attribute])*
        fn $name(states: &mut [[u32; $words]], inputs: &[&[Block]]) {
            let used = |lane: usize| if lane < states.len() { lane } else { 0 };
            let lanes: [&[Block]; LANES] = std::array::from_fn(|lane| inputs[used(lane)]);
            let columns: [[u32; LANES]; $words] =
                std::array::from_fn(|word| std::array::from_fn(|lane| states[used(lane)][word]));
            let mut state = [splat(0); $words];
            for (word, column) in state.iter_mut().zip(columns) {
                *word = from_column(column);
            }
            // If the compiler knew the constants, it would add them late in each round, where all else waits for the sum.
            let constants = std::hint::black_box(&$crate::base::hash::rounds::$constants);
            for block in 0..inputs[0].len() {
                let mut rows = [&lanes[0][block]; LANES];
                for (row, lane) in rows.iter_mut().zip(lanes) {
                    *row = &lane[block];
                }
                let mut w = load(rows);
                $rounds!(state, w, constants);
            }
            for (word, column) in state.into_iter().enumerate() {
                for (state, value) in states.iter_mut().zip(to_column(column)) {
                    state[word] = value;
                }
            }
        }
    };
}

pub(super) use {lane_kernel, sha1_rounds, sha256_rounds};

/// The constants of SHA-1, each for twenty rounds (FIPS 180-4, section 4.2.1).
pub const SHA1_K: [u32; 4] = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];

/// The constants of SHA-256 (FIPS 180-4, section 4.2.2).
#[rustfmt::skip]
pub const SHA256_K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
