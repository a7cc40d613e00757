//! Sends a parcel by reading and writing it a stretch at a time: neighbouring blocks by one read, a stretch by one write.
//!
//! The buffer belongs to the thread and is small enough to stay in a core's caches between the read and the write.

use std::cell::RefCell;
use std::io::{self, IoSlice};

use tokio::net::TcpStream;

use crate::io::file_set::{FileError, FileSet};
use crate::io::parcel::{Parcel, Part, ServeEnd, Served};
use crate::proto::wire::{BlockRequest, PIECE_HEADER_LEN, piece_header};

/// Bytes of blocks that are read and written together; one block may be longer.
const STRETCH: usize = 128 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One turn.
pub fn serve(files: &FileSet, socket: &TcpStream, parcel: Parcel) -> Served {
    let mut served =
        Served { sent: Vec::with_capacity(parcel.parts.len()), rest: parcel, bytes: 0, end: ServeEnd::Done };
    BUFFER.with_borrow_mut(|buffer| {
        while matches!(served.end, ServeEnd::Done) && !served.rest.parts.is_empty() {
            send_stretch(buffer, files, socket, &mut served);
        }
    });
    served
}

fn send_stretch(buffer: &mut Vec<u8>, files: &FileSet, socket: &TcpStream, served: &mut Served) {
    let parcel = &mut served.rest;
    let (parts, error) = read_stretch(buffer, files, parcel);
    let headers: Vec<_> = parcel.parts.iter().take(parts).map(header_of).collect();
    let (bytes, failure) = write_all(socket, slices(buffer, &headers, parcel), parcel.written);
    served.bytes += bytes;
    parcel.written += bytes;
    while let Some(part) = parcel.parts.front().filter(|part| part.wire_len() <= parcel.written) {
        parcel.written -= part.wire_len();
        if let Some(Part::Block(block)) = parcel.parts.pop_front() {
            served.sent.push(block);
        }
    }
    served.end = match (failure, error) {
        (Some(error), _) if error.kind() == io::ErrorKind::WouldBlock => ServeEnd::Full,
        (Some(error), _) => ServeEnd::Broken(error),
        (None, None) => ServeEnd::Done,
        (None, Some(error)) => match parcel.parts.pop_front() {
            Some(Part::Block(block)) if parcel.written == 0 => ServeEnd::Unreadable(block),
            _ => ServeEnd::Broken(io::Error::other(error)),
        },
    };
}

/// Fills the buffer with the blocks of the parcel's next stretch, one behind the other, up to the first that can't be
/// read. Says how many parts, small frames included, can be sent.
fn read_stretch(buffer: &mut Vec<u8>, files: &FileSet, parcel: &Parcel) -> (usize, Option<FileError>) {
    let mut weight = 0;
    let fits = |part: &&Part| {
        weight += part.weight();
        weight <= STRETCH
    };
    let parts = parcel.parts.iter().take_while(fits).count().max(1);
    let blocks = || parcel.parts.iter().take(parts).enumerate().filter_map(|(nth, part)| Some((nth, block_of(part)?)));
    let need: usize = blocks().map(|(_, block)| block.len as usize).sum();
    if buffer.len() < need {
        buffer.resize(need, 0);
    }
    let mut rest = &mut buffer[..need];
    let mut ahead = blocks().peekable();
    while let Some((nth, first)) = ahead.next() {
        let mut neighbours = vec![(nth, first)];
        let mut end = first.begin + first.len;
        while let Some(next) = ahead.next_if(|(_, next)| (next.piece, next.begin) == (first.piece, end)) {
            end += next.1.len;
            neighbours.push(next);
        }
        let (into, after) = std::mem::take(&mut rest).split_at_mut((end - first.begin) as usize);
        rest = after;
        if files.read(first.piece, first.begin, into).is_ok() {
            continue;
        }
        // One by one: some of them may be there.
        let mut into = into;
        for (nth, block) in neighbours {
            let (bytes, after) = into.split_at_mut(block.len as usize);
            into = after;
            if let Err(error) = files.read(block.piece, block.begin, bytes) {
                return (nth, Some(error));
            }
        }
    }
    (parts, None)
}

/// What is to be written: a header for each part (unused for small frames), and the blocks from the buffer.
fn slices<'a>(mut blocks: &'a [u8], headers: &'a [[u8; PIECE_HEADER_LEN]], parcel: &'a Parcel) -> Vec<IoSlice<'a>> {
    let mut slices = Vec::with_capacity(2 * headers.len());
    for (part, header) in parcel.parts.iter().zip(headers) {
        match part {
            Part::Bytes(bytes) => slices.push(IoSlice::new(bytes)),
            Part::Block(block) => {
                let (bytes, rest) = blocks.split_at(block.len as usize);
                blocks = rest;
                slices.extend([IoSlice::new(header), IoSlice::new(bytes)]);
            }
        }
    }
    slices
}

/// Writes what is in `slices` behind the first `written` bytes; says how much went out, and what stopped it.
fn write_all(socket: &TcpStream, mut slices: Vec<IoSlice<'_>>, written: usize) -> (usize, Option<io::Error>) {
    let mut left = &mut slices[..];
    if left.is_empty() {
        return (0, None);
    }
    IoSlice::advance_slices(&mut left, written);
    let mut done = 0;
    while !left.is_empty() {
        match socket.try_write_vectored(left) {
            Ok(0) => return (done, Some(io::ErrorKind::WriteZero.into())),
            Ok(n) => {
                done += n;
                IoSlice::advance_slices(&mut left, n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

fn header_of(part: &Part) -> [u8; PIECE_HEADER_LEN] {
    block_of(part).map_or([0; PIECE_HEADER_LEN], |block| piece_header(block.piece, block.begin, block.len))
}

fn block_of(part: &Part) -> Option<BlockRequest> {
    match part {
        Part::Block(block) => Some(*block),
        Part::Bytes(_) => None,
    }
}
