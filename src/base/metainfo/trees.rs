//! The merkle trees of a torrent's files (BEP 52): the root of each, which the info dictionary tells, and the piece layers,
//! which stand beside it and have to lead to the roots.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::merkle::{self, Node};

/// The tree of one file with bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileTree {
    /// BEP 52, "pieces root".
    pub root: Node,
    /// Bytes of the file.
    pub length: u64,
    /// How many pieces it has; with one alone the root is the piece's hash and there is no layer.
    pub pieces: u32,
    /// One hash a piece, as soon as they are known.
    layer: Option<Arc<[Node]>>,
}

impl FileTree {
    /// The hashes of its pieces, if it has several and they are known.
    pub fn layer(&self) -> Option<&[Node]> {
        self.layer.as_deref()
    }

    /// How many layers there are above the leaves.
    pub fn height(&self) -> u32 {
        merkle::file_height(self.length)
    }

    fn is_missing(&self) -> bool {
        self.pieces > 1 && self.layer.is_none()
    }
}

/// The trees of all files. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trees {
    piece_length: u32,
    /// One for each file of the torrent; `None` for what has no bytes or is padding of the v1 side.
    files: Arc<[Option<FileTree>]>,
    /// The first file of each root. Files with the same bytes have the same.
    by_root: Arc<BTreeMap<Node, usize>>,
}

/// What is wrong with roots or layers; `file` counts from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// Another file has the same root and another length.
    SameRoot { file: usize },
    /// The layer does not lead to the file's root.
    WrongLayer { file: usize },
}

impl Trees {
    /// Trees of which no layer is known yet: (root, length) of each file that has one. `piece_length` is a power of two of
    /// at least 16 KiB.
    ///
    /// # Errors
    /// [`TreeError::SameRoot`].
    pub fn new(piece_length: u32, files: impl IntoIterator<Item = Option<(Node, u64)>>) -> Result<Trees, TreeError> {
        let files: Arc<[Option<FileTree>]> = files
            .into_iter()
            .map(|file| {
                let (root, length) = file?;
                Some(FileTree { root, length, pieces: length.div_ceil(piece_length.into()) as u32, layer: None })
            })
            .collect();
        let mut by_root = BTreeMap::new();
        for (file, tree) in files.iter().enumerate() {
            let Some(tree) = tree else { continue };
            let first: usize = *by_root.entry(tree.root).or_insert(file);
            if files[first].as_ref().is_some_and(|first| first.length != tree.length) {
                return Err(TreeError::SameRoot { file });
            }
        }
        Ok(Trees { piece_length, files, by_root: Arc::new(by_root) })
    }

    /// The number of layers from the leaves to the piece layers.
    pub fn piece_layer(&self) -> u32 {
        merkle::piece_layer(self.piece_length)
    }

    /// The tree of file `file`, if it has one.
    pub fn file(&self, file: usize) -> Option<&FileTree> {
        self.files.get(file)?.as_ref()
    }

    /// The tree with this root.
    pub fn of_root(&self, root: &Node) -> Option<&FileTree> {
        self.file(*self.by_root.get(root)?)
    }

    /// Every tree whose piece layer has yet to be found, each root once, in the order of the roots.
    pub fn missing(&self) -> impl Iterator<Item = &FileTree> {
        self.by_root.values().filter_map(|file| self.file(*file)).filter(|tree| tree.is_missing())
    }

    /// The hash of piece `nth` of file `file`; `None` while it is not known.
    pub fn piece(&self, file: usize, nth: u32) -> Option<Node> {
        let tree = self.file(file)?;
        match tree.pieces {
            1 => Some(tree.root),
            _ => tree.layer()?.get(nth as usize).copied(),
        }
    }

    /// The same trees with these piece layers too, by root. Layers of roots that no file has, and of files with one piece
    /// alone, are left out.
    ///
    /// # Errors
    /// [`TreeError::WrongLayer`].
    pub fn with_layers(&self, layers: impl IntoIterator<Item = (Node, Vec<Node>)>) -> Result<Trees, TreeError> {
        let mut found: BTreeMap<Node, Arc<[Node]>> = BTreeMap::new();
        for (root, layer) in layers {
            let Some(&file) = self.by_root.get(&root) else { continue };
            let Some(tree) = self.file(file).filter(|tree| tree.pieces > 1) else { continue };
            if !self.fits(tree, &layer) {
                return Err(TreeError::WrongLayer { file });
            }
            found.insert(root, layer.into());
        }
        let with_layer = |tree: &FileTree| match found.get(&tree.root) {
            Some(layer) => FileTree { layer: Some(layer.clone()), ..tree.clone() },
            None => tree.clone(),
        };
        let files = self.files.iter().map(|tree| tree.as_ref().map(with_layer)).collect();
        Ok(Trees { files, ..self.clone() })
    }

    fn fits(&self, tree: &FileTree, layer: &[Node]) -> bool {
        let above = tree.height() - self.piece_layer();
        layer.len() == tree.pieces as usize && merkle::root(layer, self.piece_layer(), above) == tree.root
    }

    /// The value of `piece layers` in a .torrent: a bencoded dictionary of the layers that are known.
    pub fn encode_layers(&self) -> Vec<u8> {
        let mut out = b"d".to_vec();
        for tree in self.by_root.values().filter_map(|file| self.file(*file)) {
            let Some(layer) = tree.layer() else { continue };
            out.extend_from_slice(b"32:");
            out.extend_from_slice(&tree.root);
            out.extend_from_slice(format!("{}:", layer.len() * 32).as_bytes());
            out.extend_from_slice(layer.as_flattened());
        }
        out.push(b'e');
        out
    }
}
