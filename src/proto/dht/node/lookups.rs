//! The lookups of a node from their turn in the queue to the announce that follows them.

use std::time::Instant;

use super::{Announcing, DhtEvent, Node, Running};
use crate::base::id::InfoHashV1;
use crate::proto::dht::bootstrap::{Bootstrap, Entry};
use crate::proto::dht::krpc::Ask;
use crate::proto::dht::lookup::{Announce, Goal, Lookup, Step};
use crate::proto::dht::node_id::{Contact, NodeId};
use crate::proto::dht::transactions::{LookupId, Purpose};

impl Node {
    pub(super) fn enqueue(&mut self, now: Instant, target: NodeId, goal: Goal) -> LookupId {
        let id = LookupId(self.next_lookup);
        self.next_lookup += 1;
        self.queued.push_back((id, target, goal));
        self.start_queued(now);
        id
    }

    pub(super) fn start_queued(&mut self, now: Instant) {
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
    pub(super) fn pump(&mut self, now: Instant, id: LookupId) {
        let reach = self.density.reach();
        loop {
            let Some(running) = self.running.get_mut(&id) else { return };
            if let (Goal::Peers { .. }, Some(reach)) = (running.lookup.goal(), reach) {
                running.lookup.set_reach(reach);
            }
            if self.transactions.is_full() {
                return;
            }
            let Some(Step { to, id: node, neighbours }) = running.lookup.next_query(now) else { break };
            let ask = match running.lookup.goal() {
                _ if neighbours => Ask::FindNode { target: node.unwrap_or(running.lookup.target()) },
                Goal::Nodes => Ask::FindNode { target: running.lookup.target() },
                Goal::Peers { info_hash, .. } => Ask::GetPeers { info_hash, scrape: false, no_seeds: false },
            };
            self.send(now, to, node, Purpose::Lookup(id), ask);
        }
        if self.running.get(&id).is_some_and(|running| running.lookup.is_done(now)) {
            self.finish(now, id);
        }
    }

    pub(super) fn finish(&mut self, now: Instant, id: LookupId) {
        let Some(Running { lookup, .. }) = self.running.remove(&id) else { return };
        if lookup.goal() == Goal::Nodes {
            self.density.note(&lookup.target(), lookup.fitting());
        }
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

    pub(super) fn on_announced(&mut self, id: LookupId, taken: bool) {
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
    pub(super) fn seed_lookups(&mut self, now: Instant, entry: Entry) {
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
}
