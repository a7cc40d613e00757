//! A client's storage: checks hashes, keeps bytes, takes its time, can fill up.

use std::sync::Arc;
use std::time::Duration;

use rtorrent_cli::base::bitfield::Bitfield;
use rtorrent_cli::base::run::RunBuffer;
use rtorrent_cli::swarm::action::{DiskFailure, DiskFailureKind};
use rtorrent_cli::swarm::{DiskJob, DiskOutcome};

use crate::facts::{Facts, range};

pub struct Disk {
    /// Shared with the torrent until something else is written.
    pub bytes: Arc<[u8]>,
    /// Pieces that were verified and written.
    pub verified: Bitfield,
    /// Bytes a second that it hashes and writes.
    pub speed: u64,
    /// Bytes that still fit.
    pub room: u64,
    pub mismatches: u32,
    pub spills: u32,
}

impl Disk {
    /// Empty, or with everything.
    pub fn new(facts: &Facts, full: bool) -> Disk {
        let pieces = facts.layout.pieces();
        Disk {
            bytes: if full { facts.bytes.clone() } else { vec![0; facts.bytes.len()].into() },
            verified: if full { Bitfield::full(pieces) } else { Bitfield::new(pieces) },
            speed: 200_000_000,
            room: u64::MAX,
            mismatches: 0,
            spills: 0,
        }
    }

    /// Does a job at once, and says how long that took.
    pub fn work(&mut self, facts: &Facts, job: DiskJob) -> (DiskOutcome, Duration) {
        let (piece, runs) = match &job {
            DiskJob::Finish { piece, runs, .. }
            | DiskJob::Spill { piece, runs }
            | DiskJob::Load { piece, runs, .. } => (*piece, runs),
        };
        let len: u64 = runs.iter().map(|run| run.bytes.len() as u64).sum();
        let took = Duration::from_nanos(len * 1_000_000_000 / self.speed);
        let base = range(&facts.layout, piece).start;
        let outcome = match job {
            DiskJob::Finish { piece, hash, runs } => {
                let whole: Vec<u8> = runs.iter().flat_map(|run| run.bytes.iter().copied()).collect();
                assert_eq!(whole.len(), facts.layout.piece_len(piece) as usize, "the runs cover the piece");
                assert_eq!(hash, facts.hashes.get(piece));
                if !hash.is_of(&[&whole]) {
                    self.mismatches += 1;
                    DiskOutcome::Mismatch { piece, runs }
                } else if let Some(rest) = self.room.checked_sub(len) {
                    self.room = rest;
                    Arc::make_mut(&mut self.bytes)[range(&facts.layout, piece)].copy_from_slice(&whole);
                    assert!(self.verified.set(piece), "a piece is finished once");
                    DiskOutcome::Verified { piece, runs }
                } else {
                    let error = DiskFailure { kind: DiskFailureKind::NoSpace, message: "full".into() };
                    DiskOutcome::Failed { piece, runs, error }
                }
            }
            DiskJob::Spill { piece, runs } => {
                self.spills += 1;
                runs.iter().for_each(|run| self.write(base, run));
                DiskOutcome::Spilled { piece, runs }
            }
            DiskJob::Load { piece, mut runs, blocks } => {
                runs.iter_mut().for_each(|run| self.read(base, run, &blocks));
                DiskOutcome::Loaded { piece, runs }
            }
        };
        (outcome, took)
    }

    fn write(&mut self, base: usize, run: &RunBuffer) {
        for bit in (0..run.run.count).filter(|bit| run.have >> bit & 1 == 1) {
            let block = run.block(bit);
            let at = base + run.run.begin() as usize + bit as usize * 16_384;
            Arc::make_mut(&mut self.bytes)[at..at + block.len()].copy_from_slice(block);
        }
    }

    fn read(&self, base: usize, run: &mut RunBuffer, blocks: &Bitfield) {
        let first = run.run.first;
        for bit in (0..run.run.count).filter(|bit| blocks.get(first + bit)) {
            let at = base + run.run.begin() as usize + bit as usize * 16_384;
            let block = run.block_mut(bit);
            block.copy_from_slice(&self.bytes[at..at + block.len()]);
            run.have |= 1 << bit;
        }
    }
}
