//! The allowed fast set (BEP 6, "allowed fast set generation").

use std::net::{IpAddr, Ipv4Addr};

use crate::base::hash::sha1;
use crate::base::id::InfoHashV1;

/// The first `k` pieces of the set for a peer at `ip`, all of them if the torrent has no more. Empty for IPv6, of which the
/// BEP says nothing.
pub(super) fn allowed_fast_set(ip: IpAddr, info_hash: InfoHashV1, pieces: u32, k: u32) -> Vec<u32> {
    let IpAddr::V4(ip) = ip.to_canonical() else { return Vec::new() };
    let k = k.min(pieces) as usize;
    let mut set = Vec::with_capacity(k);
    let mut x = (ip & Ipv4Addr::new(255, 255, 255, 0)).octets().to_vec();
    x.extend_from_slice(&info_hash.0);
    while set.len() < k {
        x = sha1(&x).to_vec();
        for word in x.chunks_exact(4) {
            let index = u32::from_be_bytes([word[0], word[1], word[2], word[3]]) % pieces;
            if set.len() < k && !set.contains(&index) {
                set.push(index);
            }
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_bep_6() {
        let set = |k| allowed_fast_set(Ipv4Addr::new(80, 4, 4, 200).into(), InfoHashV1([0xaa; 20]), 1313, k);
        assert_eq!(set(7), [1059, 431, 808, 1217, 287, 376, 1188]);
        assert_eq!(set(9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    }

    #[test]
    fn a_small_torrent_ends_and_ipv6_gets_nothing() {
        let mut set = allowed_fast_set(Ipv4Addr::LOCALHOST.into(), InfoHashV1([1; 20]), 3, 10);
        set.sort_unstable();
        assert_eq!(set, [0, 1, 2]);
        assert!(allowed_fast_set("2001:db8::1".parse().unwrap(), InfoHashV1([1; 20]), 3, 10).is_empty());
        assert!(allowed_fast_set(Ipv4Addr::LOCALHOST.into(), InfoHashV1([1; 20]), 0, 10).is_empty());
    }
}
