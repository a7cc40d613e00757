//! A piece with all its blocks, and a torrent with all its pieces.

use crate::proto::session::PeerCommand;
use crate::swarm::action::{Action, DiskJob, PeerKey};
use crate::swarm::peer::Peer;
use crate::swarm::torrent::Torrent;

impl Torrent {
    /// A piece is wholly in memory: to the disk with it, to be hashed and written.
    pub(super) fn finish(&mut self, piece: u32) {
        let Some(pieces) = &mut self.pieces else { return };
        let Some(taken) = pieces.staging.take(piece) else { return };
        pieces.blame.on_finish(piece, taken.senders);
        pieces.finishing.insert(piece);
        let hash = pieces.hashes.get(piece);
        self.submit(DiskJob::Finish { piece, hash, runs: taken.runs });
    }

    /// Says once that everything wanted is there, and lets go of whom we need no more.
    pub(super) fn notice_completion(&mut self) {
        let Some(pieces) = &mut self.pieces else { return };
        if self.complete || self.stopped || !pieces.is_complete() {
            return;
        }
        self.complete = true;
        if pieces.staging.is_empty() {
            pieces.staging.shrink();
        }
        self.actions.push_back(Action::Complete);
        self.hungry.clear();
        self.timers.review = None;
        let keys: Vec<(PeerKey, bool)> = self.peers.iter().map(|(key, peer)| (*key, peer.extended)).collect();
        for (key, extended) in keys {
            self.recall_all_of(key);
            self.review_interest(key);
            if extended {
                self.say(key, PeerCommand::UploadOnly(true));
            }
            self.drop_if_useless(key);
        }
    }

    /// Once we are complete, a peer that will not download either has nothing to say to us, but for an answer that we wait
    /// for.
    pub(super) fn drop_if_useless(&mut self, key: PeerKey) {
        let answers = self.layers.as_ref().is_some_and(|layers| layers.waits_for(key));
        let idle = |peer: &Peer| peer.is_seed() || peer.upload_only;
        if self.complete && !answers && self.peers.get(&key).is_some_and(idle) {
            self.hang_up(key);
        }
    }
}
