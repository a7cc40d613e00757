//! Where the world sees us: the address that peers name in `yourip` (BEP 10), once enough of them agree.
//!
//! It decides the canonical peer priority (BEP 40) and tells peers of our other address family.

use std::net::{IpAddr, SocketAddr};

use crate::proto::dht::external::Votes;
use crate::swarm::action::PeerKey;
use crate::swarm::torrent::Torrent;

#[derive(Debug, Default)]
pub(super) struct Outside {
    v4: Votes,
    v6: Votes,
}

/// Our addresses as others see them, and the port where we listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ours {
    pub v4: Option<IpAddr>,
    pub v6: Option<IpAddr>,
    pub port: u16,
}

impl Ours {
    /// Ours of the family of `addr`, if it is known.
    pub fn facing(&self, addr: SocketAddr) -> Option<SocketAddr> {
        let ip = if addr.is_ipv4() { self.v4 } else { self.v6 };
        ip.map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl Torrent {
    /// Our addresses, as far as peers agree on them.
    pub fn ours(&self) -> Ours {
        let (v4, v6) = (self.outside.v4.believed(), self.outside.v6.believed());
        Ours { v4, v6, port: self.config.listen_port.unwrap_or(0) }
    }

    /// A peer says at which address it sees us.
    pub(super) fn on_your_ip(&mut self, key: PeerKey, says: IpAddr) {
        let Some(voter) = self.peers.get(&key).map(|peer| peer.addr) else { return };
        let votes = if voter.is_ipv4() { &mut self.outside.v4 } else { &mut self.outside.v6 };
        if votes.count(voter, says).is_some() {
            let ours = self.ours();
            self.book.set_ours(ours);
        }
    }

    /// True if that is where we listen ourselves.
    pub(super) fn is_ours(&self, addr: SocketAddr) -> bool {
        let ours = self.ours();
        ours.port != 0 && ours.facing(addr) == Some(addr)
    }
}
