//! One file of a torrent, passed on in order to whoever reads, and kept nowhere.
//!
//! Pieces come in any order, with their hashes checked, and wait in memory for their turn. A piece counts as done when
//! its bytes have been taken, so a slow reader holds its memory, and by that the download. What lies in files already is
//! read from there in its turn. A thread of its own writes, since a write may wait for ever; that the reader has gone away
//! while there is nothing to write, somebody else has to say.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::{DiskReport, OnDisk, spawn};
use crate::base::layout::Layout;
use crate::base::run::RunBuffer;
use crate::swarm::{DiskFailure, DiskFailureKind, DiskOutcome};

/// Takes the pieces of one file; dropped, it writes nothing more.
#[derive(Debug)]
pub(super) struct Pipe(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<u32, Vec<RunBuffer>>,
    closed: bool,
    /// Nobody will read what is written.
    reader_gone: bool,
}

/// Bytes that are read from a file at a time.
const CHUNK: usize = 256 << 10;

/// Why nothing more is written.
enum End {
    Closed,
    ReaderGone,
}

impl Pipe {
    /// Writes file `file` of `layout` to `out`; what becomes of each piece that is not `there` goes to `reports`.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn start(
        out: impl Write + Send + 'static,
        layout: Arc<Layout>,
        file: usize,
        there: Option<OnDisk>,
        reports: UnboundedSender<DiskReport>,
    ) -> io::Result<Pipe> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let writer = Writer { shared: shared.clone(), layout, file, there, reports };
        spawn("pipe", move || writer.run(out))?;
        Ok(Pipe(shared))
    }

    /// A verified piece, to be written when its turn comes.
    pub fn give(&self, piece: u32, runs: Vec<RunBuffer>) {
        self.0.state().waiting.insert(piece, runs);
        self.0.changed.notify_one();
    }

    /// Nobody will read what is written from now on.
    pub fn on_reader_gone(&self) {
        self.0.state().reader_gone = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a piece. A reader that is gone is of interest only where there is something left to write.
    fn take(&self, piece: u32) -> Result<Vec<RunBuffer>, End> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Err(End::Closed);
            }
            if let Some(runs) = state.waiting.remove(&piece) {
                return Ok(runs);
            }
            if state.reader_gone {
                return Err(End::ReaderGone);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    layout: Arc<Layout>,
    file: usize,
    there: Option<OnDisk>,
    reports: UnboundedSender<DiskReport>,
}

impl Writer {
    fn run(self, mut out: impl Write) {
        for piece in self.layout.pieces_of(self.file) {
            if let Some(there) = self.there.as_ref().filter(|there| there.pieces.get(piece)) {
                match self.copy(&mut out, there, piece) {
                    Ok(()) => continue,
                    Err(error) => return self.report(DiskOutcome::Failed { piece, runs: Vec::new(), error }),
                }
            }
            let runs = match self.shared.take(piece) {
                Ok(runs) => runs,
                Err(End::Closed) => return,
                Err(End::ReaderGone) => return drop(self.reports.send(DiskReport::ReaderGone)),
            };
            let written = self.write(&mut out, piece, &runs);
            let failed = written.is_err();
            self.report(match written {
                Ok(()) => DiskOutcome::Verified { piece, runs },
                Err(error) => DiskOutcome::Failed { piece, runs, error: failure(&error) },
            });
            if failed {
                return;
            }
        }
        // A torrent that is gone needs no reports.
        let _ = self.reports.send(DiskReport::PassedOn);
    }

    /// Passes on what of the piece belongs to the file and lies on disk; stops early once it is closed.
    fn copy(&self, out: &mut impl Write, there: &OnDisk, piece: u32) -> Result<(), DiskFailure> {
        let mut chunk = Vec::new();
        for stretch in self.layout.stretches(piece, 0, self.layout.piece_len(piece)) {
            let end = stretch.at + stretch.len;
            for begin in (stretch.at..end).step_by(CHUNK).filter(|_| stretch.file == self.file) {
                if self.shared.state().closed {
                    return Ok(());
                }
                chunk.resize(CHUNK.min((end - begin) as usize), 0);
                there.files.read(piece, begin, &mut chunk).map_err(|error| error.to_failure())?;
                out.write_all(&chunk).map_err(|error| failure(&error))?;
            }
        }
        out.flush().map_err(|error| failure(&error))
    }

    /// Writes what of the piece belongs to the file.
    fn write(&self, out: &mut impl Write, piece: u32, runs: &[RunBuffer]) -> io::Result<()> {
        for run in runs {
            let stretches = self.layout.stretches(piece, run.run.begin(), run.bytes.len() as u32);
            for stretch in stretches.filter(|stretch| stretch.file == self.file) {
                out.write_all(&run.bytes[stretch.at as usize..][..stretch.len as usize])?;
            }
        }
        out.flush()
    }

    fn report(&self, outcome: DiskOutcome) {
        // A torrent that is gone needs no reports.
        let _ = self.reports.send(DiskReport::Outcome(outcome));
    }
}

fn failure(error: &io::Error) -> DiskFailure {
    let kind = match error.kind() {
        io::ErrorKind::BrokenPipe => DiskFailureKind::ReaderGone,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskFailureKind::NoSpace,
        _ => DiskFailureKind::Io,
    };
    DiskFailure { kind, message: format!("can't write to standard output: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bitfield::Bitfield;
    use crate::base::layout::BLOCK_LEN;
    use crate::base::run::{Run, RunId};
    use crate::io::file_set::{Allocate, FileSet, FileSetup};
    use std::sync::mpsc;
    use tokio::sync::mpsc::unbounded_channel;

    /// Three files in four pieces of two blocks; the middle one begins and ends within pieces.
    fn layout() -> Arc<Layout> {
        Arc::new(Layout::v1(2 * BLOCK_LEN, [(10_000, false), (90_000, false), (20_000, false)]))
    }

    fn runs(layout: &Layout, truth: &[u8], piece: u32) -> Vec<RunBuffer> {
        let run = Run { piece, first: 0, count: layout.blocks(piece) };
        let mut buffer = RunBuffer::new(RunId(1), run, layout);
        let start = layout.piece_offset(piece) as usize;
        buffer.bytes.copy_from_slice(&truth[start..start + layout.piece_len(piece) as usize]);
        vec![buffer]
    }

    /// Passes on what is written, as much as the other side makes room for.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes everything at once.
    struct Quick(mpsc::Sender<Vec<u8>>);

    impl Write for Quick {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn verified(report: Option<DiskReport>) -> Option<u32> {
        match report {
            Some(DiskReport::Outcome(DiskOutcome::Verified { piece, .. })) => Some(piece),
            _ => None,
        }
    }

    #[test]
    fn the_bytes_of_one_file_come_out_in_order_and_a_piece_is_done_when_they_are_taken() {
        let layout = layout();
        let truth: Vec<u8> = (0..120_000u32).map(|at| (at % 251) as u8).collect();
        let (reports, mut told) = unbounded_channel();
        let (out, taken) = mpsc::sync_channel(0);
        let pipe = Pipe::start(Slow(out), layout.clone(), 1, None, reports).unwrap();
        for piece in [2, 1, 3, 0] {
            pipe.give(piece, runs(&layout, &truth, piece));
        }
        let mut seen = taken.recv().unwrap();
        assert_eq!(verified(told.blocking_recv()), Some(0), "the first piece was taken");
        // The writer waits for its reader with piece 1: nothing more can have been told.
        assert!(told.try_recv().is_err());
        while seen.len() < 90_000 {
            seen.extend(taken.recv().unwrap());
        }
        assert!(seen == truth[10_000..100_000]);
        let rest: Vec<_> = (0..3).map(|_| verified(told.blocking_recv())).collect();
        assert_eq!(rest, [Some(1), Some(2), Some(3)]);
        assert!(matches!(told.blocking_recv(), Some(DiskReport::PassedOn)));
    }

    /// The middle two pieces lie in a file that has nothing else.
    #[test]
    fn what_is_on_disk_is_read_in_its_turn_and_its_loss_is_told_with_its_path() {
        let layout = layout();
        let truth: Vec<u8> = (0..120_000u32).map(|at| (at % 251) as u8).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b");
        let mut bytes = truth[10_000..100_000].to_vec();
        bytes[..55_536 - 32_768].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let open = || {
            let files = FileSet::open(FileSetup {
                layout: layout.clone(),
                paths: ["a", "b", "c"].map(Into::into).into(),
                dir: dir.path().into(),
                selected: vec![false, true, false],
                part: true,
                allocate: Allocate::Sparse,
                writable: false,
                overwrite: false,
                edges: None,
                max_open: 1,
            });
            let mut pieces = Bitfield::new(4);
            pieces.set(1);
            pieces.set(2);
            Some(OnDisk { files: Arc::new(files.unwrap()), pieces })
        };
        let (reports, mut told) = unbounded_channel();
        let (out, taken) = mpsc::channel();
        let pipe = Pipe::start(Quick(out.clone()), layout.clone(), 1, open(), reports).unwrap();
        for piece in [3, 0] {
            pipe.give(piece, runs(&layout, &truth, piece));
        }
        let told_of: Vec<_> = (0..2).map(|_| verified(told.blocking_recv())).collect();
        assert_eq!(told_of, [Some(0), Some(3)], "what was there is not told of");
        assert!(matches!(told.blocking_recv(), Some(DiskReport::PassedOn)));
        let seen: Vec<u8> = taken.try_iter().flatten().collect();
        assert!(seen == truth[10_000..100_000]);
        let (reports, mut told) = unbounded_channel();
        let there = open();
        std::fs::write(&path, b"short").unwrap();
        let pipe = Pipe::start(Quick(out), layout.clone(), 1, there, reports).unwrap();
        pipe.give(0, runs(&layout, &truth, 0));
        assert_eq!(verified(told.blocking_recv()), Some(0));
        let Some(DiskReport::Outcome(DiskOutcome::Failed { piece, error, .. })) = told.blocking_recv() else {
            panic!("it must fail")
        };
        assert_eq!((piece, error.kind), (1, DiskFailureKind::Io));
        assert!(error.message.contains(path.to_str().unwrap()), "{}", error.message);
    }

    #[test]
    fn a_reader_that_goes_away_fails_the_piece_that_it_would_have_got() {
        let layout = layout();
        let (reports, mut told) = unbounded_channel();
        let (out, taken) = mpsc::sync_channel(0);
        let pipe = Pipe::start(Slow(out), layout.clone(), 1, None, reports).unwrap();
        drop(taken);
        pipe.give(0, runs(&layout, &[0; 120_000], 0));
        let Some(DiskReport::Outcome(DiskOutcome::Failed { piece, error, .. })) = told.blocking_recv() else {
            panic!("it must fail")
        };
        assert_eq!((piece, error.kind), (0, DiskFailureKind::ReaderGone));
    }

    #[test]
    fn a_reader_that_is_gone_matters_once_there_is_nothing_to_write_for_it() {
        let layout = layout();
        let (reports, mut told) = unbounded_channel();
        let (out, taken) = mpsc::channel();
        let pipe = Pipe::start(Quick(out), layout.clone(), 1, None, reports).unwrap();
        pipe.give(0, runs(&layout, &[0; 120_000], 0));
        assert_eq!(verified(told.blocking_recv()), Some(0));
        pipe.on_reader_gone();
        assert!(matches!(told.blocking_recv(), Some(DiskReport::ReaderGone)));
        drop(taken);
        let (reports, mut told) = unbounded_channel();
        let (out, _taken) = mpsc::channel();
        let pipe = Pipe::start(Quick(out), layout.clone(), 1, None, reports).unwrap();
        for piece in 0..4 {
            pipe.give(piece, runs(&layout, &[0; 120_000], piece));
        }
        pipe.on_reader_gone();
        let done: Vec<_> = (0..4).map(|_| verified(told.blocking_recv())).collect();
        assert_eq!(done, [Some(0), Some(1), Some(2), Some(3)], "whoever is gone may have read all that he wants");
        assert!(matches!(told.blocking_recv(), Some(DiskReport::PassedOn)));
    }
}
