//! What the wire codec costs a message, and a session a MiB that it receives: `cargo bench --bench codec`.
//!
//! The payload itself is not moved: `receive` is the session's own work, by how many bytes a wake-up brings.

#[path = "../tests/common/receiving.rs"]
mod receiving;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use receiving::Receiving;
use rtorrent_cli::proto::wire::{BlockRequest, Message, piece_header};

fn main() {
    divan::main();
}

const MIB: u64 = 1 << 20;

fn requests() -> impl Iterator<Item = Message<'static>> {
    (0..1_000).map(|nth| Message::Request(BlockRequest { piece: nth / 64, begin: nth % 64 * 16_384, len: 16_384 }))
}

#[divan::bench]
fn encode_requests(bencher: Bencher) {
    let mut out = Vec::with_capacity(17_000);
    bencher.counter(ItemsCount::new(1_000_u32)).bench_local(|| {
        out.clear();
        requests().for_each(|message| message.encode(&mut out));
        black_box(out.len())
    });
}

#[divan::bench]
fn decode_requests(bencher: Bencher) {
    let mut bytes = Vec::new();
    requests().for_each(|message| message.encode(&mut bytes));
    bencher.counter(ItemsCount::new(1_000_u32)).bench_local(|| {
        let mut rest = &bytes[..];
        while let Ok(Some((message, len))) = Message::take(rest) {
            black_box(message);
            rest = &rest[len..];
        }
    });
}

#[divan::bench]
fn headers(bencher: Bencher) {
    bencher.counter(ItemsCount::new(64_u32)).bench_local(|| {
        (0..64).for_each(|block| {
            black_box(piece_header(black_box(7), block * 16_384, 16_384));
        });
    });
}

/// 16 MiB by wake-ups of so many bytes.
#[divan::bench(args = [16 << 10, 64 << 10, 256 << 10, 1 << 20])]
fn receive(bencher: Bencher, most: usize) {
    let mut receiving = Receiving::start(16);
    bencher.counter(BytesCount::new(16 * MIB)).bench_local(|| {
        let end = receiving.bytes + 16 * MIB;
        while receiving.bytes < end {
            receiving.wake(most);
        }
    });
}
