//! Leases for hungry peers: which runs, how many, from which pieces.

use std::time::{Duration, Instant};

use crate::base::layout::BLOCK_LEN;
use crate::base::run::RunBuffer;
use crate::proto::session::PeerCommand;
use crate::swarm::action::{DiskJob, PeerKey};
use crate::swarm::lease::{LEASE_LEN, grant_len};
use crate::swarm::open_piece::{Exclusive, OpenPiece};
use crate::swarm::peer::Peer;
use crate::swarm::picker::{Choice, Urgency};
use crate::swarm::pieces::Pieces;
use crate::swarm::torrent::Torrent;

/// While fewer pieces than this are there, pieces are begun at random: something to trade comes first.
const RANDOM_FIRST: u32 = 4;
/// A peer that has just connected counts as one who will take its share for so long.
pub(super) const GRACE: Duration = Duration::from_millis(300);
/// Hungry peers that could not be served are looked at again after this, since estimates change with time alone.
const REVIEW: Duration = Duration::from_millis(250);
/// The same while a reader needs something.
const SOON: Duration = Duration::from_millis(50);
/// A piece whose hash failed is fetched by one peer alone for so long.
const ALONE: Duration = Duration::from_secs(30);
/// A piece that a peer refused is not asked of it again for so long.
const REFUSAL: Duration = Duration::from_secs(30);
/// Open pieces with free blocks that are looked at for one run.
const LOOK: usize = 1_024;
/// A peer holds no more than it delivers in so many seconds.
const HORIZON: u64 = 6;
/// A web seed begins so many bytes before the piece that was picked, at most, if all of them are missing.
const STRETCH: u64 = 16 << 20;
/// Pieces without an urgency of their own.
const ORDINARY: Urgency = Urgency { deadline: u32::MAX, priority: u8::MAX };

/// What came of looking for a run.
pub(super) enum Offer {
    Run(RunBuffer),
    /// There is a piece to begin, but no memory for it.
    NoMemory,
    /// The peer has nothing that is free.
    Nothing,
}

impl Torrent {
    /// Serves every hungry peer, the quickest first, if something has become free.
    pub(super) fn serve_hungry(&mut self, now: Instant) {
        if !std::mem::take(&mut self.supply) || !self.is_fetching() {
            return;
        }
        self.memory_short = false;
        let rate = |key: &PeerKey| self.peers.get(key).map_or(0, |peer| peer.rate);
        let mut hungry: Vec<PeerKey> = self.hungry.iter().copied().collect();
        hungry.sort_by_key(|key| std::cmp::Reverse(rate(key)));
        self.relieve(now);
        for key in hungry {
            self.serve(now, key);
        }
        // What serving frees (a recall, a spill) comes back as an event of its own.
        self.supply = false;
    }

    /// Grants leases to one peer, as many as it can take and as there are.
    pub(super) fn serve(&mut self, now: Instant, key: PeerKey) {
        if !self.is_fetching() || !self.may_lease(key) {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.refused_since.take_if(|since| *since + REFUSAL <= now).inspect(|_| peer.refused.clear());
        }
        let mut left = self.allowance(now, key);
        let (mut runs, mut last) = (Vec::new(), self.peers.get(&key).and_then(|peer| peer.last));
        let mut short = false;
        // For what a reader waits for the peer may have more than its share.
        if let Some(run) = self.rescue(now, key) {
            left = left.saturating_sub(run.bytes.len() as u64);
            runs.push(run);
        }
        while left > 0 {
            match self.next_run(now, key, left, last) {
                Offer::Run(run) => {
                    last = Some(run.run.piece);
                    left = left.saturating_sub(run.bytes.len() as u64);
                    runs.push(run);
                }
                Offer::NoMemory => {
                    short = true;
                    break;
                }
                Offer::Nothing => break,
            }
        }
        if runs.is_empty() && left > 0 && !short {
            runs.extend(self.duplicate(now, key));
        }
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.last = last;
        peer.starved = if short && runs.is_empty() { peer.starved.or(Some(now)) } else { None };
        if runs.is_empty() {
            self.on_unserved(now, key, short);
            return;
        }
        let granted: u64 = runs.iter().map(|run| run.bytes.len() as u64).sum();
        peer.hungry = peer.hungry.saturating_sub(granted.try_into().unwrap_or(u32::MAX));
        if peer.hungry == 0 {
            self.hungry.remove(&key);
        } else {
            self.review_at(now);
        }
        self.note_asked(now, key);
        self.say(key, PeerCommand::Lease(runs));
    }

    fn may_lease(&self, key: PeerKey) -> bool {
        self.peers.get(&key).is_some_and(|peer| {
            let asks = peer.hungry > 0 && !peer.closing && peer.interest;
            let may = !peer.choking_us || !peer.allowed_fast.is_empty();
            let idle = || self.pieces.as_ref().is_some_and(|pieces| pieces.staging.leases().bytes_of(key) == 0);
            asks && may && peer.has.is_some() && (!peer.snubbed || idle())
        })
    }

    /// How many bytes the peer gets now; 0 if it has its share of what is left.
    fn allowance(&self, now: Instant, key: PeerKey) -> u64 {
        let (Some(pieces), Some(peer)) = (&self.pieces, self.peers.get(&key)) else { return 0 };
        if peer.snubbed {
            return BLOCK_LEN.into();
        }
        let (held, lent) = (pieces.staging.leases().bytes_of(key), pieces.staging.leases().bytes());
        let left = pieces.unleased_bytes() + lent;
        // Nobody holds what others could have long before.
        let most = match pieces.play.is_empty() {
            true => peer.rate * HORIZON,
            // What a reader turns out to need must not wait behind much else.
            false => (peer.pace() / 2).max(u64::from(4 * BLOCK_LEN)),
        };
        let begins = held == 0 && pieces.play.is_empty();
        let horizon = if peer.rate == 0 || begins { u64::MAX } else { most.saturating_sub(held) };
        if horizon < BLOCK_LEN.into() {
            return 0;
        }
        let ask = grant_len(peer.hungry, peer.rate, horizon);
        // Far from the end the share is no limit, and need not be worked out.
        if left > (ask + held).saturating_mul(4 * self.peers.len() as u64) {
            return ask;
        }
        let workers = || self.peers.values().filter(|peer| peer.is_worker(now, GRACE));
        let (count, rates) = workers().fold((0u64, 0u64), |(count, sum), peer| (count + 1, sum + peer.rate));
        let usual = (rates / count.max(1)).max(1);
        let weight = |peer: &Peer| peer.rate.max(usual / 8).max(1);
        let all: u64 = workers().map(weight).sum();
        let share = (u128::from(left) * u128::from(weight(peer)) / u128::from(all.max(1))) as u64;
        match share.saturating_sub(held) {
            0 if held > 0 => 0,
            share => grant_len(peer.hungry, peer.rate, share.min(horizon)),
        }
    }

    /// One run for the peer: of the piece that a reader needs first; else of an open piece if there is one that it can
    /// help with, else of a spilled one, of the one after `last`, or of the one that the picker chooses.
    fn next_run(&mut self, now: Instant, key: PeerKey, bytes: u64, last: Option<u32>) -> Offer {
        if let Some(offer) = self.next_due(now, key, bytes) {
            return offer;
        }
        let (Some(pieces), Some(peer)) = (&mut self.pieces, self.peers.get(&key)) else { return Offer::Nothing };
        let blocks = bytes.div_ceil(BLOCK_LEN.into()).min(u32::MAX.into()) as u32;
        // What readers need is shared out by when it would come; who got nothing of that would be late with it.
        let free_to_all = |piece: u32| peer.web || pieces.play.deadline(piece).is_none();
        let helps = |open: &&OpenPiece| open.admits(now, key) && peer.serves(open.piece) && free_to_all(open.piece);
        if peer.web
            && let Some(piece) = stretch(pieces, now, key, peer, last, &mut self.rng)
        {
            if pieces.staging.get(piece).is_some() {
                return lend(pieces, now, key, piece, blocks);
            }
            return match self.may_begin(now, piece) {
                true => self.open(now, key, piece, blocks, ORDINARY),
                false => Offer::NoMemory,
            };
        }
        let open = pieces.staging.helpable().take(LOOK).find(helps).map(|open| open.piece);
        if let Some(piece) = open {
            return lend(pieces, now, key, piece, blocks);
        }
        if let Some(piece) = spilled_for(pieces, peer).filter(|piece| free_to_all(*piece)) {
            if !self.may_begin(now, piece) {
                return Offer::NoMemory;
            }
            return self.reopen(now, key, piece, blocks, ORDINARY);
        }
        let next = last.and_then(|last| neighbour(pieces, peer, last)).filter(|piece| free_to_all(*piece));
        let picked = next.or_else(|| {
            let suggested = peer.suggested.iter().copied();
            let suggested = suggested.filter(|piece| free_to_all(*piece)).find(|piece| follows(pieces, peer, *piece));
            let choice = if pieces.log.verified() < RANDOM_FIRST { Choice::Random } else { Choice::Rarest };
            let peers = &self.peers;
            let fits = |piece: u32| free_to_all(piece) && peer.serves(piece) && trusted(pieces, piece, key, peers);
            suggested.or_else(|| {
                let picked = pieces.picker.pick(&mut self.rng, peer.has.as_ref()?, choice, fits)?;
                Some(extent_start(pieces, peer, picked))
            })
        });
        let Some(piece) = picked else { return Offer::Nothing };
        if !self.may_begin(now, piece) {
            return Offer::NoMemory;
        }
        self.open(now, key, piece, blocks, ORDINARY)
    }

    /// Whether there is memory to begin a piece that no reader needs. The last room is for one that a reader waits for.
    fn may_begin(&self, now: Instant, piece: u32) -> bool {
        let room = self.pieces.as_ref().and_then(|pieces| pieces.has_room(piece));
        room.is_some_and(|beside| beside || !self.reader_waits(now))
    }

    /// Begins a piece for which there is memory.
    pub(super) fn open(&mut self, now: Instant, key: PeerKey, piece: u32, blocks: u32, urgency: Urgency) -> Offer {
        let Some(pieces) = &mut self.pieces else { return Offer::Nothing };
        let alone = pieces.blame.is_poisoned(piece);
        let only = alone.then_some(Exclusive { peer: key, until: now + ALONE });
        pieces.picker.remove(piece);
        pieces.staging.open(now, piece, urgency, only);
        lend(pieces, now, key, piece, blocks)
    }

    /// Opens a piece, for which there is memory, of which blocks lie on disk: they are read back while the peer fetches
    /// others.
    pub(super) fn reopen(&mut self, now: Instant, key: PeerKey, piece: u32, blocks: u32, urgency: Urgency) -> Offer {
        let Some(pieces) = &mut self.pieces else { return Offer::Nothing };
        pieces.spilled.remove(&piece);
        let on_disk = pieces.on_disk[&piece].clone();
        let runs = pieces.staging.open_spilled(now, piece, urgency, &on_disk);
        let offer = lend(pieces, now, key, piece, blocks);
        self.submit(DiskJob::Load { piece, runs, blocks: on_disk });
        offer
    }

    fn review_at(&mut self, now: Instant) {
        let soon = self.pieces.as_ref().is_some_and(|pieces| !pieces.play.is_empty() && !pieces.transient);
        let at = now + if soon { SOON } else { REVIEW };
        self.timers.review = Some(self.timers.review.map_or(at, |before| before.min(at)));
    }

    /// A hungry peer that got nothing: it has nothing for us any more, or it has to wait, perhaps for memory.
    fn on_unserved(&mut self, now: Instant, key: PeerKey, short: bool) {
        self.review_interest(key);
        if self.peers.get(&key).is_some_and(|peer| peer.interest) {
            self.review_at(now);
            if short {
                self.memory_short = true;
                self.spill_for(now, key);
            }
        }
    }
}

pub(super) fn lend(pieces: &mut Pieces, now: Instant, key: PeerKey, piece: u32, blocks: u32) -> Offer {
    match pieces.staging.lend(now, key, piece, blocks) {
        Some(run) => Offer::Run(run),
        None => Offer::Nothing,
    }
}

/// Where a web seed goes on, so that one request covers much: with the piece of its last run, with the one behind it, or
/// with one that nobody has begun. `None`: it helps others with theirs.
fn stretch(
    pieces: &Pieces,
    now: Instant,
    key: PeerKey,
    peer: &Peer,
    last: Option<u32>,
    rng: &mut rand::rngs::StdRng,
) -> Option<u32> {
    let begun = |piece: &u32| {
        let open = pieces.staging.helpable().find(|open| open.piece == *piece);
        open.is_some_and(|open| open.admits(now, key) && peer.serves(open.piece))
    };
    let next = |last: &u32| last.checked_add(1).filter(|next| follows(pieces, peer, *next));
    last.filter(begun).or_else(|| last.as_ref().and_then(next)).or_else(|| {
        let fits = |piece: u32| follows(pieces, peer, piece);
        let picked = pieces.picker.pick(rng, peer.has.as_ref()?, Choice::Rarest, fits)?;
        // From the beginning of the gap in which it lies, as far as a request reaches.
        let reach = (STRETCH / u64::from(pieces.layout.piece_length())).max(1) as u32;
        let gap = (picked.saturating_sub(reach)..picked).rev().take_while(|piece| follows(pieces, peer, *piece));
        Some(gap.last().unwrap_or(picked))
    })
}

fn spilled_for(pieces: &Pieces, peer: &Peer) -> Option<u32> {
    pieces.spilled.iter().copied().find(|piece| pieces.missing.get(*piece) && peer.serves(*piece))
}

/// The pieces that a lease may take together with `piece`, so that what is small is written together.
fn extent_of(pieces: &Pieces, piece: u32) -> std::ops::Range<u32> {
    let length = (LEASE_LEN / u64::from(pieces.layout.piece_length())).max(1) as u32;
    let start = piece - piece % length;
    start..start.saturating_add(length)
}

/// The piece after `last`, if it is of the same extent and no more common.
fn neighbour(pieces: &Pieces, peer: &Peer, last: u32) -> Option<u32> {
    let next = last + 1;
    let close = extent_of(pieces, last).contains(&next) && follows(pieces, peer, next);
    (close && pieces.picker.availability(next) <= pieces.picker.availability(last) + 1).then_some(next)
}

/// The first piece of the extent of `picked` that is as good as it.
fn extent_start(pieces: &Pieces, peer: &Peer, picked: u32) -> u32 {
    let as_good = |piece: &u32| {
        follows(pieces, peer, *piece) && pieces.picker.availability(*piece) <= pieces.picker.availability(picked)
    };
    (extent_of(pieces, picked).start..picked).find(as_good).unwrap_or(picked)
}

/// True if the piece can be begun with this peer without asking for more than the peer has.
fn follows(pieces: &Pieces, peer: &Peer, piece: u32) -> bool {
    pieces.picker.is_pickable(piece) && peer.serves(piece) && !pieces.blame.is_poisoned(piece)
}

/// A piece whose hash failed is rather fetched from one who has sent nothing of it.
pub(super) fn trusted(
    pieces: &Pieces,
    piece: u32,
    key: PeerKey,
    peers: &std::collections::BTreeMap<PeerKey, Peer>,
) -> bool {
    !pieces.blame.is_poisoned(piece)
        || !pieces.blame.suspects(piece, key)
        || !peers.iter().any(|(other, peer)| {
            peer.serves(piece) && !peer.closing && !peer.snubbed && !pieces.blame.suspects(piece, *other)
        })
}
