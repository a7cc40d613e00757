//! Hashes of the files' trees (BEP 52): fetched while layers are missing, given to who asks.
//!
//! A v2 torrent can't begin without its layers. A hybrid is checked by its v1 hashes, and needs them only to answer others:
//! they are fetched aside, once the download is under way. Making them of the data would cost SHA-256 of every byte; from
//! peers they are 32 bytes a piece.

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
        self.begin_layers(now, LayerFetch::new(trees.piece_layer(), missing(trees)));
    }

    /// The same for a hybrid, beside its download. To be called when a piece is there.
    pub(super) fn fetch_layers_aside(&mut self, now: Instant) {
        let Some(pieces) = &self.pieces else { return };
        let trees = pieces.trees.as_ref().filter(|_| pieces.lacks_layers && !pieces.transient);
        if let (Some(trees), None, false) = (trees, &self.layers, self.stopped) {
            let layers = LayerFetch::aside(trees.piece_layer(), missing(trees));
            self.begin_layers(now, layers);
        }
    }

    fn begin_layers(&mut self, now: Instant, mut layers: LayerFetch) {
        let knowing = self.peers.iter().filter(|(_, peer)| peer.has_info && !peer.closing);
        knowing.for_each(|(key, _)| layers.join(*key));
        self.layers = Some(layers);
        self.ask_layers(now);
    }

    /// These are the trees, with the layers that were missing.
    pub(super) fn take_layers(&mut self, trees: Trees) {
        if let Some(pieces) = &mut self.pieces {
            pieces.take_trees(Some(trees));
        }
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
                if let Some(pieces) = &mut self.pieces {
                    pieces.lacks_layers = false;
                }
                self.actions.push_back(Action::LayersComplete { layers });
            }
            Gained::Lie => {
                layers.leave(key);
                self.ban(key);
            }
        }
        self.ask_layers(now);
        self.drop_if_useless(key);
    }

    pub(super) fn on_hash_reject(&mut self, now: Instant, key: PeerKey, range: &HashRange) {
        if let Some(layers) = &mut self.layers {
            layers.on_reject(now, key, range);
        }
        self.ask_layers(now);
        self.drop_if_useless(key);
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

fn missing(trees: &Trees) -> Vec<MissingLayer> {
    trees.missing().map(|file| MissingLayer { root: file.root, pieces: file.pieces, height: file.height() }).collect()
}
