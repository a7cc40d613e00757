//! The system calls of serving: bytes of a file to a TCP socket without a copy in user space, where the system can, and
//! by a read and a write where it can't.
//!
//! All of them go through tokio's readiness, so that a socket that is full wakes its task when it has room again.

use std::fs::File;
use std::io;

use tokio::net::TcpStream;

/// Sends bytes that more will follow at once: the kernel, where it knows such a thing, holds a short segment back for
/// them.
///
/// # Errors
/// `WouldBlock` if the socket is full, else what the socket says.
pub(super) fn send_before_more(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::net::SendFlags;
        let send = || Ok(rustix::net::send(socket, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?);
        socket.try_io(tokio::io::Interest::WRITABLE, send)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        socket.try_write(bytes)
    }
}

/// Sends up to `len` bytes (not none) from byte `offset` of `file` on, and says how many; 0 at the end of the file.
///
/// # Errors
/// `WouldBlock` if the socket is full, else what socket or file say.
pub(super) fn send_file(socket: &TcpStream, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let send = || Ok(rustix::fs::sendfile(socket, file, Some(&mut { offset }), len)?);
        socket.try_io(tokio::io::Interest::WRITABLE, send)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        send_copy(socket, file, offset, len)
    }
}

/// [`send_file`] for every system: the bytes go through a buffer.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
pub(super) fn send_copy(socket: &TcpStream, file: &File, offset: u64, len: usize) -> io::Result<usize> {
    let mut bytes = vec![0; len];
    match crate::io::file_set::sys::read_at(file, &mut bytes, offset)? {
        0 => Ok(0),
        found => socket.try_write(&bytes[..found]),
    }
}

/// Tells the kernel that these bytes will be read soon.
pub(super) fn expect_read(file: &File, offset: u64, len: u64) {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        let _ = rustix::fs::fadvise(file, offset, std::num::NonZeroU64::new(len), rustix::fs::Advice::WillNeed);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        let _ = (file, offset, len);
    }
}
