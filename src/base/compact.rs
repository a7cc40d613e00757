//! Addresses as trackers, PEX and the DHT pack them (BEP 23, BEP 7, BEP 11, BEP 5), and what kind of address one is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Reads 6 bytes an address: IPv4 and port, big-endian. What is left over at the end, port 0 and 0.0.0.0 are passed over.
pub fn peers_v4(bytes: &[u8]) -> Vec<SocketAddr> {
    let peer = |&[a, b, c, d, high, low]: &[u8; 6]| {
        SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
    };
    bytes.as_chunks().0.iter().map(peer).filter(can_be_called).collect()
}

/// Reads 18 bytes an address: IPv6 and port, big-endian. What is left over at the end, port 0 and :: are passed over;
/// `::ffff:a.b.c.d` becomes IPv4.
pub fn peers_v6(bytes: &[u8]) -> Vec<SocketAddr> {
    let peer = |packed: &[u8; 18]| {
        let (ip, port) = packed.split_first_chunk::<16>().expect("16 of 18 bytes");
        canonical(SocketAddr::from((Ipv6Addr::from(*ip), u16::from_be_bytes([port[0], port[1]]))))
    };
    bytes.as_chunks().0.iter().map(peer).filter(can_be_called).collect()
}

/// Appends the 6 bytes of `addr`.
pub fn write_v4(out: &mut Vec<u8>, addr: SocketAddrV4) {
    out.extend_from_slice(&addr.ip().octets());
    out.extend_from_slice(&addr.port().to_be_bytes());
}

/// Appends the 18 bytes of `addr`.
pub fn write_v6(out: &mut Vec<u8>, addr: SocketAddrV6) {
    out.extend_from_slice(&addr.ip().octets());
    out.extend_from_slice(&addr.port().to_be_bytes());
}

/// The address by which a peer is known: `::ffff:a.b.c.d` is the IPv4 address that it is, scope and flow are dropped
/// except where the scope is part of the address (link-local).
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into()
        }
        _ => SocketAddr::new(addr.ip().to_canonical(), addr.port()),
    }
}

/// True if the address means the same host everywhere on the internet: not private, not of this link or host, not
/// multicast, not kept for documentation.
pub fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

fn can_be_called(addr: &SocketAddr) -> bool {
    addr.port() != 0 && !addr.ip().is_unspecified()
}

/// The IANA registry of special addresses.
fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let protocol = (a, b, c) == (192, 0, 0);
    let benchmark = a == 198 && b & 0xfe == 18;
    !(a == 0
        || a >= 224
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || shared
        || protocol
        || benchmark)
}

/// Of 2000::/3, what is neither documentation nor benchmarking nor ORCHID.
fn is_global_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let documentation = (a, b) == (0x2001, 0xdb8) || a == 0x3fff && b < 0x1000;
    let benchmark_or_orchid = a == 0x2001 && (b == 2 || b & 0xfff0 == 0x10 || b & 0xfff0 == 0x20);
    a & 0xe000 == 0x2000 && !documentation && !benchmark_or_orchid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_in_six_bytes() {
        // 10.0.0.1:6881, port 0, 0.0.0.0:1, and one byte too many
        let packed = b"\x0a\0\0\x01\x1a\xe1\x0a\0\0\x02\0\0\0\0\0\0\0\x01\x0a";
        let addr: SocketAddrV4 = "10.0.0.1:6881".parse().unwrap();
        assert_eq!(peers_v4(packed), [addr.into()]);
        let mut out = Vec::new();
        write_v4(&mut out, addr);
        assert_eq!(out, packed[..6]);
        assert!(peers_v4(b"").is_empty() && peers_v4(b"\x0a\0\0\x01\x1a").is_empty());
    }

    #[test]
    fn ipv6_in_eighteen_bytes_and_mapped_ipv4_as_ipv4() {
        let addr: SocketAddrV6 = "[2001:db8::1]:6881".parse().unwrap();
        let mut packed = Vec::new();
        write_v6(&mut packed, addr);
        assert_eq!(packed, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1");
        write_v6(&mut packed, "[::ffff:1.2.3.4]:80".parse().unwrap());
        write_v6(&mut packed, "[::]:80".parse().unwrap());
        packed.push(9);
        assert_eq!(peers_v6(&packed), [addr.into(), "1.2.3.4:80".parse().unwrap()]);
    }

    #[test]
    fn one_peer_has_one_address() {
        let canonical = |text: &str| canonical(text.parse().unwrap()).to_string();
        assert_eq!(canonical("[::ffff:1.2.3.4]:5"), "1.2.3.4:5");
        assert_eq!(canonical("1.2.3.4:5"), "1.2.3.4:5");
        assert_eq!(canonical("[2001:db8::1%7]:5"), "[2001:db8::1]:5");
        assert_eq!(canonical("[fe80::1%7]:5"), "[fe80::1%7]:5");
    }

    #[test]
    fn what_is_global() {
        for ip in [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_global(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2001:2::1",
            "64:ff9b:1::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_global(ip.parse().unwrap()), "{ip}");
        }
    }
}
