//! Which kernels this machine has, and which of them is the fastest for how many messages.

use std::sync::LazyLock;

use super::lanes::{Kernel, Ladder};
use super::single::{SHA1_SINGLE, SHA256_SINGLE};
#[cfg(target_arch = "x86_64")]
use super::x86::{avx2, avx512, avx512_half, sha_ni};

/// The SHA-1 of the front door.
pub static SHA1: LazyLock<Ladder<5>> =
    LazyLock::new(|| optimised().then(sha1_ladder).unwrap_or(Ladder::new(SHA1_SINGLE)));

/// The SHA-256 of the front door.
pub static SHA256: LazyLock<Ladder<8>> =
    LazyLock::new(|| optimised().then(sha256_ladder).unwrap_or(Ladder::new(SHA256_SINGLE)));

/// False in a debug build: our vector kernels are a hundred times slower there, and the crates are not, because
/// dependencies are optimised even then.
fn optimised() -> bool {
    !cfg!(debug_assertions)
}

/// The fastest SHA-1 of this machine for each number of messages.
///
/// A wide kernel takes as long for one message as for all its lanes, so each pays from a share of its lanes on. On one
/// core of an EPYC 9004: the crate 1.95 GB/s, two streams 3.4, eight lanes 4.2 (AVX2) and 6.8 (AVX-512VL), sixteen 7.1;
/// Intel's cores favour sixteen lanes over eight by more, and two streams over one by less.
pub fn sha1_ladder() -> Ladder<5> {
    let ladder = Ladder::new(SHA1_SINGLE);
    #[cfg(target_arch = "x86_64")]
    let ladder = match (sha_ni::sha1(), avx512_half::sha1()) {
        (Some(two), Some(eight)) => ladder.and(2, two).and(5, eight),
        (Some(two), None) => ladder.and(2, two).and_some(6, avx2::sha1()),
        (None, eight) => ladder.and_some(2, eight.or_else(avx2::sha1)),
    }
    .and_some(12, avx512::sha1());
    ladder
}

/// The fastest SHA-256 of this machine for each number of messages.
///
/// The SHA instructions do more of SHA-256 than of SHA-1 and leave less to gain. On one core of an EPYC 9004: the crate
/// 1.83 GB/s, two streams 3.6, eight lanes 1.9 (AVX2) and 3.35 (AVX-512VL), sixteen 3.65.
pub fn sha256_ladder() -> Ladder<8> {
    let ladder = Ladder::new(SHA256_SINGLE);
    #[cfg(target_arch = "x86_64")]
    let ladder = match sha_ni::sha256() {
        Some(two) => ladder.and(2, two).and_some(16, avx512::sha256()),
        None => ladder.and_some(3, avx512_half::sha256().or_else(avx2::sha256)).and_some(12, avx512::sha256()),
    };
    ladder
}

/// Every SHA-1 kernel of this machine, for tests and benchmarks.
pub fn sha1_kernels() -> Vec<Kernel<5>> {
    #[cfg(target_arch = "x86_64")]
    let others = [sha_ni::sha1(), avx2::sha1(), avx512_half::sha1(), avx512::sha1()];
    #[cfg(not(target_arch = "x86_64"))]
    let others = [None; 0];
    std::iter::once(SHA1_SINGLE).chain(others.into_iter().flatten()).collect()
}

/// Every SHA-256 kernel of this machine, for tests and benchmarks.
pub fn sha256_kernels() -> Vec<Kernel<8>> {
    #[cfg(target_arch = "x86_64")]
    let others = [sha_ni::sha256(), avx2::sha256(), avx512_half::sha256(), avx512::sha256()];
    #[cfg(not(target_arch = "x86_64"))]
    let others = [None; 0];
    std::iter::once(SHA256_SINGLE).chain(others.into_iter().flatten()).collect()
}
