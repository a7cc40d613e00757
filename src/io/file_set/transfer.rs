//! Reading and writing stretches of the torrent, wherever their bytes lie.

use std::fs::File;
use std::io::IoSlice;
use std::sync::Arc;

use super::{Allocate, FileError, FileSet, Place, State, sys};
use crate::base::layout::Stretch;

/// Bytes of one piece, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Stretched<'a> {
    pub piece: u32,
    /// Where they start in the piece.
    pub begin: u32,
    pub bytes: &'a [u8],
}

/// One write: neighbouring bytes of one place.
struct Gathered<'a> {
    target: Target,
    /// Where it starts in the target, and where it ends.
    start: u64,
    end: u64,
    slices: Vec<IoSlice<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    File(usize),
    /// The slot of this piece in the edge file.
    Edge(u32),
}

impl FileSet {
    /// Writes `parts`, which stand in the torrent's order, each byte to its place: one vectored write for what lies
    /// next to each other in one file.
    ///
    /// # Errors
    /// [`FileError::NoSpace`], [`FileError::Occupied`], [`FileError::Link`], or what the file system says. Some of the
    /// bytes may have been written then.
    pub fn write(&self, parts: &[Stretched<'_>]) -> Result<(), FileError> {
        let mut gathered: Option<Gathered<'_>> = None;
        for part in parts {
            for stretch in self.layout.stretches(part.piece, part.begin, part.bytes.len() as u32) {
                let Some((target, start)) = self.target_of(part, &stretch)? else { continue };
                let slice = IoSlice::new(&part.bytes[stretch.at as usize..][..stretch.len as usize]);
                let end = start + u64::from(stretch.len);
                match &mut gathered {
                    Some(open) if open.target == target && open.end == start => {
                        open.slices.push(slice);
                        open.end = end;
                    }
                    _ => {
                        self.write_out(gathered.replace(Gathered { target, start, end, slices: vec![slice] }))?;
                    }
                }
            }
        }
        self.write_out(gathered)
    }

    /// Where a stretch goes; a file that has no place on disk yet is made. `None` for padding.
    fn target_of(&self, part: &Stretched<'_>, stretch: &Stretch) -> Result<Option<(Target, u64)>, FileError> {
        let file = stretch.file;
        let mut state = self.state();
        Ok(match state.slots[file].place {
            Place::Padding => None,
            Place::Edges if self.edges.covers(part.piece) => {
                Some((Target::Edge(part.piece), u64::from(part.begin + stretch.at)))
            }
            // A piece of an unselected file alone comes only when it was unselected while the piece was on its way.
            Place::Edges | Place::Absent => {
                self.make(&mut state, file)?;
                Some((Target::File(file), stretch.file_offset))
            }
            Place::Named if self.part && state.slots[file].remaining > 0 => {
                self.unname(&mut state, file)?;
                Some((Target::File(file), stretch.file_offset))
            }
            Place::Named | Place::Part => Some((Target::File(file), stretch.file_offset)),
        })
    }

    fn write_out(&self, gathered: Option<Gathered<'_>>) -> Result<(), FileError> {
        let Some(Gathered { target, start, end, mut slices }) = gathered else { return Ok(()) };
        match target {
            Target::Edge(piece) => self.edges.write(piece, start as u32, &mut slices)?,
            Target::File(index) => {
                let file = self.opened(&mut self.state(), index, true)?;
                sys::write_all_at(&file, &mut slices, start)
                    .map_err(|e| FileError::io("write", self.path(index), e))?;
            }
        }
        let mut state = self.state();
        match target {
            Target::Edge(_) => state.dirty.note_edges(end - start),
            Target::File(index) => state.dirty.note(index, end - start),
        }
        Ok(())
    }

    /// Fills `buffer` with the bytes from `begin` of piece `piece` on, which must lie in the piece.
    ///
    /// # Errors
    /// [`FileError::Missing`] and [`FileError::Short`] if the bytes are not there, or what the file system says.
    pub fn read(&self, piece: u32, begin: u32, buffer: &mut [u8]) -> Result<(), FileError> {
        // Behind the end of a v2 file there is nothing to read.
        let bytes = self.layout.piece_len(piece).saturating_sub(begin) as usize;
        if bytes < buffer.len() {
            buffer[bytes..].fill(0);
        }
        for stretch in self.layout.stretches(piece, begin, buffer.len() as u32) {
            let into = &mut buffer[stretch.at as usize..][..stretch.len as usize];
            let file = {
                let mut state = self.state();
                match state.slots[stretch.file].place {
                    Place::Padding => {
                        into.fill(0);
                        continue;
                    }
                    Place::Edges | Place::Absent => None,
                    Place::Part | Place::Named => Some(self.opened(&mut state, stretch.file, false)?),
                }
            };
            match file {
                None => self.edges.read(piece, begin + stretch.at, into).map_err(|e| match e {
                    FileError::Missing { .. } => FileError::Missing { path: self.path(stretch.file) },
                    other => other,
                })?,
                Some(file) => self.read_file(&file, &stretch, into)?,
            }
        }
        Ok(())
    }

    fn read_file(&self, file: &File, stretch: &Stretch, into: &mut [u8]) -> Result<(), FileError> {
        let path = || self.path(stretch.file);
        let found = sys::read_at(file, into, stretch.file_offset).map_err(|e| FileError::io("read", path(), e))?;
        if found < into.len() {
            return Err(FileError::Short {
                path: path(),
                expected: self.layout.files()[stretch.file].length,
                found: stretch.file_offset + found as u64,
            });
        }
        Ok(())
    }

    /// The open file and the place in it that hold `len` bytes from `begin` of `piece` on, if they lie in one file on
    /// disk: for sending them without a copy.
    pub fn locate(&self, piece: u32, begin: u32, len: u32) -> Option<(Arc<File>, u64)> {
        let mut stretches = self.layout.stretches(piece, begin, len);
        let stretch = stretches.next().filter(|stretch| stretch.len == len)?;
        let mut state = self.state();
        state.slots[stretch.file].place.is_on_disk().then_some(())?;
        let file = self.opened(&mut state, stretch.file, false).ok()?;
        Some((file, stretch.file_offset))
    }

    /// The open file `index`, which is on disk; opened if it is not open. Opened for writing it gets its
    /// full length, unless it is to grow as it is written.
    pub(super) fn opened(&self, state: &mut State, index: usize, write: bool) -> Result<Arc<File>, FileError> {
        if let Some(file) = state.handles.get(index, write) {
            return Ok(file);
        }
        let spot = self.spot_now(index, state.slots[index].place)?;
        let file = spot.open(write)?;
        let length = self.layout.files()[index].length;
        if write {
            let found = file.metadata().map_err(|e| FileError::io("look at", spot.path(), e))?.len();
            if found > length || (found < length && self.allocate != Allocate::None) {
                file.set_len(length).map_err(|e| FileError::io("set the length of", spot.path(), e))?;
            }
        }
        Ok(state.handles.put(index, file, write))
    }

    /// Makes file `index` with the room that [`Allocate`] says, and moves into it what the edge file holds of it.
    pub(super) fn make(&self, state: &mut State, index: usize) -> Result<(), FileError> {
        let spot = self.spot(index, true)?;
        let (spot, place) = if self.part { (spot.part(), Place::Part) } else { (spot, Place::Named) };
        let file = spot.create()?;
        let span = self.layout.files()[index];
        match self.allocate {
            Allocate::None => Ok(()),
            Allocate::Sparse => file.set_len(span.length),
            Allocate::Full => sys::allocate(&file, span.length),
        }
        .map_err(|e| {
            // What is too large for the disk must not stand there in its full, empty length.
            let _ = spot.remove();
            FileError::io("set the length of", spot.path(), e)
        })?;
        let pieces = self.layout.pieces_of(index);
        for piece in [pieces.start, pieces.end.saturating_sub(1)] {
            if piece < pieces.end && self.edges.covers(piece) && (piece == pieces.start || pieces.len() > 1) {
                self.move_from_edges(&file, index, piece)?;
            }
        }
        state.handles.put(index, file, true);
        state.slots[index].place = place;
        state.dirty.note(index, 0);
        state.dirty.note_name(index);
        Ok(())
    }

    fn move_from_edges(&self, file: &File, index: usize, piece: u32) -> Result<(), FileError> {
        let stretches = self.layout.stretches(piece, 0, self.layout.piece_len(piece));
        for stretch in stretches.filter(|stretch| stretch.file == index) {
            let mut bytes = vec![0; stretch.len as usize];
            match self.edges.read(piece, stretch.at, &mut bytes) {
                Ok(()) => {}
                Err(FileError::Missing { .. }) => continue,
                Err(error) => return Err(error),
            }
            if bytes.iter().any(|&byte| byte != 0) {
                sys::write_all_at(file, &mut [IoSlice::new(&bytes)], stretch.file_offset)
                    .map_err(|e| FileError::io("write", self.path(index), e))?;
            }
        }
        Ok(())
    }

    /// Gives an unfinished file that stands under its final name its `.part` name.
    fn unname(&self, state: &mut State, index: usize) -> Result<(), FileError> {
        let named = self.spot(index, false)?;
        named.rename(&named.part(), false)?;
        state.handles.close(index);
        state.slots[index].place = Place::Part;
        state.dirty.note_name(index);
        Ok(())
    }
}
