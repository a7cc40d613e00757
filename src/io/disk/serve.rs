//! Sends parcels from the disk threads.
//!
//! To another machine a block that lies in one file goes out by [`send_file`] behind its header, which the kernel holds
//! back for it; one that spans files, or bytes of the edge file, is read and written. To a peer on this machine all of a
//! parcel is read and written at once: what the sender saves by not copying, the receiver pays twice, since it then
//! copies small parts that are in no cache. Measured on loopback, the same 2 GiB took a half longer by [`send_file`].
//!
//! Every turn ends: at the end of the parcel, when the socket is full, or at a block that can't be read. A file that is
//! shorter than it should be is seen before the header is sent; one that shrinks after that breaks the connection, since
//! the peer waits for bytes that are not there.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use tokio::net::TcpStream;

use super::send::{expect_read, send_before_more, send_file};
use crate::io::file_set::{FileError, FileSet};
use crate::io::parcel::{Parcel, Part, ServeEnd, Served};
use crate::proto::wire::{BlockRequest, PIECE_HEADER_LEN, piece_header};

/// The kernel is told of so many bytes ahead when their first block is asked for; peers ask from the front of a piece
/// on, or from the front of a run.
const AHEAD: u32 = 1 << 20;

/// Why a part did not go out whole.
enum Halt {
    Full,
    Unreadable,
    Broken(io::Error),
}

/// One turn. `near`: the peer is on this machine.
pub(super) fn serve(files: &FileSet, socket: &TcpStream, parcel: Parcel, near: bool) -> Served {
    if near { copied::serve(files, socket, parcel) } else { serve_from_files(files, socket, parcel) }
}

fn serve_from_files(files: &FileSet, socket: &TcpStream, mut parcel: Parcel) -> Served {
    let mut turn = Turn { files, socket, bytes: 0, last: None };
    let mut sent = Vec::with_capacity(parcel.parts.len());
    let end = loop {
        let Some(part) = parcel.parts.front() else { break ServeEnd::Done };
        let outcome = match part {
            Part::Bytes(bytes) => turn.send_bytes(bytes, &mut parcel.written),
            Part::Block(block) => turn.send_block(*block, &mut parcel.written),
        };
        match outcome {
            Ok(()) => {
                parcel.written = 0;
                if let Some(Part::Block(block)) = parcel.parts.pop_front() {
                    sent.push(block);
                }
            }
            Err(Halt::Full) => break ServeEnd::Full,
            Err(Halt::Broken(error)) => break ServeEnd::Broken(error),
            Err(Halt::Unreadable) => match parcel.parts.pop_front() {
                Some(Part::Block(block)) => break ServeEnd::Unreadable(block),
                _ => unreachable!("only blocks are read"),
            },
        }
    };
    Served { rest: parcel, bytes: turn.bytes, sent, end }
}

struct Turn<'a> {
    files: &'a FileSet,
    socket: &'a TcpStream,
    /// Bytes that went out.
    bytes: usize,
    /// The file of the last block and its length as seen in this turn.
    last: Option<(Arc<File>, u64)>,
}

impl Turn<'_> {
    /// Sends what is left of `bytes` after `written`.
    fn send_bytes(&mut self, bytes: &[u8], written: &mut usize) -> Result<(), Halt> {
        while *written < bytes.len() {
            let outcome = self.socket.try_write(&bytes[*written..]);
            self.note(outcome, written)?;
        }
        Ok(())
    }

    fn send_block(&mut self, block: BlockRequest, written: &mut usize) -> Result<(), Halt> {
        let header = piece_header(block.piece, block.begin, block.len);
        match self.files.locate(block.piece, block.begin, block.len) {
            Some((file, offset)) => self.send_from_file(&header, block, file, offset, written),
            None => self.send_from_memory(&header, block, written),
        }
    }

    fn send_from_file(
        &mut self,
        header: &[u8],
        block: BlockRequest,
        file: Arc<File>,
        offset: u64,
        written: &mut usize,
    ) -> Result<(), Halt> {
        let len = u64::from(block.len);
        if *written == 0 {
            if self.len_of(&file) < offset + len {
                return Err(Halt::Unreadable);
            }
            if block.begin.is_multiple_of(AHEAD) {
                let rest = self.files.layout().piece_len(block.piece) - block.begin;
                expect_read(&file, offset, rest.min(AHEAD).into());
            }
        }
        while *written < PIECE_HEADER_LEN {
            let outcome = send_before_more(self.socket, &header[*written..]);
            self.note(outcome, written)?;
        }
        let whole = PIECE_HEADER_LEN + block.len as usize;
        while *written < whole {
            let from = offset + (*written - PIECE_HEADER_LEN) as u64;
            match send_file(self.socket, &file, from, whole - *written) {
                Ok(0) => return Err(Halt::Broken(shrunk(self.files, block, from))),
                outcome => self.note(outcome, written)?,
            }
        }
        Ok(())
    }

    fn send_from_memory(&mut self, header: &[u8], block: BlockRequest, written: &mut usize) -> Result<(), Halt> {
        let mut bytes = vec![0; block.len as usize];
        if let Err(error) = self.files.read(block.piece, block.begin, &mut bytes) {
            return Err(match *written {
                0 => Halt::Unreadable,
                _ => Halt::Broken(io::Error::other(error)),
            });
        }
        while *written < PIECE_HEADER_LEN + bytes.len() {
            let header = &header[(*written).min(PIECE_HEADER_LEN)..];
            let bytes = &bytes[written.saturating_sub(PIECE_HEADER_LEN)..];
            let outcome = self.socket.try_write_vectored(&[IoSlice::new(header), IoSlice::new(bytes)]);
            self.note(outcome, written)?;
        }
        Ok(())
    }

    fn note(&mut self, outcome: io::Result<usize>, written: &mut usize) -> Result<(), Halt> {
        match outcome {
            Ok(0) => Err(Halt::Broken(io::ErrorKind::WriteZero.into())),
            Ok(n) => {
                *written += n;
                self.bytes += n;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Halt::Full),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Halt::Broken(error)),
        }
    }

    /// The file's length, asked for once a turn; 0 if it can't be told.
    fn len_of(&mut self, file: &Arc<File>) -> u64 {
        match &self.last {
            Some((last, len)) if Arc::ptr_eq(last, file) => *len,
            _ => {
                let len = file.metadata().map_or(0, |meta| meta.len());
                self.last = Some((file.clone(), len));
                len
            }
        }
    }
}

/// A file ended at byte `found`, within the block that is being sent.
fn shrunk(files: &FileSet, block: BlockRequest, found: u64) -> io::Error {
    let layout = files.layout();
    let stretch = layout.stretches(block.piece, block.begin, block.len).next();
    let Some(stretch) = stretch else { return io::ErrorKind::UnexpectedEof.into() };
    let (path, expected) = (files.path(stretch.file), layout.files()[stretch.file].length);
    io::Error::other(FileError::Short { path, expected, found })
}

mod copied;
#[cfg(test)]
mod tests;
