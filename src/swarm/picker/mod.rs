//! Which piece to begin next.
//!
//! The picker holds the pieces that are wanted, missing and not open, in the order of their key: deadline, priority,
//! then rarity (pieces that are open, or lie spilled on disk, come before all of these and are not its business).
//! Every event costs constant work: a HAVE moves one piece between two neighbouring buckets, seeds are one number, and
//! a pick looks at a bounded number of pieces before it falls back to one pass over the bits.

mod buckets;

use std::collections::BTreeSet;

use rand::RngExt;
use rand::rngs::StdRng;

use crate::base::bitfield::Bitfield;
use crate::swarm::piece_set::PieceSet;

use buckets::Buckets;

/// How many pieces of one bucket, and in all, are tried before the pass over the bits.
const PROBES_PER_BUCKET: usize = 16;
const PROBES: usize = 256;

/// Owner of availability and of the order in which pieces are begun.
pub struct Picker {
    /// How many peers have each piece; seeds are counted apart.
    availability: Vec<u16>,
    seeds: u32,
    pickable: Bitfield,
    count: u32,
    /// Pieces with a deadline or a priority of their own, most urgent first.
    urgent: BTreeSet<(Urgency, u32)>,
    urgency: std::collections::HashMap<u32, Urgency>,
    buckets: Buckets,
}

/// The part of the key that outweighs rarity; the least comes first. Pieces without one are ordinary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Urgency {
    /// Order in which pieces are needed; `u32::MAX` for none.
    pub deadline: u32,
    /// 0 is the highest priority.
    pub priority: u8,
}

/// How to choose among the pieces of equal urgency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    Rarest,
    /// Any: for the first pieces, which should be quickly tradable rather than rare.
    Random,
}

impl Picker {
    /// A picker of `pieces` pieces that nobody has and nobody wants.
    pub fn new(pieces: u32) -> Self {
        Picker {
            availability: vec![0; pieces as usize],
            seeds: 0,
            pickable: Bitfield::new(pieces),
            count: 0,
            urgent: BTreeSet::new(),
            urgency: Default::default(),
            buckets: Buckets::new(pieces),
        }
    }

    /// How many pieces can be begun.
    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn is_pickable(&self, piece: u32) -> bool {
        self.pickable.get(piece)
    }

    /// How many connected peers have the piece.
    pub fn availability(&self, piece: u32) -> u32 {
        u32::from(self.availability[piece as usize]) + self.seeds
    }

    /// The piece can be begun.
    pub fn insert(&mut self, piece: u32) {
        if self.pickable.set(piece) {
            self.count += 1;
            match self.urgency.get(&piece) {
                Some(&urgency) => drop(self.urgent.insert((urgency, piece))),
                None => self.buckets.insert(piece, self.availability[piece as usize]),
            }
        }
    }

    /// The piece is open, had or not wanted.
    pub fn remove(&mut self, piece: u32) {
        if self.pickable.clear(piece) {
            self.count -= 1;
            match self.urgency.get(&piece) {
                Some(&urgency) => drop(self.urgent.remove(&(urgency, piece))),
                None => self.buckets.remove(piece, self.availability[piece as usize]),
            }
        }
    }

    /// Gives a piece a deadline or a priority, or takes it back.
    pub fn set_urgency(&mut self, piece: u32, urgency: Option<Urgency>) {
        let pickable = self.pickable.get(piece);
        self.remove(piece);
        match urgency {
            Some(urgency) => drop(self.urgency.insert(piece, urgency)),
            None => drop(self.urgency.remove(&piece)),
        }
        if pickable {
            self.insert(piece);
        }
    }

    /// A peer with these pieces came.
    pub fn join(&mut self, has: &PieceSet) {
        match has {
            PieceSet::All(_) => self.seeds += 1,
            PieceSet::Some(bits, _) => bits.ones().for_each(|piece| self.have(piece)),
        }
    }

    /// A peer with these pieces left.
    pub fn leave(&mut self, has: &PieceSet) {
        match has {
            PieceSet::All(_) => self.seeds -= 1,
            PieceSet::Some(bits, _) => bits.ones().for_each(|piece| self.have_not(piece)),
        }
    }

    /// One more peer that is not a seed has the piece.
    pub fn have(&mut self, piece: u32) {
        let old = self.availability[piece as usize];
        self.shift(piece, old, old.saturating_add(1));
    }

    /// One peer less that is not a seed has the piece.
    pub fn have_not(&mut self, piece: u32) {
        let old = self.availability[piece as usize];
        self.shift(piece, old, old.saturating_sub(1));
    }

    /// The next piece for a peer that has `has`, among those for which `fits` is true.
    pub fn pick(&self, rng: &mut StdRng, has: &PieceSet, choice: Choice, fits: impl Fn(u32) -> bool) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let good = |piece: u32| has.get(piece) && fits(piece);
        if let Some((_, piece)) = self.urgent.iter().take(PROBES).find(|(_, piece)| good(*piece)) {
            return Some(*piece);
        }
        if choice == Choice::Random {
            return self.scan(rng, has, 1, fits);
        }
        let mut probes = 0;
        for bucket in self.buckets.rarest_first(if matches!(has, PieceSet::All(_)) { 0 } else { 1 }) {
            let (start, tries) = (rng.random_range(0..bucket.len()), bucket.len().min(PROBES_PER_BUCKET));
            let probed = (start..start + tries).map(|at| bucket[at % bucket.len()]).find(|&piece| good(piece));
            probes += tries;
            if probed.is_some() {
                return probed;
            }
            if probes >= PROBES {
                break;
            }
        }
        self.scan(rng, has, PROBES_PER_BUCKET, fits)
    }

    /// True if the peer has a piece that can be begun.
    pub fn any_for(&self, has: &PieceSet) -> bool {
        self.count > 0 && has.meets(&self.pickable)
    }

    /// One pass over the bits from a random place on: the rarest of the first `enough` pieces that the peer has.
    fn scan(&self, rng: &mut StdRng, has: &PieceSet, enough: usize, fits: impl Fn(u32) -> bool) -> Option<u32> {
        let words = self.pickable.words();
        let start = rng.random_range(0..words.len());
        let turn = rng.random_range(0..64);
        (start..start + words.len())
            .flat_map(|at| {
                let at = at % words.len();
                // The bits of one word from a random one on, so that neighbours in a word are equals too.
                let mut left = (words[at] & has.word(at)).rotate_right(turn);
                std::iter::from_fn(move || {
                    let bit = (left != 0).then(|| left.trailing_zeros())?;
                    left &= left - 1;
                    Some(at as u32 * 64 + (bit + turn) % 64)
                })
            })
            .filter(|&piece| fits(piece))
            .take(enough)
            .min_by_key(|&piece| self.availability[piece as usize])
    }

    fn shift(&mut self, piece: u32, old: u16, new: u16) {
        self.availability[piece as usize] = new;
        if old != new && self.pickable.get(piece) && !self.urgency.contains_key(&piece) {
            self.buckets.remove(piece, old);
            self.buckets.insert(piece, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn bits(len: u32, ones: impl IntoIterator<Item = u32>) -> PieceSet {
        let mut bits = Bitfield::new(len);
        for one in ones {
            bits.set(one);
        }
        PieceSet::from_bits(bits)
    }

    fn all_wanted(pieces: u32) -> (Picker, StdRng) {
        let mut picker = Picker::new(pieces);
        (0..pieces).for_each(|piece| picker.insert(piece));
        (picker, StdRng::seed_from_u64(1))
    }

    #[test]
    fn the_rarest_piece_that_the_peer_has_comes_first() {
        let (mut picker, mut rng) = all_wanted(100);
        picker.join(&bits(100, (0..100).filter(|piece| *piece != 7)));
        picker.join(&bits(100, (0..100).filter(|piece| *piece != 7 && *piece != 50)));
        let seed = PieceSet::All(100);
        picker.join(&seed);
        assert_eq!(picker.pick(&mut rng, &seed, Choice::Rarest, |_| true), Some(7));
        assert_eq!(picker.pick(&mut rng, &bits(100, 1..99), Choice::Rarest, |piece| piece != 7), Some(50));
        assert_eq!((picker.availability(7), picker.availability(50), picker.availability(3)), (1, 2, 3));
    }

    #[test]
    fn equals_are_chosen_at_random_and_so_are_first_pieces() {
        for choice in [Choice::Rarest, Choice::Random] {
            let (picker, mut rng) = all_wanted(1000);
            let picks: std::collections::HashSet<_> =
                (0..100).filter_map(|_| picker.pick(&mut rng, &PieceSet::All(1000), choice, |_| true)).collect();
            assert!(picks.len() > 50, "{choice:?}: {} different of 100", picks.len());
        }
    }

    #[test]
    fn a_lone_piece_among_very_many_is_found() {
        let (mut picker, mut rng) = all_wanted(300_000);
        let one = bits(300_000, [123_456]);
        picker.join(&one);
        picker.join(&bits(300_000, 0..299_999));
        assert_eq!(picker.pick(&mut rng, &one, Choice::Rarest, |_| true), Some(123_456));
        assert_eq!(picker.pick(&mut rng, &one, Choice::Random, |_| true), Some(123_456));
        picker.remove(123_456);
        assert_eq!(picker.pick(&mut rng, &one, Choice::Rarest, |_| true), None);
        assert!(!picker.any_for(&one) && picker.any_for(&PieceSet::All(300_000)));
    }

    #[test]
    fn urgency_outweighs_rarity() {
        let (mut picker, mut rng) = all_wanted(10);
        picker.join(&bits(10, [4, 5]));
        picker.set_urgency(5, Some(Urgency { deadline: u32::MAX, priority: 1 }));
        picker.set_urgency(4, Some(Urgency { deadline: 3, priority: 9 }));
        let seed = PieceSet::All(10);
        assert_eq!(picker.pick(&mut rng, &seed, Choice::Rarest, |_| true), Some(4));
        picker.remove(4);
        assert_eq!(picker.pick(&mut rng, &seed, Choice::Rarest, |_| true), Some(5));
        picker.set_urgency(5, None);
        assert_ne!(picker.pick(&mut rng, &seed, Choice::Rarest, |_| true), Some(5));
    }

    #[test]
    fn counts_and_buckets_agree_after_a_storm() {
        let (mut picker, mut rng) = all_wanted(64);
        let mut truth = vec![0u32; 64];
        for _ in 0..20_000 {
            let piece = rng.random_range(0..64u32);
            match rng.random_range(0..5) {
                0 if truth[piece as usize] > 0 => {
                    picker.have_not(piece);
                    truth[piece as usize] -= 1;
                }
                0 => {}
                1 => picker.remove(piece),
                2 => picker.insert(piece),
                _ => {
                    picker.have(piece);
                    truth[piece as usize] += 1;
                }
            }
        }
        assert!((0..64).all(|piece| picker.availability(piece) == truth[piece as usize]));
        let rarest = (0..64).filter(|&piece| picker.is_pickable(piece)).map(|piece| truth[piece as usize]).min();
        let pick = picker.pick(&mut rng, &PieceSet::All(64), Choice::Rarest, |_| true);
        assert_eq!(pick.map(|piece| truth[piece as usize]), rarest);
    }
}
