//! What `-o -` begins with: the file that is passed on, and the pieces of it that an earlier download left on disk.
//!
//! They are read instead of fetched, believed as far as a download into the folder would believe them. Nothing is made,
//! renamed, locked or written; what stands in the way of a download is no hindrance here.

use std::ffi::OsStr;
use std::sync::Arc;

use super::item::CheckMode;
use super::prepare::{MAX_OPEN, Opened, Preparation, Prepared, Store, files_of};
use crate::base::bitfield::Bitfield;
use crate::base::have_log::HaveLog;
use crate::base::metainfo::Info;
use crate::io::check::check;
use crate::io::disk::OnDisk;
use crate::io::file_set::{FileSet, FileSetup, paths_of};
use crate::io::resume::ResumeRecord;
use crate::io::take_up::{Weighed, weigh};

impl Preparation {
    /// The one selected file is to be passed on. `None` if it was cancelled.
    pub(super) fn pass_on(&self, info: Arc<Info>, selected: &[bool], record: Option<ResumeRecord>) -> Option<Prepared> {
        let count = info.layout.pieces();
        let file = files_of(&info, selected).next().unwrap_or_default();
        let mut want = Bitfield::new(count);
        for piece in info.layout.pieces_of(file) {
            want.set(piece);
        }
        let there = match self.find(&info, file, record.as_ref()) {
            Some(files) => self.believe(&info, files, &want, record.as_ref())?,
            None => None,
        };
        Some(Prepared::Opened(Box::new(Opened {
            verified: there.as_ref().map_or_else(|| Bitfield::new(count), |there| there.pieces.clone()),
            info,
            store: Store::StandardOutput { file, there },
            record,
            counted: (0, 0),
            log: HaveLog::new(count),
            spilled: Vec::new(),
            want,
            _lock: None,
        })))
    }

    /// The files, if this one is there: under the name that an earlier run gave it, or under its own.
    fn find(&self, info: &Info, file: usize, record: Option<&ResumeRecord>) -> Option<FileSet> {
        if self.item.check == CheckMode::None {
            return None;
        }
        let given = record.and_then(|record| record.name.as_deref()).map(Some);
        given.into_iter().chain([None]).find_map(|name| {
            let files = FileSet::open(FileSetup {
                layout: info.layout.clone(),
                paths: paths_of(info, name.map(OsStr::new)),
                dir: self.item.dir.clone(),
                selected: (0..info.files.len()).map(|index| index == file).collect(),
                part: true,
                allocate: self.item.allocate,
                writable: false,
                overwrite: false,
                edges: self.edges(info),
                max_open: MAX_OPEN,
            });
            match files {
                Ok(files) => files.missing().is_empty().then_some(files),
                Err(error) => {
                    tracing::info!(%error, "what is in the folder is not used");
                    None
                }
            }
        })
    }

    /// The pieces of `want` that are there and verified; the outer `None` if it was cancelled.
    fn believe(
        &self,
        info: &Info,
        files: FileSet,
        want: &Bitfield,
        record: Option<&ResumeRecord>,
    ) -> Option<Option<OnDisk>> {
        let Weighed { mut believed, mut doubtful } = match self.item.check {
            CheckMode::Full => Weighed { believed: Bitfield::new(want.len()), doubtful: files.present() },
            CheckMode::Quick | CheckMode::None => weigh(&files, record),
        };
        for piece in (0..want.len()).filter(|piece| !want.get(*piece)) {
            believed.clear(piece);
            doubtful.clear(piece);
        }
        let checked = check(&files, &info.hashes, &doubtful, &self.watch)?;
        checked.verified.ones().for_each(|piece| {
            believed.set(piece);
        });
        Some((!believed.none()).then(|| OnDisk { files: Arc::new(files), pieces: believed }))
    }
}
