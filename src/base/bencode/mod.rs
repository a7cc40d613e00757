//! Bencode from strangers (BEP 3, "bencoding"): a guard first, then a borrowed reader or serde.
//!
//! Nothing looks at bytes from the network or from a file before [`scan()`] has walked them: it knows no recursion and
//! allocates nothing, so that nesting, lengths and sizes can do no harm afterwards. Behind it stand two readers:
//! [`Value`] and [`Dict`] borrow from the scanned bytes and forgive what the wild brings (unsorted keys, keys that are no
//! text, integers of any size), and [`from_bytes`] fills serde types where a message has few and known shapes.

mod reader;
mod scan;

pub use reader::{Dict, List, Value};
pub use scan::{Limits, scan};
pub use serde_bencode::to_bytes;

use serde::de::DeserializeOwned;

/// Why bytes are no bencode that we read. Offsets count from the first byte.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BencodeError {
    #[error("{len} bytes are more than the {limit} that are read")]
    TooLarge { len: usize, limit: usize },
    #[error("nested deeper than {limit} levels at byte {at}")]
    TooDeep { at: usize, limit: usize },
    #[error("more than {limit} values and keys at byte {at}")]
    TooMany { at: usize, limit: usize },
    #[error("ends in the middle of a value")]
    Truncated,
    #[error("byte {at} begins no value")]
    NoValue { at: usize },
    #[error("the integer at byte {at} is malformed")]
    BadInteger { at: usize },
    #[error("the string length at byte {at} is malformed")]
    BadLength { at: usize },
    #[error("the dictionary key at byte {at} is not a string")]
    BadKey { at: usize },
    #[error("the dictionary that ends at byte {at} has a key without a value")]
    NoValueForKey { at: usize },
    #[error("{0}")]
    Shape(String),
}

/// Reads one value off the front of `bytes` into a serde type, and says how many bytes it took; what follows them (as in
/// BEP 9's "data") is not looked at.
///
/// serde_bencode fails the whole message when any key is not UTF-8, when any integer is beyond `i64`, or when a key of
/// the type stands twice: use [`Value`] where a peer may send such things in keys that nobody asked for. Strings that need
/// not be text go into `serde_bytes::ByteBuf`.
///
/// # Errors
/// What [`scan()`] refuses, and [`BencodeError::Shape`] if the value does not fit the type.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<(T, usize), BencodeError> {
    let consumed = scan(bytes, limits)?;
    let value =
        serde_bencode::from_bytes(&bytes[..consumed]).map_err(|error| BencodeError::Shape(error.to_string()))?;
    Ok((value, consumed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, PartialEq, Debug)]
    struct DataMessage {
        msg_type: u8,
        piece: u32,
    }

    #[test]
    fn serde_sees_exactly_the_scanned_bytes_and_the_payload_is_left() {
        let message = b"d8:msg_typei1e5:piecei3eeThe payload";
        let (read, consumed) = from_bytes::<DataMessage>(message, Limits::EXTENSION).unwrap();
        assert_eq!(read, DataMessage { msg_type: 1, piece: 3 });
        assert_eq!(&message[consumed..], b"The payload");
    }

    #[test]
    fn what_serde_bencode_would_take_or_die_of_never_reaches_it() {
        for bad in ["i-0e", "i03e", "i+5e", "03:abc", "5:abc"] {
            assert!(from_bytes::<serde::de::IgnoredAny>(bad.as_bytes(), Limits::KRPC).is_err(), "{bad}");
        }
        let deep = format!("d1:a{}{}e", "l".repeat(1_000), "e".repeat(1_000));
        assert!(matches!(from_bytes::<DataMessage>(deep.as_bytes(), Limits::KRPC), Err(BencodeError::TooDeep { .. })));
    }

    #[test]
    fn a_value_of_another_shape_says_so() {
        assert!(matches!(from_bytes::<DataMessage>(b"i5e", Limits::KRPC), Err(BencodeError::Shape(_))));
    }
}
