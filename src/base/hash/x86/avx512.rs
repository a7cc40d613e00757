//! Sixteen lanes in the 512 bit registers of AVX-512.

use std::arch::x86_64::*;

use crate::base::hash::lanes::{Block, Kernel};
use crate::base::hash::rounds::{lane_kernel, sha1_rounds, sha256_rounds};

pub fn sha1() -> Option<Kernel<5>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha1_x16(states, inputs) };
    detected().then_some(Kernel { name: "AVX-512 x16", lanes: LANES, compress })
}

pub fn sha256() -> Option<Kernel<8>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha256_x16(states, inputs) };
    detected().then_some(Kernel { name: "AVX-512 x16", lanes: LANES, compress })
}

fn detected() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

const LANES: usize = 16;
type Word = __m512i;

lane_kernel!(
    #[target_feature(enable = "avx512f,avx512bw")]
    sha1_x16,
    5,
    sha1_rounds,
    SHA1_K
);
lane_kernel!(
    #[target_feature(enable = "avx512f,avx512bw")]
    sha256_x16,
    8,
    sha256_rounds,
    SHA256_K
);

/// The blocks' words, each with one lane for each row: a transposition of 16 × 16 words, in big-endian order.
///
/// Whole rows are read at once, since pieces lie at multiples of large powers of two, and so all rows fall into one
/// set of the first cache: it could not hold them until a second read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(rows: [&Block; LANES]) -> [Word; 16] {
    // In 128 bit quarters, `quads[r][j]`: word 4q + j of rows 4r to 4r + 3 in quarter q.
    let mut quads = [[splat(0); 4]; 4];
    for r in 0..4 {
        let row = |i: usize| {
            // SAFETY: a block has the 64 bytes that are read, and the load needs no alignment.
            big_endian(unsafe { _mm512_loadu_si512(rows[4 * r + i].as_ptr().cast()) })
        };
        let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        quads[r] = [
            _mm512_unpacklo_epi64(ab_low, cd_low),
            _mm512_unpackhi_epi64(ab_low, cd_low),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ];
    }
    let mut words = [splat(0); 16];
    for j in 0..4 {
        let upper_even = _mm512_shuffle_i32x4::<0x88>(quads[0][j], quads[1][j]);
        let upper_odd = _mm512_shuffle_i32x4::<0xdd>(quads[0][j], quads[1][j]);
        let lower_even = _mm512_shuffle_i32x4::<0x88>(quads[2][j], quads[3][j]);
        let lower_odd = _mm512_shuffle_i32x4::<0xdd>(quads[2][j], quads[3][j]);
        words[j] = _mm512_shuffle_i32x4::<0x88>(upper_even, lower_even);
        words[4 + j] = _mm512_shuffle_i32x4::<0x88>(upper_odd, lower_odd);
        words[8 + j] = _mm512_shuffle_i32x4::<0xdd>(upper_even, lower_even);
        words[12 + j] = _mm512_shuffle_i32x4::<0xdd>(upper_odd, lower_odd);
    }
    words
}

/// Turns the bytes of each word round.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_endian(a: Word) -> Word {
    let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    _mm512_shuffle_epi8(a, _mm512_broadcast_i32x4(order))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn from_column(column: [u32; LANES]) -> Word {
    // SAFETY: the array has the 64 bytes that are read, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(column.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn to_column(word: Word) -> [u32; LANES] {
    let mut column = [0; LANES];
    // SAFETY: the array has the 64 bytes that are written, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(column.as_mut_ptr().cast(), word) };
    column
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(value: u32) -> Word {
    _mm512_set1_epi32(value as i32)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add(a: Word, b: Word) -> Word {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const N: i32>(a: Word) -> Word {
    _mm512_rol_epi32::<N>(a)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn shift<const N: u32>(a: Word) -> Word {
    _mm512_srli_epi32::<N>(a)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor4(a: Word, b: Word, c: Word, d: Word) -> Word {
    _mm512_xor_si512(xor3(a, b, c), d)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn choose(a: Word, b: Word, c: Word) -> Word {
    _mm512_ternarylogic_epi32::<0xca>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn majority(a: Word, b: Word, c: Word) -> Word {
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}
