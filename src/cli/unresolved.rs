//! Magnet links whose metadata has not come yet, so that `ls` shows them and `get --resume` takes them up again.
//!
//! Each is a file of the state folder, `ID.magnet`, in the format of input files: the link, and the flags of its item. It is
//! written when a download of the link begins and goes when the torrent has a resume record of its own, or proves to be
//! of no use.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::error::Problem;
use super::input_file::{self, Entry};
use super::source;
use crate::base::id::TorrentId;
use crate::base::magnet::Magnet;
use crate::engine::ItemSource;
use crate::io::resume::record_path;
use crate::io::state_folder;

/// Longer files are none of ours.
const LONGEST: u64 = 1 << 20;

/// One of them.
#[derive(Clone, Debug)]
pub struct Unresolved {
    pub id: TorrentId,
    /// As the link calls it, or its info hash.
    pub name: String,
    /// The link with its flags.
    pub entry: Entry,
    /// Seconds since 1970.
    pub added: i64,
}

impl Unresolved {
    /// The output folder.
    pub fn dir(&self) -> &str {
        let dir = self.entry.options.iter().find(|(key, _)| key == "dir");
        dir.map_or(".", |(_, dir)| dir)
    }
}

/// Notes that the metadata of `magnet` is being looked for; `entry` has the flags of its item.
///
/// # Errors
/// What the file system says.
pub fn keep(state_dir: &Path, magnet: &Magnet, entry: &Entry) -> Result<(), Problem> {
    let entry = Entry { source: magnet.to_string(), ..entry.clone() };
    let made = state_folder::make(state_dir);
    made.map_err(|error| super::error::file_problem("make", state_dir, error))?;
    input_file::save(&path(state_dir, &magnet.id), &[entry])
}

/// It is known by more than its link now, or of no use. What can't be removed is shown once more, and that is all.
pub fn forget(state_dir: &Path, id: &TorrentId) {
    let _ = std::fs::remove_file(path(state_dir, id));
}

/// All of them, those that were added last at the end. What is not intact, or has a resume record, is left out.
pub fn all(state_dir: &Path) -> Vec<Unresolved> {
    let entries = std::fs::read_dir(state_dir).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let links = paths.filter(|path| path.extension().is_some_and(|extension| extension == "magnet"));
    let mut all: Vec<Unresolved> = links.filter_map(|path| read(&path)).collect();
    all.retain(|link| !record_path(state_dir, &link.id).exists());
    all.sort_by(|a, b| (a.added, &a.name).cmp(&(b.added, &b.name)));
    all
}

fn read(path: &Path) -> Option<Unresolved> {
    let meta = std::fs::metadata(path).ok().filter(|meta| meta.len() <= LONGEST)?;
    let mut entries = input_file::parse(&std::fs::read_to_string(path).ok()?).ok()?;
    let entry = entries.pop().filter(|_| entries.is_empty())?;
    let magnet = Magnet::parse(&entry.source).ok()?;
    let added = meta.modified().ok()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    Some(Unresolved { id: magnet.id, name: source::label(&ItemSource::Magnet(magnet)), entry, added })
}

fn path(state_dir: &Path, id: &TorrentId) -> PathBuf {
    state_dir.join(format!("{id}.magnet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_kept_with_its_flags_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state");
        assert!(all(&folder).is_empty());
        let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a%20b&tr=http://t.example/announce";
        let magnet = Magnet::parse(link).unwrap();
        let options = [("dir", "/tmp/x y"), ("select", "1-3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let entry = Entry { source: "typed".into(), options: options.to_vec(), line: 7 };
        keep(&folder, &magnet, &entry).unwrap();
        keep(&folder, &magnet, &entry).unwrap();
        std::fs::write(folder.join("other.magnet"), "no link at all").unwrap();
        std::fs::write(folder.join("long.magnet"), vec![b'#'; LONGEST as usize + 1]).unwrap();
        let kept = all(&folder);
        assert_eq!((kept.len(), kept[0].name.as_str(), kept[0].dir()), (1, "a b", "/tmp/x y"));
        assert_eq!(kept[0].entry.options, options);
        assert_eq!(kept[0].entry.source, magnet.to_string());
        std::fs::write(record_path(&folder, &magnet.id), "").unwrap();
        assert!(all(&folder).is_empty(), "its record counts");
        std::fs::remove_file(record_path(&folder, &magnet.id)).unwrap();
        forget(&folder, &magnet.id);
        forget(&folder, &magnet.id);
        assert!(all(&folder).is_empty());
    }
}
