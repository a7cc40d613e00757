//! The state of a torrent whose metadata is known: what is there, what is wanted, what is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::bitfield::Bitfield;
use crate::base::have_log::HaveLog;
use crate::base::layout::Layout;
use crate::base::metainfo::Trees;
use crate::base::piece_hash::PieceHashes;
use crate::swarm::action::Start;
use crate::swarm::blame::Blame;
use crate::swarm::picker::{Picker, Urgency};
use crate::swarm::play::{Play, PlayWindow};
use crate::swarm::staging::Staging;

/// Owner of the pieces. A piece that is missing (wanted and not there) is in exactly one place: with the picker, open
/// in staging, with the disk, or spilled.
pub struct Pieces {
    pub layout: Arc<Layout>,
    pub info: Arc<[u8]>,
    pub hashes: PieceHashes,
    /// The files' merkle trees (BEP 52), where there are any.
    pub trees: Option<Trees>,
    /// Piece layers of them are missing and have not come from peers either.
    pub lacks_layers: bool,
    pub log: Arc<HaveLog>,
    pub have: Bitfield,
    pub want: Bitfield,
    /// `want` without `have`, and how many that are.
    pub missing: Bitfield,
    pub missing_count: u32,
    pub picker: Picker,
    pub play: Play,
    /// Verified pieces are passed on and not kept; only what has a deadline is fetched.
    pub transient: bool,
    pub staging: Staging,
    pub blame: Blame,
    /// Blocks of pieces that lie unverified on disk, until the piece is verified or fails.
    pub on_disk: BTreeMap<u32, Bitfield>,
    /// Those of `on_disk` that are neither open nor with the disk.
    pub spilled: BTreeSet<u32>,
    /// Spills that are under way, with what they write.
    pub spilling: BTreeMap<u32, Bitfield>,
    /// Pieces that are being hashed and written.
    pub finishing: BTreeSet<u32>,
    /// Disk jobs that have no outcome yet.
    pub jobs: u32,
    pub have_bytes: u64,
    pub wanted_bytes: u64,
    pub done_bytes: u64,
}

impl Pieces {
    pub fn new(start: Start, memory: u64, transient: bool) -> Self {
        let Start { layout, info, hashes, trees, have, log, want, spilled } = start;
        let count = layout.pieces();
        let mut pieces = Pieces {
            picker: Picker::new(count),
            play: Play::new(layout.piece_length()),
            transient,
            staging: Staging::new(layout.clone(), memory),
            blame: Blame::default(),
            missing: Bitfield::new(count),
            missing_count: 0,
            on_disk: BTreeMap::new(),
            spilled: BTreeSet::new(),
            spilling: BTreeMap::new(),
            finishing: BTreeSet::new(),
            jobs: 0,
            have_bytes: 0,
            wanted_bytes: 0,
            done_bytes: 0,
            want: Bitfield::new(count),
            layout,
            info,
            hashes,
            trees: None,
            lacks_layers: false,
            log,
            have,
        };
        pieces.take_trees(trees);
        for old in spilled {
            let fits = old.piece < count && old.blocks.len() == pieces.layout.blocks(old.piece);
            if fits && !pieces.have.get(old.piece) && !old.blocks.none() {
                pieces.spilled.insert(old.piece);
                pieces.on_disk.insert(old.piece, old.blocks);
            }
        }
        pieces.have_bytes = pieces.have.ones().map(|piece| u64::from(pieces.layout.piece_len(piece))).sum();
        pieces.set_want(want);
        pieces.follow_want();
        pieces
    }

    /// These are the trees as far as they are known.
    pub fn take_trees(&mut self, trees: Option<Trees>) {
        self.lacks_layers = trees.as_ref().is_some_and(|trees| trees.missing().next().is_some());
        self.trees = trees;
    }

    /// Sets what is wanted; pieces that are under way elsewhere stay there.
    pub fn set_want(&mut self, want: Bitfield) {
        debug_assert_eq!(want.len(), self.layout.pieces());
        (self.wanted_bytes, self.done_bytes, self.missing_count) = (0, 0, 0);
        for piece in 0..want.len() {
            let (wanted, there) = (want.get(piece), self.have.get(piece));
            let len = u64::from(self.layout.piece_len(piece));
            self.wanted_bytes += if wanted { len } else { 0 };
            self.done_bytes += if wanted && there { len } else { 0 };
            if wanted && !there {
                self.missing.set(piece);
                self.missing_count += 1;
            } else {
                self.missing.clear(piece);
            }
            self.settle_piece(piece);
        }
        self.want = want;
    }

    /// Gives a piece to the picker if that is where it belongs, and takes it away if not.
    pub fn settle_piece(&mut self, piece: u32) {
        let elsewhere = self.staging.get(piece).is_some()
            || self.finishing.contains(&piece)
            || self.spilling.contains_key(&piece)
            || self.spilled.contains(&piece);
        let admitted = !self.transient || self.play.deadline(piece).is_some();
        if self.missing.get(piece) && admitted && !elsewhere {
            self.picker.insert(piece);
        } else {
            self.picker.remove(piece);
        }
    }

    /// A piece is verified and written. True if readers need more since.
    pub fn on_verified(&mut self, piece: u32) -> bool {
        let len = u64::from(self.layout.piece_len(piece));
        if self.have.set(piece) {
            self.have_bytes += len;
            self.done_bytes += if self.want.get(piece) { len } else { 0 };
        }
        if self.missing.clear(piece) {
            self.missing_count -= 1;
        }
        self.on_disk.remove(&piece);
        if !self.transient {
            self.log.push(piece);
        }
        let had_deadline = self.play.deadline(piece).is_some();
        let due = self.play.on_verified(piece, &self.missing);
        let more = !due.is_empty();
        due.into_iter().chain(had_deadline.then_some(piece)).for_each(|piece| self.heed_deadline(piece));
        more
    }

    /// A verified piece can't be read any more. `again`: it is to be fetched once more, if it was wanted.
    pub fn on_lost(&mut self, piece: u32, again: bool) {
        let len = u64::from(self.layout.piece_len(piece));
        if !self.have.clear(piece) {
            return;
        }
        self.have_bytes -= len;
        if self.want.get(piece) {
            self.done_bytes -= len;
            if again {
                self.missing.set(piece);
                self.missing_count += 1;
            } else {
                self.want.clear(piece);
                self.wanted_bytes -= len;
            }
        }
        self.log.lose(piece);
        self.settle_piece(piece);
        self.set_play(&self.play.windows());
    }

    /// Sets what readers need; true if one has jumped to what nobody waited for.
    pub fn set_play(&mut self, windows: &[PlayWindow]) -> bool {
        let (changed, jumped) = self.play.set(windows, &self.missing);
        changed.into_iter().for_each(|piece| self.heed_deadline(piece));
        jumped
    }

    /// For pieces that are passed on: one reader, who reads all that is wanted from its start to its end, as far ahead
    /// as memory has room. An eighth of it is left for blocks that are fetched twice.
    pub fn follow_want(&mut self) {
        let ends = (self.want.ones().next(), self.want.ones().last());
        if let (true, (Some(first), Some(last))) = (self.transient, ends) {
            let room = self.staging.limit() / 8 * 7;
            let ahead = (room / u64::from(self.layout.piece_length())).max(1).min(u32::MAX.into()) as u32;
            self.set_play(&[PlayWindow { first, end: last + 1, ahead }]);
        }
    }

    /// The deadline of a piece has changed.
    fn heed_deadline(&mut self, piece: u32) {
        let deadline = self.play.deadline(piece);
        self.picker.set_urgency(piece, deadline.map(|deadline| Urgency { deadline, priority: 0 }));
        self.settle_piece(piece);
    }

    /// Whether there is memory to begin a piece, and for another one beside it, if not to begin it at all (`None`).
    pub fn has_room(&self, piece: u32) -> Option<bool> {
        let len = u64::from(self.layout.piece_len(piece));
        let both = len + u64::from(self.layout.piece_length());
        self.staging.can_charge(len).then(|| self.staging.can_charge(both))
    }

    /// How many pieces are verified.
    pub fn verified(&self) -> u32 {
        if self.transient { self.have.count() } else { self.log.verified() }
    }

    /// Bytes of the verified pieces that are kept.
    pub fn kept_bytes(&self) -> u64 {
        if self.transient { 0 } else { self.have_bytes }
    }

    pub fn is_complete(&self) -> bool {
        self.missing_count == 0
    }

    /// Bytes that nobody is asked for yet, about.
    pub fn unleased_bytes(&self) -> u64 {
        let pieces = u64::from(self.picker.len()) + self.spilled.len() as u64;
        // Where files begin at pieces, most pieces may be short.
        let missing = self.wanted_bytes.saturating_sub(self.done_bytes);
        (pieces * u64::from(self.layout.piece_length())).min(missing) + self.staging.promised()
    }
}
