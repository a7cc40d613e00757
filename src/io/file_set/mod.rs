//! The files of one torrent on disk.
//!
//! [`FileSet`] knows for each file where its bytes lie: under its name, under its name with `.part` while it is
//! unfinished, or in the torrent's edge file as long as it is not selected. Files are made when their first byte comes,
//! sparse and at full length, and get their name when every byte is verified. Padding is never stored and reads as
//! zeros. Everything goes through the `folder` wall, so that nothing outside the output folder is touched.
//!
//! It is shared by the disk threads. One mutex guards what is known of the files; no data is read or written under it.
//!
//! The life of a set: [`FileSet::open`] looks at what is there; `io::take_up` weighs and checks it, and
//! [`FileSet::adopt`] settles what is taken up; then [`FileSet::write`], [`FileSet::read`] and
//! [`FileSet::mark_verified`], and now and then [`FileSet::sync`].

mod adopt;
mod edges;
mod error;
mod folder;
pub(in crate::io) mod handles;
mod presence;
mod survey;
mod sync;
pub(in crate::io) mod sys;
mod transfer;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use error::FileError;
pub use sync::Synced;
pub use sys::free_space;
pub use transfer::Stretched;

use self::edges::Edges;
use self::folder::Folder;
use self::handles::Handles;
use crate::base::bitfield::Bitfield;
use crate::base::layout::Layout;
use crate::base::metainfo::Info;

/// What a set of files is opened with.
#[derive(Debug)]
pub struct FileSetup {
    pub layout: Arc<Layout>,
    /// Below the output folder, one for each file of the layout; see [`paths_of`].
    pub paths: Vec<PathBuf>,
    /// The output folder; made if missing and `writable`.
    pub dir: PathBuf,
    /// One for each file of the layout.
    pub selected: Vec<bool>,
    /// Unfinished files carry `.part`.
    pub part: bool,
    pub allocate: Allocate,
    /// Nothing on disk is made, changed or renamed without it.
    pub writable: bool,
    /// Go on where something of a foreign make stands in the way.
    pub overwrite: bool,
    /// Where bytes of unselected files are kept; `None`: in a temporary file.
    pub edges: Option<PathBuf>,
    /// Files open at a time, at most; 128 unless the process may open few.
    pub max_open: usize,
}

/// How a new file gets its room on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Allocate {
    /// It grows as it is written.
    None,
    /// It has its full length at once, and holes where nothing is written yet.
    #[default]
    Sparse,
    /// Its full length is set aside at once, so that it can't run out of space; sparse where the file system can't.
    Full,
}

/// The paths of a torrent's files below the output folder; `name` takes the place of the single file's or the top
/// folder's own name. The name must be one plain part of a path (checked when the files are opened).
pub fn paths_of(info: &Info, name: Option<&OsStr>) -> Vec<PathBuf> {
    let renamed = |path: &Path| match name {
        None => path.to_owned(),
        Some(name) => Path::new(name).join(path.iter().skip(1).collect::<PathBuf>()),
    };
    let plain = |path: PathBuf| path.components().collect();
    info.files.iter().map(|file| plain(renamed(file.path.as_path()))).collect()
}

/// The files of one torrent.
#[derive(Debug)]
pub struct FileSet {
    layout: Arc<Layout>,
    paths: Box<[Box<Path>]>,
    folder: Folder,
    part: bool,
    allocate: Allocate,
    writable: bool,
    overwrite: bool,
    edges: Edges,
    state: Mutex<State>,
}

/// What is known of the files.
#[derive(Debug)]
struct State {
    slots: Box<[Slot]>,
    /// Pieces whose bytes are verified and written.
    verified: Bitfield,
    handles: Handles,
    dirty: sync::Dirty,
    /// Files that got whole since they were asked for.
    finished: Vec<usize>,
}

/// What is known of one file.
#[derive(Clone, Debug)]
struct Slot {
    place: Place,
    selected: bool,
    /// Pieces of it that are not verified yet.
    remaining: u32,
    /// As last seen on disk.
    stamp: Option<Stamp>,
    /// Bytes that the file system has set aside for it, as first seen.
    allocated: u64,
    /// Something stands at the final name beside the `.part` file.
    twin: bool,
}

/// Where the bytes of a file lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Nowhere: padding.
    Padding,
    /// Not selected and not on disk: what a shared piece holds of it lies in the edge file.
    Edges,
    /// Selected and not on disk yet; what lies in the edge file moves when the file is made.
    Absent,
    /// Under its name with `.part`.
    Part,
    /// Under its name.
    Named,
}

impl Place {
    fn is_on_disk(self) -> bool {
        matches!(self, Place::Part | Place::Named)
    }
}

/// Size and time of a file, by which a later run sees whether somebody else changed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime: i64,
}

impl Stamp {
    pub(in crate::io) fn of(meta: &std::fs::Metadata) -> Stamp {
        Stamp { size: meta.len(), mtime: sys::mtime_ns(meta.modified().ok()) }
    }
}

impl FileSet {
    /// Opens the output folder and looks at what stands at the files' names; nothing is made but the folder.
    ///
    /// # Errors
    /// [`FileError::Link`] and [`FileError::Occupied`] for what stands in the way of a selected file, and what the file
    /// system says.
    ///
    /// # Panics
    /// If `paths` or `selected` has not one entry for each file of the layout.
    pub fn open(setup: FileSetup) -> Result<FileSet, FileError> {
        let files = setup.layout.files().len();
        assert!(setup.paths.len() == files && setup.selected.len() == files, "one path and one choice a file");
        let folder = Folder::open(&setup.dir, setup.writable)?;
        let slots = survey::look_at_all(&setup, &folder)?;
        Ok(FileSet {
            edges: Edges::new(&setup.layout, setup.edges),
            paths: setup.paths.into_iter().map(PathBuf::into_boxed_path).collect(),
            folder,
            part: setup.part,
            allocate: setup.allocate,
            writable: setup.writable,
            overwrite: setup.overwrite,
            state: Mutex::new(State {
                slots,
                verified: Bitfield::new(setup.layout.pieces()),
                handles: Handles::new(setup.max_open),
                dirty: sync::Dirty::new(files),
                finished: Vec::new(),
            }),
            layout: setup.layout,
        })
    }

    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The output folder, without links.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Where file `index` stands when it is finished.
    pub fn path(&self, index: usize) -> PathBuf {
        self.folder.path().join(&self.paths[index])
    }

    /// Where the single file or the top folder stands when it is finished.
    pub fn target(&self) -> PathBuf {
        let top = self.paths.first().and_then(|path| path.iter().next());
        top.map_or_else(|| self.folder.path().to_owned(), |top| self.folder.path().join(top))
    }

    /// True if `path` is where file `index` stands or will stand.
    pub fn stands_at(&self, index: usize, path: &Path) -> bool {
        let named = self.path(index);
        path == named || path == folder::part_path(&named)
    }

    /// The pieces that are verified and written.
    pub fn verified(&self) -> Bitfield {
        self.state().verified.clone()
    }

    /// The selected files that got whole since the last call (also those that were found whole by
    /// [`FileSet::adopt`]).
    pub fn take_finished(&self) -> Vec<usize> {
        std::mem::take(&mut self.state().finished)
    }

    /// One bool a file: what is selected now.
    pub fn selected(&self) -> Vec<bool> {
        self.state().slots.iter().map(|slot| slot.selected).collect()
    }

    /// The pieces that hold bytes of selected files.
    pub fn wanted(&self) -> Bitfield {
        let mut wanted = Bitfield::new(self.layout.pieces());
        for (index, slot) in self.state().slots.iter().enumerate() {
            if slot.selected && slot.place != Place::Padding {
                self.layout.pieces_of(index).for_each(|piece| {
                    wanted.set(piece);
                });
            }
        }
        wanted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What the mutex guards is whole after every statement, so that a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
