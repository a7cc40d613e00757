//! One process a target.
//!
//! A lock is a `flock` on a small file in the state folder, named by a hash of the target's canonical path: the final
//! path of the single file, or of the top folder together with the torrent's id, since folders may be shared between
//! torrents and files may not. The system drops it with the process, however that ends; the file stays and is used
//! again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::base::hash::sha1;
use crate::base::id::TorrentId;
use crate::io::state_folder;

/// Held as long as it lives.
#[derive(Debug)]
pub struct TargetLock {
    _file: File,
}

/// Why a target could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is in use by another download or another process", target.display())]
    InUse { target: PathBuf },
    #[error("can't lock {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl TargetLock {
    /// Locks the target that a torrent has below the output folder `dir`; `top` is the name of the single file or the
    /// top folder. Without a state folder the lock stands in a folder of this user among the temporary files.
    ///
    /// # Errors
    /// [`LockError::InUse`] at once if it is held, by this process or another.
    pub fn acquire(
        state_dir: Option<&Path>,
        dir: &Path,
        top: &Path,
        id: &TorrentId,
        single_file: bool,
    ) -> Result<TargetLock, LockError> {
        let target = canonical(dir).join(top);
        let folder = state_dir.map_or_else(temporary_folder, |state| state.join("locks"));
        make_private(&folder).map_err(|source| LockError::Io { path: folder.clone(), source })?;
        let path = folder.join(name(&target, (!single_file).then_some(id)));
        let io = |source| LockError::Io { path: path.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(TargetLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse { target }),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }
}

/// The folder's path without links, as far as it exists.
fn canonical(dir: &Path) -> PathBuf {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    match (dir.canonicalize(), dir.parent(), dir.file_name()) {
        (Ok(path), _, _) => path,
        (Err(_), Some(parent), Some(name)) => canonical(parent).join(name),
        (Err(_), _, _) => std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
    }
}

fn name(target: &Path, id: Option<&TorrentId>) -> String {
    let mut key = target.as_os_str().as_encoded_bytes().to_vec();
    if let Some(id) = id {
        key.push(0);
        key.extend(id.to_string().bytes());
    }
    let hex: String = sha1(&key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.lock")
}

fn temporary_folder() -> PathBuf {
    #[cfg(unix)]
    let user = rustix::process::getuid().as_raw().to_string();
    #[cfg(not(unix))]
    let user = "locks";
    std::env::temp_dir().join(format!("rtorrent-cli-{user}"))
}

/// Makes the folder; among the temporary files it must be this user's own.
fn make_private(folder: &Path) -> io::Result<()> {
    state_folder::make(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::symlink_metadata(folder)?;
        if folder == temporary_folder() && (!meta.is_dir() || meta.uid() != rustix::process::getuid().as_raw()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder belongs to somebody else"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::InfoHashV1;
    use std::fs;

    fn id(byte: u8) -> TorrentId {
        TorrentId::from_v1(InfoHashV1([byte; 20]))
    }

    #[test]
    fn a_target_is_held_once_by_whatever_path_it_is_reached() {
        let (state, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let real = out.path().join("real");
        fs::create_dir(&real).unwrap();
        let lock = |dir: &Path, top: &str, id: &TorrentId, single: bool| {
            TargetLock::acquire(Some(state.path()), dir, Path::new(top), id, single)
        };
        let held = lock(&real, "file", &id(1), true).unwrap();
        let in_use = |lock: Result<TargetLock, LockError>| matches!(lock, Err(LockError::InUse { .. }));
        assert!(in_use(lock(&real, "file", &id(2), true)), "files are never shared");
        assert!(in_use(lock(&out.path().join("real/../real"), "file", &id(1), true)));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&real, out.path().join("link")).unwrap();
            assert!(in_use(lock(&out.path().join("link"), "file", &id(1), true)));
        }
        lock(&real, "other", &id(1), true).unwrap();
        drop(held);
        // A child that another test starts has all that is open here until its program runs.
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let again = loop {
            match lock(&real, "file", &id(1), true) {
                Err(LockError::InUse { .. }) if std::time::Instant::now() < patience => std::thread::yield_now(),
                again => break again,
            }
        };
        again.unwrap();

        let _folder = lock(&real, "album", &id(1), false).unwrap();
        assert!(in_use(lock(&real, "album", &id(1), false)));
        lock(&real, "album", &id(2), false).expect("folders are shared between torrents");
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_same_lock_as_when_it_is() {
        let (state, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = out.path().join("a").join("b");
        let lock = || TargetLock::acquire(Some(state.path()), &dir, Path::new("x"), &id(1), true);
        let _held = lock().unwrap();
        fs::create_dir_all(&dir).unwrap();
        assert!(matches!(lock(), Err(LockError::InUse { .. })));
    }

    /// Run by the test below in a process of its own: takes the lock, says so, and waits to be killed.
    #[test]
    fn holder() {
        let Some(state) = std::env::var_os("LOCK_TEST_STATE") else { return };
        let _held = TargetLock::acquire(Some(Path::new(&state)), Path::new("/"), Path::new("x"), &id(1), true).unwrap();
        println!("held");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }

    #[test]
    fn another_process_holds_it_until_it_is_killed() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let state = tempfile::tempdir().unwrap();
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "io::lock::tests::holder", "--nocapture"])
            .env("LOCK_TEST_STATE", state.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("held")));
        let lock = || TargetLock::acquire(Some(state.path()), Path::new("/"), Path::new("x"), &id(1), true);
        assert!(matches!(lock(), Err(LockError::InUse { .. })));
        holder.kill().unwrap();
        holder.wait().unwrap();
        lock().unwrap();
    }

    #[test]
    fn without_a_state_folder_locks_hold_too() {
        let out = tempfile::tempdir().unwrap();
        let lock = || TargetLock::acquire(None, out.path(), Path::new("x"), &id(1), true);
        let _held = lock().unwrap();
        assert!(matches!(lock(), Err(LockError::InUse { .. })));
    }
}
