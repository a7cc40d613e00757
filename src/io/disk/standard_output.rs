//! Standard output as a file of its own, and whether anybody reads it.

use std::fs::File;
use std::io;

use tokio::sync::mpsc::UnboundedSender;

use super::DiskReport;

/// Standard output without the buffer that the standard library puts before it.
///
/// # Errors
/// If it is closed.
#[cfg(unix)]
pub(super) fn open() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Standard output without the buffer that the standard library puts before it.
///
/// # Errors
/// If it is closed.
#[cfg(windows)]
pub(super) fn open() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// Says [`DiskReport::Unread`] once `out`, if it is a pipe or socket, has lost its reader. A thread of its own waits for
/// that, and ends with the process.
///
/// # Errors
/// If the system gives no more threads.
#[cfg(unix)]
pub(super) fn watch(out: File, reports: UnboundedSender<DiskReport>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::{FileType, fstat};
    let kind = FileType::from_raw_mode(fstat(&out)?.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::Socket) {
        return Ok(());
    }
    super::spawn("pipe-reader", move || {
        loop {
            let mut ends = [PollFd::new(&out, PollFlags::empty())];
            match poll(&mut ends, None) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) if !ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) => {}
                Ok(_) => break,
                // Then a write will tell.
                Err(_) => return,
            }
        }
        // A torrent that is gone needs no reports.
        let _ = reports.send(DiskReport::Unread);
    })
}

/// Only a write tells.
#[cfg(not(unix))]
pub(super) fn watch(_: File, _: UnboundedSender<DiskReport>) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use tokio::sync::mpsc::unbounded_channel;

    #[test]
    fn a_reader_that_goes_away_is_told_of_and_a_plain_file_has_none() {
        let (reader, writer) = io::pipe().unwrap();
        let (reports, mut told) = unbounded_channel();
        watch(OwnedFd::from(writer).into(), reports).unwrap();
        assert!(told.try_recv().is_err(), "somebody holds the other end");
        drop(reader);
        assert!(matches!(told.blocking_recv(), Some(DiskReport::Unread)));
        let (reports, mut told) = unbounded_channel();
        watch(tempfile::tempfile().unwrap(), reports).unwrap();
        assert!(told.blocking_recv().is_none(), "nobody is left who could tell of one");
    }
}
