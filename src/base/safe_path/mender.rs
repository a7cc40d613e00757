//! All paths of a torrent, mended and made different from each other.
//!
//! Paths come in the torrent's order and the first to ask for a name gets it, so that the same torrent has the same names
//! in every run and on every system. Two names are the same if a file system that does not tell cases apart would think
//! so. Work and memory are linear in the bytes of the paths.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

use super::component::{fold, is_void, mend_name, tag, with_tag};
use super::{PART_SUFFIX, SafePath};

/// Bytes of folders in a path; systems take 4096 for the whole of an absolute one.
const MAX_FOLDERS_LEN: usize = 1_500;
/// Folders in a path.
const MAX_FOLDERS: usize = 64;

/// Gives names, path after path.
#[derive(Debug)]
pub struct PathMender {
    /// Folders by (parent, raw name).
    folders: HashMap<Box<[u8]>, Folder>,
    /// What stands under (parent, folded name).
    taken: HashMap<Box<[u8]>, Kind>,
    /// How many paths have been mended, and how many folders there are.
    paths: u64,
    last_folder: FolderId,
    /// Key and path under construction, kept for their memory.
    key: Vec<u8>,
    path: PathBuf,
}

type FolderId = u32;

#[derive(Debug)]
struct Folder {
    id: FolderId,
    /// `None`: as in the raw path.
    mended: Option<Box<str>>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    File,
    Folder,
}

impl PathMender {
    pub fn new() -> Self {
        PathMender {
            folders: HashMap::new(),
            taken: HashMap::new(),
            paths: 0,
            last_folder: 0,
            key: Vec::new(),
            path: PathBuf::new(),
        }
    }

    /// The path for the file whose raw path consists of `components`; `None` if nothing is left of them.
    ///
    /// Components that are empty, `.` or `..` are left out. Folders beyond 64 levels or 1,500 bytes are left out too.
    pub fn mend<'a>(&mut self, components: impl IntoIterator<Item = &'a [u8]>) -> Option<SafePath> {
        self.paths += 1;
        self.path.clear();
        let (mut parent, mut depth, mut cut) = (0, 0, Vec::new());
        let mut components = components.into_iter().filter(|raw| !is_void(raw));
        let mut raw = components.next()?;
        for next in components {
            if depth < MAX_FOLDERS && self.path.as_os_str().len() < MAX_FOLDERS_LEN {
                parent = self.enter(parent, raw);
                depth += 1;
            } else {
                cut.push(raw);
            }
            raw = next;
        }
        let name = self.name_file(parent, raw, &cut);
        self.path.push(&*name);
        Some(SafePath(self.path.clone()))
    }

    /// The path for a file below the folder `top`; `None` if nothing is left of `components` or of `top`.
    pub fn mend_below<'a>(
        &mut self,
        top: &'a [u8],
        components: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<SafePath> {
        let mut components = components.into_iter().filter(|raw| !is_void(raw)).peekable();
        components.peek()?;
        if is_void(top) { None } else { self.mend(std::iter::once(top).chain(components)) }
    }

    /// How many folders there are below the output folder.
    pub fn folders(&self) -> u32 {
        self.last_folder
    }

    /// Goes down into the folder `raw`, which is made if no path was in it before.
    fn enter(&mut self, parent: FolderId, raw: &[u8]) -> FolderId {
        if let Some(folder) = self.folders.get(key(&mut self.key, parent, raw)) {
            match &folder.mended {
                Some(name) => self.path.push(&**name),
                None => self.path.push(std::str::from_utf8(raw).expect("unchanged, so UTF-8")),
            }
            return folder.id;
        }
        let plain = mend_name(raw).expect("something is left");
        let mut name = plain.clone();
        let mut attempt = 0u64;
        while !self.is_free(parent, &name, Kind::Folder) {
            name = with_tag(&plain, &tag(&[raw, b"folder", &attempt.to_be_bytes()])).into();
            attempt += 1;
        }
        self.take(Kind::Folder);
        self.path.push(&*name);
        self.last_folder += 1;
        let mended = (name.as_bytes() != raw).then(|| name.as_ref().into());
        let folder = Folder { id: self.last_folder, mended };
        self.folders.insert(key(&mut self.key, parent, raw).into(), folder);
        self.last_folder
    }

    /// A free name for the file `raw`; `cut` are the folders that were left out above it.
    fn name_file<'a>(&mut self, parent: FolderId, raw: &'a [u8], cut: &[&[u8]]) -> Cow<'a, str> {
        let plain = mend_name(raw).expect("something is left");
        let mut name = if cut.is_empty() { plain.clone() } else { with_tag(&plain, &tag(cut)).into() };
        let mut attempt = 0u64;
        while !self.is_free(parent, &name, Kind::File) {
            name = with_tag(&plain, &tag(&[raw, &self.paths.to_be_bytes(), &attempt.to_be_bytes()])).into();
            attempt += 1;
        }
        self.take(Kind::File);
        name
    }

    /// True if nothing has `name`, nothing has the name that a file has before it is whole, and `name` is not that of
    /// another. Leaves the key of `name` behind.
    fn is_free(&mut self, parent: FolderId, name: &str, kind: Kind) -> bool {
        let key = &mut self.key;
        key.clear();
        key.extend_from_slice(&parent.to_be_bytes());
        fold(name, key);
        if self.taken.contains_key(&key[..]) {
            return false;
        }
        let whole = key.strip_suffix(PART_SUFFIX.as_bytes());
        if whole.is_some_and(|whole| self.taken.get(whole) == Some(&Kind::File)) {
            return false;
        }
        let len = key.len();
        key.extend_from_slice(PART_SUFFIX.as_bytes());
        let part_is_free = kind == Kind::Folder || !self.taken.contains_key(&key[..]);
        key.truncate(len);
        part_is_free
    }

    /// Takes the name that was just found free.
    fn take(&mut self, kind: Kind) {
        self.taken.insert(self.key[..].into(), kind);
    }
}

impl Default for PathMender {
    fn default() -> Self {
        Self::new()
    }
}

fn key<'a>(buffer: &'a mut Vec<u8>, parent: FolderId, name: &[u8]) -> &'a [u8] {
    buffer.clear();
    buffer.extend_from_slice(&parent.to_be_bytes());
    buffer.extend_from_slice(name);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn fold(name: &str) -> String {
        let mut out = Vec::new();
        super::fold(name, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn mend_all(paths: &[&str]) -> Vec<String> {
        let mut mender = PathMender::new();
        paths.iter().map(|path| mender.mend(path.split('|').map(str::as_bytes)).unwrap().to_string()).collect()
    }

    #[test]
    fn plain_paths_stay_as_they_are() {
        assert_eq!(mend_all(&["t|a|b", "t|a|c", "t|b", "t|c.part"]), ["t/a/b", "t/a/c", "t/b", "t/c.part"]);
    }

    #[test]
    fn ways_up_are_left_out_and_of_nothing_nothing_is_made() {
        assert_eq!(mend_all(&["..|..|etc|passwd", "t||.|a", "|x"]), ["etc/passwd", "t/a", "x"]);
        let mut mender = PathMender::new();
        assert_eq!(mender.mend([]), None);
        assert_eq!(mender.mend([&b".."[..], b"", b"."]), None);
    }

    #[test]
    fn a_separator_inside_a_component_makes_no_folder() {
        let paths = mend_all(&["t|/etc/passwd", "t|a\\..\\b"]);
        assert!(paths.iter().all(|path| path.matches('/').count() == 1), "{paths:?}");
    }

    #[test]
    fn duplicates_and_case_twins_get_a_suffix_that_is_always_the_same() {
        let paths = mend_all(&["t|a.txt", "t|a.txt", "t|A.TXT", "t|..|a.txt"]);
        assert_eq!(paths[0], "t/a.txt");
        assert_eq!(paths.iter().map(|path| fold(path)).collect::<HashSet<_>>().len(), 4, "{paths:?}");
        assert!(paths[2].starts_with("t/A~") && paths[2].ends_with(".TXT"), "{paths:?}");
        assert_eq!(paths, mend_all(&["t|a.txt", "t|a.txt", "t|A.TXT", "t|..|a.txt"]));
    }

    #[test]
    fn folders_that_are_case_twins_stay_two_and_keep_their_files_together() {
        let paths = mend_all(&["t|Docs|a", "t|docs|a", "t|Docs|b", "t|docs|b"]);
        assert_eq!((&paths[0][..], &paths[2][..]), ("t/Docs/a", "t/Docs/b"));
        assert!(paths[1].starts_with("t/docs~") && paths[1].ends_with("/a"));
        assert_eq!(paths[1].rsplit_once('/').unwrap().0, paths[3].rsplit_once('/').unwrap().0);
    }

    #[test]
    fn a_file_and_a_folder_of_one_name_do_not_meet() {
        let paths = mend_all(&["t|a", "t|a|b", "t|c|d", "t|C"]);
        assert_eq!((&paths[0][..], &paths[2][..]), ("t/a", "t/c/d"));
        assert!(paths[1].starts_with("t/a~") && paths[3].starts_with("t/C~"), "{paths:?}");
    }

    #[test]
    fn no_file_has_the_name_that_another_has_before_it_is_whole() {
        for order in [["t|x", "t|x.part"], ["t|x.part", "t|x"], ["t|X.PART", "t|x"]] {
            let paths = mend_all(&order);
            assert_eq!(paths[0].replace('/', "|"), order[0]);
            assert!(paths[1].contains('~'), "{paths:?}");
        }
        let paths = mend_all(&["t|y", "t|y.part|z"]);
        assert!(paths[1].starts_with("t/y~"), "a folder neither: {paths:?}");
        assert_eq!(mend_all(&["t|y|z", "t|y.part"])[1], "t/y.part", "a folder is never unfinished");
    }

    #[test]
    fn a_suffixed_name_does_not_hit_a_name_that_looks_like_it() {
        let taken = mend_all(&["t|a", "t|a"])[1].replace('/', "|");
        let paths = mend_all(&[&taken, "t|a", "t|a"]);
        assert_eq!(paths.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn endless_paths_lose_folders_and_not_the_file() {
        let deep = vec!["d"; 5_000].join("|");
        let wide = vec!["w".repeat(250); 50].join("|");
        let paths = mend_all(&[&format!("{deep}|a.txt"), &format!("{deep}|d|a.txt"), &format!("{wide}|a.txt")]);
        for path in &paths {
            assert!(path.len() <= 2_048 && path.split('/').count() <= 65 && path.ends_with(".txt"), "{path}");
        }
        assert_ne!(paths[0], paths[1]);
    }

    #[test]
    fn a_hundred_thousand_of_one_name_take_no_more_than_their_number() {
        let mut mender = PathMender::new();
        let all: HashSet<_> = (0..100_000).map(|_| mender.mend([&b"t"[..], b"same"]).unwrap()).collect();
        assert_eq!(all.len(), 100_000);
    }

    const AWKWARD: &[&[u8]] = &[b"a", b"A", b"b", b"a.part", b"..", b"", b"a/b", b"a_b", b"\xff", b"nul", b"a~0"];

    proptest! {
        #[test]
        fn any_paths_become_safe_and_different(
            paths in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(AWKWARD),
                    1..4,
                ),
                1..40,
            )
        ) {
            let mut mender = PathMender::new();
            let mended: Vec<_> = paths.iter().filter_map(|path| mender.mend(path.iter().copied())).collect();
            let folded: HashSet<_> = mended.iter().map(|path| fold(&path.to_string())).collect();
            prop_assert_eq!(folded.len(), mended.len());
            for path in &mended {
                prop_assert_eq!(SafePath::new(&path.to_string()), Some(path.clone()));
                let part = fold(&path.to_string()) + PART_SUFFIX;
                prop_assert!(!folded.contains(&part));
                let mut above = path.as_path().parent();
                while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
                    let folder = fold(folder.to_str().unwrap());
                    prop_assert!(!folded.contains(&folder), "{folder} is a file too");
                    above = above.unwrap().parent();
                }
            }
        }
    }
}
