//! `ut_metadata` (BEP 9, "extension message"): pieces of the info dictionary.

use serde::Serialize;

use crate::base::bencode::{BencodeError, Limits, Value, to_bytes};

/// One message; the bytes of a DATA stand behind its dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetadataMessage<'a> {
    Request {
        piece: u32,
    },
    Data {
        piece: u32,
        total_size: u32,
        bytes: &'a [u8],
    },
    Reject {
        piece: u32,
    },
    /// A message type of some later extension, to be ignored.
    Unknown,
}

impl<'a> MetadataMessage<'a> {
    /// # Errors
    /// If there is no dictionary at the front, or it lacks `msg_type`, `piece` or (in a DATA) `total_size`.
    pub fn decode(payload: &'a [u8]) -> Result<MetadataMessage<'a>, BencodeError> {
        let (value, consumed) = Value::parse(payload, Limits::EXTENSION)?;
        let number = |key: &'static str| {
            value
                .as_dict()
                .and_then(|dict| dict.get(key.as_bytes())?.as_u64()?.try_into().ok())
                .ok_or_else(|| BencodeError::Shape(format!("no {key} that fits")))
        };
        Ok(match number("msg_type")? {
            0 => MetadataMessage::Request { piece: number("piece")? },
            1 => MetadataMessage::Data {
                piece: number("piece")?,
                total_size: number("total_size")?,
                bytes: &payload[consumed..],
            },
            2 => MetadataMessage::Reject { piece: number("piece")? },
            _ => MetadataMessage::Unknown,
        })
    }

    /// The payload of the message. `Unknown` is empty.
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Wire {
            msg_type: u8,
            piece: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            total_size: Option<u32>,
        }
        let (wire, bytes) = match *self {
            MetadataMessage::Request { piece } => (Wire { msg_type: 0, piece, total_size: None }, &[][..]),
            MetadataMessage::Data { piece, total_size, bytes } => {
                (Wire { msg_type: 1, piece, total_size: Some(total_size) }, bytes)
            }
            MetadataMessage::Reject { piece } => (Wire { msg_type: 2, piece, total_size: None }, &[][..]),
            MetadataMessage::Unknown => return Vec::new(),
        };
        let mut payload = to_bytes(&wire).expect("numbers encode");
        payload.extend_from_slice(bytes);
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_bep_9_read_and_write() {
        let table: [(MetadataMessage, &[u8]); 3] = [
            (MetadataMessage::Request { piece: 0 }, b"d8:msg_typei0e5:piecei0ee"),
            (
                MetadataMessage::Data { piece: 0, total_size: 3425, bytes: b"xxd1" },
                b"d8:msg_typei1e5:piecei0e10:total_sizei3425eexxd1",
            ),
            (MetadataMessage::Reject { piece: 7 }, b"d8:msg_typei2e5:piecei7ee"),
        ];
        for (message, bytes) in table {
            assert_eq!(message.encode(), bytes);
            assert_eq!(MetadataMessage::decode(bytes), Ok(message));
        }
    }

    #[test]
    fn later_types_are_known_as_such_and_the_rest_is_refused() {
        assert_eq!(MetadataMessage::decode(b"d8:msg_typei9ee"), Ok(MetadataMessage::Unknown));
        let bad: [&[u8]; 6] = [
            b"",
            b"i1e",
            b"d8:msg_typei0ee",                    // no piece
            b"d8:msg_typei0e5:piecei-1ee",         // a negative piece
            b"d8:msg_typei1e5:piecei0ee",          // no total_size
            b"d8:msg_typei0e5:piecei4294967296ee", // beyond 32 bits
        ];
        for bad in bad {
            assert!(MetadataMessage::decode(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
