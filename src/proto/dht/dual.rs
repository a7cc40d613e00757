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
use super::krpc::{contact_bytes, contacts_from};
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
    /// The lookup is over in both.
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
                if !announces {
                    self.retire(lookup, family);
                }
                (open == 0).then_some(DualEvent::Finished { lookup, report })
            }
            DhtEvent::External(ip) => Some(DualEvent::External(ip)),
        }
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
