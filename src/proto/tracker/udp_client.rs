//! The exchange of packets with UDP trackers (BEP 15): connect first, ask then, send again what is lost.
//!
//! One machine for all trackers of the run. Owns: the connection ids, which are used for a minute, and the queries under
//! way with their retransmissions (15·2ⁿ s). Invariant: an answer counts only if it comes from the address that was
//! asked and carries the transaction id that it was given.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::announce::{AnnounceReply, AnnounceRequest, Retry, TrackerError};
use super::scrape::Scrape;
use super::udp::{Body, Family, announce_request, connect_request, parse_response, scrape_request};
use crate::base::id::InfoHashV1;

/// How long a connection id may be used (BEP 15).
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// The first wait for an answer; each further one is twice as long (BEP 15).
const FIRST_WAIT: Duration = Duration::from_secs(15);

/// Names one query.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct QueryId(pub u64);

/// What a tracker is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    Announce {
        request: AnnounceRequest,
        /// Path and query of the tracker's URL (BEP 41).
        url_data: String,
    },
    /// At most [`super::udp::MAX_SCRAPE`] info hashes.
    Scrape(Vec<InfoHashV1>),
}

/// What it answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UdpAnswer {
    Announced(AnnounceReply),
    Scraped(Vec<Scrape>),
}

/// The end of a query.
pub type Outcome = Result<UdpAnswer, TrackerError>;

/// See the module.
#[derive(Debug)]
pub struct UdpClient {
    connections: HashMap<SocketAddr, Connection>,
    queries: BTreeMap<QueryId, Pending>,
    next_id: u64,
    packets: VecDeque<(SocketAddr, Vec<u8>)>,
    outcomes: VecDeque<(QueryId, Outcome)>,
    rng: StdRng,
}

#[derive(Debug, Default)]
struct Connection {
    /// The id, and until when it may be used.
    id: Option<(u64, Instant)>,
    connecting: Option<Attempt>,
}

#[derive(Debug)]
struct Pending {
    addr: SocketAddr,
    query: Query,
    give_up: Instant,
    /// The request that is out; `None` while there is no connection id.
    sent: Option<Attempt>,
    /// Packets sent in vain so far.
    tries: u32,
    /// The connection id that it goes with is one of an earlier query: the tracker may have forgotten it.
    borrowed: bool,
}

/// A packet that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    transaction: u32,
    due: Instant,
    tries: u32,
}

impl UdpClient {
    /// `rng` makes the transaction ids: seed it from the system.
    pub fn new(rng: StdRng) -> Self {
        UdpClient {
            connections: HashMap::new(),
            queries: BTreeMap::new(),
            next_id: 0,
            packets: VecDeque::new(),
            outcomes: VecDeque::new(),
            rng,
        }
    }

    /// Asks the tracker at `addr`, for no longer than until `give_up`.
    pub fn start(&mut self, now: Instant, addr: SocketAddr, query: Query, give_up: Instant) -> QueryId {
        let id = QueryId(self.next_id);
        self.next_id += 1;
        self.queries.insert(id, Pending { addr, query, give_up, sent: None, tries: 0, borrowed: true });
        self.send(now, id);
        id
    }

    /// Nobody wants to know any more.
    pub fn cancel(&mut self, id: QueryId) {
        self.queries.remove(&id);
    }

    /// A packet came.
    pub fn on_packet(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        let Some(response) = parse_response(packet, Family::of(&from)) else { return };
        let is_it = |attempt: &Option<Attempt>| attempt.is_some_and(|sent| sent.transaction == response.transaction);
        if let Some(connection) = self.connections.get_mut(&from).filter(|connection| is_it(&connection.connecting)) {
            match response.body {
                Body::Connected { connection: id } => {
                    *connection = Connection { id: Some((id, now + CONNECTION_LIFE)), connecting: None };
                    for id in self.waiting_at(from) {
                        self.send(now, id);
                        self.queries.entry(id).and_modify(|pending| pending.borrowed = false);
                    }
                }
                Body::Error(reason) => {
                    connection.connecting = None;
                    for id in self.waiting_at(from) {
                        self.end(id, Err(refused(reason.clone())));
                    }
                }
                Body::Announced(_) | Body::Scraped(_) => {}
            }
            return;
        }
        let asked = self.queries.iter().find(|(_, pending)| pending.addr == from && is_it(&pending.sent));
        let Some((&id, pending)) = asked else { return };
        match (response.body, &pending.query) {
            (Body::Announced(reply), Query::Announce { .. }) => self.end(id, Ok(UdpAnswer::Announced(reply))),
            (Body::Scraped(entries), Query::Scrape(_)) => self.end(id, Ok(UdpAnswer::Scraped(entries))),
            (Body::Error(_), _) if pending.borrowed => {
                // Most likely the connection id is no longer good there: once again from the start.
                self.connections.remove(&from);
                self.queries.entry(id).and_modify(|pending| (pending.sent, pending.borrowed) = (None, false));
                self.send(now, id);
            }
            (Body::Error(reason), _) => self.end(id, Err(refused(reason))),
            _ => {}
        }
    }

    /// The system refused to send to `addr`.
    pub fn on_send_failed(&mut self, addr: SocketAddr, why: &str) {
        self.connections.remove(&addr);
        let there = self.queries.iter().filter(|(_, pending)| pending.addr == addr).map(|(id, _)| *id);
        for id in there.collect::<Vec<_>>() {
            self.end(id, Err(TrackerError::Unreachable(why.into())));
        }
    }

    /// Sends again what is overdue and gives up what took too long.
    pub fn on_timeout(&mut self, now: Instant) {
        let late: Vec<QueryId> = self.queries.iter().filter(|(_, p)| p.give_up <= now).map(|(id, _)| *id).collect();
        for id in late {
            self.end(id, Err(TrackerError::Unreachable("no answer".into())));
        }
        let queries = &self.queries;
        self.connections.retain(|addr, connection| {
            let wanted = queries.values().any(|pending| pending.addr == *addr && pending.sent.is_none());
            connection.connecting.take_if(|_| !wanted);
            connection.id.take_if(|(_, until)| *until <= now);
            connection.id.is_some() || connection.connecting.is_some()
        });
        for (addr, connection) in &mut self.connections {
            if let Some(attempt) = connection.connecting.as_mut().filter(|attempt| attempt.due <= now) {
                attempt.again(now);
                self.packets.push_back((*addr, connect_request(attempt.transaction)));
            }
        }
        let overdue = |pending: &Pending| pending.sent.is_some_and(|attempt| attempt.due <= now);
        let overdue: Vec<QueryId> = self.queries.iter().filter(|(_, p)| overdue(p)).map(|(id, _)| *id).collect();
        for id in overdue {
            self.send(now, id);
        }
    }

    /// When [`UdpClient::on_timeout`] is due; `None` with nothing under way.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let queries = self
            .queries
            .values()
            .flat_map(|pending| std::iter::once(pending.give_up).chain(pending.sent.map(|attempt| attempt.due)));
        let waiting = |addr: &SocketAddr| self.queries.values().any(|p| p.addr == *addr && p.sent.is_none());
        let connects = self.connections.iter().filter(|(addr, _)| waiting(addr));
        queries.chain(connects.filter_map(|(_, connection)| Some(connection.connecting?.due))).min()
    }

    /// The next packet to be sent.
    pub fn poll_packet(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.packets.pop_front()
    }

    /// The next query that is over.
    pub fn poll_outcome(&mut self) -> Option<(QueryId, Outcome)> {
        self.outcomes.pop_front()
    }

    /// Sends the request of a query, or again, or first asks for a connection id.
    fn send(&mut self, now: Instant, id: QueryId) {
        let fresh = self.fresh_transaction();
        let Some(pending) = self.queries.get_mut(&id) else { return };
        let connection = self.connections.entry(pending.addr).or_default();
        match connection.id.filter(|(_, until)| *until > now) {
            Some((connection, _)) => {
                let attempt = match pending.sent {
                    Some(mut sent) => {
                        sent.again(now);
                        sent
                    }
                    None => Attempt::first(fresh, now, pending.tries),
                };
                (pending.sent, pending.tries) = (Some(attempt), attempt.tries);
                let packet = match &pending.query {
                    Query::Announce { request, url_data } => {
                        announce_request(connection, attempt.transaction, request, url_data)
                    }
                    Query::Scrape(hashes) => scrape_request(connection, attempt.transaction, hashes),
                };
                self.packets.push_back((pending.addr, packet));
            }
            None => {
                pending.tries += u32::from(pending.sent.take().is_some());
                if connection.connecting.is_none() {
                    connection.connecting = Some(Attempt::first(fresh, now, pending.tries));
                    self.packets.push_back((pending.addr, connect_request(fresh)));
                }
            }
        }
    }

    fn end(&mut self, id: QueryId, outcome: Outcome) {
        if self.queries.remove(&id).is_some() {
            self.outcomes.push_back((id, outcome));
        }
    }

    /// The queries to `addr` that lack a connection id.
    fn waiting_at(&self, addr: SocketAddr) -> Vec<QueryId> {
        let waits = |pending: &Pending| pending.addr == addr && pending.sent.is_none();
        self.queries.iter().filter(|(_, pending)| waits(pending)).map(|(id, _)| *id).collect()
    }

    /// A transaction id that nobody can guess and that is not in use.
    fn fresh_transaction(&mut self) -> u32 {
        loop {
            let id = self.rng.next_u32();
            let sent = self.queries.values().filter_map(|pending| pending.sent);
            let mut used = sent.chain(self.connections.values().filter_map(|connection| connection.connecting));
            if !used.any(|attempt| attempt.transaction == id) {
                return id;
            }
        }
    }
}

impl Attempt {
    /// A first packet, after `tries` others in vain (BEP 15 goes on counting when a connection id has expired).
    fn first(transaction: u32, now: Instant, tries: u32) -> Self {
        Attempt { transaction, due: now + wait(tries), tries }
    }

    fn again(&mut self, now: Instant) {
        self.tries += 1;
        self.due = now + wait(self.tries);
    }
}

fn wait(tries: u32) -> Duration {
    FIRST_WAIT * (1 << tries.min(8))
}

fn refused(reason: String) -> TrackerError {
    let reason = if reason.is_empty() { "refused without a reason".into() } else { reason };
    TrackerError::Refused { reason, retry: Retry::Unsaid }
}

#[cfg(test)]
mod tests;
