//! Merkle trees of BEP 52: pure mathematics on SHA-256 digests.
//!
//! A file's tree stands on its *leaves*, the hashes of its 16 KiB blocks (the last may be shorter). A *layer* is counted
//! from there: layer 0 is the leaves, each node of layer n+1 hashes two of layer n. A layer is only known up to the
//! end of the file; what it lacks to a power of two is padding: zeros instead of leaves, and above them what follows from
//! zeros. A file's tree is as high as its leaves need and no higher; the tree over one piece of a file that has several
//! is always as high as a whole piece needs, also over the short last one.
//!
//! A *span* is an aligned stretch of one layer, as hash requests name it. With its *uncles*, the siblings on the way from
//! the span's own root to the root of the file, lowest first, it proves itself to whoever knows that root.

use std::sync::LazyLock;

use crate::base::hash::{Sha256Digest, sha256, sha256_batch};
use crate::base::layout::BLOCK_LEN;

/// A node of a tree.
pub type Node = Sha256Digest;

/// The leaves over `data`, which is one stretch of a file in any number of slices and begins at a block: one a 16 KiB block.
pub fn leaves(data: &[&[u8]]) -> Vec<Node> {
    let blocks = blocks(data);
    sha256_batch(&blocks.iter().map(|block| &block[..]).collect::<Vec<_>>())
}

/// `data` joined and cut every 16 KiB, each block as the slices that it lies in: the messages that leaves are hashes of.
pub fn blocks<'a>(data: &[&'a [u8]]) -> Vec<Vec<&'a [u8]>> {
    let mut blocks: Vec<Vec<&[u8]>> = Vec::new();
    let mut room = 0;
    for mut slice in data.iter().copied() {
        while !slice.is_empty() {
            if room == 0 {
                blocks.push(Vec::new());
                room = BLOCK_LEN as usize;
            }
            let (head, tail) = slice.split_at(room.min(slice.len()));
            blocks.last_mut().expect("one has been begun").push(head);
            room -= head.len();
            slice = tail;
        }
    }
    blocks
}

/// How many layers a tree over `nodes` nodes has above them: 0 for one (or none).
pub fn height(nodes: u64) -> u32 {
    match nodes {
        0 | 1 => 0,
        _ => (nodes - 1).ilog2() + 1,
    }
}

/// How many layers are above the leaves in the tree of a file of `length` bytes.
pub fn file_height(length: u64) -> u32 {
    height(length.div_ceil(BLOCK_LEN.into()))
}

/// The layer whose nodes cover `piece_length` bytes, a power of two of at least 16 KiB: the piece layer.
pub fn piece_layer(piece_length: u32) -> u32 {
    height((piece_length / BLOCK_LEN).into())
}

/// The node of `layer` under which there is nothing but padding.
pub fn padding(layer: u32) -> Node {
    static PADDING: LazyLock<[Node; 64]> = LazyLock::new(|| {
        let mut padding = [[0; 32]; 64];
        (1..64).for_each(|layer| padding[layer] = parent(&padding[layer - 1], &padding[layer - 1]));
        padding
    });
    PADDING[layer.min(63) as usize]
}

/// The node above two siblings.
pub fn parent(left: &Node, right: &Node) -> Node {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    sha256(&both)
}

/// The next layer above `nodes`, which are the known ones of `layer`.
pub fn parents(nodes: &[Node], layer: u32) -> Vec<Node> {
    parents_of([nodes], layer).pop().expect("one for one")
}

/// The root `height` layers above `nodes`, which are the known ones (one or more, at most 2^height) of `layer`.
pub fn root(nodes: &[Node], layer: u32, height: u32) -> Node {
    roots(vec![(nodes.to_vec(), height)], layer).pop().expect("one for one")
}

/// The same for many trees on the same layer at once, which hashes faster: (known nodes, height) each.
pub fn roots(mut trees: Vec<(Vec<Node>, u32)>, layer: u32) -> Vec<Node> {
    let highest = trees.iter().map(|(_, height)| *height).max().unwrap_or(0);
    for step in 0..highest {
        let mut growing: Vec<_> =
            trees.iter_mut().filter(|(_, height)| *height > step).map(|(nodes, _)| nodes).collect();
        let above = parents_of(growing.iter().map(|nodes| &nodes[..]), layer + step);
        growing.iter_mut().zip(above).for_each(|(nodes, above)| **nodes = above);
    }
    let root = |(nodes, height): (Vec<Node>, u32)| nodes.first().copied().unwrap_or(padding(layer + height));
    trees.into_iter().map(root).collect()
}

/// The next layer above each list of nodes of `layer`, all in one batch.
fn parents_of<'a>(lists: impl IntoIterator<Item = &'a [Node]>, layer: u32) -> Vec<Vec<Node>> {
    let padding = padding(layer);
    let mut counts = Vec::new();
    let mut pairs: Vec<[&[u8]; 2]> = Vec::new();
    for list in lists {
        counts.push(list.len().div_ceil(2));
        pairs.extend(list.chunks(2).map(|pair| [&pair[0][..], &pair.get(1).unwrap_or(&padding)[..]]));
    }
    let mut hashed = sha256_batch(&pairs.iter().map(|pair| &pair[..]).collect::<Vec<_>>()).into_iter();
    counts.into_iter().map(|count| hashed.by_ref().take(count).collect()).collect()
}

/// How many uncles come with a span of `length` hashes if `proof` ancestor layers are asked for (BEP 52, "hashes"): none for
/// the layers that follow from the span itself, one for each above.
pub fn uncles(length: u32, proof: u32) -> u32 {
    proof.saturating_add(1).saturating_sub(height(length.into()))
}

/// The `proof` of a hash request that anchors a span of `layer` in the root of a file whose tree has `height` layers above
/// the leaves. The root itself is never sent.
pub fn whole_proof(height: u32, layer: u32) -> u32 {
    height.saturating_sub(layer + 1)
}

/// Whether `span` (a power of two of hashes from `index` on, a multiple of their number) and its `uncles` up to the top
/// lead to `root`.
pub fn proves(root: &Node, index: u32, span: &[Node], uncles: &[Node]) -> bool {
    if !span.len().is_power_of_two() || !(index as usize).is_multiple_of(span.len()) || uncles.len() > 64 {
        return false;
    }
    // A span says all of its nodes, padding too: the layer's number does not matter.
    let top = self::root(span, 0, height(span.len() as u64));
    let mut place = u64::from(index) / span.len() as u64;
    let mut node = top;
    for uncle in uncles {
        node = if place & 1 == 0 { parent(&node, uncle) } else { parent(uncle, &node) };
        place >>= 1;
    }
    place == 0 && node == *root
}

/// A tree from one layer upwards, all in memory: what hash requests are answered from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// The lowest layer's number.
    base: u32,
    /// From the lowest layer to the root, without padding.
    layers: Vec<Vec<Node>>,
}

impl Tree {
    /// The tree of `height` layers above the leaves, of which `nodes` (one or more) are the known ones of layer `base`.
    pub fn new(nodes: Vec<Node>, base: u32, height: u32) -> Self {
        let mut layers = vec![nodes];
        for layer in base..height {
            layers.push(parents(layers.last().expect("there is one"), layer));
        }
        Tree { base, layers }
    }

    /// The topmost node.
    pub fn root(&self) -> Node {
        self.layers.last().and_then(|top| top.first()).copied().unwrap_or_default()
    }

    /// The answer to a hash request: `length` hashes of `layer` from `index` on, then the uncles of `proof` ancestor layers.
    /// `None`: that is not in this tree, or not a request (`length` a power of two, `index` a multiple of it).
    pub fn span(&self, layer: u32, index: u32, length: u32, proof: u32) -> Option<Vec<Node>> {
        let height = self.base + self.layers.len() as u32 - 1;
        let width = 1u64.checked_shl(height.checked_sub(layer)?)?;
        let fits = length.is_power_of_two()
            && index.is_multiple_of(length)
            && u64::from(index) + u64::from(length) <= width
            && proof <= whole_proof(height, layer);
        if layer < self.base || !fits {
            return None;
        }
        let span_height = self::height(length.into());
        let uncles = uncles(length, proof);
        let mut hashes: Vec<Node> = (index..index + length).map(|index| self.node(layer, index)).collect();
        hashes.extend((0..uncles).map(|up| self.node(layer + span_height + up, (index >> (span_height + up)) ^ 1)));
        Some(hashes)
    }

    fn node(&self, layer: u32, index: u32) -> Node {
        let known = &self.layers[(layer - self.base) as usize];
        known.get(index as usize).copied().unwrap_or_else(|| padding(layer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` different nodes.
    fn nodes(count: u32) -> Vec<Node> {
        (0..count).map(|at| sha256(&at.to_be_bytes())).collect()
    }

    fn both(left: Node, right: Node) -> Node {
        sha256(&[left, right].concat())
    }

    fn hex(node: &Node) -> String {
        node.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn leaves_are_the_hashes_of_16_kib_blocks_however_the_slices_lie() {
        let data: Vec<u8> = (0..40_000u32).map(|at| (at % 251) as u8).collect();
        let expected = vec![sha256(&data[..16_384]), sha256(&data[16_384..32_768]), sha256(&data[32_768..])];
        assert_eq!(leaves(&[&data]), expected);
        assert_eq!(leaves(&[&data[..5], &[], &data[5..16_384], &data[16_384..39_999], &data[39_999..]]), expected);
        assert_eq!(leaves(&[]), Vec::<Node>::new());
        assert_eq!(leaves(&[&data[..16_384]]).len(), 1);
    }

    #[test]
    fn heights() {
        assert_eq!([0, 1, 2, 3, 4, 5, 8, 9].map(height), [0, 0, 1, 2, 2, 3, 3, 4]);
        assert_eq!([0, 1, 16_384, 16_385, 65_536, 65_537].map(file_height), [0, 0, 0, 1, 2, 3]);
        assert_eq!([16_384, 32_768, 131_072].map(piece_layer), [0, 1, 3], "BEP 52: 128 KiB is the third layer up");
    }

    /// Zeros for leaves, and what follows from them.
    #[test]
    fn padding_of_each_layer() {
        assert_eq!(padding(0), [0; 32]);
        assert_eq!(padding(1), sha256(&[0; 64]));
        assert_eq!(hex(&padding(1)), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
        assert_eq!(padding(3), both(padding(2), padding(2)));
    }

    #[test]
    fn a_root_is_of_the_padded_layer() {
        let n = nodes(5);
        assert_eq!(root(&n[..1], 0, 0), n[0], "one leaf is its own root");
        assert_eq!(root(&n[..2], 0, 1), both(n[0], n[1]));
        assert_eq!(root(&n[..3], 0, 2), both(both(n[0], n[1]), both(n[2], [0; 32])));
        // The short last piece of a file with several: as high as a whole one.
        assert_eq!(root(&n[..1], 0, 2), both(both(n[0], [0; 32]), padding(1)));
        // A piece layer, two up.
        let left = both(both(n[0], n[1]), both(n[2], n[3]));
        let right = both(both(n[4], padding(2)), padding(3));
        assert_eq!(root(&n, 2, 3), both(left, right));
    }

    #[test]
    fn many_roots_at_once_are_those_of_each() {
        let trees = [(1, 0), (1, 3), (2, 1), (7, 3), (8, 3), (33, 6)].map(|(count, height)| (nodes(count), height));
        let each: Vec<Node> = trees.iter().map(|(nodes, height)| root(nodes, 1, *height)).collect();
        assert_eq!(roots(trees.to_vec(), 1), each);
    }

    /// A piece layer made of the leaves has the same root as the leaves.
    #[test]
    fn layers_agree_on_the_root() {
        let leaves = nodes(13);
        let pieces: Vec<Node> = leaves.chunks(4).map(|piece| root(piece, 0, 2)).collect();
        assert_eq!(root(&pieces, 2, 2), root(&leaves, 0, 4));
        assert_eq!(Tree::new(pieces, 2, 4).root(), root(&leaves, 0, 4));
    }

    /// What libtorrent 2.0.8 and 2.1 made of a file of 300,000 bytes with pieces of 32 KiB.
    #[test]
    fn the_same_as_libtorrent() {
        let data: Vec<u8> = (0..300_000u32).map(|at| (at * 7 / 3) as u8).collect();
        let leaves = leaves(&[&data]);
        let pieces = parents(&leaves, 0);
        let (layer, height) = (piece_layer(32_768), file_height(300_000));
        assert_eq!((pieces.len(), layer, height), (10, 1, 5));
        assert_eq!(hex(&pieces[0]), "d10add1278f9e4da84d44cf9612f3dcbf94525b1306780e7907e5ab04ccd0988");
        assert_eq!(hex(&pieces[9]), "e6f4107efc411dafa2a1fc73c83cfbae5f0849b72664b08652e167fde727e0af");
        let expected = "ffe71841fd075052282ff29683eef76c89c3dbb1cfaa2ae780bc6999348fd303";
        assert_eq!(hex(&root(&leaves, 0, height)), expected);
        assert_eq!(hex(&root(&pieces, layer, height - layer)), expected);
    }

    /// ```text
    /// layer 3                 root
    ///       2        P                 Q
    ///       1    p0      p1        p2      p3
    ///       0  l0  l1  l2  l3    l4  l5  l6  0
    /// ```
    /// A proof layer whose uncle follows from the span itself is counted and not sent.
    #[test]
    fn a_span_comes_with_the_uncles_that_it_does_not_contain() {
        let l = nodes(7);
        let p = [both(l[0], l[1]), both(l[2], l[3]), both(l[4], l[5]), both(l[6], [0; 32])];
        let (left, right) = (both(p[0], p[1]), both(p[2], p[3]));
        let tree = Tree::new(l.clone(), 0, 3);
        assert_eq!(tree.root(), both(left, right));
        assert_eq!(tree.span(0, 2, 2, 0), Some(vec![l[2], l[3]]), "no proof asked for");
        assert_eq!(tree.span(0, 2, 2, 1), Some(vec![l[2], l[3], p[0]]));
        assert_eq!(tree.span(0, 2, 2, 2), Some(vec![l[2], l[3], p[0], right]));
        assert_eq!(tree.span(0, 4, 4, 1), Some(vec![l[4], l[5], l[6], [0; 32]]), "layer 1 follows from the span");
        assert_eq!(tree.span(0, 4, 4, 2), Some(vec![l[4], l[5], l[6], [0; 32], left]));
        assert_eq!(tree.span(0, 0, 8, 2).map(|span| span.len()), Some(8), "the whole layer needs no uncle");
        assert_eq!(tree.span(1, 2, 2, 1), Some(vec![p[2], p[3], left]));
        // libtorrent asks for the single last hash of a layer.
        assert_eq!(tree.span(0, 6, 1, 2), Some(vec![l[6], [0; 32], p[2], left]));
    }

    #[test]
    fn what_is_not_in_the_tree_is_not_answered() {
        let tree = Tree::new(nodes(7), 2, 5);
        assert!(tree.span(2, 0, 8, 2).is_some());
        assert_eq!(tree.span(1, 0, 2, 0), None, "below what is known");
        assert_eq!(tree.span(2, 8, 2, 0), None, "beyond the end");
        assert_eq!(tree.span(2, 1, 2, 0), None, "not aligned");
        assert_eq!(tree.span(2, 0, 3, 0), None, "not a power of two");
        assert_eq!(tree.span(2, 0, 0, 0), None);
        assert_eq!(tree.span(2, 0, 2, 3), None, "the root is no proof");
        assert_eq!(tree.span(6, 0, 2, 0), None);
        assert_eq!(tree.span(u32::MAX, u32::MAX, 1 << 31, u32::MAX), None);
        assert_eq!(Tree::new(nodes(1), 0, 0).span(0, 0, 2, 0), None);
    }

    /// Every span of trees of many widths proves itself, and nothing that was changed does.
    #[test]
    fn spans_prove_themselves_and_lies_do_not() {
        for count in [2, 3, 8, 9, 13, 21] {
            let height = height(count.into()) + 3;
            let tree = Tree::new(nodes(count), 3, height);
            for length in [1, 2, 4, 8, 16].into_iter().filter(|length| height - 3 >= self::height((*length).into())) {
                for index in (0..1 << (height - 3)).step_by(length as usize) {
                    let proof = whole_proof(height, 3);
                    let answer = tree.span(3, index, length, proof).unwrap();
                    assert_eq!(answer.len() as u32, length + uncles(length, proof));
                    let (span, proof) = answer.split_at(length as usize);
                    assert!(proves(&tree.root(), index, span, proof), "{count} {length} {index}");
                    for at in 0..answer.len() {
                        let mut lie = answer.clone();
                        lie[at][7] ^= 1;
                        let (span, proof) = lie.split_at(length as usize);
                        assert!(!proves(&tree.root(), index, span, proof), "{count} {length} {index} {at}");
                    }
                    let top = root(span, 0, self::height(length.into()));
                    let Some((first, rest)) = proof.split_first() else { continue };
                    assert!(!proves(&tree.root(), index ^ length, span, proof) || *first == top, "not there");
                    assert!(!proves(&tree.root(), index, span, rest), "an uncle is missing");
                }
            }
        }
    }

    #[test]
    fn what_is_no_span_proves_nothing() {
        let n = nodes(4);
        let top = root(&n, 0, 2);
        assert!(proves(&top, 0, &n, &[]));
        assert!(!proves(&top, 4, &n, &[]), "beyond the tree");
        assert!(!proves(&top, 0, &n[..3], &[]));
        assert!(!proves(&top, 0, &[], &[]));
        assert!(!proves(&top, 1, &n[..2], &n[2..3]), "not aligned");
        assert!(!proves(&top, 0, &n[..1], &vec![n[0]; 65]));
    }
}
