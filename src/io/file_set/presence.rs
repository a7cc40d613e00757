//! What can be read at all, before anything is read: which pieces are on disk, and which lie in holes.

use super::{FileError, FileSet, Place, sys};
use crate::base::bitfield::Bitfield;

impl FileSet {
    /// The pieces of which every byte has a place that exists: in a file on disk, in the edge file, or as padding.
    /// Pieces of padding alone are among them.
    pub fn present(&self) -> Bitfield {
        let edges = self.edges.exists();
        let state = self.state();
        let mut present = Bitfield::full(self.layout.pieces());
        for (index, slot) in state.slots.iter().enumerate() {
            if matches!(slot.place, Place::Edges | Place::Absent) {
                for piece in self.layout.pieces_of(index).filter(|&piece| !(edges && self.edges.covers(piece))) {
                    present.clear(piece);
                }
            }
        }
        present
    }

    /// The pieces with bytes of the files that `chosen` holds of.
    pub fn pieces_with(&self, chosen: impl Fn(usize) -> bool) -> Bitfield {
        let mut pieces = Bitfield::new(self.layout.pieces());
        for index in (0..self.paths.len()).filter(|&index| chosen(index)) {
            self.layout.pieces_of(index).for_each(|piece| {
                pieces.set(piece);
            });
        }
        pieces
    }

    /// The pieces with bytes that lie in the edge file.
    pub fn pieces_on_edge(&self) -> Bitfield {
        let mut pieces = Bitfield::new(self.layout.pieces());
        let state = self.state();
        for (index, slot) in state.slots.iter().enumerate() {
            if matches!(slot.place, Place::Edges | Place::Absent) {
                for piece in self.layout.pieces_of(index).filter(|&piece| self.edges.covers(piece)) {
                    pieces.set(piece);
                }
            }
        }
        pieces
    }

    /// Counts an unselected file that no record knows as not there, unless it may be ours: by its `.part` or its length.
    pub fn ignore_foreign(&self, index: usize) {
        let mut state = self.state();
        let slot = &mut state.slots[index];
        let length = self.layout.files()[index].length;
        let other_length = slot.stamp.is_some_and(|stamp| stamp.size != length);
        if !slot.selected && slot.place == Place::Named && other_length {
            (slot.place, slot.stamp) = (Place::Edges, None);
            state.handles.close(index);
        }
    }

    /// True if every byte of piece `piece` is zero because it lies in a hole of a file, or in padding. `false` says
    /// nothing.
    pub fn is_hole(&self, piece: u32) -> bool {
        let mut stretches = self.layout.stretches(piece, 0, self.layout.piece_len(piece));
        stretches.all(|stretch| {
            let mut state = self.state();
            match state.slots[stretch.file].place {
                Place::Padding => true,
                Place::Edges | Place::Absent => false,
                Place::Part | Place::Named => {
                    let Ok(file) = self.opened(&mut state, stretch.file, false) else { return false };
                    drop(state);
                    let end = stretch.file_offset + u64::from(stretch.len);
                    sys::next_data(&file, stretch.file_offset).is_none_or(|data| data >= end)
                        && file.metadata().is_ok_and(|meta| meta.len() >= end)
                }
            }
        })
    }

    /// True if the kernel seems to have the bytes of `pieces`, which rise, in memory: the first and the last of them.
    pub fn is_cached(&self, pieces: &[u32]) -> bool {
        let (Some(&first), Some(&last)) = (pieces.first(), pieces.last()) else { return true };
        let cached =
            |piece, begin| self.locate(piece, begin, 1).is_none_or(|(file, offset)| sys::is_cached(&file, offset));
        cached(first, 0) && cached(last, self.layout.piece_len(last) - 1)
    }

    /// Tells the kernel that file `index` will be read from front to back.
    pub fn expect_sequential(&self, index: usize) {
        let mut state = self.state();
        if state.slots[index].place.is_on_disk()
            && let Ok(file) = self.opened(&mut state, index, false)
        {
            sys::expect_sequential(&file);
        }
    }

    /// What is wrong with file `index` at first sight.
    pub fn problem(&self, index: usize) -> Option<FileError> {
        let state = self.state();
        let (slot, expected) = (&state.slots[index], self.layout.files()[index].length);
        let path = || self.path(index);
        match (slot.place, slot.stamp) {
            (Place::Padding, _) => None,
            (Place::Part | Place::Named, Some(stamp)) if stamp.size == expected => None,
            (Place::Part | Place::Named, Some(stamp)) if stamp.size < expected => {
                Some(FileError::Short { path: path(), expected, found: stamp.size })
            }
            (Place::Part | Place::Named, Some(stamp)) => {
                Some(FileError::Long { path: path(), expected, found: stamp.size })
            }
            _ => Some(FileError::Missing { path: path() }),
        }
    }
}
