//! Canonical peer priority (BEP 40): a number for each pair of addresses on which both ends agree, so that a full swarm
//! lets newcomers in and nobody can buy a place by calling more often.

use std::net::{IpAddr, SocketAddr};

/// The priority of the connection between `a` and `b`; the higher, the better. Addresses of two families have none: 0.
pub fn canonical_priority(a: SocketAddr, b: SocketAddr) -> u32 {
    match (a.ip().to_canonical(), b.ip().to_canonical()) {
        (x, y) if x == y => sorted(&a.port().to_be_bytes(), &b.port().to_be_bytes()),
        (IpAddr::V4(x), IpAddr::V4(y)) => masked(x.octets(), y.octets(), 2),
        (IpAddr::V6(x), IpAddr::V6(y)) => masked(x.octets(), y.octets(), 6),
        _ => 0,
    }
}

/// The first `whole` bytes count wholly, of the others every second bit; where those are the same in both addresses, so
/// does the next one.
fn masked<const N: usize>(x: [u8; N], y: [u8; N], whole: usize) -> u32 {
    let same = x.iter().zip(&y).take_while(|(x, y)| x == y).count();
    let whole = if same < whole { whole } else { same + 1 };
    let mask = |bytes: [u8; N]| {
        let mut masked = bytes;
        masked.iter_mut().skip(whole).for_each(|byte| *byte &= 0x55);
        masked
    };
    sorted(&mask(x), &mask(y))
}

fn sorted(x: &[u8], y: &[u8]) -> u32 {
    let (first, second) = if x <= y { (x, y) } else { (y, x) };
    crc32c::crc32c_append(crc32c::crc32c(first), second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(a: &str, b: &str) -> u32 {
        let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(canonical_priority(a, b), canonical_priority(b, a), "both ends agree");
        canonical_priority(a, b)
    }

    #[test]
    fn the_examples_of_bep_40() {
        assert_eq!(priority("123.213.32.10:1", "98.76.54.32:2"), 0xec2d_7224);
        assert_eq!(priority("123.213.32.10:1", "123.213.32.234:2"), 0x9956_8189);
    }

    #[test]
    fn masks_follow_what_the_addresses_share() {
        // The same /16: the third byte counts wholly, the fourth by every second bit.
        assert_eq!(priority("10.1.2.0:1", "10.1.3.0:1"), priority("10.1.2.2:1", "10.1.3.8:1"));
        assert_ne!(priority("10.1.2.0:1", "10.1.3.0:1"), priority("10.1.2.0:1", "10.1.5.0:1"));
        // Nothing in common: the third byte counts by every second bit.
        assert_eq!(priority("10.1.2.0:1", "20.1.0.0:1"), priority("10.1.0.0:1", "20.1.8.0:1"));
        // IPv6 counts 48 bits wholly, and one byte more for each that is shared.
        assert_eq!(priority("[2001:db8:0:2::]:1", "[2001:db9::]:1"), priority("[2001:db8::]:1", "[2001:db9:0:8::]:1"));
        assert_ne!(
            priority("[2001:db8:0:200::]:1", "[2001:db8::]:1"),
            priority("[2001:db8:0:800::]:1", "[2001:db8::]:1")
        );
    }

    #[test]
    fn one_address_goes_by_ports_and_two_families_have_none() {
        assert_eq!(priority("1.2.3.4:1", "1.2.3.4:2"), priority("9.9.9.9:2", "9.9.9.9:1"));
        assert_ne!(priority("1.2.3.4:1", "1.2.3.4:2"), priority("1.2.3.4:1", "1.2.3.4:3"));
        assert_eq!(priority("1.2.3.4:1", "[2001:db8::1]:1"), 0);
    }
}
