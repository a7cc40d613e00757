//! A DHT of the program's own nodes on real sockets of this machine.
#![allow(dead_code)] // each user needs only a part

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtorrent_cli::io::dht_task::{DhtConfig, DhtHandle};
use rtorrent_cli::io::resolve::Resolver;

/// Long enough for a busy machine; what is awaited comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nodes that know each other; they live as long as this does.
pub struct DhtNet {
    nodes: Vec<DhtHandle>,
    ip: IpAddr,
}

impl DhtNet {
    /// `count` nodes at `ip`, the first of which is everybody's way in. Within a tokio runtime.
    pub async fn start(ip: IpAddr, count: usize) -> DhtNet {
        let mut net = DhtNet { nodes: Vec::new(), ip };
        for _ in 0..count {
            let config = DhtConfig {
                ips: vec![ip],
                well_known: false,
                bootstrap: net.nodes.first().map(|_| net.bootstrap()).into_iter().collect(),
                read_only: false,
                ..DhtConfig::default()
            };
            net.nodes.push(DhtHandle::start(config, Resolver::new()).expect("this machine has UDP"));
        }
        for node in &net.nodes {
            let known = node.watch().wait_for(|status| status.nodes() as usize >= count.min(8) / 2).await.map(drop);
            known.expect("the node lives");
        }
        net
    }

    /// HOST:PORT to enter it by.
    pub fn bootstrap(&self) -> String {
        SocketAddr::new(self.ip, self.nodes[0].port()).to_string()
    }

    /// Comes back once a node of the net knows peers of the torrent.
    pub async fn wait_for_peers(&self, torrent: rtorrent_cli::base::id::TorrentId) -> Vec<SocketAddr> {
        let until = tokio::time::Instant::now() + PATIENCE;
        // Who announces itself after a search has begun is found by the next; each gets more time than the one before.
        let mut patience = Duration::from_millis(300);
        loop {
            let mut search = self.nodes[0].lookup(torrent, None, false);
            if let Ok(Some(peers)) = tokio::time::timeout(patience, search.next()).await {
                return peers;
            }
            assert!(tokio::time::Instant::now() < until, "nobody has announced {torrent}");
            patience *= 2;
        }
    }
}
