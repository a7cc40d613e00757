//! Where the data of a torrent lies, from the PATH that a person gives to `verify` and `seed`.

use std::path::{Path, PathBuf};

use super::error::Problem;
use super::exit::Exit;
use crate::base::metainfo::Info;

/// An output folder, and the name of the file or top folder in it where that is not the torrent's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub dir: PathBuf,
    pub name: Option<String>,
}

/// The place that `path` means: the folder that a `get -d` would have had, or the file or top folder itself.
///
/// # Errors
/// If there is nothing at `path`, or a file where the torrent has a folder.
pub fn find(info: &Info, path: &Path) -> Result<Place, Problem> {
    let as_folder = Place { dir: path.to_owned(), name: None };
    let missing = |why: &str| Problem::new(Exit::NotFound, format!("{}: {why}", path.display()));
    let kind = std::fs::metadata(path).map_err(|error| {
        missing("no such file or folder").hint("PATH is where the data of the torrent lies").because(error)
    })?;
    match (info.single_file, kind.is_dir()) {
        (true, true) => Ok(as_folder),
        (true, false) => itself(path).ok_or_else(|| missing("not a file's name")),
        (false, false) => Err(missing("a file, but the torrent has a folder").hint("name the folder")),
        (false, true) if stands_in(path, &info.name) => Ok(as_folder),
        (false, true) if is_top_folder(info, path) => itself(path).map_or(Ok(as_folder), Ok),
        (false, true) => Ok(as_folder),
    }
}

/// `path` as a name in its parent folder.
fn itself(path: &Path) -> Option<Place> {
    let whole = std::path::absolute(path).ok()?;
    // `.` and `..` have names of their own only once they are resolved.
    let whole = if path.file_name().is_none() { std::fs::canonicalize(whole).ok()? } else { whole };
    let name = whole.file_name()?.to_str()?.to_owned();
    Some(Place { dir: whole.parent()?.to_owned(), name: Some(name) })
}

fn stands_in(folder: &Path, name: &str) -> bool {
    folder.join(name).exists()
}

/// True if some file of the torrent lies in `path` where it would lie in the top folder.
fn is_top_folder(info: &Info, path: &Path) -> bool {
    info.stored_files().any(|(_, file)| {
        let below: PathBuf = file.path.as_path().iter().skip(1).collect();
        let mut part = below.clone().into_os_string();
        part.push(".part");
        path.join(&below).exists() || path.join(part).exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(single: bool) -> Info {
        let mut raw = match single {
            true => b"d6:lengthi5e".to_vec(),
            false => b"d5:filesld6:lengthi5e4:pathl1:a1:beee".to_vec(),
        };
        raw.extend(b"4:name3:top12:piece lengthi16384e6:pieces20:");
        raw.extend([7; 20]);
        raw.push(b'e');
        Info::parse(&raw).unwrap()
    }

    #[test]
    fn a_folder_is_where_get_would_have_put_it_or_the_top_folder_itself() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path();
        std::fs::create_dir_all(dir.join("top/a")).unwrap();
        std::fs::write(dir.join("top/a/b.part"), "hello").unwrap();
        let many = info(false);
        assert_eq!(find(&many, dir).unwrap(), Place { dir: dir.into(), name: None });
        assert_eq!(find(&many, &dir.join("top")).unwrap(), Place { dir: dir.into(), name: Some("top".into()) });
        std::fs::rename(dir.join("top"), dir.join("other")).unwrap();
        assert_eq!(find(&many, &dir.join("other/")).unwrap(), Place { dir: dir.into(), name: Some("other".into()) });
        let nothing = dir.join("other/a");
        assert_eq!(find(&many, &nothing).unwrap(), Place { dir: nothing, name: None });
    }

    #[test]
    fn a_file_may_have_another_name() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path();
        std::fs::write(dir.join("other"), "hello").unwrap();
        let one = info(true);
        assert_eq!(find(&one, &dir.join("other")).unwrap(), Place { dir: dir.into(), name: Some("other".into()) });
        assert_eq!(find(&one, dir).unwrap(), Place { dir: dir.into(), name: None });
        assert_eq!(find(&one, &dir.join("none")).unwrap_err().exit, Exit::NotFound);
        assert_eq!(find(&info(false), &dir.join("other")).unwrap_err().exit, Exit::NotFound);
    }
}
