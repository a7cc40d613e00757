//! What time alone brings: lookups that need help or are over, the way in, and nodes of the table that have been quiet.

use std::time::{Duration, Instant};

use super::Node;
use crate::proto::dht::krpc::Ask;
use crate::proto::dht::transactions::{LookupId, Purpose, Transactions};

impl Node {
    /// Lookups that the saved nodes have not answered go to the routers too.
    pub(super) fn hedge(&mut self, now: Instant) {
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

    pub(super) fn finish_spent(&mut self, now: Instant) {
        let done = self.running.iter().filter(|(_, running)| running.lookup.is_done(now));
        let ids: Vec<LookupId> = done.map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| self.finish(now, id));
    }

    pub(super) fn bootstrap_if_due(&mut self, now: Instant) {
        if !self.bootstrap.is_due(now, self.table.confirmed()) {
            return;
        }
        let own = self.table.own();
        if self.running.values().any(|running| running.lookup.target() == own) {
            return;
        }
        self.find_node(now, own);
    }

    pub(super) fn upkeep(&mut self, now: Instant) {
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
}
