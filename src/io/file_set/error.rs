//! What can go wrong with a torrent's files; every error names the path.

use std::io;
use std::path::{Path, PathBuf};

use super::sys;
use crate::swarm::{DiskFailure, DiskFailureKind};

/// Why files could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("can't {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// A write was refused for want of room.
    #[error("no space left to write {}", path.display())]
    NoSpace { path: PathBuf },
    /// Found before the first byte was written.
    #[error("{} has {} free and needs {}", path.display(), mebibytes(*free), mebibytes(*needed))]
    SpaceShort { path: PathBuf, needed: u64, free: u64 },
    /// Something of a foreign make stands where a file belongs.
    #[error("{} is there already and is something else", path.display())]
    Occupied { path: PathBuf },
    /// Links below the output folder are not followed.
    #[error("{} is a link, and links inside the output folder are not followed; remove it", path.display())]
    Link { path: PathBuf },
    #[error("{} has {found} bytes where {expected} were expected", path.display())]
    Short { path: PathBuf, expected: u64, found: u64 },
    #[error("{} has {found} bytes, more than the {expected} of the torrent", path.display())]
    Long { path: PathBuf, expected: u64, found: u64 },
    #[error("{} is missing", path.display())]
    Missing { path: PathBuf },
    /// A file that a torrent is made of.
    #[error("{} changed while it was hashed", path.display())]
    Changed { path: PathBuf },
    /// A file that a torrent is made of.
    #[error("{} vanished while it was hashed", path.display())]
    Vanished { path: PathBuf },
}

/// `12.3 MiB`.
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

impl FileError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        if sys::is_no_space(&source) { FileError::NoSpace { path } } else { FileError::Io { doing, path, source } }
    }

    /// The path that it is about.
    pub fn path(&self) -> &Path {
        match self {
            FileError::Io { path, .. }
            | FileError::NoSpace { path }
            | FileError::SpaceShort { path, .. }
            | FileError::Occupied { path }
            | FileError::Link { path }
            | FileError::Short { path, .. }
            | FileError::Long { path, .. }
            | FileError::Missing { path }
            | FileError::Changed { path }
            | FileError::Vanished { path } => path,
        }
    }

    /// Who must act on it.
    pub fn kind(&self) -> DiskFailureKind {
        match self {
            FileError::NoSpace { .. } | FileError::SpaceShort { .. } => DiskFailureKind::NoSpace,
            FileError::Occupied { .. } => DiskFailureKind::Occupied,
            _ => DiskFailureKind::Io,
        }
    }

    /// As the torrent is told of it.
    pub fn to_failure(&self) -> DiskFailure {
        DiskFailure { kind: self.kind(), message: self.to_string() }
    }
}
