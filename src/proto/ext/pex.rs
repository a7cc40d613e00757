//! `ut_pex` (BEP 11): addresses of other peers.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::base::bencode::{BencodeError, Limits, Value, to_bytes};

/// Addresses that one message brings, at most; the rest is not read. The first message of a connection may be long.
pub const MAX_ADDED: usize = 200;

/// Entries that we send in one message (BEP 11: 50 of each kind, both families together).
pub const MAX_SENT: usize = 50;

/// What the sender knows of a peer (BEP 11, the flags of `added.f`). Bits that are not named here are kept unread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PexFlags(pub u8);

impl PexFlags {
    pub const ENCRYPTION: PexFlags = PexFlags(0x01);
    /// A seed, or one that downloads no more.
    pub const SEED: PexFlags = PexFlags(0x02);
    pub const UTP: PexFlags = PexFlags(0x04);
    /// It takes part in holepunching (BEP 55).
    pub const HOLEPUNCH: PexFlags = PexFlags(0x08);
    /// The sender called it: it can be reached.
    pub const REACHABLE: PexFlags = PexFlags(0x10);

    pub fn has(self, flag: PexFlags) -> bool {
        self.0 & flag.0 == flag.0
    }

    /// The same with `flag` set, if `on`.
    #[must_use]
    pub fn with(self, flag: PexFlags, on: bool) -> PexFlags {
        if on { PexFlags(self.0 | flag.0) } else { self }
    }
}

/// One peer of `added`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PexPeer {
    pub addr: SocketAddr,
    pub flags: PexFlags,
}

/// Peers that the sender has connected to and lost since its last message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PexMessage {
    pub added: Vec<PexPeer>,
    pub dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// Reads what is there; lists of a wrong length and port 0 are left out, and what is more than [`MAX_ADDED`]. Flags
    /// that are missing count as none.
    ///
    /// # Errors
    /// If the payload is not one bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<PexMessage, BencodeError> {
        let (value, _) = Value::parse(payload, Limits::EXTENSION)?;
        let dict = value.as_dict().ok_or_else(|| BencodeError::Shape("a PEX message is a dictionary".into()))?;
        let bytes = |key: &str| dict.get(key.as_bytes()).and_then(|value| value.as_bytes()).unwrap_or_default();
        let list = |v4: &str, v6: &str| {
            let flags = [bytes(&format!("{v4}.f")), bytes(&format!("{v6}.f"))];
            let mut list = Vec::new();
            list.extend(contacts::<4>(bytes(v4), flags[0]).take(MAX_ADDED));
            list.extend(contacts::<16>(bytes(v6), flags[1]).take(MAX_ADDED - list.len()));
            list
        };
        let dropped = list("dropped", "dropped6").into_iter().map(|peer| peer.addr).collect();
        Ok(PexMessage { added: list("added", "added6"), dropped })
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
        let dropped: Vec<PexPeer> =
            self.dropped.iter().map(|&addr| PexPeer { addr, flags: PexFlags::default() }).collect();
        let [(added, added_f), (added6, added6_f)] = compact(&self.added);
        let [(dropped, _), (dropped6, _)] = compact(&dropped);
        to_bytes(&Wire { added, added_f, added6, added6_f, dropped, dropped6 }).expect("strings encode")
    }
}

/// Contacts of an address of `N` bytes and a port, each with its flags.
fn contacts<'a, const N: usize>(bytes: &'a [u8], flags: &'a [u8]) -> impl Iterator<Item = PexPeer> + 'a
where
    IpAddr: From<[u8; N]>,
{
    bytes.chunks_exact(N + 2).enumerate().filter_map(|(nth, entry)| {
        let ip: [u8; N] = entry[..N].try_into().ok()?;
        let port = u16::from_be_bytes([entry[N], entry[N + 1]]);
        let addr = SocketAddr::new(IpAddr::from(ip).to_canonical(), port);
        (port != 0).then(|| PexPeer { addr, flags: PexFlags(flags.get(nth).copied().unwrap_or(0)) })
    })
}

/// The IPv4 and the IPv6 contacts of a list, each with their flags.
fn compact(list: &[PexPeer]) -> [(ByteBuf, ByteBuf); 2] {
    let mut packed: [(ByteBuf, ByteBuf); 2] = Default::default();
    for PexPeer { addr, flags } in list.iter().take(MAX_SENT) {
        let ip = addr.ip().to_canonical();
        let (contacts, all_flags) = &mut packed[usize::from(ip.is_ipv6())];
        match ip {
            IpAddr::V4(ip) => contacts.extend(ip.octets()),
            IpAddr::V6(ip) => contacts.extend(ip.octets()),
        }
        contacts.extend(addr.port().to_be_bytes());
        all_flags.push(flags.0);
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(addr: &str, flags: u8) -> PexPeer {
        PexPeer { addr: addr.parse().unwrap(), flags: PexFlags(flags) }
    }

    #[test]
    fn both_families_read_back_from_their_bytes() {
        let message = PexMessage {
            added: vec![peer("10.0.0.1:6881", 0x12), peer("[2001:db8::1]:256", 0x0c)],
            dropped: vec!["10.0.0.2:1".parse().unwrap()],
        };
        let bytes = message.encode();
        let expected: &[u8] = b"d5:added6:\x0a\x00\x00\x01\x1a\xe17:added.f1:\x12\
            6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x008:added6.f1:\x0c\
            7:dropped6:\x0a\x00\x00\x02\x00\x018:dropped60:e";
        assert_eq!(bytes, expected);
        assert_eq!(PexMessage::decode(&bytes), Ok(message));
    }

    #[test]
    fn flags_stay_with_their_peer_and_may_be_missing() {
        // The first entry has port 0, and the third no flag.
        let bytes = b"d5:added18:\x01\x02\x03\x04\0\0\x01\x02\x03\x05\0\x01\x01\x02\x03\x06\0\x017:added.f2:\x01\x02e";
        let added = PexMessage::decode(bytes).unwrap().added;
        assert_eq!(added, [peer("1.2.3.5:1", 2), peer("1.2.3.6:1", 0)]);
        assert!(added[0].flags.has(PexFlags::SEED) && !added[0].flags.has(PexFlags::UTP));
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
        let added = (1..=80).map(|n| peer(&format!("10.0.0.1:{n}"), 0)).collect();
        let bytes = PexMessage { added, dropped: vec![] }.encode();
        assert_eq!(PexMessage::decode(&bytes).unwrap().added.len(), MAX_SENT);
    }
}
