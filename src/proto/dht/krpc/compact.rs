//! Compact addresses and node infos as KRPC packs them (BEP 5, "Contact Encoding"; BEP 32).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::base::compact::canonical;
use crate::proto::dht::node_id::{Contact, NodeId};

/// More contacts than this are not taken from one message.
const MAX_CONTACTS: usize = 64;

pub(super) fn read_contacts(bytes: &[u8], len: usize) -> Vec<Contact> {
    let contact =
        |bytes: &[u8]| Some(Contact { id: NodeId(bytes[..20].try_into().ok()?), addr: read_address(&bytes[20..])? });
    bytes.chunks_exact(len).take(MAX_CONTACTS).filter_map(contact).collect()
}

/// Compact address of 6 or 18 bytes; `None` for other lengths and for port 0.
pub(super) fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let ip: IpAddr = match ip.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?).into(),
        _ => return None,
    };
    let port = u16::from_be_bytes([port[0], port[1]]);
    (port != 0).then(|| canonical(SocketAddr::new(ip, port)))
}

pub(super) fn address_bytes(addr: SocketAddr) -> Vec<u8> {
    let mut bytes = match addr.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend(addr.port().to_be_bytes());
    bytes
}

/// Compact node infos of one family, for "nodes" or "nodes6".
pub fn contact_bytes(contacts: &[Contact]) -> Vec<u8> {
    contacts.iter().flat_map(|contact| [contact.id.0.to_vec(), address_bytes(contact.addr)].concat()).collect()
}

/// Reads what [`contact_bytes`] wrote for the family.
pub fn contacts_from(bytes: &[u8], v6: bool) -> Vec<Contact> {
    let len = if v6 { 38 } else { 26 };
    let one = |chunk: &[u8]| read_contacts(chunk, len).pop();
    bytes.chunks_exact(len).filter_map(one).collect()
}
