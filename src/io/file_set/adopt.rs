//! Settling what is taken up of what was found, and giving files their names when they are whole.

use super::{Allocate, FileError, FileSet, Place, Slot, State};
use crate::base::bitfield::Bitfield;

impl FileSet {
    /// Takes up what was found on disk, of which `verified` is right. `ours` says of a file that an earlier run of ours
    /// left it there. Whole files get their names, empty ones are made, and what is not ours and holds nothing right is
    /// refused, or for unselected files ignored. Called once, before the first write.
    ///
    /// # Errors
    /// [`FileError::Occupied`], or what the file system says.
    pub fn adopt(&self, verified: &Bitfield, ours: impl Fn(usize) -> bool) -> Result<(), FileError> {
        let mut state = self.state();
        state.verified = verified.clone();
        for index in 0..state.slots.len() {
            let pieces = self.layout.pieces_of(index);
            let right = pieces.clone().filter(|&piece| verified.get(piece)).count() as u32;
            state.slots[index].remaining = pieces.len() as u32 - right;
            if state.slots[index].place.is_on_disk() && right == 0 && !ours(index) {
                self.refuse_or_ignore(&mut state, index)?;
            }
            if state.slots[index].twin && state.slots[index].selected && !self.overwrite {
                return Err(FileError::Occupied { path: self.path(index) });
            }
        }
        for index in 0..state.slots.len() {
            if state.slots[index].remaining == 0 {
                self.finish(&mut state, index)?;
            }
        }
        Ok(())
    }

    /// Decides on a file that is not known to be ours and holds no right piece.
    fn refuse_or_ignore(&self, state: &mut State, index: usize) -> Result<(), FileError> {
        let length = self.layout.files()[index].length;
        let Slot { place, selected, stamp, allocated, .. } = state.slots[index].clone();
        let size = stamp.map_or(0, |stamp| stamp.size);
        let empty = size == 0 || (allocated == 0 && size == length);
        if !selected {
            state.slots[index].place = Place::Edges;
        } else if empty || length == 0 && size == 0 || (place == Place::Part && self.has_length_of_ours(size, length)) {
            // Nothing is lost: it has no content, or is what a run of ours that was killed early leaves.
        } else if !self.overwrite {
            let path = self.path(index);
            let path = if place == Place::Part { super::folder::part_path(&path) } else { path };
            return Err(FileError::Occupied { path });
        } else if self.writable {
            // Removed and made anew rather than written into: its bytes may have another name as well.
            self.spot_now(index, place)?.remove()?;
            state.handles.close(index);
            let slot = &mut state.slots[index];
            (slot.place, slot.stamp, slot.allocated) = (Place::Absent, None, 0);
        }
        Ok(())
    }

    /// Whether a run of ours would have left an unfinished file of that size.
    fn has_length_of_ours(&self, size: u64, length: u64) -> bool {
        size == length || (self.allocate == Allocate::None && size < length)
    }

    /// Notes that piece `piece` is verified and written; files that are whole with it get their names.
    ///
    /// # Errors
    /// [`FileError::Occupied`] if something has come to stand at a final name, or what the file system says.
    pub fn mark_verified(&self, piece: u32) -> Result<(), FileError> {
        let mut state = self.state();
        if !state.verified.set(piece) {
            return Ok(());
        }
        let mut outcome = Ok(());
        for stretch in self.layout.stretches(piece, 0, self.layout.piece_len(piece)) {
            let slot = &mut state.slots[stretch.file];
            slot.remaining -= 1;
            if slot.remaining == 0 {
                outcome = outcome.and(self.finish(&mut state, stretch.file));
            }
        }
        outcome
    }

    /// Changes what is selected while the torrent runs. What a newly selected file has in the edge file moves to it.
    ///
    /// # Errors
    /// As for [`FileSet::adopt`].
    pub fn select(&self, selected: &[bool]) -> Result<(), FileError> {
        let mut state = self.state();
        for (index, &selected) in selected.iter().enumerate() {
            let slot = &mut state.slots[index];
            slot.selected = selected && slot.place != Place::Padding;
            match slot.place {
                Place::Edges if selected => slot.place = Place::Absent,
                Place::Absent if !selected => slot.place = Place::Edges,
                _ => {}
            }
            if selected && state.slots[index].remaining == 0 {
                self.finish(&mut state, index)?;
            }
        }
        Ok(())
    }

    /// Every byte of file `index` is verified: it gets its final name and its exact length.
    fn finish(&self, state: &mut State, index: usize) -> Result<(), FileError> {
        let length = self.layout.files()[index].length;
        if state.slots[index].place == Place::Absent && self.writable {
            self.make(state, index)?;
        }
        let Slot { place, selected, stamp, .. } = state.slots[index].clone();
        if self.writable && place == Place::Part {
            let named = self.spot(index, false)?;
            named.part().rename(&named, self.overwrite)?;
            state.slots[index].place = Place::Named;
            state.dirty.note_name(index);
        }
        if self.writable && place.is_on_disk() && stamp.is_some_and(|stamp| stamp.size > length) {
            // Opened for writing, it is cut to its length.
            state.handles.close(index);
            self.opened(state, index, true)?;
            state.dirty.note(index, 0);
        }
        if selected && state.slots[index].place.is_on_disk() {
            state.finished.push(index);
        }
        Ok(())
    }
}
