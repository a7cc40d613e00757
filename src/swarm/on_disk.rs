//! What became of the work that the disk was given.

use std::time::{Duration, Instant};

use crate::base::run::RunBuffer;
use crate::proto::session::PeerCommand;
use crate::swarm::action::{Action, DiskOutcome, PeerKey};
use crate::swarm::torrent::Torrent;

/// Peers are told of new pieces at once, but not more often than this.
const HAVES: Duration = Duration::from_millis(100);

impl Torrent {
    /// The outcome of a job; every job has one.
    pub fn on_disk(&mut self, now: Instant, outcome: DiskOutcome) {
        let Some(pieces) = &mut self.pieces else { return };
        pieces.jobs = pieces.jobs.saturating_sub(1);
        match outcome {
            DiskOutcome::Verified { piece, runs } => {
                self.on_verified(now, piece, runs);
                // What it frees is memory: it matters to those who wait for that.
                self.supply |= self.memory_short;
                return self.settle(now);
            }
            DiskOutcome::Mismatch { piece, runs } => self.on_mismatch(piece, runs),
            DiskOutcome::Spilled { piece, runs } => self.on_spilled(piece, runs),
            DiskOutcome::Loaded { piece, runs } => self.on_loaded(now, piece, runs),
            DiskOutcome::Failed { piece, runs, .. } => self.on_disk_failed(now, piece, runs),
        }
        self.supply = true;
        self.settle(now);
    }

    fn on_verified(&mut self, now: Instant, piece: u32, runs: Vec<RunBuffer>) {
        let Some(pieces) = &mut self.pieces else { return };
        let liars = pieces.blame.on_verified(piece, &runs);
        pieces.staging.release(runs);
        pieces.finishing.remove(&piece);
        self.supply |= pieces.on_verified(piece);
        let (transient, lacks_layers) = (pieces.transient, pieces.lacks_layers);
        liars.into_iter().for_each(|liar| self.ban(liar));
        if lacks_layers {
            // Before the word of what we have: a seed may hang up on another.
            self.fetch_layers_aside(now);
        }
        if !transient {
            self.tell_haves(now);
        }
    }

    fn on_mismatch(&mut self, piece: u32, runs: Vec<RunBuffer>) {
        let Some(pieces) = &mut self.pieces else { return };
        self.wasted += u64::from(pieces.layout.piece_len(piece));
        let liar = pieces.blame.on_mismatch(piece, &runs);
        pieces.staging.release(runs);
        pieces.finishing.remove(&piece);
        pieces.on_disk.remove(&piece);
        pieces.settle_piece(piece);
        if let Some(liar) = liar {
            self.ban(liar);
        }
    }

    fn on_spilled(&mut self, piece: u32, runs: Vec<RunBuffer>) {
        let Some(pieces) = &mut self.pieces else { return };
        pieces.staging.release(runs);
        if let Some(blocks) = pieces.spilling.remove(&piece) {
            pieces.on_disk.insert(piece, blocks);
            pieces.spilled.insert(piece);
        }
    }

    fn on_loaded(&mut self, now: Instant, piece: u32, runs: Vec<RunBuffer>) {
        for run in runs {
            let Some(pieces) = &mut self.pieces else { return };
            let brought = pieces.staging.loaded(now, run);
            self.after_return(now, piece, brought.complete, brought.closed);
        }
    }

    /// The file system has refused: the engine ends the item, and nothing more is asked for.
    fn on_disk_failed(&mut self, now: Instant, piece: u32, mut runs: Vec<RunBuffer>) {
        self.failed = true;
        let Some(pieces) = &mut self.pieces else { return };
        if pieces.finishing.remove(&piece) || pieces.spilling.remove(&piece).is_some() {
            pieces.blame.on_failed(piece);
            pieces.staging.release(runs);
            pieces.settle_piece(piece);
        } else {
            runs.iter_mut().for_each(|run| run.have = 0);
            self.on_loaded(now, piece, runs);
        }
        let holders: Vec<PeerKey> = self.peers.keys().copied().collect();
        holders.into_iter().for_each(|key| self.recall_all_of(key));
    }

    /// A block of a verified piece can't be read back: what can't be served is not announced. While there is something
    /// to fetch, it is fetched again; what is complete is not written to behind the user's back.
    pub(super) fn on_unreadable(&mut self, now: Instant, piece: u32) {
        let again = !self.complete;
        let Some(pieces) = self.pieces.as_mut().filter(|pieces| pieces.have.get(piece)) else { return };
        if self.stopped {
            return;
        }
        pieces.on_lost(piece, again);
        self.actions.push_back(Action::Unreadable { piece });
        self.review_all_interest();
        self.supply = true;
        self.tell_haves(now);
    }

    /// Tells everybody who may lack something of what is new, many pieces at once if they come fast.
    pub(super) fn tell_haves(&mut self, now: Instant) {
        if let Some(told) = self.timers.haves_told.filter(|told| *told + HAVES > now) {
            self.timers.haves = Some(told + HAVES);
            return;
        }
        self.timers.haves = None;
        self.timers.haves_told = Some(now);
        let keys: Vec<PeerKey> =
            self.peers.iter().filter(|(_, peer)| !peer.closing && !peer.is_seed()).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.say(key, PeerCommand::HavesGrew));
    }
}
