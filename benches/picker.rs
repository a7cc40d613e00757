//! What the picker costs an event, from 1,000 to 300,000 pieces and from 10 to 1,000 peers: `cargo bench --bench picker`.

use divan::{Bencher, black_box};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use rtorrent_cli::base::bitfield::Bitfield;
use rtorrent_cli::swarm::picker::{Choice, Picker};
use rtorrent_cli::swarm::piece_set::PieceSet;

const PIECES: [u32; 4] = [1_000, 10_000, 100_000, 300_000];
const PEERS: [u32; 3] = [10, 100, 1_000];

fn main() {
    divan::main();
}

/// Everything wanted; peers that have each piece with probability 1 / 2.
fn crowd(pieces: u32, peers: u32) -> (Picker, PieceSet, StdRng) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut picker = Picker::new(pieces);
    (0..pieces).for_each(|piece| picker.insert(piece));
    let mut last = PieceSet::All(pieces);
    for _ in 0..peers {
        let mut bits = Bitfield::new(pieces);
        for piece in 0..pieces {
            if rng.random() {
                bits.set(piece);
            }
        }
        last = PieceSet::from_bits(bits);
        picker.join(&last);
    }
    (picker, last, rng)
}

/// One HAVE.
#[divan::bench(args = PIECES, consts = PEERS)]
fn have<const PEERS: u32>(bencher: Bencher, pieces: u32) {
    let (mut picker, _, mut rng) = crowd(pieces, PEERS);
    let mut up = true;
    bencher.bench_local(|| {
        let piece = rng.random_range(0..pieces);
        if up {
            picker.have(piece)
        } else {
            picker.have_not(piece)
        }
        up = !up;
    });
}

/// A piece is picked for a peer that has half of all, opened, and given back.
#[divan::bench(args = PIECES, consts = PEERS)]
fn pick<const PEERS: u32>(bencher: Bencher, pieces: u32) {
    let (mut picker, has, mut rng) = crowd(pieces, PEERS);
    bencher.bench_local(|| {
        let piece = picker.pick(&mut rng, &has, Choice::Rarest, |_| true).expect("there is one");
        picker.remove(piece);
        picker.insert(black_box(piece));
    });
}

/// A seed comes and leaves.
#[divan::bench(args = PIECES)]
fn seed(bencher: Bencher, pieces: u32) {
    let (mut picker, _, _) = crowd(pieces, 10);
    let seed = PieceSet::All(pieces);
    bencher.bench_local(|| {
        picker.join(black_box(&seed));
        picker.leave(black_box(&seed));
    });
}

/// The worst case of a pick: a peer with one piece that nobody else lacks.
#[divan::bench(args = PIECES)]
fn pick_a_needle(bencher: Bencher, pieces: u32) {
    let (mut picker, _, mut rng) = crowd(pieces, 10);
    let mut bits = Bitfield::new(pieces);
    bits.set(pieces / 2);
    let needle = PieceSet::from_bits(bits);
    picker.join(&needle);
    bencher.bench_local(|| picker.pick(&mut rng, black_box(&needle), Choice::Rarest, |_| true));
}
