//! How fast this machine writes and hashes; about a second of each at most. Blocks.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::hash::{sha1, sha1_batch};

/// A rate of writing, with what made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskSpeed {
    /// Down to the disk, not only into the system's memory.
    pub bytes_per_second: u64,
    pub written: u64,
}

/// Rates of SHA-1 on one core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashSpeed {
    /// Sixteen pieces side by side, as downloads and checks do it.
    pub bytes_per_second: u64,
    /// One alone.
    pub single: u64,
}

const STEP: usize = 4 << 20;
const MOST: u64 = 128 << 20;
const TIME: Duration = Duration::from_millis(800);

/// Writes to a file without a name in `dir`, and syncs it.
///
/// # Errors
/// In a person's words, with the path.
pub(super) fn disk(dir: &Path) -> Result<DiskSpeed, String> {
    let told = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut file = tempfile::tempfile_in(dir).map_err(told)?;
    // Not zeros: some file systems keep those as nothing.
    let block: Vec<u8> = (0..STEP as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let began = Instant::now();
    let mut written = 0;
    while written < MOST && began.elapsed() < TIME {
        file.write_all(&block).map_err(told)?;
        written += STEP as u64;
    }
    file.sync_data().map_err(told)?;
    Ok(DiskSpeed { bytes_per_second: rate(written, began.elapsed()), written })
}

pub(super) fn hash() -> HashSpeed {
    const PIECE: usize = 256 << 10;
    let pieces: Vec<Vec<u8>> = (0..16).map(|n| vec![n; PIECE]).collect();
    let parts: Vec<[&[u8]; 1]> = pieces.iter().map(|piece| [piece.as_slice()]).collect();
    let messages: Vec<&[&[u8]]> = parts.iter().map(|part| part.as_slice()).collect();
    let many = timed(16 * PIECE, || std::hint::black_box(sha1_batch(&messages)).len());
    let single = timed(PIECE, || std::hint::black_box(sha1(&pieces[0])).len());
    HashSpeed { bytes_per_second: many, single }
}

/// Bytes a second of the fastest of some rounds: what else the machine does only makes one slower.
fn timed(bytes: usize, mut round: impl FnMut() -> usize) -> u64 {
    let began = Instant::now();
    let mut best = 0;
    while best == 0 || began.elapsed() < Duration::from_millis(60) {
        let at = Instant::now();
        round();
        best = best.max(rate(bytes as u64, at.elapsed()));
    }
    best
}

fn rate(bytes: u64, time: Duration) -> u64 {
    (bytes as f64 / time.as_secs_f64().max(1e-9)) as u64
}
