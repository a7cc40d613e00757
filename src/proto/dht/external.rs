//! Which address the world sees us at, by the votes of nodes that answer us (BEP 42, "Bootstrapping").
//!
//! One node can't be trusted, nor many on one subnet: each subnet has one vote, the last [`Votes::KEPT`] count, and
//! an address is believed once enough of them agree and most of them do.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::node_id::Subnet;

#[derive(Debug, Default)]
pub struct Votes {
    votes: VecDeque<(Subnet, IpAddr)>,
    believed: Option<IpAddr>,
}

impl Votes {
    const KEPT: usize = 48;
    /// So many voters have to agree.
    const ENOUGH: usize = 4;

    /// The address that is believed now.
    pub fn believed(&self) -> Option<IpAddr> {
        self.believed
    }

    /// Counts what the node at `voter` says; the new address if that changed what is believed.
    pub fn count(&mut self, voter: SocketAddr, says: IpAddr) -> Option<IpAddr> {
        if says.is_unspecified() || says.is_multicast() || says.is_ipv4() != voter.is_ipv4() {
            return None;
        }
        let subnet = Subnet::of(voter);
        self.votes.retain(|(from, _)| *from != subnet);
        if self.votes.len() >= Self::KEPT {
            self.votes.pop_front();
        }
        self.votes.push_back((subnet, says));
        let agree = self.votes.iter().filter(|(_, ip)| *ip == says).count();
        let convincing = agree >= Self::ENOUGH && agree * 3 > self.votes.len() * 2;
        if !convincing || self.believed == Some(says) {
            return None;
        }
        self.believed = Some(says);
        self.believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(n: u8) -> SocketAddr {
        SocketAddr::new(IpAddr::from([60, n, 1, 1]), 6881)
    }

    const TRUE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
    const FALSE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    #[test]
    fn four_voters_convince_and_a_minority_of_liars_does_not() {
        let mut votes = Votes::default();
        assert_eq!((0..3).find_map(|n| votes.count(voter(n), TRUE)), None);
        assert_eq!(votes.count(voter(3), TRUE), Some(TRUE));
        assert_eq!((0..4).find_map(|n| votes.count(voter(100 + n), FALSE)), None);
        assert_eq!(votes.believed(), Some(TRUE));
    }

    #[test]
    fn one_subnet_has_one_vote_however_often_it_votes() {
        let mut votes = Votes::default();
        for n in 0..200u8 {
            let same_net = SocketAddr::new(IpAddr::from([60, 1, 1, n]), 6881);
            assert_eq!(votes.count(same_net, FALSE), None);
        }
    }

    #[test]
    fn a_moved_host_is_noticed() {
        let mut votes = Votes::default();
        (0..48).for_each(|n| _ = votes.count(voter(n), FALSE));
        assert_eq!(votes.believed(), Some(FALSE));
        (0..48).for_each(|n| _ = votes.count(voter(n), TRUE));
        assert_eq!(votes.believed(), Some(TRUE));
    }

    #[test]
    fn an_address_of_the_other_family_is_no_vote() {
        let mut votes = Votes::default();
        for n in 0..20 {
            assert_eq!(votes.count(voter(n), "2a02::1".parse().unwrap()), None);
        }
    }
}
