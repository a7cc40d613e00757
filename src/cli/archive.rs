//! `--archive FILE`: the info hashes that need no download any more, one a line; a hybrid torrent has two.
//!
//! Only the first word of a line counts, the name behind it is for people; `#` begins a comment. Lines are added with
//! one write each, so that several runs can share a file.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::{Problem, file_problem};
use super::text::escape;
use crate::base::id::TorrentId;

/// The hashes that stand in the file, and those that this run has added.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    hashes: HashSet<String>,
}

impl Archive {
    /// Reads the file; one that is not there is empty, and made when something is added.
    ///
    /// # Errors
    /// If it can't be read, or nothing could be added: better told before a download than behind it.
    pub fn open(path: &Path) -> Result<Archive, Problem> {
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(file_problem("read the archive", path, error)),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let writable = match path.exists() {
            true => OpenOptions::new().append(true).open(path).map(drop),
            false => std::fs::read_dir(folder).map(drop),
        };
        writable.map_err(|error| file_problem("write the archive", path, error))?;
        let word = |line: &str| line.split_whitespace().next().map(str::to_ascii_lowercase);
        let hashes = text.lines().filter_map(word).filter(|word| !word.starts_with('#')).collect();
        Ok(Archive { path: path.to_owned(), hashes })
    }

    pub fn contains(&self, id: &TorrentId) -> bool {
        hashes(id).any(|hash| self.hashes.contains(&hash))
    }

    /// Adds a torrent, unless it is there.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn add(&mut self, id: &TorrentId, name: &str) -> Result<(), Problem> {
        let new = hashes(id).filter(|hash| self.hashes.insert(hash.clone()));
        let lines: String = new.map(|hash| format!("{hash}  {}\n", escape(name))).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(lines.as_bytes()))
            .map_err(|error| file_problem("write the archive", &self.path, error))
    }
}

/// All names of a torrent.
fn hashes(id: &TorrentId) -> impl Iterator<Item = String> {
    let (v1, v2) = (id.v1().map(|hash| hash.to_string()), id.v2().map(|hash| hash.to_string()));
    v1.into_iter().chain(v2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{InfoHashV1, InfoHashV2};

    #[test]
    fn what_is_added_is_found_again_and_strange_lines_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive");
        let id = |byte: u8| TorrentId::new(Some(InfoHashV1([byte; 20])), None).unwrap();
        std::fs::write(&path, format!("# {}\n\n{}  an old one\nnonsense\n", "02".repeat(20), "0A".repeat(20))).unwrap();
        let mut archive = Archive::open(&path).unwrap();
        assert!(archive.contains(&id(10)) && !archive.contains(&id(2)) && !archive.contains(&id(3)));
        archive.add(&id(3), "a\nb").unwrap();
        archive.add(&id(3), "again").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(&format!("nonsense\n{}  a\\nb\n", "03".repeat(20))), "{text}");
        assert!(Archive::open(&path).unwrap().contains(&id(3)));
        assert!(Archive::open(&dir.path().join("none")).unwrap().hashes.is_empty());
        assert!(Archive::open(dir.path()).is_err());
        assert!(Archive::open(&dir.path().join("no/folder")).is_err());
    }

    #[test]
    fn a_hybrid_is_found_by_either_hash_and_a_v2_torrent_by_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive");
        let (v1, v2) = (InfoHashV1([1; 20]), InfoHashV2([2; 32]));
        let v2_only = TorrentId::from_v2(InfoHashV2([3; 32]));
        let mut archive = Archive::open(&path).unwrap();
        archive.add(&TorrentId::new(Some(v1), Some(v2)).unwrap(), "a").unwrap();
        archive.add(&v2_only, "b").unwrap();
        archive.add(&TorrentId::from_v1(v1), "a").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{v1}  a\n{v2}  a\n{}  b\n", "03".repeat(32)));
        let again = Archive::open(&path).unwrap();
        for id in [TorrentId::from_v1(v1), TorrentId::from_v2(v2), v2_only] {
            assert!(again.contains(&id), "{id}");
        }
        assert!(!again.contains(&TorrentId::from_v2(InfoHashV2([4; 32]))));
    }
}
