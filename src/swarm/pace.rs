//! When what is due will have come: what each peer brings in a second, and what it has before it.
//!
//! A peer answers in the order in which it was asked, so a new run stands behind all that the peer holds, and behind what
//! it may still send of runs that were taken back: a cancel finds some of that in its socket. If everybody brings a share
//! of what is due as large as its rate, less what it has before it, all are done at the same moment, and none sooner.

use std::time::{Duration, Instant};

use crate::base::layout::BLOCK_LEN;
use crate::base::run::RunId;
use crate::swarm::action::PeerKey;
use crate::swarm::grant::GRACE;
use crate::swarm::peer::Peer;
use crate::swarm::torrent::Torrent;

/// How long a request takes to be answered at all.
pub(super) const ROUND_TRIP: Duration = Duration::from_millis(100);
/// What comes within this is not late.
pub(super) const LATE: Duration = Duration::from_millis(300);
/// Assumed of a peer that has not delivered yet while nobody else has, in bytes a second.
const UNKNOWN_RATE: u64 = 64 * 1024;
/// Of one that has not delivered yet while others have: so much less than they bring on average.
const UNKNOWN_PART: u64 = 8;
/// So many bytes of what was taken back may be on their way, beyond what a cancel reaches.
const BEYOND_RECALL: u64 = 64 * 1024;
/// What a peer brought counts half after so many seconds of its work.
const FADES: f64 = 1.0;
/// What it has brought says nothing before it took so many seconds.
const SPEAKS: f64 = 0.1;
/// So much quicker than it was of late a peer is expected to be, at most.
const QUICKER: f64 = 1.5;
/// A peer that holds nothing is not known for its silence any more after this.
const FORGIVEN: Duration = Duration::from_secs(5);
/// How much longer a holder is expected to take that is overdue for a while, as a multiple of that while.
const OVERDUE: u32 = 4;

/// What some peers do together.
pub(super) struct Pace {
    /// What those bring on average that have shown it, in bytes a second; 0: nobody has.
    usual: u64,
    /// Of all, in bytes a second.
    rate: f64,
    /// Bytes that all of them have before them.
    load: f64,
    /// So much later than all the others one may be done, in seconds: a block is not divided.
    slack: f64,
}

impl Pace {
    /// True if nobody is at work of whom it is not known that they are late.
    pub fn is_none(&self) -> bool {
        self.rate <= 0.0
    }

    /// How many blocks one who brings `rate` bytes a second and is busy for `busy` seconds should take of what is due,
    /// with `free` bytes of that to be shared out. 0: it would be done later than the others.
    fn share(&self, rate: f64, busy: f64, free: u64) -> u32 {
        let block = f64::from(BLOCK_LEN);
        let level = (free as f64 + self.load) / self.rate.max(1.0);
        if busy + block / rate > level + self.slack {
            return 0;
        }
        ((level - busy) * rate / block).ceil().max(1.0) as u32
    }
}

impl Torrent {
    /// Of those who work for us and have `piece`, if one is named, and are not known to be late.
    pub(super) fn pace(&self, now: Instant, piece: Option<u32>) -> Pace {
        let has = |peer: &Peer| piece.is_none_or(|piece| peer.has(piece));
        let workers = || {
            let workers = self.peers.iter().filter(|(_, peer)| peer.is_worker(now, GRACE) && has(peer));
            workers.filter(|(key, _)| !self.is_overdue(now, **key))
        };
        let (count, sum) = workers()
            .filter(|(_, peer)| peer.rate > 0)
            .fold((0u64, 0u64), |(count, sum), (_, peer)| (count + 1, sum + peer.pace()));
        let usual = sum / count.max(1);
        let (mut all, mut squares, mut load) = (0.0, 0.0, 0.0);
        for (key, peer) in workers() {
            let rate = expected(now, peer, usual);
            (all, squares) = (all + rate, squares + rate * rate);
            load += self.busy(now, *key, rate) * rate;
        }
        // Twice a block's time at the rate at which a byte comes on average.
        let slack = if squares > 0.0 { 2.0 * f64::from(BLOCK_LEN) * all / squares } else { 0.0 };
        Pace { usual, rate: all, load, slack }
    }

    /// The peer's share of what is due, of which `free` bytes are to be shared out, in blocks.
    pub(super) fn share(&self, now: Instant, key: PeerKey, pace: &Pace, free: u64) -> u32 {
        let Some(peer) = self.peers.get(&key) else { return 0 };
        let rate = expected(now, peer, pace.usual);
        pace.share(rate, self.busy(now, key, rate), free)
    }

    /// For how many seconds a peer of this rate has something to do before what it would be asked for now.
    pub(super) fn busy(&self, now: Instant, key: PeerKey, rate: f64) -> f64 {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return 0.0 };
        let clears = peer.clears.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        clears.as_secs_f64() + pieces.staging.leases().at_work(key) as f64 / rate.max(1.0)
    }

    /// A run of which `bytes` were missing was taken back from a peer.
    pub(super) fn note_taken_back(&mut self, now: Instant, key: PeerKey, bytes: u64) {
        if !self.silence(now, key).is_zero() {
            // It sends nothing, so nothing is on its way.
            return;
        }
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let rate = if peer.rate == 0 { UNKNOWN_RATE } else { peer.pace() };
        let time = |bytes: u64| Duration::from_secs_f64(bytes as f64 / rate as f64);
        let clears = peer.clears.map_or(now, |at| at.max(now)) + time(bytes.min(BEYOND_RECALL));
        peer.clears = Some(clears.min(now + time(BEYOND_RECALL)));
    }

    /// When the holder will have delivered this run, by its rate and by what it holds before it.
    pub(super) fn eta_of(&self, now: Instant, holder: PeerKey, id: RunId) -> Duration {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&holder)) else { return Duration::ZERO };
        let before = pieces.staging.leases().of(holder).take_while(|(other, _)| *other <= id).map(|(_, lease)| lease);
        let (mut bytes, mut since) = (0, None);
        for lease in before.filter(|lease| !lease.recalled) {
            bytes += lease.bytes;
            since.get_or_insert(lease.since);
        }
        let since = since.unwrap_or(now);
        if peer.rate == 0 {
            // It has shown nothing yet, and after a while that is strange.
            return now.saturating_duration_since(since).saturating_sub(LATE) * OVERDUE;
        }
        let due = promised(peer, since, bytes);
        let silence = self.silence(now, holder);
        if !silence.is_zero() {
            return silence * OVERDUE;
        }
        // One who is late already looks worse with every moment: it may have stalled, and a reader waits.
        if due < now { (now - due) * OVERDUE } else { due - now }
    }

    /// For how long something should have come from the peer, and nothing has. To take things back from it changes
    /// nothing: only what it brings does, or, if it holds nothing, some time.
    pub(super) fn silence(&self, now: Instant, key: PeerKey) -> Duration {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return Duration::ZERO };
        let Some(owes) = peer.owes else { return Duration::ZERO };
        let first = pieces.staging.leases().of(key).next().map(|(_, lease)| lease.bytes);
        if first.is_none() && owes + FORGIVEN < now {
            return Duration::ZERO;
        }
        let due = promised(peer, owes, first.unwrap_or(BLOCK_LEN.into()));
        now.saturating_duration_since(due + LATE)
    }

    /// The peer is asked for something that is lent to it since.
    pub(super) fn note_asked(&mut self, now: Instant, key: PeerKey) {
        let Some(pieces) = &self.pieces else { return };
        let idle = !pieces.staging.leases().of(key).any(|(_, lease)| lease.since < now);
        let begins = idle && self.silence(now, key).is_zero();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.asked.get_or_insert(now);
        if begins || peer.owes.is_none() {
            peer.owes = Some(now);
        }
    }

    /// The peer has brought something or given it back by itself.
    pub(super) fn note_word(&mut self, now: Instant, key: PeerKey) {
        let holds = self.pieces.as_ref().is_some_and(|pieces| pieces.staging.leases().at_work(key) > 0);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.owes = holds.then_some(now);
        }
    }

    /// Whether the first run that the peer holds should have come by now: it may have stalled.
    pub(super) fn is_overdue(&self, now: Instant, key: PeerKey) -> bool {
        if !self.silence(now, key).is_zero() {
            return true;
        }
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return false };
        let first = pieces.staging.leases().of(key).map(|(_, lease)| lease).find(|lease| !lease.recalled);
        first.is_some_and(|first| promised(peer, first.since, first.bytes) + LATE < now)
    }
}

impl Peer {
    /// A run that was asked for at `since` has come with `bytes` of what was missing.
    pub(super) fn note_brought(&mut self, now: Instant, since: Instant, bytes: u64) {
        // It stood behind what came until then.
        let begun = self.delivered.map_or(since, |delivered| delivered.max(since));
        let took = now.saturating_duration_since(begun).as_secs_f64();
        let fades = 0.5f64.powf(took / FADES);
        self.brought = (self.brought.0 * fades + bytes as f64, self.brought.1 * fades + took);
        self.delivered = Some(now);
    }

    /// What it brings in a second, in bytes, 0 if it is not known: as its session measured it, unless it has been slower
    /// of late. A server that is held to a rate often begins with a burst.
    pub(super) fn pace(&self) -> u64 {
        let (bytes, seconds) = self.brought;
        match seconds < SPEAKS {
            true => self.rate,
            false => self.rate.min(((bytes / seconds * QUICKER) as u64).max(1)),
        }
    }
}

/// What a peer is expected to bring where those who have shown it bring `usual` on average, in bytes a second.
fn expected(now: Instant, peer: &Peer, usual: u64) -> f64 {
    if peer.rate > 0 {
        return peer.pace() as f64;
    }
    let guess = if usual == 0 { UNKNOWN_RATE } else { (usual / UNKNOWN_PART).clamp(1, UNKNOWN_RATE) };
    // With every moment without a block it looks slower.
    let waited = peer.asked.map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked + ROUND_TRIP));
    (f64::from(BLOCK_LEN) / waited.as_secs_f64().max(f64::MIN_POSITIVE)).min(guess as f64)
}

/// When a peer should have brought `bytes` that it was asked for at `since` and later.
fn promised(peer: &Peer, since: Instant, bytes: u64) -> Instant {
    let rate = if peer.rate == 0 { UNKNOWN_RATE } else { peer.pace() };
    // The first of them stood behind what came until then.
    let begins = [Some(since + ROUND_TRIP), peer.delivered, peer.clears].into_iter().flatten().max().unwrap_or(since);
    begins + Duration::from_secs_f64(bytes as f64 / rate as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: f64 = BLOCK_LEN as f64;

    /// Of peers with these rates (blocks a second), that have 10 blocks before them in all.
    fn pace(rates: &[f64]) -> Pace {
        let sum = |of: fn(f64) -> f64| rates.iter().map(|rate| of(rate * BLOCK)).sum::<f64>();
        let slack = 2.0 * BLOCK * sum(|rate| rate) / sum(|rate| rate * rate);
        Pace { usual: 1, rate: sum(|rate| rate), load: 10.0 * BLOCK, slack }
    }

    #[test]
    fn one_that_began_with_a_burst_is_soon_known_for_what_it_brings() {
        use crate::base::id::PeerId;
        use crate::swarm::action::{Connected, Way};
        let (addr, way) = (([127, 0, 0, 1], 1).into(), Way::default());
        let connected = Connected { addr, peer_id: PeerId([0; 20]), incoming: false, fast: true, extended: true, way };
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut peer = Peer { rate: 50_000_000, ..Peer::new(start, &connected, None) };
        peer.note_brought(at(20), start, 1_000_000);
        assert_eq!(peer.pace(), 50_000_000);
        // From then on 100 kB each 200 ms, all asked for at the start.
        for nth in 1..=30 {
            peer.note_brought(at(20 + 200 * nth), start, 100_000);
        }
        assert!((500_000..1_000_000).contains(&peer.pace()), "{}", peer.pace());
        // A rest is not held against it.
        peer.note_brought(at(60_200), at(60_000), 100_000);
        assert!((500_000..1_000_000).contains(&peer.pace()), "{}", peer.pace());
    }

    #[test]
    fn all_are_done_at_the_same_moment_and_who_would_be_late_gets_nothing() {
        let pace = pace(&[30.0, 10.0, 1.0]);
        // 31 blocks and the 10 before them take 41 a second: 1 s.
        let share = |rate: f64, busy: f64| pace.share(rate * BLOCK, busy, 31 * u64::from(BLOCK_LEN));
        assert_eq!([share(30.0, 0.0), share(10.0, 0.0), share(10.0, 0.41), share(1.0, 0.0)], [30, 10, 6, 1]);
        // A block too late does no harm, a second one does.
        assert_eq!([share(30.0, 1.0), share(30.0, 1.1), share(1.0, 0.1), share(0.5, 0.0)], [1, 0, 0, 0]);
    }
}
