//! How fast this machine encrypts payload: our loop beside the crate's. `cargo bench --bench rc4`.
//!
//! RC4 is one long chain of loads and stores, so that no kernel of many lanes helps; 1 GiB takes about two seconds.

use divan::Bencher;
use divan::counter::BytesCount;
use rc4::{KeyInit, StreamCipher};
use rtorrent_cli::proto::mse::Rc4;

fn main() {
    divan::main();
}

const BLOCK: usize = 16 * 1024;

#[divan::bench]
fn ours(bencher: Bencher) {
    let (mut cipher, mut block) = (Rc4::new(&[7; 20]), vec![0; BLOCK]);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| cipher.apply(&mut block));
}

#[divan::bench]
fn of_the_crate(bencher: Bencher) {
    let (mut cipher, mut block) = (rc4::Rc4::new_from_slice(&[7; 20]).unwrap(), vec![0; BLOCK]);
    bencher.counter(BytesCount::new(BLOCK)).bench_local(|| cipher.apply_keystream(&mut block));
}
