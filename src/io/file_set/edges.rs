//! The edge file: bytes of files that are not on disk, where a piece that is wanted reaches into them.
//!
//! One file per torrent in the state folder. Each piece that two or more files share has a slot there, as long as a
//! piece and at a place that follows from the layout alone, so that it needs no index and any later selection finds the
//! bytes again. It is sparse: only what lies in unselected files is ever written. Without a state folder, or while
//! another process holds the file, an unnamed temporary one takes its place.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::FileError;
use super::{Stamp, sys};
use crate::base::layout::Layout;
use crate::io::state_folder;

#[derive(Debug)]
pub(super) struct Edges {
    /// The pieces that have a slot, rising; the slot's number is the place in this list.
    shared: Box<[u32]>,
    slot_len: u64,
    /// `None`: nothing outlives the run.
    path: Option<PathBuf>,
    file: Mutex<Option<Held>>,
}

#[derive(Debug, Clone)]
struct Held {
    file: Arc<File>,
    /// It has a name and outlives the run.
    kept: bool,
}

impl Edges {
    pub fn new(layout: &Layout, path: Option<PathBuf>) -> Edges {
        Edges { shared: shared_pieces(layout), slot_len: layout.piece_length().into(), path, file: Mutex::new(None) }
    }

    /// True if bytes of `piece` may lie here.
    pub fn covers(&self, piece: u32) -> bool {
        self.slot(piece).is_some()
    }

    /// True if there is an edge file.
    pub fn exists(&self) -> bool {
        self.held(false).is_ok()
    }

    /// Writes `slices` at `within` bytes into the slot of `piece`, which must be covered.
    pub fn write(&self, piece: u32, within: u32, slices: &mut [IoSlice<'_>]) -> Result<(), FileError> {
        let held = self.held(true)?;
        let at = self.place(piece, within)?;
        sys::write_all_at(&held.file, slices, at).map_err(|e| FileError::io("write", self.name(), e))
    }

    /// Fills `buffer` from `within` bytes into the slot of `piece`; what was never written reads as zeros.
    ///
    /// # Errors
    /// [`FileError::Missing`] if there is no edge file or it has no such slot.
    pub fn read(&self, piece: u32, within: u32, buffer: &mut [u8]) -> Result<(), FileError> {
        let held = self.held(false)?;
        let at = self.place(piece, within)?;
        let found = sys::read_at(&held.file, buffer, at).map_err(|e| FileError::io("read", self.name(), e))?;
        match found == buffer.len() {
            true => Ok(()),
            false => Err(FileError::Missing { path: self.name() }),
        }
    }

    /// Size and time of the edge file, if there is one that outlives the run.
    pub fn stamp(&self) -> Option<Stamp> {
        match self.held(false) {
            Ok(Held { file, kept: true }) => file.metadata().ok().map(|meta| Stamp::of(&meta)),
            _ => None,
        }
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), FileError> {
        match self.held(false) {
            Ok(Held { file, kept: true }) => file.sync_data().map_err(|e| FileError::io("sync", self.name(), e)),
            _ => Ok(()),
        }
    }

    fn slot(&self, piece: u32) -> Option<u64> {
        self.shared.binary_search(&piece).ok().map(|rank| rank as u64)
    }

    fn place(&self, piece: u32, within: u32) -> Result<u64, FileError> {
        match self.slot(piece) {
            Some(slot) => Ok(slot * self.slot_len + u64::from(within)),
            None => Err(FileError::Missing { path: self.name() }),
        }
    }

    fn held(&self, make: bool) -> Result<Held, FileError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = &*file {
            return Ok(held.clone());
        }
        let opened = match &self.path {
            Some(path) => open_kept(path, make).map_err(|e| FileError::io("open", path, e))?,
            None => None,
        };
        let held = match opened {
            Some(file) => Held { file: Arc::new(file), kept: true },
            None if make => {
                let file =
                    tempfile::tempfile().map_err(|e| FileError::io("make a file in", std::env::temp_dir(), e))?;
                Held { file: Arc::new(file), kept: false }
            }
            None => return Err(FileError::Missing { path: self.name() }),
        };
        *file = Some(held.clone());
        Ok(held)
    }

    fn name(&self) -> PathBuf {
        self.path.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Opens the named edge file; `None` if it is not there and is not to be made, or if another process holds it.
fn open_kept(path: &Path, make: bool) -> io::Result<Option<File>> {
    if let (true, Some(folder)) = (make, path.parent()) {
        state_folder::make(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(make).truncate(false);
    // Bytes of files that may be nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound && !make => Ok(None),
        Err(e) => Err(e),
    }
}

/// The pieces that hold bytes of two or more files, padding not counted.
fn shared_pieces(layout: &Layout) -> Box<[u32]> {
    let mut shared = Vec::new();
    let mut last_of_previous = None;
    for (file, span) in layout.files().iter().enumerate() {
        if span.pad || span.length == 0 {
            continue;
        }
        let pieces = layout.pieces_of(file);
        if last_of_previous == Some(pieces.start) && shared.last() != Some(&pieces.start) {
            shared.push(pieces.start);
        }
        last_of_previous = Some(pieces.end - 1);
    }
    shared.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pieces_that_files_share_have_a_slot() {
        // Pieces of 10: file 0 in 0..=1, file 1 and 2 in piece 1, padding to 20, file 4 in 2..=3, file 5 in 3.
        let layout = Layout::v1(10, [(12, false), (3, false), (2, false), (3, true), (15, false), (5, false)]);
        assert_eq!(*shared_pieces(&layout), [1, 3]);
    }

    #[test]
    fn bytes_outlive_the_handle_only_with_a_path() {
        let layout = Layout::v1(10, [(15, false), (15, false)]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("x.edges");
        let edges = Edges::new(&layout, Some(path.clone()));
        let mut back = [0; 5];
        assert!(matches!(edges.read(1, 5, &mut back), Err(FileError::Missing { .. })));
        edges.write(1, 5, &mut [IoSlice::new(b"abcde")]).unwrap();

        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "closed to others");
        }

        let second = Edges::new(&layout, Some(path.clone()));
        second.write(1, 5, &mut [IoSlice::new(b"fghij")]).unwrap();
        assert_eq!(second.stamp(), None, "the first still holds the named file");
        drop(edges);
        let third = Edges::new(&layout, Some(path));
        third.read(1, 5, &mut back).unwrap();
        assert_eq!(&back, b"abcde");
        assert!(third.stamp().is_some());

        let unnamed = Edges::new(&layout, None);
        unnamed.write(1, 5, &mut [IoSlice::new(b"abcde")]).unwrap();
        unnamed.read(1, 5, &mut back).unwrap();
        assert_eq!((&back, unnamed.stamp()), (b"abcde", None));
    }
}
