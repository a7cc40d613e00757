//! The bloom filter by which swarms are counted without naming anybody (BEP 33).

use std::net::IpAddr;

use crate::base::hash::sha1;

/// 2,048 bits, two of them set by each address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bloom(pub [u8; 256]);

impl Bloom {
    const BITS: usize = 256 * 8;

    pub fn new() -> Bloom {
        Bloom([0; 256])
    }

    pub fn insert(&mut self, ip: IpAddr) {
        let hash = match ip {
            IpAddr::V4(ip) => sha1(&ip.octets()),
            IpAddr::V6(ip) => sha1(&ip.octets()),
        };
        for pair in [[hash[0], hash[1]], [hash[2], hash[3]]] {
            let index = usize::from(u16::from_le_bytes(pair)) % Self::BITS;
            self.0[index / 8] |= 1 << (index % 8);
        }
    }

    /// How many addresses were put in, about (BEP 33, "Calculating the estimate").
    pub fn estimate(&self) -> f64 {
        let bits = Self::BITS as f64;
        let zeros = self.0.iter().map(|byte| byte.count_zeros()).sum::<u32>();
        let zeros = f64::from(zeros).clamp(1.0, bits - 1.0);
        (zeros / bits).ln() / (2.0 * (1.0 - 1.0 / bits).ln())
    }
}

impl Default for Bloom {
    fn default() -> Self {
        Bloom::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEP 33, "Test Vectors".
    const EXPECTED: &str = "F6C3F5EAA07FFD91BDE89F777F26FB2BFF37BDB8FB2BBAA2FD3DDDE7BACFFF75EE7CCBAE\
        FE5EEDB1FBFAFF67F6ABFF5E43DDBCA3FD9B9FFDF4FFD3E9DFF12D1BDF59DB53DBE9FA5B\
        7FF3B8FDFCDE1AFB8BEDD7BE2F3EE71EBBBFE93BCDEEFE148246C2BC5DBFF7E7EFDCF24F\
        D8DC7ADFFD8FFFDFDDFFF7A4BBEEDF5CB95CE81FC7FCFF1FF4FFFFDFE5F7FDCBB7FD79B3\
        FA1FC77BFE07FFF905B7B7FFC7FEFEFFE0B8370BB0CD3F5B7F2BD93FEB4386CFDD6F7FD5\
        BFAF2E9EBFFFFEECD67ADBF7C67F17EFD5D75EBA6FFEBA7FFF47A91EB1BFBB53E8ABFB57\
        62ABE8FF237279BFEFBFEEF5FFC5FEBFDFE5ADFFADFEE1FB737FFFFBFD9F6AEFFEEE76B6\
        FD8F72EF";

    #[test]
    fn the_vector_of_bep_33() {
        let mut bloom = Bloom::new();
        (0..=255).for_each(|n| bloom.insert(IpAddr::from([192, 0, 2, n])));
        for n in 0..=0x3e7u16 {
            bloom.insert(IpAddr::from([0x2001, 0x0db8, 0, 0, 0, 0, 0, n]));
        }
        let hex: String = bloom.0.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(hex, EXPECTED);
        assert!((bloom.estimate() - 1224.9308).abs() < 0.0001, "{}", bloom.estimate());
    }

    #[test]
    fn empty_and_full_filters_have_finite_estimates() {
        assert!(Bloom::new().estimate() < 1.0);
        assert!((6000.0..9000.0).contains(&Bloom([255; 256]).estimate()));
    }
}
