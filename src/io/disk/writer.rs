//! The threads that hash and write.

use std::sync::Arc;

use super::queue::Queue;
use super::syncer::Syncer;
use super::{DiskReport, Store, Torrent};
use crate::base::bitfield::Bitfield;
use crate::base::layout::BLOCK_LEN;
use crate::base::piece_hash::{PieceHash, are_right};
use crate::base::run::RunBuffer;
use crate::io::file_set::{FileError, FileSet, Stretched};
use crate::swarm::{DiskFailure, DiskFailureKind, DiskJob, DiskOutcome};

/// As many pieces are hashed together as the widest kernel has lanes.
const BATCH: usize = 16;

/// Bytes that wait in memory for a batch to fill, at most.
const HELD_BACK: usize = 16 << 20;

type Job = (Arc<Torrent>, DiskJob);

/// A piece in memory.
struct Piece {
    torrent: Arc<Torrent>,
    index: u32,
    hash: PieceHash,
    runs: Vec<RunBuffer>,
}

/// Works until the queue is closed and empty.
pub(super) fn run(jobs: &Queue<Job>, syncer: &Syncer) {
    loop {
        let batch = jobs.pop_batch(BATCH, worth_waiting_for, |(_, job)| matches!(job, DiskJob::Finish { .. }));
        if batch.is_empty() {
            return;
        }
        let mut pieces = Vec::with_capacity(batch.len());
        for (torrent, job) in batch {
            match job {
                DiskJob::Finish { piece: index, hash, runs } => pieces.push(Piece { torrent, index, hash, runs }),
                DiskJob::Spill { piece, runs } => spill(&torrent, piece, runs, syncer),
                DiskJob::Load { piece, runs, blocks } => load(&torrent, piece, runs, &blocks),
            }
        }
        finish(pieces, syncer);
    }
}

/// Pieces like this one that a batch may be held back for: as many as do not tie up much memory, and fill the kernel.
fn worth_waiting_for((_, job): &Job) -> usize {
    match job {
        DiskJob::Finish { hash, runs, .. } => {
            let bytes = runs.iter().map(|run| run.bytes.len()).sum::<usize>().max(1);
            let messages = match hash {
                PieceHash::Sha1(_) => 1,
                PieceHash::Merkle { .. } => bytes.div_ceil(BLOCK_LEN as usize),
            };
            (HELD_BACK / bytes).min(BATCH.div_ceil(messages))
        }
        DiskJob::Spill { .. } | DiskJob::Load { .. } => 0,
    }
}

/// Hashes all the pieces at once and writes those that are right, neighbours of one torrent together.
fn finish(pieces: Vec<Piece>, syncer: &Syncer) {
    if pieces.is_empty() {
        return;
    }
    let (mut right, wrong) = sort_out(pieces);
    for Piece { torrent, index: piece, runs, .. } in wrong {
        torrent.report(DiskReport::Outcome(DiskOutcome::Mismatch { piece, runs }));
    }
    right.sort_by_key(|piece| (Arc::as_ptr(&piece.torrent) as usize, piece.index));
    while !right.is_empty() {
        let next = |(a, b): (&Piece, &Piece)| Arc::ptr_eq(&a.torrent, &b.torrent) && a.index + 1 == b.index;
        let joined = 1 + right.iter().zip(&right[1..]).take_while(|&pair| next(pair)).count();
        let rest = right.split_off(joined);
        write_neighbours(std::mem::replace(&mut right, rest), syncer);
    }
}

/// The pieces whose hash is right, and the others.
fn sort_out(pieces: Vec<Piece>) -> (Vec<Piece>, Vec<Piece>) {
    let slices: Vec<Vec<&[u8]>> =
        pieces.iter().map(|piece| piece.runs.iter().map(|run| &run.bytes[..]).collect()).collect();
    let judged: Vec<_> = pieces.iter().zip(&slices).map(|(piece, slices)| (piece.hash, &slices[..])).collect();
    let mut right = are_right(&judged).into_iter();
    pieces.into_iter().partition(|_| right.next() == Some(true))
}

fn write_neighbours(pieces: Vec<Piece>, syncer: &Syncer) {
    let torrent = pieces[0].torrent.clone();
    let files = match &torrent.store {
        Store::Files(files) => files,
        Store::Pipe(pipe) => return pieces.into_iter().for_each(|piece| pipe.give(piece.index, piece.runs)),
    };
    let parts: Vec<_> = pieces.iter().flat_map(|piece| piece.runs.iter().map(whole_run)).collect();
    let written = files.write(&parts);
    for Piece { index: piece, runs, .. } in pieces {
        let done = match &written {
            Ok(()) => files.mark_verified(piece).map_err(|error| error.to_failure()),
            Err(error) => Err(error.to_failure()),
        };
        // Files first: who hears that everything is verified has heard of every file.
        for file in files.take_finished() {
            torrent.report(DiskReport::Finished(file));
        }
        torrent.report(DiskReport::Outcome(match done {
            Ok(()) => DiskOutcome::Verified { piece, runs },
            Err(error) => DiskOutcome::Failed { piece, runs, error },
        }));
    }
    syncer.note_write(&torrent);
}

fn whole_run(run: &RunBuffer) -> Stretched<'_> {
    Stretched { piece: run.run.piece, begin: run.run.begin(), bytes: &run.bytes }
}

/// Writes the blocks that are there to their place, unverified.
fn spill(torrent: &Arc<Torrent>, piece: u32, runs: Vec<RunBuffer>, syncer: &Syncer) {
    let Some(files) = torrent.files() else { return refuse(torrent, piece, runs) };
    let blocks = |run| ranges(run, |run: &RunBuffer, block| run.have >> block & 1 == 1);
    let parts: Vec<_> = runs
        .iter()
        .flat_map(|run| {
            blocks(run).into_iter().map(move |range| Stretched {
                piece,
                begin: run.run.begin() + range.start as u32,
                bytes: &run.bytes[range],
            })
        })
        .collect();
    let written = files.write(&parts);
    torrent.report(DiskReport::Outcome(match written {
        Ok(()) => DiskOutcome::Spilled { piece, runs },
        Err(error) => DiskOutcome::Failed { piece, runs, error: error.to_failure() },
    }));
    syncer.note_write(torrent);
}

/// Reads the blocks that `blocks` marks back into the runs.
fn load(torrent: &Arc<Torrent>, piece: u32, mut runs: Vec<RunBuffer>, blocks: &Bitfield) {
    let Some(files) = torrent.files() else { return refuse(torrent, piece, runs) };
    let loaded = runs.iter_mut().try_for_each(|run| load_run(files, run, blocks));
    torrent.report(DiskReport::Outcome(match loaded {
        Ok(()) => DiskOutcome::Loaded { piece, runs },
        Err(error) => DiskOutcome::Failed { piece, runs, error: error.to_failure() },
    }));
}

/// Unverified blocks have no place where nothing is kept.
fn refuse(torrent: &Torrent, piece: u32, runs: Vec<RunBuffer>) {
    let message = "nothing is kept of this torrent".to_owned();
    let error = DiskFailure { kind: DiskFailureKind::Io, message };
    torrent.report(DiskReport::Outcome(DiskOutcome::Failed { piece, runs, error }));
}

fn load_run(files: &FileSet, run: &mut RunBuffer, blocks: &Bitfield) -> Result<(), FileError> {
    let first = run.run.first;
    for range in ranges(run, |_, block| blocks.get(first + block)) {
        files.read(run.run.piece, run.run.begin() + range.start as u32, &mut run.bytes[range])?;
    }
    for block in (0..run.run.count).filter(|block| blocks.get(first + block)) {
        run.have |= 1 << block;
        run.want &= !(1 << block);
    }
    Ok(())
}

/// The byte ranges of the run's blocks of which `chosen` holds (its block index counts from the run's first), those
/// side by side joined.
fn ranges(run: &RunBuffer, chosen: impl Fn(&RunBuffer, u32) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for block in (0..run.run.count).filter(|&block| chosen(run, block)) {
        let start = (block * BLOCK_LEN) as usize;
        let end = run.bytes.len().min(start + BLOCK_LEN as usize);
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}
