//! For tests: the files of a torrent in a folder that goes away with them.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::base::layout::FileSpan;
use crate::base::merkle::{self, Node};
use crate::base::metainfo::Trees;
use crate::base::piece_hash::{PieceHashes, merkle_roots, tree_height};

/// A folder with a torrent's files in it.
pub(crate) struct Fixture {
    pub out: TempDir,
    pub state: TempDir,
    pub layout: Arc<Layout>,
    pub paths: Vec<PathBuf>,
    pub content: Vec<u8>,
    pub(super) v2: bool,
}

impl Fixture {
    /// Pieces of `piece_length`, files of these names and lengths; a name that begins with `.pad` is padding.
    pub fn new(piece_length: u32, files: &[(&str, u64)]) -> Fixture {
        let is_pad = |name: &str| name.starts_with(".pad");
        let layout = Layout::v1(piece_length, files.iter().map(|&(name, length)| (length, is_pad(name))));
        Fixture::of(layout, files, false)
    }

    /// The same with every file at the start of a piece (BEP 52), and no padding.
    pub fn v2(piece_length: u32, files: &[(&str, u64)]) -> Fixture {
        Fixture::of(Layout::v2(piece_length, files.iter().map(|&(_, length)| (length, false))), files, true)
    }

    fn of(layout: Layout, files: &[(&str, u64)], v2: bool) -> Fixture {
        let mut content: Vec<u8> = (0..layout.end()).map(|at| (at * 7 + at / 251 + 1) as u8 | 1).collect();
        for span in layout.files().iter().filter(|span| span.pad) {
            content[span.offset as usize..][..span.length as usize].fill(0);
        }
        Fixture {
            out: tempfile::tempdir().unwrap(),
            state: tempfile::tempdir().unwrap(),
            layout: Arc::new(layout),
            paths: files.iter().map(|&(name, _)| name.into()).collect(),
            content,
            v2,
        }
    }

    pub fn setup(&self) -> FileSetup {
        FileSetup {
            allocate: Allocate::Sparse,
            layout: self.layout.clone(),
            paths: self.paths.clone(),
            dir: self.out.path().to_owned(),
            selected: self.layout.files().iter().map(|span| !span.pad).collect(),
            part: true,
            writable: true,
            overwrite: false,
            edges: Some(self.state.path().join("x.edges")),
            max_open: 3,
        }
    }

    /// Opened with these files selected, nothing verified.
    pub fn open(&self, selected: &[usize]) -> FileSet {
        let files = FileSet::open(self.choose(selected)).unwrap();
        files.adopt(&Bitfield::new(self.layout.pieces()), |_| false).unwrap();
        files
    }

    pub fn choose(&self, selected: &[usize]) -> FileSetup {
        FileSetup { selected: (0..self.paths.len()).map(|index| selected.contains(&index)).collect(), ..self.setup() }
    }

    pub fn piece(&self, piece: u32) -> &[u8] {
        &self.content[self.layout.piece_offset(piece) as usize..][..self.layout.piece_len(piece) as usize]
    }

    pub fn hashes(&self) -> PieceHashes {
        match self.v2 {
            false => (0..self.layout.pieces()).map(|piece| crate::base::hash::sha1(self.piece(piece))).collect(),
            true => PieceHashes::V2 { layout: self.layout.clone(), trees: self.trees() },
        }
    }

    fn trees(&self) -> Trees {
        let layout = &self.layout;
        let root = |piece| merkle_roots(&[(&[self.piece(piece)], tree_height(layout, piece))])[0];
        let layers: Vec<Vec<Node>> =
            (0..self.paths.len()).map(|file| layout.pieces_of(file).map(root).collect()).collect();
        let of_file = |(layer, span): (&Vec<Node>, &FileSpan)| match layer.len() {
            0 => None,
            1 => Some((layer[0], span.length)),
            _ => {
                let base = merkle::piece_layer(layout.piece_length());
                Some((merkle::root(layer, base, merkle::file_height(span.length) - base), span.length))
            }
        };
        let roots: Vec<_> = layers.iter().zip(layout.files()).map(of_file).collect();
        let trees = Trees::new(layout.piece_length(), roots.clone()).unwrap();
        let layers = roots.into_iter().zip(layers).filter_map(|(root, layer)| Some((root?.0, layer)));
        trees.with_layers(layers).unwrap()
    }

    pub fn file(&self, index: usize) -> &[u8] {
        let span = self.layout.files()[index];
        &self.content[span.offset as usize..][..span.length as usize]
    }

    /// Writes these pieces in one go and marks them verified.
    pub fn put(&self, files: &FileSet, pieces: &[u32]) -> Result<(), FileError> {
        let parts: Vec<_> =
            pieces.iter().map(|&piece| Stretched { piece, begin: 0, bytes: self.piece(piece) }).collect();
        files.write(&parts)?;
        pieces.iter().try_for_each(|&piece| files.mark_verified(piece))
    }

    /// Everything below the output folder, folders with a slash behind.
    pub fn tree(&self) -> Vec<String> {
        fn walk(folder: &Path, prefix: &str, into: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), into);
                    into.push(format!("{name}/"));
                } else {
                    into.push(name);
                }
            }
        }
        let mut tree = Vec::new();
        walk(self.out.path(), "", &mut tree);
        tree.sort();
        tree
    }

    pub fn on_disk(&self, name: &str) -> Vec<u8> {
        fs::read(self.out.path().join(name)).unwrap()
    }

    pub fn place(&self, name: &str, bytes: &[u8]) {
        let path = self.out.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Makes every further write to file `index` fail as on a full file system.
#[cfg(target_os = "linux")]
pub(crate) fn fill_up(files: &FileSet, index: usize) {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    files.state().handles.put(index, full, true);
}
