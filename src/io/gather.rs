//! Finding the files that a torrent is to be made of.
//!
//! Nothing depends on the order in which the file system lists them, on ignore files outside of the folder or on the
//! user's own: the same folder gives the same list everywhere. Paths are sorted byte by byte, `/` among the other characters, as most
//! programs sort them: the same files get the same info hash from each.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};

use crate::io::file_set::Stamp;
use crate::io::source_files::SourceFile;

/// What is to be found.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only files that one of these matches; one that begins with `!` leaves out. The last that matches decides.
    pub globs: Vec<String>,
    /// Also files and folders whose names begin with a dot.
    pub hidden: bool,
    /// Not what `.gitignore` and `.ignore` files in the folder name.
    pub ignore_files: bool,
    /// What links lead to, in the place of the links.
    pub follow: bool,
    /// This file is left out: where the torrent will be written.
    pub except: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gathered {
    /// The path is a file itself.
    pub single: bool,
    /// Sorted; for each where it is in the torrent (with `/`, empty for a single file) and on disk.
    pub files: Vec<(String, SourceFile)>,
    pub left_out: LeftOut,
}

/// How much was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// Files and folders whose names begin with a dot.
    pub hidden: usize,
    pub links: usize,
    /// Sockets, pipes and devices.
    pub special: usize,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    #[error("can't read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// A link that leads back to its own folder, or an ignore file that can't be understood.
    #[error("{0}")]
    Walk(String),
    #[error("bad glob {glob:?}: {reason}")]
    BadGlob { glob: String, reason: String },
    #[error("{} has a name that is not UTF-8, and names in torrents are", path.display())]
    NotUtf8 { path: PathBuf },
    #[error("{} is neither a file nor a folder", path.display())]
    Special { path: PathBuf },
}

/// Finds the files at `path`: itself, or all below it.
///
/// # Errors
/// The first that is met; nothing that can't be read is left out in silence.
pub fn gather(path: &Path, wanted: &Wanted) -> Result<Gathered, GatherError> {
    let io = |source| GatherError::Io { path: path.to_owned(), source };
    let meta = std::fs::metadata(path).map_err(io)?;
    if meta.is_file() {
        let file = SourceFile { path: path.to_owned(), stamp: Stamp::of(&meta) };
        return Ok(Gathered { single: true, files: vec![(String::new(), file)], left_out: LeftOut::default() });
    }
    if !meta.is_dir() {
        return Err(GatherError::Special { path: path.to_owned() });
    }
    let hidden = Arc::new(AtomicUsize::new(0));
    let mut left_out = LeftOut::default();
    let mut files = Vec::new();
    let except = wanted.except.as_deref().and_then(|except| below(path, except));
    for entry in walk(path, wanted, hidden.clone())? {
        let entry = entry.map_err(|error| walk_error(path, error))?;
        if let Some(error) = entry.error() {
            return Err(walk_error(path, error.clone()));
        }
        let Some(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            continue;
        }
        if kind.is_symlink() {
            left_out.links += 1;
        } else if !kind.is_file() {
            left_out.special += 1;
        } else {
            let inside = entry.path().strip_prefix(path).unwrap_or(entry.path());
            if except.as_deref() == Some(inside) {
                continue;
            }
            let name = slashed(inside).ok_or_else(|| GatherError::NotUtf8 { path: entry.path().to_owned() })?;
            let stamp = entry.metadata().map(|meta| Stamp::of(&meta)).map_err(|error| walk_error(path, error))?;
            files.push((name, SourceFile { path: entry.into_path(), stamp }));
        }
    }
    files.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    left_out.hidden = hidden.load(Relaxed);
    Ok(Gathered { single: false, files, left_out })
}

fn walk(path: &Path, wanted: &Wanted, hidden: Arc<AtomicUsize>) -> Result<ignore::Walk, GatherError> {
    let mut builder = WalkBuilder::new(path);
    builder.standard_filters(false).require_git(false).follow_links(wanted.follow);
    builder.git_ignore(wanted.ignore_files).ignore(wanted.ignore_files);
    builder.overrides(overrides(path, &wanted.globs)?);
    let take_hidden = wanted.hidden;
    builder.filter_entry(move |entry: &DirEntry| {
        let leave = !take_hidden && entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        hidden.fetch_add(usize::from(leave), Relaxed);
        !leave
    });
    Ok(builder.build())
}

fn overrides(path: &Path, globs: &[String]) -> Result<Override, GatherError> {
    let mut builder = OverrideBuilder::new(path);
    let bad = |glob: &str, error: ignore::Error| GatherError::BadGlob { glob: glob.into(), reason: error.to_string() };
    for glob in globs {
        builder.add(glob).map_err(|error| bad(glob, error))?;
    }
    builder.build().map_err(|error| bad(&globs.join(" "), error))
}

/// Where `file` lies below `folder`, if it does.
fn below(folder: &Path, file: &Path) -> Option<PathBuf> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = parent.canonicalize().ok()?.join(file.file_name()?);
    file.strip_prefix(folder.canonicalize().ok()?).ok().map(Path::to_owned)
}

/// With `/` on every system; `None` if it is not UTF-8.
fn slashed(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/"))
}

fn walk_error(root: &Path, error: ignore::Error) -> GatherError {
    let path = path_of(&error).unwrap_or(root).to_owned();
    let text = error.to_string();
    match error.into_io_error() {
        Some(source) => {
            // The walker's own text names the path once more.
            let source = source.raw_os_error().map_or(source, std::io::Error::from_raw_os_error);
            GatherError::Io { path, source }
        }
        None => GatherError::Walk(text),
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new(files: &[&str]) -> Tree {
            let tree = Tree(tempfile::tempdir().unwrap());
            for file in files {
                tree.write(file, file);
            }
            tree
        }

        fn write(&self, file: &str, text: &str) {
            let path = self.0.path().join("top").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn top(&self) -> PathBuf {
            self.0.path().join("top")
        }

        fn names(&self, wanted: &Wanted) -> Vec<String> {
            self.gather(wanted).files.into_iter().map(|(name, _)| name).collect()
        }

        fn gather(&self, wanted: &Wanted) -> Gathered {
            gather(&self.top(), wanted).unwrap()
        }
    }

    fn globs(globs: &[&str]) -> Wanted {
        Wanted { globs: globs.iter().map(|&glob| glob.into()).collect(), ..Wanted::default() }
    }

    #[test]
    fn files_are_sorted_byte_by_byte() {
        let tree = Tree::new(&["b", "a-b", "a/z", "a/B", "a.txt", "ä", "Z"]);
        let found = tree.gather(&Wanted::default());
        let names: Vec<_> = found.files.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, ["Z", "a-b", "a.txt", "a/B", "a/z", "b", "ä"]);
        assert!(!found.single && found.left_out == LeftOut::default());
        assert_eq!(found.files[3].1.stamp.size, 3);
    }

    #[test]
    fn a_file_is_itself() {
        let tree = Tree::new(&[".hidden"]);
        let found = gather(&tree.top().join(".hidden"), &Wanted::default()).unwrap();
        assert!(found.single && found.files[0].0.is_empty() && found.files[0].1.stamp.size == 7);
        assert!(matches!(gather(&tree.top().join("no"), &Wanted::default()), Err(GatherError::Io { .. })));
    }

    #[test]
    fn hidden_files_are_counted_and_left_out() {
        let tree = Tree::new(&["a", ".b", ".c/d", ".c/e"]);
        let found = tree.gather(&Wanted::default());
        assert_eq!((found.files.len(), found.left_out.hidden), (1, 2));
        assert_eq!(tree.names(&Wanted { hidden: true, ..Wanted::default() }), [".b", ".c/d", ".c/e", "a"]);
    }

    #[test]
    fn globs_choose_and_leave_out() {
        let tree = Tree::new(&["a.mkv", "b.txt", "sub/c.mkv", "sub/sample.mkv"]);
        assert_eq!(tree.names(&globs(&["*.mkv"])), ["a.mkv", "sub/c.mkv", "sub/sample.mkv"]);
        assert_eq!(tree.names(&globs(&["*.mkv", "!sample*"])), ["a.mkv", "sub/c.mkv"]);
        assert_eq!(tree.names(&globs(&["!*.txt"])).len(), 3);
        assert_eq!(tree.names(&globs(&["!sub/"])), ["a.mkv", "b.txt"]);
        assert_eq!(tree.names(&globs(&["/*.mkv"])), ["a.mkv"]);
        assert!(matches!(gather(&tree.top(), &globs(&["[z"])), Err(GatherError::BadGlob { glob, .. }) if glob == "[z"));
    }

    #[test]
    fn ignore_files_count_only_where_they_are_asked_for_and_only_inside() {
        let tree = Tree::new(&["a", "b.o", "sub/c.o", "sub/d"]);
        std::fs::write(tree.0.path().join(".gitignore"), "a\n").unwrap();
        tree.write(".gitignore", "*.o\n");
        tree.write("sub/.ignore", "d\n!c.o\n");
        assert_eq!(tree.names(&Wanted::default()).len(), 4);
        assert_eq!(tree.names(&Wanted { ignore_files: true, ..Wanted::default() }), ["a", "sub/c.o"]);
    }

    #[test]
    fn the_torrent_does_not_hold_itself() {
        let tree = Tree::new(&["a", "sub/top.torrent", "top.torrent"]);
        let except = Some(tree.top().join("sub/../top.torrent"));
        assert_eq!(tree.names(&Wanted { except, ..Wanted::default() }), ["a", "sub/top.torrent"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_left_out_or_followed_and_never_in_circles() {
        use std::os::unix::fs::symlink;
        let tree = Tree::new(&["a", "sub/b"]);
        symlink("../../elsewhere", tree.top().join("sub/link")).unwrap();
        std::fs::write(tree.0.path().join("elsewhere"), "12345").unwrap();
        let found = tree.gather(&Wanted::default());
        assert_eq!((found.files.len(), found.left_out.links), (2, 1));
        let follow = Wanted { follow: true, ..Wanted::default() };
        let found = tree.gather(&follow);
        assert_eq!((&found.files[2].0[..], found.files[2].1.stamp.size), ("sub/link", 5));

        // The path itself is what the user named.
        symlink(tree.top(), tree.0.path().join("other name")).unwrap();
        assert_eq!(gather(&tree.0.path().join("other name"), &Wanted::default()).unwrap().files.len(), 2);

        symlink("..", tree.top().join("sub/up")).unwrap();
        assert!(matches!(gather(&tree.top(), &follow), Err(GatherError::Walk(text)) if text.contains("loop")));
        symlink("nowhere", tree.top().join("dangling")).unwrap();
        std::fs::remove_file(tree.top().join("sub/up")).unwrap();
        let dangling = tree.top().join("dangling");
        assert!(matches!(gather(&tree.top(), &follow), Err(GatherError::Io { path, .. }) if path == dangling));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_no_torrent_can_hold_is_refused_and_special_files_are_left_out() {
        use std::os::unix::ffi::OsStrExt as _;
        let tree = Tree::new(&["a"]);
        let _socket = std::os::unix::net::UnixListener::bind(tree.top().join("socket")).unwrap();
        assert_eq!(tree.gather(&Wanted::default()).left_out.special, 1);
        let bad = tree.top().join(std::ffi::OsStr::from_bytes(b"b\xff"));
        std::fs::write(&bad, "x").unwrap();
        assert!(matches!(gather(&tree.top(), &Wanted::default()), Err(GatherError::NotUtf8 { path }) if path == bad));
    }
}
