//! Kernels for x86-64, each `Some` only on a machine that has its instructions.

pub mod avx2;
pub mod avx512;
pub mod avx512_half;
mod eight;
pub mod sha_ni;
