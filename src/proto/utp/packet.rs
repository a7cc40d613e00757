//! Packets on the wire (BEP 29, "header format").

use super::seq::Seq;

pub const HEADER_LEN: usize = 20;

/// The longest bitmask that an extension can hold: its length is one byte, in steps of four.
pub const MAX_SACK_LEN: usize = 252;

const VERSION: u8 = 1;
const EXTENSION_SACK: u8 = 1;
/// Nobody knows this extension, so everybody skips it: it makes a packet as long as a path is to be tried with.
const EXTENSION_PADDING: u8 = 0xa5;
/// What the longest extension takes: next, length, content.
const MAX_EXTENSION: usize = 2 + 255;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Data,
    Fin,
    State,
    Reset,
    Syn,
}

impl Kind {
    fn from_number(number: u8) -> Option<Kind> {
        [Kind::Data, Kind::Fin, Kind::State, Kind::Reset, Kind::Syn].get(usize::from(number)).copied()
    }
}

/// The fixed fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    pub kind: Kind,
    pub id: u16,
    /// The sender's clock in microseconds.
    pub timestamp: u32,
    /// What the sender saw of our last packet: its clock less our timestamp. 0 before there was one.
    pub delay: u32,
    /// Bytes that the sender has room for.
    pub window: u32,
    /// A state packet uses up no number: it names the next one.
    pub seq: Seq,
    /// The last packet that the sender has got, with all before it.
    pub ack: Seq,
}

/// What stands between header and payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension<'a> {
    None,
    /// The bitmask of packets that came after a hole: bit 0 of byte 0 is `ack + 2`.
    Sack(&'a [u8]),
    /// So many bytes of nothing, not 1.
    Padding(usize),
}

/// A packet as received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    pub header: Header,
    /// Empty if there was none.
    pub sack: &'a [u8],
    pub payload: &'a [u8],
}

/// Is this a datagram of this protocol, by its first byte? (A DHT message begins with `d`.)
pub fn looks_like_utp(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_LEN && datagram[0] & 0x0f == VERSION && datagram[0] >> 4 <= 4
}

impl Header {
    /// Appends header and extension to `out`; the payload goes behind them.
    pub fn encode(&self, extension: Extension<'_>, out: &mut Vec<u8>) {
        let first = match extension {
            Extension::None | Extension::Padding(0) => 0,
            Extension::Sack(_) => EXTENSION_SACK,
            Extension::Padding(_) => EXTENSION_PADDING,
        };
        let mut header = [0; HEADER_LEN];
        header[0] = (self.kind as u8) << 4 | VERSION;
        header[1] = first;
        header[2..4].copy_from_slice(&self.id.to_be_bytes());
        header[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&self.delay.to_be_bytes());
        header[12..16].copy_from_slice(&self.window.to_be_bytes());
        header[16..18].copy_from_slice(&self.seq.0.to_be_bytes());
        header[18..20].copy_from_slice(&self.ack.0.to_be_bytes());
        out.extend_from_slice(&header);
        match extension {
            Extension::None => {}
            Extension::Sack(mask) => {
                debug_assert!(mask.len().is_multiple_of(4) && mask.len() <= MAX_SACK_LEN);
                out.extend_from_slice(&[0, mask.len() as u8]);
                out.extend_from_slice(mask);
            }
            Extension::Padding(len) => pad(len, out),
        }
    }
}

fn pad(mut len: usize, out: &mut Vec<u8>) {
    debug_assert!(len != 1, "an extension has two bytes at least");
    while len > 0 {
        // One byte can't be left over.
        let part = if len == MAX_EXTENSION + 1 { MAX_EXTENSION - 1 } else { len.min(MAX_EXTENSION) };
        len -= part;
        out.extend_from_slice(&[if len > 0 { EXTENSION_PADDING } else { 0 }, (part - 2) as u8]);
        out.resize(out.len() + part - 2, 0);
    }
}

impl<'a> Packet<'a> {
    /// Reads a datagram; `None` if it is not a whole packet of version 1.
    pub fn decode(datagram: &'a [u8]) -> Option<Packet<'a>> {
        if !looks_like_utp(datagram) {
            return None;
        }
        let (head, mut rest) = datagram.split_at(HEADER_LEN);
        let two = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let four = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let header = Header {
            kind: Kind::from_number(head[0] >> 4)?,
            id: two(2),
            timestamp: four(4),
            delay: four(8),
            window: four(12),
            seq: Seq(two(16)),
            ack: Seq(two(18)),
        };
        let mut sack: &[u8] = &[];
        let mut extension = head[1];
        while extension != 0 {
            let (&[next, len], after) = rest.split_first_chunk::<2>()?;
            let (content, after) = after.split_at_checked(len.into())?;
            if extension == EXTENSION_SACK {
                sack = content;
            }
            (extension, rest) = (next, after);
        }
        Some(Packet { header, sack, payload: rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        kind: Kind::Data,
        id: 0x1234,
        timestamp: 0x0102_0304,
        delay: 0x0506_0708,
        window: 0x0010_0000,
        seq: Seq(0xfffe),
        ack: Seq(0x0007),
    };

    fn encoded(header: Header, extension: Extension<'_>, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        header.encode(extension, &mut out);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn a_data_packet_byte_for_byte() {
        let bytes = [
            0x01, // type 0 (ST_DATA), version 1
            0x00, // no extension
            0x12, 0x34, // connection id
            0x01, 0x02, 0x03, 0x04, // timestamp
            0x05, 0x06, 0x07, 0x08, // timestamp difference
            0x00, 0x10, 0x00, 0x00, // window: 1 MiB
            0xff, 0xfe, // sequence number
            0x00, 0x07, // acknowledged
            b'h', b'i', // payload
        ];
        assert_eq!(encoded(HEADER, Extension::None, b"hi"), bytes);
        assert_eq!(Packet::decode(&bytes), Some(Packet { header: HEADER, sack: &[], payload: b"hi" }));
    }

    #[test]
    fn a_selective_ack_byte_for_byte() {
        let header = Header { kind: Kind::State, ..HEADER };
        let bytes = encoded(header, Extension::Sack(&[0b0000_0101, 0, 0, 0x80]), b"");
        assert_eq!(bytes[..2], [0x21, 0x01]); // type 2 (ST_STATE), extension 1
        // No further extension, four bytes: ack + 2, ack + 4 and ack + 33 are there.
        assert_eq!(bytes[20..], [0x00, 0x04, 0x05, 0x00, 0x00, 0x80]);
        let packet = Packet::decode(&bytes).unwrap();
        assert_eq!((packet.header, packet.sack, packet.payload), (header, &bytes[22..], &[][..]));
    }

    #[test]
    fn unknown_extensions_are_skipped() {
        let mut bytes = encoded(HEADER, Extension::None, b"");
        bytes[1] = 3; // a close reason, as libtorrent sends it
        bytes.extend([0x01, 0x04, 0, 0, 0, 15]); // next is a selective ack
        bytes.extend([0x00, 0x04, 0xff, 0, 0, 0]);
        bytes.extend(b"payload");
        let packet = Packet::decode(&bytes).unwrap();
        assert_eq!((packet.sack, packet.payload), (&[0xff, 0, 0, 0][..], &b"payload"[..]));
    }

    #[test]
    fn padding_has_any_length_but_one_and_is_skipped() {
        for len in (0..=1500).filter(|len| *len != 1) {
            let bytes = encoded(HEADER, Extension::Padding(len), b"x");
            assert_eq!(bytes.len(), HEADER_LEN + len + 1, "{len}");
            assert_eq!(Packet::decode(&bytes).unwrap().payload, b"x", "{len}");
        }
    }

    #[test]
    fn what_is_cut_short_or_of_another_version_is_no_packet() {
        let whole = encoded(HEADER, Extension::Sack(&[1, 2, 3, 4]), b"");
        assert!((0..whole.len()).all(|len| Packet::decode(&whole[..len]).is_none()));
        let mut other = whole.clone();
        other[0] = 0x02; // version 2
        assert!(Packet::decode(&other).is_none());
        other[0] = 0x51; // type 5
        assert!(Packet::decode(&other).is_none());
        assert!(!looks_like_utp(b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae"));
    }
}
