//! The end: what is missing is all lent out, and a peer could do more.
//!
//! It gets a second buffer for the end of the run that would else come last, if it can deliver that sooner than the
//! holder; the first full block wins and the other holder is recalled. Bounded: few holders a block, only within the
//! budget, and only where the estimate says that it helps.

use std::time::{Duration, Instant};

use crate::base::layout::BLOCK_LEN;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::swarm::action::PeerKey;
use crate::swarm::lease::Lease;
use crate::swarm::torrent::Torrent;

/// Holders of one block, at most; one more for the very last blocks.
const HOLDERS: u8 = 2;
/// With so few bytes missing they are the very last.
const VERY_LAST: u64 = 8 * BLOCK_LEN as u64;
/// Assumed of a peer whose rate is not known yet, in bytes a second.
const UNKNOWN_RATE: u64 = 64 * 1024;
/// So long its first blocks may take before it counts as slow.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// How long a request takes to be answered at all; meanwhile the holder goes on.
const ROUND_TRIP: Duration = Duration::from_millis(200);
/// While others have pieces to begin, a peer that has none may double only what would take longer than this.
const FAR: Duration = Duration::from_secs(10);
/// Without memory for a duplicate, a holder so much slower, and so late, loses its lease.
const FAR_SLOWER: u32 = 4;
const FAR_LATER: Duration = Duration::from_secs(3);

impl Torrent {
    /// A second lease of blocks that somebody else is slow with.
    pub(super) fn duplicate(&mut self, now: Instant, key: PeerKey) -> Option<RunBuffer> {
        let pieces = self.pieces.as_ref()?;
        let peer = self.peers.get(&key)?;
        let leases = pieces.staging.leases();
        let rate = peer.rate.max(UNKNOWN_RATE);
        let mine = leases.bytes_of(key);
        let at_the_end = pieces.picker.is_empty() && pieces.spilled.is_empty() && !pieces.staging.any_helpable();
        let holders = if leases.bytes() <= VERY_LAST { HOLDERS + 1 } else { HOLDERS };

        // The holder that would be done last, if that is later than this peer would be.
        let mut worst: Option<(Duration, RunId, Run)> = None;
        for holder in leases.holders().filter(|holder| *holder != key) {
            let eta = self.eta(now, holder);
            if worst.is_some_and(|(worst, _, _)| worst >= eta) || (!at_the_end && eta < FAR) {
                continue;
            }
            let doubles = |lease: &Lease| {
                !lease.recalled
                    && peer.serves(lease.run.piece)
                    && pieces
                        .staging
                        .get(lease.run.piece)
                        .is_some_and(|open| open.doubles(now, lease.run, key, holders))
                    && !leases.of(key).any(|(_, own)| own.run.overlaps(lease.run))
            };
            if let Some((id, lease)) = leases.of(holder).filter(|(_, lease)| doubles(lease)).last() {
                worst = Some((eta, id, lease.run));
            }
        }
        let (eta, id, run) = worst?;
        // Both are to be done at the same time: the newcomer takes from the end what it can in half of that time.
        let blocks = (rate as f64 * eta.as_secs_f64() / 2.0 / f64::from(BLOCK_LEN)) as u64;
        let most = u64::from(run.count).div_ceil(2).min(u64::from(peer.hungry).div_ceil(BLOCK_LEN.into()));
        let blocks = blocks.clamp(1, most.max(1));
        let own = ROUND_TRIP + Duration::from_secs_f64((mine + blocks * u64::from(BLOCK_LEN)) as f64 / rate as f64);
        if own >= eta {
            return None;
        }
        let staging = &mut self.pieces.as_mut()?.staging;
        let twice = staging.lend_again(now, key, run, blocks as u32, holders);
        let (holder, since) = staging.leases().get(id).map(|lease| (lease.peer, lease.since))?;
        let had_time = since + FAR_LATER <= now;
        if twice.is_none() && had_time && eta >= own * FAR_SLOWER && eta >= FAR_LATER && staging.recall(id) {
            // No memory for two: the slow one gives up, and the run goes to whoever is quick.
            self.recall(&[(holder, id)]);
        }
        twice
    }

    /// When the peer will have delivered all that it holds, by its rate.
    fn eta(&self, now: Instant, key: PeerKey) -> Duration {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return Duration::ZERO };
        let leases = pieces.staging.leases();
        let held = leases.bytes_of(key);
        let oldest = leases.of(key).map(|(_, lease)| lease.since).min();
        let waited = oldest.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        if peer.rate == 0 && !peer.snubbed && waited < FIRST_ANSWER {
            return Duration::ZERO;
        }
        let rate = peer.rate.max(UNKNOWN_RATE / 4);
        let promised = Duration::from_secs_f64(held as f64 / rate as f64);
        // One who is late already will not be quicker from now on than it was so far.
        if waited > promised { waited } else { promised - waited }
    }
}
