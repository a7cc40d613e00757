//! Eight lanes in 256 bit registers with the rotations and three-way logic of AVX-512VL: for fewer than sixteen
//! messages, and nearly as fast as sixteen lanes where 512 bit instructions run in two halves.

use std::arch::x86_64::*;

use super::eight::{LANES, Word, add, from_column, load, splat, to_column};
use crate::base::hash::lanes::{Block, Kernel};
use crate::base::hash::rounds::{lane_kernel, sha1_rounds, sha256_rounds};

pub fn sha1() -> Option<Kernel<5>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha1_x8(states, inputs) };
    detected().then_some(Kernel { name: "AVX-512VL x8", lanes: LANES, compress })
}

pub fn sha256() -> Option<Kernel<8>> {
    // SAFETY: called only where the test below found the instructions.
    let compress = |states: &mut [_], inputs: &[&[Block]]| unsafe { sha256_x8(states, inputs) };
    detected().then_some(Kernel { name: "AVX-512VL x8", lanes: LANES, compress })
}

fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl")
}

lane_kernel!(
    #[target_feature(enable = "avx2,avx512f,avx512vl")]
    sha1_x8,
    5,
    sha1_rounds,
    SHA1_K
);
lane_kernel!(
    #[target_feature(enable = "avx2,avx512f,avx512vl")]
    sha256_x8,
    8,
    sha256_rounds,
    SHA256_K
);

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn rotate<const N: i32>(a: Word) -> Word {
    _mm256_rol_epi32::<N>(a)
}

#[inline]
#[target_feature(enable = "avx2")]
fn shift<const N: i32>(a: Word) -> Word {
    _mm256_srli_epi32::<N>(a)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor3(a: Word, b: Word, c: Word) -> Word {
    _mm256_ternarylogic_epi32::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn xor4(a: Word, b: Word, c: Word, d: Word) -> Word {
    _mm256_xor_si256(xor3(a, b, c), d)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn choose(a: Word, b: Word, c: Word) -> Word {
    _mm256_ternarylogic_epi32::<0xca>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn majority(a: Word, b: Word, c: Word) -> Word {
    _mm256_ternarylogic_epi32::<0xe8>(a, b, c)
}
