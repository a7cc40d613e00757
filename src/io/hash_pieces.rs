//! Hashing the pieces that lie on disk, with all cores.
//!
//! Threads take a few neighbouring pieces each at a time, and while some read, others hash. Pieces that lie in holes are
//! not read: their bytes are zeros.
//!
//! What the kernel has in memory is read in small steps, one of each piece of a batch, which are hashed side by side
//! while they are still in the core's cache; so even the longest pieces fill the widest kernel. What it does not have is
//! read piece by piece from front to back, as disks like it.
//!
//! A [`Recipe`] says what is made of the bytes: SHA-1, merkle trees (BEP 52), or both from one reading. The blocks under a
//! tree are many short messages, which fill the widest kernel even where there is one piece alone.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread;

use crate::base::hash::{Abreast, Sha1Digest, sha1, sha1_batch, sha256, sha256_batch};
use crate::base::layout::{BLOCK_LEN, Layout};
use crate::base::merkle::{self, Node};
use crate::base::piece_hash::{merkle_roots, tree_height};
use crate::io::file_set::{FileError, FileSet};
use crate::io::source_files::SourceFiles;

/// Bytes of buffers of one run, all threads together.
const MEMORY: usize = 48 << 20;
/// As many pieces are hashed together as the widest kernel has lanes.
const BATCH: usize = 16;
/// Bytes of one piece that are read at a time where the kernel has them: a batch of steps fits a core's second cache.
pub(super) const STEP: usize = 32 << 10;
/// Bytes between one step and the next in the buffer: their distance is no power of two, since those meet in the caches.
const GAP: usize = 320;

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

/// What is made of the bytes of each piece.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// SHA-1 of the piece (BEP 3).
    pub sha1: bool,
    /// The root of the piece's tree (BEP 52) in this v2 layout. It has as many pieces as the other one, which begin at the
    /// same bytes and may be shorter.
    pub merkle: Option<&'a Layout>,
}

/// What came of a piece; what was not asked for is zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digests {
    pub sha1: Sha1Digest,
    pub merkle: Node,
}

/// A piece, and its hashes or why it could not be read.
pub type Hashed = (u32, Result<Digests, FileError>);

/// Hashes `pieces` by `recipe`, each of which comes to `note` once, in any order and from several threads. Blocks; uses
/// all cores. False if it was cancelled.
pub fn hash_pieces(
    bytes: PieceBytes<'_>,
    pieces: &[u32],
    recipe: Recipe<'_>,
    watch: &CheckWatch,
    note: &(dyn Fn(Vec<Hashed>) + Sync),
) -> bool {
    let layout = bytes.layout();
    let total = pieces.iter().map(|&piece| u64::from(layout.piece_len(piece))).sum();
    watch.total.fetch_add(total, Relaxed);
    let Shares { threads, batch, room } = shares(layout, pieces.len());
    let work = Work {
        bytes,
        recipe,
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
    recipe: Recipe<'a>,
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
        self.tell(holes.into_iter().map(|piece| (piece, Ok(self.zeros.hash(self.recipe, layout, piece)))).collect());

        let (full, short): (Vec<u32>, Vec<u32>) =
            pieces.iter().partition(|&&piece| layout.piece_len(piece) == layout.piece_length());
        if full.len() > 1 && layout.piece_length() as usize > STEP && self.bytes.is_cached(&full) {
            self.hash_abreast(&full, buffer);
        } else {
            self.hash_in_room(&full, buffer);
        }
        self.hash_in_room(&short, buffer);
    }

    /// Hashes as many pieces at a time as there is room for, or each in steps if there is none.
    fn hash_in_room(&self, pieces: &[u32], buffer: &mut Buffer) {
        match self.room {
            0 => pieces.chunks(1).for_each(|pieces| self.hash_abreast(pieces, buffer)),
            room => pieces.chunks(room).for_each(|pieces| self.hash_whole(pieces, buffer)),
        }
    }

    /// Reads the pieces one after another, as many as the buffer may hold, and hashes them together.
    fn hash_whole(&self, pieces: &[u32], buffer: &mut Buffer) {
        let layout = self.bytes.layout();
        let mut hashed: Vec<Hashed> = Vec::with_capacity(pieces.len());
        let mut read: Vec<(u32, &[u8])> = Vec::with_capacity(pieces.len());
        let mut rest = buffer.of(pieces.iter().map(|&piece| layout.piece_len(piece) as usize).sum());
        for &piece in pieces {
            let (bytes, after) = std::mem::take(&mut rest).split_at_mut(layout.piece_len(piece) as usize);
            rest = after;
            match self.bytes.read(piece, 0, bytes) {
                Ok(()) => read.push((piece, &*bytes)),
                Err(error) => hashed.push((piece, Err(error))),
            }
        }
        let mut digests = vec![Digests::default(); read.len()];
        if self.recipe.sha1 {
            let messages: Vec<[&[u8]; 1]> = read.iter().map(|&(_, bytes)| [bytes]).collect();
            let sha1 = sha1_batch(&messages.iter().map(|message| &message[..]).collect::<Vec<_>>());
            digests.iter_mut().zip(sha1).for_each(|(digests, sha1)| digests.sha1 = sha1);
        }
        if let Some(v2) = self.recipe.merkle {
            let data: Vec<[&[u8]; 1]> =
                read.iter().map(|&(piece, bytes)| [&bytes[..v2.piece_len(piece) as usize]]).collect();
            let trees: Vec<(&[&[u8]], u32)> =
                read.iter().zip(&data).map(|((piece, _), data)| (&data[..], tree_height(v2, *piece))).collect();
            digests.iter_mut().zip(merkle_roots(&trees)).for_each(|(digests, root)| digests.merkle = root);
        }
        hashed.extend(read.iter().map(|&(piece, _)| piece).zip(digests.into_iter().map(Ok)));
        self.tell(hashed);
    }

    /// Reads a step of each piece, hashes them side by side, and so on to the end. The pieces are equally long.
    fn hash_abreast(&self, pieces: &[u32], buffer: &mut Buffer) {
        let Some(&first) = pieces.first() else { return };
        let length = self.bytes.layout().piece_len(first) as usize;
        // The fewer pieces there are, the more blocks of each it takes to fill the kernel.
        let step = if self.recipe.merkle.is_some() { STEP * (BATCH / pieces.len()) } else { STEP };
        let buffer = buffer.of(pieces.len() * (step + GAP));
        let mut errors: Vec<Option<FileError>> = pieces.iter().map(|_| None).collect();
        let mut sha1 = self.recipe.sha1.then(|| Abreast::new(pieces.len()));
        let mut leaves = self.recipe.merkle.map(|v2| (v2, vec![Vec::new(); pieces.len()]));
        let mut digests = vec![Digests::default(); pieces.len()];
        let mut at = 0;
        while at < length && !errors.iter().all(Option::is_some) {
            let len = step.min(length - at);
            for ((&piece, part), error) in pieces.iter().zip(buffer.chunks_mut(step + GAP)).zip(&mut errors) {
                if error.is_none() {
                    *error = self.bytes.read(piece, at as u32, &mut part[..len]).err();
                }
            }
            if self.watch.cancel.load(Relaxed) {
                return;
            }
            let parts: Vec<&[u8]> = buffer.chunks(step + GAP).map(|part| &part[..len]).collect();
            if let Some((v2, leaves)) = &mut leaves {
                let data =
                    |(&piece, part): (&u32, &&[u8])| (v2.piece_len(piece) as usize).saturating_sub(at).min(part.len());
                let parts: Vec<&[u8]> = pieces.iter().zip(&parts).map(|both| &both.1[..data(both)]).collect();
                add_leaves(leaves, &parts);
            }
            at += len;
            match sha1.take() {
                Some(hashes) if at == length => {
                    digests.iter_mut().zip(hashes.finish(&parts)).for_each(|(digests, sha1)| digests.sha1 = sha1);
                }
                Some(mut hashes) => {
                    hashes.add(&parts);
                    sha1 = Some(hashes);
                }
                None => {}
            }
        }
        if let Some((v2, leaves)) = leaves {
            let trees = leaves.into_iter().zip(pieces).map(|(leaves, &piece)| (leaves, tree_height(v2, piece)));
            let roots = merkle::roots(trees.collect(), 0);
            digests.iter_mut().zip(roots).for_each(|(digests, root)| digests.merkle = root);
        }
        // What could not be read has hashed to something else.
        let results = digests.into_iter().zip(errors).map(|(digests, error)| error.map_or(Ok(digests), Err));
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

/// Adds the hashes of the blocks in each of `parts` to its tree.
fn add_leaves(trees: &mut [Vec<Node>], parts: &[&[u8]]) {
    let block = BLOCK_LEN as usize;
    let blocks: Vec<[&[u8]; 1]> = parts.iter().flat_map(|part| part.chunks(block)).map(|block| [block]).collect();
    let mut hashes = sha256_batch(&blocks.iter().map(|block| &block[..]).collect::<Vec<_>>()).into_iter();
    for (tree, part) in trees.iter_mut().zip(parts) {
        tree.extend(hashes.by_ref().take(part.len().div_ceil(block)));
    }
}

/// The hashes of a piece of zeros, made when they are first needed.
#[derive(Default)]
struct ZeroPiece(std::sync::OnceLock<Digests>);

impl ZeroPiece {
    fn hash(&self, recipe: Recipe<'_>, layout: &Layout, piece: u32) -> Digests {
        let len = layout.piece_len(piece);
        let data = recipe.merkle.map_or(len, |v2| v2.piece_len(piece));
        let hash = || Digests {
            sha1: if recipe.sha1 { sha1(&vec![0; len as usize]) } else { Sha1Digest::default() },
            merkle: recipe.merkle.map_or(Node::default(), |v2| zero_tree(data, tree_height(v2, piece))),
        };
        if data == layout.piece_length() { *self.0.get_or_init(hash) } else { hash() }
    }
}

/// The root over so many bytes of zeros.
fn zero_tree(len: u32, height: u32) -> Node {
    let zeros = [0; BLOCK_LEN as usize];
    let mut leaves = vec![sha256(&zeros); (len / BLOCK_LEN) as usize];
    leaves.extend((!len.is_multiple_of(BLOCK_LEN)).then(|| sha256(&zeros[..(len % BLOCK_LEN) as usize])));
    merkle::root(&leaves, 0, height)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::piece_hash::PieceHash;
    use crate::io::file_set::fixture::Fixture;

    /// A piece, and its hashes or the file that could not be read.
    type Seen = (u32, Result<Digests, std::path::PathBuf>);

    /// What is found of the pieces `0..16` by the one way or the other, with the bytes that were counted.
    fn found(files: &FileSet, recipe: Recipe<'_>, abreast: usize) -> (Vec<Seen>, u64) {
        let pieces: Vec<u32> = (0..16).collect();
        let (watch, found) = (CheckWatch::default(), Mutex::new(Vec::new()));
        let note = |hashed: Vec<Hashed>| found.lock().unwrap().extend(hashed);
        let work = Work {
            bytes: PieceBytes::Set(files),
            recipe,
            watch: &watch,
            note: &note,
            zeros: ZeroPiece::default(),
            batches: Vec::new(),
            room: 3,
            next: AtomicUsize::new(0),
        };
        let mut buffer = Buffer::default();
        match abreast {
            0 => pieces.chunks(3).for_each(|pieces| work.hash_whole(pieces, &mut buffer)),
            n => pieces.chunks(n).for_each(|pieces| work.hash_abreast(pieces, &mut buffer)),
        }
        let mut found: Vec<_> = found.into_inner().unwrap();
        found.sort_by_key(|(piece, _)| *piece);
        let told = |(piece, result): Hashed| (piece, result.map_err(|error| error.path().to_owned()));
        (found.into_iter().map(told).collect(), watch.done.into_inner())
    }

    /// Files of 7 pieces, 9 of which 3 are lost, and one that is lost.
    fn damaged(fx: &Fixture, piece: u64) -> FileSet {
        for (index, path) in fx.paths.iter().enumerate() {
            fx.place(path.to_str().unwrap(), fx.file(index));
        }
        let short = std::fs::File::options().write(true).open(fx.out.path().join("t/b")).unwrap();
        short.set_len(6 * piece).unwrap();
        std::fs::remove_file(fx.out.path().join("t/c")).unwrap();
        FileSet::open(fx.setup()).unwrap()
    }

    #[test]
    fn pieces_read_in_steps_and_whole_ones_have_the_same_hashes_and_errors() {
        let piece = 3 * STEP as u32 + 1_001;
        let files = [("t/a", 7 * u64::from(piece) + 55), ("t/b", 9 * u64::from(piece)), ("t/c", 40 << 10)];
        let fx = Fixture::new(piece, &files);
        let files = damaged(&fx, piece.into());
        let recipe = Recipe { sha1: true, merkle: None };
        let (stepped, bytes) = found(&files, recipe, 16);
        assert_eq!((stepped.clone(), bytes), found(&files, recipe, 0));
        assert_eq!((stepped.clone(), bytes), found(&files, recipe, 5));
        let right = |(piece, found): &&Seen| {
            found.as_ref().is_ok_and(|found| PieceHash::Sha1(found.sha1) == fx.hashes().get(*piece))
        };
        assert_eq!(stepped.iter().filter(right).count(), 13);
    }

    #[test]
    fn trees_grow_in_steps_as_they_do_at_once_and_beside_sha1() {
        let piece = 4 * STEP as u32;
        let fx = Fixture::v2(piece, &[("t/a", 7 * u64::from(piece)), ("t/b", 9 * u64::from(piece)), ("t/c", 40 << 10)]);
        let files = damaged(&fx, piece.into());
        for sha1 in [false, true] {
            let recipe = Recipe { sha1, merkle: Some(&fx.layout) };
            let (stepped, bytes) = found(&files, recipe, 16);
            assert_eq!((stepped.clone(), bytes), found(&files, recipe, 0));
            assert_eq!((stepped.clone(), bytes), found(&files, recipe, 3));
            assert_eq!((stepped.clone(), bytes), found(&files, recipe, 1));
            let right = |(piece, found): &&Seen| {
                found.as_ref().is_ok_and(|found| {
                    let root =
                        matches!(fx.hashes().get(*piece), PieceHash::Merkle { root, .. } if root == found.merkle);
                    root && found.sha1 == if sha1 { crate::base::hash::sha1(fx.piece(*piece)) } else { [0; 20] }
                })
            };
            assert_eq!(stepped.iter().filter(right).count(), 13);
        }
    }

    #[test]
    fn zeros_have_the_hash_of_zeros() {
        for (len, height) in [(1, 0), (16_384, 0), (16_385, 1), (40_000, 2), (65_536, 2), (40_000, 5)] {
            let zeros = vec![0; len as usize];
            assert_eq!(zero_tree(len, height), merkle_roots(&[(&[&zeros], height)])[0], "{len} {height}");
        }
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
