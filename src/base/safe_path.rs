//! safe_path
use std::path::{Path, PathBuf};

/// A relative path that stays below the folder it is joined to: at least one component, none of them special.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SafePath(PathBuf);

impl SafePath {
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}
