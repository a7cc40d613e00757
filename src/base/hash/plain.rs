//! A twin of the vector kernels on plain arrays, four lanes, for the tests: the same frame and the same rounds, without
//! `unsafe` anywhere, so that Miri and any machine can run them.

use super::lanes::{Block, Kernel};
use super::rounds::{lane_kernel, sha1_rounds, sha256_rounds};

pub const SHA1_PLAIN: Kernel<5> = Kernel { name: "plain x4", lanes: LANES, compress: sha1_plain };

pub const SHA256_PLAIN: Kernel<8> = Kernel { name: "plain x4", lanes: LANES, compress: sha256_plain };

const LANES: usize = 4;
type Word = [u32; LANES];

lane_kernel!(sha1_plain, 5, sha1_rounds, SHA1_K);
lane_kernel!(sha256_plain, 8, sha256_rounds, SHA256_K);

fn load(rows: [&Block; LANES]) -> [Word; 16] {
    let word = |row: &Block, at: usize| u32::from_be_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]);
    std::array::from_fn(|index| rows.map(|row| word(row, index * 4)))
}

fn from_column(column: [u32; LANES]) -> Word {
    column
}

fn to_column(word: Word) -> [u32; LANES] {
    word
}

fn splat(value: u32) -> Word {
    [value; LANES]
}

fn add(a: Word, b: Word) -> Word {
    std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
}

fn rotate<const N: u32>(a: Word) -> Word {
    a.map(|value| value.rotate_left(N))
}

fn shift<const N: u32>(a: Word) -> Word {
    a.map(|value| value >> N)
}

fn xor3(a: Word, b: Word, c: Word) -> Word {
    std::array::from_fn(|lane| a[lane] ^ b[lane] ^ c[lane])
}

fn xor4(a: Word, b: Word, c: Word, d: Word) -> Word {
    std::array::from_fn(|lane| a[lane] ^ b[lane] ^ c[lane] ^ d[lane])
}

fn choose(a: Word, b: Word, c: Word) -> Word {
    std::array::from_fn(|lane| (a[lane] & b[lane]) | (!a[lane] & c[lane]))
}

fn majority(a: Word, b: Word, c: Word) -> Word {
    std::array::from_fn(|lane| (a[lane] & b[lane]) | (a[lane] & c[lane]) | (b[lane] & c[lane]))
}
