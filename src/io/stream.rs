//! The byte stream of a peer connection: readiness, vectored reads into leased buffers, vectored writes.
//!
//! The one place that knows what carries the bytes; sessions and peer tasks see only slices.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;

use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::base::compact::canonical;

/// A connected stream.
#[derive(Debug)]
pub enum PeerStream {
    Tcp(TcpStream),
}

impl PeerStream {
    /// Takes a connected TCP socket and switches Nagle's delay off: every write is a whole batch already.
    ///
    /// # Errors
    /// The socket's, if it is dead already.
    pub fn tcp(socket: TcpStream) -> io::Result<PeerStream> {
        socket.set_nodelay(true)?;
        Ok(PeerStream::Tcp(socket))
    }

    /// The other end, in canonical form.
    ///
    /// # Errors
    /// The socket's, if it is dead already.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            PeerStream::Tcp(socket) => socket.peer_addr().map(canonical),
        }
    }

    /// Waits until there is something to read, or room to write if `writing`.
    ///
    /// # Errors
    /// The socket's.
    pub async fn ready(&self, writing: bool) -> io::Result<(bool, bool)> {
        let interest = if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        match self {
            PeerStream::Tcp(socket) => {
                let ready = socket.ready(interest).await?;
                Ok((ready.is_readable() || ready.is_read_closed(), ready.is_writable() || ready.is_write_closed()))
            }
        }
    }

    /// Reads what is there into `slices`; 0 means the other side closed.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there, else the socket's.
    pub fn try_read_vectored(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            PeerStream::Tcp(socket) => socket.try_read_vectored(slices),
        }
    }

    /// Writes as much of `slices` as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, else the socket's.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            PeerStream::Tcp(socket) => socket.try_write_vectored(slices),
        }
    }

    /// Reads exactly `into.len()` bytes (for the handshake).
    ///
    /// # Errors
    /// `UnexpectedEof` if the other side closes before, else the socket's.
    pub async fn read_exact(&self, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            self.ready(false).await?;
            match self.try_read_vectored(&mut [IoSliceMut::new(&mut into[filled..])]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes` (for the handshake).
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write_vectored(&[IoSlice::new(bytes)]) {
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(true).await?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
