//! Looking at what stands at the files' names, without touching it.

use std::path::Path;

use super::folder::{Folder, Spot};
use super::{FileError, FileSet, FileSetup, Place, Slot, Stamp, sys};

/// One slot a file. For files that are not selected whatever is in the way is left alone, and they count as not there.
pub(super) fn look_at_all(setup: &FileSetup, folder: &Folder) -> Result<Box<[Slot]>, FileError> {
    setup
        .layout
        .files()
        .iter()
        .enumerate()
        .map(|(index, span)| {
            let selected = setup.selected[index];
            let slot = Slot {
                place: if span.pad {
                    Place::Padding
                } else if selected {
                    Place::Absent
                } else {
                    Place::Edges
                },
                selected: selected && !span.pad,
                remaining: setup.layout.pieces_of(index).len() as u32,
                stamp: None,
                allocated: 0,
                twin: false,
            };
            if span.pad {
                return Ok(slot);
            }
            match look_at(folder, &setup.paths[index]) {
                Ok(Some(found)) => Ok(Slot {
                    place: found.place,
                    stamp: Some(found.stamp),
                    allocated: found.allocated,
                    twin: found.twin,
                    ..slot
                }),
                Err(error) if selected => Err(error),
                Ok(None) | Err(_) => Ok(slot),
            }
        })
        .collect()
}

struct Found {
    place: Place,
    stamp: Stamp,
    allocated: u64,
    twin: bool,
}

fn look_at(folder: &Folder, path: &Path) -> Result<Option<Found>, FileError> {
    let Some(spot) = folder.spot(path, false)? else { return Ok(None) };
    let (named, part) = (spot.look()?, spot.part().look()?);
    let twin = named.is_some() && part.is_some();
    let place = if part.is_some() { Place::Part } else { Place::Named };
    Ok(part.or(named).map(|meta| Found {
        place,
        stamp: Stamp { size: meta.len(), mtime: sys::mtime_ns(meta.modified().ok().map(|time| time.into_std())) },
        allocated: sys::allocated(&meta),
        twin,
    }))
}

impl FileSet {
    /// Size and time of each file as last seen on disk; `None` for what is not there.
    pub fn stamps(&self) -> Vec<Option<Stamp>> {
        self.state().slots.iter().map(|slot| slot.stamp.filter(|_| slot.place.is_on_disk())).collect()
    }

    /// Size and time of the edge file.
    pub fn edge_stamp(&self) -> Option<Stamp> {
        self.edges.stamp()
    }

    /// The files, of those that are to be on disk, that are not there.
    pub fn missing(&self) -> Vec<usize> {
        let state = self.state();
        let missing = |&(_, slot): &(usize, &Slot)| slot.selected && slot.place == Place::Absent;
        state.slots.iter().enumerate().filter(missing).map(|(index, _)| index).collect()
    }

    /// Bytes that the selected files will still take from the file system, by what it had set aside at the start.
    pub fn needed_space(&self) -> u64 {
        let state = self.state();
        let files = state.slots.iter().zip(self.layout.files());
        files
            .filter(|(slot, _)| slot.selected && slot.remaining > 0)
            .map(|(slot, span)| span.length.saturating_sub(slot.allocated))
            .sum()
    }

    /// Looks whether the selected files fit.
    ///
    /// # Errors
    /// [`FileError::SpaceShort`]. Where the system does not tell the free space there is never one.
    pub fn check_space(&self) -> Result<(), FileError> {
        let needed = self.needed_space();
        match sys::free_space(self.folder.path()) {
            Some(free) if needed > free => {
                Err(FileError::SpaceShort { path: self.folder.path().to_owned(), needed, free })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn spot(&self, index: usize, make: bool) -> Result<Spot, FileError> {
        let spot = self.folder.spot(&self.paths[index], make)?;
        spot.ok_or_else(|| FileError::Missing { path: self.path(index) })
    }

    /// The spot where file `index` stands now.
    pub(super) fn spot_now(&self, index: usize, place: Place) -> Result<Spot, FileError> {
        let spot = self.spot(index, false)?;
        Ok(if place == Place::Part { spot.part() } else { spot })
    }
}
