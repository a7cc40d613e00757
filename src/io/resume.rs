//! Resume records: what a later run needs to go on with a torrent.
//!
//! One bencode file per torrent in the state folder, named by its [`TorrentId`]. It is replaced in one step, after the
//! data that it speaks of is durable, and carries a checksum: a record that is not intact is not believed in any part.
//! Whether its word on the files holds is for `io::take_up` to find out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::base::bencode::{self, Dict, Limits, Value};
use crate::base::bitfield::Bitfield;
use crate::base::hash::{sha1, sha256};
use crate::base::id::{InfoHashV1, InfoHashV2, TorrentId};
use crate::base::metainfo::Info;
use crate::io::file_set::{FileSet, Stamp, Synced};
use crate::io::state_folder;
use crate::swarm::action::SpilledPiece;

/// What is kept of one torrent.
#[derive(Clone, PartialEq, Debug)]
pub struct ResumeRecord {
    pub id: TorrentId,
    /// The info dictionary as it was hashed.
    pub info: Vec<u8>,
    /// Its piece layers (BEP 52), as [`Info::encode_layers`] gives them.
    pub layers: Vec<u8>,
    /// Tiers in order (BEP 12).
    pub trackers: Vec<Vec<String>>,
    pub web_seeds: Vec<String>,
    /// Peers that worked.
    pub peers: Vec<SocketAddr>,
    /// What the user called it, if not what the torrent does.
    pub name: Option<String>,
    /// The output folder.
    pub dir: PathBuf,
    /// Where the single file or the top folder stands ([`FileSet::target`]).
    pub target: PathBuf,
    /// One bool a file.
    pub selected: Vec<bool>,
    /// Verified, and durable when this was written.
    pub verified: Bitfield,
    /// Size and time of each file; `None` for what was not on disk. Empty while nothing is known of the files.
    pub stamps: Vec<Option<Stamp>>,
    /// Size and time of the edge file.
    pub edges: Option<Stamp>,
    /// Blocks of open pieces that lie unverified at their place.
    pub spilled: Vec<SpilledPiece>,
    /// Payload bytes of all runs.
    pub downloaded: u64,
    pub uploaded: u64,
    /// Seconds since 1970.
    pub added: i64,
    pub completed: Option<i64>,
    /// What a later version wrote and this one does not know: the raw value of each key.
    pub unknown: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error("can't {doing} the resume record {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the resume record {} is damaged and is not believed", path.display())]
    Damaged { path: PathBuf },
}

/// A file in the state folder: the record and its checksum.
#[derive(Serialize, Deserialize)]
struct Sealed {
    record: ByteBuf,
    sha1: ByteBuf,
}

impl ResumeRecord {
    /// A record that says nothing of the files yet: until [`ResumeRecord::note`], what is on disk is checked.
    pub fn new(id: TorrentId, info: Vec<u8>, files: &FileSet, added: i64) -> Self {
        ResumeRecord {
            id,
            info,
            layers: Vec::new(),
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            name: None,
            dir: files.dir().to_owned(),
            target: files.target(),
            selected: files.selected(),
            verified: Bitfield::new(files.layout().pieces()),
            stamps: Vec::new(),
            edges: None,
            spilled: Vec::new(),
            downloaded: 0,
            uploaded: 0,
            added,
            completed: None,
            unknown: BTreeMap::new(),
        }
    }

    /// The torrent `info` with the piece layers that it lacks and this record has.
    pub fn complete(&self, info: &Arc<Info>) -> Arc<Info> {
        if info.trees.as_ref().is_none_or(|trees| trees.missing().next().is_none()) {
            return info.clone();
        }
        info.with_encoded_layers(&self.layers).map_or_else(|_| info.clone(), Arc::new)
    }

    /// Takes in what a sync made durable.
    pub fn note(&mut self, synced: Synced) {
        self.verified = synced.verified;
        self.stamps = synced.stamps;
        self.edges = synced.edges;
    }

    /// True if the record is of these files at this place.
    pub fn describes(&self, files: &FileSet) -> bool {
        let layout = files.layout();
        let spilled = |s: &SpilledPiece| s.piece < layout.pieces() && s.blocks.len() == layout.blocks(s.piece);
        self.target == files.target()
            && self.verified.len() == layout.pieces()
            && (self.stamps.is_empty() || self.stamps.len() == layout.files().len())
            && self.spilled.iter().all(spilled)
    }

    /// True if the record says something of these files.
    pub fn speaks_of(&self, files: &FileSet) -> bool {
        self.describes(files) && self.stamps.len() == files.layout().files().len()
    }

    /// Reads the record of `id`; `None` if there is none. That of a hybrid torrent is found by either of its hashes.
    ///
    /// # Errors
    /// [`ResumeError::Damaged`] if it is not intact, or what the file system says.
    pub fn load(state_dir: &Path, id: &TorrentId) -> Result<Option<ResumeRecord>, ResumeError> {
        let path = record_path(state_dir, id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            // A hybrid's record is named by the v1 hash, which a magnet link may not know.
            Err(e) if e.kind() == io::ErrorKind::NotFound && id.v1().is_none() => {
                return Ok(ResumeRecord::load_all(state_dir)
                    .unwrap_or_default()
                    .into_iter()
                    .find(|it| it.id.is_same(id)));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ResumeError::Io { doing: "read", path, source }),
        };
        match Self::from_bytes(&bytes).filter(|record| record.id.is_same(id)) {
            Some(record) => Ok(Some(record)),
            None => Err(ResumeError::Damaged { path }),
        }
    }

    /// Every record of the state folder that is intact, in no order; a folder that is not there has none.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn load_all(state_dir: &Path) -> io::Result<Vec<ResumeRecord>> {
        let entries = match fs::read_dir(state_dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let records = paths.filter(|path| path.extension().is_some_and(|extension| extension == "resume"));
        Ok(records.filter_map(|path| Self::from_bytes(&fs::read(path).ok()?)).collect())
    }

    /// The record with its checksum, as it stands in a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        seal(encode(self))
    }

    /// What such a file holds; `None` unless it is intact.
    pub fn from_bytes(bytes: &[u8]) -> Option<ResumeRecord> {
        decode(&unseal(bytes)?)
    }

    /// Replaces the record in the state folder in one step; what was there stays whole until then. Blocks for as long as
    /// the disk takes.
    ///
    /// # Errors
    /// What the file system says; the former record is untouched then.
    pub fn save(&self, state_dir: &Path) -> Result<(), ResumeError> {
        let path = record_path(state_dir, &self.id);
        write_whole(state_dir, &path, &self.to_bytes()).map_err(|source| ResumeError::Io {
            doing: "write",
            path,
            source,
        })
    }

    /// Forgets a torrent: its record and what was kept of unselected files.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(state_dir: &Path, id: &TorrentId) -> Result<(), ResumeError> {
        for path in [record_path(state_dir, id), edges_path(state_dir, id)] {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(ResumeError::Io { doing: "remove", path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where the record of `id` stands.
pub fn record_path(state_dir: &Path, id: &TorrentId) -> PathBuf {
    state_dir.join(format!("{id}.resume"))
}

/// Where bytes of unselected files of `id` are kept.
pub fn edges_path(state_dir: &Path, id: &TorrentId) -> PathBuf {
    state_dir.join(format!("{id}.edges"))
}

fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    state_folder::make(folder)?;
    let mut temp = tempfile::Builder::new().prefix(".resume-").tempfile_in(folder)?;
    temp.write_all(bytes)?;
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

fn seal(record: Vec<u8>) -> Vec<u8> {
    let sha1 = ByteBuf::from(sha1(&record));
    bencode::to_bytes(&Sealed { record: ByteBuf::from(record), sha1 }).expect("two byte strings")
}

fn unseal(bytes: &[u8]) -> Option<Vec<u8>> {
    let (sealed, consumed): (Sealed, usize) = bencode::from_bytes(bytes, Limits::STATE).ok()?;
    (consumed == bytes.len() && sha1(&sealed.record)[..] == *sealed.sha1).then(|| sealed.record.into_vec())
}

/// A dictionary of raw values, which keeps unknown ones beside ours.
struct Writer(BTreeMap<Vec<u8>, Vec<u8>>);

impl Writer {
    fn put(&mut self, key: &str, value: &impl Serialize) {
        self.0.insert(key.into(), bencode::to_bytes(value).expect("plain values"));
    }

    fn put_bytes(&mut self, key: &str, value: impl Into<Vec<u8>>) {
        self.put(key, &ByteBuf::from(value.into()));
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = b"d".to_vec();
        for (key, value) in self.0 {
            bytes.extend(format!("{}:", key.len()).into_bytes());
            bytes.extend(key);
            bytes.extend(value);
        }
        bytes.push(b'e');
        bytes
    }
}

fn encode(record: &ResumeRecord) -> Vec<u8> {
    let mut dict = Writer(record.unknown.clone());
    if let Some(v1) = record.id.v1() {
        dict.put_bytes("v1", v1.0);
    }
    if let Some(v2) = record.id.v2() {
        dict.put_bytes("v2", v2.0);
    }
    dict.put_bytes("info", &record.info[..]);
    if !record.layers.is_empty() {
        dict.put_bytes("layers", &record.layers[..]);
    }
    dict.put("trackers", &record.trackers);
    dict.put("web_seeds", &record.web_seeds);
    dict.put("peers", &record.peers.iter().map(SocketAddr::to_string).collect::<Vec<_>>());
    if let Some(name) = &record.name {
        dict.put("name", name);
    }
    dict.put_bytes("dir", record.dir.as_os_str().as_encoded_bytes());
    dict.put_bytes("target", record.target.as_os_str().as_encoded_bytes());
    dict.put_bytes("selected", record.selected.iter().map(|&selected| u8::from(selected)).collect::<Vec<_>>());
    dict.put("pieces", &record.verified.len());
    dict.put_bytes("verified", record.verified.to_wire());
    dict.put_bytes("stamps", record.stamps.iter().flat_map(|&stamp| stamp_bytes(stamp)).collect::<Vec<_>>());
    dict.put_bytes("edges", stamp_bytes(record.edges));
    let spilled = record.spilled.iter().map(|s| (s.piece, s.blocks.len(), ByteBuf::from(s.blocks.to_wire())));
    dict.put("spilled", &spilled.collect::<Vec<_>>());
    dict.put("downloaded", &record.downloaded);
    dict.put("uploaded", &record.uploaded);
    dict.put("added", &record.added);
    if let Some(completed) = record.completed {
        dict.put("completed", &completed);
    }
    dict.into_bytes()
}

/// What is read by name.
const KEYS: [&[u8]; 20] = [
    b"v1",
    b"v2",
    b"info",
    b"layers",
    b"trackers",
    b"web_seeds",
    b"peers",
    b"name",
    b"dir",
    b"target",
    b"selected",
    b"pieces",
    b"verified",
    b"stamps",
    b"edges",
    b"spilled",
    b"downloaded",
    b"uploaded",
    b"added",
    b"completed",
];

/// `None` if anything that must be there is not, or is not what it must be.
fn decode(bytes: &[u8]) -> Option<ResumeRecord> {
    let (value, consumed) = Value::parse(bytes, Limits::STATE).ok()?;
    let dict = value.as_dict().filter(|_| consumed == bytes.len())?;
    let id = TorrentId::new(hash(&dict, b"v1")?.map(InfoHashV1), hash(&dict, b"v2")?.map(InfoHashV2))?;
    let info = dict.get(b"info")?.as_bytes()?.to_vec();
    if id.v1().is_some_and(|v1| v1.0 != sha1(&info)) || id.v2().is_some_and(|v2| v2.0 != sha256(&info)) {
        return None;
    }
    let pieces = u32::try_from(dict.get(b"pieces")?.as_u64()?).ok()?;
    let unknown = dict.iter().filter(|(key, _)| !KEYS.contains(key));
    Some(ResumeRecord {
        id,
        info,
        layers: dict.get(b"layers").and_then(|layers| layers.as_bytes()).unwrap_or_default().to_vec(),
        trackers: dict.get(b"trackers")?.as_list()?.iter().map(strings).collect::<Option<_>>()?,
        web_seeds: strings(dict.get(b"web_seeds")?)?,
        peers: strings(dict.get(b"peers")?)?.iter().map(|peer| peer.parse().ok()).collect::<Option<_>>()?,
        name: dict.get(b"name").map(|name| name.as_str().map(str::to_owned)).unwrap_or_default(),
        dir: path(dict.get(b"dir")?.as_bytes()?)?,
        target: path(dict.get(b"target")?.as_bytes()?)?,
        selected: dict.get(b"selected")?.as_bytes()?.iter().map(|&byte| byte != 0).collect(),
        verified: Bitfield::from_wire(dict.get(b"verified")?.as_bytes()?, pieces)?,
        stamps: stamps(dict.get(b"stamps")?.as_bytes()?)?,
        edges: *stamps(dict.get(b"edges")?.as_bytes()?)?.first()?,
        spilled: dict.get(b"spilled")?.as_list()?.iter().map(spilled).collect::<Option<_>>()?,
        downloaded: dict.get(b"downloaded")?.as_u64()?,
        uploaded: dict.get(b"uploaded")?.as_u64()?,
        added: dict.get(b"added")?.as_int()?,
        completed: dict.get(b"completed").and_then(|time| time.as_int()),
        unknown: unknown.map(|(key, value)| (key.to_vec(), value.raw().to_vec())).collect(),
    })
}

/// `Some(None)` if the key is not there, `None` if its length is wrong.
fn hash<const N: usize>(dict: &Dict<'_>, key: &[u8]) -> Option<Option<[u8; N]>> {
    dict.get(key).map(|value| value.as_bytes()?.try_into().ok()).map_or(Some(None), |hash| hash.map(Some))
}

fn strings(value: Value<'_>) -> Option<Vec<String>> {
    value.as_list()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

fn spilled(value: Value<'_>) -> Option<SpilledPiece> {
    let parts: Vec<_> = value.as_list()?.iter().collect();
    let [piece, blocks, bits] = parts.try_into().ok()?;
    let number = |value: Value<'_>| u32::try_from(value.as_u64()?).ok();
    Some(SpilledPiece { piece: number(piece)?, blocks: Bitfield::from_wire(bits.as_bytes()?, number(blocks)?)? })
}

/// 16 bytes: size and time; a size of all ones for what is not there.
fn stamp_bytes(stamp: Option<Stamp>) -> [u8; 16] {
    let stamp = stamp.unwrap_or(Stamp { size: u64::MAX, mtime: 0 });
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&stamp.size.to_be_bytes());
    bytes[8..].copy_from_slice(&stamp.mtime.to_be_bytes());
    bytes
}

fn stamps(bytes: &[u8]) -> Option<Vec<Option<Stamp>>> {
    let (stamps, rest) = bytes.as_chunks::<16>();
    let read = |bytes: &[u8; 16]| {
        let half = |at: usize| bytes[at..at + 8].try_into().expect("eight bytes");
        Some(Stamp { size: u64::from_be_bytes(half(0)), mtime: i64::from_be_bytes(half(8)) })
            .filter(|stamp| stamp.size != u64::MAX)
    };
    rest.is_empty().then(|| stamps.iter().map(read).collect())
}

fn path(bytes: &[u8]) -> Option<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(std::ffi::OsStr::from_bytes(bytes).into())
    }
    #[cfg(not(unix))]
    {
        std::str::from_utf8(bytes).ok().map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests;
