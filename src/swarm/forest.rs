//! Answers to hash requests (BEP 52) out of the piece layers that are known.
//!
//! The trees above the layers are made when somebody asks for them first, and kept: they take as much memory as the layers
//! once more.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::base::merkle::{Node, Tree};
use crate::base::metainfo::Trees;
use crate::proto::wire::HashRange;

/// Owner of the trees that have been asked for, by root.
#[derive(Debug, Default)]
pub struct Forest {
    grown: BTreeMap<Node, Tree>,
}

impl Forest {
    /// The hashes of `range` and the uncles that were asked for with them. `None` if they are not known: those below the
    /// piece layers never are, nor those of a file whose layer has not been found.
    pub fn answer(&mut self, trees: &Trees, range: &HashRange) -> Option<Vec<Node>> {
        let tree = match self.grown.entry(range.root) {
            Entry::Occupied(grown) => grown.into_mut(),
            Entry::Vacant(room) => {
                let file = trees.of_root(&range.root)?;
                room.insert(Tree::new(file.layer()?.to_vec(), trees.piece_layer(), file.height()))
            }
        };
        tree.span(range.base, range.index, range.length, range.proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::sha256;
    use crate::base::merkle::{padding, parent, parents, root};

    /// Four pieces of 64 KiB and a byte: a layer of five hashes, two above the leaves and three below the root.
    #[test]
    fn what_is_known_is_answered_with_its_proof() {
        let layer: Vec<Node> = (0..5).map(|at| sha256(&[at])).collect();
        let top = root(&layer, 2, 3);
        let length = 4 * 65_536 + 1;
        let trees = Trees::new(65_536, [Some((top, length)), Some(([7; 32], 65_536)), None]).unwrap();
        let range = HashRange { root: top, base: 2, index: 4, length: 2, proof: 2 };
        let mut forest = Forest::default();
        assert_eq!(forest.answer(&trees, &range), None, "not known yet");
        let trees = trees.with_layers([(top, layer.clone())]).unwrap();
        let (pairs, pad) = (parents(&layer, 2), padding(2));
        let left = parent(&pairs[0], &pairs[1]);
        let expected = vec![layer[4], pad, padding(3), left];
        assert_eq!(forest.answer(&trees, &range), Some(expected.clone()));
        assert_eq!(forest.answer(&trees, &range), Some(expected), "the second time too");
        let above = HashRange { base: 3, index: 0, length: 4, proof: 0, ..range };
        assert_eq!(forest.answer(&trees, &above).map(|hashes| hashes[..3] == pairs[..]), Some(true));
        for unknown in [
            HashRange { base: 0, ..range },
            HashRange { base: 1, ..range },
            HashRange { index: 8, ..range },
            HashRange { root: [7; 32], base: 2, index: 0, ..range },
            HashRange { root: [9; 32], ..range },
        ] {
            assert_eq!(forest.answer(&trees, &unknown), None, "{unknown:?}");
        }
    }
}
