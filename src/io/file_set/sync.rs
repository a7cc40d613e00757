//! Making what was written durable.

use std::collections::BTreeSet;
use std::path::Path;

use super::{FileError, FileSet, Stamp, sys};
use crate::base::bitfield::Bitfield;

/// More dirty files than this are flushed by flushing their whole file system.
const MANY: usize = 32;

/// What a resume record may say after a sync.
#[derive(Clone, Debug)]
pub struct Synced {
    /// The pieces that were verified and written when the sync began.
    pub verified: Bitfield,
    /// Size and time of each file; `None` for what is not on disk.
    pub stamps: Vec<Option<Stamp>>,
    pub edges: Option<Stamp>,
}

/// What was written and is not yet known to be durable.
#[derive(Debug)]
pub(super) struct Dirty {
    files: Vec<bool>,
    list: Vec<usize>,
    /// Files whose name is new.
    names: BTreeSet<usize>,
    edges: bool,
    bytes: u64,
    /// Something is known that was not known when the set was opened.
    news: bool,
}

impl Dirty {
    pub fn new(files: usize) -> Dirty {
        Dirty {
            files: vec![false; files],
            list: Vec::new(),
            names: BTreeSet::new(),
            edges: false,
            bytes: 0,
            news: false,
        }
    }

    pub fn note(&mut self, index: usize, bytes: u64) {
        if !std::mem::replace(&mut self.files[index], true) {
            self.list.push(index);
        }
        self.bytes += bytes;
    }

    pub fn note_edges(&mut self, bytes: u64) {
        self.edges = true;
        self.bytes += bytes;
    }

    pub fn note_name(&mut self, index: usize) {
        self.names.insert(index);
    }

    fn take(&mut self) -> Dirty {
        let files = self.files.len();
        std::mem::replace(self, Dirty::new(files))
    }

    fn put_back(&mut self, undone: Dirty) {
        undone.list.iter().for_each(|&index| self.note(index, 0));
        self.names.extend(undone.names);
        self.edges |= undone.edges;
        self.bytes += undone.bytes;
        self.news |= undone.news;
    }
}

impl FileSet {
    /// Bytes written since the last sync.
    pub fn dirty_bytes(&self) -> u64 {
        self.state().dirty.bytes
    }

    /// True if a sync would tell something that no record says.
    pub fn wants_sync(&self) -> bool {
        let dirty = &self.state().dirty;
        dirty.news || dirty.edges || !dirty.list.is_empty() || !dirty.names.is_empty()
    }

    /// Notes that these pieces had to be hashed: what a record may say is news, and what was found on disk may not be
    /// durable yet.
    pub fn note_checked(&self, pieces: &Bitfield) {
        let mut state = self.state();
        for index in 0..state.slots.len() {
            let checked = self.layout.pieces_of(index).any(|piece| pieces.get(piece));
            if checked && state.slots[index].place.is_on_disk() {
                state.dirty.news = true;
                if self.writable {
                    state.dirty.note(index, 0);
                }
            }
        }
    }

    /// Makes all that was written so far durable, names included. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// What the file system says; everything counts as unsynced then.
    pub fn sync(&self) -> Result<Synced, FileError> {
        let (verified, dirty) = {
            let mut state = self.state();
            (state.verified.clone(), state.dirty.take())
        };
        if let Err(error) = self.flush(&dirty) {
            self.state().dirty.put_back(dirty);
            return Err(error);
        }
        self.look_again(dirty.list.iter().chain(&dirty.names).copied().collect());
        Ok(Synced { verified, stamps: self.stamps(), edges: self.edges.stamp() })
    }

    fn flush(&self, dirty: &Dirty) -> Result<(), FileError> {
        if dirty.edges {
            self.edges.sync()?;
        }
        if dirty.list.len() + dirty.names.len() > MANY {
            let done = self.folder.handle().and_then(|folder| sys::sync_file_system(&folder));
            if done.map_err(|e| FileError::io("sync", self.folder.path(), e))? {
                return Ok(());
            }
        }
        for &index in &dirty.list {
            let file = {
                let mut state = self.state();
                match state.slots[index].place.is_on_disk() {
                    true => self.opened(&mut state, index, true)?,
                    false => continue,
                }
            };
            file.sync_data().map_err(|e| FileError::io("sync", self.path(index), e))?;
        }
        let mut folders: BTreeSet<&Path> = BTreeSet::new();
        for &index in &dirty.names {
            let mut below = &*self.paths[index];
            // A folder above may be new as well.
            while let Some(folder) = below.parent().filter(|folder| folders.insert(folder)) {
                if let Some(spot) = self.folder.spot(below, false)? {
                    spot.sync_names()?;
                }
                below = folder;
            }
        }
        Ok(())
    }

    /// Takes the size and time of these files anew.
    fn look_again(&self, files: BTreeSet<usize>) {
        for index in files {
            let mut state = self.state();
            let place = state.slots[index].place;
            if place.is_on_disk() {
                state.slots[index].stamp = self
                    .opened(&mut state, index, false)
                    .and_then(|file| file.metadata().map_err(|e| FileError::io("look at", self.path(index), e)))
                    .map(|meta| Stamp::of(&meta))
                    .ok();
            }
        }
    }
}
