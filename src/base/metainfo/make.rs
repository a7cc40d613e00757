//! New .torrent files (BEP 3, BEP 52): what stands in one, and its bytes.
//!
//! The bytes are written through `lava_torrent`'s bencode, which sorts keys; the same draft gives the same bytes.

use std::collections::{BTreeMap, HashMap};

use lava_torrent::bencode::BencodeElem;

use crate::base::layout::Layout;
use crate::base::merkle::{self, Node};

/// Which BitTorrent a torrent is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Version {
    /// BEP 3.
    #[default]
    V1,
    /// BEP 52 alone.
    V2,
    /// Both, with the same files in either (BEP 52, "Upgrade Path").
    Hybrid,
}

impl Version {
    pub fn has_v1(self) -> bool {
        self != Version::V2
    }

    pub fn has_v2(self) -> bool {
        self != Version::V1
    }
}

/// A torrent that is about to be made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Draft {
    /// Of the single file or the top folder.
    pub name: String,
    pub content: Content,
    pub version: Version,
    /// Bytes; with a v2 side a power of two of at least 16 KiB.
    pub piece_length: u32,
    /// SHA-1 of each piece of [`Draft::layout`]; for v1.
    pub hashes: Vec<[u8; 20]>,
    /// The root of the tree over each piece of [`Draft::v2_layout`]; for v2.
    pub roots: Vec<Node>,
    /// BEP 27.
    pub private: bool,
    /// In the info dictionary, so that the same content has another info hash on another tracker.
    pub source: Option<String>,
    /// Tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// BEP 19.
    pub web_seeds: Vec<String>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

/// The files of a torrent that is about to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// One file of so many bytes and no folder.
    File(u64),
    /// (path below the top folder with `/`, bytes); for v2 in the order of [`tree_order`].
    Folder(Vec<(String, u64)>),
}

impl Default for Content {
    fn default() -> Self {
        Content::Folder(Vec::new())
    }
}

/// The shortest piece that is chosen (BEP 52: "at least 16KiB").
const LEAST_PIECE: u32 = 16 << 10;
/// The longest piece that is chosen; many programs refuse longer ones.
pub const MOST_PIECE: u32 = 16 << 20;

/// A piece length for so many bytes: 16 KiB up to 1 MiB, 512 KiB for 1 GiB, 16 MiB from 1 TiB on. The metainfo grows
/// as the square root of the content, and so does what one bad piece costs.
pub fn piece_length_for(total: u64) -> u32 {
    // The exponent of the next power of two.
    let exponent = total.max(1).next_power_of_two().trailing_zeros();
    let power = (exponent / 2 + 4).clamp(LEAST_PIECE.ilog2(), MOST_PIECE.ilog2());
    1 << power
}

impl Content {
    /// Bytes of all files, if 64 bits hold them.
    pub fn total(&self) -> Option<u64> {
        match self {
            Content::File(length) => Some(*length),
            Content::Folder(files) => files.iter().try_fold(0u64, |sum, (_, length)| sum.checked_add(*length)),
        }
    }
}

/// The order in which the files of a tree stand: folder by folder, names by their bytes.
pub fn tree_order(one: &str, other: &str) -> std::cmp::Ordering {
    one.split('/').cmp(other.split('/'))
}

impl Content {
    fn files(&self) -> Vec<(&str, u64)> {
        match self {
            Content::File(length) => vec![("", *length)],
            Content::Folder(files) => files.iter().map(|(path, length)| (&path[..], *length)).collect(),
        }
    }
}

/// A stretch of the bytes that v1 pieces are made of: a file, or padding (BEP 47).
struct V1File<'a> {
    path: Option<&'a str>,
    length: u64,
}

impl Draft {
    /// The layout whose pieces are to be hashed; for hybrids with padding.
    ///
    /// # Panics
    /// As [`Layout::v1`].
    pub fn layout(&self) -> Layout {
        match self.version.has_v1() {
            true => {
                Layout::v1(self.piece_length, self.v1_files().iter().map(|file| (file.length, file.path.is_none())))
            }
            false => self.v2_layout(),
        }
    }

    /// The layout of the v2 side: as many pieces, and no padding.
    ///
    /// # Panics
    /// As [`Layout::v1`].
    pub fn v2_layout(&self) -> Layout {
        Layout::v2(self.piece_length, self.content.files().into_iter().map(|(_, length)| (length, false)))
    }

    /// How many pieces there will be, as far as 64 bits hold that.
    pub fn pieces(&self) -> u64 {
        let piece = u64::from(self.piece_length);
        match self.version.has_v2() {
            true => self.content.files().iter().map(|(_, length)| length.div_ceil(piece)).fold(0, u64::saturating_add),
            false => self.content.total().unwrap_or(u64::MAX).div_ceil(piece),
        }
    }

    /// In a hybrid padding follows each file that does not end with a piece, the last too, unless it is the only one: so
    /// others make them, and the same files get the same v1 hash from each.
    fn v1_files(&self) -> Vec<V1File<'_>> {
        let (files, piece) = (self.content.files(), u64::from(self.piece_length));
        let padded = self.version == Version::Hybrid && files.len() > 1;
        let mut all = Vec::with_capacity(files.len());
        for (path, length) in files {
            all.push(V1File { path: Some(path), length });
            let padding = length.next_multiple_of(piece) - length;
            if padded && padding > 0 {
                all.push(V1File { path: None, length: padding });
            }
        }
        all
    }

    /// The bytes of the .torrent.
    ///
    /// # Panics
    /// If the lengths together are beyond 63 bits, or there are fewer hashes or roots than pieces.
    pub fn encode(&self) -> Vec<u8> {
        let mut top = HashMap::new();
        let first = self.trackers.iter().flatten().next();
        put(&mut top, "announce", first.map(text));
        if self.trackers.iter().flatten().count() > 1 {
            let tier = |tier: &Vec<String>| BencodeElem::List(tier.iter().map(text).collect());
            put(&mut top, "announce-list", Some(BencodeElem::List(self.trackers.iter().map(tier).collect())));
        }
        put(&mut top, "comment", self.comment.as_ref().map(text));
        put(&mut top, "created by", self.created_by.as_ref().map(text));
        put(&mut top, "creation date", self.creation_date.map(BencodeElem::Integer));
        if !self.web_seeds.is_empty() {
            put(&mut top, "url-list", Some(BencodeElem::List(self.web_seeds.iter().map(text).collect())));
        }
        let mut info = HashMap::new();
        put(&mut info, "name", Some(text(&self.name)));
        put(&mut info, "piece length", Some(BencodeElem::Integer(self.piece_length.into())));
        put(&mut info, "private", self.private.then_some(BencodeElem::Integer(1)));
        put(&mut info, "source", self.source.as_ref().map(text));
        if self.version.has_v1() {
            self.put_v1(&mut info);
        }
        if self.version.has_v2() {
            let (tree, layers) = self.trees();
            put(&mut info, "file tree", Some(tree));
            put(&mut info, "meta version", Some(BencodeElem::Integer(2)));
            put(&mut top, "piece layers", Some(layers));
        }
        put(&mut top, "info", Some(BencodeElem::Dictionary(info)));
        BencodeElem::Dictionary(top).encode()
    }

    fn put_v1(&self, info: &mut Dictionary) {
        assert!(self.content.total().is_some_and(|total| total <= i64::MAX as u64), "63 bits");
        put(info, "pieces", Some(BencodeElem::Bytes(self.hashes.concat())));
        if let Content::File(length) = self.content {
            return put(info, "length", Some(integer(length)));
        }
        let file = |file: V1File<'_>| {
            let padding = file.length.to_string();
            let path: Vec<&str> = file.path.map_or_else(|| vec![".pad", &padding], |path| path.split('/').collect());
            let mut fields = HashMap::new();
            put(&mut fields, "attr", file.path.is_none().then(|| text("p")));
            put(&mut fields, "length", Some(integer(file.length)));
            put(&mut fields, "path", Some(BencodeElem::List(path.into_iter().map(text).collect())));
            BencodeElem::Dictionary(fields)
        };
        put(info, "files", Some(BencodeElem::List(self.v1_files().into_iter().map(file).collect())));
    }

    /// The file tree with the roots of the files, and the piece layers (BEP 52).
    fn trees(&self) -> (BencodeElem, BencodeElem) {
        let layout = self.v2_layout();
        let base = merkle::piece_layer(self.piece_length);
        let (mut tree, mut layers) = (Folder::default(), HashMap::new());
        for (nth, (path, length)) in self.content.files().into_iter().enumerate() {
            let pieces = layout.pieces_of(nth);
            let layer = &self.roots[pieces.start as usize..pieces.end as usize];
            let root = match layer {
                [] => None,
                [root] => Some(*root),
                layer => Some(merkle::root(layer, base, merkle::file_height(length) - base)),
            };
            if let (Some(root), [_, _, ..]) = (root, layer) {
                layers.insert(root.to_vec(), BencodeElem::Bytes(layer.as_flattened().to_vec()));
            }
            let path = if let Content::File(_) = self.content { &self.name[..] } else { path };
            tree.add(path, length, root);
        }
        (tree.encode(), BencodeElem::RawDictionary(layers))
    }
}

/// A folder of the tree.
#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Folder<'a>>,
    files: BTreeMap<&'a str, (u64, Option<Node>)>,
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &'a str, length: u64, root: Option<Node>) {
        match path.split_once('/') {
            Some((folder, rest)) => self.folders.entry(folder).or_default().add(rest, length, root),
            None => drop(self.files.insert(path, (length, root))),
        }
    }

    fn encode(self) -> BencodeElem {
        let mut all = HashMap::new();
        for (name, folder) in self.folders {
            put(&mut all, name, Some(folder.encode()));
        }
        for (name, (length, root)) in self.files {
            let mut fields = HashMap::new();
            put(&mut fields, "length", Some(integer(length)));
            put(&mut fields, "pieces root", root.map(|root| BencodeElem::Bytes(root.to_vec())));
            let file = HashMap::from([(String::new(), BencodeElem::Dictionary(fields))]);
            put(&mut all, name, Some(BencodeElem::Dictionary(file)));
        }
        BencodeElem::Dictionary(all)
    }
}

type Dictionary = HashMap<String, BencodeElem>;

fn put(dict: &mut Dictionary, key: &str, value: Option<BencodeElem>) {
    dict.extend(value.map(|value| (key.to_owned(), value)));
}

fn text(text: impl AsRef<str>) -> BencodeElem {
    BencodeElem::String(text.as_ref().to_owned())
}

fn integer(length: u64) -> BencodeElem {
    BencodeElem::Integer(i64::try_from(length).expect("63 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::metainfo::Metainfo;

    fn single() -> Draft {
        Draft {
            name: "ä.bin".into(),
            content: Content::File(20_000),
            piece_length: 16_384,
            hashes: vec![[b'a'; 20], [b'b'; 20]],
            ..Draft::default()
        }
    }

    /// BEP 3, "info dictionary", with nothing that was not asked for; keys sorted, lengths in bytes and not in letters.
    #[test]
    fn a_bare_file() {
        let expected = "d4:infod6:lengthi20000e4:name6:ä.bin12:piece lengthi16384e6:pieces40:\
                        aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbee";
        assert_eq!(String::from_utf8(single().encode()).unwrap(), expected);
    }

    #[test]
    fn a_folder_with_everything() {
        let draft = Draft {
            name: "top".into(),
            content: Content::Folder(vec![("a/b".into(), 5), ("c".into(), 0)]),
            hashes: vec![[b'a'; 20]],
            private: true,
            source: Some("X".into()),
            trackers: vec![vec!["http://a".into(), "http://b".into()], vec!["udp://c".into()]],
            web_seeds: vec!["http://w/".into()],
            comment: Some("hi".into()),
            created_by: Some("me".into()),
            creation_date: Some(17),
            ..single()
        };
        let expected = "d8:announce8:http://a13:announce-listll8:http://a8:http://bel7:udp://cee\
                        7:comment2:hi10:created by2:me13:creation datei17e\
                        4:infod5:filesld6:lengthi5e4:pathl1:a1:beed6:lengthi0e4:pathl1:ceee\
                        4:name3:top12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa\
                        7:privatei1e6:source1:Xe8:url-listl9:http://w/ee";
        assert_eq!(String::from_utf8(draft.encode()).unwrap(), expected);

        let read = Metainfo::parse(&draft.encode()).unwrap();
        assert_eq!(read.trackers, [vec!["http://a", "http://b"], vec!["udp://c"]]);
        assert!(read.info.private && !read.info.single_file && read.creation_date == Some(17));
        assert_eq!(read.info.files.iter().map(|file| file.length).collect::<Vec<_>>(), [5, 0]);
    }

    /// BEP 52, "metainfo files": no list of files and no pieces; the layer beside the info dictionary.
    #[test]
    fn a_bare_v2_file() {
        let draft = Draft { version: Version::V2, roots: vec![[b'x'; 32], [b'y'; 32]], ..single() };
        let root = merkle::root(&draft.roots, 0, 1);
        let bytes = draft.encode();
        let expected = [
            &b"d4:infod9:file treed6:\xc3\xa4.bind0:d6:lengthi20000e11:pieces root32:"[..],
            &root,
            b"eee12:meta versioni2e4:name6:\xc3\xa4.bin12:piece lengthi16384ee12:piece layersd32:",
            &root,
            b"64:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyee",
        ];
        assert_eq!(bytes, expected.concat());
        let read = Metainfo::parse(&bytes).unwrap();
        assert!(read.info.single_file && read.info.id.v1().is_none() && read.info.missing_layers().count() == 0);
    }

    /// Padding stands behind each file that does not end with a piece; files stand in the order of the tree.
    #[test]
    fn a_hybrid_folder() {
        let mut files = vec![("a-b".to_owned(), 5), ("a/b".into(), 16_384), ("a/c".into(), 16_385), ("e".into(), 0)];
        files.sort_by(|(one, _), (other, _)| tree_order(one, other));
        assert_eq!(files[0].0, "a/b");
        let draft = Draft {
            version: Version::Hybrid,
            content: Content::Folder(files),
            hashes: vec![[b'a'; 20]; 4],
            roots: (0..4).map(|piece| [piece; 32]).collect(),
            ..single()
        };
        let text = String::from_utf8_lossy(&draft.encode()).into_owned();
        let list = "5:filesld6:lengthi16384e4:pathl1:a1:beed6:lengthi16385e4:pathl1:a1:ceed4:attr1:p6:lengthi16383e4:pathl\
                    4:.pad5:16383eed6:lengthi5e4:pathl3:a-beed4:attr1:p6:lengthi16379e4:pathl4:.pad5:16379ee\
                    d6:lengthi0e4:pathl1:eeee12:meta versioni2e";
        assert!(text.contains(list), "{text}");
        let info = Metainfo::parse(&draft.encode()).unwrap().info.clone();
        assert!(info.id.v1().is_some() && info.id.v2().is_some());
        assert_eq!((draft.layout().pieces(), draft.v2_layout().pieces(), draft.pieces()), (4, 4, 4));
        assert_eq!((info.layout.pieces(), info.stored_size()), (4, 32_774));
    }

    #[test]
    fn one_tracker_needs_no_list() {
        let draft = Draft { trackers: vec![vec!["http://a".into()]], ..single() };
        let bytes = String::from_utf8(draft.encode()).unwrap();
        assert!(bytes.starts_with("d8:announce8:http://a4:info"), "{bytes}");
    }

    #[test]
    fn pieces_grow_with_the_square_root_of_the_content() {
        const KIB: u64 = 1 << 10;
        for (total, kib) in [
            (0, 16),
            (1, 16),
            (1 << 20, 16),
            (16 << 20, 64),
            (100 << 20, 128),
            (700 << 20, 512),
            (1 << 30, 512),
            (5 << 30, 1024),
            (64 << 30, 4096),
            (1 << 40, 16_384),
            (1 << 50, 16_384),
            (u64::MAX / 2, 16_384),
        ] {
            assert_eq!(u64::from(piece_length_for(total)), kib * KIB, "{total} bytes");
        }
    }
}
