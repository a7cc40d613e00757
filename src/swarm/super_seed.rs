//! Super-seeding (BEP 16): a seed that lets each peer know of few pieces at a time, so that no piece leaves it twice
//! before others have had a chance to pass it on.
//!
//! A peer is offered [`AHEAD`] pieces, the rarest first, and the next one when a piece that it was offered has been seen
//! at somebody else. Where there is nobody to pass it on to, or that takes too long, the next one comes when the peer has
//! the last. Once the others have a whole copy between them, the rest is told and we are a seed like any other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::proto::session::PeerCommand;
use crate::swarm::action::PeerKey;
use crate::swarm::torrent::Torrent;

/// Pieces that one peer is offered at a time, so that it need not wait for the next.
const AHEAD: usize = 2;
/// How long a peer that has an offered piece may take to pass it on.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct SuperSeed {
    /// Offers that are open: to whom, which piece, and since when the peer has it.
    open: BTreeMap<(PeerKey, u32), Option<Instant>>,
    /// Every piece below this one has been seen at another peer.
    seen: u32,
}

impl Torrent {
    /// True while pieces are offered one by one.
    pub fn is_super_seeding(&self) -> bool {
        self.super_seed.is_some()
    }

    /// It is known what the peer has.
    pub(super) fn begin_offers(&mut self, now: Instant, key: PeerKey) {
        if self.super_seed.is_some() {
            self.notice_whole_copy();
            self.fill_offers(now, key);
        }
    }

    /// A peer has got a piece: whoever it was offered to has passed it on, or has it now.
    pub(super) fn on_spread(&mut self, now: Instant, key: PeerKey, piece: u32) {
        let Some(mode) = &mut self.super_seed else { return };
        if let Some(since) = mode.open.get_mut(&(key, piece)) {
            since.get_or_insert(now);
        }
        let passed: Vec<PeerKey> =
            mode.open.keys().filter(|(to, of)| *of == piece && *to != key).map(|(to, _)| *to).collect();
        for to in passed {
            mode.open.remove(&(to, piece));
        }
        self.notice_whole_copy();
        self.review_offers(now);
    }

    /// Closes what nobody can or will pass on, forgets who is gone, and offers more to those who may have more.
    pub(super) fn review_offers(&mut self, now: Instant) {
        let (Some(mode), Some(_)) = (&mut self.super_seed, &self.pieces) else { return };
        let peers = &self.peers;
        let lacking = |piece: u32, but: PeerKey| {
            peers.iter().any(|(key, peer)| *key != but && !peer.closing && peer.has.is_some() && !peer.has(piece))
        };
        mode.open.retain(|(to, piece), since| {
            let waits = since.is_none_or(|since| now < since + PATIENCE && lacking(*piece, *to));
            waits && peers.get(to).is_some_and(|peer| !peer.closing)
        });
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        keys.into_iter().for_each(|key| self.fill_offers(now, key));
    }

    /// Offers a peer as many pieces as it may have open.
    fn fill_offers(&mut self, now: Instant, key: PeerKey) {
        while let Some(mode) = &self.super_seed
            && mode.open.range((key, 0)..=(key, u32::MAX)).count() < AHEAD
            && let Some(piece) = self.next_offer(key)
        {
            self.super_seed.as_mut().expect("it was there").open.insert((key, piece), None);
            self.peers.get_mut(&key).expect("next_offer knows it").offered.insert(piece);
            self.say(key, PeerCommand::Offer(piece));
        }
        // Interest in us follows from what we offer; the rounds go on while there is some.
        self.timers.choke.get_or_insert(now + crate::swarm::choker::ROUND);
    }

    /// The rarest of the pieces that the peer lacks and has not been offered: of those that are equally rare any.
    fn next_offer(&mut self, key: PeerKey) -> Option<u32> {
        let (Some(mode), Some(pieces)) = (&self.super_seed, &self.pieces) else { return None };
        let peer = self.peers.get(&key).filter(|peer| !peer.closing && peer.has.is_some() && !peer.is_seed())?;
        let mut offers: BTreeMap<u32, u32> = BTreeMap::new();
        mode.open
            .iter()
            .filter(|(_, since)| since.is_none())
            .for_each(|((_, piece), _)| *offers.entry(*piece).or_default() += 1);
        let fits = |piece: u32| pieces.have.get(piece) && !peer.has(piece) && !peer.offered.contains(&piece);
        let copies = |piece: u32| pieces.picker.availability(piece) + offers.get(&piece).copied().unwrap_or(0);
        let count = pieces.layout.pieces();
        let start = if count == 0 { 0 } else { self.rng.random_range(0..count) };
        (start..count).chain(0..start).filter(|&piece| fits(piece)).min_by_key(|&piece| copies(piece))
    }

    /// Ends the mode once the others have every piece of ours between them.
    fn notice_whole_copy(&mut self) {
        let (Some(mode), Some(pieces)) = (&mut self.super_seed, &self.pieces) else { return };
        let count = pieces.layout.pieces();
        while mode.seen < count && (pieces.picker.availability(mode.seen) > 0 || !pieces.have.get(mode.seen)) {
            mode.seen += 1;
        }
        if mode.seen == count {
            self.super_seed = None;
            let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
            keys.into_iter().for_each(|key| self.say(key, PeerCommand::OwnUp));
        }
    }
}
