//! The piece layers from peers (BEP 52, "hash request"), for files whose pieces' hashes the info dictionary does not hold.
//!
//! Every layer is asked for in *spans* of up to 512 hashes, each with the uncles that lead to the file's root: a span proves
//! itself, so that each lie names its liar and each honest answer counts at once. A span is asked of one peer; of another
//! too when the first takes long, and when there is nothing else left to ask. Memory holds what has proved itself and
//! nothing else.
//!
//! *Aside* it is for what nobody waits for: one span's worth of hashes at a time, and long pauses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::base::merkle::{Node, proves, whole_proof};
use crate::proto::wire::{HashRange, MAX_HASHES};
use crate::swarm::action::PeerKey;

/// Spans that one peer is asked for at a time, and hashes.
const PER_PEER: usize = 12;
const HASHES_PER_PEER: u32 = 4 * MAX_HASHES;
/// How many peers are asked for the same span at a time once no other is left.
const ASKED_AT_ONCE: usize = 2;
/// After this others are asked too; the answer is still welcome.
const PATIENCE: Duration = Duration::from_secs(3);
/// A peer that rejects so many spans in a row is not asked for others either.
const REJECTIONS: usize = 4;
/// How long rejections are believed; after this an answer is not expected any more.
const PAUSE: Duration = Duration::from_secs(30);
/// The same where nobody waits.
const PAUSE_ASIDE: Duration = Duration::from_secs(300);
/// Hashes that are asked for at a time where nobody waits, and as many again but one: 16 to 32 KiB.
const HASHES_ASIDE: u32 = MAX_HASHES;

/// A piece layer that is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingLayer {
    /// The root of the file, or of the files.
    pub root: Node,
    /// Hashes of the layer: two or more.
    pub pieces: u32,
    /// Layers of the file's tree above the leaves.
    pub height: u32,
}

/// What an answer led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gained {
    /// More is needed (or the answer was of no use).
    Going,
    /// That was the last one: [`LayerFetch::take`] has them.
    Complete,
    /// The peer lied: what it sent does not lead to the root.
    Lie,
}

/// Owner of what has come of the layers; as much as the reader of the info dictionary lets a torrent have. A span is in
/// `todo` exactly if it is not there and nobody is waited for who was asked for it.
pub struct LayerFetch {
    /// The number of the piece layers.
    layer: u32,
    aside: bool,
    files: Vec<MissingLayer>,
    /// By root, what has come; as long as the layer from the first span that came on.
    found: BTreeMap<Node, Vec<Node>>,
    /// In the order of the files and of their hashes.
    spans: Vec<Span>,
    todo: VecDeque<usize>,
    missing: usize,
    peers: BTreeMap<PeerKey, Helper>,
}

struct Span {
    file: usize,
    index: u32,
    length: u32,
    there: bool,
    /// Peers that are asked for it and waited for.
    askers: usize,
}

#[derive(Default)]
struct Helper {
    /// Spans asked for and not answered.
    asked: BTreeMap<usize, Ask>,
    /// Spans that it will not send, and until when it is believed.
    rejected: BTreeSet<usize>,
    believed: Option<Instant>,
    in_a_row: usize,
}

struct Ask {
    since: Instant,
    /// Others are asked too.
    overdue: bool,
}

impl LayerFetch {
    /// Nothing known but the roots; the hashes that are wanted are those of layer `layer`.
    pub fn new(layer: u32, files: Vec<MissingLayer>) -> Self {
        let mut spans = Vec::new();
        for (file, missing) in files.iter().enumerate() {
            for index in (0..missing.pieces).step_by(MAX_HASHES as usize) {
                // The last one is as long as it has to be; two hashes at least (BEP 52).
                let length = (missing.pieces - index).min(MAX_HASHES).next_power_of_two().max(2);
                spans.push(Span { file, index, length, there: false, askers: 0 });
            }
        }
        LayerFetch {
            layer,
            aside: false,
            files,
            found: BTreeMap::new(),
            todo: (0..spans.len()).collect(),
            missing: spans.len(),
            spans,
            peers: BTreeMap::new(),
        }
    }

    /// The same, beside what matters more.
    pub fn aside(layer: u32, files: Vec<MissingLayer>) -> Self {
        LayerFetch { aside: true, ..LayerFetch::new(layer, files) }
    }

    /// A peer that has the info dictionary, and so perhaps the layers.
    pub fn join(&mut self, peer: PeerKey) {
        self.peers.entry(peer).or_default();
    }

    /// The peer is gone.
    pub fn leave(&mut self, peer: PeerKey) {
        let Some(helper) = self.peers.remove(&peer) else { return };
        for (nth, ask) in helper.asked {
            self.give_back(nth, !ask.overdue);
        }
    }

    /// What to ask of whom now. Each returned range counts as asked.
    pub fn requests(&mut self, now: Instant) -> Vec<(PeerKey, Vec<HashRange>)> {
        let mut requests: BTreeMap<PeerKey, Vec<HashRange>> = BTreeMap::new();
        // One each in turn, so that all have something to do.
        let mut able: VecDeque<PeerKey> = self.peers.keys().copied().collect();
        while let Some(peer) = able.pop_front() {
            if self.aside && self.waited_for() >= HASHES_ASIDE {
                break;
            }
            if let Some(nth) = self.next_for(peer) {
                let ask = Ask { since: now, overdue: false };
                self.peers.entry(peer).or_default().asked.insert(nth, ask);
                self.spans[nth].askers += 1;
                requests.entry(peer).or_default().push(self.range(nth));
                able.push_back(peer);
            }
        }
        requests.into_iter().collect()
    }

    /// Hashes that are asked for and not overdue.
    fn waited_for(&self) -> u32 {
        let asked = self.peers.values().flat_map(|helper| &helper.asked);
        asked.filter(|(_, ask)| !ask.overdue).map(|(nth, _)| self.spans[*nth].length).sum()
    }

    /// True if the peer owes an answer that is not overdue.
    pub fn waits_for(&self, peer: PeerKey) -> bool {
        self.peers.get(&peer).is_some_and(|helper| helper.asked.values().any(|ask| !ask.overdue))
    }

    fn pause(&self) -> Duration {
        if self.aside { PAUSE_ASIDE } else { PAUSE }
    }

    /// The span that the peer is asked for next, taken from `todo` if it was there.
    fn next_for(&mut self, peer: PeerKey) -> Option<usize> {
        let helper = self.peers.get(&peer)?;
        let hashes: u32 = helper.asked.keys().map(|nth| self.spans[*nth].length).sum();
        if helper.asked.len() >= PER_PEER || hashes >= HASHES_PER_PEER || helper.in_a_row >= REJECTIONS {
            return None;
        }
        let free = |nth: &usize| !helper.asked.contains_key(nth) && !helper.rejected.contains(nth);
        // What it rejected or is overdue with is passed over; that is seldom much.
        if let Some(at) = self.todo.iter().position(free) {
            return self.todo.remove(at);
        }
        if self.aside {
            return None;
        }
        let others = self.peers.values().flat_map(|helper| helper.asked.keys());
        others.copied().find(|nth| free(nth) && !self.spans[*nth].there && self.spans[*nth].askers < ASKED_AT_ONCE)
    }

    /// An answer. One that was not asked for is ignored.
    pub fn on_hashes(&mut self, peer: PeerKey, range: HashRange, hashes: &[Node]) -> Gained {
        let Some((nth, waited_for)) = self.answered(peer, &range) else { return Gained::Going };
        let (span, uncles) = hashes.split_at(hashes.len().min(range.length as usize));
        if span.len() != range.length as usize || !proves(&range.root, range.index, span, uncles) {
            self.give_back(nth, waited_for);
            return Gained::Lie;
        }
        if let Some(helper) = self.peers.get_mut(&peer) {
            helper.in_a_row = 0;
        }
        if !self.spans[nth].there {
            self.put(nth, span);
        }
        self.give_back(nth, waited_for);
        if self.missing == 0 { Gained::Complete } else { Gained::Going }
    }

    fn put(&mut self, nth: usize, hashes: &[Node]) {
        let Span { file, index, askers, .. } = self.spans[nth];
        let MissingLayer { root, pieces, .. } = self.files[file];
        let layer = self.found.entry(root).or_insert_with(|| vec![Node::default(); pieces as usize]);
        let (start, end) = (index as usize, layer.len().min(index as usize + hashes.len()));
        // Behind the end of the layer there is padding.
        layer[start..end].copy_from_slice(&hashes[..end - start]);
        self.spans[nth].there = true;
        self.missing -= 1;
        if askers == 0 {
            self.todo.retain(|other| *other != nth);
        }
    }

    /// The peer will not send this range now.
    pub fn on_reject(&mut self, now: Instant, peer: PeerKey, range: &HashRange) {
        let Some((nth, waited_for)) = self.answered(peer, range) else { return };
        let pause = self.pause();
        if let Some(helper) = self.peers.get_mut(&peer) {
            helper.rejected.insert(nth);
            helper.believed.get_or_insert(now + pause);
            helper.in_a_row += 1;
        }
        self.give_back(nth, waited_for);
    }

    /// The layers by root; nothing before they are complete.
    pub fn take(&mut self) -> Vec<(Node, Vec<Node>)> {
        if self.missing > 0 { Vec::new() } else { std::mem::take(&mut self.found).into_iter().collect() }
    }

    /// (spans that are there, spans in all).
    pub fn progress(&self) -> (u32, u32) {
        ((self.spans.len() - self.missing) as u32, self.spans.len() as u32)
    }

    /// When [`LayerFetch::on_timeout`] and then [`LayerFetch::requests`] should be called.
    pub fn next_due(&self) -> Option<Instant> {
        let pause = self.pause();
        let asked = self.peers.values().flat_map(|helper| helper.asked.values().map(|ask| ask.due(pause)));
        let believed = self.peers.values().filter_map(|helper| helper.believed);
        asked.chain(believed).min()
    }

    /// Gives up waiting for what is overdue, and tries those again that were left alone.
    pub fn on_timeout(&mut self, now: Instant) {
        let (mut back, pause) = (Vec::new(), self.pause());
        for helper in self.peers.values_mut() {
            if helper.believed.is_some_and(|until| until <= now) {
                (helper.believed, helper.in_a_row) = (None, 0);
                helper.rejected.clear();
            }
            for (nth, ask) in &mut helper.asked {
                if !ask.overdue && ask.since + PATIENCE <= now {
                    ask.overdue = true;
                    back.push(*nth);
                }
            }
            helper.asked.retain(|_, ask| !ask.overdue || ask.since + pause > now);
        }
        back.into_iter().for_each(|nth| self.give_back(nth, true));
    }

    /// The span of a range that the peer is asked for, and whether it is waited for; it is not asked any more.
    fn answered(&mut self, peer: PeerKey, range: &HashRange) -> Option<(usize, bool)> {
        let asked = &self.peers.get(&peer)?.asked;
        let nth = *asked.keys().find(|nth| self.range(**nth) == *range)?;
        let ask = self.peers.get_mut(&peer)?.asked.remove(&nth)?;
        Some((nth, !ask.overdue))
    }

    /// One who was asked for the span is asked no more; `waited_for`: until now.
    fn give_back(&mut self, nth: usize, waited_for: bool) {
        let span = &mut self.spans[nth];
        span.askers -= usize::from(waited_for);
        if waited_for && span.askers == 0 && !span.there {
            // Behind the others: this one has had its turn.
            self.todo.push_back(nth);
        }
    }

    fn range(&self, nth: usize) -> HashRange {
        let Span { file, index, length, .. } = self.spans[nth];
        let MissingLayer { root, height, .. } = self.files[file];
        HashRange { root, base: self.layer, index, length, proof: whole_proof(height, self.layer) }
    }
}

impl Ask {
    /// When it is overdue, and then when it is given up.
    fn due(&self, pause: Duration) -> Instant {
        self.since + if self.overdue { pause } else { PATIENCE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::sha256;
    use crate::base::merkle::{Tree, height};

    const LAYER: u32 = 2;

    /// Files of so many pieces, with different hashes.
    struct World {
        trees: BTreeMap<Node, Tree>,
        layers: BTreeMap<Node, Vec<Node>>,
        fetch: LayerFetch,
        now: Instant,
    }

    impl World {
        fn new(pieces: &[u32]) -> World {
            let mut files = Vec::new();
            let (mut trees, mut layers) = (BTreeMap::new(), BTreeMap::new());
            for (file, &pieces) in pieces.iter().enumerate() {
                let layer: Vec<Node> = (0..pieces).map(|at| sha256(format!("{file} {at}").as_bytes())).collect();
                let height = height(pieces.into()) + LAYER;
                let tree = Tree::new(layer.clone(), LAYER, height);
                files.push(MissingLayer { root: tree.root(), pieces, height });
                layers.insert(tree.root(), layer);
                trees.insert(tree.root(), tree);
            }
            World { trees, layers, fetch: LayerFetch::new(LAYER, files), now: Instant::now() }
        }

        fn answer(&self, range: &HashRange) -> Vec<Node> {
            self.trees[&range.root].span(range.base, range.index, range.length, range.proof).expect("it is there")
        }

        /// Answers every request honestly until nothing is asked any more.
        fn run(&mut self) -> Gained {
            let mut gained = Gained::Going;
            loop {
                let requests = self.fetch.requests(self.now);
                if requests.is_empty() {
                    return gained;
                }
                for (peer, ranges) in requests {
                    for range in ranges {
                        let answer = self.answer(&range);
                        gained = self.fetch.on_hashes(peer, range, &answer);
                    }
                }
            }
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
            self.fetch.on_timeout(self.now);
        }

        fn is_whole(&mut self) -> bool {
            let found: BTreeMap<Node, Vec<Node>> = self.fetch.take().into_iter().collect();
            found == self.layers
        }
    }

    fn ranges(requests: &[(PeerKey, Vec<HashRange>)]) -> Vec<(u64, u32, u32, u32)> {
        let each = requests.iter().flat_map(|(peer, ranges)| ranges.iter().map(|it| (peer.0, *it)));
        each.map(|(peer, it)| (peer, it.index, it.length, it.proof)).collect()
    }

    /// 1,300 hashes, a layer of 2,048 with its padding, eleven below the root: spans of 512, 512 and the rest as a
    /// power of two.
    #[test]
    fn a_layer_is_asked_for_in_spans_with_their_proof() {
        let mut world = World::new(&[1_300]);
        world.fetch.join(PeerKey(1));
        assert_eq!(ranges(&world.fetch.requests(world.now)), [(1, 0, 512, 10), (1, 512, 512, 10), (1, 1_024, 512, 10)]);
        let mut world = World::new(&[513, 2, 3]);
        world.fetch.join(PeerKey(1));
        let expected = [(1, 0, 512, 9), (1, 512, 2, 9), (1, 0, 2, 0), (1, 0, 4, 1)];
        assert_eq!(ranges(&world.fetch.requests(world.now)), expected, "two hashes at least, never the root");
    }

    #[test]
    fn every_layer_comes_from_several_peers() {
        let mut world = World::new(&[2, 700, 3, 512, 513, 1_024, 5_000]);
        (0..3).for_each(|peer| world.fetch.join(PeerKey(peer)));
        let requests = world.fetch.requests(world.now);
        assert_eq!(requests.len(), 3, "all have something to do");
        for (peer, ranges) in requests {
            assert!(ranges.len() <= PER_PEER && ranges.iter().map(|it| it.length).sum::<u32>() < 5 * MAX_HASHES);
            for range in ranges {
                let answer = world.answer(&range);
                assert_eq!(world.fetch.on_hashes(peer, range, &answer), Gained::Going);
            }
        }
        assert!(world.fetch.take().is_empty(), "not before they are complete");
        assert_eq!(world.run(), Gained::Complete);
        assert_eq!(world.fetch.progress(), (19, 19));
        assert!(world.is_whole());
    }

    #[test]
    fn a_lie_names_its_liar_and_costs_nothing_that_is_there() {
        let mut world = World::new(&[600]);
        world.fetch.join(PeerKey(1));
        let range = world.fetch.requests(world.now)[0].1[0];
        for lie in [0, 511, 512] {
            let mut answer = world.answer(&range);
            answer[lie][0] ^= 1;
            assert_eq!(world.fetch.on_hashes(PeerKey(1), range, &answer), Gained::Lie, "{lie}");
            let again = world.fetch.requests(world.now);
            assert_eq!(again, [(PeerKey(1), vec![range])], "it is still wanted");
        }
        assert_eq!(world.fetch.on_hashes(PeerKey(1), range, &[]), Gained::Lie);
        world.fetch.leave(PeerKey(1));
        world.fetch.join(PeerKey(2));
        assert_eq!(world.run(), Gained::Complete);
        assert!(world.is_whole());
    }

    #[test]
    fn who_is_slow_does_not_keep_the_others_waiting_and_its_answer_is_welcome() {
        let mut world = World::new(&[600]);
        world.fetch.join(PeerKey(1));
        let asked = world.fetch.requests(world.now);
        assert_eq!(world.fetch.next_due(), Some(world.now + PATIENCE));
        // Nothing is left to ask: the second is asked for the same.
        world.fetch.join(PeerKey(2));
        assert_eq!(world.fetch.requests(world.now), [(PeerKey(2), asked[0].1.clone())]);
        world.fetch.join(PeerKey(3));
        assert_eq!(world.fetch.requests(world.now), [], "two are enough");
        world.wait(PATIENCE);
        assert_eq!(world.fetch.requests(world.now), [(PeerKey(3), asked[0].1.clone())]);
        let late = asked[0].1[0];
        let answer = world.answer(&late);
        assert_eq!(world.fetch.on_hashes(PeerKey(1), late, &answer), Gained::Going);
        assert_eq!(world.fetch.progress(), (1, 2));
        assert_eq!(world.fetch.on_hashes(PeerKey(1), late, &answer), Gained::Going, "asked for once");
        let other = asked[0].1[1];
        let answer = world.answer(&other);
        assert_eq!(world.fetch.on_hashes(PeerKey(3), other, &answer), Gained::Complete);
        assert!(world.is_whole());
    }

    /// With the only peer gone silent, what it was asked for is asked of whoever comes.
    #[test]
    fn what_nobody_answers_is_asked_again() {
        let mut world = World::new(&[600]);
        world.fetch.join(PeerKey(1));
        let asked = world.fetch.requests(world.now);
        world.wait(PATIENCE);
        assert_eq!(world.fetch.requests(world.now), [], "not of the same");
        world.wait(PAUSE);
        assert_eq!(world.fetch.requests(world.now), asked, "but again after a while");
        world.fetch.leave(PeerKey(1));
        world.fetch.join(PeerKey(2));
        assert_eq!(world.run(), Gained::Complete);
    }

    #[test]
    fn rejections_are_believed_for_a_while() {
        let mut world = World::new(&[512 * 6]);
        world.fetch.join(PeerKey(1));
        let asked = world.fetch.requests(world.now).remove(0).1;
        assert_eq!(asked.len(), 4);
        asked[..3].iter().for_each(|range| world.fetch.on_reject(world.now, PeerKey(1), range));
        let others = world.fetch.requests(world.now).remove(0).1;
        assert!(others.iter().all(|range| !asked.contains(range)), "others may be there");
        world.fetch.on_reject(world.now, PeerKey(1), &asked[3]);
        for range in others {
            let answer = world.answer(&range);
            world.fetch.on_hashes(PeerKey(1), range, &answer);
        }
        assert_eq!(world.fetch.requests(world.now), []);
        assert_eq!(world.fetch.next_due(), Some(world.now + PAUSE));
        world.wait(PAUSE);
        assert_eq!(world.run(), Gained::Complete);
        assert!(world.is_whole());
    }

    #[test]
    fn aside_little_is_asked_for_at_a_time() {
        let mut world = World::new(&[5_000, 2, 3, 600]);
        world.fetch.aside = true;
        (0..3).for_each(|peer| world.fetch.join(PeerKey(peer)));
        let first = world.fetch.requests(world.now);
        assert_eq!(ranges(&first), [(0, 0, 512, 12)], "one span, of one peer");
        assert_eq!([0, 1].map(|peer| world.fetch.waits_for(PeerKey(peer))), [true, false]);
        // It takes long: another is asked for the next, and the first comes back to whoever is left.
        world.wait(PATIENCE);
        assert_eq!(ranges(&world.fetch.requests(world.now)), [(0, 512, 512, 12)]);
        let range = first[0].1[0];
        let answer = world.answer(&range);
        assert_eq!(world.fetch.on_hashes(PeerKey(0), range, &answer), Gained::Going, "late and welcome");
        assert_eq!(world.fetch.requests(world.now), []);
        world.fetch.leave(PeerKey(0));
        assert_eq!(world.run(), Gained::Complete);
        assert!(world.is_whole());
    }

    #[test]
    fn aside_who_rejects_is_left_alone_for_long() {
        let mut world = World::new(&[2]);
        world.fetch.aside = true;
        world.fetch.join(PeerKey(1));
        let range = world.fetch.requests(world.now)[0].1[0];
        world.fetch.on_reject(world.now, PeerKey(1), &range);
        assert_eq!((world.fetch.requests(world.now), world.fetch.next_due()), (vec![], Some(world.now + PAUSE_ASIDE)));
        world.wait(PAUSE_ASIDE);
        assert_eq!(world.run(), Gained::Complete);
    }

    #[test]
    fn who_rejects_everything_is_left_alone() {
        let mut world = World::new(&[512 * 20]);
        world.fetch.join(PeerKey(1));
        let asked = world.fetch.requests(world.now).remove(0).1;
        asked.iter().for_each(|range| world.fetch.on_reject(world.now, PeerKey(1), range));
        assert_eq!(world.fetch.requests(world.now), []);
        world.fetch.join(PeerKey(2));
        assert_eq!(world.run(), Gained::Complete);
    }
}
