//! Taking up what an earlier run, or another program, left on disk.

use crate::base::bitfield::Bitfield;
use crate::base::piece_hash::PieceHashes;
use crate::io::check::{CheckWatch, check};
use crate::io::file_set::{FileError, FileSet};
use crate::io::resume::ResumeRecord;
use crate::swarm::action::SpilledPiece;

/// How far data on disk is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// What the resume record says of files that nobody changed since; every other file that exists is hashed.
    #[default]
    Quick,
    /// Everything that exists is hashed.
    Full,
    /// Nothing is believed and nothing hashed.
    Nothing,
}

/// What is there to go on from.
#[derive(Debug)]
pub struct TakenUp {
    /// Verified and readable pieces.
    pub verified: Bitfield,
    /// Blocks of other pieces that lie unverified at their place.
    pub spilled: Vec<SpilledPiece>,
}

/// What can be said of the files without reading them.
#[derive(Debug, PartialEq)]
pub struct Weighed {
    /// The record says that they are verified, and nobody changed the files since.
    pub believed: Bitfield,
    /// Pieces that are on disk and of which the record says nothing that can be believed.
    pub doubtful: Bitfield,
}

/// Compares the record with the files as they stand. A record of another target says nothing.
pub fn weigh(files: &FileSet, record: Option<&ResumeRecord>) -> Weighed {
    let layout = files.layout();
    let Some(record) = record.filter(|record| record.speaks_of(files)) else {
        return Weighed { believed: Bitfield::new(layout.pieces()), doubtful: files.present() };
    };
    let now = files.stamps();
    for index in (0..now.len()).filter(|&index| record.stamps[index].is_none()) {
        files.ignore_foreign(index);
    }
    let now = files.stamps();
    let edges_changed = record.edges.is_none() || record.edges != files.edge_stamp();
    let mut doubtful = files.pieces_with(|index| now[index] != record.stamps[index]);
    if edges_changed {
        files.pieces_on_edge().ones().for_each(|piece| {
            doubtful.set(piece);
        });
    }
    let present = files.present();
    let mut weighed = Weighed { believed: Bitfield::new(layout.pieces()), doubtful: Bitfield::new(layout.pieces()) };
    for piece in present.ones() {
        match doubtful.get(piece) {
            true => weighed.doubtful.set(piece),
            false => record.verified.get(piece) && weighed.believed.set(piece),
        };
    }
    weighed
}

/// Weighs, checks and adopts what is on disk: after this the files can be written. Blocks. `None` if it was cancelled.
///
/// # Errors
/// [`FileError::Occupied`] and [`FileError::Link`] for what stands in the way, and what the file system says.
pub fn take_up(
    files: &FileSet,
    hashes: &PieceHashes,
    record: Option<&ResumeRecord>,
    trust: Trust,
    watch: &CheckWatch,
) -> Result<Option<TakenUp>, FileError> {
    let record = record.filter(|record| record.speaks_of(files));
    let none = || Bitfield::new(files.layout().pieces());
    let weighed = weigh(files, record);
    let (mut verified, doubtful) = match trust {
        Trust::Quick => (weighed.believed.clone(), weighed.doubtful),
        Trust::Full => (none(), files.present()),
        Trust::Nothing => (none(), none()),
    };
    let Some(checked) = check(files, hashes, &doubtful, watch) else { return Ok(None) };
    checked.verified.ones().for_each(|piece| {
        verified.set(piece);
    });
    files.note_checked(&doubtful);
    let (present, on_edge, stamps) = (files.present(), files.pieces_on_edge(), files.stamps());
    // A file of the right length gets the benefit of the doubt if it has come since the record was written, or if it
    // can't be judged since each piece of it reaches into files that are not on disk.
    let likely = |index: usize| {
        let length = files.layout().files()[index].length;
        let judged = files.layout().pieces_of(index).any(|piece| present.get(piece) && !on_edge.get(piece));
        stamps[index].is_some_and(|stamp| stamp.size == length)
            && (record.is_some() || (trust != Trust::Nothing && !judged))
    };
    let recorded = |index: usize| record.is_some_and(|record| record.stamps[index].is_some());
    files.adopt(&verified, |index| recorded(index) || likely(index))?;
    // Spilled blocks are hashed only when their piece is whole: those of files that somebody changed would be blamed on
    // the peers that sent the rest.
    let spilled = match (trust, record) {
        (Trust::Nothing, _) | (_, None) => Vec::new(),
        (_, Some(record)) => record
            .spilled
            .iter()
            .filter(|spilled| !verified.get(spilled.piece) && !weighed_out(&doubtful, spilled.piece, trust))
            .filter(|spilled| files.present().get(spilled.piece))
            .cloned()
            .collect(),
    };
    Ok(Some(TakenUp { verified, spilled }))
}

fn weighed_out(doubtful: &Bitfield, piece: u32, trust: Trust) -> bool {
    trust == Trust::Quick && doubtful.get(piece)
}

#[cfg(test)]
mod tests;
