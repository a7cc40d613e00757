//! Both DHTs behind one door: an IPv4 and an IPv6 node that help each other to their first nodes (BEP 32).
//!
//! A lookup runs in both; its results come under one [`LookupId`]. Either node may be missing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::bootstrap::{Bootstrap, Entry};
use super::krpc::compact::{contact_bytes, contacts_from};
use super::lookup::{Announce, Report};
use super::node::{DhtEvent, Family, Node, NodeStatus};
use super::node_id::NodeId;
use super::transactions::LookupId;
use crate::base::bencode::{self, Limits};
use crate::base::compact::canonical;
use crate::base::id::InfoHashV1;

/// What the pair tells its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DualEvent {
    /// Peers that this lookup had not seen before in that family.
    Peers { lookup: LookupId, peers: Vec<SocketAddr> },
    /// The lookup is over in both, or in one while the other has had nobody to ask.
    Finished { lookup: LookupId, report: Report },
    /// So many nodes have taken the announce in one of the two.
    Announced { lookup: LookupId, nodes: u32 },
    /// Enough nodes agree on where they see us.
    External(IpAddr),
}

/// A lookup that runs in one or both.
#[derive(Debug, Default)]
struct Shared {
    v4: Option<LookupId>,
    v6: Option<LookupId>,
    /// How it went where it is over.
    report: Report,
    open: u32,
}

#[derive(Debug, Default)]
pub struct Dual {
    v4: Option<Node>,
    v6: Option<Node>,
    shared: BTreeMap<LookupId, Shared>,
    next_lookup: u64,
}

/// The saved table of one family.
#[derive(Serialize, Deserialize)]
struct Saved {
    id: ByteBuf,
    nodes: ByteBuf,
}

#[derive(Serialize, Deserialize, Default)]
struct SavedBoth {
    #[serde(default)]
    v4: Option<Saved>,
    #[serde(default)]
    v6: Option<Saved>,
}

impl Dual {
    /// The nodes of the families that there are sockets for, with what [`Dual::save`] wrote in an earlier run. Bytes
    /// that make no sense are as good as none.
    pub fn new(now: Instant, families: &[Family], saved: Option<&[u8]>, rng: &mut StdRng) -> Dual {
        let saved = saved.and_then(|bytes| bencode::from_bytes::<SavedBoth>(bytes, Limits::STATE).ok());
        let SavedBoth { v4, v6 } = saved.map(|(saved, _)| saved).unwrap_or_default();
        let mut node = |family: Family, saved: Option<Saved>| {
            let rng = StdRng::from_rng(rng);
            let known = saved.and_then(|saved| Some((NodeId(saved.id.as_slice().try_into().ok()?), saved.nodes)));
            families.contains(&family).then(|| match known {
                Some((id, nodes)) => Node::restored(now, family, id, &contacts_from(&nodes, family == Family::V6), rng),
                None => Node::new(now, family, rng),
            })
        };
        Dual { v4: node(Family::V4, v4), v6: node(Family::V6, v6), shared: BTreeMap::new(), next_lookup: 0 }
    }

    /// Ids and nodes of both, for the next run.
    pub fn save(&self) -> Vec<u8> {
        let saved = |node: &Node| Saved {
            id: ByteBuf::from(node.id().0),
            nodes: ByteBuf::from(contact_bytes(&node.table().contacts())),
        };
        let both = SavedBoth { v4: self.v4.as_ref().map(saved), v6: self.v6.as_ref().map(saved) };
        bencode::to_bytes(&both).unwrap_or_default()
    }

    /// As [`Node::get_peers`], in both.
    pub fn get_peers(&mut self, now: Instant, info_hash: InfoHashV1, announce: Option<Announce>) -> LookupId {
        let id = LookupId(self.next_lookup);
        self.next_lookup += 1;
        self.balance();
        let v4 = self.v4.as_mut().map(|node| node.get_peers(now, info_hash, announce));
        let v6 = self.v6.as_mut().map(|node| node.get_peers(now, info_hash, announce));
        let open = u32::from(v4.is_some()) + u32::from(v6.is_some());
        self.shared.insert(id, Shared { v4, v6, open, report: Report::default() });
        id
    }

    pub fn cancel(&mut self, now: Instant, id: LookupId) {
        let Some(shared) = self.shared.remove(&id) else { return };
        for (node, id) in [(&mut self.v4, shared.v4), (&mut self.v6, shared.v6)] {
            if let (Some(node), Some(id)) = (node, id) {
                node.cancel(now, id);
            }
        }
    }

    pub fn add_bootstrap(&mut self, now: Instant, entry: Entry) {
        self.balance();
        self.nodes().for_each(|node| node.add_bootstrap(now, entry));
    }

    pub fn add_node(&mut self, now: Instant, addr: SocketAddr) {
        self.nodes().for_each(|node| node.add_node(now, addr));
    }

    /// BEP 43, for both.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.nodes().for_each(|node| node.set_read_only(read_only));
    }

    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.balance();
        let (node, other) = match Family::of(canonical(from)) {
            Family::V4 => (&mut self.v4, &self.v6),
            Family::V6 => (&mut self.v6, &self.v4),
        };
        if let Some(node) = node {
            node.handle_packet(now, from, bytes, other.as_ref().map(Node::table));
        }
        self.exchange(now);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.balance();
        self.nodes().for_each(|node| node.handle_timeout(now));
        self.exchange(now);
    }

    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.nodes().find_map(Node::poll_transmit)
    }

    pub fn poll_event(&mut self) -> Option<DualEvent> {
        for family in [Family::V4, Family::V6] {
            while let Some(event) = self.node(family).and_then(Node::poll_event) {
                if let Some(event) = self.translate(family, event) {
                    return Some(event);
                }
            }
        }
        None
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        [&self.v4, &self.v6].into_iter().flatten().filter_map(Node::poll_timeout).min()
    }

    /// Of the IPv4 and the IPv6 node.
    pub fn status(&self) -> [Option<NodeStatus>; 2] {
        [&self.v4, &self.v6].map(|node| node.as_ref().map(Node::status))
    }

    fn nodes(&mut self) -> impl Iterator<Item = &mut Node> {
        [&mut self.v4, &mut self.v6].into_iter().flatten()
    }

    fn node(&mut self, family: Family) -> Option<&mut Node> {
        match family {
            Family::V4 => self.v4.as_mut(),
            Family::V6 => self.v6.as_mut(),
        }
    }

    /// Each asks for the other's nodes while that one has too few (BEP 32, "Bootstrapping").
    fn balance(&mut self) {
        let short = |node: &Option<Node>| node.as_ref().is_some_and(|node| node.table().len() < Bootstrap::ENOUGH);
        let (short_v4, short_v6) = (short(&self.v4), short(&self.v6));
        if let Some(node) = &mut self.v4 {
            node.set_want_other(short_v6);
        }
        if let Some(node) = &mut self.v6 {
            node.set_want_other(short_v4);
        }
    }

    /// Hands each the nodes that the other heard of.
    fn exchange(&mut self, now: Instant) {
        let from_v4 = self.v4.as_mut().map(Node::take_other_family).unwrap_or_default();
        let from_v6 = self.v6.as_mut().map(Node::take_other_family).unwrap_or_default();
        if let Some(node) = &mut self.v6 {
            node.add_contacts(now, &from_v4);
        }
        if let Some(node) = &mut self.v4 {
            node.add_contacts(now, &from_v6);
        }
    }

    /// An event of one node in the name of the shared lookup; `None` for what is no longer of interest, and for the
    /// first of two ends.
    fn translate(&mut self, family: Family, event: DhtEvent) -> Option<DualEvent> {
        let shared_id = |shared: &BTreeMap<LookupId, Shared>, own: LookupId| {
            let is = |entry: &Shared| match family {
                Family::V4 => entry.v4 == Some(own),
                Family::V6 => entry.v6 == Some(own),
            };
            shared.iter().find(|(_, entry)| is(entry)).map(|(&id, _)| id)
        };
        match event {
            DhtEvent::Peers { lookup, peers } => {
                Some(DualEvent::Peers { lookup: shared_id(&self.shared, lookup)?, peers })
            }
            DhtEvent::Announced { lookup, nodes } => {
                let lookup = shared_id(&self.shared, lookup)?;
                self.retire(lookup, family);
                Some(DualEvent::Announced { lookup, nodes })
            }
            DhtEvent::Finished { lookup, report, announces } => {
                let lookup = shared_id(&self.shared, lookup)?;
                let shared = self.shared.get_mut(&lookup)?;
                shared.open -= 1;
                shared.report.add(&report);
                let (open, report) = (shared.open, shared.report);
                let over = open == 0 || self.give_up_waiting(lookup, family);
                if !announces {
                    self.retire(lookup, family);
                }
                over.then_some(DualEvent::Finished { lookup, report })
            }
            DhtEvent::External(ip) => Some(DualEvent::External(ip)),
        }
    }

    /// Ends the other family's part of a lookup if it has had nobody to ask; true if so.
    fn give_up_waiting(&mut self, lookup: LookupId, done: Family) -> bool {
        let Some(shared) = self.shared.get(&lookup) else { return false };
        let (node, id, other) = match done {
            Family::V4 => (&mut self.v6, shared.v6, Family::V6),
            Family::V6 => (&mut self.v4, shared.v4, Family::V4),
        };
        let (Some(node), Some(id)) = (node, id) else { return false };
        let waiting = node.is_waiting(id);
        if waiting {
            node.forget(id);
            self.retire(lookup, other);
        }
        waiting
    }

    /// Nothing more comes of the lookup from that family.
    fn retire(&mut self, lookup: LookupId, family: Family) {
        let Some(shared) = self.shared.get_mut(&lookup) else { return };
        match family {
            Family::V4 => shared.v4 = None,
            Family::V6 => shared.v6 = None,
        }
        if shared.v4.is_none() && shared.v6.is_none() {
            self.shared.remove(&lookup);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;

    use super::super::krpc::{Ask, Body, Message, Query, Reply};
    use super::super::node_id::Contact;
    use super::*;

    const BOTH: [Family; 2] = [Family::V4, Family::V6];
    const HASH: InfoHashV1 = InfoHashV1([3; 20]);

    fn dual(saved: Option<&[u8]>) -> (Dual, Instant) {
        let now = Instant::now();
        (Dual::new(now, &BOTH, saved, &mut StdRng::seed_from_u64(8)), now)
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn sent(dual: &mut Dual) -> Vec<(SocketAddr, Message)> {
        std::iter::from_fn(|| dual.poll_transmit()).map(|(to, bytes)| (to, Message::decode(&bytes).unwrap())).collect()
    }

    /// Answers the query for peers that went to `from`.
    fn answer(dual: &mut Dual, now: Instant, sent: &[(SocketAddr, Message)], from: SocketAddr, reply: Reply) {
        let peers = |message: &Message| matches!(&message.body, Body::Query(Query { ask: Ask::GetPeers { .. }, .. }));
        let asked = sent.iter().find(|(to, message)| *to == from && peers(message)).expect("it was asked for peers");
        let body = Body::Reply(Box::new(reply));
        let message = Message { transaction: asked.1.transaction.clone(), body, ip: None, read_only: false };
        dual.handle_packet(now, from, &message.encode());
    }

    #[test]
    fn an_ipv4_router_leads_into_the_ipv6_network_too() {
        let (mut dual, now) = dual(None);
        let (router, six) = (addr("60.0.0.1:1"), addr("[2a02::7]:1"));
        let lookup = dual.get_peers(now, HASH, None);
        dual.add_bootstrap(now, Entry { addr: router, router: true });
        let queries = sent(&mut dual);
        let wants_both =
            |message: &Message| matches!(&message.body, Body::Query(query) if query.want.v4 && query.want.v6);
        assert!(queries.iter().all(|(_, message)| wants_both(message)));
        let nodes6 = Some(vec![Contact { id: NodeId([9; 20]), addr: six }]);
        answer(&mut dual, now, &queries, router, Reply { nodes6, ..Reply::bare(NodeId([1; 20])) });
        let peer = addr("[2a02::99]:5");
        let queries = sent(&mut dual);
        answer(&mut dual, now, &queries, six, Reply { values: vec![peer], ..Reply::bare(NodeId([9; 20])) });
        let events: Vec<DualEvent> = std::iter::from_fn(|| dual.poll_event()).collect();
        assert!(events.contains(&DualEvent::Peers { lookup, peers: vec![peer] }), "{events:?}");
    }

    #[test]
    fn a_family_that_has_nobody_to_ask_does_not_hold_up_the_end() {
        let (mut dual, now) = dual(None);
        let node = addr("60.0.0.1:1");
        let lookup = dual.get_peers(now, HASH, None);
        dual.add_bootstrap(now, Entry { addr: node, router: false });
        let queries = sent(&mut dual);
        answer(&mut dual, now, &queries, node, Reply::bare(NodeId([1; 20])));
        assert!(matches!(dual.poll_event(), Some(DualEvent::Finished { lookup: over, .. }) if over == lookup));
        assert!(dual.shared.is_empty());
    }

    #[test]
    fn tables_come_back_from_what_was_saved_and_rubbish_is_as_good_as_nothing() {
        let (mut first, now) = dual(None);
        for n in 1..=5u8 {
            let at = SocketAddr::from(([60, n, 0, 1], 1));
            first.add_node(now, at);
            let asked = sent(&mut first).remove(0).1;
            let body = Body::Reply(Box::new(Reply::bare(NodeId([n; 20]))));
            let message = Message { transaction: asked.transaction, body, ip: None, read_only: false };
            first.handle_packet(now, at, &message.encode());
        }
        let bytes = first.save();
        let (second, _) = dual(Some(&bytes));
        let status = second.status()[0].unwrap();
        assert_eq!((status.nodes, status.confirmed), (5, 0));
        assert_eq!(second.v4.as_ref().unwrap().id(), first.v4.as_ref().unwrap().id());
        for rubbish in [b"".as_slice(), b"d2:v4i7ee", b"d2:v4d2:id3:abc5:nodes1:xee", &bytes[..bytes.len() / 2]] {
            assert_eq!(dual(Some(rubbish)).0.status()[0].unwrap().nodes, 0);
        }
    }

    #[test]
    fn a_cancelled_lookup_leaves_nothing_behind() {
        let (mut dual, now) = dual(None);
        let lookup = dual.get_peers(now, HASH, None);
        dual.cancel(now, lookup);
        assert!(dual.shared.is_empty());
        dual.handle_timeout(now + Duration::from_secs(60));
        assert_eq!(dual.poll_event(), None);
    }
}
