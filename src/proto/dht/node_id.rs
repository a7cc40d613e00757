//! Node ids: the 160-bit space, its XOR distance, and ids bound to an address (BEP 42).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use rand::{Rng, RngExt};

use crate::base::compact::is_global;
use crate::base::id::InfoHashV1;

/// A point of the key space: the name of a node, or the target of a lookup (an info hash is such a point too).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub [u8; 20]);

/// XOR of two ids, compared as an unsigned big-endian number (BEP 5, "Routing Table").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Distance {
    high: u128,
    low: u32,
}

/// A node and where it is reached (BEP 5, "Contact Encoding").
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Contact {
    pub id: NodeId,
    pub addr: SocketAddr,
}

impl NodeId {
    pub const BITS: u32 = 160;

    pub fn random(rng: &mut impl Rng) -> NodeId {
        let mut id = [0; 20];
        rng.fill_bytes(&mut id);
        NodeId(id)
    }

    /// An id that may be used at `ip`: 21 bits follow from the address, three bits of which the last byte chooses
    /// (BEP 42, "Node ID restriction").
    pub fn for_address(ip: IpAddr, rng: &mut impl Rng) -> NodeId {
        let mut id = NodeId::random(rng);
        let prefix = address_hash(ip, id.0[19]);
        id.0[0] = (prefix >> 24) as u8;
        id.0[1] = (prefix >> 16) as u8;
        id.0[2] = ((prefix >> 8) as u8 & 0xf8) | (id.0[2] & 0x07);
        id
    }

    /// True if a node at `ip` may go by this id (BEP 42). Any id fits an address that is not global.
    pub fn fits(&self, ip: IpAddr) -> bool {
        if !is_global(ip) {
            return true;
        }
        let prefix = address_hash(ip, self.0[19]);
        let ours = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], 0]);
        (prefix ^ ours) & 0xffff_f800 == 0
    }

    /// An id that shares exactly the first `depth` bits with this one; what a bucket's refresh looks for.
    pub fn random_beside(&self, depth: u32, rng: &mut impl Rng) -> NodeId {
        let mut id = NodeId::random(rng);
        for bit in 0..depth.min(Self::BITS) {
            id.set_bit(bit, self.bit(bit));
        }
        if depth < Self::BITS {
            id.set_bit(depth, !self.bit(depth));
        }
        id
    }

    pub fn distance(&self, other: &NodeId) -> Distance {
        let ((high, low), (other_high, other_low)) = (self.halves(), other.halves());
        Distance { high: high ^ other_high, low: low ^ other_low }
    }

    /// How many leading bits the two have in common: 160 for the same id.
    pub fn common_bits(&self, other: &NodeId) -> u32 {
        self.distance(other).leading_zeros()
    }

    /// The first 128 bits and the last 32.
    fn halves(&self) -> (u128, u32) {
        let (high, low) = self.0.split_at(16);
        let (high, low) = (high.try_into().expect("16 bytes"), low.try_into().expect("4 bytes"));
        (u128::from_be_bytes(high), u32::from_be_bytes(low))
    }

    fn bit(&self, index: u32) -> bool {
        self.0[(index / 8) as usize] & (0x80 >> (index % 8)) != 0
    }

    fn set_bit(&mut self, index: u32, value: bool) {
        let mask = 0x80 >> (index % 8);
        let byte = &mut self.0[(index / 8) as usize];
        *byte = if value { *byte | mask } else { *byte & !mask };
    }
}

impl Distance {
    /// The part of the key space that is as near or nearer.
    pub fn share(&self) -> f64 {
        self.high as f64 / 2f64.powi(128)
    }

    pub fn leading_zeros(&self) -> u32 {
        if self.high != 0 { self.high.leading_zeros() } else { 128 + self.low.leading_zeros() }
    }
}

impl From<InfoHashV1> for NodeId {
    fn from(hash: InfoHashV1) -> Self {
        NodeId(hash.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// CRC32C of the masked address and the low three bits of `salt` (BEP 42).
fn address_hash(ip: IpAddr, salt: u8) -> u32 {
    let r = (salt & 7) << 5;
    match ip {
        IpAddr::V4(v4) => {
            let mut masked = (u32::from(v4) & 0x030f_3fff).to_be_bytes();
            masked[0] |= r;
            crc32c::crc32c(&masked)
        }
        IpAddr::V6(v6) => {
            let mut masked = (((u128::from(v6) >> 64) as u64) & 0x0103_070f_1f3f_7fff).to_be_bytes();
            masked[0] |= r;
            crc32c::crc32c(&masked)
        }
    }
}

/// Which addresses are held to be one owner's, for limits: an IPv4 /24 or an IPv6 /56; a lone address where it is not
/// global (a test network has everybody on 127.0.0.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subnet {
    V4([u8; 3]),
    V6([u8; 7]),
    Local(SocketAddr),
}

impl Subnet {
    pub fn of(addr: SocketAddr) -> Subnet {
        match addr.ip() {
            ip if !is_global(ip) => Subnet::Local(addr),
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Subnet::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let mut prefix = [0; 7];
                prefix.copy_from_slice(&v6.octets()[..7]);
                Subnet::V6(prefix)
            }
        }
    }
}

/// True if two nodes can't both be believed at these addresses: the same one, or one global host.
pub fn same_host(a: SocketAddr, b: SocketAddr) -> bool {
    a == b || (a.ip() == b.ip() && is_global(a.ip()))
}

/// A random duration up to `max_ms`, so that what is due for many is not due at once.
pub(super) fn jitter(rng: &mut impl Rng, max_ms: u64) -> std::time::Duration {
    std::time::Duration::from_millis(rng.random_range(0..=max_ms))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// BEP 42, "test vectors": address, last byte, first three bytes.
    const VECTORS: [(&str, u8, [u8; 3]); 5] = [
        ("124.31.75.21", 1, [0x5f, 0xbf, 0xbf]),
        ("21.75.31.124", 86, [0x5a, 0x3c, 0xe9]),
        ("65.23.51.170", 22, [0xa5, 0xd4, 0x32]),
        ("84.124.73.14", 65, [0x1b, 0x03, 0x21]),
        ("43.213.53.83", 90, [0xe5, 0x6f, 0x6c]),
    ];

    #[test]
    fn the_vectors_of_bep_42_fit_and_a_changed_prefix_does_not() {
        for (ip, last, first) in VECTORS {
            let ip: IpAddr = ip.parse().unwrap();
            let mut id = NodeId([0x55; 20]);
            id.0[..3].copy_from_slice(&first);
            id.0[19] = last;
            assert!(id.fits(ip), "{ip}");
            id.0[2] ^= 0x07; // the low three bits are free
            assert!(id.fits(ip), "{ip}");
            id.0[2] ^= 0x08; // the 21st bit is not
            assert!(!id.fits(ip), "{ip}");
        }
    }

    #[test]
    fn ids_made_for_an_address_fit_it_and_any_id_fits_a_private_one() {
        let mut rng = StdRng::seed_from_u64(42);
        for ip in ["8.8.4.4", "2a02:8109:9c40:1::7"] {
            let ip: IpAddr = ip.parse().unwrap();
            for _ in 0..50 {
                assert!(NodeId::for_address(ip, &mut rng).fits(ip));
            }
            assert!((0..50).any(|_| !NodeId::random(&mut rng).fits(ip)));
        }
        for ip in ["10.1.2.3", "127.0.0.1", "192.168.1.1", "fe80::1", "::1"] {
            assert!(NodeId::random(&mut rng).fits(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn distance_orders_by_the_first_differing_bit() {
        let zero = NodeId([0; 20]);
        let mut near = zero;
        near.0[19] = 0xff;
        let mut far = zero;
        far.0[0] = 0x01;
        assert!(zero.distance(&near) < zero.distance(&far));
        assert_eq!(zero.common_bits(&near), 152);
        assert_eq!(zero.common_bits(&far), 7);
        assert_eq!(zero.common_bits(&zero), 160);
    }

    #[test]
    fn a_refresh_target_leaves_the_own_path_at_exactly_its_depth() {
        let mut rng = StdRng::seed_from_u64(1);
        let own = NodeId::random(&mut rng);
        for depth in 0..=160 {
            assert_eq!(own.common_bits(&own.random_beside(depth, &mut rng)), depth);
        }
    }

    #[test]
    fn one_global_host_counts_once_but_loopback_ports_are_nodes_of_their_own() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(same_host(at("8.8.8.8:1"), at("8.8.8.8:2")));
        assert!(!same_host(at("127.0.0.1:1"), at("127.0.0.1:2")));
        assert_eq!(Subnet::of(at("8.8.8.8:1")), Subnet::of(at("8.8.8.9:2")));
        assert_ne!(Subnet::of(at("10.0.0.1:1")), Subnet::of(at("10.0.0.1:2")));
        assert_eq!(Subnet::of(at("[2a02:8109:9c40:1::7]:1")), Subnet::of(at("[2a02:8109:9c40:2::7]:1")));
    }
}
