//! Many lookups in one network, and what they cost, as a row of a table.

use std::time::Duration;

use rtorrent_cli::base::id::InfoHashV1;

use crate::net::{Net, Outcome};

/// What a client knows when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Three routers.
    Cold,
    /// The table of an earlier run.
    Warm,
}

/// Lookups of torrents that one peer each has announced.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub lookups: usize,
    pub found: usize,
    /// Of those that found: time to the first peer and round trips that it took one after another; sorted.
    pub first_peer: Vec<Duration>,
    pub hops: Vec<u32>,
    /// Queries a lookup; sorted.
    pub queries: Vec<u64>,
    pub announced: Vec<u32>,
}

impl Figures {
    /// Announces and looks up `count` torrents, each by new clients.
    pub fn collect(net: &mut Net, start: Start, count: usize) -> Figures {
        let mut figures = Figures::default();
        for n in 0..count {
            let info_hash = InfoHashV1(net.random_id().0);
            let announcer = client(net, start);
            let announced = net.lookup(announcer, info_hash, Some(7000 + n as u16));
            figures.announced.push(announced.announced.unwrap_or(0));
            let seeker = client(net, start);
            let peer = (net.addr(announcer).ip(), 7000 + n as u16).into();
            let outcome = net.lookup(seeker, info_hash, None);
            figures.add(&outcome, outcome.peers.contains(&peer));
            net.kill(announcer);
            net.kill(seeker);
        }
        figures.first_peer.sort_unstable();
        figures.hops.sort_unstable();
        figures.queries.sort_unstable();
        figures.announced.sort_unstable();
        figures
    }

    fn add(&mut self, outcome: &Outcome, found: bool) {
        self.lookups += 1;
        self.queries.push(u64::from(outcome.report.asked));
        if found {
            self.found += 1;
            let (time, hops) = outcome.report.first_peer.expect("a peer was found");
            self.first_peer.push(time);
            self.hops.push(hops);
        }
    }

    pub fn share_found(&self) -> f64 {
        self.found as f64 / self.lookups as f64
    }

    pub fn head() -> String {
        format!(
            "{:<22}{:>8}{:>9}{:>12}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}",
            "network",
            "lookups",
            "found %",
            "hops median",
            "hops 99 %",
            "ms median",
            "ms 99 %",
            "queries",
            "99 %",
            "announced"
        )
    }

    pub fn row(&self, name: &str) -> String {
        let ms = |time: Duration| time.as_millis();
        format!(
            "{name:<22}{:>8}{:>9.1}{:>12}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}",
            self.lookups,
            self.share_found() * 100.0,
            at(&self.hops, 0.5),
            at(&self.hops, 0.99),
            ms(at(&self.first_peer, 0.5)),
            ms(at(&self.first_peer, 0.99)),
            at(&self.queries, 0.5),
            at(&self.queries, 0.99),
            at(&self.announced, 0.5),
        )
    }
}

/// The value below which a share of the sorted values lies.
pub fn at<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((last * share).round() as usize).copied().unwrap_or_default()
}

fn client(net: &mut Net, start: Start) -> usize {
    match start {
        Start::Cold => net.cold_client(),
        Start::Warm => net.warm_client(),
    }
}
