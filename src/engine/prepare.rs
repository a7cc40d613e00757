//! From an info dictionary to open files: everything that may block, on a thread of its own.
//!
//! Reads the resume record, applies the selection, locks the target, opens the files, checks what is there and says
//! what is verified. Nothing is written before all of that has succeeded.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::item::{CheckMode, Failure, FailureKind, Goal, Item, Sink};
use crate::base::bitfield::Bitfield;
use crate::base::have_log::HaveLog;
use crate::base::id::TorrentId;
use crate::base::metainfo::Info;
use crate::base::selection::SelectionError;
use crate::io::check::CheckWatch;
use crate::io::disk::OnDisk;
use crate::io::file_set::{FileError, FileSet, FileSetup, paths_of};
use crate::io::lock::{LockError, TargetLock};
use crate::io::resume::{ResumeError, ResumeRecord, edges_path};
use crate::io::take_up::{Trust, take_up};
use crate::swarm::DiskFailureKind;
use crate::swarm::action::SpilledPiece;

/// Files of one torrent that may be open at a time.
pub(super) const MAX_OPEN: usize = 128;

/// What preparing has come to.
pub(super) enum Prepared {
    /// Nobody on this machine has the metadata; or the info dictionary alone, without all piece layers that the goal needs.
    Lacking(Option<Arc<Info>>),
    /// The metadata is known; with `more` the files are being looked at, and what comes of that follows.
    Known { info: Arc<Info>, selected: Arc<[bool]>, record: Option<Box<ResumeRecord>>, more: bool },
    /// The files are open.
    Opened(Box<Opened>),
    /// Said beside the others: a damaged record.
    Warning(String),
}

/// A torrent whose files are open and checked.
pub(super) struct Opened {
    pub info: Arc<Info>,
    pub store: Store,
    /// Of earlier runs; where there are files, what to keep for the next one.
    pub record: Option<ResumeRecord>,
    /// Payload of this run, received and sent, that `record` has counted already.
    pub counted: (u64, u64),
    pub log: Arc<HaveLog>,
    pub verified: Bitfield,
    pub spilled: Vec<SpilledPiece>,
    /// Pieces of selected files, verified or not; none where nothing is to be fetched.
    pub want: Bitfield,
    /// Held until the item is over.
    pub _lock: Option<TargetLock>,
}

/// Where verified pieces go.
pub(super) enum Store {
    Files(Arc<FileSet>),
    /// This file of the torrent goes to standard output; some of it may be on disk already.
    StandardOutput {
        file: usize,
        there: Option<OnDisk>,
    },
}

impl Opened {
    /// The files, if anything is kept.
    pub fn files(&self) -> Option<&Arc<FileSet>> {
        match &self.store {
            Store::Files(files) => Some(files),
            Store::StandardOutput { .. } => None,
        }
    }
}

/// What is needed to prepare an item.
pub(super) struct Preparation {
    /// As the source names it; what is written is named by what the info dictionary says.
    pub id: TorrentId,
    pub item: Item,
    pub info: Option<Arc<Info>>,
    pub state_dir: Option<PathBuf>,
    pub watch: Arc<CheckWatch>,
    pub results: mpsc::UnboundedSender<Result<Prepared, Failure>>,
}

impl Preparation {
    /// Runs it on a thread; the results come over the channel. Nobody needs to wait for the thread.
    pub fn start(self) {
        let thread = std::thread::Builder::new().name("prepare".into());
        let results = self.results.clone();
        if let Err(e) = thread.spawn(move || self.run()) {
            let _ =
                results.send(Err(Failure { kind: FailureKind::Other, message: format!("can't start a thread: {e}") }));
        }
    }

    fn run(self) {
        let result = self.prepare().transpose();
        if let Some(result) = result {
            self.say(result);
        }
    }

    fn say(&self, result: Result<Prepared, Failure>) {
        // An item that is gone by now wants no result.
        let _ = self.results.send(result);
    }

    /// `None` if it was cancelled or nothing more is to come.
    fn prepare(&self) -> Result<Option<Prepared>, Failure> {
        let record = self.load();
        let known = match &self.info {
            Some(info) => Some(record.as_ref().map_or_else(|| info.clone(), |record| record.complete(info))),
            None => record.as_ref().and_then(|record| {
                let info = Info::parse(&record.info).and_then(|info| info.with_encoded_layers(&record.layers)).ok()?;
                info.id.is_same(&self.id).then(|| Arc::new(info))
            }),
        };
        let info = match known {
            Some(info) if !self.item.goal.needs_layers() || info.missing_layers().next().is_none() => info,
            lacking => return Ok(Some(Prepared::Lacking(lacking))),
        };
        let selected = self.select(&info)?;
        let more = !matches!(self.item.goal, Goal::Metadata { .. }) && !self.item.hold;
        self.say(Ok(Prepared::Known {
            info: info.clone(),
            selected: selected.clone().into(),
            record: record.clone().map(Box::new),
            more,
        }));
        match self.item.sink {
            _ if !more => Ok(None),
            Sink::Files => self.open(info, selected, record),
            Sink::StandardOutput => Ok(self.pass_on(info, &selected, record)),
        }
    }

    fn load(&self) -> Option<ResumeRecord> {
        match ResumeRecord::load(self.state_dir.as_ref()?, &self.id) {
            Ok(record) => record,
            Err(error @ ResumeError::Damaged { .. }) => {
                self.say(Ok(Prepared::Warning(format!("{error}; what is on disk is checked instead"))));
                None
            }
            Err(error) => {
                self.say(Ok(Prepared::Warning(error.to_string())));
                None
            }
        }
    }

    fn select(&self, info: &Info) -> Result<Vec<bool>, Failure> {
        let selected = self.item.selection.apply(info).map_err(|error| {
            let kind = match error {
                SelectionError::NothingMatches(_) => FailureKind::NothingSelected,
                SelectionError::BadPattern { .. } => FailureKind::Other,
            };
            Failure { kind, message: error.to_string() }
        })?;
        let count = files_of(info, &selected).count();
        if self.item.sink == Sink::StandardOutput && count != 1 && !self.item.hold {
            let message =
                format!("-o - writes one file, but {count} are selected; name one with --select (--list shows them)");
            return Err(Failure { kind: FailureKind::SeveralSelected, message });
        }
        Ok(selected)
    }

    fn open(
        &self,
        info: Arc<Info>,
        selected: Vec<bool>,
        record: Option<ResumeRecord>,
    ) -> Result<Option<Prepared>, Failure> {
        let item = &self.item;
        let fetching = matches!(item.goal, Goal::Download { .. });
        let paths = paths_of(&info, item.name.as_deref().map(OsStr::new));
        let lock = fetching.then(|| self.lock(&info, &paths)).transpose()?;
        let files = FileSet::open(FileSetup {
            layout: info.layout.clone(),
            paths,
            dir: item.dir.clone(),
            selected,
            part: item.part,
            allocate: item.allocate,
            writable: fetching,
            overwrite: item.overwrite,
            edges: self.edges(&info),
            max_open: MAX_OPEN,
        })
        .map_err(|e| file_failure(&e))?;
        let trust = match item.check {
            CheckMode::Quick => Trust::Quick,
            CheckMode::Full => Trust::Full,
            CheckMode::None => Trust::Nothing,
        };
        let taken = take_up(&files, &info.hashes, record.as_ref(), trust, &self.watch).map_err(|e| file_failure(&e))?;
        let Some(taken) = taken else { return Ok(None) };
        if fetching && item.check_space {
            files.check_space().map_err(|e| file_failure(&e))?;
        }
        let want = if fetching { files.wanted() } else { Bitfield::new(info.layout.pieces()) };
        let log = HaveLog::new(info.layout.pieces());
        taken.verified.ones().for_each(|piece| log.push(piece));
        let record = self.renew(record, &info, &files);
        let files = Arc::new(files);
        let opened = Opened {
            info,
            store: Store::Files(files),
            record: Some(record),
            counted: (0, 0),
            log,
            verified: taken.verified,
            spilled: taken.spilled,
            want,
            _lock: lock,
        };
        Ok(Some(Prepared::Opened(Box::new(opened))))
    }

    /// Where bytes of unselected files that share a piece with selected ones are kept.
    pub(super) fn edges(&self, info: &Info) -> Option<PathBuf> {
        self.state_dir.as_ref().map(|state| edges_path(state, &info.id))
    }

    fn lock(&self, info: &Info, paths: &[PathBuf]) -> Result<TargetLock, Failure> {
        let top = paths.first().and_then(|path| path.iter().next()).map_or(Path::new(&info.name), Path::new);
        TargetLock::acquire(self.state_dir.as_deref(), &self.item.dir, top, &info.id, info.single_file).map_err(|e| {
            let (kind, advice) = match e {
                LockError::InUse { .. } => (FailureKind::InUse, ""),
                LockError::Io { .. } if self.state_dir.is_some() => {
                    (FailureKind::FileIo, "; give another --state-dir, or none, which keeps nothing")
                }
                LockError::Io { .. } => (FailureKind::FileIo, ""),
            };
            Failure { kind, message: format!("{e}{advice}") }
        })
    }

    /// The record to go on with: the old one where it speaks of this target, else a new one.
    fn renew(&self, old: Option<ResumeRecord>, info: &Info, files: &FileSet) -> ResumeRecord {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let fresh = || ResumeRecord::new(info.id, info.raw.to_vec(), files, now);
        let mut record = match old {
            Some(old) if old.describes(files) => old,
            Some(old) => ResumeRecord {
                trackers: old.trackers,
                web_seeds: old.web_seeds,
                peers: old.peers,
                unknown: old.unknown,
                ..fresh()
            },
            None => fresh(),
        };
        record.id = info.id;
        record.layers = info.encode_layers();
        record.selected = files.selected();
        record.name = self.item.name.clone();
        record
    }
}

/// The selected files that are no padding.
pub(super) fn files_of(info: &Info, selected: &[bool]) -> impl Iterator<Item = usize> {
    (0..info.files.len()).filter(|&index| selected[index] && !info.files[index].pad)
}

/// A file error as the end of an item, with what to do about it.
pub(super) fn file_failure(error: &FileError) -> Failure {
    let (kind, advice) = match error.kind() {
        DiskFailureKind::NoSpace => (FailureKind::NoSpace, ""),
        DiskFailureKind::Occupied => {
            (FailureKind::Occupied, "; move it away, choose another folder with --dir, or give --overwrite")
        }
        DiskFailureKind::Io => (FailureKind::FileIo, ""),
        DiskFailureKind::ReaderGone => (FailureKind::ReaderGone, ""),
    };
    Failure { kind, message: format!("{error}{advice}") }
}
