//! Two messages at a time on the SHA instructions: each instruction waits for the one before it of the same message,
//! and the other message's fill the gaps.

use std::arch::x86_64::*;

use crate::base::hash::lanes::{Block, Kernel};
use crate::base::hash::rounds::SHA256_K;

pub fn sha1() -> Option<Kernel<5>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha1_streams(states, inputs) };
    detected().then_some(Kernel { name: "SHA-NI x2", lanes: STREAMS, compress })
}

pub fn sha256() -> Option<Kernel<8>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha256_streams(states, inputs) };
    detected().then_some(Kernel { name: "SHA-NI x2", lanes: STREAMS, compress })
}

/// True if the machine has the SHA instructions.
pub fn detected() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

const STREAMS: usize = 2;

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn sha1_streams(states: &mut [[u32; 5]], inputs: &[&[Block]]) {
    let zero = _mm_setzero_si128();
    let second = if inputs.len() < STREAMS { 0 } else { 1 };
    let lanes = [inputs[0], inputs[second]];
    // Word a is the highest, as the instructions want it; `e` has that word highest and nothing else.
    let mut abcd = [zero; STREAMS];
    let mut e = [zero; STREAMS];
    for s in 0..STREAMS {
        let [a, b, c, d, last] = states[s * second].map(|word| word as i32);
        abcd[s] = _mm_set_epi32(a, b, c, d);
        e[s] = _mm_set_epi32(last, 0, 0, 0);
    }
    for blocks in lanes[0].iter().zip(lanes[1]).map(<[&Block; STREAMS]>::from) {
        let mut w = [[zero; STREAMS]; 4];
        for s in 0..STREAMS {
            let words = load(blocks[s], true);
            for g in 0..4 {
                w[g][s] = words[g];
            }
        }
        let saved = (abcd, e);
        macro_rules! four {
            ($k:literal, $($g:literal)*) => {$(
                for s in 0..STREAMS {
                    if $g >= 4 {
                        let mixed = _mm_sha1msg1_epu32(w[$g % 4][s], w[($g + 1) % 4][s]);
                        w[$g % 4][s] = _mm_sha1msg2_epu32(_mm_xor_si128(mixed, w[($g + 2) % 4][s]), w[($g + 3) % 4][s]);
                    }
                    // From the second group on, `e` holds the words before the last four rounds.
                    let input = if $g == 0 {
                        _mm_add_epi32(e[s], w[0][s])
                    } else {
                        _mm_sha1nexte_epu32(e[s], w[$g % 4][s])
                    };
                    e[s] = abcd[s];
                    abcd[s] = _mm_sha1rnds4_epu32::<$k>(abcd[s], input);
                }
            )*};
        }
        four!(0, 0 1 2 3 4);
        four!(1, 5 6 7 8 9);
        four!(2, 10 11 12 13 14);
        four!(3, 15 16 17 18 19);
        for s in 0..STREAMS {
            e[s] = _mm_sha1nexte_epu32(e[s], saved.1[s]);
            abcd[s] = _mm_add_epi32(abcd[s], saved.0[s]);
        }
    }
    for (s, state) in states.iter_mut().enumerate() {
        let [d, c, b, a] = to_words(abcd[s]);
        *state = [a, b, c, d, to_words(e[s])[3]];
    }
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn sha256_streams(states: &mut [[u32; 8]], inputs: &[&[Block]]) {
    let zero = _mm_setzero_si128();
    let second = if inputs.len() < STREAMS { 0 } else { 1 };
    let lanes = [inputs[0], inputs[second]];
    let mut abef = [zero; STREAMS];
    let mut cdgh = [zero; STREAMS];
    for s in 0..STREAMS {
        let [a, b, c, d, e, f, g, h] = states[s * second].map(|word| word as i32);
        abef[s] = _mm_set_epi32(a, b, e, f);
        cdgh[s] = _mm_set_epi32(c, d, g, h);
    }
    for blocks in lanes[0].iter().zip(lanes[1]).map(<[&Block; STREAMS]>::from) {
        let mut w = [[zero; STREAMS]; 4];
        for s in 0..STREAMS {
            let words = load(blocks[s], false);
            for g in 0..4 {
                w[g][s] = words[g];
            }
        }
        let saved = (abef, cdgh);
        macro_rules! four {
            ($($g:literal)*) => {$(
                let k = [SHA256_K[$g * 4], SHA256_K[$g * 4 + 1], SHA256_K[$g * 4 + 2], SHA256_K[$g * 4 + 3]];
                let k = _mm_set_epi32(k[3] as i32, k[2] as i32, k[1] as i32, k[0] as i32);
                for s in 0..STREAMS {
                    if $g >= 4 {
                        let mixed = _mm_sha256msg1_epu32(w[$g % 4][s], w[($g + 1) % 4][s]);
                        let shifted = _mm_alignr_epi8::<4>(w[($g + 3) % 4][s], w[($g + 2) % 4][s]);
                        w[$g % 4][s] = _mm_sha256msg2_epu32(_mm_add_epi32(mixed, shifted), w[($g + 3) % 4][s]);
                    }
                    let input = _mm_add_epi32(w[$g % 4][s], k);
                    cdgh[s] = _mm_sha256rnds2_epu32(cdgh[s], abef[s], input);
                    abef[s] = _mm_sha256rnds2_epu32(abef[s], cdgh[s], _mm_shuffle_epi32::<0x0e>(input));
                }
            )*};
        }
        four!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for s in 0..STREAMS {
            abef[s] = _mm_add_epi32(abef[s], saved.0[s]);
            cdgh[s] = _mm_add_epi32(cdgh[s], saved.1[s]);
        }
    }
    for (s, state) in states.iter_mut().enumerate() {
        let ([f, e, b, a], [h, g, d, c]) = (to_words(abef[s]), to_words(cdgh[s]));
        *state = [a, b, c, d, e, f, g, h];
    }
}

/// The block's words in big-endian order, four in each; the first is the highest of its four if `descending`.
#[inline]
#[target_feature(enable = "sse2,ssse3")]
fn load(block: &Block, descending: bool) -> [__m128i; 4] {
    let order = if descending {
        _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    } else {
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3)
    };
    let mut words = [_mm_setzero_si128(); 4];
    for (quarter, words) in block.as_chunks::<16>().0.iter().zip(&mut words) {
        // SAFETY: the quarter has the 16 bytes that are read, and the load needs no alignment.
        *words = _mm_shuffle_epi8(unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) }, order);
    }
    words
}

#[inline]
#[target_feature(enable = "sse2")]
fn to_words(vector: __m128i) -> [u32; 4] {
    let mut words = [0; 4];
    // SAFETY: the array has the 16 bytes that are written, and the store needs no alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
    words
}
