//! How fast this machine hashes: each kernel by itself, and the front door by the number of messages that wait.
//!
//! `cargo bench --bench hash`; compare with `openssl speed -evp sha1 -bytes 1048576` on the same idle core. Take the
//! column "fastest": whatever else runs on the machine cuts the other ones.

use std::fmt;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use rtorrent_cli::base::hash::choice::{sha1_kernels, sha256_kernels};
use rtorrent_cli::base::hash::lanes::{Block, Kernel};
use rtorrent_cli::base::hash::{SHA1_INITIAL, SHA256_INITIAL, sha1_batch, sha256_batch};

fn main() {
    divan::main();
}

const KIB: usize = 1024;

/// One kernel with all its lanes in use, on pieces of one size.
struct Full<const W: usize> {
    kernel: Kernel<W>,
    size: usize,
}

impl<const W: usize> fmt::Display for Full<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:>4} KiB", self.kernel.name, self.size / KIB)
    }
}

fn full<const W: usize>(kernels: Vec<Kernel<W>>) -> Vec<Full<W>> {
    let sizes = [16 * KIB, 256 * KIB, 1024 * KIB];
    kernels.into_iter().flat_map(|kernel| sizes.map(|size| Full { kernel, size })).collect()
}

fn run_full<const W: usize>(bencher: Bencher, full: &Full<W>, initial: [u32; W]) {
    let pieces = pieces(full.kernel.lanes, full.size);
    let inputs: Vec<&[Block]> = pieces.iter().map(|piece| piece.as_chunks().0).collect();
    bencher.counter(BytesCount::new(inputs.len() * full.size)).bench_local(|| {
        let mut states = vec![initial; inputs.len()];
        (full.kernel.compress)(black_box(&mut states), black_box(&inputs));
        states
    });
}

#[divan::bench(args = full(sha1_kernels()))]
fn sha1_kernel(bencher: Bencher, full: &Full<5>) {
    run_full(bencher, full, SHA1_INITIAL);
}

#[divan::bench(args = full(sha256_kernels()))]
fn sha256_kernel(bencher: Bencher, full: &Full<8>) {
    run_full(bencher, full, SHA256_INITIAL);
}

/// So many messages of so many bytes, each in buffers of 16 KiB.
#[derive(Clone, Copy)]
struct Batch {
    count: usize,
    size: usize,
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>2} x {:>4} KiB", self.count, self.size / KIB)
    }
}

fn batches() -> Vec<Batch> {
    let counts = (1..=18).chain([24, 32, 64]).map(|count| Batch { count, size: 256 * KIB });
    counts.chain([16 * KIB, 1024 * KIB].map(|size| Batch { count: 16, size })).collect()
}

fn run_batch<D>(bencher: Bencher, batch: &Batch, hash: impl Fn(&[&[&[u8]]]) -> Vec<D>) {
    let pieces = pieces(batch.count, batch.size);
    let slices: Vec<Vec<&[u8]>> = pieces.iter().map(|piece| piece.chunks(16 * KIB).collect()).collect();
    let messages: Vec<&[&[u8]]> = slices.iter().map(Vec::as_slice).collect();
    bencher.counter(BytesCount::new(batch.count * batch.size)).bench_local(|| hash(black_box(&messages)));
}

#[divan::bench(args = batches())]
fn sha1_front_door(bencher: Bencher, batch: &Batch) {
    run_batch(bencher, batch, sha1_batch);
}

#[divan::bench(args = batches())]
fn sha256_front_door(bencher: Bencher, batch: &Batch) {
    run_batch(bencher, batch, sha256_batch);
}

fn pieces(count: usize, size: usize) -> Vec<Vec<u8>> {
    (0..count).map(|piece| (0..size).map(|at| (at * 31 + at / 251 + piece) as u8).collect()).collect()
}
