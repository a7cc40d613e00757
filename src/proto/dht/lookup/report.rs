//! How a lookup went, in figures.

use std::time::Duration;

/// How a lookup went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub asked: u32,
    pub answered: u32,
    /// Different peers.
    pub peers: u32,
    /// The most answers that came one after another on the way to the nearest node.
    pub hops: u32,
    /// From the start to the first peer, and how many answers that took one after another.
    pub first_peer: Option<(Duration, u32)>,
}

impl Report {
    /// Joins the other family's part of the same lookup.
    pub fn add(&mut self, other: &Report) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.peers += other.peers;
        self.hops = self.hops.max(other.hops);
        self.first_peer = match (self.first_peer, other.first_peer) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}
