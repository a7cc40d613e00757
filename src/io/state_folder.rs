//! The state folder, made when something is kept for the first time: what stands in it tells what somebody downloads,
//! and holds the keys of trackers, so that it is closed to others (XDG Base Directory Specification, "Referencing this
//! specification").

use std::io;
use std::path::Path;

/// Makes the folder and those above it that are missing, for this user alone. What is there already stays as it is.
///
/// # Errors
/// The file system's.
pub fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_made_is_closed_to_others_and_what_was_there_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let folder = dir.path().join("state/rtorrent-cli");
        make(&folder).unwrap();
        make(&folder).unwrap();
        assert_eq!((mode(&folder), mode(&dir.path().join("state")), mode(dir.path())), (0o700, 0o700, 0o755));
    }
}
