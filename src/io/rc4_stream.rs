//! A stream whose payload goes through RC4 in both directions.
//!
//! What comes is decrypted where it was read to: in the session's slices. What goes has to be encrypted in a copy, since
//! blocks belong to others; what the socket does not take of it is kept, and not encrypted again. So bytes that were
//! offered once must be offered again, first, until they are taken.

use std::io::{self, IoSlice, IoSliceMut};

use super::stream::PeerStream;
use crate::proto::mse::{Ciphers, Rc4};

/// Bytes that are encrypted ahead of the socket, at most.
const AHEAD: usize = 64 * 1024;

/// A stream behind the two ciphers of its connection.
#[derive(Debug)]
pub struct Rc4Stream {
    pub(super) inner: PeerStream,
    ciphers: Ciphers,
    /// Encrypted and not yet taken by the socket; the first `sent` bytes are gone.
    ahead: Vec<u8>,
    sent: usize,
}

impl Rc4Stream {
    pub fn new(inner: PeerStream, ciphers: Ciphers) -> Rc4Stream {
        Rc4Stream { inner, ciphers, ahead: Vec::new(), sent: 0 }
    }

    pub fn try_read_vectored(&mut self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let n = self.inner.try_read_vectored(slices)?;
        decrypt(&mut self.ciphers.theirs, slices, n);
        Ok(n)
    }

    pub fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.encrypt(slices);
        let n = self.inner.try_write_vectored(&[IoSlice::new(&self.ahead[self.sent..])])?;
        self.sent += n;
        if self.sent == self.ahead.len() {
            self.ahead.clear();
            self.sent = 0;
        }
        Ok(n)
    }

    /// Encrypts what is offered beyond what is encrypted already, as far as there is room.
    fn encrypt(&mut self, slices: &[IoSlice<'_>]) {
        let mut skip = self.ahead.len() - self.sent;
        debug_assert!(skip <= slices.iter().map(|slice| slice.len()).sum(), "what was offered is offered again");
        let from = self.ahead.len();
        for slice in slices {
            let rest = &slice[skip.min(slice.len())..];
            skip -= slice.len() - rest.len();
            let part = rest.len().min(AHEAD - self.ahead.len());
            self.ahead.extend_from_slice(&rest[..part]);
        }
        self.ciphers.ours.apply(&mut self.ahead[from..]);
    }
}

/// The first `n` bytes of `slices`, in their order.
fn decrypt(cipher: &mut Rc4, slices: &mut [IoSliceMut<'_>], n: usize) {
    let mut left = n;
    for slice in slices {
        let part = slice.len().min(left);
        cipher.apply(&mut slice[..part]);
        left -= part;
        if left == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    fn ciphers(theirs: u8, ours: u8) -> Ciphers {
        Ciphers { theirs: Rc4::new(&[theirs; 20]), ours: Rc4::new(&[ours; 20]) }
    }

    async fn pair() -> (PeerStream, PeerStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (called, caller) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
        let (called, caller) = (PeerStream::tcp(called.unwrap().0).unwrap(), PeerStream::tcp(caller.unwrap()).unwrap());
        (called.encrypted(ciphers(1, 2)), caller.encrypted(ciphers(2, 1)))
    }

    /// More than a socket takes at once, in slices of odd lengths, both read and written in parts.
    #[tokio::test]
    async fn bytes_come_out_as_they_went_in_although_the_socket_takes_only_parts() {
        let (mut a, mut b) = pair().await;
        let text: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 + n / 251) as u8).collect();
        let write = async {
            let mut at = 0;
            while at < text.len() {
                let (front, rest) = text[at..].split_at(1_000.min(text.len() - at));
                match a.try_write_vectored(&[IoSlice::new(front), IoSlice::new(&[]), IoSlice::new(rest)]) {
                    Ok(n) => at += n,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => drop(a.ready(true).await.unwrap()),
                    Err(e) => panic!("{e}"),
                }
            }
        };
        let read = async {
            let mut all = Vec::new();
            while all.len() < text.len() {
                b.ready(false).await.unwrap();
                let (mut front, mut rest) = ([0; 13], vec![0; 16_384]);
                match b.try_read_vectored(&mut [IoSliceMut::new(&mut front), IoSliceMut::new(&mut rest)]) {
                    Ok(n) => {
                        all.extend_from_slice(&front[..n.min(13)]);
                        all.extend_from_slice(&rest[..n.saturating_sub(13)]);
                    }
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => panic!("{e}"),
                }
            }
            all
        };
        let ((), got) = tokio::join!(write, read);
        assert!(got == text);
    }
}
