//! One node of one DHT (IPv4 or IPv6): the router between datagrams, the table, the lookups and the server.
//!
//! It reads no clock and owns no socket. The driver calls `handle_packet` and `handle_timeout`, then takes what
//! `poll_transmit` and `poll_event` have until they are empty, and comes back at `poll_timeout`.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::bootstrap::{Bootstrap, Entry};
use super::external::Votes;
use super::krpc::{Ask, Body, Message, Query, Reply, Want};
use super::lookup::{Announce, Goal, Lookup, Report};
use super::node_id::{Contact, NodeId};
use super::rtt::RoundTrips;
use super::server::{Asked, Server, Tables};
use super::table::Table;
use super::transactions::{LookupId, Overdue, Pending, Purpose, Transactions};
use crate::base::compact::{canonical, is_global};
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
    round_trips: RoundTrips,
    transactions: Transactions,
    running: BTreeMap<LookupId, Running>,
    /// Lookups that wait for others to end.
    queued: VecDeque<(LookupId, NodeId, Goal)>,
    announcing: BTreeMap<LookupId, Announcing>,
    /// Who was nearest to what we looked for lately: the next lookup begins there.
    nearest: VecDeque<(NodeId, Vec<Contact>)>,
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
            table,
            server,
            bootstrap,
            votes: Votes::default(),
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

    // What comes in.

    fn on_query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: Vec<u8>,
        query: Query,
        read_only: bool,
        other: Option<&Table>,
    ) {
        if self.read_only {
            return;
        }
        let contact = Contact { id: query.id, addr: from };
        let own = Some(&self.table);
        let tables = match self.family {
            Family::V4 => Tables { v4: own, v6: other },
            Family::V6 => Tables { v4: other, v6: own },
        };
        let id = self.table.own();
        let asked = Asked { from, transaction, query };
        let answer = self.server.answer(now, id, asked, tables, &mut self.rng);
        let Some(bytes) = answer else { return };
        self.status.served += 1;
        self.transmits.push_back((from, bytes));
        if !read_only && !self.bootstrap.is_router(from) && self.table.asked_us(now, contact) {
            self.upkeep_at = self.upkeep_at.min(now + Self::UPKEEP_PAUSE);
        }
    }

    fn on_reply(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
        mut reply: Reply,
        ip: Option<SocketAddr>,
    ) {
        let Some(pending) = self.transactions.close(transaction, from) else { return };
        self.status.answers += 1;
        self.heard = Some(now);
        self.round_trips.measured(now.saturating_duration_since(pending.sent));
        let contact = Contact { id: reply.id, addr: from };
        if reply.id == self.table.own() {
            return self.on_own_echo(now, pending);
        }
        if !self.bootstrap.is_router(from) {
            self.table.answered(now, contact);
        }
        if let Some(ip) = ip.and_then(|ip| self.votes.count(from, ip.ip())) {
            self.on_external(now, ip);
        }
        let named = self.named_in(now, contact, &mut reply);
        match pending.purpose {
            Purpose::Lookup(id) => self.on_lookup_reply(now, id, contact, reply, &named),
            Purpose::Announce(id) => self.on_announced(id, true),
            Purpose::Upkeep => {}
        }
    }

    /// The nodes of our family that an answer names; the table hears of them, the other family's are put aside.
    fn named_in(&mut self, now: Instant, from: Contact, reply: &mut Reply) -> Vec<Contact> {
        let (mine, others) = match self.family {
            Family::V4 => (reply.nodes.take(), reply.nodes6.take()),
            Family::V6 => (reply.nodes6.take(), reply.nodes.take()),
        };
        if self.want_other && self.other_family.len() < Self::MAX_OTHERS {
            self.other_family.extend(others.unwrap_or_default());
        }
        let (own, family, inside) = (self.table.own(), self.family, !is_global(from.addr.ip()));
        let mut named = mine.unwrap_or_default();
        named.truncate(Self::MAX_NAMED);
        named.retain(|contact| {
            let ip = contact.addr.ip();
            let nowhere = ip.is_unspecified() || ip.is_multicast() || Family::of(contact.addr) != family;
            !nowhere && contact.id != own && (inside || is_global(ip))
        });
        let mut news = false;
        for &contact in named.iter().filter(|contact| !self.bootstrap.is_router(contact.addr)) {
            news |= self.table.heard_of(now, contact);
        }
        if news {
            self.upkeep_at = self.upkeep_at.min(now + Self::UPKEEP_PAUSE);
        }
        named
    }

    fn on_lookup_reply(&mut self, now: Instant, id: LookupId, from: Contact, reply: Reply, named: &[Contact]) {
        let family = self.family;
        let Some(running) = self.running.get_mut(&id) else { return };
        running.lookup.on_answer(from, reply.token, named);
        running.hedge_at = None;
        if matches!(running.lookup.goal(), Goal::Peers { .. }) {
            let values: Vec<SocketAddr> = reply.values.into_iter().filter(|peer| Family::of(*peer) == family).collect();
            let peers = running.lookup.on_peers(now, from.addr, &values);
            if !peers.is_empty() {
                self.events.push_back(DhtEvent::Peers { lookup: id, peers });
            }
        }
        self.pump(now, id);
    }

    /// Somebody handed us our own address, or answers in our name.
    fn on_own_echo(&mut self, now: Instant, pending: Pending) {
        self.settle_without_answer(now, pending);
    }

    /// An error is a sign of life, but no help to a lookup.
    fn on_error(&mut self, now: Instant, from: SocketAddr, transaction: &[u8]) {
        let Some(pending) = self.transactions.close(transaction, from) else { return };
        self.heard = Some(now);
        self.settle_without_answer(now, pending);
    }

    fn on_slow(&mut self, now: Instant, pending: Pending) {
        if let Purpose::Lookup(id) = pending.purpose {
            if let Some(running) = self.running.get_mut(&id) {
                running.lookup.on_slow(pending.to);
            }
            self.pump(now, id);
        }
    }

    fn on_lost(&mut self, now: Instant, pending: Pending) {
        let others_answer = self.heard.is_some_and(|heard| heard >= pending.sent);
        if let Some(id) = pending.id.filter(|_| others_answer) {
            self.table.failed(now, Contact { id, addr: pending.to });
        }
        self.settle_without_answer(now, pending);
    }

    fn settle_without_answer(&mut self, now: Instant, pending: Pending) {
        match pending.purpose {
            Purpose::Lookup(id) => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.lookup.on_lost(pending.to);
                }
                self.pump(now, id);
            }
            Purpose::Announce(id) => self.on_announced(id, false),
            Purpose::Upkeep => {}
        }
    }

    /// The world sees us at `ip`: our id has to fit it (BEP 42).
    fn on_external(&mut self, now: Instant, ip: IpAddr) {
        self.events.push_back(DhtEvent::External(ip));
        if !self.table.own().fits(ip) {
            let own = NodeId::for_address(ip, &mut self.rng);
            self.table = self.table.rebuilt(own, now);
            self.find_node(now, own);
        }
    }

    // Lookups.

    fn enqueue(&mut self, now: Instant, target: NodeId, goal: Goal) -> LookupId {
        let id = LookupId(self.next_lookup);
        self.next_lookup += 1;
        self.queued.push_back((id, target, goal));
        self.start_queued(now);
        id
    }

    fn start_queued(&mut self, now: Instant) {
        while self.running.len() < Self::MAX_RUNNING {
            let Some((id, target, goal)) = self.queued.pop_front() else { return };
            self.start(now, id, target, goal);
        }
    }

    /// The lookup itself is the way in: where the table is empty, it begins with the routers.
    fn start(&mut self, now: Instant, id: LookupId, target: NodeId, goal: Goal) {
        let mut lookup = Lookup::new(now, target, goal);
        if let Some((_, contacts)) = self.nearest.iter().find(|(of, _)| *of == target) {
            lookup.add_known(contacts);
        }
        lookup.add_known(&self.table.closest_usable(&target, Self::BEGIN_WITH));
        let mut hedge_at = Some(now + Self::HEDGE);
        if self.table.len() < Bootstrap::ENOUGH {
            hedge_at = None;
            self.bootstrap.entries().iter().for_each(|&entry| lookup.add_seed(entry));
        }
        self.running.insert(id, Running { lookup, hedge_at });
        self.pump(now, id);
    }

    /// Sends what the lookup wants sent, and ends it if that was all.
    fn pump(&mut self, now: Instant, id: LookupId) {
        loop {
            let Some(running) = self.running.get_mut(&id) else { return };
            if self.transactions.is_full() {
                return;
            }
            let Some((to, node)) = running.lookup.next_query(now) else { break };
            let ask = match running.lookup.goal() {
                Goal::Nodes => Ask::FindNode { target: running.lookup.target() },
                Goal::Peers { info_hash, .. } => Ask::GetPeers { info_hash, scrape: false, no_seeds: false },
            };
            self.send(now, to, node, Purpose::Lookup(id), ask);
        }
        if self.running.get(&id).is_some_and(|running| running.lookup.is_done(now)) {
            self.finish(now, id);
        }
    }

    fn finish(&mut self, now: Instant, id: LookupId) {
        let Some(Running { lookup, .. }) = self.running.remove(&id) else { return };
        if let Goal::Peers { info_hash, announce } = lookup.goal() {
            self.remember(lookup.target(), lookup.closest());
            self.events.push_back(DhtEvent::Finished {
                lookup: id,
                report: lookup.report(),
                announces: announce.is_some(),
            });
            if let Some(announce) = announce {
                self.announce(now, id, info_hash, announce, lookup.announce_to());
            }
        }
        self.start_queued(now);
    }

    fn announce(
        &mut self,
        now: Instant,
        id: LookupId,
        info_hash: InfoHashV1,
        announce: Announce,
        to: Vec<(Contact, Vec<u8>)>,
    ) {
        if to.is_empty() {
            self.events.push_back(DhtEvent::Announced { lookup: id, nodes: 0 });
            return;
        }
        self.announcing.insert(id, Announcing { awaited: to.len() as u32, taken: 0 });
        for (contact, token) in to {
            let ask = Ask::AnnouncePeer { info_hash, port: Some(announce.port), token, seed: announce.seed };
            self.send(now, contact.addr, Some(contact.id), Purpose::Announce(id), ask);
        }
    }

    fn on_announced(&mut self, id: LookupId, taken: bool) {
        let Some(announcing) = self.announcing.get_mut(&id) else { return };
        announcing.awaited -= 1;
        announcing.taken += u32::from(taken);
        if announcing.awaited == 0 {
            let nodes = announcing.taken;
            self.announcing.remove(&id);
            self.events.push_back(DhtEvent::Announced { lookup: id, nodes });
        }
    }

    fn remember(&mut self, target: NodeId, contacts: Vec<Contact>) {
        self.nearest.retain(|(of, _)| *of != target);
        if self.nearest.len() >= Self::REMEMBERED {
            self.nearest.pop_front();
        }
        if !contacts.is_empty() {
            self.nearest.push_back((target, contacts));
        }
    }

    /// A new address to ask helps every lookup that nobody has answered yet.
    fn seed_lookups(&mut self, now: Instant, entry: Entry) {
        let waiting =
            self.running.iter().filter(|(_, running)| !running.lookup.has_answers() && running.hedge_at.is_none());
        let ids: Vec<LookupId> = waiting.map(|(&id, _)| id).collect();
        for id in ids {
            if let Some(running) = self.running.get_mut(&id) {
                running.lookup.add_seed(entry);
            }
            self.pump(now, id);
        }
    }

    // What time brings.

    /// Lookups that the saved nodes have not answered go to the routers too.
    fn hedge(&mut self, now: Instant) {
        let mut ids = Vec::new();
        for (&id, running) in &mut self.running {
            if running.hedge_at.is_some_and(|at| at <= now) {
                running.hedge_at = None;
                self.bootstrap.entries().iter().for_each(|&entry| running.lookup.add_seed(entry));
                ids.push(id);
            }
        }
        ids.into_iter().for_each(|id| self.pump(now, id));
    }

    fn finish_spent(&mut self, now: Instant) {
        let done = self.running.iter().filter(|(_, running)| running.lookup.is_done(now));
        let ids: Vec<LookupId> = done.map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| self.finish(now, id));
    }

    fn bootstrap_if_due(&mut self, now: Instant) {
        if !self.bootstrap.is_due(now, self.table.confirmed()) {
            return;
        }
        let own = self.table.own();
        if self.running.values().any(|running| running.lookup.target() == own) {
            return;
        }
        self.find_node(now, own);
    }

    fn upkeep(&mut self, now: Instant) {
        if now < self.upkeep_at {
            return;
        }
        self.upkeep_at = now + Self::UPKEEP_REST;
        if let Some(check) = self.table.due(now) {
            let target = check.bucket.target(self.table.own(), &mut self.rng);
            let contact = check.contact;
            self.send(now, contact.addr, Some(contact.id), Purpose::Upkeep, Ask::FindNode { target });
            self.upkeep_at = now + if self.is_cut_off(now) { Self::UPKEEP_REST } else { Self::UPKEEP_PAUSE };
        } else if let Some(bucket) = self.table.stale_bucket(now) {
            let target = bucket.target(self.table.own(), &mut self.rng);
            self.find_node(now, target);
        }
    }

    /// Nobody has answered for a while, though somebody was asked: there may be no network.
    fn is_cut_off(&self, now: Instant) -> bool {
        let silence = self.heard.map_or(Duration::MAX, |heard| now.saturating_duration_since(heard));
        self.transactions.open_count() > 1 && silence > Transactions::LOST_AFTER * 2
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

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([3; 20]);

    fn node(seed: u64) -> (Node, Instant) {
        let now = Instant::now();
        (Node::new(now, Family::V4, StdRng::seed_from_u64(seed)), now)
    }

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([60, n, 0, 1], 6881))
    }

    fn sent(node: &mut Node) -> Vec<(SocketAddr, Message)> {
        std::iter::from_fn(|| node.poll_transmit()).map(|(to, bytes)| (to, Message::decode(&bytes).unwrap())).collect()
    }

    fn events(node: &mut Node) -> Vec<DhtEvent> {
        std::iter::from_fn(|| node.poll_event()).collect()
    }

    fn answer(to: &Message, reply: Reply) -> Message {
        let body = Body::Reply(Box::new(reply));
        Message { transaction: to.transaction.clone(), body, ip: None, read_only: false }
    }

    fn id(n: u8) -> NodeId {
        NodeId([n; 20])
    }

    fn get_peers_to(sent: &[(SocketAddr, Message)], to: SocketAddr) -> Message {
        let is = |message: &Message| matches!(&message.body, Body::Query(Query { ask: Ask::GetPeers { .. }, .. }));
        sent.iter().find(|(addr, message)| *addr == to && is(message)).expect("it was asked for peers").1.clone()
    }

    #[test]
    fn with_nothing_but_a_router_the_lookup_is_the_way_in_and_peers_come_with_the_answer() {
        let (mut node, now) = node(1);
        let lookup = node.get_peers(now, HASH, Some(Announce { port: 7000, seed: true }));
        assert_eq!(sent(&mut node), []);
        node.add_bootstrap(now, Entry { addr: addr(1), router: true });
        let asked = get_peers_to(&sent(&mut node), addr(1));
        let near = Contact { id: id(2), addr: addr(2) };
        let reply = Reply { nodes: Some(vec![near]), token: Some(vec![9]), ..Reply::bare(id(1)) };
        node.handle_packet(now, addr(1), &answer(&asked, reply).encode(), None);
        assert_eq!(node.status().confirmed, 0, "a router is not kept");
        let asked = get_peers_to(&sent(&mut node), addr(2));
        let peer: SocketAddr = "61.0.0.9:6881".parse().unwrap();
        let reply = Reply { values: vec![peer], token: Some(b"tok".to_vec()), ..Reply::bare(id(2)) };
        node.handle_packet(now, addr(2), &answer(&asked, reply).encode(), None);
        let events = events(&mut node);
        assert_eq!(events[0], DhtEvent::Peers { lookup, peers: vec![peer] });
        assert!(matches!(events[1], DhtEvent::Finished { announces: true, .. }), "{events:?}");
        let announced = sent(&mut node).into_iter().find_map(|(to, message)| match message.body {
            Body::Query(Query { ask: Ask::AnnouncePeer { info_hash, port, token, seed }, .. }) => {
                Some((to, info_hash, port, token, seed))
            }
            _ => None,
        });
        assert_eq!(announced, Some((addr(2), HASH, Some(7000), b"tok".to_vec(), true)));
    }

    #[test]
    fn a_spoofed_answer_changes_nothing() {
        let (mut node, now) = node(2);
        node.get_peers(now, HASH, None);
        node.add_bootstrap(now, Entry { addr: addr(1), router: false });
        let asked = get_peers_to(&sent(&mut node), addr(1));
        let peer: SocketAddr = "61.0.0.9:6881".parse().unwrap();
        let lie = answer(&asked, Reply { values: vec![peer], ..Reply::bare(id(1)) });
        node.handle_packet(now, addr(7), &lie.encode(), None);
        let mut guessed = lie.clone();
        guessed.transaction[0] ^= 1;
        node.handle_packet(now, addr(1), &guessed.encode(), None);
        assert_eq!((events(&mut node), node.status().answers), (vec![], 0));
        node.handle_packet(now, addr(1), &lie.encode(), None);
        assert_eq!(node.status().answers, 1);
    }

    #[test]
    fn a_read_only_node_says_so_and_answers_nobody() {
        let (mut node, now) = node(3);
        let ping = Body::Query(Query { id: id(9), want: Want::default(), ask: Ask::Ping });
        let ping = Message { transaction: vec![1], body: ping, ip: None, read_only: false }.encode();
        node.set_read_only(true);
        node.handle_packet(now, addr(9), &ping, None);
        node.handle_packet(now, addr(9), b"d1:q4:ping1:t2:aa1:y1:qe", None);
        assert_eq!(sent(&mut node), []);
        node.add_node(now, addr(1));
        assert!(sent(&mut node)[0].1.read_only);
        node.set_read_only(false);
        node.handle_packet(now, addr(9), &ping, None);
        let reply = sent(&mut node);
        assert!(matches!(reply[0].1.body, Body::Reply(_)) && reply[0].1.ip == Some(addr(9)));
    }

    #[test]
    fn who_asks_is_asked_back_unless_it_is_read_only() {
        let (mut node, now) = node(4);
        let ask = |n: u8, read_only| {
            let body = Body::Query(Query { id: id(n), want: Want::default(), ask: Ask::Ping });
            Message { transaction: vec![n], body, ip: None, read_only }.encode()
        };
        node.handle_packet(now, addr(1), &ask(1, true), None);
        node.handle_packet(now, addr(2), &ask(2, false), None);
        sent(&mut node);
        let later = node.poll_timeout().expect("upkeep is due");
        node.handle_timeout(later);
        let asked: Vec<SocketAddr> = sent(&mut node).into_iter().map(|(to, _)| to).collect();
        assert_eq!(asked, [addr(2)]);
    }

    #[test]
    fn an_id_follows_the_address_that_nodes_report() {
        let (mut node, now) = node(5);
        let ours: SocketAddr = "88.77.66.55:4000".parse().unwrap();
        for n in 1..=4 {
            node.add_node(now, addr(n));
            let asked = sent(&mut node).remove(0).1;
            let mut reply = answer(&asked, Reply::bare(id(n)));
            reply.ip = Some(ours);
            node.handle_packet(now, addr(n), &reply.encode(), None);
        }
        assert!(node.id().fits(ours.ip()));
        assert_eq!(node.status().nodes, 4, "the table is kept");
        assert!(events(&mut node).contains(&DhtEvent::External(ours.ip())));
    }

    #[test]
    fn without_a_network_nobody_is_blamed_and_little_is_sent() {
        let (_, now) = node(6);
        let saved: Vec<Contact> = (1..=60).map(|n| Contact { id: id(n), addr: addr(n) }).collect();
        let mut node = Node::restored(now, Family::V4, id(0), &saved, StdRng::seed_from_u64(6));
        let known = node.status().nodes;
        let (mut at, mut queries) = (now, 0);
        while at < now + Duration::from_secs(3600) {
            at = node.poll_timeout().expect("it goes on trying").max(at + Duration::from_millis(1));
            node.handle_timeout(at);
            queries += sent(&mut node).len();
        }
        assert_eq!(node.status().nodes, known);
        assert!(queries < 1_500, "{queries} in an hour");
    }

    #[test]
    fn hostile_datagrams_neither_panic_nor_grow_anything() {
        use rand::RngExt;
        let (mut node, now) = node(7);
        node.get_peers(now, HASH, None);
        node.add_bootstrap(now, Entry { addr: addr(1), router: false });
        let mut seeds: Vec<Vec<u8>> = sent(&mut node).into_iter().map(|(_, message)| message.encode()).collect();
        seeds.push(answer(&Message::decode(&seeds[0]).unwrap(), Reply::bare(id(1))).encode());
        let mut rng = StdRng::seed_from_u64(99);
        for n in 0..20_000u32 {
            let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
            for _ in 0..rng.random_range(0..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            bytes.truncate(rng.random_range(0..=bytes.len()));
            let from = SocketAddr::new(IpAddr::from((0x3d00_0000 + n % 5_000).to_be_bytes()), 6881);
            node.handle_packet(now, if n % 3 == 0 { addr(1) } else { from }, &bytes, None);
            while node.poll_transmit().is_some() {}
        }
        assert!(node.table.contacts().len() < 400 && node.transactions.open_count() < 50);
        assert!(node.running.len() <= 2 && node.events.len() < 100);
    }
}
