//! `ut_holepunch` (BEP 55): two peers that can't call each other meet through a third that both are connected to.

use std::net::{IpAddr, SocketAddr};

/// One message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HolepunchMessage {
    /// To the relay: bring the peer at this address and us together.
    Rendezvous(SocketAddr),
    /// From the relay: call this address now; it is calling you.
    Connect(SocketAddr),
    /// From the relay: nothing comes of the rendezvous with this address.
    Error(SocketAddr, HolepunchError),
}

/// Why there is no rendezvous (BEP 55, "error codes").
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HolepunchError {
    #[error("the address is not valid")]
    NoSuchPeer,
    #[error("the relay is not connected to it")]
    NotConnected,
    #[error("it knows no holepunching")]
    NoSupport,
    #[error("it is the relay itself")]
    NoSelf,
    /// A code of some later revision.
    #[error("error {0}")]
    Other(u32),
}

const RENDEZVOUS: u8 = 0;
const CONNECT: u8 = 1;
const ERROR: u8 = 2;

impl HolepunchMessage {
    /// Reads a message; `None` if it is none: a type or a kind of address that is not known, or a wrong length. The error
    /// code may be missing where it says nothing.
    pub fn decode(payload: &[u8]) -> Option<HolepunchMessage> {
        let (&kind, rest) = payload.split_first()?;
        let (&family, rest) = rest.split_first()?;
        let (ip, rest): (IpAddr, _) = match family {
            0 => rest.split_first_chunk::<4>().map(|(ip, rest)| (IpAddr::from(*ip), rest))?,
            1 => rest.split_first_chunk::<16>().map(|(ip, rest)| (IpAddr::from(*ip).to_canonical(), rest))?,
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let addr = SocketAddr::new(ip, u16::from_be_bytes(*port));
        let code = match rest {
            [] => 0,
            _ => u32::from_be_bytes(rest.try_into().ok()?),
        };
        match kind {
            RENDEZVOUS => Some(HolepunchMessage::Rendezvous(addr)),
            CONNECT => Some(HolepunchMessage::Connect(addr)),
            ERROR => Some(HolepunchMessage::Error(addr, HolepunchError::of(code))),
            _ => None,
        }
    }

    /// The payload of the message.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, addr, code) = match *self {
            HolepunchMessage::Rendezvous(addr) => (RENDEZVOUS, addr, 0),
            HolepunchMessage::Connect(addr) => (CONNECT, addr, 0),
            HolepunchMessage::Error(addr, error) => (ERROR, addr, error.code()),
        };
        let mut payload = vec![kind];
        match addr.ip().to_canonical() {
            IpAddr::V4(ip) => {
                payload.push(0);
                payload.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                payload.push(1);
                payload.extend(ip.octets());
            }
        }
        payload.extend(addr.port().to_be_bytes());
        payload.extend(code.to_be_bytes());
        payload
    }
}

impl HolepunchError {
    fn of(code: u32) -> HolepunchError {
        match code {
            1 => HolepunchError::NoSuchPeer,
            2 => HolepunchError::NotConnected,
            3 => HolepunchError::NoSupport,
            4 => HolepunchError::NoSelf,
            code => HolepunchError::Other(code),
        }
    }

    fn code(self) -> u32 {
        match self {
            HolepunchError::NoSuchPeer => 1,
            HolepunchError::NotConnected => 2,
            HolepunchError::NoSupport => 3,
            HolepunchError::NoSelf => 4,
            HolepunchError::Other(code) => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_from_their_bytes() {
        let v4: SocketAddr = "10.0.0.1:6881".parse().unwrap();
        let v6: SocketAddr = "[2001:db8::1]:256".parse().unwrap();
        let table: [(HolepunchMessage, &[u8]); 3] = [
            // type, IPv4, address, port, no error
            (HolepunchMessage::Rendezvous(v4), b"\0\0\x0a\0\0\x01\x1a\xe1\0\0\0\0"),
            (HolepunchMessage::Connect(v6), b"\x01\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\0\0\0\0\0"),
            (HolepunchMessage::Error(v4, HolepunchError::NoSupport), b"\x02\0\x0a\0\0\x01\x1a\xe1\0\0\0\x03"),
        ];
        for (message, bytes) in table {
            assert_eq!(message.encode(), bytes);
            assert_eq!(HolepunchMessage::decode(bytes), Some(message));
            assert_eq!(HolepunchMessage::decode(&bytes[..bytes.len() - 5]), None);
        }
        assert_eq!(HolepunchMessage::decode(&table[0].1[..8]), Some(table[0].0), "without the error code");
    }

    #[test]
    fn unknown_types_families_and_lengths_are_no_messages() {
        for bad in [&b""[..], b"\0", b"\x03\0\x0a\0\0\x01\x1a\xe1\0\0\0\0", b"\0\x02\x0a\0\0\x01\x1a\xe1\0\0\0\0"] {
            assert_eq!(HolepunchMessage::decode(bad), None, "{}", bad.escape_ascii());
        }
        assert_eq!(HolepunchMessage::decode(b"\0\0\x0a\0\0\x01\x1a\xe1\0\0\0\0\0"), None, "a byte too many");
    }

    #[test]
    fn every_error_has_its_code() {
        let addr = "10.0.0.1:1".parse().unwrap();
        for code in 0..9 {
            let error = HolepunchMessage::Error(addr, HolepunchError::of(code));
            assert_eq!(HolepunchMessage::decode(&error.encode()), Some(error));
        }
    }
}
