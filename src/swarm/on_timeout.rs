//! What is due although nothing happens. Nothing is due while a torrent only waits, so that waiting costs nothing.

use std::time::{Duration, Instant};

use crate::swarm::action::Action;
use crate::swarm::connect::PATIENCE;
use crate::swarm::torrent::{Torrent, WANT_PEERS, WANT_PEERS_MAX};

/// A peer that neither unchoked us nor told what it has is hoped for this long.
const HOPE: Duration = Duration::from_secs(20);

impl Torrent {
    /// To be called at [`Torrent::poll_timeout`] or later.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.stopped {
            return;
        }
        let due = |timer: Option<Instant>| timer.is_some_and(|at| at <= now);
        self.hurry_dials(now);
        if self.metadata.as_ref().is_some_and(|metadata| due(metadata.next_due())) {
            if let Some(metadata) = &mut self.metadata {
                metadata.on_timeout(now);
            }
            self.ask_metadata(now);
        }
        if self.layers.as_ref().is_some_and(|layers| due(layers.next_due())) {
            if let Some(layers) = &mut self.layers {
                layers.on_timeout(now);
            }
            self.ask_layers(now);
        }
        if due(self.timers.choke) {
            self.choke_round(now);
        }
        if due(self.timers.haves) {
            self.tell_haves(now);
        }
        if due(self.timers.exchange) {
            self.exchange(now);
        }
        if due(self.timers.review) {
            self.timers.review = None;
            self.supply = true;
        }
        self.want_peers(now);
        self.settle(now);
    }

    /// When [`Torrent::on_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        let room = self.connections_and_dials() < self.config.max_peers as usize
            && self.dials.len() < self.config.half_open as usize;
        let book = self.book.next_due().filter(|_| room && !self.failed);
        let dials = self.dials.values().map(|dial| dial.since + PATIENCE).min();
        let dials = dials.filter(|_| self.dials_keep_others_waiting());
        let metadata = self.metadata.as_ref().and_then(|metadata| metadata.next_due());
        let layers = self.layers.as_ref().and_then(|layers| layers.next_due());
        let want = (!self.failed && !self.complete).then_some(self.timers.want_peers);
        let timers = [self.timers.choke, self.timers.review, self.timers.haves, self.timers.exchange];
        let due = timers.into_iter().chain([book, dials, metadata, layers, want]);
        due.flatten().min()
    }

    /// Asks for more addresses while nobody serves us, less and less often.
    fn want_peers(&mut self, now: Instant) {
        if now < self.timers.want_peers || self.complete || self.failed {
            return;
        }
        let useful = self.peers.values().any(|peer| {
            !peer.closing && (!peer.choking_us && peer.interest || self.pieces.is_none() && now < peer.since + HOPE)
        });
        if useful {
            self.timers.want_peers_pause = WANT_PEERS;
        } else {
            self.actions.push_back(Action::WantPeers);
            self.timers.want_peers_pause = (self.timers.want_peers_pause * 2).min(WANT_PEERS_MAX);
        }
        self.timers.want_peers = now + self.timers.want_peers_pause;
    }
}
