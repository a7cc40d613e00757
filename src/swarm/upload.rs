//! Serving others: interest in us, choke rounds, and slots that are given at once while some are free.

use std::time::Instant;

use crate::proto::session::PeerCommand;
use crate::swarm::action::PeerKey;
use crate::swarm::choker::{Candidate, ROUND};
use crate::swarm::peer::Peer;
use crate::swarm::torrent::Torrent;

impl Torrent {
    pub(super) fn on_interested(&mut self, now: Instant, key: PeerKey, interested: bool) {
        let slots = self.choker.slots() as usize;
        let taken = self.peers.values().filter(|peer| peer.unchoked && peer.interested && !peer.closing).count();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.interested = interested;
        if !takes(peer) || self.stopped {
            return;
        }
        if !peer.unchoked && taken < slots {
            self.set_choke(key, false);
        }
        self.timers.choke.get_or_insert(now + ROUND);
    }

    /// Gives the slots anew.
    pub(super) fn choke_round(&mut self, now: Instant) {
        let candidates: Vec<Candidate> = self
            .peers
            .iter()
            .filter(|(_, peer)| takes(peer))
            .map(|(key, peer)| Candidate {
                peer: *key,
                down: peer.tally.down.saturating_sub(peer.round_tally.down),
                up: peer.tally.up.saturating_sub(peer.round_tally.up),
                unchoked: peer.unchoked,
                rounds: peer.rounds,
                snubbed: peer.snubbed,
            })
            .collect();
        self.timers.choke = (!candidates.is_empty() && !self.stopped).then_some(now + ROUND);
        let chosen = self.choker.round(&mut self.rng, &candidates, self.complete);
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.set_choke(key, !chosen.contains(&key));
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.rounds = if peer.unchoked { peer.rounds + 1 } else { 0 };
                peer.round_tally = peer.tally;
            }
        }
        self.review_all_interest();
        self.review_offers(now);
    }

    fn set_choke(&mut self, key: PeerKey, choke: bool) {
        if let Some(peer) = self.peers.get_mut(&key)
            && peer.unchoked == choke
            && !peer.closing
        {
            peer.unchoked = !choke;
            peer.rounds = 0;
            self.say(key, PeerCommand::Choke(choke));
        }
    }
}

/// True if a slot is of use to the peer.
fn takes(peer: &Peer) -> bool {
    peer.interested && !peer.closing && !peer.upload_only && !peer.is_seed()
}
