//! New .torrent files (BEP 3): what stands in one, and its bytes.
//!
//! The bytes are written through `lava_torrent`, which sorts keys; the same draft gives the same bytes.

use std::collections::HashMap;
use std::path::PathBuf;

use lava_torrent::bencode::BencodeElem;
use lava_torrent::torrent::v1::{Dictionary, File, Torrent};

/// A torrent that is about to be made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Draft {
    /// Of the single file or the top folder.
    pub name: String,
    pub content: Content,
    /// Bytes.
    pub piece_length: u32,
    /// SHA-1 of each piece.
    pub hashes: Vec<[u8; 20]>,
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
    /// (path below the top folder with `/`, bytes)
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

impl Draft {
    /// The bytes of the .torrent.
    ///
    /// # Panics
    /// If the lengths together are beyond 63 bits.
    pub fn encode(self) -> Vec<u8> {
        let integer = |length: u64| i64::try_from(length).expect("63 bits");
        let total = integer(self.content.total().expect("63 bits"));
        let files = match self.content {
            Content::File(_) => None,
            Content::Folder(files) => Some(
                files
                    .into_iter()
                    .map(|(path, length)| File {
                        length: integer(length),
                        path: PathBuf::from(path),
                        extra_fields: None,
                    })
                    .collect(),
            ),
        };
        let text = |text: String| BencodeElem::String(text);
        let mut info: Dictionary = HashMap::new();
        info.extend(self.private.then(|| ("private".to_owned(), BencodeElem::Integer(1))));
        info.extend(self.source.map(|source| ("source".to_owned(), text(source))));
        let mut top: Dictionary = HashMap::new();
        top.extend(self.comment.map(|comment| ("comment".to_owned(), text(comment))));
        top.extend(self.created_by.map(|by| ("created by".to_owned(), text(by))));
        top.extend(self.creation_date.map(|date| ("creation date".to_owned(), BencodeElem::Integer(date))));
        if !self.web_seeds.is_empty() {
            let urls = self.web_seeds.into_iter().map(text).collect();
            top.insert("url-list".to_owned(), BencodeElem::List(urls));
        }
        let torrent = Torrent {
            announce: self.trackers.iter().flatten().next().cloned(),
            announce_list: (self.trackers.iter().flatten().count() > 1).then_some(self.trackers),
            length: total,
            files,
            name: self.name,
            piece_length: self.piece_length.into(),
            pieces: self.hashes.iter().map(|hash| hash.to_vec()).collect(),
            extra_fields: Some(top).filter(|fields| !fields.is_empty()),
            extra_info_fields: Some(info).filter(|fields| !fields.is_empty()),
        };
        torrent.encode().expect("writing to memory")
    }
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
        assert_eq!(String::from_utf8(draft.clone().encode()).unwrap(), expected);

        let read = Metainfo::parse(&draft.encode()).unwrap();
        assert_eq!(read.trackers, [vec!["http://a", "http://b"], vec!["udp://c"]]);
        assert!(read.info.private && !read.info.single_file && read.creation_date == Some(17));
        assert_eq!(read.info.files.iter().map(|file| file.length).collect::<Vec<_>>(), [5, 0]);
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
