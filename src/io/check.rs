//! Comparing what is on disk with the hashes of a torrent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::base::bitfield::Bitfield;
use crate::base::piece_hash::{PieceHash, PieceHashes};
use crate::io::file_set::{FileError, FileSet};
pub use crate::io::hash_pieces::CheckWatch;
use crate::io::hash_pieces::{Digests, Hashed, PieceBytes, Recipe, hash_pieces};

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// The pieces, of those that were to be checked, whose hash is right.
    pub verified: Bitfield,
    /// The first error of each file that could not be read, by its index.
    pub unreadable: BTreeMap<usize, FileError>,
}

/// Hashes `pieces` of the files and compares with `hashes`. Blocks; uses all cores. `None` if it was cancelled.
///
/// # Panics
/// If there is not one hash and one bit for each piece.
pub fn check(files: &FileSet, hashes: &PieceHashes, pieces: &Bitfield, watch: &CheckWatch) -> Option<Checked> {
    let layout = files.layout();
    assert!(hashes.pieces() == layout.pieces() && pieces.len() == layout.pieces(), "one of each a piece");
    let list: Vec<u32> = pieces.ones().collect();
    let found = Mutex::new(Checked { verified: Bitfield::new(layout.pieces()), unreadable: BTreeMap::new() });
    let note = |hashed: Vec<Hashed>| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        for (piece, result) in hashed {
            match result {
                Ok(digests) if fits(&digests, hashes.get(piece)) => {
                    found.verified.set(piece);
                }
                Ok(_) => {}
                Err(error) => {
                    if let Some(file) = file_of(files, piece, &error) {
                        found.unreadable.entry(file).or_insert(error);
                    }
                }
            }
        }
    };
    let recipe = match hashes {
        PieceHashes::V1(_) => Recipe { sha1: true, merkle: None },
        PieceHashes::V2 { layout, .. } => Recipe { sha1: false, merkle: Some(layout) },
    };
    let whole = hash_pieces(PieceBytes::Set(files), &list, recipe, watch, &note);
    whole.then(|| found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn fits(found: &Digests, expected: PieceHash) -> bool {
    match expected {
        PieceHash::Sha1(sha1) => found.sha1 == sha1,
        PieceHash::Merkle { root, .. } => found.merkle == root,
    }
}

/// The file of the piece that the error is about.
fn file_of(files: &FileSet, piece: u32, error: &FileError) -> Option<usize> {
    let layout = files.layout();
    let mut stretches = layout.stretches(piece, 0, layout.piece_len(piece));
    stretches.find(|stretch| files.stands_at(stretch.file, error.path())).map(|stretch| stretch.file)
}

#[cfg(test)]
mod tests;
