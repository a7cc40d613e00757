//! What the operating systems do differently with files: vectored positioned reads and writes, holes, free space and
//! syncing. Everything else in `io` is the same everywhere.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::path::Path;
use std::time::SystemTime;

/// Most slices that one call takes (`IOV_MAX` of Linux, macOS and the BSDs).
const MAX_SLICES: usize = 1024;

/// Writes all of `slices`, one after another, from byte `offset` on. `slices` is used up.
///
/// # Errors
/// The file system's; a write of nothing is `WriteZero`.
pub fn write_all_at(file: &File, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let take = slices.len().min(MAX_SLICES);
        match write_some(file, &slices[..take], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                IoSlice::advance_slices(&mut slices, n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer` from byte `offset` on and returns how much there was: less than the buffer only at the file's end.
///
/// # Errors
/// The file system's.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match read_some(file, &mut [IoSliceMut::new(&mut buffer[done..])], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(unix)]
fn write_some(file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pwritev(file, slices, offset)?)
}

#[cfg(unix)]
fn read_some(file: &File, slices: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::preadv(file, slices, offset)?)
}

#[cfg(windows)]
fn write_some(file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    slices.iter().find(|slice| !slice.is_empty()).map_or(Ok(0), |slice| file.seek_write(slice, offset))
}

#[cfg(windows)]
fn read_some(file: &File, slices: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    slices.iter_mut().find(|slice| !slice.is_empty()).map_or(Ok(0), |slice| file.seek_read(slice, offset))
}

/// Bytes that the file system has set aside for a file; where it does not say, the file's length.
pub fn allocated(meta: &cap_std::fs::Metadata) -> u64 {
    #[cfg(unix)]
    {
        use cap_std::fs::MetadataExt;
        meta.blocks().saturating_mul(512)
    }
    #[cfg(not(unix))]
    {
        meta.len()
    }
}

/// Bytes that this user may still write below `folder`; `None` where the system has no plain way to tell.
pub fn free_space(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(folder).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Gives a new file its length and sets its blocks aside; where that can't be done, only the length.
///
/// # Errors
/// The file system's: no room, above all.
pub fn allocate(file: &File, length: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if length > 0 {
        use rustix::io::Errno;
        return match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => file.set_len(length),
            result => Ok(result?),
        };
    }
    file.set_len(length)
}

/// The first byte at or after `offset` that may hold data; `None` if only holes follow. Where holes can't be asked
/// for, everything is data.
pub fn next_data(file: &File, offset: u64) -> Option<u64> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd"))]
    {
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(at) => Some(at),
            Err(rustix::io::Errno::NXIO) => None,
            Err(_) => Some(offset),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd")))]
    {
        let _ = file;
        Some(offset)
    }
}

/// Flushes all of the file system that `file` lies on; `false` where only single files can be flushed.
///
/// # Errors
/// The file system's.
pub fn sync_file_system(file: &File) -> io::Result<bool> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        rustix::fs::syncfs(file)?;
        Ok(true)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = file;
        Ok(false)
    }
}

/// Makes the names in a folder durable, where folders can be synced.
///
/// # Errors
/// The file system's.
pub fn sync_folder(folder: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        folder.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(())
    }
}

/// Tells the kernel that the file will be read from front to back.
pub fn expect_sequential(file: &File) {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        let _ = file;
    }
}

/// True if the byte at `offset` can be read without waiting for a disk; false where the system does not say.
pub fn is_cached(file: &File, offset: u64) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::io::{Errno, ReadWriteFlags};
        /// `TMPFS_MAGIC` (statfs(2)): such files lie in memory, and can't be asked.
        const TMPFS: u64 = 0x0102_1994;
        match rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut [0])], offset, ReadWriteFlags::NOWAIT) {
            Ok(_) => true,
            Err(Errno::OPNOTSUPP) => rustix::fs::fstatfs(file).is_ok_and(|stat| stat.f_type as u64 == TMPFS),
            Err(_) => false,
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (file, offset);
        false
    }
}

/// True for the errors that mean "no room": a full file system or a quota.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Nanoseconds since 1970, negative before; 0 where the file system keeps no time.
pub fn mtime_ns(time: Option<SystemTime>) -> i64 {
    let Some(time) = time else { return 0 };
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos().try_into().unwrap_or(i64::MAX),
        Err(before) => before.duration().as_nanos().try_into().map_or(i64::MIN, |ns: i64| -ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_slices_are_written_in_order_and_read_back() {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3 * MAX_SLICES).map(|i| (i % 251) as u8).collect();
        let mut slices: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
        slices.insert(5, IoSlice::new(&[]));
        slices.push(IoSlice::new(&[]));
        write_all_at(&file, &mut slices, 7).unwrap();
        let mut back = vec![0; bytes.len() + 100];
        assert_eq!(read_at(&file, &mut back, 7).unwrap(), bytes.len(), "less only at the end");
        assert_eq!(back[..bytes.len()], bytes);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_allocated_takes_room_at_once() {
        use std::os::unix::fs::MetadataExt;
        let (full, sparse) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        allocate(&full, 1 << 20).unwrap();
        sparse.set_len(1 << 20).unwrap();
        let (full, sparse) = (full.metadata().unwrap(), sparse.metadata().unwrap());
        assert_eq!((full.len(), sparse.len()), (1 << 20, 1 << 20));
        assert!(full.blocks() * 512 >= 1 << 20 && sparse.blocks() * 512 < 1 << 20);
        allocate(&tempfile::tempfile().unwrap(), 0).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_no_space() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = write_all_at(&full, &mut [IoSlice::new(b"x")], 0).unwrap_err();
        assert!(is_no_space(&error), "{error:?}");
    }
}
