//! Limits on what we answer: so many queries an address, so many bytes in all.
//!
//! Our answers can be several times as long as the queries, and the sender's address may be forged: without limits a
//! node would be an amplifier in somebody's hand.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::node_id::Subnet;

/// A budget that fills up at `rate` a second, to `burst` at most.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant, amount: f64, rate: f64, burst: f64) -> bool {
        let gone = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + gone * rate).min(burst);
        self.at = now;
        let enough = self.level >= amount;
        if enough {
            self.level -= amount;
        }
        enough
    }
}

#[derive(Debug)]
pub struct Throttle {
    sources: BTreeMap<Source, Bucket>,
    bytes: Bucket,
}

/// Whom a query is counted to: an IPv4 address, an IPv6 /56, or a single socket of a private network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Source {
    Host(IpAddr),
    Net(Subnet),
}

impl Throttle {
    const QUERIES_PER_SECOND: f64 = 10.0;
    const QUERIES_BURST: f64 = 60.0;
    const BYTES_PER_SECOND: f64 = 64.0 * 1024.0;
    const BYTES_BURST: f64 = 512.0 * 1024.0;
    /// Sources that are remembered; beyond that, those that have been quiet longest are forgotten.
    const MAX_SOURCES: usize = 4096;

    pub fn new(now: Instant) -> Throttle {
        Throttle { sources: BTreeMap::new(), bytes: Bucket { level: Self::BYTES_BURST, at: now } }
    }

    /// True if a query from `from` may be answered now.
    pub fn admits(&mut self, now: Instant, from: SocketAddr) -> bool {
        let source = match Subnet::of(from) {
            Subnet::V4(_) => Source::Host(from.ip()),
            net => Source::Net(net),
        };
        if self.sources.len() >= Self::MAX_SOURCES && !self.sources.contains_key(&source) {
            self.forget_quiet_half();
        }
        let full = Bucket { level: Self::QUERIES_BURST, at: now };
        let bucket = self.sources.entry(source).or_insert(full);
        bucket.take(now, 1.0, Self::QUERIES_PER_SECOND, Self::QUERIES_BURST)
    }

    /// True if an answer of `len` bytes may go out.
    pub fn affords(&mut self, now: Instant, len: usize) -> bool {
        self.bytes.take(now, len as f64, Self::BYTES_PER_SECOND, Self::BYTES_BURST)
    }

    fn forget_quiet_half(&mut self) {
        let mut times: Vec<Instant> = self.sources.values().map(|bucket| bucket.at).collect();
        let middle = times.len() / 2;
        let (_, &mut median, _) = times.select_nth_unstable(middle);
        self.sources.retain(|_, bucket| bucket.at > median);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_flood_from_one_address_is_cut_and_others_are_not() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        let flood: SocketAddr = "60.0.113.9:1".parse().unwrap();
        let admitted = (0..1000).filter(|_| throttle.admits(now, flood)).count();
        assert_eq!(admitted, 60);
        let other_port: SocketAddr = "60.0.113.9:2".parse().unwrap();
        assert!(!throttle.admits(now, other_port), "ports of one host share its budget");
        assert!(throttle.admits(now, "60.0.113.10:1".parse().unwrap()));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| throttle.admits(later, flood)).count(), 10);
    }

    #[test]
    fn forged_sources_neither_grow_the_memory_nor_the_bytes_we_send() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        let mut sent = 0;
        for n in 0..50_000u32 {
            let at = now + Duration::from_micros(n.into());
            let forged = SocketAddr::new(IpAddr::from((0x0b00_0000 + n).to_be_bytes()), 6881);
            if throttle.admits(at, forged) && throttle.affords(at, 1000) {
                sent += 1000;
            }
        }
        assert!(throttle.sources.len() <= Throttle::MAX_SOURCES);
        assert!(sent <= 516 * 1024, "{sent} bytes in 50 ms");
    }
}
