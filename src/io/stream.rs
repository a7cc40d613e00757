//! The byte stream of a peer connection: readiness, vectored reads into leased buffers, vectored writes.
//!
//! The one place that knows what carries the bytes; sessions and peer tasks see only slices.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::rc4_stream::Rc4Stream;
use super::utp::UtpStream;
use crate::base::compact::canonical;
use crate::proto::mse::Ciphers;

/// A connected stream.
#[derive(Debug)]
pub enum PeerStream {
    /// Shared with the disk thread that sends blocks to it.
    Tcp(Arc<TcpStream>),
    Utp(UtpStream),
    /// The payload of another stream, encrypted.
    Rc4(Box<Rc4Stream>),
}

impl PeerStream {
    /// Takes a connected TCP socket and switches Nagle's delay off: every write is a whole batch already.
    ///
    /// # Errors
    /// The socket's, if it is dead already.
    pub fn tcp(socket: TcpStream) -> io::Result<PeerStream> {
        socket.set_nodelay(true)?;
        Ok(PeerStream::Tcp(Arc::new(socket)))
    }

    /// The same stream, with its payload encrypted from here on.
    pub fn encrypted(self, ciphers: Ciphers) -> PeerStream {
        PeerStream::Rc4(Box::new(Rc4Stream::new(self, ciphers)))
    }

    /// The same stream, encrypted if there are ciphers for it.
    pub fn maybe_encrypted(self, ciphers: Option<Ciphers>) -> PeerStream {
        match ciphers {
            Some(ciphers) => self.encrypted(ciphers),
            None => self,
        }
    }

    /// The other end, in canonical form.
    ///
    /// # Errors
    /// The socket's, if it is dead already.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            PeerStream::Tcp(socket) => socket.peer_addr().map(canonical),
            PeerStream::Utp(stream) => Ok(stream.peer_addr()),
            PeerStream::Rc4(stream) => stream.inner.peer_addr(),
        }
    }

    /// The socket, if what is written to it goes out as it is: blocks may be sent to it straight from files.
    pub fn plain_tcp(&self) -> Option<&Arc<TcpStream>> {
        match self {
            PeerStream::Tcp(socket) => Some(socket),
            _ => None,
        }
    }

    /// True if the other end is on this machine.
    pub fn is_near(&self) -> bool {
        let Some(socket) = self.plain_tcp() else { return false };
        let ours = socket.local_addr().map(|addr| addr.ip());
        socket
            .peer_addr()
            .is_ok_and(|peer| peer.ip().to_canonical().is_loopback() || ours.is_ok_and(|ours| ours == peer.ip()))
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
            PeerStream::Utp(stream) => Ok(stream.ready(writing).await),
            PeerStream::Rc4(stream) => Box::pin(stream.inner.ready(writing)).await,
        }
    }

    /// Reads what is there into `slices`; 0 means the other side closed.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there, else the socket's.
    pub fn try_read_vectored(&mut self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            PeerStream::Tcp(socket) => read_tcp(socket, slices),
            PeerStream::Utp(stream) => stream.try_read_vectored(slices),
            PeerStream::Rc4(stream) => stream.try_read_vectored(slices),
        }
    }

    /// Writes as much of `slices` as there is room for. What is not taken has to be offered again, first, next time.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, else the socket's.
    pub fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            PeerStream::Tcp(socket) => socket.try_write_vectored(slices),
            PeerStream::Utp(stream) => stream.try_write_vectored(slices),
            PeerStream::Rc4(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Reads exactly `into.len()` bytes (for the handshake).
    ///
    /// # Errors
    /// `UnexpectedEof` if the other side closes before, else the socket's.
    pub async fn read_exact(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            filled += self.read_some(&mut into[filled..]).await?;
        }
        Ok(())
    }

    /// Waits for bytes and reads what is there, at least one and at most `into.len()`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the other side has closed, else the socket's.
    pub async fn read_some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            self.ready(false).await?;
            match self.try_read_vectored(&mut [IoSliceMut::new(into)]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                end => return end,
            }
        }
    }

    /// Writes all of `bytes` (for the handshake).
    ///
    /// # Errors
    /// The socket's.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
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

/// Reads what is there. Less than there is room for means that the socket is empty now, and the next bytes wake the task:
/// tokio is told so at once, which saves a second read that would find nothing. Only where readiness comes as an edge.
#[cfg(unix)]
fn read_tcp(socket: &TcpStream, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let room: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut got = 0;
    let outcome = socket.try_io(Interest::READABLE, || {
        got = rustix::io::readv(socket, slices)?;
        if 0 < got && got < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match outcome {
        Err(error) if got == 0 => Err(error),
        _ => Ok(got),
    }
}

#[cfg(not(unix))]
fn read_tcp(socket: &TcpStream, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    socket.try_read_vectored(slices)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A short read takes the readiness with it; later bytes and the end bring it back.
    #[tokio::test]
    async fn nothing_is_missed_after_a_read_that_emptied_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(addr), listener.accept());
        let (mut near, mut far) = (PeerStream::tcp(near.unwrap()).unwrap(), PeerStream::tcp(far.unwrap().0).unwrap());
        for round in 0..200_u8 {
            let sent = vec![round; 1 + usize::from(round)];
            far.write_all(&sent).await.unwrap();
            let mut got = Vec::new();
            while got.len() < sent.len() {
                near.ready(false).await.unwrap();
                let mut bytes = [0; 64];
                match near.try_read_vectored(&mut [IoSliceMut::new(&mut bytes)]) {
                    Ok(n) => got.extend_from_slice(&bytes[..n]),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
            }
            assert_eq!(got, sent);
        }
        let mut bytes = [0; 64];
        let mut slices = [IoSliceMut::new(&mut bytes)];
        assert_eq!(near.try_read_vectored(&mut slices).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"end").await.unwrap();
        drop(far);
        let mut ends = Vec::new();
        while ends.last() != Some(&0) {
            near.ready(false).await.unwrap();
            ends.extend(near.try_read_vectored(&mut slices).ok());
        }
        assert_eq!(ends.iter().sum::<usize>(), 3);
    }
}
