//! Where the next bytes of the stream belong.
//!
//! [`Session::read_slices`] lays out memory for the frames that are expected: room for a PIECE header, the leased memory
//! of its block, the next header, and so on in the order asked, and a small tail for whatever else comes. After the
//! read, [`Session::on_read`] walks over the frames: a header that is the expected one proves that its block lies where
//! it belongs, and nothing is copied. From the first byte that differs on, what was read is gathered into one buffer and
//! parsed like any bytes ([`Session::on_bytes`]), which copies blocks to their place; it gives the same result for any
//! slicing of the stream. Memory that was read into by mistake belongs to blocks that are not marked as there.

use std::io::IoSliceMut;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use super::Session;
use super::leases::Position;
use crate::proto::wire::{BlockRequest, Message, PIECE_HEADER_LEN, id, max_frame, piece_header};

/// Blocks that one read takes, at most.
const MAX_BLOCKS: usize = 64;
/// A block under way, header and block for each expected one, the tail.
const MAX_SLICES: usize = 1 + 2 * MAX_BLOCKS + 1;
/// Room for what is not an expected block.
const TAIL_LEN: usize = 4 * 1024;
/// Buffers that grew beyond this are given back after use.
const KEPT_LEN: usize = 64 * 1024;

/// Memory for one vectored read, in the order of the stream.
pub struct ReadSlices<'a> {
    slices: [IoSliceMut<'a>; MAX_SLICES],
    len: usize,
}

impl<'a> ReadSlices<'a> {
    fn push(&mut self, slice: &'a mut [u8]) {
        self.slices[self.len] = IoSliceMut::new(slice);
        self.len += 1;
    }
}

impl<'a> Deref for ReadSlices<'a> {
    type Target = [IoSliceMut<'a>];
    fn deref(&self) -> &Self::Target {
        &self.slices[..self.len]
    }
}

impl DerefMut for ReadSlices<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.slices[..self.len]
    }
}

/// The position in the stream of frames, with the buffers for it.
pub(super) struct Receive {
    state: State,
    /// Headers of expected blocks; the first doubles as the place where any frame's first bytes gather.
    headers: Box<[[u8; PIECE_HEADER_LEN]; MAX_BLOCKS]>,
    tail: Box<[u8]>,
    /// Payload of a frame that comes in parts.
    gathered: Vec<u8>,
    /// What was read past the first surprise.
    spill: Vec<u8>,
    /// What the slices of the read under way cover.
    offered: Offered,
    /// Blocks that the last read brought.
    lately: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// So many bytes of the next frame's front are in `headers[0]`.
    Front { got: usize },
    /// In the middle of an expected block.
    Block { at: Position, got: usize, len: usize },
    /// In the middle of another frame's payload.
    Payload { id: u8, left: usize },
    /// Reading past bytes that nobody wants.
    Skip { left: usize },
}

#[derive(Clone, Copy, Default)]
struct Offered {
    blocks: usize,
    tail: bool,
}

impl Receive {
    pub fn new() -> Self {
        Receive {
            state: State::Front { got: 0 },
            headers: Box::new([[0; PIECE_HEADER_LEN]; MAX_BLOCKS]),
            tail: vec![0; TAIL_LEN].into(),
            gathered: Vec::new(),
            spill: Vec::new(),
            offered: Offered::default(),
            lately: 1,
        }
    }
}

impl Session {
    /// Memory for the next bytes of the stream. After reading into it, call [`Session::on_read`] before anything else.
    pub fn read_slices(&mut self) -> ReadSlices<'_> {
        let Session { receive, leases, .. } = self;
        let mut out = ReadSlices { slices: std::array::from_fn(|_| IoSliceMut::new(&mut [])), len: 0 };
        let expected = leases.expected().map(|(_, request)| request);
        let (skip, in_place) = match receive.state {
            State::Front { got } => {
                (got, expected.is_some_and(|e| header_of(e).starts_with(&receive.headers[0][..got])))
            }
            State::Block { .. } => (0, true),
            State::Payload { .. } | State::Skip { .. } => (0, false),
        };
        receive.offered = Offered { blocks: 0, tail: true };
        if in_place {
            // Twice what the last read brought: on a slow link few slices are prepared, on a fast one soon all.
            let most = (receive.lately * 2 + 2).min(MAX_BLOCKS);
            let mut memory = leases.expected_memory();
            if let State::Block { got, .. } = receive.state
                && let Some(block) = memory.next()
            {
                out.push(&mut block[got..]);
            }
            let mut skip = skip;
            let mut headers = receive.headers.iter_mut();
            receive.offered.tail = loop {
                if receive.offered.blocks == most {
                    break false;
                }
                let Some(block) = memory.next() else { break true };
                let header = headers.next().expect("as many headers as blocks");
                out.push(&mut header[std::mem::take(&mut skip)..]);
                out.push(block);
                receive.offered.blocks += 1;
            };
        }
        if receive.offered.tail {
            out.push(&mut receive.tail);
        }
        out
    }

    /// `n` bytes were read into the front of what [`Session::read_slices`] gave; `n` is not 0 (that is the end of the
    /// stream: [`Session::close`]).
    pub fn on_read(&mut self, now: Instant, n: usize) {
        if !self.closed {
            self.arrived(now);
            self.walk(n);
            self.settle();
        }
    }

    /// Bytes of the stream that were read elsewhere: behind the handshake, or through a cipher.
    pub fn on_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if !self.closed {
            self.arrived(now);
            self.parse(bytes);
            self.settle();
        }
    }

    fn walk(&mut self, n: usize) {
        let Offered { blocks, tail } = std::mem::take(&mut self.receive.offered);
        let mut left = n;
        let mut front = 0;
        let mut taken = 0;
        match self.receive.state {
            State::Block { at, got, len } => {
                let part = left.min(len - got);
                left -= part;
                self.block_bytes(at, got + part, len);
            }
            State::Front { got } => front = got,
            State::Payload { .. } | State::Skip { .. } => {}
        }
        while left > 0 && taken < blocks && !self.is_closed() {
            let (at, request) = self.leases.expected().expect("offered blocks are expected");
            let header = header_of(request);
            let got = PIECE_HEADER_LEN.min(front + left);
            if self.receive.headers[taken][..got] != header[..got] {
                self.receive.state = State::Front { got: 0 };
                self.parse_gathered(taken, front, left, blocks, tail);
                self.receive.lately = taken;
                return;
            }
            left -= got - front;
            front = 0;
            if got < PIECE_HEADER_LEN {
                self.receive.headers[0] = self.receive.headers[taken];
                self.receive.state = State::Front { got };
                break;
            }
            taken += 1;
            let part = left.min(request.len as usize);
            left -= part;
            self.block_bytes(at, part, request.len as usize);
        }
        self.receive.lately = taken;
        if left > 0 && tail {
            let bytes = std::mem::take(&mut self.receive.tail);
            self.parse(&bytes[..left]);
            self.receive.tail = bytes;
        }
    }

    /// Parses what lies in the slices from header `from` on, `front` bytes of which had been there before the read.
    fn parse_gathered(&mut self, from: usize, front: usize, left: usize, blocks: usize, tail: bool) {
        let mut bytes = std::mem::take(&mut self.receive.spill);
        let total = front + left;
        for (header, block) in self.receive.headers[from..blocks].iter().zip(self.leases.expected_memory()) {
            for part in [&header[..], block] {
                bytes.extend_from_slice(&part[..part.len().min(total - bytes.len())]);
            }
        }
        if tail {
            bytes.extend_from_slice(&self.receive.tail[..total - bytes.len()]);
        }
        self.parse(&bytes);
        bytes.clear();
        bytes.shrink_to(KEPT_LEN);
        self.receive.spill = bytes;
    }

    fn parse(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_closed() {
            match self.receive.state {
                State::Front { got } => self.parse_front(got, &mut bytes),
                State::Block { at, got, len } => {
                    let part = cut(&mut bytes, len - got);
                    let memory = self.leases.memory(at).expect("a block under way is asked for");
                    memory[got..got + part.len()].copy_from_slice(part);
                    self.block_bytes(at, got + part.len(), len);
                }
                State::Payload { id, left } => {
                    let part = cut(&mut bytes, left);
                    self.receive.gathered.extend_from_slice(part);
                    if part.len() == left {
                        let mut payload = std::mem::take(&mut self.receive.gathered);
                        self.receive.state = State::Front { got: 0 };
                        self.on_payload(id, &payload);
                        payload.clear();
                        payload.shrink_to(KEPT_LEN);
                        self.receive.gathered = payload;
                    } else {
                        self.receive.state = State::Payload { id, left: left - part.len() };
                    }
                }
                State::Skip { left } => {
                    let part = cut(&mut bytes, left);
                    self.receive.state = if part.len() == left {
                        State::Front { got: 0 }
                    } else {
                        State::Skip { left: left - part.len() }
                    };
                }
            }
        }
    }

    /// Gathers the front of a frame: four bytes of length, then the id, then for a PIECE its place.
    fn parse_front(&mut self, got: usize, bytes: &mut &[u8]) {
        let head = &mut self.receive.headers[0];
        let want = match got {
            0..4 => 4,
            4 => 5,
            _ => PIECE_HEADER_LEN,
        };
        let part = cut(bytes, want - got);
        head[got..got + part.len()].copy_from_slice(part);
        let got = got + part.len();
        self.receive.state = State::Front { got };
        let word = |at| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (length, id) = (word(0), head[4]);
        match got {
            4 if length == 0 => self.receive.state = State::Front { got: 0 },
            5 if length > max_frame(id) => self.violate("a frame longer than its message can be"),
            5 if id == id::PIECE && length < 9 => self.violate("a PIECE without its place"),
            5 if id != id::PIECE => self.begin_payload(id, length as usize - 1, bytes),
            PIECE_HEADER_LEN => {
                let request = BlockRequest { piece: word(5), begin: word(9), len: length - 9 };
                self.begin_block(request);
            }
            _ => {}
        }
    }

    fn begin_payload(&mut self, id: u8, len: usize, bytes: &mut &[u8]) {
        if id == id::BITFIELD && self.torrent.as_ref().is_some_and(|t| len != (t.layout.pieces() as usize).div_ceil(8))
        {
            return self.violate("a bitfield of a wrong length");
        }
        self.receive.state = State::Front { got: 0 };
        if !id::is_known(id) {
            if len > 0 {
                self.receive.state = State::Skip { left: len };
            }
        } else if bytes.len() >= len {
            let payload = cut(bytes, len);
            self.on_payload(id, payload);
        } else {
            self.receive.state = State::Payload { id, left: len };
        }
    }

    fn begin_block(&mut self, request: BlockRequest) {
        let len = request.len as usize;
        if let Some(at) = self.leases.find(request) {
            self.leases.expect(at);
            self.receive.state = State::Block { at, got: 0, len };
        } else {
            self.receive.state = if len == 0 { State::Front { got: 0 } } else { State::Skip { left: len } };
            self.on_stray_block(request);
        }
    }

    /// `got` of the `len` bytes of block `at` are in place.
    fn block_bytes(&mut self, at: Position, got: usize, len: usize) {
        if got < len {
            self.receive.state = State::Block { at, got, len };
            self.leases.expect(at);
            return self.flows();
        }
        self.receive.state = State::Front { got: 0 };
        self.on_block(at, len);
    }

    /// Runs have been taken away: if one had a block under way, the rest of it is read past.
    pub(super) fn abandon_block(&mut self) {
        if let State::Block { at, got, len } = self.receive.state
            && self.leases.memory(at).is_none()
        {
            self.receive.state = State::Skip { left: len - got };
            self.tally.wasted += len as u64;
            // It comes although its request was taken back.
            self.quotas.down.refund(-(len as i64));
            self.tally_grew();
        }
    }

    fn on_payload(&mut self, id: u8, payload: &[u8]) {
        match Message::decode(id, payload) {
            Ok(message) => self.on_message(message),
            Err(error) => self.violate(error.0),
        }
    }
}

fn header_of(request: BlockRequest) -> [u8; PIECE_HEADER_LEN] {
    piece_header(request.piece, request.begin, request.len)
}

/// Cuts up to `len` bytes off the front.
fn cut<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(len.min(bytes.len()));
    *bytes = rest;
    part
}
