//! Our interest in peers, and recalling what they hold.
//!
//! Interest is raised as soon as a peer has something that we lack (and before that is known, so that its unchoke is
//! not a round trip late); it is dropped lazily, when the peer turns out to have nothing, and at choke rounds.

use std::collections::BTreeMap;

use crate::base::run::RunId;
use crate::proto::session::PeerCommand;
use crate::swarm::action::PeerKey;
use crate::swarm::torrent::Torrent;

impl Torrent {
    /// Tells the peer if our interest in it has changed.
    pub(super) fn review_interest(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key).filter(|peer| !peer.closing) else { return };
        let interest = match (&self.pieces, &peer.has) {
            (Some(pieces), Some(has)) => !pieces.is_complete() && has.meets(&pieces.missing),
            _ => !self.complete,
        };
        self.set_interest(key, interest && !self.stopped);
    }

    pub(super) fn review_all_interest(&mut self) {
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        keys.into_iter().for_each(|key| self.review_interest(key));
    }

    fn set_interest(&mut self, key: PeerKey, interest: bool) {
        if let Some(peer) = self.peers.get_mut(&key)
            && peer.interest != interest
        {
            peer.interest = interest;
            self.say(key, PeerCommand::Interest(interest));
        }
    }

    /// Tells the holders of these runs, which count as recalled already, to give them back.
    pub(super) fn recall(&mut self, runs: &[(PeerKey, RunId)]) {
        let mut by_peer: BTreeMap<PeerKey, Vec<RunId>> = BTreeMap::new();
        runs.iter().for_each(|(peer, id)| by_peer.entry(*peer).or_default().push(*id));
        for (peer, ids) in by_peer {
            if self.peers.contains_key(&peer) {
                self.say(peer, PeerCommand::Recall(ids));
            }
        }
    }

    pub(super) fn recall_all_of(&mut self, key: PeerKey) {
        let Some(pieces) = &mut self.pieces else { return };
        let held: Vec<RunId> = pieces.staging.leases().of(key).map(|(id, _)| id).collect();
        let runs: Vec<_> = held.into_iter().filter(|id| pieces.staging.recall(*id)).map(|id| (key, id)).collect();
        self.recall(&runs);
    }

    /// Recalls what is lent of one piece.
    pub(super) fn recall_piece(&mut self, piece: u32) {
        let Some(pieces) = &mut self.pieces else { return };
        let out = pieces.staging.get(piece).map_or(Vec::new(), |open| open.out().to_vec());
        self.recall_runs(&out);
    }

    /// Recalls these runs, with one word to each holder.
    pub(super) fn recall_runs(&mut self, ids: &[RunId]) {
        let Some(pieces) = &mut self.pieces else { return };
        let held = ids.iter().filter_map(|id| Some((pieces.staging.leases().get(*id)?.peer, *id)));
        let held: Vec<_> = held.collect();
        let runs: Vec<_> = held.into_iter().filter(|(_, id)| pieces.staging.recall(*id)).collect();
        self.recall(&runs);
    }

    /// Pieces that only this peer was to fetch are open to others again.
    pub(super) fn release_exclusive(&mut self, key: PeerKey) {
        let Some(pieces) = &mut self.pieces else { return };
        let exclusive: Vec<u32> = pieces
            .staging
            .open_pieces()
            .filter(|open| open.only.is_some_and(|only| only.peer == key))
            .map(|open| open.piece)
            .collect();
        exclusive.into_iter().for_each(|piece| pieces.staging.set_only(piece, None));
    }
}
