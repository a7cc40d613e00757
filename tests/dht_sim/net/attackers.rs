//! Hosts of an attacker: they answer everything, name only each other and give no peers.

use std::net::SocketAddr;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::proto::dht::krpc::{Ask, Body, Message, Query, Reply, Want};
use rtorrent_cli::proto::dht::node::Node;
use rtorrent_cli::proto::dht::node_id::{Contact, NodeId};
use rtorrent_cli::proto::dht::table::K;

use super::{Kind, Net};

impl Net {
    /// Puts an attacker's host into the network, and into everybody's sight.
    pub fn add_sybil(&mut self, contact: Contact) {
        let host = self.add_contact(contact, Kind::Sybil);
        let place = self.by_id.partition_point(|(id, _)| *id < contact.id);
        self.by_id.insert(place, (contact.id, host));
        self.sybils.push(contact);
    }

    /// The attackers make themselves known to the nodes round their target: these ask nobody else so often.
    pub fn spread_sybils(&mut self, target: NodeId) {
        let mut near = self.alive();
        near.sort_unstable_by_key(|&host| target.distance(&self.hosts[host].contact.id));
        near.truncate(2 * K);
        let now = self.now;
        for host in near {
            let own = self.hosts[host].contact.id;
            if self.hosts[host].node.is_none() {
                let table = self.steady_table(own);
                let rng = StdRng::from_rng(&mut self.rng);
                self.hosts[host].node = Some(Box::new(Node::with_table(now, self.shape.family, table, rng)));
            }
            for sybil in self.sybils.clone() {
                let ask = Ask::FindNode { target };
                let body = Body::Query(Query { id: sybil.id, want: Want::default(), ask });
                let message = Message { transaction: b"sybl".to_vec(), body, ip: None, read_only: false };
                self.with_node(host, |node| node.handle_packet(now, sybil.addr, &message.encode(), None));
            }
        }
        self.run(Duration::from_secs(12));
    }

    pub(super) fn answer_as_sybil(&mut self, host: usize, from: SocketAddr, bytes: &[u8]) {
        let Ok(Message { transaction, body: Body::Query(Query { ask, .. }), .. }) = Message::decode(bytes) else {
            return;
        };
        let mut reply = Reply::bare(self.hosts[host].contact.id);
        let target = match ask {
            Ask::GetPeers { info_hash, .. } => Some(info_hash.into()),
            Ask::FindNode { target } => Some(target),
            _ => None,
        };
        if let Some(target) = target {
            let mut near = self.sybils.clone();
            near.sort_unstable_by_key(|contact| target.distance(&contact.id));
            near.truncate(K);
            reply.nodes = Some(near);
            reply.token = Some(b"trust me".to_vec());
        }
        let body = Body::Reply(Box::new(reply));
        let message = Message { transaction, body, ip: Some(from), read_only: false };
        self.send(host, from, message.encode());
    }
}
