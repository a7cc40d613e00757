//! The info dictionary: what is hashed, and what the swarm agrees on.

use std::sync::Arc;

use super::file_tree::TreeFiles;
use super::{FileEntry, Info, MAX_ENTRIES, MetainfoError, TreeError, Trees};
use crate::base::bencode::{Dict, Limits, Value};
use crate::base::hash::{sha1, sha256};
use crate::base::id::{InfoHashV1, InfoHashV2, TorrentId};
use crate::base::layout::{BLOCK_LEN, Layout};
use crate::base::merkle::Node;
use crate::base::piece_hash::PieceHashes;
use crate::base::safe_path::{PathMender, SafePath, mend_name};

/// The longest piece that is taken: every peer that sends one needs it in memory.
const MAX_PIECE_LENGTH: u64 = 1 << 29;
/// The `meta version` of BEP 52.
const V2: i64 = 2;

impl Info {
    /// Reads an info dictionary by itself, as it comes from peers (BEP 9).
    ///
    /// # Errors
    /// [`MetainfoError::NotATorrent`] where it is no info dictionary, or more than one value;
    /// [`MetainfoError::Refused`] where it is one that is not run, with the first reason.
    pub fn parse(raw: &[u8]) -> Result<Info, MetainfoError> {
        let (value, consumed) = Value::parse(raw, Limits::TORRENT)?;
        if consumed < raw.len() {
            return Err(not_a_torrent("something follows its info dictionary"));
        }
        Info::read(value)
    }

    /// Reads the value of `info`, which has passed the guard.
    pub(super) fn read(value: Value) -> Result<Info, MetainfoError> {
        let dict = value.as_dict().ok_or_else(|| not_a_torrent("its info is no dictionary"))?;
        refuse_duplicates(dict)?;
        let fields = InfoFields::read(dict);
        fields.check_version()?;
        match (fields.pieces, fields.v2_tree()) {
            (Some(pieces), tree) => read_v1(&fields, pieces, tree, value),
            (None, Some(tree)) => read_v2(&fields, tree, value),
            (None, None) => Err(fields.no_pieces()),
        }
    }

    /// The same torrent with these piece layers too, by the root of their file; those that belong to no file are left out.
    ///
    /// # Errors
    /// [`MetainfoError::Refused`] if one does not fit the root.
    pub fn with_layers(&self, layers: impl IntoIterator<Item = (Node, Vec<Node>)>) -> Result<Info, MetainfoError> {
        let Some(trees) = &self.trees else { return Ok(self.clone()) };
        let trees = trees.with_layers(layers).map_err(|error| self.tree_refusal(error))?;
        let hashes = match &self.hashes {
            PieceHashes::V2 { layout, .. } => PieceHashes::V2 { layout: layout.clone(), trees: trees.clone() },
            v1 => v1.clone(),
        };
        Ok(Info { trees: Some(trees), hashes, ..self.clone() })
    }

    fn tree_refusal(&self, error: TreeError) -> MetainfoError {
        tree_refusal(error, &self.files)
    }
}

/// A torrent that the v1 fields describe, and perhaps a file tree too (BEP 52, "Upgrade Path").
fn read_v1(fields: &InfoFields, pieces: Value, tree: Option<Dict>, value: Value) -> Result<Info, MetainfoError> {
    let pieces = v1_pieces(pieces)?;
    let piece_length = fields.piece_length()?;
    let raw_name = fields.name().ok_or_else(|| not_a_torrent("its info has no name"))?;
    let name = mend_name(raw_name).ok_or_else(|| refused("nothing usable is left of its name"))?.into_owned();
    let (single_file, files) = match (fields.files, fields.length) {
        (Some(files), _) => (false, many_files(raw_name, &name, files)?),
        (None, Some(length)) => (true, vec![one_file(&name, length)?]),
        (None, None) => return Err(refused("it has no files")),
    };
    check_sizes(&files, piece_length, pieces)?;
    let layout = Layout::v1(piece_length, files.iter().map(|file| (file.length, file.pad)));
    let trees = match tree {
        Some(tree) => {
            check_v2_piece_length(piece_length)?;
            let tree = TreeFiles::read(tree, Some(raw_name), !single_file, piece_length)?;
            Some(trees_of_hybrid(&files, &layout, &tree)?)
        }
        None => None,
    };
    let (v1, raw) = (InfoHashV1(sha1(value.raw())), value.raw());
    let v2 = trees.is_some().then(|| InfoHashV2(sha256(raw)));
    Ok(Info {
        id: TorrentId::new(Some(v1), v2).expect("one hash at least"),
        name,
        layout: Arc::new(layout),
        hashes: PieceHashes::V1(pieces.as_chunks().0.into()),
        trees,
        private: fields.private,
        files,
        single_file,
        raw: raw.into(),
    })
}

/// A torrent that the file tree alone describes.
fn read_v2(fields: &InfoFields, tree: Dict, value: Value) -> Result<Info, MetainfoError> {
    let piece_length = fields.piece_length()?;
    check_v2_piece_length(piece_length)?;
    let TreeFiles { name, single_file, entries: files, roots } =
        TreeFiles::read(tree, fields.name(), false, piece_length)?;
    let layout = Arc::new(Layout::v2(piece_length, files.iter().map(|file| (file.length, file.pad))));
    let trees = roots.iter().zip(&files).map(|(root, file)| Some(((*root)?, file.length)));
    let trees = trees_of(piece_length, trees, &files)?;
    Ok(Info {
        id: TorrentId::from_v2(InfoHashV2(sha256(value.raw()))),
        name,
        hashes: PieceHashes::V2 { layout: layout.clone(), trees: trees.clone() },
        layout,
        trees: Some(trees),
        private: fields.private,
        files,
        single_file,
        raw: value.raw().into(),
    })
}

fn trees_of(
    piece_length: u32,
    roots: impl Iterator<Item = Option<(Node, u64)>>,
    files: &[FileEntry],
) -> Result<Trees, MetainfoError> {
    Trees::new(piece_length, roots).map_err(|error| tree_refusal(error, files))
}

fn tree_refusal(error: TreeError, files: &[FileEntry]) -> MetainfoError {
    let shown = |file: usize| files[file].path.to_slashes();
    refused(match error {
        TreeError::SameRoot { file } => {
            format!("{:?} has the pieces root of another file, but not its length", shown(file))
        }
        TreeError::WrongLayer { file } => format!("the piece layer of {:?} does not fit its pieces root", shown(file)),
    })
}

/// The trees of a hybrid's files, one for each file of its v1 side. Both sides have to tell of the same files in the same
/// order, and every file has to begin at a piece.
fn trees_of_hybrid(files: &[FileEntry], layout: &Layout, tree: &TreeFiles) -> Result<Trees, MetainfoError> {
    let piece_length = layout.piece_length();
    let mut theirs = tree.entries.iter().zip(&tree.roots).filter(|(file, _)| !file.pad);
    let mut roots = Vec::with_capacity(files.len());
    for (file, span) in files.iter().zip(layout.files()) {
        if file.pad {
            roots.push(None);
            continue;
        }
        let shown = file.path.to_slashes();
        let Some((other, root)) = theirs.next() else {
            return Err(refused(format!("its file tree lacks {shown:?} of its list of files")));
        };
        if file.path != other.path {
            let other = other.path.to_slashes();
            return Err(refused(format!("its file tree has {other:?} where its list of files has {shown:?}")));
        }
        if file.length != other.length {
            return Err(refused(format!(
                "{shown:?} has {} bytes by its list of files and {} by its file tree",
                file.length, other.length
            )));
        }
        if file.length > 0 && !span.offset.is_multiple_of(piece_length.into()) {
            return Err(refused(format!(
                "{shown:?} begins within a piece, where its file tree has it at the start of one"
            )));
        }
        roots.push(root.map(|root| (root, file.length)));
    }
    if let Some((other, _)) = theirs.next() {
        let other = other.path.to_slashes();
        return Err(refused(format!("its list of files lacks {other:?} of its file tree")));
    }
    trees_of(piece_length, roots.into_iter(), files)
}

/// BEP 52, "piece length".
fn check_v2_piece_length(length: u32) -> Result<(), MetainfoError> {
    match length.is_power_of_two() && length >= BLOCK_LEN {
        true => Ok(()),
        false => {
            Err(refused(format!("its piece length ({length}) is no power of two of 16 KiB or more, as v2 wants it")))
        }
    }
}

/// The piece hashes in a row; each is 20 bytes.
fn v1_pieces(pieces: Value<'_>) -> Result<&[u8], MetainfoError> {
    let pieces = pieces.as_bytes().ok_or_else(|| not_a_torrent("its pieces are no string"))?;
    if pieces.len() % 20 != 0 {
        return Err(refused(format!("its pieces string has {} bytes, no multiple of 20", pieces.len())));
    }
    Ok(pieces)
}

/// The keys that are looked at, of whatever type they came in.
#[derive(Default)]
struct InfoFields<'a> {
    name: Option<&'a [u8]>,
    name_utf8: Option<&'a [u8]>,
    piece_length: Option<Value<'a>>,
    pieces: Option<Value<'a>>,
    length: Option<Value<'a>>,
    files: Option<Value<'a>>,
    private: bool,
    meta_version: Option<Value<'a>>,
    file_tree: Option<Value<'a>>,
}

impl<'a> InfoFields<'a> {
    fn read(dict: Dict<'a>) -> Self {
        let mut fields = InfoFields::default();
        for (key, value) in dict.iter() {
            match key {
                b"name" => fields.name = value.as_bytes(),
                b"name.utf-8" => fields.name_utf8 = utf8_bytes(value),
                b"piece length" => fields.piece_length = Some(value),
                b"pieces" => fields.pieces = Some(value),
                b"length" => fields.length = Some(value),
                b"files" => fields.files = Some(value),
                b"private" => fields.private = value.as_int().is_some_and(|private| private != 0),
                b"meta version" => fields.meta_version = Some(value),
                b"file tree" => fields.file_tree = Some(value),
                _ => {}
            }
        }
        fields
    }

    fn name(&self) -> Option<&'a [u8]> {
        self.name_utf8.or(self.name)
    }

    /// BEP 52, "meta version": to be looked at before anything else.
    fn check_version(&self) -> Result<(), MetainfoError> {
        match self.meta_version.filter(|version| version.is_int() && !version.raw().starts_with(b"i-")) {
            Some(version) if version.as_int().is_none_or(|version| version > V2) => Err(refused(format!(
                "it is for a later version of BitTorrent (meta version {}) than 2, which is the last that is known here",
                String::from_utf8_lossy(&version.raw()[1..version.raw().len() - 1])
            ))),
            _ => Ok(()),
        }
    }

    /// The file tree, if the dictionary says that it is there to be read.
    fn v2_tree(&self) -> Option<Dict<'a>> {
        let version = self.meta_version?.as_int()?;
        self.file_tree.filter(|_| version == V2)?.as_dict()
    }

    /// Why there is nothing to fetch.
    fn no_pieces(&self) -> MetainfoError {
        let version = self.meta_version.and_then(|version| version.as_int());
        match self.file_tree {
            Some(_) if version == Some(V2) => not_a_torrent("its file tree is no dictionary"),
            Some(_) => refused("it has a file tree, but not the meta version 2 that goes with it"),
            None if version == Some(V2) => not_a_torrent("its info has neither pieces nor a file tree"),
            None => not_a_torrent("its info has no pieces"),
        }
    }

    fn piece_length(&self) -> Result<u32, MetainfoError> {
        let value = self.piece_length.ok_or_else(|| not_a_torrent("its info has no piece length"))?;
        if !value.is_int() {
            return Err(not_a_torrent("its piece length is no number"));
        }
        match (value.as_int(), value.as_u64()) {
            (_, Some(0)) => Err(refused("its piece length is 0")),
            (_, Some(length @ 1..=MAX_PIECE_LENGTH)) => Ok(length as u32),
            (Some(length), None) => Err(refused(format!("its piece length is negative ({length})"))),
            _ => Err(refused(format!(
                "its piece length ({}) is beyond {} MiB",
                String::from_utf8_lossy(&value.raw()[1..value.raw().len() - 1]),
                MAX_PIECE_LENGTH >> 20
            ))),
        }
    }
}

fn one_file(name: &str, length: Value) -> Result<FileEntry, MetainfoError> {
    let path = SafePath::new(name).expect("a mended name is safe");
    Ok(FileEntry { path, length: file_length(Some(length), 1)?, pad: false })
}

/// `top` is the raw name of the top folder, `name` the mended one.
fn many_files(top: &[u8], name: &str, files: Value) -> Result<Vec<FileEntry>, MetainfoError> {
    let list = files.as_list().ok_or_else(|| not_a_torrent("its files are no list"))?;
    let mut mender = PathMender::new();
    let mut entries = Vec::new();
    let mut path = Vec::new();
    for (nth, file) in (1..).zip(list.iter()) {
        let dict = file.as_dict().ok_or_else(|| not_a_torrent(format!("its file {nth} is no dictionary")))?;
        let fields = FileFields::read(dict)?;
        path.clear();
        fields.components(&mut path, nth)?;
        let pad = fields.link || fields.pad || is_padding_by_name(&path);
        let length = if fields.link { 0 } else { file_length(fields.length, nth)? };
        let safe = if pad {
            // Never stored, so it takes no name from a file.
            SafePath::new(&format!("{name}/.pad/{nth}"))
        } else {
            mender.mend_below(top, path.iter().copied())
        };
        let safe = safe.ok_or_else(|| refused(format!("nothing usable is left of the name of its file {nth}")))?;
        entries.push(FileEntry { path: safe, length, pad });
        too_many(entries.len() + mender.folders() as usize)?;
    }
    entries.shrink_to_fit();
    Ok(entries)
}

/// One dictionary of `files`.
#[derive(Default)]
struct FileFields<'a> {
    length: Option<Value<'a>>,
    path: Option<Value<'a>>,
    path_utf8: Option<Value<'a>>,
    pad: bool,
    link: bool,
}

impl<'a> FileFields<'a> {
    fn read(dict: Dict<'a>) -> Result<Self, MetainfoError> {
        refuse_duplicates(dict)?;
        let mut fields = FileFields::default();
        for (key, value) in dict.iter() {
            match key {
                b"length" => fields.length = Some(value),
                b"path" => fields.path = Some(value),
                b"path.utf-8" => fields.path_utf8 = Some(value),
                b"attr" => {
                    let attributes = value.as_bytes().unwrap_or_default();
                    fields.pad = attributes.contains(&b'p');
                    fields.link = attributes.contains(&b'l');
                }
                _ => {}
            }
        }
        Ok(fields)
    }

    /// Adds the components of the path; `path.utf-8` wins where all of it is UTF-8. Padding needs no path (BEP 47).
    fn components(&self, path: &mut Vec<&'a [u8]>, nth: usize) -> Result<(), MetainfoError> {
        let start = path.len();
        if let Some(list) = self.path_utf8.and_then(|value| value.as_list()) {
            path.extend(list.iter().map_while(utf8_bytes));
            if path.len() > start && path.len() - start == list.iter().count() {
                return Ok(());
            }
            path.truncate(start);
        }
        let Some(value) = self.path else {
            return if self.pad || self.link { Ok(()) } else { Err(no_path(nth)) };
        };
        for component in value.as_list().ok_or_else(|| no_path(nth))?.iter() {
            path.push(component.as_bytes().ok_or_else(|| no_path(nth))?);
        }
        Ok(())
    }
}

/// What padding was called before BEP 47 gave it an attribute, and is still called beside it.
fn is_padding_by_name(path: &[&[u8]]) -> bool {
    match path {
        [b".pad", length] => !length.is_empty() && length.iter().all(u8::is_ascii_digit),
        [.., name] => name.starts_with(b"_____padding_file_"),
        [] => false,
    }
}

fn check_sizes(files: &[FileEntry], piece_length: u32, pieces: &[u8]) -> Result<(), MetainfoError> {
    if files.iter().all(|file| file.pad) {
        return Err(refused("it has no files"));
    }
    let total = files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.length));
    let total = total.filter(|&total| total <= i64::MAX as u64).ok_or_else(|| refused("its file sizes overflow"))?;
    let expected = total.div_ceil(piece_length.into());
    let found = pieces.len() as u64 / 20;
    if found != expected {
        return Err(refused(format!("its pieces string has {found} hashes where its files make {expected} pieces")));
    }
    Ok(())
}

pub(super) fn too_many(entries: usize) -> Result<(), MetainfoError> {
    if entries > MAX_ENTRIES {
        Err(refused(format!("it has more than {MAX_ENTRIES} files and folders")))
    } else {
        Ok(())
    }
}

pub(super) fn file_length(value: Option<Value>, nth: usize) -> Result<u64, MetainfoError> {
    let value = value.filter(Value::is_int).ok_or_else(|| not_a_torrent(format!("its file {nth} has no length")))?;
    match (value.as_int(), value.as_u64()) {
        (_, Some(length)) => Ok(length),
        (Some(_), None) => Err(refused(format!("its file {nth} has a negative length"))),
        (None, None) => Err(refused("its file sizes overflow")),
    }
}

pub(super) fn refuse_duplicates(dict: Dict) -> Result<(), MetainfoError> {
    match dict.duplicate_key() {
        Some(key) => Err(refused(format!("the key {:?} stands twice in its info", String::from_utf8_lossy(key)))),
        None => Ok(()),
    }
}

fn utf8_bytes(value: Value<'_>) -> Option<&[u8]> {
    value.as_str().map(str::as_bytes)
}

fn no_path(nth: usize) -> MetainfoError {
    not_a_torrent(format!("its file {nth} has no path"))
}

pub(super) fn refused(reason: impl Into<String>) -> MetainfoError {
    MetainfoError::Refused(reason.into())
}

pub(super) fn not_a_torrent(reason: impl Into<String>) -> MetainfoError {
    MetainfoError::NotATorrent(reason.into())
}

#[cfg(test)]
mod tests;
