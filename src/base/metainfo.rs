//! metainfo
use std::sync::Arc;

use super::id::TorrentId;
use super::layout::Layout;
use super::safe_path::SafePath;

/// A .torrent file.
#[derive(Clone, Debug)]
pub struct Metainfo {
    pub info: Arc<Info>,
    /// Tiers in order (BEP 12); `announce` alone is one tier of one.
    pub trackers: Vec<Vec<String>>,
    /// BEP 19 `url-list`.
    pub web_seeds: Vec<String>,
    /// BEP 5 `nodes`: (host, port).
    pub nodes: Vec<(String, u16)>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

/// The info dictionary, checked.
#[derive(Debug)]
pub struct Info {
    pub id: TorrentId,
    /// The name of the single file or the top folder, mended.
    pub name: String,
    pub layout: Arc<Layout>,
    /// SHA-1 of each piece.
    pub hashes: Arc<[[u8; 20]]>,
    pub private: bool,
    /// In the torrent's order, one for each file of `layout` (padding included).
    pub files: Vec<FileEntry>,
    /// One file and no folder.
    pub single_file: bool,
    /// The bytes that were hashed.
    pub raw: Arc<[u8]>,
}

/// One file of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileEntry {
    /// Below the output folder, top folder included.
    pub path: SafePath,
    pub length: u64,
    /// BEP 47 padding: never stored, never shown.
    pub pad: bool,
}
