//! Memory that is stuck: the coldest open piece goes to the disk, unverified, and is taken up again later.

use std::time::{Duration, Instant};

use crate::swarm::action::{DiskJob, PeerKey};
use crate::swarm::open_piece::{Closing, OpenPiece};
use crate::swarm::torrent::Torrent;

/// A piece that nobody fetches is cold after this, even if somebody could.
const COLD: Duration = Duration::from_secs(2);
/// A peer that has found no memory for so long takes it from a piece that others are fetching.
const STARVED: Duration = Duration::from_secs(10);

impl Torrent {
    /// Frees memory for a peer that has nothing but pieces for which there is none.
    pub(super) fn spill_for(&mut self, now: Instant, key: PeerKey) {
        let Some(pieces) = &self.pieces else { return };
        if pieces.staging.open_pieces().any(|open| open.closing.is_some()) || !pieces.spilling.is_empty() {
            return; // One is on its way.
        }
        if pieces.transient {
            return; // All that may be open has room.
        }
        let starved = self.peers.get(&key).and_then(|peer| peer.starved);
        let starved = starved.is_some_and(|since| since + STARVED <= now);
        // A reader's next piece is worth more than any that no reader needs soon.
        let waits = |piece: u32| pieces.picker.is_pickable(piece) || pieces.spilled.contains(&piece);
        let awaited = pieces.play.due().take_while(|piece| pieces.play.is_critical(*piece)).any(waits);
        let stuck = |open: &OpenPiece| {
            if awaited {
                return pieces.play.deadline(open.piece).is_none();
            }
            let idle = open.out().is_empty();
            let helped = || self.peers.values().any(|peer| !peer.closing && !peer.snubbed && peer.serves(open.piece));
            (idle && (open.touched + COLD <= now || !helped())) || (starved && open.touched + COLD <= now)
        };
        let coldest = pieces.staging.open_pieces().filter(|open| stuck(open)).min_by_key(|open| open.touched);
        if let Some(piece) = coldest.map(|open| open.piece) {
            self.close_piece(piece, Closing::Spill);
        }
    }

    /// Recalls what is lent of a piece; once all is back it leaves staging.
    pub(super) fn close_piece(&mut self, piece: u32, closing: Closing) {
        let Some(pieces) = &mut self.pieces else { return };
        // What is passed on has no place to be spilled to.
        let closing = if pieces.transient { Closing::Discard } else { closing };
        if pieces.staging.close(piece, closing) {
            self.remove_closed(piece);
        } else {
            self.recall_piece(piece);
        }
    }

    /// A buffer of a piece has come back: the piece may be complete, or closed.
    pub(super) fn after_return(&mut self, _now: Instant, piece: u32, complete: bool, closed: bool) {
        if complete {
            self.finish(piece);
        } else if closed {
            self.remove_closed(piece);
        }
        self.supply |= closed;
    }

    fn remove_closed(&mut self, piece: u32) {
        let Some(pieces) = &mut self.pieces else { return };
        let Some(closing) = pieces.staging.get(piece).and_then(|open| open.closing) else { return };
        let Some(taken) = pieces.staging.take(piece) else { return };
        self.supply = true;
        if taken.blocks.none() || closing == Closing::Discard {
            pieces.staging.release(taken.runs);
            if pieces.on_disk.contains_key(&piece) {
                pieces.spilled.insert(piece);
            }
            pieces.settle_piece(piece);
        } else {
            pieces.spilling.insert(piece, taken.blocks);
            pieces.settle_piece(piece);
            self.submit(DiskJob::Spill { piece, runs: taken.runs });
        }
    }
}
