//! What a disk thread sends to one peer in one turn: small frames, and blocks that it takes from the files.

use std::collections::VecDeque;
use std::io;

use crate::proto::wire::{BlockRequest, PIECE_HEADER_LEN};

/// Frames in the order of the stream.
#[derive(Debug, Default)]
pub struct Parcel {
    pub parts: VecDeque<Part>,
    /// Bytes of the first part that are out already.
    pub written: usize,
}

/// One part of a parcel.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Whole small frames.
    Bytes(Vec<u8>),
    /// A PIECE frame, header and block, that is made when its turn comes.
    Block(BlockRequest),
}

/// A parcel that comes back.
#[derive(Debug)]
pub struct Served {
    /// What is left of it.
    pub rest: Parcel,
    /// Bytes that went out.
    pub bytes: usize,
    /// The blocks that are now out whole, in order.
    pub sent: Vec<BlockRequest>,
    pub end: ServeEnd,
}

/// Why a turn ended.
#[derive(Debug)]
pub enum ServeEnd {
    /// Everything is out.
    Done,
    /// The socket takes no more for now.
    Full,
    /// This block, the next one, can't be read. It is taken out of the rest, and nothing of it was sent.
    Unreadable(BlockRequest),
    /// The socket is dead, or the file ended in the midst of a block that the peer waits for.
    Broken(io::Error),
}

impl Part {
    /// Bytes on the wire.
    pub fn wire_len(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::Block(block) => PIECE_HEADER_LEN + block.len as usize,
        }
    }

    /// Bytes as they count in a queue: the headers of blocks are left out.
    pub fn weight(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::Block(block) => block.len as usize,
        }
    }
}

impl Parcel {
    /// The sum of the parts' weights.
    pub fn weight(&self) -> usize {
        self.parts.iter().map(Part::weight).sum()
    }
}
