//! Whether others can call us, as far as that can be known without another host's help: we call ourselves at the
//! address that the world sees.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::base::compact::is_global;
use crate::base::id::{InfoHashV1, PeerId, TorrentId};
use crate::io::dial::{Encryption, Greeted};
use crate::io::listen::{self, Listeners, Registry};
use crate::io::net_path::NetPath;
use crate::proto::wire::{Handshake, Reserved};

/// What is known of calls from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Calls {
    /// The world's address of us is our own: nothing translates between, only a firewall could stop a call.
    Direct,
    /// A call to the world's address of us came back to us: a port is forwarded.
    Forwarded,
    /// The world's address is a gateway's, and a call to it did not come through.
    Blocked,
    /// Nobody has told at which address the world sees us.
    #[default]
    Unknown,
}

/// A listener that knows its own calls.
pub(super) struct Inbound {
    registry: Registry,
    path: NetPath,
    id: TorrentId,
    callers: mpsc::Receiver<Greeted>,
}

impl Inbound {
    const PATIENCE: Duration = Duration::from_secs(2);

    /// # Errors
    /// The refusal, if no port can be had.
    pub fn listen(path: &NetPath, ports: Option<RangeInclusive<u16>>) -> std::io::Result<Inbound> {
        let registry = listen::serve(Listeners::bind(path, ports)?, Encryption::Auto, Arc::default());
        let mut secret = [0; 20];
        StdRng::from_rng(&mut rand::rng()).fill_bytes(&mut secret);
        let id = TorrentId::from_v1(InfoHashV1(secret));
        let (sender, callers) = mpsc::channel(4);
        registry.register(id, sender);
        Ok(Inbound { registry, path: path.clone(), id, callers })
    }

    pub fn port(&self) -> u16 {
        self.registry.port()
    }

    /// Whether a call to `external` gets through, where our own address on that way is `own`.
    pub async fn probe(&mut self, own: Option<IpAddr>, external: Option<IpAddr>) -> Calls {
        match external {
            Some(_) if self.path.is_proxied() => Calls::Blocked,
            Some(external) if Some(external) == own && is_global(external) => Calls::Direct,
            Some(external) => match timeout(Self::PATIENCE, self.comes_back(external)).await {
                Ok(true) => Calls::Forwarded,
                _ => Calls::Blocked,
            },
            None => Calls::Unknown,
        }
    }

    /// Calls that address and waits for the call to arrive here.
    async fn comes_back(&mut self, at: IpAddr) -> bool {
        let Ok(mut stream) = self.path.connect(SocketAddr::new(at, self.port())).await else { return false };
        let hello = Handshake {
            reserved: Reserved::OURS,
            info_hash: self.id.wire(),
            peer_id: PeerId(*b"-RCdoc-0000000000000"),
        };
        stream.write_all(&hello.encode()).await.is_ok() && self.callers.recv().await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(60, 1, 2, 3));

    #[tokio::test]
    async fn a_call_that_comes_back_shows_that_the_port_is_forwarded() {
        let mut inbound = Inbound::listen(&NetPath::open(), None).unwrap();
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(inbound.probe(Some(OWN), Some(loopback)).await, Calls::Forwarded);
        assert_eq!(inbound.probe(Some(OWN), Some(OWN)).await, Calls::Direct);
        assert_eq!(inbound.probe(Some(OWN), None).await, Calls::Unknown);
    }

    #[tokio::test]
    async fn somebody_else_who_answers_there_is_not_us() {
        let mut inbound = Inbound::listen(&NetPath::open(), None).unwrap();
        inbound.registry.unregister(inbound.id);
        assert_eq!(inbound.probe(Some(OWN), Some(Ipv4Addr::LOCALHOST.into())).await, Calls::Blocked);
    }
}
