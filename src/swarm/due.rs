//! What readers need first: leases in the order of deadlines, and rescue from holders that are late.
//!
//! A piece is shared out among all who would be done with it at about the same time, so that a reader waits for all the
//! peers' rate and not for that of one; slower peers, and those that have much before it, fetch what is needed later. A
//! block that its holder would bring late is leased a second time to a peer that can bring it in half of the time: the
//! first full block wins. A holder that is silent loses what is needed later, too.

use std::time::{Duration, Instant};

use crate::base::layout::BLOCK_LEN;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::swarm::action::{PeerKey, PlayWindow};
use crate::swarm::grant::{Offer, lend, trusted};
use crate::swarm::lease::Leases;
use crate::swarm::open_piece::OpenPiece;
use crate::swarm::pace::{LATE, ROUND_TRIP};
use crate::swarm::picker::Urgency;
use crate::swarm::torrent::Torrent;

/// Pieces that are looked at for one run.
const LOOK: usize = 1_024;
/// Holders of one block, at most.
const HOLDERS: u8 = 5;
/// Who is silent for so long beyond what was to be expected loses what it was asked for.
const PATIENCE: Duration = LATE;
/// Without memory for a second lease, a holder that had so long and is late loses its own.
const HAD_TIME: Duration = Duration::from_secs(1);

impl Torrent {
    /// Sets what readers need. After a jump, all that is lent of what nobody waits for comes back, so that nothing stands
    /// in a peer's queue before what is needed now.
    pub(super) fn play(&mut self, now: Instant, windows: &[PlayWindow]) {
        let Some(pieces) = &mut self.pieces else { return };
        self.supply = true;
        if !pieces.set_play(windows) {
            return;
        }
        let others = pieces.staging.open_pieces().filter(|open| !pieces.play.is_critical(open.piece));
        let others: Vec<RunId> = others.flat_map(|open| open.out()).copied().collect();
        self.clear_way(now, &others);
    }

    /// Recalls these runs in favour of what is needed now.
    fn clear_way(&mut self, now: Instant, ids: &[RunId]) {
        let Some(pieces) = &self.pieces else { return };
        let leases: Vec<_> = ids.iter().filter_map(|id| pieces.staging.leases().get(*id)).copied().collect();
        for lease in leases.into_iter().filter(|lease| !lease.recalled) {
            self.note_taken_back(now, lease.peer, lease.bytes);
        }
        self.recall_runs(ids);
    }

    /// A run for the peer of the first piece that a reader needs and the peer can help with; `None` if there is none,
    /// and it may do something else.
    pub(super) fn next_due(&mut self, now: Instant, key: PeerKey, bytes: u64) -> Option<Offer> {
        let (piece, deadline, most) = self.due_for(now, key, bytes)?;
        let critical = self.pieces.as_ref()?.play.is_critical(piece);
        let pieces = self.pieces.as_mut()?;
        if pieces.staging.get(piece).is_some() {
            return Some(lend(pieces, now, key, piece, most));
        }
        if !pieces.staging.can_charge(pieces.layout.piece_len(piece).into()) {
            // What is open already may be helped, and makes room. Only what is waited for makes others give way.
            return (critical || pieces.transient).then_some(Offer::NoMemory);
        }
        let urgency = Urgency { deadline, priority: 0 };
        if pieces.spilled.contains(&piece) {
            return Some(self.reopen(now, key, piece, most, urgency));
        }
        Some(self.open(now, key, piece, most, urgency))
    }

    /// The first piece that a reader needs and that the peer can help with as soon as others could, its deadline, and how
    /// many blocks it gets.
    fn due_for(&self, now: Instant, key: PeerKey, bytes: u64) -> Option<(u32, u32, u32)> {
        let (pieces, peer) = (self.pieces.as_ref()?, self.peers.get(&key)?);
        if pieces.play.is_empty() {
            return None;
        }
        let blocks = bytes.div_ceil(BLOCK_LEN.into()).min(u32::MAX.into()) as u32;
        let all = self.pace(now, None);
        let late = peer.snubbed || self.is_overdue(now, key);
        let mut before = 0;
        pieces.play.due().take(LOOK).find_map(|piece| {
            let free = self.free_blocks(piece);
            before += u64::from(free * BLOCK_LEN);
            if free == 0 || !peer.serves(piece) || !self.admits(now, key, piece) {
                return None;
            }
            let of_piece = pieces.play.is_critical(piece).then(|| self.pace(now, Some(piece)));
            let pace = of_piece.as_ref().unwrap_or(&all);
            // Who is late is not asked while somebody else may be.
            let most = if late && !pace.is_none() { 0 } else { self.share(now, key, pace, before) };
            let deadline = pieces.play.deadline(piece)?;
            (most > 0).then_some((piece, deadline, most.min(blocks)))
        })
    }

    /// Blocks of a piece that nobody is asked for.
    fn free_blocks(&self, piece: u32) -> u32 {
        let Some(pieces) = &self.pieces else { return 0 };
        match pieces.staging.get(piece) {
            Some(open) => open.free(),
            None if pieces.spilled.contains(&piece) && pieces.missing.get(piece) => pieces.layout.blocks(piece),
            None if pieces.picker.is_pickable(piece) => pieces.layout.blocks(piece),
            None => 0,
        }
    }

    /// Whether the peer may have blocks of a piece that has some, or begin it.
    fn admits(&self, now: Instant, key: PeerKey, piece: u32) -> bool {
        self.pieces.as_ref().is_some_and(|pieces| match pieces.staging.get(piece) {
            Some(open) => open.admits(now, key),
            None => pieces.spilled.contains(&piece) || trusted(pieces, piece, key, &self.peers),
        })
    }

    /// True if a peer could at once begin a piece that a reader may be waiting for.
    pub(super) fn reader_waits(&self, now: Instant) -> bool {
        let Some(pieces) = self.pieces.as_ref().filter(|pieces| !pieces.play.is_empty()) else { return false };
        self.hungry.iter().any(|key| {
            let due = self.due_for(now, *key, BLOCK_LEN.into());
            due.is_some_and(|(piece, _, _)| pieces.play.is_critical(piece) && pieces.staging.get(piece).is_none())
        })
    }

    /// Who has been silent for long loses what readers need while somebody else is at work, but for the first of it:
    /// that shows when it is back.
    pub(super) fn relieve(&mut self, now: Instant) {
        let Some(pieces) = self.pieces.as_ref().filter(|pieces| !pieces.play.is_empty()) else { return };
        let silent: Vec<PeerKey> =
            self.peers.keys().copied().filter(|key| self.silence(now, *key) > PATIENCE).collect();
        if silent.is_empty() || self.pace(now, None).is_none() {
            return;
        }
        let behind_first = silent.iter().flat_map(|key| pieces.staging.leases().of(*key).skip(1));
        let due = behind_first.filter(|(_, lease)| pieces.play.deadline(lease.run.piece).is_some());
        // What it was asked for just now may be all that it owes.
        let due: Vec<RunId> = due.filter(|(_, lease)| lease.since + LATE <= now).map(|(id, _)| id).collect();
        self.recall_runs(&due);
    }

    /// A second lease of blocks that a reader waits for and somebody else is late with.
    pub(super) fn rescue(&mut self, now: Instant, key: PeerKey) -> Option<RunBuffer> {
        let (pieces, peer) = (self.pieces.as_ref()?, self.peers.get(&key)?);
        if pieces.play.is_empty() || peer.rate == 0 || peer.snubbed || self.is_overdue(now, key) {
            return None;
        }
        let leases = pieces.staging.leases();
        let critical = pieces.play.due().take_while(|piece| pieces.play.is_critical(*piece));
        let open = critical.filter_map(|piece| pieces.staging.get(piece)).filter(|open| peer.serves(open.piece));
        let late = open.flat_map(|open| self.late_runs(now, key, leases, open));
        let (eta, id) = late.max_by_key(|(eta, _)| *eta)?;
        let lease = *leases.get(id)?;
        let busy = Duration::from_secs_f64(self.busy(now, key, peer.pace() as f64));
        let blocks = (peer.pace() as f64 * eta.as_secs_f64() / 2.0 / f64::from(BLOCK_LEN)) as u32;
        let blocks = blocks.clamp(1, lease.run.count);
        let own = ROUND_TRIP + busy + Duration::from_secs_f64(f64::from(blocks * BLOCK_LEN) / peer.pace() as f64);
        let out = pieces.staging.get(lease.run.piece)?.out();
        let rivals = out.iter().filter_map(|id| Some((*id, leases.get(*id)?)));
        let rivals = rivals.filter(|(_, rival)| !rival.recalled && rival.run.overlaps(lease.run));
        let soonest = rivals.map(|(other, rival)| self.eta_of(now, rival.peer, other)).min();
        if own * 3 / 2 > soonest.unwrap_or(eta) {
            if pieces.play.is_awaited(lease.run.piece) {
                self.make_way(now, key, soonest.unwrap_or(eta));
            }
            return None;
        }
        let staging = &mut self.pieces.as_mut()?.staging;
        let twice = staging.lend_again(now, key, lease.run, blocks, HOLDERS);
        if twice.is_none() && lease.since + HAD_TIME <= now && staging.recall(id) {
            self.recall(&[(lease.peer, id)]);
        }
        twice
    }

    /// A reader stands still, and the peer would be quick if it had not so much else to do first: that comes back, if what
    /// the reader waits for will not be there within `soonest` anyway. One peer at a time.
    fn make_way(&mut self, now: Instant, key: PeerKey, soonest: Duration) {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return };
        if soonest < LATE * 2 || self.made_way.is_some_and(|at| now < at + LATE) {
            return;
        }
        let leases = pieces.staging.leases().of(key);
        let (kept, others): (Vec<_>, Vec<_>) = leases
            .filter(|(_, lease)| !lease.recalled)
            .partition(|(_, lease)| pieces.play.is_critical(lease.run.piece));
        let kept: u64 = kept.into_iter().map(|(_, lease)| lease.bytes).sum();
        let others: Vec<RunId> = others.into_iter().map(|(id, _)| id).collect();
        let first =
            ROUND_TRIP + Duration::from_secs_f64((kept + u64::from(BLOCK_LEN)) as f64 / peer.pace().max(1) as f64);
        if !others.is_empty() && first * 2 <= soonest {
            self.made_way = Some(now);
            self.clear_way(now, &others);
        }
    }

    /// The leases of an open piece that will come late, and when; of those of which `key` may have blocks too.
    fn late_runs<'a>(
        &'a self,
        now: Instant,
        key: PeerKey,
        leases: &'a Leases,
        open: &'a OpenPiece,
    ) -> impl Iterator<Item = (Duration, RunId)> + 'a {
        let lent = open.out().iter().filter_map(|id| leases.get(*id));
        let own: Vec<Run> = lent.filter(|lease| lease.peer == key).map(|lease| lease.run).collect();
        open.out().iter().filter_map(move |id| {
            let lease = leases.get(*id).filter(|lease| lease.peer != key && !lease.recalled)?;
            let apart = own.iter().all(|mine| !mine.overlaps(lease.run));
            let eta = self.eta_of(now, lease.peer, *id);
            (apart && eta > LATE && open.doubles(now, lease.run, key, HOLDERS)).then_some((eta, *id))
        })
    }
}
