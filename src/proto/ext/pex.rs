//! `ut_pex` (BEP 11): addresses of other peers.

use std::net::SocketAddr;

use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::base::bencode::{BencodeError, Limits, Value, to_bytes};

/// Addresses that one message brings, at most; the rest is not read. The first message of a connection may be long.
pub const MAX_ADDED: usize = 200;

/// Entries that we send in one message (BEP 11: 50 of each kind).
pub const MAX_SENT: usize = 50;

/// Peers that the sender has connected to and lost since its last message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PexMessage {
    pub added: Vec<SocketAddr>,
    pub dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// Reads what is there; lists of a wrong length and port 0 are left out, and what is more than [`MAX_ADDED`].
    ///
    /// # Errors
    /// If the payload is not one bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<PexMessage, BencodeError> {
        let (value, _) = Value::parse(payload, Limits::EXTENSION)?;
        let dict = value.as_dict().ok_or_else(|| BencodeError::Shape("a PEX message is a dictionary".into()))?;
        let list = |v4: &[u8], v6: &[u8]| {
            let bytes = |key| dict.get(key).and_then(|value| value.as_bytes()).unwrap_or_default();
            let mut list = Vec::new();
            list.extend(contacts::<4>(bytes(v4)).take(MAX_ADDED));
            list.extend(contacts::<16>(bytes(v6)).take(MAX_ADDED - list.len()));
            list
        };
        Ok(PexMessage { added: list(b"added", b"added6"), dropped: list(b"dropped", b"dropped6") })
    }

    /// The payload of the message: at most [`MAX_SENT`] of each list.
    pub fn encode(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Wire {
            added: ByteBuf,
            #[serde(rename = "added.f")]
            added_f: ByteBuf,
            added6: ByteBuf,
            #[serde(rename = "added6.f")]
            added6_f: ByteBuf,
            dropped: ByteBuf,
            dropped6: ByteBuf,
        }
        let (added, added6) = compact(&self.added);
        let (dropped, dropped6) = compact(&self.dropped);
        to_bytes(&Wire {
            added_f: ByteBuf::from(vec![0; added.len() / 6]),
            added6_f: ByteBuf::from(vec![0; added6.len() / 18]),
            added: ByteBuf::from(added),
            added6: ByteBuf::from(added6),
            dropped: ByteBuf::from(dropped),
            dropped6: ByteBuf::from(dropped6),
        })
        .expect("strings encode")
    }
}

/// Contacts of an address of `N` bytes and a port.
fn contacts<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = SocketAddr>
where
    std::net::IpAddr: From<[u8; N]>,
{
    bytes.chunks_exact(N + 2).filter_map(|entry| {
        let ip: [u8; N] = entry[..N].try_into().ok()?;
        let port = u16::from_be_bytes([entry[N], entry[N + 1]]);
        (port != 0).then(|| SocketAddr::new(std::net::IpAddr::from(ip).to_canonical(), port))
    })
}

/// The IPv4 and the IPv6 contacts of a list.
fn compact(list: &[SocketAddr]) -> (Vec<u8>, Vec<u8>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for addr in list.iter().take(MAX_SENT) {
        match addr.ip().to_canonical() {
            std::net::IpAddr::V4(ip) => v4.extend(ip.octets().into_iter().chain(addr.port().to_be_bytes())),
            std::net::IpAddr::V6(ip) => v6.extend(ip.octets().into_iter().chain(addr.port().to_be_bytes())),
        }
    }
    (v4, v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_read_back_from_their_bytes() {
        let message = PexMessage {
            added: vec!["10.0.0.1:6881".parse().unwrap(), "[2001:db8::1]:256".parse().unwrap()],
            dropped: vec!["10.0.0.2:1".parse().unwrap()],
        };
        let bytes = message.encode();
        let expected: &[u8] = b"d5:added6:\x0a\x00\x00\x01\x1a\xe17:added.f1:\x00\
            6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x008:added6.f1:\x00\
            7:dropped6:\x0a\x00\x00\x02\x00\x018:dropped60:e";
        assert_eq!(bytes, expected);
        assert_eq!(PexMessage::decode(&bytes), Ok(message));
    }

    #[test]
    fn broken_entries_are_left_out_and_floods_are_cut() {
        let mut flood = b"d5:added6000:".to_vec();
        flood.extend([1; 6000]);
        flood.push(b'e');
        assert_eq!(PexMessage::decode(&flood).unwrap().added.len(), MAX_ADDED);
        // A port of 0, and half an entry.
        assert_eq!(PexMessage::decode(b"d5:added9:\x01\x02\x03\x04\x00\x00\x01\x02\x03e"), Ok(PexMessage::default()));
        assert_eq!(PexMessage::decode(b"d5:addedi1ee"), Ok(PexMessage::default()));
        assert!(PexMessage::decode(b"le").is_err());
    }

    #[test]
    fn no_more_than_fifty_are_sent() {
        let added = (1..=80).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect();
        let bytes = PexMessage { added, dropped: vec![] }.encode();
        assert_eq!(PexMessage::decode(&bytes).unwrap().added.len(), MAX_SENT);
    }
}
