//! What readers need first: leases in the order of deadlines, and rescue from holders that are late.
//!
//! The critical pieces are shared out, so that a reader waits for all the peers' rate and not for that of one; peers
//! that are far slower than the others fetch what is needed later. A block that its holder would bring late is leased a
//! second time to a peer that can bring it in half of the time: the first full block wins.

use std::time::{Duration, Instant};

use crate::base::layout::BLOCK_LEN;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::swarm::action::{PeerKey, PlayWindow};
use crate::swarm::grant::{GRACE, Offer, lend, trusted};
use crate::swarm::lease::Leases;
use crate::swarm::open_piece::OpenPiece;
use crate::swarm::peer::Peer;
use crate::swarm::picker::Urgency;
use crate::swarm::torrent::Torrent;

/// Pieces that are looked at for one run.
const LOOK: usize = 1_024;
/// A peer so many times slower than the others on average is not asked for critical blocks.
const SLOWER: u64 = 8;
/// What comes within this is not late.
const LATE: Duration = Duration::from_millis(300);
/// How long a request takes to be answered at all.
const ROUND_TRIP: Duration = Duration::from_millis(100);
/// Assumed of a holder that has not delivered yet, in bytes a second.
const UNKNOWN_RATE: u64 = 64 * 1024;
/// How much longer a holder is expected to take that is overdue for a while, as a multiple of that while.
const OVERDUE: u32 = 4;
/// Holders of one block, at most.
const HOLDERS: u8 = 5;
/// Without memory for a second lease, a holder that had so long and is late loses its own.
const HAD_TIME: Duration = Duration::from_secs(1);

/// The rates of those who work for us, in bytes a second.
struct Pace {
    usual: u64,
    /// The sum of their [weights](Pace::weight).
    all: u64,
}

impl Pace {
    /// What a peer counts; one that has not delivered yet or hardly delivers counts a little.
    fn weight(peer: &Peer, usual: u64) -> u64 {
        peer.rate.max(usual / 8).max(1)
    }
}

impl Torrent {
    /// Sets what readers need. After a jump, what is lent for other things comes back, so that nothing stands in a
    /// peer's queue before what is needed now.
    pub(super) fn play(&mut self, windows: &[PlayWindow]) {
        let Some(pieces) = &mut self.pieces else { return };
        if !pieces.set_play(windows) {
            self.supply = true;
            return;
        }
        let open = pieces.staging.open_pieces().filter(|open| pieces.play.deadline(open.piece).is_none());
        let others: Vec<u32> = open.map(|open| open.piece).collect();
        others.into_iter().for_each(|piece| self.recall_piece(piece));
        self.supply = true;
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

    /// The first piece that a reader needs and the peer can help with, its deadline, and how many blocks it gets.
    fn due_for(&self, now: Instant, key: PeerKey, bytes: u64) -> Option<(u32, u32, u32)> {
        let (pieces, peer) = (self.pieces.as_ref()?, self.peers.get(&key)?);
        let blocks = bytes.div_ceil(BLOCK_LEN.into()).min(u32::MAX.into()) as u32;
        pieces.play.due().take(LOOK).find_map(|piece| {
            if !peer.serves(piece) {
                return None;
            }
            let free = match pieces.staging.get(piece) {
                Some(open) => {
                    if open.admits(now, key) {
                        open.free()
                    } else {
                        0
                    }
                }
                None => {
                    let there = pieces.spilled.contains(&piece) && pieces.missing.get(piece);
                    let begin = pieces.picker.is_pickable(piece) && trusted(pieces, piece, key, &self.peers);
                    if there || begin { pieces.layout.blocks(piece) } else { 0 }
                }
            };
            let most = match free {
                0 => 0,
                _ if pieces.play.is_critical(piece) => {
                    self.critical_share(now, key, peer, piece, &self.pace(now, piece))
                }
                _ => u32::MAX,
            };
            let deadline = pieces.play.deadline(piece)?;
            (most > 0).then_some((piece, deadline, most.min(blocks)))
        })
    }

    /// How many blocks of a critical piece the peer may have now.
    fn critical_share(&self, now: Instant, key: PeerKey, peer: &Peer, piece: u32, pace: &Pace) -> u32 {
        let Some(pieces) = &self.pieces else { return 0 };
        // Who has shown nothing yet while others have is not tried out on what a reader waits for.
        let slow = peer.rate.saturating_mul(SLOWER) < pace.usual;
        if peer.snubbed || slow || self.is_overdue(now, key) {
            return 0;
        }
        let length = u128::from(pieces.layout.piece_len(piece));
        let share = length * u128::from(Pace::weight(peer, pace.usual)) / u128::from(pace.all.max(1));
        let share = (share as u64).div_ceil(BLOCK_LEN.into()).max(1);
        let held = pieces.staging.leases().of(key).filter(|(_, lease)| lease.run.piece == piece);
        let held: u64 = held.map(|(_, lease)| u64::from(lease.run.count)).sum();
        share.saturating_sub(held).min(u32::MAX.into()) as u32
    }

    /// True if a peer could at once begin a piece that a reader may be waiting for.
    pub(super) fn reader_waits(&self, now: Instant) -> bool {
        let Some(pieces) = self.pieces.as_ref().filter(|pieces| !pieces.play.is_empty()) else { return false };
        self.hungry.iter().any(|key| {
            let due = self.due_for(now, *key, BLOCK_LEN.into());
            due.is_some_and(|(piece, _, _)| pieces.play.is_critical(piece) && pieces.staging.get(piece).is_none())
        })
    }

    /// Of those who have the piece.
    fn pace(&self, now: Instant, piece: u32) -> Pace {
        let workers = || self.peers.values().filter(|peer| peer.is_worker(now, GRACE) && peer.has(piece));
        let known = || workers().filter(|peer| peer.rate > 0);
        let usual = known().map(|peer| peer.rate).sum::<u64>() / (known().count() as u64).max(1);
        Pace { usual, all: workers().map(|peer| Pace::weight(peer, usual)).sum() }
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
        let mine = leases.bytes_of(key);
        let blocks = (peer.rate as f64 * eta.as_secs_f64() / 2.0 / f64::from(BLOCK_LEN)) as u32;
        let blocks = blocks.clamp(1, lease.run.count);
        let own = mine + u64::from(blocks * BLOCK_LEN);
        let own = ROUND_TRIP + Duration::from_secs_f64(own as f64 / peer.rate as f64);
        let out = pieces.staging.get(lease.run.piece)?.out();
        let rivals = out.iter().filter_map(|id| Some((*id, leases.get(*id)?)));
        let rivals = rivals.filter(|(_, rival)| !rival.recalled && rival.run.overlaps(lease.run));
        let soonest = rivals.map(|(other, rival)| self.eta_of(now, rival.peer, other)).min();
        if own * 3 / 2 > soonest.unwrap_or(eta) {
            return None;
        }
        let staging = &mut self.pieces.as_mut()?.staging;
        let twice = staging.lend_again(now, key, lease.run, blocks, HOLDERS);
        if twice.is_none() && lease.since + HAD_TIME <= now && staging.recall(id) {
            self.recall(&[(lease.peer, id)]);
        }
        twice
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

    /// When the holder will have delivered this run, by its rate and by what it holds before it.
    fn eta_of(&self, now: Instant, holder: PeerKey, id: RunId) -> Duration {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&holder)) else { return Duration::ZERO };
        let leases = pieces.staging.leases();
        let before = || leases.of(holder).take_while(|(other, _)| *other <= id).map(|(_, lease)| lease);
        let bytes: u64 = before().map(|lease| lease.bytes).sum();
        let since = before().map(|lease| lease.since).min();
        let waited = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let rate = if peer.rate == 0 { UNKNOWN_RATE } else { peer.rate };
        let promised = ROUND_TRIP + Duration::from_secs_f64(bytes as f64 / rate as f64);
        if peer.rate == 0 {
            // It has shown nothing yet, and after a while that is strange.
            return waited.saturating_sub(LATE) * OVERDUE;
        }
        // One who is late already looks worse with every moment: it may have stalled, and a reader waits.
        if waited > promised { (waited - promised) * OVERDUE } else { promised - waited }
    }

    /// Whether the first run that the peer holds should have come by now: it may have stalled.
    fn is_overdue(&self, now: Instant, key: PeerKey) -> bool {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return false };
        let Some((_, first)) = pieces.staging.leases().of(key).next() else { return false };
        let rate = if peer.rate == 0 { UNKNOWN_RATE } else { peer.rate };
        let promised = ROUND_TRIP + LATE + Duration::from_secs_f64(first.bytes as f64 / rate as f64);
        now.saturating_duration_since(first.since) > promised
    }
}
