//! Hashing what is on disk.
//!
//! Threads take a few neighbouring pieces each at a time, read them and hash them as one batch; while some read, others
//! hash. Pieces that lie in holes are not read: their bytes are zeros.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::base::bitfield::Bitfield;
use crate::base::hash::{sha1, sha1_batch};
use crate::base::layout::Layout;
use crate::io::file_set::{FileError, FileSet};

/// Bytes of buffers of one check, all threads together.
const MEMORY: usize = 48 << 20;
/// As many pieces are hashed together as the widest kernel has lanes.
const BATCH: usize = 16;

/// A check as seen from outside: how far it is, and a way to end it early. Bytes.
#[derive(Debug, Default)]
pub struct CheckWatch {
    pub done: AtomicU64,
    pub total: AtomicU64,
    /// Set it to make the check end soon, without a result.
    pub cancel: AtomicBool,
}

impl CheckWatch {
    /// Bytes that are done and that there are; `None` before it has begun.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Relaxed);
        (total > 0).then(|| (self.done.load(Relaxed), total))
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// The pieces, of those that were to be checked, whose hash is right.
    pub verified: Bitfield,
    /// The first error of each file that could not be read, by its index.
    pub unreadable: BTreeMap<usize, FileError>,
}

/// Hashes `pieces` of the files and compares with `hashes`. Blocks; uses all cores. `None` if it was cancelled.
///
/// # Panics
/// If there is not one hash and one bit for each piece.
pub fn check(files: &FileSet, hashes: &[[u8; 20]], pieces: &Bitfield, watch: &CheckWatch) -> Option<Checked> {
    let layout = files.layout();
    assert!(hashes.len() == layout.pieces() as usize && pieces.len() == layout.pieces(), "one of each a piece");
    let list: Vec<u32> = pieces.ones().collect();
    let bytes = list.iter().map(|&piece| u64::from(layout.piece_len(piece))).sum();
    watch.total.fetch_add(bytes, Relaxed);
    let (threads, batch) = shares(layout, list.len());
    let check = Check {
        files,
        hashes,
        watch,
        zeros: ZeroPiece::default(),
        batches: list.chunks(batch).collect(),
        next: AtomicUsize::new(0),
        found: Mutex::new(Checked { verified: Bitfield::new(layout.pieces()), unreadable: BTreeMap::new() }),
    };
    thread::scope(|scope| {
        // What can't be started is done without: this thread works too.
        for _ in 1..threads {
            let _ = thread::Builder::new().name("check".into()).spawn_scoped(scope, || check.work(batch));
        }
        check.work(batch);
    });
    let found = check.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    (!watch.cancel.load(Relaxed)).then_some(found)
}

/// How many threads, and how many pieces each takes at a time.
fn shares(layout: &Layout, pieces: usize) -> (usize, usize) {
    let piece = layout.piece_length() as usize;
    // One more than there are cores, since some wait for the disk.
    let threads = thread::available_parallelism().map_or(2, |cores| cores.get() + 1).clamp(1, (MEMORY / piece).max(1));
    let batch = (MEMORY / threads / piece).clamp(1, BATCH);
    (threads.min(pieces.div_ceil(batch)).max(1), batch)
}

/// What the threads of one check share.
struct Check<'a> {
    files: &'a FileSet,
    hashes: &'a [[u8; 20]],
    watch: &'a CheckWatch,
    zeros: ZeroPiece,
    batches: Vec<&'a [u32]>,
    next: AtomicUsize,
    found: Mutex<Checked>,
}

impl Check<'_> {
    fn work(&self, batch: usize) {
        let mut buffer = vec![0; batch * self.files.layout().piece_length() as usize];
        while let Some(pieces) = self.batches.get(self.next.fetch_add(1, Relaxed)) {
            if self.watch.cancel.load(Relaxed) {
                return;
            }
            self.check_batch(pieces, &mut buffer);
        }
    }

    fn check_batch(&self, pieces: &[u32], buffer: &mut [u8]) {
        let layout = self.files.layout();
        let (mut right, mut errors) = (Vec::with_capacity(pieces.len()), Vec::new());
        let mut read = Vec::with_capacity(pieces.len());
        let mut rest = buffer;
        for &piece in pieces {
            let (bytes, after) = std::mem::take(&mut rest).split_at_mut(layout.piece_len(piece) as usize);
            rest = after;
            if self.files.is_hole(piece) {
                if self.zeros.hash(layout, piece) == self.hashes[piece as usize] {
                    right.push(piece);
                }
                continue;
            }
            match self.files.read(piece, 0, bytes) {
                Ok(()) => read.push((piece, &*bytes)),
                Err(error) => errors.push((piece, error)),
            }
        }
        let messages: Vec<[&[u8]; 1]> = read.iter().map(|&(_, bytes)| [bytes]).collect();
        let digests = sha1_batch(&messages.iter().map(|message| &message[..]).collect::<Vec<_>>());
        let hashed = read.iter().zip(digests);
        right.extend(
            hashed.filter(|((piece, _), digest)| *digest == self.hashes[*piece as usize]).map(|((piece, _), _)| piece),
        );
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        right.into_iter().for_each(|piece| {
            found.verified.set(piece);
        });
        for (piece, error) in errors {
            if let Some(file) = self.file_of(piece, &error) {
                found.unreadable.entry(file).or_insert(error);
            }
        }
        let bytes = pieces.iter().map(|&piece| u64::from(layout.piece_len(piece))).sum();
        self.watch.done.fetch_add(bytes, Relaxed);
    }

    /// The file of the piece that the error is about.
    fn file_of(&self, piece: u32, error: &FileError) -> Option<usize> {
        let layout = self.files.layout();
        let mut stretches = layout.stretches(piece, 0, layout.piece_len(piece));
        stretches.find(|stretch| self.files.stands_at(stretch.file, error.path())).map(|stretch| stretch.file)
    }
}

/// The hash of a piece of zeros, made when it is first needed.
#[derive(Default)]
struct ZeroPiece(std::sync::OnceLock<[u8; 20]>);

impl ZeroPiece {
    fn hash(&self, layout: &Layout, piece: u32) -> [u8; 20] {
        let len = layout.piece_len(piece);
        let hash = || sha1(&vec![0; len as usize]);
        if len == layout.piece_length() { *self.0.get_or_init(hash) } else { hash() }
    }
}

#[cfg(test)]
mod tests;
