//! Hashing what is on disk.
//!
//! Threads take a few neighbouring pieces each at a time, and while some read, others hash. Pieces that lie in holes are
//! not read: their bytes are zeros.
//!
//! What the kernel has in memory is read in small steps, one of each piece of a batch, which are hashed side by side
//! while they are still in the core's cache; so even the longest pieces fill the widest kernel. What it does not have is
//! read piece by piece from front to back, as disks like it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::base::bitfield::Bitfield;
use crate::base::hash::{Abreast, sha1, sha1_batch};
use crate::base::layout::Layout;
use crate::io::file_set::{FileError, FileSet};

/// Bytes of buffers of one check, all threads together.
const MEMORY: usize = 48 << 20;
/// As many pieces are hashed together as the widest kernel has lanes.
const BATCH: usize = 16;
/// Bytes of one piece that are read at a time where the kernel has them: a batch of steps fits a core's second cache.
const STEP: usize = 32 << 10;
/// From one step to the next in the buffer: not a power of two, since those meet in the caches.
const STRIDE: usize = STEP + 320;

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
    let Shares { threads, batch, room } = shares(layout, list.len());
    let check = Check {
        files,
        hashes,
        watch,
        zeros: ZeroPiece::default(),
        batches: list.chunks(batch).collect(),
        room,
        next: AtomicUsize::new(0),
        found: Mutex::new(Checked { verified: Bitfield::new(layout.pieces()), unreadable: BTreeMap::new() }),
    };
    thread::scope(|scope| {
        // What can't be started is done without: this thread works too.
        for _ in 1..threads {
            let _ = thread::Builder::new().name("check".into()).spawn_scoped(scope, || check.work());
        }
        check.work();
    });
    let found = check.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    (!watch.cancel.load(Relaxed)).then_some(found)
}

/// How the work is shared out.
#[derive(Clone, Copy, Debug)]
struct Shares {
    threads: usize,
    /// Pieces that a thread takes at a time.
    batch: usize,
    /// Whole pieces that a thread may hold; 0 if they are too long for that.
    room: usize,
}

fn shares(layout: &Layout, pieces: usize) -> Shares {
    // One more than there are cores, since some wait for the disk.
    let threads = thread::available_parallelism().map_or(2, |cores| cores.get() + 1);
    let batch = pieces.div_ceil(threads).clamp(1, BATCH);
    let room = MEMORY / threads / layout.piece_length() as usize;
    Shares { threads: threads.min(pieces.div_ceil(batch)).max(1), batch, room }
}

/// What one thread reads into; as long as it had to be so far.
#[derive(Default)]
struct Buffer(Vec<u8>);

impl Buffer {
    fn of(&mut self, len: usize) -> &mut [u8] {
        if self.0.len() < len {
            self.0.resize(len, 0);
        }
        &mut self.0[..len]
    }
}

/// What the threads of one check share.
struct Check<'a> {
    files: &'a FileSet,
    hashes: &'a [[u8; 20]],
    watch: &'a CheckWatch,
    zeros: ZeroPiece,
    batches: Vec<&'a [u32]>,
    /// See [`Shares::room`].
    room: usize,
    next: AtomicUsize,
    found: Mutex<Checked>,
}

impl Check<'_> {
    fn work(&self) {
        let mut buffer = Buffer::default();
        while let Some(pieces) = self.batches.get(self.next.fetch_add(1, Relaxed)) {
            if self.watch.cancel.load(Relaxed) {
                return;
            }
            self.check_batch(pieces, &mut buffer);
        }
    }

    fn check_batch(&self, pieces: &[u32], buffer: &mut Buffer) {
        let layout = self.files.layout();
        let (holes, pieces): (Vec<u32>, Vec<u32>) = pieces.iter().partition(|&&piece| self.files.is_hole(piece));
        let right = holes.iter().filter(|&&piece| self.zeros.hash(layout, piece) == self.hashes[piece as usize]);
        self.note(&holes, right.copied().collect(), Vec::new());

        let (full, short): (Vec<u32>, Vec<u32>) =
            pieces.iter().partition(|&&piece| layout.piece_len(piece) == layout.piece_length());
        if full.len() > 1 && layout.piece_length() as usize > STEP && self.files.is_cached(&full) {
            self.check_abreast(&full, buffer);
        } else if self.room == 0 {
            full.chunks(1).for_each(|pieces| self.check_abreast(pieces, buffer));
        } else {
            full.chunks(self.room).for_each(|pieces| self.check_whole(pieces, buffer));
        }
        short.chunks(1).for_each(|pieces| self.check_whole(pieces, buffer));
    }

    /// Reads the pieces one after another, as many as the buffer may hold, and hashes them together.
    fn check_whole(&self, pieces: &[u32], buffer: &mut Buffer) {
        let layout = self.files.layout();
        let mut errors = Vec::new();
        let mut read = Vec::with_capacity(pieces.len());
        let mut rest = buffer.of(pieces.iter().map(|&piece| layout.piece_len(piece) as usize).sum());
        for &piece in pieces {
            let (bytes, after) = std::mem::take(&mut rest).split_at_mut(layout.piece_len(piece) as usize);
            rest = after;
            match self.files.read(piece, 0, bytes) {
                Ok(()) => read.push((piece, &*bytes)),
                Err(error) => errors.push((piece, error)),
            }
        }
        let messages: Vec<[&[u8]; 1]> = read.iter().map(|&(_, bytes)| [bytes]).collect();
        let digests = sha1_batch(&messages.iter().map(|message| &message[..]).collect::<Vec<_>>());
        self.note(pieces, self.right(read.iter().map(|&(piece, _)| piece).zip(digests)), errors);
    }

    /// Reads a step of each piece, hashes them side by side, and so on to the end. The pieces are equally long.
    fn check_abreast(&self, pieces: &[u32], buffer: &mut Buffer) {
        let length = self.files.layout().piece_length() as usize;
        let buffer = buffer.of(BATCH * STRIDE);
        let mut errors: Vec<Option<FileError>> = pieces.iter().map(|_| None).collect();
        let mut hashes = Abreast::new(pieces.len());
        let mut at = 0;
        let digests = loop {
            let len = STEP.min(length - at);
            for ((&piece, part), error) in pieces.iter().zip(buffer.chunks_mut(STRIDE)).zip(&mut errors) {
                if error.is_none() {
                    *error = self.files.read(piece, at as u32, &mut part[..len]).err();
                }
            }
            if self.watch.cancel.load(Relaxed) || errors.iter().all(Option::is_some) {
                break Vec::new();
            }
            let parts: Vec<&[u8]> = buffer.chunks(STRIDE).take(pieces.len()).map(|part| &part[..len]).collect();
            at += len;
            if at == length {
                break hashes.finish(&parts);
            }
            hashes.add(&parts);
        };
        // What could not be read has hashed to something else.
        let whole = pieces.iter().copied().zip(digests).zip(&errors).filter(|(_, error)| error.is_none());
        let right = self.right(whole.map(|(hashed, _)| hashed));
        self.note(
            pieces,
            right,
            pieces.iter().copied().zip(errors).filter_map(|(piece, e)| Some((piece, e?))).collect(),
        );
    }

    fn right(&self, hashed: impl Iterator<Item = (u32, [u8; 20])>) -> Vec<u32> {
        hashed.filter(|(piece, digest)| *digest == self.hashes[*piece as usize]).map(|(piece, _)| piece).collect()
    }

    /// Notes what came of `pieces`.
    fn note(&self, pieces: &[u32], right: Vec<u32>, errors: Vec<(u32, FileError)>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        right.into_iter().for_each(|piece| {
            found.verified.set(piece);
        });
        for (piece, error) in errors {
            if let Some(file) = self.file_of(piece, &error) {
                found.unreadable.entry(file).or_insert(error);
            }
        }
        let layout = self.files.layout();
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
