//! Paths that can't leave the folder they are joined to.
//!
//! A torrent's names are strangers' bytes. [`PathMender`] turns them into [`SafePath`]s: mended where they would do harm or
//! where a file system would refuse or confuse them, and all different. What stands on the disk already (links above all)
//! is not known here; opening below the folder is guarded again where files are opened.

mod component;
mod mender;

pub use component::mend_name;
pub use mender::PathMender;

use std::borrow::Cow;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// The end of the name of a file that is not whole yet.
pub const PART_SUFFIX: &str = ".part";

/// A relative path that stays below the folder it is joined to: at least one component, none of them special, all UTF-8.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SafePath(PathBuf);

impl SafePath {
    /// `path` (with `/` between components) if it is safe as it stands; nothing is mended.
    pub fn new(path: &str) -> Option<Self> {
        let mut safe = PathBuf::new();
        for name in path.split('/') {
            safe.push(checked(name)?);
        }
        Some(SafePath(safe))
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The components in order, from the top.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(|name| name.to_str().expect("made of UTF-8"))
    }

    /// The whole path with `/` between components, on every system.
    pub fn to_slashes(&self) -> Cow<'_, str> {
        if std::path::MAIN_SEPARATOR == '/' {
            return self.0.to_str().expect("made of UTF-8").into();
        }
        self.components().collect::<Vec<_>>().join("/").into()
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.components().next_back().expect("at least one component")
    }

    /// The name under which the file stands until every byte of it is verified.
    pub fn with_part(&self) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(PART_SUFFIX);
        path.into()
    }

    /// The same path with its first component replaced (`--output`); `None` if `name` is not one plain component.
    pub fn renamed_top(&self, name: &str) -> Option<SafePath> {
        let mut path = PathBuf::from(checked(name)?);
        path.extend(self.components().skip(1));
        Some(SafePath(path))
    }
}

/// Shows `/` between components on every system.
impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_slashes())
    }
}

/// `name` if it is one plain component, here and on other systems.
fn checked(name: &str) -> Option<&str> {
    let mut parts = Path::new(name).components();
    let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    (one && !name.contains(['/', '\\', '\0'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_components_make_a_safe_path() {
        for bad in ["", "/", "/etc", "a/", "a//b", "..", "a/../b", ".", "a/.", "a\0b", "a\\b"] {
            assert_eq!(SafePath::new(bad), None, "{bad:?}");
        }
        let path = SafePath::new("top/Folge 1/ä…b.mkv").unwrap();
        assert_eq!(path.to_string(), "top/Folge 1/ä…b.mkv");
        assert_eq!(path.components().collect::<Vec<_>>(), ["top", "Folge 1", "ä…b.mkv"]);
        assert_eq!(path.file_name(), "ä…b.mkv");
        assert_eq!(path.with_part(), Path::new("top/Folge 1/ä…b.mkv.part"));
    }

    #[test]
    fn the_top_is_renamed_to_one_component_and_no_more() {
        let path = SafePath::new("top/a/b").unwrap();
        assert_eq!(path.renamed_top("new"), SafePath::new("new/a/b"));
        assert_eq!(SafePath::new("file").unwrap().renamed_top("new"), SafePath::new("new"));
        for bad in ["", "..", ".", "a/b", "/a", "a/"] {
            assert_eq!(path.renamed_top(bad), None, "{bad:?}");
        }
    }
}
