//! How densely the key space is settled, by lookups of our own choosing: what it takes to notice that somebody has
//! crowded the place round a torrent (nobody knows beforehand what we choose at random).

use std::collections::VecDeque;

use super::node_id::NodeId;
use super::table::{K, Table};

#[derive(Debug, Default)]
pub struct Density {
    /// The part of the key space that [`K`] nodes took up, at the places looked at last.
    samples: VecDeque<f64>,
}

impl Density {
    const KEPT: usize = 9;
    /// A table with fewer nodes says nothing about its owner's neighbourhood.
    const TABLE: usize = 3 * K;

    /// From a table of an earlier run: what is densest in it is complete.
    pub fn of(table: &Table) -> Density {
        let mut density = Density::default();
        if table.len() >= Self::TABLE {
            let nearest = table.closest_usable(&table.own(), 4 * K);
            density.note(&table.own(), nearest.iter().filter(|it| it.id.fits(it.addr.ip())).map(|it| it.id));
        }
        density
    }

    /// A lookup ended with these nodes nearest to its target, nearest first.
    pub fn note(&mut self, target: &NodeId, nearest: impl Iterator<Item = NodeId>) {
        let Some(last) = nearest.take(K).enumerate().filter(|(at, _)| at + 1 == K).map(|(_, id)| id).next() else {
            return;
        };
        if self.samples.len() >= Self::KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(target.distance(&last).share());
    }

    /// The part of the key space in which [`K`] nodes are to be expected; the median of what was seen.
    pub fn reach(&self) -> Option<f64> {
        let mut samples: Vec<f64> = self.samples.iter().copied().collect();
        samples.sort_unstable_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    /// Ids drawn at random, the nearest first.
    fn nearest(target: &NodeId, nodes: usize, rng: &mut StdRng) -> Vec<NodeId> {
        let mut ids: Vec<NodeId> = (0..nodes).map(|_| NodeId::random(rng)).collect();
        ids.sort_unstable_by_key(|id| target.distance(id));
        ids
    }

    #[test]
    fn the_median_of_many_places_is_near_the_truth_and_one_crowded_place_does_not_move_it() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut density = Density::default();
        assert_eq!(density.reach(), None);
        for n in 0..9 {
            let target = NodeId::random(&mut rng);
            let nodes = if n % 4 == 0 { 100_000 } else { 1_000 };
            density.note(&target, nearest(&target, nodes, &mut rng).into_iter());
        }
        let expected = K as f64 / 1_000.0;
        let reach = density.reach().unwrap();
        assert!(reach > expected / 2.0 && reach < expected * 2.0, "{reach}");
    }

    #[test]
    fn too_few_nodes_say_nothing() {
        let mut density = Density::default();
        let target = NodeId([0; 20]);
        density.note(&target, nearest(&target, K - 1, &mut StdRng::seed_from_u64(2)).into_iter());
        assert_eq!(density.reach(), None);
    }
}
