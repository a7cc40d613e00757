//! One node of one DHT (IPv4 or IPv6): the router between datagrams, the table, the lookups and the server.
//!
//! It reads no clock and owns no socket. The driver calls `handle_packet` and `handle_timeout`, then takes what
//! `poll_transmit` and `poll_event` have until they are empty, and comes back at `poll_timeout`.

mod incoming;
mod lookups;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::bootstrap::{Bootstrap, Entry};
use super::density::Density;
use super::external::{PortSeen, PortVotes, Votes};
use super::krpc::{Ask, Body, Message, Query, Want};
use super::lookup::{Announce, Goal, Lookup, Report};
use super::node_id::{Contact, NodeId};
use super::rtt::RoundTrips;
use super::server::Server;
use super::table::Table;
use super::transactions::{LookupId, Overdue, Purpose, Transactions};
use crate::base::compact::canonical;
use crate::base::id::InfoHashV1;

/// Which of the two DHTs a node belongs to (BEP 32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(addr: SocketAddr) -> Family {
        if addr.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// What a node tells its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DhtEvent {
    /// Peers that this lookup had not seen before; at once, as each answer comes.
    Peers { lookup: LookupId, peers: Vec<SocketAddr> },
    /// The lookup is over. Where it `announces`, one [`DhtEvent::Announced`] is still to come.
    Finished { lookup: LookupId, report: Report, announces: bool },
    /// So many nodes have taken the announce.
    Announced { lookup: LookupId, nodes: u32 },
    /// Enough nodes agree on where they see us.
    External(IpAddr),
}

/// A moment of a node, for displays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeStatus {
    /// In the table.
    pub nodes: u32,
    /// Of those, how many have answered in this run.
    pub confirmed: u32,
    /// Queries sent, and how many of them were answered.
    pub queries: u64,
    pub answers: u64,
    /// Queries of others that were answered.
    pub served: u64,
    pub external: Option<IpAddr>,
    /// From which port nodes see us come.
    pub port: Option<PortSeen>,
}

#[derive(Debug)]
struct Running {
    lookup: Lookup,
    /// When the routers are asked too, if nobody has answered by then.
    hedge_at: Option<Instant>,
}

/// An announce on its way: answers awaited, and nodes that took it.
#[derive(Clone, Copy, Debug, Default)]
struct Announcing {
    awaited: u32,
    taken: u32,
}

#[derive(Debug)]
pub struct Node {
    family: Family,
    /// We answer nobody and say so (BEP 43).
    read_only: bool,
    /// Ask for nodes of the other family too.
    want_other: bool,
    rng: StdRng,
    table: Table,
    server: Server,
    bootstrap: Bootstrap,
    votes: Votes,
    port_votes: PortVotes,
    round_trips: RoundTrips,
    transactions: Transactions,
    running: BTreeMap<LookupId, Running>,
    /// Lookups that wait for others to end.
    queued: VecDeque<(LookupId, NodeId, Goal)>,
    announcing: BTreeMap<LookupId, Announcing>,
    /// Who was nearest to what we looked for lately: the next lookup begins there.
    nearest: VecDeque<(NodeId, Vec<Contact>)>,
    density: Density,
    next_lookup: u64,
    upkeep_at: Instant,
    /// When any answer last came: silence after that is the network's, not a node's.
    heard: Option<Instant>,
    status: NodeStatus,
    /// Nodes of the other family that answers named.
    other_family: Vec<Contact>,
    transmits: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<DhtEvent>,
}

impl Node {
    /// Lookups that run at once; more wait.
    const MAX_RUNNING: usize = 16;
    /// Saved nodes get this long before the routers are asked beside them.
    const HEDGE: Duration = Duration::from_millis(700);
    const UPKEEP_PAUSE: Duration = Duration::from_secs(1);
    const UPKEEP_REST: Duration = Duration::from_secs(30);
    /// Nodes to begin a lookup with.
    const BEGIN_WITH: usize = 16;
    const REMEMBERED: usize = 64;
    const MAX_OTHERS: usize = 64;
    /// Nodes taken from one answer.
    const MAX_NAMED: usize = 16;

    /// A node with nothing but a random id. `rng` must not be predictable by others: ids and tokens come from it.
    pub fn new(now: Instant, family: Family, mut rng: StdRng) -> Node {
        let own = NodeId::random(&mut rng);
        Node::with_table(now, family, Table::new(own, now), rng)
    }

    /// A node that goes on under the id and with the contacts of an earlier run.
    pub fn restored(now: Instant, family: Family, own: NodeId, contacts: &[Contact], rng: StdRng) -> Node {
        let mut table = Table::new(own, now);
        for &contact in contacts.iter().filter(|contact| Family::of(contact.addr) == family) {
            table.restore(now, contact);
        }
        Node::with_table(now, family, table, rng)
    }

    /// A node that begins with this table and its id.
    pub fn with_table(now: Instant, family: Family, table: Table, mut rng: StdRng) -> Node {
        let mut bootstrap = Bootstrap::default();
        if !table.is_empty() {
            bootstrap.wake(now);
        }
        let server = Server::new(now, &mut rng);
        Node {
            family,
            read_only: false,
            want_other: false,
            density: Density::of(&table),
            table,
            server,
            bootstrap,
            votes: Votes::default(),
            port_votes: PortVotes::default(),
            round_trips: RoundTrips::default(),
            transactions: Transactions::default(),
            running: BTreeMap::new(),
            queued: VecDeque::new(),
            announcing: BTreeMap::new(),
            nearest: VecDeque::new(),
            next_lookup: 0,
            upkeep_at: now + Self::UPKEEP_PAUSE,
            heard: None,
            status: NodeStatus::default(),
            other_family: Vec::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            rng: StdRng::from_rng(&mut rng),
        }
    }

    pub fn family(&self) -> Family {
        self.family
    }

    pub fn id(&self) -> NodeId {
        self.table.own()
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            nodes: self.table.len() as u32,
            confirmed: self.table.confirmed() as u32,
            external: self.votes.believed(),
            port: self.port_votes.seen(),
            ..self.status
        }
    }

    /// BEP 43: whether we ask without answering, as one who can't be reached does.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Whether queries ask for nodes of the other family too (BEP 32, "Bootstrapping").
    pub fn set_want_other(&mut self, want_other: bool) {
        self.want_other = want_other;
    }

    /// An address to ask as long as nobody else is known.
    pub fn add_bootstrap(&mut self, now: Instant, entry: Entry) {
        let entry = Entry { addr: canonical(entry.addr), ..entry };
        if Family::of(entry.addr) != self.family || !self.bootstrap.add(now, entry) {
            return;
        }
        self.seed_lookups(now, entry);
        self.handle_timeout(now);
    }

    /// An address where a node may be (a PORT message, a torrent's `nodes`): it is asked, and kept if it answers.
    pub fn add_node(&mut self, now: Instant, addr: SocketAddr) {
        let addr = canonical(addr);
        if Family::of(addr) != self.family
            || addr.port() == 0
            || self.transactions.open_count() >= Transactions::MAX / 4
        {
            return;
        }
        self.seed_lookups(now, Entry { addr, router: self.bootstrap.is_router(addr) });
        let target = self.table.own();
        self.send(now, addr, None, Purpose::Upkeep, Ask::FindNode { target });
        if self.table.confirmed() < Bootstrap::ENOUGH && self.bootstrap.next_time().is_none() {
            self.bootstrap.wake(now + Self::UPKEEP_PAUSE);
        }
    }

    /// Nodes that somebody else vouches for; lookups begin with them, the table takes those that answer.
    pub fn add_contacts(&mut self, now: Instant, contacts: &[Contact]) {
        let mine = |contact: &&Contact| Family::of(contact.addr) == self.family;
        let mine: Vec<Contact> = contacts.iter().filter(mine).take(32).copied().collect();
        if mine.is_empty() {
            return;
        }
        if self.table.len() < Bootstrap::ENOUGH {
            mine.iter().for_each(|&contact| self.table.restore(now, contact));
            self.bootstrap.wake(now);
        }
        let ids: Vec<LookupId> = self.running.keys().copied().collect();
        for id in ids {
            if let Some(running) = self.running.get_mut(&id).filter(|running| !running.lookup.has_answers()) {
                running.lookup.add_known(&mine);
            }
            self.pump(now, id);
        }
    }

    /// Looks for a torrent's peers, and announces us as one where `announce` says how.
    pub fn get_peers(&mut self, now: Instant, info_hash: InfoHashV1, announce: Option<Announce>) -> LookupId {
        self.enqueue(now, info_hash.into(), Goal::Peers { info_hash, announce })
    }

    /// Looks for the nodes nearest to `target`.
    pub fn find_node(&mut self, now: Instant, target: NodeId) -> LookupId {
        self.enqueue(now, target, Goal::Nodes)
    }

    /// Ends a lookup without a word; those that wait for its place start.
    pub fn cancel(&mut self, now: Instant, id: LookupId) {
        self.forget(id);
        self.start_queued(now);
    }

    /// Ends a lookup without a word.
    pub fn forget(&mut self, id: LookupId) {
        self.queued.retain(|(queued, ..)| *queued != id);
        self.running.remove(&id);
        self.announcing.remove(&id);
    }

    /// True if this lookup has had nobody to ask so far.
    pub fn is_waiting(&self, id: LookupId) -> bool {
        self.running.get(&id).is_some_and(|running| running.lookup.is_waiting())
    }

    pub fn handle_packet(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], other: Option<&Table>) {
        let from = canonical(from);
        if Family::of(from) != self.family || from.port() == 0 {
            return;
        }
        match Message::decode(bytes) {
            Ok(Message { transaction, body, ip, read_only }) => match body {
                Body::Query(query) => self.on_query(now, from, transaction, query, read_only, other),
                Body::Reply(reply) => self.on_reply(now, from, &transaction, *reply, ip),
                Body::Error { .. } => self.on_error(now, from, &transaction),
            },
            Err(malformed) => {
                if let Some(transaction) = malformed.query.filter(|_| !self.read_only) {
                    let answer = self.server.complain(now, from, transaction, malformed.reason);
                    self.transmits.extend(answer.map(|bytes| (from, bytes)));
                }
            }
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(overdue) = self.transactions.overdue(now) {
            match overdue {
                Overdue::Slow(pending) => self.on_slow(now, pending),
                Overdue::Lost(pending) => self.on_lost(now, pending),
            }
        }
        self.hedge(now);
        self.finish_spent(now);
        self.bootstrap_if_due(now);
        self.upkeep(now);
    }

    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.transmits.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<DhtEvent> {
        self.events.pop_front()
    }

    /// Nodes of the other family that were named since the last call.
    pub fn take_other_family(&mut self) -> Vec<Contact> {
        std::mem::take(&mut self.other_family)
    }

    /// When `handle_timeout` has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lookups = self.running.values();
        let lookups = lookups.map(|running| running.hedge_at.unwrap_or(running.lookup.deadline())).min();
        let idle = self.table.is_empty() && self.transactions.open_count() == 0;
        let upkeep = (!idle).then_some(self.upkeep_at);
        [self.transactions.next_time(), lookups, self.bootstrap.next_time(), upkeep].into_iter().flatten().min()
    }

    fn send(&mut self, now: Instant, to: SocketAddr, id: Option<NodeId>, purpose: Purpose, ask: Ask) {
        let patience = self.round_trips.patience();
        let transaction = self.transactions.open(now, to, id, purpose, patience, &mut self.rng).to_vec();
        let names_nodes = matches!(ask, Ask::FindNode { .. } | Ask::GetPeers { .. });
        let want = match self.want_other && names_nodes {
            true => Want { v4: true, v6: true },
            false => Want::default(),
        };
        let body = Body::Query(Query { id: self.table.own(), want, ask });
        let bytes = Message { transaction, body, ip: None, read_only: self.read_only }.encode();
        self.status.queries += 1;
        self.transmits.push_back((to, bytes));
    }
}
