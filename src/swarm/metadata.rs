//! The info dictionary from peers (BEP 9), while nothing but its hash is known.
//!
//! At first every 16 KiB piece is asked of a few peers at once and the first answer counts; peers that disagree about
//! the size are kept apart. If what came together has the wrong hash, who lied is not known unless one peer sent it
//! all; from then on whole copies are fetched, each from one peer alone, so that every failure names its liar and an
//! honest peer is enough.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::base::hash::{sha1, sha256};
use crate::base::id::TorrentId;
use crate::base::layout::BLOCK_LEN;
use crate::swarm::action::PeerKey;

/// How many peers are asked for the same piece at a time.
const ASKED_AT_ONCE: u8 = 3;
/// The same where one piece is all: some clients answer for metadata in their own time, and the quickest counts.
const ASKED_AT_ONCE_IF_SMALL: u8 = 8;
/// How many pieces one peer is asked for at a time.
const PER_PEER: usize = 8;
/// Sizes that are fetched at the same time, those with the most peers first.
const SIZES: usize = 3;
/// Whole copies that are fetched at the same time once there has been a lie.
const COPIES: usize = 4;
/// After this others are asked too; the answer is still welcome.
const PATIENCE: Duration = Duration::from_secs(3);
/// After a rejection a peer is not asked for this long; after this an answer is not expected any more.
const PAUSE: Duration = Duration::from_secs(30);

/// Owner of what has come of the info dictionary.
pub struct MetadataFetch {
    id: TorrentId,
    max_size: u32,
    offers: BTreeMap<PeerKey, Offer>,
    shared: BTreeMap<u32, Draft>,
    /// Set by the first lie.
    alone: bool,
    copies: BTreeMap<PeerKey, Draft>,
}

struct Offer {
    size: u32,
    /// Pieces asked for and not answered.
    asked: BTreeMap<u32, Ask>,
    pause: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Ask {
    since: Instant,
    /// Others are asked too.
    overdue: bool,
}

struct Draft {
    pieces: Vec<Option<(PeerKey, Vec<u8>)>>,
    missing: usize,
}

/// What an answer led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fetched {
    /// More is needed (or the answer was of no use).
    Going,
    /// This is it: the hash is right.
    Complete(Vec<u8>),
    /// The hash was wrong. These peers sent it: one is a liar, several may have honest ones among them.
    Wrong(Vec<PeerKey>),
}

impl MetadataFetch {
    /// Nothing known but the hash; sizes above `max_size` bytes are not believed.
    pub fn new(id: TorrentId, max_size: u32) -> Self {
        MetadataFetch {
            id,
            max_size,
            offers: BTreeMap::new(),
            shared: BTreeMap::new(),
            alone: false,
            copies: BTreeMap::new(),
        }
    }

    /// A peer's extended handshake says that it has `size` bytes of metadata; `None`: it has none or left.
    pub fn offer(&mut self, peer: PeerKey, size: Option<u32>) {
        match size.filter(|size| (1..=self.max_size).contains(size)) {
            Some(size) if self.offers.get(&peer).is_some_and(|offer| offer.size == size) => {}
            Some(size) => {
                self.offers.insert(peer, Offer { size, asked: BTreeMap::new(), pause: None });
                // Of another size, if there is one.
                self.copies.remove(&peer);
            }
            None => {
                self.offers.remove(&peer);
                self.copies.remove(&peer);
            }
        }
        let offers = &self.offers;
        self.shared.retain(|size, _| offers.values().any(|offer| offer.size == *size));
    }

    /// What to ask of whom now. Each returned piece counts as asked.
    pub fn requests(&mut self, now: Instant) -> Vec<(PeerKey, Vec<u32>)> {
        let mut askers = self.askers();
        let mut busy = self.offers.values().filter(|offer| offer.is_busy()).count();
        let mut requests = Vec::new();
        for (&peer, offer) in &mut self.offers {
            let room = PER_PEER.saturating_sub(offer.asked.len());
            if room == 0 || offer.pause.is_some_and(|until| until > now) {
                continue;
            }
            let wanted = if self.alone {
                if !offer.is_busy() && !self.copies.contains_key(&peer) && busy >= COPIES {
                    continue;
                }
                offer.missing(self.copies.get(&peer)).take(room).collect()
            } else {
                let Some(askers) = askers.get_mut(&offer.size) else { continue };
                let missing = offer.missing(self.shared.get(&offer.size));
                let mut wanted: Vec<(u8, u32)> = missing.map(|index| (askers[index as usize], index)).collect();
                let most = if offer.size <= BLOCK_LEN { ASKED_AT_ONCE_IF_SMALL } else { ASKED_AT_ONCE };
                wanted.retain(|(askers, _)| *askers < most);
                wanted.sort_unstable();
                wanted.truncate(room);
                wanted.iter().for_each(|(_, index)| askers[*index as usize] += 1);
                wanted.into_iter().map(|(_, index)| index).collect::<Vec<u32>>()
            };
            if !wanted.is_empty() {
                busy += usize::from(!offer.is_busy());
                offer.asked.extend(wanted.iter().map(|index| (*index, Ask { since: now, overdue: false })));
                requests.push((peer, wanted));
            }
        }
        requests
    }

    /// An answer. Ones that were not asked for, or that do not fit what was offered, are ignored.
    pub fn on_piece(&mut self, peer: PeerKey, index: u32, total_size: u32, bytes: Vec<u8>) -> Fetched {
        let Some(offer) = self.offers.get_mut(&peer) else { return Fetched::Going };
        let (size, asked) = (offer.size, offer.asked.remove(&index).is_some());
        if !asked || total_size != size || bytes.len() as u32 != piece_len(size, index) {
            return Fetched::Going;
        }
        let copy = match self.alone {
            true => self.copies.entry(peer).or_insert_with(|| Draft::new(size)),
            false => self.shared.entry(size).or_insert_with(|| Draft::new(size)),
        };
        copy.put(index, peer, bytes);
        if copy.missing > 0 {
            return Fetched::Going;
        }
        let whole = if self.alone { self.copies.remove(&peer) } else { self.shared.remove(&size) };
        self.judge(whole.expect("it has just been filled"))
    }

    /// The peer will not send this piece now.
    pub fn on_rejected(&mut self, now: Instant, peer: PeerKey, index: u32) {
        if let Some(offer) = self.offers.get_mut(&peer)
            && offer.asked.remove(&index).is_some()
        {
            offer.pause = Some(now + PAUSE);
        }
    }

    /// (pieces that are there, pieces in all) of the size that is furthest.
    pub fn progress(&self) -> Option<(u32, u32)> {
        let copies = self.shared.values().chain(self.copies.values());
        let best = copies.max_by_key(|copy| copy.pieces.len() - copy.missing);
        best.map(|copy| ((copy.pieces.len() - copy.missing) as u32, copy.pieces.len() as u32))
    }

    /// When [`MetadataFetch::on_timeout`] and then [`MetadataFetch::requests`] should be called.
    pub fn next_due(&self) -> Option<Instant> {
        let asked = self.offers.values().flat_map(|offer| offer.asked.values().map(Ask::due));
        let paused = self.offers.values().filter_map(|offer| offer.pause);
        asked.chain(paused).min()
    }

    /// Gives up waiting for what is overdue.
    pub fn on_timeout(&mut self, now: Instant) {
        for offer in self.offers.values_mut() {
            offer.pause = offer.pause.filter(|until| *until > now);
            offer.asked.retain(|_, ask| ask.since + PAUSE > now);
            offer.asked.values_mut().for_each(|ask| ask.overdue = ask.since + PATIENCE <= now);
        }
    }

    /// How many peers are asked for each piece, of each size that is fetched.
    fn askers(&self) -> BTreeMap<u32, Vec<u8>> {
        let mut count: BTreeMap<u32, usize> = BTreeMap::new();
        self.offers.values().for_each(|offer| *count.entry(offer.size).or_default() += 1);
        let mut sizes: Vec<(usize, u32)> = count.into_iter().map(|(size, peers)| (peers, size)).collect();
        sizes.sort_by_key(|&(peers, size)| (std::cmp::Reverse(peers), size));
        let mut askers: BTreeMap<u32, Vec<u8>> =
            sizes.into_iter().take(SIZES).map(|(_, size)| (size, vec![0; pieces_of(size)])).collect();
        for offer in self.offers.values() {
            let Some(askers) = askers.get_mut(&offer.size) else { continue };
            for (index, _) in offer.asked.iter().filter(|(_, ask)| !ask.overdue) {
                askers[*index as usize] = askers[*index as usize].saturating_add(1);
            }
        }
        askers
    }

    fn judge(&mut self, whole: Draft) -> Fetched {
        let (mut info, mut senders) = (Vec::new(), Vec::new());
        for (sender, bytes) in whole.pieces.into_iter().flatten() {
            info.extend_from_slice(&bytes);
            senders.push(sender);
        }
        let right = match (self.id.v1(), self.id.v2()) {
            (Some(v1), _) => sha1(&info) == v1.0,
            (None, v2) => v2.is_some_and(|v2| sha256(&info) == v2.0),
        };
        if right {
            return Fetched::Complete(info);
        }
        senders.sort_unstable();
        senders.dedup();
        self.alone = true;
        self.shared.clear();
        if let [liar] = senders[..] {
            self.offer(liar, None);
        }
        Fetched::Wrong(senders)
    }
}

impl Ask {
    fn due(&self) -> Instant {
        self.since + if self.overdue { PAUSE } else { PATIENCE }
    }
}

impl Offer {
    fn is_busy(&self) -> bool {
        self.asked.values().any(|ask| !ask.overdue)
    }

    /// Pieces that `copy` lacks and this peer was not asked for.
    fn missing<'a>(&'a self, copy: Option<&'a Draft>) -> impl Iterator<Item = u32> + 'a {
        (0..pieces_of(self.size) as u32)
            .filter(move |index| copy.is_none_or(|copy| copy.pieces[*index as usize].is_none()))
            .filter(|index| !self.asked.contains_key(index))
    }
}

impl Draft {
    fn new(size: u32) -> Self {
        let pieces = pieces_of(size);
        Draft { pieces: vec![None; pieces], missing: pieces }
    }

    fn put(&mut self, index: u32, peer: PeerKey, bytes: Vec<u8>) {
        let place = &mut self.pieces[index as usize];
        if place.is_none() {
            *place = Some((peer, bytes));
            self.missing -= 1;
        }
    }
}

fn pieces_of(size: u32) -> usize {
    size.div_ceil(BLOCK_LEN) as usize
}

/// How long piece `index` of `size` bytes of metadata is; 0 beyond the end.
fn piece_len(size: u32, index: u32) -> u32 {
    u64::from(size).saturating_sub(u64::from(index) * u64::from(BLOCK_LEN)).min(BLOCK_LEN.into()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::InfoHashV1;

    fn info(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 / 3) as u8).collect()
    }

    fn fetch_of(info: &[u8]) -> (MetadataFetch, Instant) {
        (MetadataFetch::new(TorrentId::from_v1(InfoHashV1(sha1(info))), 1 << 20), Instant::now())
    }

    fn part(info: &[u8], index: u32) -> Vec<u8> {
        info.chunks(BLOCK_LEN as usize).nth(index as usize).unwrap().to_vec()
    }

    /// Answers every request by `answer` until nothing is asked any more.
    fn run(
        fetch: &mut MetadataFetch,
        now: Instant,
        size: u32,
        answer: impl Fn(PeerKey, u32) -> Vec<u8>,
    ) -> (Option<Vec<u8>>, Vec<PeerKey>) {
        let mut liars = Vec::new();
        for _ in 0..100 {
            for (peer, indices) in fetch.requests(now) {
                for index in indices {
                    match fetch.on_piece(peer, index, size, answer(peer, index)) {
                        Fetched::Complete(info) => return (Some(info), liars),
                        Fetched::Wrong(senders) if senders.len() == 1 => liars.extend(senders),
                        Fetched::Wrong(_) | Fetched::Going => {}
                    }
                }
            }
        }
        (None, liars)
    }

    #[test]
    fn pieces_are_asked_of_several_peers_at_once_and_the_first_answer_counts() {
        let info = info(40_000);
        let (mut fetch, now) = fetch_of(&info);
        for peer in 0..5 {
            fetch.offer(PeerKey(peer), Some(40_000));
        }
        let asked = fetch.requests(now);
        let of = |index| asked.iter().filter(|(_, indices)| indices.contains(&index)).count();
        assert_eq!((of(0), of(1), of(2)), (3, 3, 3));
        assert_eq!(fetch.requests(now), [], "asked once");
        let mut result = Fetched::Going;
        for index in 0..3 {
            let (peer, _) = asked.iter().find(|(_, indices)| indices.contains(&index)).unwrap();
            assert_eq!(fetch.on_piece(*peer, 9, 40_000, part(&info, 0)), Fetched::Going, "not asked for");
            result = fetch.on_piece(*peer, index, 40_000, part(&info, index));
        }
        assert_eq!(result, Fetched::Complete(info));
    }

    #[test]
    fn a_liar_among_honest_peers_is_found_and_the_download_goes_on() {
        let info = info(100_000);
        let (mut fetch, now) = fetch_of(&info);
        for peer in 0..4 {
            fetch.offer(PeerKey(peer), Some(100_000));
        }
        let (got, liars) = run(&mut fetch, now, 100_000, |peer, index| match peer {
            PeerKey(0) => vec![0; part(&info, index).len()],
            _ => part(&info, index),
        });
        assert_eq!(got.as_deref(), Some(&info[..]));
        assert!(liars.is_empty() || liars == [PeerKey(0)], "only the liar may be named: {liars:?}");
    }

    #[test]
    fn liars_alone_are_named_one_by_one() {
        let info = info(50_000);
        let (mut fetch, now) = fetch_of(&info);
        for peer in 0..3 {
            fetch.offer(PeerKey(peer), Some(50_000));
        }
        let lie = |_, index| vec![1; part(&info, index).len()];
        let (got, mut liars) = run(&mut fetch, now, 50_000, lie);
        liars.sort_unstable();
        assert_eq!((got, liars), (None, vec![PeerKey(0), PeerKey(1), PeerKey(2)]));
        fetch.offer(PeerKey(9), Some(50_000));
        assert_eq!(run(&mut fetch, now, 50_000, |_, index| part(&info, index)).0, Some(info));
    }

    #[test]
    fn disagreement_on_the_size_is_survived() {
        let info = info(20_000);
        let (mut fetch, now) = fetch_of(&info);
        for peer in 0..6 {
            fetch.offer(PeerKey(peer), Some(if peer < 5 { 900_000 } else { 20_000 }));
        }
        let asked = fetch.requests(now);
        let of_honest = asked.iter().find(|(peer, _)| *peer == PeerKey(5)).map(|(_, indices)| indices.clone());
        assert_eq!(of_honest, Some(vec![0, 1]));
        assert_eq!(fetch.on_piece(PeerKey(5), 0, 20_000, part(&info, 0)), Fetched::Going);
        assert_eq!(fetch.on_piece(PeerKey(5), 1, 20_000, part(&info, 1)), Fetched::Complete(info));
    }

    #[test]
    fn a_peer_that_takes_back_its_size_begins_again() {
        let info = info(100_000);
        let (mut fetch, now) = fetch_of(&info);
        fetch.offer(PeerKey(0), Some(20_000));
        let lie = |_, index| vec![1; piece_len(20_000, index) as usize];
        assert_eq!(run(&mut fetch, now, 20_000, lie), (None, vec![PeerKey(0)]), "from now on each peer is alone");
        fetch.offer(PeerKey(1), Some(20_000));
        assert_eq!(fetch.requests(now), [(PeerKey(1), vec![0, 1])]);
        assert_eq!(fetch.on_piece(PeerKey(1), 0, 20_000, lie(PeerKey(1), 0)), Fetched::Going);
        fetch.offer(PeerKey(1), Some(100_000));
        assert_eq!(fetch.progress(), None);
        assert_eq!(run(&mut fetch, now, 100_000, |_, index| part(&info, index)), (Some(info.clone()), vec![]));
    }

    #[test]
    fn silence_and_rejection_make_room_for_others() {
        let info = info(100);
        let (mut fetch, now) = fetch_of(&info);
        for peer in 0..10 {
            fetch.offer(PeerKey(peer), Some(100));
        }
        assert_eq!(fetch.requests(now).len(), 8);
        fetch.on_rejected(now, PeerKey(0), 0);
        assert_eq!(fetch.requests(now), [(PeerKey(8), vec![0])]);
        let later = now + PATIENCE;
        assert_eq!(fetch.next_due(), Some(later));
        fetch.on_timeout(later);
        assert_eq!(fetch.requests(later), [(PeerKey(9), vec![0])]);
        assert_eq!(fetch.on_piece(PeerKey(1), 0, 100, info.clone()), Fetched::Complete(info), "late but welcome");
    }

    #[test]
    fn where_there_are_several_pieces_each_is_asked_of_three() {
        let (mut fetch, now) = fetch_of(&info(20_000));
        for peer in 0..10 {
            fetch.offer(PeerKey(peer), Some(20_000));
        }
        let asked: Vec<u32> = fetch.requests(now).into_iter().flat_map(|(_, indices)| indices).collect();
        for piece in 0..2 {
            assert_eq!(asked.iter().filter(|index| **index == piece).count(), 3, "{asked:?}");
        }
    }

    #[test]
    fn absurd_sizes_are_not_believed() {
        let (mut fetch, now) = fetch_of(b"");
        fetch.offer(PeerKey(1), Some(u32::MAX));
        fetch.offer(PeerKey(2), Some(0));
        assert_eq!(fetch.requests(now), []);
        assert_eq!(fetch.next_due(), None);
    }
}
