//! Which address the world sees us at, by the votes of nodes that answer us (BEP 42, "Bootstrapping").
//!
//! One node can't be trusted, nor many on one subnet: each subnet has one vote, the last `Votes::KEPT` count, and
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

/// From which port the world sees our one socket come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortSeen {
    /// All see the same one: a translator, if there is any, keeps it whoever is called, and what arrives there reaches us.
    Same(u16),
    /// Each sees another one: a translator draws a new port for each that is called.
    Differs,
}

/// The ports that nodes see, one voice a subnet.
#[derive(Debug, Default)]
pub struct PortVotes {
    votes: VecDeque<(Subnet, u16)>,
}

impl PortVotes {
    pub fn count(&mut self, voter: SocketAddr, port: u16) {
        let subnet = Subnet::of(voter);
        self.votes.retain(|(from, _)| *from != subnet);
        if self.votes.len() >= Votes::KEPT {
            self.votes.pop_front();
        }
        if port != 0 {
            self.votes.push_back((subnet, port));
        }
    }

    /// What most say; `None` while too few have said anything, or when neither outweighs the other.
    pub fn seen(&self) -> Option<PortSeen> {
        if self.votes.len() < Votes::ENOUGH {
            return None;
        }
        let agree = |port: u16| self.votes.iter().filter(|(_, other)| *other == port).count();
        let (most, port) = self.votes.iter().map(|&(_, port)| (agree(port), port)).max()?;
        if most * 3 > self.votes.len() * 2 {
            Some(PortSeen::Same(port))
        } else {
            (most * 3 <= self.votes.len()).then_some(PortSeen::Differs)
        }
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

    #[test]
    fn one_port_for_all_and_another_for_each_are_told_apart() {
        let mut same = PortVotes::default();
        (0..3).for_each(|n| same.count(voter(n), 6881));
        assert_eq!(same.seen(), None, "three are too few");
        (3..9).for_each(|n| same.count(voter(n), if n == 5 { 1 } else { 6881 }));
        assert_eq!(same.seen(), Some(PortSeen::Same(6881)), "one liar among nine");
        let mut differs = PortVotes::default();
        (0..9).for_each(|n| differs.count(voter(n), 40_000 + u16::from(n)));
        assert_eq!(differs.seen(), Some(PortSeen::Differs));
        (0..100).for_each(|_| differs.count(voter(1), 40_001));
        assert_eq!(differs.seen(), Some(PortSeen::Differs), "one subnet has one voice");
    }
}
