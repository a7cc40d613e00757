//! The file tree of an info dictionary (BEP 52): a dictionary a folder, one under an empty key for each file.

use super::info::{file_length, not_a_torrent, refuse_duplicates, refused, too_many};
use super::{FileEntry, MetainfoError};
use crate::base::bencode::{Dict, Limits, Value};
use crate::base::merkle::Node;
use crate::base::safe_path::{PathMender, SafePath, mend_name};

/// Pieces of one torrent: as many as a .torrent has room for in its piece layers.
const MAX_PIECES: u64 = Limits::TORRENT.bytes as u64 / 32;

/// The files of a tree.
#[derive(Debug)]
pub(super) struct TreeFiles {
    /// The name of the single file or the top folder, mended.
    pub name: String,
    pub single_file: bool,
    pub entries: Vec<FileEntry>,
    /// One for each of `entries`; `None` for what has no bytes.
    pub roots: Vec<Option<Node>>,
}

impl TreeFiles {
    /// Reads the tree. A file alone at its root is a single file, unless `in_folder` says that it lies in the top folder,
    /// which is called `name`.
    pub fn read(
        tree: Dict,
        name: Option<&[u8]>,
        in_folder: bool,
        piece_length: u32,
    ) -> Result<TreeFiles, MetainfoError> {
        match single_file(tree) {
            Some((file_name, fields)) if !in_folder => {
                let name =
                    mend_name(file_name).ok_or_else(|| refused("nothing usable is left of its name"))?.into_owned();
                let path = SafePath::new(&name).expect("a mended name is safe");
                let mut files = Collected::new(piece_length);
                files.add(1, fields, |_| Some(path))?;
                files.finish(name, true)
            }
            _ => {
                let top = name.ok_or_else(|| not_a_torrent("its info has no name"))?;
                let name = mend_name(top).ok_or_else(|| refused("nothing usable is left of its name"))?.into_owned();
                let mut mender = PathMender::new();
                let (mut files, mut nth) = (Collected::new(piece_length), 0);
                walk(tree, &mut |path, fields| {
                    nth += 1;
                    files.add(nth, fields, |pad| match pad {
                        // Never stored, so it takes no name from a file.
                        true => SafePath::new(&format!("{name}/.pad/{nth}")),
                        false => mender.mend_below(top, path.iter().copied()),
                    })?;
                    too_many(files.entries.len() + mender.folders() as usize)
                })?;
                files.finish(name, false)
            }
        }
    }
}

/// Name and properties of the only file of a tree that has neither a folder nor another file.
pub(super) fn single_file(tree: Dict<'_>) -> Option<(&[u8], Dict<'_>)> {
    let mut entries = tree.iter();
    let (name, value) = entries.next()?;
    let inner = value.as_dict()?;
    let (key, fields) = inner.iter().next()?;
    let alone = entries.next().is_none() && inner.iter().nth(1).is_none();
    (alone && key.is_empty() && !name.is_empty()).then_some(())?;
    Some((name, fields.as_dict()?))
}

/// What [`walk`] has found: the path below the top folder, and what is said of the file there.
type Each<'e, 'a> = &'e mut dyn FnMut(&[&'a [u8]], Dict<'a>) -> Result<(), MetainfoError>;

/// Goes through all files of a tree in its order.
pub(super) fn walk<'a>(tree: Dict<'a>, each: Each<'_, 'a>) -> Result<(), MetainfoError> {
    walk_folder(tree, &mut Vec::new(), each)
}

/// No deeper than the guard has let pass.
fn walk_folder<'a>(folder: Dict<'a>, path: &mut Vec<&'a [u8]>, each: Each<'_, 'a>) -> Result<(), MetainfoError> {
    let at = |path: &[&[u8]]| {
        let shown: Vec<_> = path.iter().map(|part| String::from_utf8_lossy(part)).collect();
        if path.is_empty() { "its file tree".to_owned() } else { format!("{:?} in its file tree", shown.join("/")) }
    };
    refuse_duplicates(folder)?;
    for (name, value) in folder.iter() {
        let inner =
            value.as_dict().ok_or_else(|| not_a_torrent(format!("{} has something else than files", at(path))))?;
        match name {
            b"" if path.is_empty() => return Err(refused("its file tree is itself a file")),
            b"" if folder.iter().nth(1).is_some() => {
                return Err(refused(format!("{} is a file and a folder at once", at(path))));
            }
            b"" => each(path, inner)?,
            _ => {
                path.push(name);
                walk_folder(inner, path, each)?;
                path.pop();
            }
        }
    }
    Ok(())
}

/// The files so far.
struct Collected {
    piece_length: u32,
    pieces: u64,
    entries: Vec<FileEntry>,
    roots: Vec<Option<Node>>,
}

impl Collected {
    fn new(piece_length: u32) -> Collected {
        Collected { piece_length, pieces: 0, entries: Vec::new(), roots: Vec::new() }
    }

    /// Adds file `nth`, counted from 1; `path` names it and is told whether it is padding.
    fn add(
        &mut self,
        nth: usize,
        fields: Dict,
        path: impl FnOnce(bool) -> Option<SafePath>,
    ) -> Result<(), MetainfoError> {
        refuse_duplicates(fields)?;
        let (mut length, mut root, mut attributes) = (None, None, &b""[..]);
        for (key, value) in fields.iter() {
            match key {
                b"length" => length = Some(value),
                b"pieces root" => root = Some(value),
                b"attr" => attributes = value.as_bytes().unwrap_or_default(),
                _ => {}
            }
        }
        let link = attributes.contains(&b'l');
        let pad = link || attributes.contains(&b'p');
        let length = if link { 0 } else { file_length(length, nth)? };
        let root = if length == 0 { None } else { Some(pieces_root(root, nth)?) };
        self.pieces = self.pieces.saturating_add(length.div_ceil(self.piece_length.into()));
        if self.pieces > MAX_PIECES {
            return Err(refused(format!("it has more than {MAX_PIECES} pieces")));
        }
        let path = path(pad);
        let path = path.ok_or_else(|| refused(format!("nothing usable is left of the name of its file {nth}")))?;
        self.entries.push(FileEntry { path, length, pad });
        self.roots.push(root);
        Ok(())
    }

    fn finish(mut self, name: String, single_file: bool) -> Result<TreeFiles, MetainfoError> {
        if self.entries.iter().all(|file| file.pad) {
            return Err(refused("it has no files"));
        }
        self.entries.shrink_to_fit();
        Ok(TreeFiles { name, single_file, entries: self.entries, roots: self.roots })
    }
}

fn pieces_root(value: Option<Value>, nth: usize) -> Result<Node, MetainfoError> {
    let value = value.ok_or_else(|| not_a_torrent(format!("its file {nth} has no pieces root")))?;
    let root = value.as_bytes().and_then(|root| root.try_into().ok());
    root.ok_or_else(|| refused(format!("the pieces root of its file {nth} is no hash of 32 bytes")))
}
