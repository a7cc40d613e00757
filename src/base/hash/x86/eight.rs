//! What the kernels with eight lanes in 256 bit registers share: getting words into and out of them.

use std::arch::x86_64::*;

use crate::base::hash::lanes::Block;

pub const LANES: usize = 8;
pub type Word = __m256i;

/// The blocks' words, each with one lane for each row: two transpositions of 8 × 8 words, in big-endian order.
#[inline]
#[target_feature(enable = "avx2")]
pub fn load(rows: [&Block; LANES]) -> [Word; 16] {
    let zero = _mm256_setzero_si256();
    // In 128 bit halves, `quads[r][4h + j]`: word 8h + 4q + j of rows 4r to 4r + 3 in half q. Both halves of a row are
    // read one after the other, since all rows may fall into one set of the first cache, which hardly holds them all.
    let mut quads = [[zero; 8]; 2];
    for r in 0..2 {
        let row = |i: usize| {
            let bytes = rows[4 * r + i].as_ptr();
            // SAFETY: a block has the 64 bytes that are read, and the loads need no alignment.
            let halves = unsafe { [_mm256_loadu_si256(bytes.cast()), _mm256_loadu_si256(bytes.add(32).cast())] };
            [big_endian(halves[0]), big_endian(halves[1])]
        };
        let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
        for h in 0..2 {
            let (ab_low, ab_high) = (_mm256_unpacklo_epi32(a[h], b[h]), _mm256_unpackhi_epi32(a[h], b[h]));
            let (cd_low, cd_high) = (_mm256_unpacklo_epi32(c[h], d[h]), _mm256_unpackhi_epi32(c[h], d[h]));
            quads[r][4 * h] = _mm256_unpacklo_epi64(ab_low, cd_low);
            quads[r][4 * h + 1] = _mm256_unpackhi_epi64(ab_low, cd_low);
            quads[r][4 * h + 2] = _mm256_unpacklo_epi64(ab_high, cd_high);
            quads[r][4 * h + 3] = _mm256_unpackhi_epi64(ab_high, cd_high);
        }
    }
    let mut words = [zero; 16];
    for h in 0..2 {
        for j in 0..4 {
            let (upper, lower) = (quads[0][4 * h + j], quads[1][4 * h + j]);
            words[8 * h + j] = _mm256_permute2x128_si256::<0x20>(upper, lower);
            words[8 * h + 4 + j] = _mm256_permute2x128_si256::<0x31>(upper, lower);
        }
    }
    words
}

/// Turns the bytes of each word round.
#[inline]
#[target_feature(enable = "avx2")]
fn big_endian(a: Word) -> Word {
    let order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(order))
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn from_column(column: [u32; LANES]) -> Word {
    // SAFETY: the array has the 32 bytes that are read, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(column.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn to_column(word: Word) -> [u32; LANES] {
    let mut column = [0; LANES];
    // SAFETY: the array has the 32 bytes that are written, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(column.as_mut_ptr().cast(), word) };
    column
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn splat(value: u32) -> Word {
    _mm256_set1_epi32(value as i32)
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn add(a: Word, b: Word) -> Word {
    _mm256_add_epi32(a, b)
}
