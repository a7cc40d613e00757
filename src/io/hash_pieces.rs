//! Hashing the pieces that lie on disk, with all cores.
//!
//! Threads take a few neighbouring pieces each at a time, and while some read, others hash. Pieces that lie in holes are
//! not read: their bytes are zeros.
//!
//! What the kernel has in memory is read in small steps, one of each piece of a batch, which are hashed side by side
//! while they are still in the core's cache; so even the longest pieces fill the widest kernel. What it does not have is
//! read piece by piece from front to back, as disks like it.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread;

use crate::base::hash::{Abreast, Sha1Digest, sha1, sha1_batch};
use crate::base::layout::Layout;
use crate::io::file_set::{FileError, FileSet};
use crate::io::source_files::SourceFiles;

/// Bytes of buffers of one run, all threads together.
const MEMORY: usize = 48 << 20;
/// As many pieces are hashed together as the widest kernel has lanes.
const BATCH: usize = 16;
/// Bytes of one piece that are read at a time where the kernel has them: a batch of steps fits a core's second cache.
pub(super) const STEP: usize = 32 << 10;
/// From one step to the next in the buffer: not a power of two, since those meet in the caches.
const STRIDE: usize = STEP + 320;

/// The work as seen from outside: how far it is, and a way to end it early. Bytes.
#[derive(Debug, Default)]
pub struct CheckWatch {
    pub done: AtomicU64,
    pub total: AtomicU64,
    /// Set it to make the work end soon, without a result.
    pub cancel: AtomicBool,
}

impl CheckWatch {
    /// Bytes that are done and that there are; `None` before it has begun.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Relaxed);
        (total > 0).then(|| (self.done.load(Relaxed), total))
    }
}

/// Where the bytes of the pieces lie.
#[derive(Clone, Copy, Debug)]
pub enum PieceBytes<'a> {
    /// The files of a torrent that there is.
    Set(&'a FileSet),
    /// The files of a torrent that is being made.
    Source(&'a SourceFiles),
}

impl PieceBytes<'_> {
    fn layout(&self) -> &Layout {
        match self {
            PieceBytes::Set(files) => files.layout(),
            PieceBytes::Source(files) => files.layout(),
        }
    }

    fn read(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), FileError> {
        match self {
            PieceBytes::Set(files) => files.read(piece, begin, buffer),
            PieceBytes::Source(files) => files.read(piece, begin, buffer),
        }
    }

    fn is_hole(&self, piece: u32) -> bool {
        match self {
            PieceBytes::Set(files) => files.is_hole(piece),
            PieceBytes::Source(files) => files.is_hole(piece),
        }
    }

    fn is_cached(&self, pieces: &[u32]) -> bool {
        match self {
            PieceBytes::Set(files) => files.is_cached(pieces),
            PieceBytes::Source(files) => files.is_cached(pieces),
        }
    }
}

/// What came of a piece: its hash, or why it could not be read.
pub type Hashed = (u32, Result<Sha1Digest, FileError>);

/// Hashes `pieces`, each of which comes to `note` once, in any order and from several threads. Blocks; uses all cores.
/// False if it was cancelled.
pub fn hash_pieces(
    bytes: PieceBytes<'_>,
    pieces: &[u32],
    watch: &CheckWatch,
    note: &(dyn Fn(Vec<Hashed>) + Sync),
) -> bool {
    let layout = bytes.layout();
    let total = pieces.iter().map(|&piece| u64::from(layout.piece_len(piece))).sum();
    watch.total.fetch_add(total, Relaxed);
    let Shares { threads, batch, room } = shares(layout, pieces.len());
    let work = Work {
        bytes,
        watch,
        note,
        zeros: ZeroPiece::default(),
        batches: pieces.chunks(batch).collect(),
        room,
        next: AtomicUsize::new(0),
    };
    thread::scope(|scope| {
        // What can't be started is done without: this thread works too.
        for _ in 1..threads {
            let _ = thread::Builder::new().name("hash".into()).spawn_scoped(scope, || work.run());
        }
        work.run();
    });
    !watch.cancel.load(Relaxed)
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

/// What the threads share.
struct Work<'a> {
    bytes: PieceBytes<'a>,
    watch: &'a CheckWatch,
    note: &'a (dyn Fn(Vec<Hashed>) + Sync),
    zeros: ZeroPiece,
    batches: Vec<&'a [u32]>,
    /// See [`Shares::room`].
    room: usize,
    next: AtomicUsize,
}

impl Work<'_> {
    fn run(&self) {
        let mut buffer = Buffer::default();
        while let Some(pieces) = self.batches.get(self.next.fetch_add(1, Relaxed)) {
            if self.watch.cancel.load(Relaxed) {
                return;
            }
            self.hash_batch(pieces, &mut buffer);
        }
    }

    fn hash_batch(&self, pieces: &[u32], buffer: &mut Buffer) {
        let layout = self.bytes.layout();
        let (holes, pieces): (Vec<u32>, Vec<u32>) = pieces.iter().partition(|&&piece| self.bytes.is_hole(piece));
        self.tell(holes.into_iter().map(|piece| (piece, Ok(self.zeros.hash(layout, piece)))).collect());

        let (full, short): (Vec<u32>, Vec<u32>) =
            pieces.iter().partition(|&&piece| layout.piece_len(piece) == layout.piece_length());
        if full.len() > 1 && layout.piece_length() as usize > STEP && self.bytes.is_cached(&full) {
            self.hash_abreast(&full, buffer);
        } else if self.room == 0 {
            full.chunks(1).for_each(|pieces| self.hash_abreast(pieces, buffer));
        } else {
            full.chunks(self.room).for_each(|pieces| self.hash_whole(pieces, buffer));
        }
        short.chunks(1).for_each(|pieces| self.hash_whole(pieces, buffer));
    }

    /// Reads the pieces one after another, as many as the buffer may hold, and hashes them together.
    fn hash_whole(&self, pieces: &[u32], buffer: &mut Buffer) {
        let layout = self.bytes.layout();
        let mut hashed: Vec<Hashed> = Vec::with_capacity(pieces.len());
        let mut read = Vec::with_capacity(pieces.len());
        let mut rest = buffer.of(pieces.iter().map(|&piece| layout.piece_len(piece) as usize).sum());
        for &piece in pieces {
            let (bytes, after) = std::mem::take(&mut rest).split_at_mut(layout.piece_len(piece) as usize);
            rest = after;
            match self.bytes.read(piece, 0, bytes) {
                Ok(()) => read.push((piece, &*bytes)),
                Err(error) => hashed.push((piece, Err(error))),
            }
        }
        let messages: Vec<[&[u8]; 1]> = read.iter().map(|&(_, bytes)| [bytes]).collect();
        let digests = sha1_batch(&messages.iter().map(|message| &message[..]).collect::<Vec<_>>());
        hashed.extend(read.iter().map(|&(piece, _)| piece).zip(digests.into_iter().map(Ok)));
        self.tell(hashed);
    }

    /// Reads a step of each piece, hashes them side by side, and so on to the end. The pieces are equally long.
    fn hash_abreast(&self, pieces: &[u32], buffer: &mut Buffer) {
        let length = self.bytes.layout().piece_length() as usize;
        let buffer = buffer.of(BATCH * STRIDE);
        let mut errors: Vec<Option<FileError>> = pieces.iter().map(|_| None).collect();
        let mut hashes = Abreast::new(pieces.len());
        let mut at = 0;
        let digests = loop {
            let len = STEP.min(length - at);
            for ((&piece, part), error) in pieces.iter().zip(buffer.chunks_mut(STRIDE)).zip(&mut errors) {
                if error.is_none() {
                    *error = self.bytes.read(piece, at as u32, &mut part[..len]).err();
                }
            }
            if self.watch.cancel.load(Relaxed) {
                return;
            }
            if errors.iter().all(Option::is_some) {
                break vec![Sha1Digest::default(); pieces.len()];
            }
            let parts: Vec<&[u8]> = buffer.chunks(STRIDE).take(pieces.len()).map(|part| &part[..len]).collect();
            at += len;
            if at == length {
                break hashes.finish(&parts);
            }
            hashes.add(&parts);
        };
        // What could not be read has hashed to something else.
        let results = digests.into_iter().zip(errors).map(|(digest, error)| error.map_or(Ok(digest), Err));
        self.tell(pieces.iter().copied().zip(results).collect());
    }

    /// Passes on what came of some pieces.
    fn tell(&self, hashed: Vec<Hashed>) {
        if hashed.is_empty() {
            return;
        }
        let layout = self.bytes.layout();
        let bytes = hashed.iter().map(|(piece, _)| u64::from(layout.piece_len(*piece))).sum();
        (self.note)(hashed);
        self.watch.done.fetch_add(bytes, Relaxed);
    }
}

/// The hash of a piece of zeros, made when it is first needed.
#[derive(Default)]
struct ZeroPiece(std::sync::OnceLock<Sha1Digest>);

impl ZeroPiece {
    fn hash(&self, layout: &Layout, piece: u32) -> Sha1Digest {
        let len = layout.piece_len(piece);
        let hash = || sha1(&vec![0; len as usize]);
        if len == layout.piece_length() { *self.0.get_or_init(hash) } else { hash() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::io::file_set::tests::Fixture;

    #[test]
    fn pieces_read_in_steps_and_whole_ones_have_the_same_hashes_and_errors() {
        let piece = 3 * STEP as u32 + 1_001;
        let files = [("t/a", 7 * u64::from(piece) + 55), ("t/b", 9 * u64::from(piece)), ("t/c", 40 << 10)];
        let fx = Fixture::new(piece, &files);
        for (index, path) in fx.paths.iter().enumerate() {
            fx.place(path.to_str().unwrap(), fx.file(index));
        }
        let short = std::fs::File::options().write(true).open(fx.out.path().join("t/b")).unwrap();
        short.set_len(6 * u64::from(piece)).unwrap();
        std::fs::remove_file(fx.out.path().join("t/c")).unwrap();
        let files = FileSet::open(fx.setup()).unwrap();
        let pieces: Vec<u32> = (0..16).collect();
        let way = |abreast: bool| {
            let (watch, found) = (CheckWatch::default(), Mutex::new(Vec::new()));
            let note = |hashed: Vec<Hashed>| found.lock().unwrap().extend(hashed);
            let work = Work {
                bytes: PieceBytes::Set(&files),
                watch: &watch,
                note: &note,
                zeros: ZeroPiece::default(),
                batches: Vec::new(),
                room: 3,
                next: AtomicUsize::new(0),
            };
            let mut buffer = Buffer::default();
            match abreast {
                true => work.hash_abreast(&pieces, &mut buffer),
                false => pieces.chunks(3).for_each(|pieces| work.hash_whole(pieces, &mut buffer)),
            }
            let mut found: Vec<_> = found.into_inner().unwrap();
            found.sort_by_key(|(piece, _)| *piece);
            let told = |(piece, result): Hashed| (piece, result.map_err(|error| error.path().to_owned()));
            (found.into_iter().map(told).collect::<Vec<_>>(), watch.done.into_inner())
        };
        let (stepped, bytes) = way(true);
        assert_eq!((stepped.clone(), bytes), way(false));
        let right = stepped
            .iter()
            .filter(|(piece, hash)| hash.as_ref().is_ok_and(|hash| *hash == fx.hashes()[*piece as usize]));
        assert_eq!(right.count(), 13);
    }

    #[test]
    fn shares_stay_within_the_memory_and_are_never_nothing() {
        for piece in [1u32, 1 << 14, 1 << 20, 1 << 24, 1 << 28] {
            let layout = Layout::v1(piece, [(1, false)]);
            for pieces in [0, 1, 5, 100_000] {
                let Shares { threads, batch, room } = shares(&layout, pieces);
                assert!((1..=BATCH).contains(&batch) && threads >= 1);
                assert!(threads * room * piece as usize <= MEMORY);
                assert!(threads * batch >= pieces.min(threads), "every thread has something");
            }
        }
    }
}
