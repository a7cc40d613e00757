//! Whom to serve: tit-for-tat while downloading, the quickest takers in turn while seeding.
//!
//! Every round the slots go to the best of the peers that are interested, and one more goes to a peer that is tried
//! whatever it has done for us (the optimistic slot, which moves on every third round). Peers that take nothing from
//! anybody any more (upload only) get none.

use rand::RngExt;
use rand::rngs::StdRng;
use std::time::Duration;

use crate::swarm::action::PeerKey;

/// Between rounds.
pub const ROUND: Duration = Duration::from_secs(10);
/// The optimistic slot moves on after this many rounds.
const OPTIMISTIC_ROUNDS: u32 = 3;
/// A seed's slots move on after this many rounds.
const TURN_ROUNDS: u32 = 3;

/// One interested peer, as the choker sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub peer: PeerKey,
    /// Payload bytes that it sent us since the last round.
    pub down: u64,
    /// Payload bytes that it took from us since the last round.
    pub up: u64,
    /// It is unchoked now.
    pub unchoked: bool,
    /// For how many rounds it has been so.
    pub rounds: u32,
    /// We wait for its blocks in vain.
    pub snubbed: bool,
}

/// Owner of the upload slots.
pub struct Choker {
    slots: u32,
    optimistic: Option<PeerKey>,
    optimistic_rounds: u32,
}

impl Choker {
    pub fn new(slots: u32) -> Self {
        Choker { slots, optimistic: None, optimistic_rounds: 0 }
    }

    pub fn set_slots(&mut self, slots: u32) {
        self.slots = slots;
    }

    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// The peers that shall be unchoked from now on. `seeding`: we have all that we want.
    pub fn round(&mut self, rng: &mut StdRng, candidates: &[Candidate], seeding: bool) -> Vec<PeerKey> {
        if self.slots == 0 {
            self.optimistic = None;
            return Vec::new();
        }
        self.optimistic_rounds += 1;
        let present = |peer: PeerKey| candidates.iter().any(|candidate| candidate.peer == peer);
        if self.optimistic_rounds >= OPTIMISTIC_ROUNDS || self.optimistic.is_none_or(|peer| !present(peer)) {
            self.optimistic = None;
            self.optimistic_rounds = 0;
        }
        let mut ranked: Vec<(u64, u32, Candidate)> =
            candidates.iter().map(|candidate| (merit(candidate, seeding), rng.random(), *candidate)).collect();
        ranked.sort_by_key(|&(merit, draw, candidate)| (std::cmp::Reverse((merit, candidate.unchoked)), draw));
        let regular = (self.slots - 1) as usize;
        let mut unchoked: Vec<PeerKey> = ranked
            .iter()
            .map(|(_, _, candidate)| candidate.peer)
            .filter(|peer| Some(*peer) != self.optimistic)
            .take(regular)
            .collect();
        if self.optimistic.is_none() {
            let rest: Vec<PeerKey> = ranked
                .iter()
                .filter(|(_, _, candidate)| !candidate.unchoked && !unchoked.contains(&candidate.peer))
                .map(|(_, _, candidate)| candidate.peer)
                .collect();
            self.optimistic = match rest.len() {
                0 => ranked.iter().map(|(_, _, candidate)| candidate.peer).find(|peer| !unchoked.contains(peer)),
                len => Some(rest[rng.random_range(0..len)]),
            };
        }
        unchoked.extend(self.optimistic);
        unchoked
    }
}

/// How much a peer deserves a slot.
fn merit(candidate: &Candidate, seeding: bool) -> u64 {
    match seeding {
        // Whoever has had its turn goes behind those who have not.
        true if candidate.rounds >= TURN_ROUNDS => 0,
        true => candidate.up + u64::from(candidate.unchoked),
        false if candidate.snubbed => 0,
        false => candidate.down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    fn candidate(peer: u64, down: u64) -> Candidate {
        Candidate { peer: PeerKey(peer), down, up: 0, unchoked: false, rounds: 0, snubbed: false }
    }

    #[test]
    fn slots_go_to_those_who_give_and_one_to_somebody_else() {
        let (mut choker, mut rng) = (Choker::new(4), StdRng::seed_from_u64(5));
        let candidates: Vec<_> = (0..20).map(|peer| candidate(peer, peer * 1000)).collect();
        let unchoked = choker.round(&mut rng, &candidates, false);
        assert_eq!(unchoked[..3], [PeerKey(19), PeerKey(18), PeerKey(17)]);
        assert!(unchoked.len() == 4 && unchoked[3] < PeerKey(17));
    }

    #[test]
    fn the_optimistic_slot_stays_three_rounds_and_reaches_everybody_in_time() {
        let (mut choker, mut rng) = (Choker::new(2), StdRng::seed_from_u64(5));
        let candidates: Vec<_> = (0..6).map(|peer| candidate(peer, if peer == 0 { 9 } else { 0 })).collect();
        let mut tried = Vec::new();
        for _ in 0..300 {
            tried.push(choker.round(&mut rng, &candidates, false)[1]);
        }
        assert!(tried.chunks(3).all(|three| three.iter().all(|peer| *peer == three[0])));
        assert_eq!(tried.into_iter().collect::<BTreeSet<_>>().len(), 5);
    }

    #[test]
    fn a_snubbing_peer_loses_its_slot() {
        let (mut choker, mut rng) = (Choker::new(2), StdRng::seed_from_u64(5));
        let snub = Candidate { snubbed: true, ..candidate(1, 1_000_000) };
        assert_eq!(choker.round(&mut rng, &[snub, candidate(2, 10)], false)[0], PeerKey(2));
    }

    #[test]
    fn seeding_takes_turns() {
        let (mut choker, mut rng) = (Choker::new(3), StdRng::seed_from_u64(5));
        let mut candidates: Vec<_> = (0..9).map(|peer| candidate(peer, 0)).collect();
        let mut served = BTreeSet::new();
        for _ in 0..60 {
            let unchoked = choker.round(&mut rng, &candidates, true);
            assert_eq!(unchoked.len(), 3);
            for candidate in &mut candidates {
                candidate.unchoked = unchoked.contains(&candidate.peer);
                candidate.rounds = if candidate.unchoked { candidate.rounds + 1 } else { 0 };
                candidate.up = u64::from(candidate.unchoked) * 1000;
            }
            served.extend(unchoked);
        }
        assert_eq!(served.len(), 9);
    }

    #[test]
    fn no_slots_serve_nobody() {
        let (mut choker, mut rng) = (Choker::new(0), StdRng::seed_from_u64(5));
        assert_eq!(choker.round(&mut rng, &[candidate(1, 1)], false), []);
    }
}
