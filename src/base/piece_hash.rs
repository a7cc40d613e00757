//! What the bytes of a piece must hash to: SHA-1 of the piece (BEP 3), or the root of the merkle tree over its 16 KiB
//! blocks (BEP 52).

use std::sync::Arc;

use super::hash::{Sha1Digest, sha1_batch, sha256_batch};
use super::layout::Layout;
use super::merkle::{self, Node};
use super::metainfo::Trees;

/// What one piece must hash to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceHash {
    /// Of a v1 piece (BEP 3, "pieces").
    Sha1(Sha1Digest),
    /// Of a v2 piece (BEP 52, "piece layers"): the root of the tree over its blocks, which is `height` layers above them.
    Merkle { root: Node, height: u32 },
}

impl PieceHash {
    /// True if a piece of these bytes, in any number of slices, hashes to this.
    pub fn is_of(&self, bytes: &[&[u8]]) -> bool {
        are_right(&[(*self, bytes)]) == [true]
    }
}

/// Whether each piece, its bytes in any number of slices, hashes to what it must. The more of them, the faster.
pub fn are_right(pieces: &[(PieceHash, &[&[u8]])]) -> Vec<bool> {
    let (mut v1, mut v2) = (Vec::new(), Vec::new());
    for (nth, (hash, bytes)) in pieces.iter().enumerate() {
        match *hash {
            PieceHash::Sha1(expected) => v1.push((nth, expected, *bytes)),
            PieceHash::Merkle { root, height } => v2.push((nth, root, height, *bytes)),
        }
    }
    let mut right = vec![false; pieces.len()];
    let digests = sha1_batch(&v1.iter().map(|(_, _, bytes)| *bytes).collect::<Vec<_>>());
    for ((nth, expected, _), digest) in v1.into_iter().zip(digests) {
        right[nth] = digest == expected;
    }
    let roots = merkle_roots(&v2.iter().map(|(_, _, height, bytes)| (*bytes, *height)).collect::<Vec<_>>());
    for ((nth, expected, ..), root) in v2.into_iter().zip(roots) {
        right[nth] = root == expected;
    }
    right
}

/// The roots of the trees over the blocks of each piece: (its bytes in any number of slices, height of the tree). The
/// blocks of all pieces are hashed together.
pub fn merkle_roots(pieces: &[(&[&[u8]], u32)]) -> Vec<Node> {
    let blocks: Vec<Vec<Vec<&[u8]>>> = pieces.iter().map(|(bytes, _)| merkle::blocks(bytes)).collect();
    let messages: Vec<&[&[u8]]> = blocks.iter().flatten().map(Vec::as_slice).collect();
    let mut leaves = sha256_batch(&messages).into_iter();
    let counted = blocks.iter().zip(pieces);
    let trees = counted.map(|(blocks, (_, height))| (leaves.by_ref().take(blocks.len()).collect(), *height));
    merkle::roots(trees.collect(), 0)
}

/// How many layers the tree of a v2 piece has above its blocks: as many as a whole piece needs, or those of the whole file
/// where it has one piece alone.
///
/// # Panics
/// If there is no such piece.
pub fn tree_height(layout: &Layout, piece: u32) -> u32 {
    height_in(layout, layout.file_at(layout.piece_offset(piece)))
}

/// The same of every piece of file `file`.
fn height_in(layout: &Layout, file: usize) -> u32 {
    let length = layout.files()[file].length;
    match length > layout.piece_length().into() {
        true => merkle::piece_layer(layout.piece_length()),
        false => merkle::file_height(length),
    }
}

/// What every piece of a torrent must hash to. Cheap to clone.
#[derive(Clone, Debug)]
pub enum PieceHashes {
    /// One a piece.
    V1(Arc<[Sha1Digest]>),
    /// Out of the files' trees.
    V2 { layout: Arc<Layout>, trees: Trees },
}

impl PieceHashes {
    /// What piece `piece` must hash to. Where its file's piece layer is not known yet ([`Trees::missing`]), that is
    /// something that nothing hashes to.
    ///
    /// # Panics
    /// If there is no such piece.
    pub fn get(&self, piece: u32) -> PieceHash {
        match self {
            PieceHashes::V1(hashes) => PieceHash::Sha1(hashes[piece as usize]),
            PieceHashes::V2 { layout, trees } => {
                let file = layout.file_at(layout.piece_offset(piece));
                let first = layout.pieces_of(file).start;
                let root = trees.piece(file, piece - first).unwrap_or_default();
                PieceHash::Merkle { root, height: height_in(layout, file) }
            }
        }
    }

    /// How many pieces they are of.
    pub fn pieces(&self) -> u32 {
        match self {
            PieceHashes::V1(hashes) => hashes.len() as u32,
            PieceHashes::V2 { layout, .. } => layout.pieces(),
        }
    }
}

impl FromIterator<Sha1Digest> for PieceHashes {
    fn from_iter<I: IntoIterator<Item = Sha1Digest>>(hashes: I) -> Self {
        PieceHashes::V1(hashes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::{sha1, sha256};

    fn bytes(len: usize, seed: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 251 + seed * 31) as u8).collect()
    }

    fn both(left: Node, right: Node) -> Node {
        sha256(&[left, right].concat())
    }

    #[test]
    fn a_v2_piece_hashes_to_the_root_over_its_padded_blocks() {
        let piece = bytes(40_000, 1);
        let leaves = [sha256(&piece[..16_384]), sha256(&piece[16_384..32_768]), sha256(&piece[32_768..])];
        let root = both(both(leaves[0], leaves[1]), both(leaves[2], [0; 32]));
        assert!(PieceHash::Merkle { root, height: 2 }.is_of(&[&piece[..5], &piece[5..20_000], &piece[20_000..]]));
        assert!(!PieceHash::Merkle { root, height: 3 }.is_of(&[&piece]), "as high as it is told");
        // The last piece of a longer file: the tree of a whole piece of 128 KiB.
        let zeros = both(both([0; 32], [0; 32]), both([0; 32], [0; 32]));
        assert!(PieceHash::Merkle { root: both(root, zeros), height: 3 }.is_of(&[&piece]));
    }

    #[test]
    fn pieces_of_both_kinds_are_judged_each_by_its_own_hash() {
        let data: Vec<Vec<u8>> = (0..40).map(|nth| bytes(10 + nth * 1_733, nth)).collect();
        let mut expected: Vec<PieceHash> = data
            .iter()
            .enumerate()
            .map(|(nth, data)| match nth % 3 {
                0 => PieceHash::Sha1(sha1(data)),
                _ => PieceHash::Merkle { root: merkle::root(&merkle::leaves(&[data]), 0, 3), height: 3 },
            })
            .collect();
        expected.swap(4, 5);
        expected[30] = PieceHash::Sha1([0; 20]);
        let slices: Vec<[&[u8]; 2]> = data.iter().map(|data| data.split_at(7).into()).collect();
        let pieces: Vec<(PieceHash, &[&[u8]])> =
            expected.iter().zip(&slices).map(|(hash, slices)| (*hash, &slices[..])).collect();
        let wrong: Vec<usize> =
            are_right(&pieces).iter().enumerate().filter(|(_, right)| !**right).map(|(nth, _)| nth).collect();
        assert_eq!(wrong, [4, 5, 30]);
        assert!(are_right(&[]).is_empty());
    }
}
