//! .torrent files (BEP 3) and the info dictionaries in them.
//!
//! Read from strangers' bytes by our own borrowed reader: what is kept has been checked, and the info hash is that of the
//! bytes as they came, whatever their order or spelling.

mod file_tree;
mod info;
#[cfg(feature = "create")]
pub mod make;
mod trees;
mod url_paths;
#[cfg(test)]
mod v2_tests;
mod write;

pub use trees::{FileTree, TreeError, Trees};
pub use write::{put_layers, wrap};

use std::collections::HashSet;
use std::sync::Arc;

use super::bencode::{BencodeError, Dict, Limits, Value};
use super::id::TorrentId;
use super::layout::Layout;
use super::merkle::Node;
use super::piece_hash::PieceHashes;
use super::safe_path::SafePath;

/// A .torrent file.
#[derive(Clone, Debug)]
pub struct Metainfo {
    pub info: Arc<Info>,
    /// Tiers in order (BEP 12); `announce` alone is one tier of one.
    pub trackers: Vec<Vec<String>>,
    /// BEP 19 `url-list`.
    pub web_seeds: Vec<String>,
    /// BEP 17 `httpseeds`.
    pub http_seeds: Vec<String>,
    /// BEP 5 `nodes`: (host, port).
    pub nodes: Vec<(String, u16)>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

/// The info dictionary, checked.
#[derive(Clone, Debug)]
pub struct Info {
    pub id: TorrentId,
    /// The name of the single file or the top folder, mended.
    pub name: String,
    pub layout: Arc<Layout>,
    /// What each piece must hash to. Of a hybrid (BEP 52) these are the v1 hashes, and the layout is the v1 one.
    pub hashes: PieceHashes,
    /// The files' merkle trees, of torrents that are v2 or hybrid. As long as [`Info::missing_layers`] has any, a v2 torrent
    /// can't be checked.
    pub trees: Option<Trees>,
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
    /// BEP 47 padding, or a link, which has no bytes: never stored, never shown.
    pub pad: bool,
}

/// Why there is no torrent to work on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetainfoError {
    /// The bytes are something else, or damaged.
    #[error("not a torrent: {0}")]
    NotATorrent(String),
    /// A torrent that this program will not or cannot run.
    #[error("the torrent is refused: {0}")]
    Refused(String),
}

impl From<BencodeError> for MetainfoError {
    fn from(error: BencodeError) -> Self {
        match error {
            BencodeError::TooLarge { .. } | BencodeError::TooDeep { .. } | BencodeError::TooMany { .. } => {
                MetainfoError::Refused(error.to_string())
            }
            _ => MetainfoError::NotATorrent(error.to_string()),
        }
    }
}

/// Files and folders of one torrent.
const MAX_ENTRIES: usize = 1_000_000;

/// Trackers, web seeds and nodes that are kept, of each so many.
const MAX_SOURCES: usize = 200;

impl Metainfo {
    /// Reads a .torrent file; bytes after its end are not looked at. Piece layers that it lacks
    /// ([`Info::missing_layers`]) are left to whoever needs them, since peers can give them; BEP 52 calls such a torrent
    /// invalid.
    ///
    /// # Errors
    /// [`MetainfoError::NotATorrent`] and [`MetainfoError::Refused`] with the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
        let top = match Value::parse(bytes, Limits::TORRENT) {
            Ok((value, _)) => value.as_dict(),
            Err(error) if bytes.first() == Some(&b'd') => return Err(error.into()),
            Err(_) => None,
        };
        let top = top.ok_or_else(|| MetainfoError::NotATorrent(what_else(bytes)))?;
        let fields = TopFields::read(top)?;
        let info = fields.info.ok_or_else(|| MetainfoError::NotATorrent("it has no info dictionary".into()))?;
        let info = Info::read(info)?.with_layers(piece_layers(fields.piece_layers)?)?;
        Ok(Metainfo {
            info: Arc::new(info),
            trackers: tiers(fields.announce, fields.announce_list),
            web_seeds: web_seeds(fields.url_list),
            http_seeds: web_seeds(fields.http_seeds),
            nodes: nodes(fields.nodes),
            comment: text(fields.comment_utf8.or(fields.comment)),
            created_by: text(fields.created_by),
            creation_date: fields.creation_date.and_then(|date| date.as_int()),
        })
    }
}

impl Info {
    /// The trees whose piece layer is needed and has yet to be found, each root once; a hybrid needs none.
    pub fn missing_layers(&self) -> impl Iterator<Item = &FileTree> {
        let needed = self.trees.as_ref().filter(|_| matches!(self.hashes, PieceHashes::V2 { .. }));
        needed.into_iter().flat_map(Trees::missing)
    }

    /// The piece layers that are known as they stand in a .torrent; empty if there are none.
    pub fn encode_layers(&self) -> Vec<u8> {
        self.trees.as_ref().map(Trees::encode_layers).filter(|layers| layers != b"de").unwrap_or_default()
    }

    /// The same torrent with the layers that [`Info::encode_layers`] gave.
    ///
    /// # Errors
    /// [`MetainfoError::Refused`] if they are of another torrent or damaged.
    pub fn with_encoded_layers(&self, layers: &[u8]) -> Result<Info, MetainfoError> {
        if layers.is_empty() {
            return Ok(self.clone());
        }
        let (value, _) = Value::parse(layers, Limits::TORRENT)?;
        self.with_layers(piece_layers(Some(value))?)
    }

    /// A file whose piece layer is needed and has yet to be found, if there is one.
    pub fn lacks_layer_of(&self) -> Option<&FileEntry> {
        let root = self.missing_layers().next()?.root;
        let trees = self.trees.as_ref()?;
        (0..).zip(&self.files).find(|(file, _)| trees.file(*file).is_some_and(|tree| tree.root == root)).map(|it| it.1)
    }

    /// Files that are stored, with their place in [`Info::files`]; people count that place from 1.
    pub fn stored_files(&self) -> impl Iterator<Item = (usize, &FileEntry)> {
        self.files.iter().enumerate().filter(|(_, file)| !file.pad)
    }

    /// Bytes of the files that are stored.
    pub fn stored_size(&self) -> u64 {
        self.stored_files().map(|(_, file)| file.length).sum()
    }
}

/// The keys of the file that are looked at, each the first of its name.
#[derive(Default)]
struct TopFields<'a> {
    info: Option<Value<'a>>,
    announce: Option<Value<'a>>,
    announce_list: Option<Value<'a>>,
    url_list: Option<Value<'a>>,
    http_seeds: Option<Value<'a>>,
    nodes: Option<Value<'a>>,
    comment: Option<Value<'a>>,
    comment_utf8: Option<Value<'a>>,
    created_by: Option<Value<'a>>,
    creation_date: Option<Value<'a>>,
    piece_layers: Option<Value<'a>>,
}

impl<'a> TopFields<'a> {
    fn read(top: Dict<'a>) -> Result<Self, MetainfoError> {
        let mut fields = TopFields::default();
        for (key, value) in top.iter() {
            let field = match key {
                b"info" if fields.info.is_some() => {
                    return Err(MetainfoError::Refused("it has two info dictionaries".into()));
                }
                b"info" => &mut fields.info,
                b"announce" => &mut fields.announce,
                b"announce-list" => &mut fields.announce_list,
                b"url-list" => &mut fields.url_list,
                b"httpseeds" => &mut fields.http_seeds,
                b"nodes" => &mut fields.nodes,
                b"comment" => &mut fields.comment,
                b"comment.utf-8" => &mut fields.comment_utf8,
                b"created by" => &mut fields.created_by,
                b"creation date" => &mut fields.creation_date,
                b"piece layers" => &mut fields.piece_layers,
                _ => continue,
            };
            field.get_or_insert(value);
        }
        Ok(fields)
    }
}

/// What bytes that are no bencoded dictionary seem to be.
fn what_else(bytes: &[u8]) -> String {
    let start: Vec<u8> = bytes.iter().copied().skip_while(u8::is_ascii_whitespace).take(9).collect();
    let start = start.to_ascii_lowercase();
    match &start[..] {
        b"" => "it is empty",
        start if start.starts_with(b"<!doctype") || start.starts_with(b"<html") => "it is a web page",
        start if start.starts_with(b"magnet:") => "it is a magnet link",
        _ => "it is no bencoded dictionary",
    }
    .into()
}

/// BEP 52, "piece layers": hashes by the root of their file. Keys that are no root are not looked at.
fn piece_layers(value: Option<Value>) -> Result<Vec<(Node, Vec<Node>)>, MetainfoError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let wrong = || MetainfoError::Refused("its piece layers are no dictionary of hashes".into());
    let mut layers = Vec::new();
    for (root, layer) in value.as_dict().ok_or_else(wrong)?.iter() {
        let Ok(root) = Node::try_from(root) else { continue };
        let (nodes, rest) = layer.as_bytes().ok_or_else(wrong)?.as_chunks();
        if !rest.is_empty() {
            return Err(wrong());
        }
        layers.push((root, nodes.to_vec()));
    }
    Ok(layers)
}

/// BEP 12: the list where it names anyone, else `announce`. A flat list is taken as tiers of one.
fn tiers(announce: Option<Value>, list: Option<Value>) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    let mut fresh = |value: Value| Some(url(value)?).filter(|url| seen.len() < MAX_SOURCES && seen.insert(url.clone()));
    let mut tiers = Vec::new();
    for tier in list.and_then(|list| list.as_list()).into_iter().flat_map(|list| list.iter()) {
        let tier: Vec<_> = match tier.as_list() {
            Some(urls) => urls.iter().filter_map(&mut fresh).collect(),
            None => fresh(tier).into_iter().collect(),
        };
        if !tier.is_empty() {
            tiers.push(tier);
        }
    }
    if tiers.is_empty() {
        tiers.extend(announce.and_then(&mut fresh).map(|url| vec![url]));
    }
    tiers
}

/// BEP 19, BEP 17: a string, or a list of strings.
fn web_seeds(value: Option<Value>) -> Vec<String> {
    let Some(value) = value else { return Vec::new() };
    let mut seen = HashSet::new();
    let urls: Box<dyn Iterator<Item = Value>> = match value.as_list() {
        Some(list) => Box::new(list.iter()),
        None => Box::new(std::iter::once(value)),
    };
    urls.filter_map(url).filter(|url| seen.insert(url.clone())).take(MAX_SOURCES).collect()
}

/// BEP 5: a list of [host, port].
fn nodes(value: Option<Value>) -> Vec<(String, u16)> {
    let list = value.and_then(|value| value.as_list());
    let node = |node: Value| {
        let mut parts = node.as_list()?.iter();
        let host = parts.next()?.as_str()?.to_owned();
        let port = u16::try_from(parts.next()?.as_int()?).ok().filter(|&port| port > 0)?;
        (!host.is_empty()).then_some((host, port))
    };
    list.into_iter().flat_map(|list| list.iter()).filter_map(node).take(MAX_SOURCES).collect()
}

fn url(value: Value) -> Option<String> {
    let url = value.as_str()?.trim();
    (!url.is_empty() && !url.contains(char::is_control)).then(|| url.to_owned())
}

fn text(value: Option<Value>) -> Option<String> {
    value.and_then(|value| value.as_bytes()).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "d6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";

    fn parse(top: &str) -> Result<Metainfo, MetainfoError> {
        Metainfo::parse(top.replace("INFO", INFO).as_bytes())
    }

    #[test]
    fn announce_alone_is_one_tier() {
        let torrent = parse("d8:announce10:http://t/a4:infoINFOe").unwrap();
        assert_eq!(torrent.trackers, [["http://t/a"]]);
        assert_eq!(torrent.info.name, "a");
    }

    #[test]
    fn the_list_wins_and_a_tracker_stands_once() {
        let torrent =
            parse("d8:announce8:http://x13:announce-listll8:http://a8:http://bel10: http://a 8:udp://c/ee4:infoINFOe");
        assert_eq!(torrent.unwrap().trackers, [vec!["http://a", "http://b"], vec!["udp://c/"]]);
    }

    #[test]
    fn an_empty_or_flat_list_is_read_as_it_was_meant() {
        assert_eq!(parse("d8:announce8:http://x13:announce-listllee4:infoINFOe").unwrap().trackers, [["http://x"]]);
        let flat = parse("d13:announce-listl8:http://a8:http://be4:infoINFOe").unwrap();
        assert_eq!(flat.trackers, [["http://a"], ["http://b"]]);
        assert!(parse("d4:infoINFO8:url-list0:e").unwrap().trackers.is_empty());
    }

    #[test]
    fn web_seeds_come_as_a_string_or_a_list() {
        assert_eq!(parse("d4:infoINFO8:url-list8:http://ae").unwrap().web_seeds, ["http://a"]);
        let list = parse("d4:infoINFO8:url-listl8:http://a0:8:http://b8:http://aee").unwrap();
        assert_eq!(list.web_seeds, ["http://a", "http://b"]);
        assert_eq!(parse("d9:httpseedsl8:http://ae4:infoINFOe").unwrap().http_seeds, ["http://a"]);
        assert!(parse("d4:infoINFO8:url-list0:e").unwrap().web_seeds.is_empty());
    }

    #[test]
    fn the_rest_is_kept_where_it_makes_sense_and_left_where_not() {
        let torrent =
            parse("d7:comment2:hi10:created by3:me!13:creation datei17e4:infoINFO5:nodesll1:hi6881eel1:hi0eeli5eeee")
                .unwrap();
        assert_eq!(torrent.comment.as_deref(), Some("hi"));
        assert_eq!(torrent.created_by.as_deref(), Some("me!"));
        assert_eq!(torrent.creation_date, Some(17));
        assert_eq!(torrent.nodes, [("h".to_owned(), 6881)]);
        let odd = parse("d8:announcei1e7:commenti1e13:creation date1:x4:infoINFO5:nodesi1e8:url-listdee").unwrap();
        assert!(odd.trackers.is_empty() && odd.comment.is_none() && odd.nodes.is_empty() && odd.web_seeds.is_empty());
    }

    #[test]
    fn keys_in_any_order_and_bytes_after_the_end_are_forgiven() {
        let torrent = parse("d4:infoINFO8:announce8:http://xe\r\n").unwrap();
        assert_eq!(torrent.trackers, [["http://x"]]);
        assert_eq!(&*torrent.info.raw, INFO.as_bytes());
    }

    #[test]
    fn what_is_no_torrent_is_told_plainly() {
        for (bytes, reason) in [
            ("", "it is empty"),
            ("\n<!DOCTYPE html><html>", "it is a web page"),
            ("<HTML>", "it is a web page"),
            ("magnet:?xt=urn:btih:", "it is a magnet link"),
            ("le", "it is no bencoded dictionary"),
            ("de", "it has no info dictionary"),
            ("d4:infoi1ee", "its info is no dictionary"),
            ("d4:info", "ends in the middle of a value"),
        ] {
            assert_eq!(parse(bytes).unwrap_err(), MetainfoError::NotATorrent(reason.into()), "{bytes}");
        }
    }

    #[test]
    fn a_second_info_is_refused() {
        assert!(matches!(parse("d4:infoINFO4:infoINFOe"), Err(MetainfoError::Refused(_))));
    }

    #[test]
    fn nesting_is_refused_before_anything_recurses() {
        let deep = format!("d4:info{}", "l".repeat(1_000_000));
        assert!(matches!(parse(&deep), Err(MetainfoError::Refused(_))));
    }
}
