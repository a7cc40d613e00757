//! The messages after the handshake: four bytes of length, one byte of id, and what the id asks for.
//!
//! [`Message`] borrows its bytes. Decoding checks lengths and nothing that needs to know the torrent.

use super::WireError;
use super::hashes::{HASH_RANGE_LEN, HashRange, MAX_HASHES_FRAME};

/// Message ids (BEP 3, BEP 5, BEP 6, BEP 10, BEP 52).
pub mod id {
    pub const CHOKE: u8 = 0;
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const NOT_INTERESTED: u8 = 3;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const PORT: u8 = 9;
    pub const SUGGEST: u8 = 13;
    pub const HAVE_ALL: u8 = 14;
    pub const HAVE_NONE: u8 = 15;
    pub const REJECT: u8 = 16;
    pub const ALLOWED_FAST: u8 = 17;
    pub const EXTENDED: u8 = 20;
    pub const HASH_REQUEST: u8 = 21;
    pub const HASHES: u8 = 22;
    pub const HASH_REJECT: u8 = 23;

    /// False for an id that is passed over.
    pub fn is_known(id: u8) -> bool {
        matches!(id, CHOKE..=PORT | SUGGEST..=ALLOWED_FAST | EXTENDED..=HASH_REJECT)
    }
}

/// A frame whose length field says more than this is never read (id included): a bitfield of 16 million pieces.
pub const MAX_FRAME: u32 = 2 << 20;

/// The largest block that anybody asks us for, and the largest that we read past.
pub const MAX_REQUEST: u32 = 128 * 1024;

/// Largest extension message, id included: a metadata piece and an oversized first PEX message fit well.
const MAX_EXTENDED: u32 = 256 * 1024;

/// The bytes of a PIECE frame before its block: length, id, piece, begin.
pub const PIECE_HEADER_LEN: usize = 13;

/// A block or part of one: what REQUEST, CANCEL and REJECT name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BlockRequest {
    pub piece: u32,
    /// Bytes from the start of the piece.
    pub begin: u32,
    pub len: u32,
}

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have(u32),
    /// The first bit is the highest of the first byte.
    Bitfield(&'a [u8]),
    Request(BlockRequest),
    Piece {
        piece: u32,
        begin: u32,
        block: &'a [u8],
    },
    Cancel(BlockRequest),
    /// UDP port of the peer's DHT node (BEP 5).
    Port(u16),
    /// BEP 6, "suggest piece".
    Suggest(u32),
    /// BEP 6, "have all".
    HaveAll,
    /// BEP 6, "have none".
    HaveNone,
    /// BEP 6, "reject request".
    Reject(BlockRequest),
    /// BEP 6, "allowed fast".
    AllowedFast(u32),
    /// BEP 10; `id` 0 is the extension handshake.
    Extended {
        id: u8,
        payload: &'a [u8],
    },
    /// BEP 52, "hash request".
    HashRequest(HashRange),
    /// BEP 52, "hashes": those of the range, then the uncles that prove them.
    Hashes {
        range: HashRange,
        hashes: &'a [[u8; 32]],
    },
    /// BEP 52, "hash reject".
    HashReject(HashRange),
    /// A message that we don't know; it is passed over.
    Unknown(u8),
}

/// The longest frame with this id that is taken, counted as its length field does (with the id).
pub fn max_frame(id: u8) -> u32 {
    match id {
        id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => 1,
        id::HAVE | id::SUGGEST | id::ALLOWED_FAST => 5,
        id::REQUEST | id::CANCEL | id::REJECT => 13,
        id::PORT => 3,
        id::PIECE => 9 + MAX_REQUEST,
        id::EXTENDED => MAX_EXTENDED,
        id::HASH_REQUEST | id::HASH_REJECT => 1 + HASH_RANGE_LEN as u32,
        id::HASHES => MAX_HASHES_FRAME,
        _ => MAX_FRAME,
    }
}

/// The 13 bytes before a block of `len` bytes.
pub fn piece_header(piece: u32, begin: u32, len: u32) -> [u8; PIECE_HEADER_LEN] {
    let mut header = [0; PIECE_HEADER_LEN];
    header[..4].copy_from_slice(&(9 + len).to_be_bytes());
    header[4] = id::PIECE;
    header[5..9].copy_from_slice(&piece.to_be_bytes());
    header[9..].copy_from_slice(&begin.to_be_bytes());
    header
}

impl<'a> Message<'a> {
    /// Reads the message `id` from what follows the id in its frame.
    ///
    /// # Errors
    /// If the length is not one that `id` can have.
    pub fn decode(id: u8, payload: &'a [u8]) -> Result<Message<'a>, WireError> {
        let wrong_length = WireError("a message of a wrong length");
        Ok(match id {
            id::CHOKE => empty(payload, Message::Choke)?,
            id::UNCHOKE => empty(payload, Message::Unchoke)?,
            id::INTERESTED => empty(payload, Message::Interested)?,
            id::NOT_INTERESTED => empty(payload, Message::NotInterested)?,
            id::HAVE => Message::Have(one_word(payload)?),
            id::BITFIELD => Message::Bitfield(payload),
            id::REQUEST => Message::Request(block_request(payload)?),
            id::PIECE => {
                let (head, block) = payload.split_at_checked(8).ok_or(wrong_length)?;
                Message::Piece { piece: word(head, 0), begin: word(head, 4), block }
            }
            id::CANCEL => Message::Cancel(block_request(payload)?),
            id::PORT => Message::Port(u16::from_be_bytes(payload.try_into().map_err(|_| wrong_length)?)),
            id::SUGGEST => Message::Suggest(one_word(payload)?),
            id::HAVE_ALL => empty(payload, Message::HaveAll)?,
            id::HAVE_NONE => empty(payload, Message::HaveNone)?,
            id::REJECT => Message::Reject(block_request(payload)?),
            id::ALLOWED_FAST => Message::AllowedFast(one_word(payload)?),
            id::EXTENDED => {
                let (&id, payload) = payload.split_first().ok_or(wrong_length)?;
                Message::Extended { id, payload }
            }
            id::HASH_REQUEST => Message::HashRequest(HashRange::decode(payload)?),
            id::HASHES => {
                let (range, hashes) = payload.split_at_checked(HASH_RANGE_LEN).ok_or(wrong_length)?;
                let (hashes, []) = hashes.as_chunks() else { return Err(wrong_length) };
                Message::Hashes { range: HashRange::decode(range)?, hashes }
            }
            id::HASH_REJECT => Message::HashReject(HashRange::decode(payload)?),
            other => Message::Unknown(other),
        })
    }

    /// Takes one whole frame off the front of `bytes`: the message and the bytes it took; `None` if it is not whole yet.
    ///
    /// # Errors
    /// If the frame is longer than its id may be, or malformed.
    pub fn take(bytes: &'a [u8]) -> Result<Option<(Message<'a>, usize)>, WireError> {
        let Some((length, rest)) = bytes.split_at_checked(4) else { return Ok(None) };
        let length = word(length, 0);
        if length == 0 {
            return Ok(Some((Message::KeepAlive, 4)));
        }
        let Some(&id) = rest.first() else { return Ok(None) };
        if length > max_frame(id) {
            return Err(WireError("a frame longer than its message can be"));
        }
        match rest.get(1..length as usize) {
            Some(payload) => Ok(Some((Message::decode(id, payload)?, 4 + length as usize))),
            None => Ok(None),
        }
    }

    /// Appends the whole frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Message::KeepAlive => out.extend([0; 4]),
            Message::Choke => frame(out, id::CHOKE, &[]),
            Message::Unchoke => frame(out, id::UNCHOKE, &[]),
            Message::Interested => frame(out, id::INTERESTED, &[]),
            Message::NotInterested => frame(out, id::NOT_INTERESTED, &[]),
            Message::Have(piece) => frame(out, id::HAVE, &[&piece.to_be_bytes()]),
            Message::Bitfield(bits) => frame(out, id::BITFIELD, &[bits]),
            Message::Request(request) => request.frame(out, id::REQUEST),
            Message::Piece { piece, begin, block } => {
                out.extend(piece_header(piece, begin, block.len() as u32));
                out.extend_from_slice(block);
            }
            Message::Cancel(request) => request.frame(out, id::CANCEL),
            Message::Port(port) => frame(out, id::PORT, &[&port.to_be_bytes()]),
            Message::Suggest(piece) => frame(out, id::SUGGEST, &[&piece.to_be_bytes()]),
            Message::HaveAll => frame(out, id::HAVE_ALL, &[]),
            Message::HaveNone => frame(out, id::HAVE_NONE, &[]),
            Message::Reject(request) => request.frame(out, id::REJECT),
            Message::AllowedFast(piece) => frame(out, id::ALLOWED_FAST, &[&piece.to_be_bytes()]),
            Message::Extended { id, payload } => frame(out, id::EXTENDED, &[&[id], payload]),
            Message::HashRequest(range) => frame(out, id::HASH_REQUEST, &[&range.encode()]),
            Message::Hashes { range, hashes } => frame(out, id::HASHES, &[&range.encode(), hashes.as_flattened()]),
            Message::HashReject(range) => frame(out, id::HASH_REJECT, &[&range.encode()]),
            Message::Unknown(id) => frame(out, id, &[]),
        }
    }
}

impl BlockRequest {
    fn frame(&self, out: &mut Vec<u8>, id: u8) {
        frame(out, id, &[&self.piece.to_be_bytes(), &self.begin.to_be_bytes(), &self.len.to_be_bytes()]);
    }
}

fn frame(out: &mut Vec<u8>, id: u8, parts: &[&[u8]]) {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend((length as u32).to_be_bytes());
    out.push(id);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn empty<'a>(payload: &[u8], message: Message<'a>) -> Result<Message<'a>, WireError> {
    if payload.is_empty() { Ok(message) } else { Err(WireError("a message of a wrong length")) }
}

fn one_word(payload: &[u8]) -> Result<u32, WireError> {
    if payload.len() == 4 { Ok(word(payload, 0)) } else { Err(WireError("a message of a wrong length")) }
}

fn block_request(payload: &[u8]) -> Result<BlockRequest, WireError> {
    if payload.len() == 12 {
        Ok(BlockRequest { piece: word(payload, 0), begin: word(payload, 4), len: word(payload, 8) })
    } else {
        Err(WireError("a message of a wrong length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_reads_back_from_its_bytes() {
        let block = BlockRequest { piece: 1, begin: 0x4000, len: 0x2000 };
        #[rustfmt::skip]
        let table: &[(Message, &[u8])] = &[
            // length     id  fields
            (Message::KeepAlive, &[0, 0, 0, 0]),
            (Message::Choke, &[0, 0, 0, 1,  0]),
            (Message::Unchoke, &[0, 0, 0, 1,  1]),
            (Message::Interested, &[0, 0, 0, 1,  2]),
            (Message::NotInterested, &[0, 0, 0, 1,  3]),
            (Message::Have(258), &[0, 0, 0, 5,  4,  0, 0, 1, 2]),
            (Message::Bitfield(&[0x80, 1]), &[0, 0, 0, 3,  5,  0x80, 1]),
            //                                     id  piece       begin          length
            (Message::Request(block), &[0, 0, 0, 13,  6,  0, 0, 0, 1,  0, 0, 0x40, 0,  0, 0, 0x20, 0]),
            (Message::Piece { piece: 1, begin: 0x4000, block: b"ab" },
                                      &[0, 0, 0, 11,  7,  0, 0, 0, 1,  0, 0, 0x40, 0,  b'a', b'b']),
            (Message::Cancel(block), &[0, 0, 0, 13,  8,  0, 0, 0, 1,  0, 0, 0x40, 0,  0, 0, 0x20, 0]),
            (Message::Port(6881), &[0, 0, 0, 3,  9,  0x1a, 0xe1]),
            (Message::Suggest(7), &[0, 0, 0, 5,  0x0d,  0, 0, 0, 7]),
            (Message::HaveAll, &[0, 0, 0, 1,  0x0e]),
            (Message::HaveNone, &[0, 0, 0, 1,  0x0f]),
            (Message::Reject(block), &[0, 0, 0, 13,  0x10,  0, 0, 0, 1,  0, 0, 0x40, 0,  0, 0, 0x20, 0]),
            (Message::AllowedFast(7), &[0, 0, 0, 5,  0x11,  0, 0, 0, 7]),
            (Message::Extended { id: 3, payload: b"de" }, &[0, 0, 0, 4,  20,  3,  b'd', b'e']),
            (Message::Unknown(99), &[0, 0, 0, 1,  99]),
        ];
        check(table);
    }

    #[test]
    fn the_messages_of_bep_52_read_back_from_their_bytes() {
        let range = HashRange { root: [0xab; 32], base: 6, index: 512, length: 512, proof: 10 };
        let body = [
            &[0xab; 32][..],            // pieces root
            &[0, 0, 0, 6, 0, 0, 2, 0],  // base layer, index
            &[0, 0, 2, 0, 0, 0, 0, 10], // length, proof layers
        ]
        .concat();
        let framed = |front: &[u8], hashes: &[u8]| [front, &body, hashes].concat();
        let hashes = [[1; 32], [2; 32]];
        check(&[
            (Message::HashRequest(range), &framed(&[0, 0, 0, 49, 21], &[])),
            (Message::Hashes { range, hashes: &hashes }, &framed(&[0, 0, 0, 49 + 64, 22], hashes.as_flattened())),
            (Message::Hashes { range, hashes: &[] }, &framed(&[0, 0, 0, 49, 22], &[])),
            (Message::HashReject(range), &framed(&[0, 0, 0, 49, 23], &[])),
        ]);
    }

    fn check(table: &[(Message, &[u8])]) {
        for (message, bytes) in table {
            let mut out = Vec::new();
            message.encode(&mut out);
            assert_eq!(&out, bytes, "{message:?}");
            assert_eq!(Message::take(bytes), Ok(Some((*message, bytes.len()))), "{message:?}");
            for cut in 0..bytes.len() {
                assert_eq!(Message::take(&bytes[..cut]), Ok(None), "{message:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_length_that_the_id_cannot_have_is_refused_before_its_bytes_are_there() {
        for id in [0, 1, 2, 3, 4, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 21, 22, 23] {
            let mut bytes = (max_frame(id) + 1).to_be_bytes().to_vec();
            bytes.push(id);
            assert!(Message::take(&bytes).is_err(), "id {id}");
        }
        assert!(Message::take(&[0xff, 0xff, 0xff, 0xff, 5]).is_err());
    }

    #[test]
    fn short_messages_are_refused() {
        let short = [(4, 3), (6, 11), (7, 7), (8, 0), (9, 1), (13, 3), (16, 12 - 1), (17, 0), (20, 0)];
        for (id, len) in short.into_iter().chain([(21, 47), (22, 47), (22, 48 + 31), (23, 47)]) {
            assert!(Message::decode(id, &vec![0; len]).is_err(), "id {id} with {len} bytes");
        }
    }

    #[test]
    fn a_piece_header_is_the_front_of_its_frame() {
        let mut frame = Vec::new();
        Message::Piece { piece: 9, begin: 0x8000, block: &[1; 5] }.encode(&mut frame);
        assert_eq!(frame[..PIECE_HEADER_LEN], piece_header(9, 0x8000, 5));
    }
}
