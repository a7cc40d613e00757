use std::fs;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::base::bitfield::Bitfield;
use crate::base::layout::BLOCK_LEN;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::io::file_set::fixture::Fixture;
use crate::swarm::DiskFailureKind;

struct Bench {
    fx: Fixture,
    disk: TorrentDisk,
    reports: UnboundedReceiver<DiskReport>,
}

/// Pieces of 5 blocks; the last is short, and file b lies within one.
fn bench(writers: usize, selected: &[usize]) -> Bench {
    let piece = 5 * BLOCK_LEN;
    let fx = Fixture::new(piece, &[("t/a", 10 * u64::from(piece) + 5), ("t/b", 700), ("t/c", 20 * u64::from(piece))]);
    bench_of(fx, writers, selected)
}

/// The same files as v2 pieces of 4 blocks (BEP 52), of which no two files share one.
fn bench_v2(writers: usize, selected: &[usize]) -> Bench {
    let piece = 4 * BLOCK_LEN;
    let fx = Fixture::v2(piece, &[("t/a", 10 * u64::from(piece) + 5), ("t/b", 700), ("t/c", 20 * u64::from(piece))]);
    bench_of(fx, writers, selected)
}

fn bench_of(fx: Fixture, writers: usize, selected: &[usize]) -> Bench {
    let (sender, reports) = unbounded_channel();
    let disk = DiskPool::start(writers).unwrap().torrent(Arc::new(fx.open(selected)), sender);
    Bench { fx, disk, reports }
}

impl Bench {
    /// The piece in a run of 3 blocks and one of the rest (less in a short piece), every block there.
    fn runs(&self, piece: u32) -> Vec<RunBuffer> {
        let blocks = self.fx.layout.blocks(piece);
        let runs =
            [Run { piece, first: 0, count: blocks.min(3) }, Run { piece, first: 3, count: blocks.saturating_sub(3) }];
        runs.into_iter()
            .filter(|run| run.count > 0)
            .map(|run| {
                let mut buffer = RunBuffer::new(RunId(piece.into()), run, &self.fx.layout);
                buffer.bytes.copy_from_slice(&self.fx.piece(piece)[run.begin() as usize..][..buffer.bytes.len()]);
                (buffer.have, buffer.want) = (run.full_mask(), 0);
                buffer
            })
            .collect()
    }

    fn finish(&self, piece: u32) {
        let hash = self.fx.hashes().get(piece);
        self.disk.submit(DiskJob::Finish { piece, hash, runs: self.runs(piece) });
    }

    fn report(&mut self) -> DiskReport {
        self.reports.blocking_recv().unwrap()
    }

    fn outcome(&mut self) -> DiskOutcome {
        loop {
            if let DiskReport::Outcome(outcome) = self.report() {
                return outcome;
            }
        }
    }
}

#[test]
fn pieces_in_any_order_end_up_as_the_files() {
    for (writers, make) in [(1, bench as fn(_, &[usize]) -> Bench), (3, bench), (1, bench_v2), (3, bench_v2)] {
        let mut bench = make(writers, &[0, 1, 2]);
        let pieces = bench.fx.layout.pieces();
        let order: Vec<u32> = (0..pieces).map(|n| n * 7 % pieces).collect();
        order.iter().for_each(|&piece| bench.finish(piece));
        let (mut seen, mut finished, mut synced) = (Bitfield::new(pieces), Vec::new(), None);
        while !seen.all() || finished.len() < 3 {
            match bench.report() {
                DiskReport::Outcome(DiskOutcome::Verified { piece, runs }) => {
                    assert!(seen.set(piece), "one outcome a job");
                    assert_eq!(runs.iter().map(|run| run.bytes.len()).sum::<usize>(), bench.fx.piece(piece).len());
                }
                DiskReport::Finished(file) => finished.push(file),
                other => panic!("{other:?}"),
            }
        }
        bench.disk.sync();
        while synced.is_none() {
            if let DiskReport::Synced(report) = bench.report() {
                synced = Some(report);
            }
        }
        assert!(synced.unwrap().verified.all());
        for (index, name) in ["t/a", "t/b", "t/c"].into_iter().enumerate() {
            assert!(bench.fx.on_disk(name) == bench.fx.file(index), "{name}");
        }
    }
}

#[test]
fn a_wrong_piece_is_not_written_and_its_bytes_come_back() {
    wrong_piece(bench(1, &[0, 1, 2]));
    wrong_piece(bench_v2(1, &[0, 1, 2]));
}

fn wrong_piece(mut bench: Bench) {
    let mut runs = bench.runs(2);
    runs[1].bytes[7] ^= 1;
    let hash = bench.fx.hashes().get(2);
    bench.finish(1);
    bench.disk.submit(DiskJob::Finish { piece: 2, hash, runs });
    bench.finish(3);
    let mut right = Vec::new();
    for _ in 0..3 {
        match bench.outcome() {
            DiskOutcome::Verified { piece, .. } => right.push(piece),
            DiskOutcome::Mismatch { piece: 2, runs } => assert_eq!(runs[1].bytes[7], bench.runs(2)[1].bytes[7] ^ 1),
            other => panic!("{other:?}"),
        }
    }
    right.sort_unstable();
    assert_eq!((right, bench.disk.torrent.files().unwrap().verified().count()), (vec![1, 3], 2));
    let piece = bench.fx.layout.piece_length() as usize;
    assert!(bench.fx.on_disk("t/a.part")[2 * piece..3 * piece].iter().all(|&byte| byte == 0));
}

#[test]
fn spilled_blocks_come_back_into_fresh_buffers_even_from_the_edge_file() {
    // Piece 10 lies in a, b and c; only a is selected.
    let mut bench = bench(1, &[0]);
    let mut runs = bench.runs(10);
    runs[0].have = 0b101;
    runs[0].want = 0b010;
    runs[1].have = 0b10;
    runs[1].want = 0b01;
    bench.disk.submit(DiskJob::Spill { piece: 10, runs });
    assert!(matches!(bench.outcome(), DiskOutcome::Spilled { piece: 10, .. }));
    assert_eq!(bench.fx.tree(), ["t/", "t/a.part"]);

    let mut blocks = Bitfield::new(5);
    [0, 2, 4].into_iter().for_each(|block| {
        blocks.set(block);
    });
    let fresh = [Run { piece: 10, first: 0, count: 4 }, Run { piece: 10, first: 4, count: 1 }]
        .map(|run| RunBuffer::new(RunId(0), run, &bench.fx.layout));
    bench.disk.submit(DiskJob::Load { piece: 10, runs: fresh.into(), blocks });
    let DiskOutcome::Loaded { piece: 10, runs } = bench.outcome() else { panic!("not loaded") };
    assert_eq!((runs[0].have, runs[0].want, runs[1].have, runs[1].want), (0b101, 0b1010, 1, 0));
    let block = BLOCK_LEN as usize;
    let expected = bench.fx.piece(10);
    assert_eq!(runs[0].block(0), &expected[..block]);
    assert_eq!(runs[0].block(2), &expected[2 * block..3 * block]);
    assert_eq!(runs[1].block(0), &expected[4 * block..]);
    assert!(runs[0].block(1).iter().all(|&byte| byte == 0), "what was not there was not read");
}

#[test]
fn uploads_read_what_was_verified_and_nothing_that_is_not_there() {
    let mut bench = bench(1, &[0, 1, 2]);
    bench.finish(10);
    assert!(matches!(bench.outcome(), DiskOutcome::Verified { .. }));
    let bytes = bench.disk.read(10, 3, 2 * BLOCK_LEN).blocking_recv().unwrap().unwrap();
    assert_eq!(bytes, bench.fx.piece(10)[3..3 + 2 * BLOCK_LEN as usize]);
    fs::remove_file(bench.fx.out.path().join("t/b")).unwrap();
    fs::write(bench.fx.out.path().join("t/c.part"), b"").unwrap();
    let error = bench.disk.read(10, 0, 5 * BLOCK_LEN).blocking_recv().unwrap().unwrap_err();
    assert!(matches!(error, FileError::Short { .. }), "{error}");
}

#[test]
fn a_refusing_file_system_fails_the_jobs_and_says_why() {
    let mut bench = bench(1, &[0, 1, 2]);
    fs::create_dir_all(bench.fx.out.path().join("t/a.part")).unwrap();
    bench.finish(1);
    let DiskOutcome::Failed { piece: 1, runs, error } = bench.outcome() else { panic!("not failed") };
    assert_eq!((runs.len(), error.kind), (2, DiskFailureKind::Occupied));
    assert!(error.message.contains("a.part"), "{error}");
    assert!(bench.disk.torrent.files().unwrap().verified().none());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_file_system_fails_each_job_and_the_threads_live_on() {
    let mut bench = bench(1, &[0, 1, 2]);
    bench.finish(0);
    assert!(matches!(bench.outcome(), DiskOutcome::Verified { .. }));
    crate::io::file_set::fixture::fill_up(bench.disk.torrent.files().unwrap(), 0);
    bench.finish(1);
    let runs = bench.runs(3);
    bench.disk.submit(DiskJob::Spill { piece: 3, runs });
    bench.finish(11);
    for _ in 0..2 {
        let DiskOutcome::Failed { piece: 1 | 3, error, .. } = bench.outcome() else { panic!("not failed") };
        assert_eq!(error.kind, DiskFailureKind::NoSpace);
    }
    assert!(matches!(bench.outcome(), DiskOutcome::Verified { piece: 11, .. }), "another file may still have room");
}

#[test]
fn what_was_found_by_hashing_is_synced_and_told_unasked() {
    let bench = bench(1, &[0, 1, 2]);
    bench.fx.place("t/b", bench.fx.file(1));
    bench.fx.place("t/a", bench.fx.file(0));
    let start = |record: Option<&crate::io::resume::ResumeRecord>| {
        let files = FileSet::open(bench.fx.setup()).unwrap();
        let watch = crate::io::check::CheckWatch::default();
        crate::io::take_up::take_up(&files, &bench.fx.hashes(), record, Default::default(), &watch).unwrap().unwrap();
        let (sender, reports) = unbounded_channel();
        let files = Arc::new(files);
        let pool = DiskPool::start(1).unwrap();
        drop(pool.torrent(files.clone(), sender));
        drop(pool);
        (files, reports)
    };
    let (files, mut reports) = start(None);
    let Some(DiskReport::Synced(synced)) = reports.blocking_recv() else { panic!("not told") };
    assert_eq!(synced.verified.count(), 10);
    let id = crate::base::id::TorrentId::from_v1(crate::base::id::InfoHashV1([0; 20]));
    let mut record = crate::io::resume::ResumeRecord::new(id, Vec::new(), &files, 0);
    assert!(!record.speaks_of(&files) && record.describes(&files));
    record.note(synced);
    drop(files);
    let (files, mut reports) = start(Some(&record));
    assert!(reports.blocking_recv().is_none(), "the record says it all");
    assert_eq!(files.verified(), record.verified);
}

#[test]
fn work_that_was_queued_is_done_after_the_last_handle_is_gone() {
    let mut bench = bench(1, &[0, 1, 2]);
    (0..10).for_each(|piece| bench.finish(piece));
    let (sender, _) = unbounded_channel();
    let files = bench.disk.torrent.files().unwrap().clone();
    let spare = DiskPool::start(1).unwrap().torrent(files, sender);
    drop(std::mem::replace(&mut bench.disk, spare));
    for _ in 0..10 {
        assert!(matches!(bench.outcome(), DiskOutcome::Verified { .. }));
    }
}
