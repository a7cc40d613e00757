//! The output folder as a wall: every name is opened below it through cap-std, part by part, and no link is followed.
//!
//! The folder itself may be reached through links; what stands inside it may not be one. An error names the part of the
//! path that is in the way.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, Metadata, OpenOptions};

use super::error::FileError;
use super::sys;

/// The output folder, held open.
#[derive(Debug)]
pub(super) struct Folder {
    dir: Arc<Dir>,
    path: PathBuf,
}

/// A folder below the output folder (or itself), with the name of what is to be done in it.
pub(super) struct Spot {
    dir: Arc<Dir>,
    name: OsString,
    /// For messages.
    path: PathBuf,
}

impl Folder {
    /// Opens `path`, and makes it first if `make` says so.
    ///
    /// # Errors
    /// [`FileError::Missing`], or what the file system says.
    pub fn open(path: &Path, make: bool) -> Result<Folder, FileError> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        if make {
            std::fs::create_dir_all(path).map_err(|e| FileError::io("make the folder", path, e))?;
        }
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => FileError::Missing { path: path.to_owned() },
            _ => FileError::io("open the folder", path, e),
        })?;
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Folder { dir: Arc::new(dir), path })
    }

    /// The folder's own path, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that `relative` lies in; folders on the way are made if `make` says so. `None` if one is missing.
    ///
    /// # Errors
    /// [`FileError::Link`] and [`FileError::Occupied`] for what stands in the way.
    pub fn spot(&self, relative: &Path, make: bool) -> Result<Option<Spot>, FileError> {
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(FileError::io("use", self.path.join(relative), io::ErrorKind::InvalidInput.into()));
        }
        let mut dir = self.dir.clone();
        let mut path = self.path.clone();
        let mut parts = relative.iter().peekable();
        while let Some(name) = parts.next() {
            path.push(name);
            if parts.peek().is_none() {
                return Ok(Some(Spot { dir, name: name.to_owned(), path }));
            }
            dir = Arc::new(match dir.open_dir_nofollow(name) {
                Ok(next) => next,
                Err(e) if e.kind() == io::ErrorKind::NotFound && make => {
                    match dir.create_dir(name) {
                        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                            return Err(FileError::io("make the folder", path, e));
                        }
                        _ => {}
                    }
                    dir.open_dir_nofollow(name).map_err(|e| in_the_way(&dir, name, &path, e))?
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(in_the_way(&dir, name, &path, e)),
            });
        }
        Err(FileError::io("use", &self.path, io::ErrorKind::InvalidInput.into()))
    }

    /// A handle for syncing what lies in the folder.
    pub fn handle(&self) -> io::Result<File> {
        open_for_sync(&self.dir)
    }
}

impl Spot {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The spot beside this one that carries `.part`.
    pub fn part(&self) -> Spot {
        Spot { dir: self.dir.clone(), name: with_part(&self.name), path: part_path(&self.path) }
    }

    /// What stands here; `None` if nothing.
    ///
    /// # Errors
    /// [`FileError::Link`] for a link, [`FileError::Occupied`] for a folder or device.
    pub fn look(&self) -> Result<Option<Metadata>, FileError> {
        match self.dir.symlink_metadata(&self.name) {
            Ok(meta) if meta.is_symlink() => Err(FileError::Link { path: self.path.clone() }),
            Ok(meta) if !meta.is_file() => Err(FileError::Occupied { path: self.path.clone() }),
            Ok(meta) => Ok(Some(meta)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(FileError::io("look at", &self.path, e)),
        }
    }

    /// Opens the regular file that stands here.
    ///
    /// # Errors
    /// [`FileError::Missing`], [`FileError::Link`], [`FileError::Occupied`], or what the file system says.
    pub fn open(&self, write: bool) -> Result<File, FileError> {
        if self.look()?.is_none() {
            return Err(FileError::Missing { path: self.path.clone() });
        }
        self.open_with(OpenOptions::new().read(true).write(write))
    }

    /// Makes a new file here.
    ///
    /// # Errors
    /// [`FileError::Occupied`] if anything stands here already.
    pub fn create(&self) -> Result<File, FileError> {
        self.open_with(OpenOptions::new().read(true).write(true).create_new(true))
    }

    fn open_with(&self, options: &mut OpenOptions) -> Result<File, FileError> {
        let file = self.dir.open_with(&self.name, options.follow(FollowSymlinks::No));
        file.map(cap_std::fs::File::into_std).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => FileError::Occupied { path: self.path.clone() },
            _ => in_the_way(&self.dir, &self.name, &self.path, e),
        })
    }

    /// Gives the file that stands here the name of `to`, a spot in the same folder.
    ///
    /// # Errors
    /// [`FileError::Occupied`] if something stands there and `replace` is false.
    pub fn rename(&self, to: &Spot, replace: bool) -> Result<(), FileError> {
        if !replace && to.look()?.is_some() {
            return Err(FileError::Occupied { path: to.path.clone() });
        }
        self.dir.rename(&self.name, &to.dir, &to.name).map_err(|e| FileError::io("rename to", &to.path, e))
    }

    pub fn remove(&self) -> Result<(), FileError> {
        self.dir.remove_file(&self.name).map_err(|e| FileError::io("remove", &self.path, e))
    }

    /// Makes the names in this folder durable.
    pub fn sync_names(&self) -> Result<(), FileError> {
        open_for_sync(&self.dir)
            .and_then(|folder| sys::sync_folder(&folder))
            .map_err(|e| FileError::io("sync the folder of", &self.path, e))
    }
}

/// The handles that cap-std keeps of folders may be good for looking up names only.
fn open_for_sync(dir: &Dir) -> io::Result<File> {
    #[cfg(unix)]
    {
        dir.open(".").map(cap_std::fs::File::into_std)
    }
    #[cfg(not(unix))]
    {
        dir.try_clone().map(Dir::into_std_file)
    }
}

/// Why opening `name` failed, in words: a link, something that is not a folder, or the system's own error.
fn in_the_way(dir: &Dir, name: &OsStr, path: &Path, error: io::Error) -> FileError {
    let path = path.to_owned();
    match dir.symlink_metadata(name) {
        Ok(meta) if meta.is_symlink() => FileError::Link { path },
        Ok(meta) if error.kind() == io::ErrorKind::NotADirectory && !meta.is_dir() => FileError::Occupied { path },
        _ => FileError::io("open", path, error),
    }
}

/// `path` with `.part` after its name.
pub(super) fn part_path(path: &Path) -> PathBuf {
    path.with_file_name(with_part(path.file_name().unwrap_or_default()))
}

fn with_part(name: &OsStr) -> OsString {
    let mut name = name.to_owned();
    name.push(".part");
    name
}
