//! Hashes of the files' trees (BEP 52): fetched while layers are missing, given to who asks.

use std::time::Instant;

use crate::base::merkle::Node;
use crate::base::metainfo::Trees;
use crate::proto::session::PeerCommand;
use crate::proto::wire::HashRange;
use crate::swarm::action::{Action, PeerKey};
use crate::swarm::layers::{Gained, LayerFetch, MissingLayer};
use crate::swarm::torrent::Torrent;

impl Torrent {
    /// The info dictionary is known, and these trees of its files lack layers.
    pub(super) fn fetch_layers(&mut self, now: Instant, trees: &Trees) {
        if self.pieces.is_some() || self.stopped {
            return;
        }
        self.metadata = None;
        let missing =
            trees.missing().map(|file| MissingLayer { root: file.root, pieces: file.pieces, height: file.height() });
        let mut layers = LayerFetch::new(trees.piece_layer(), missing.collect());
        let knowing = self.peers.iter().filter(|(_, peer)| peer.has_info && !peer.closing);
        knowing.for_each(|(key, _)| layers.join(*key));
        self.layers = Some(layers);
        self.ask_layers(now);
    }

    /// Asks peers for what is missing of the layers.
    pub(super) fn ask_layers(&mut self, now: Instant) {
        if self.stopped {
            return;
        }
        let Some(layers) = &mut self.layers else { return };
        for (peer, ranges) in layers.requests(now) {
            self.say(peer, PeerCommand::RequestHashes(ranges));
        }
    }

    pub(super) fn on_hashes(&mut self, now: Instant, key: PeerKey, range: HashRange, hashes: &[Node]) {
        let Some(layers) = &mut self.layers else { return };
        match layers.on_hashes(key, range, hashes) {
            Gained::Going => {}
            Gained::Complete => {
                let layers = layers.take();
                self.layers = None;
                self.actions.push_back(Action::LayersComplete { layers });
            }
            Gained::Lie => {
                layers.leave(key);
                self.ban(key);
            }
        }
        self.ask_layers(now);
    }

    pub(super) fn on_hash_reject(&mut self, now: Instant, key: PeerKey, range: &HashRange) {
        if let Some(layers) = &mut self.layers {
            layers.on_reject(now, key, range);
        }
        self.ask_layers(now);
    }

    pub(super) fn on_hash_request(&mut self, key: PeerKey, range: HashRange) {
        let trees = self.pieces.as_ref().and_then(|pieces| pieces.trees.as_ref());
        let command = match trees.and_then(|trees| self.forest.answer(trees, &range)) {
            Some(hashes) => PeerCommand::SendHashes(range, hashes),
            None => PeerCommand::RejectHashes(range),
        };
        self.say(key, command);
    }
}
