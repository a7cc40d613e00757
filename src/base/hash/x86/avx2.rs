//! Eight lanes in the 256 bit registers of AVX2.

use std::arch::x86_64::*;

use super::eight::{LANES, Word, add, from_column, load, splat, to_column};
use crate::base::hash::lanes::{Block, Kernel};
use crate::base::hash::rounds::{lane_kernel, sha1_rounds, sha256_rounds};

pub fn sha1() -> Option<Kernel<5>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha1_x8(states, inputs) };
    is_x86_feature_detected!("avx2").then_some(Kernel { name: "AVX2 x8", lanes: LANES, compress })
}

pub fn sha256() -> Option<Kernel<8>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha256_x8(states, inputs) };
    is_x86_feature_detected!("avx2").then_some(Kernel { name: "AVX2 x8", lanes: LANES, compress })
}

lane_kernel!(
    #[target_feature(enable = "avx2")]
    sha1_x8,
    5,
    sha1_rounds,
    SHA1_K
);
lane_kernel!(
    #[target_feature(enable = "avx2")]
    sha256_x8,
    8,
    sha256_rounds,
    SHA256_K
);

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const N: i32>(a: Word) -> Word {
    // The other shift's distance is an argument of this one's, since a constant cannot be computed from a parameter.
    _mm256_or_si256(_mm256_slli_epi32::<N>(a), _mm256_srl_epi32(a, _mm_cvtsi32_si128(32 - N)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn shift<const N: i32>(a: Word) -> Word {
    _mm256_srli_epi32::<N>(a)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor4(a: Word, b: Word, c: Word, d: Word) -> Word {
    _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d))
}

#[inline]
#[target_feature(enable = "avx2")]
fn choose(a: Word, b: Word, c: Word) -> Word {
    _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: Word, b: Word, c: Word) -> Word {
    _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)))
}
