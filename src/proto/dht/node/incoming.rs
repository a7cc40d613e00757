//! What datagrams do to a node: queries are answered, answers are matched to what was asked and handed on.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::{DhtEvent, Family, Node};
use crate::base::compact::is_global;
use crate::proto::dht::krpc::{Query, Reply};
use crate::proto::dht::lookup::Goal;
use crate::proto::dht::node_id::{Contact, NodeId};
use crate::proto::dht::server::{Asked, Tables};
use crate::proto::dht::table::Table;
use crate::proto::dht::transactions::{LookupId, Pending, Purpose};

impl Node {
    pub(super) fn on_query(
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

    pub(super) fn on_reply(
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
        if let Some(ours) = ip {
            self.port_votes.count(from, ours.port());
            if let Some(ip) = self.votes.count(from, ours.ip()) {
                self.on_external(now, ip);
            }
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
    pub(super) fn on_error(&mut self, now: Instant, from: SocketAddr, transaction: &[u8]) {
        let Some(pending) = self.transactions.close(transaction, from) else { return };
        self.heard = Some(now);
        self.settle_without_answer(now, pending);
    }

    pub(super) fn on_slow(&mut self, now: Instant, pending: Pending) {
        if let Purpose::Lookup(id) = pending.purpose {
            if let Some(running) = self.running.get_mut(&id) {
                running.lookup.on_slow(pending.to);
            }
            self.pump(now, id);
        }
    }

    pub(super) fn on_lost(&mut self, now: Instant, pending: Pending) {
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
}
