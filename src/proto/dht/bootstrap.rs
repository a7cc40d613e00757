//! Getting into the DHT: the routers that everybody may ask first, and when to ask them.
//!
//! Routers are asked, never kept in the table (BEP 5, "Torrent File Extensions"). While too few nodes answer, the node
//! looks for its own neighbourhood again and again, at growing intervals.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An address that may be asked by those who know nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    pub addr: SocketAddr,
    /// One of the well-known routers, which serve everybody's start and nothing else; otherwise a node like any other.
    pub router: bool,
}

#[derive(Debug, Default)]
pub struct Bootstrap {
    entries: Vec<Entry>,
    attempts: u32,
    next: Option<Instant>,
}

impl Bootstrap {
    const FIRST_PAUSE: Duration = Duration::from_secs(4);
    const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
    const MAX_ENTRIES: usize = 32;
    /// With so many nodes that answered, a table needs no router.
    pub const ENOUGH: usize = 8;

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn is_router(&self, addr: SocketAddr) -> bool {
        self.entries.contains(&Entry { addr, router: true })
    }

    /// Adds an address; the next attempt is due at once. False if it is known or there are too many.
    pub fn add(&mut self, now: Instant, entry: Entry) -> bool {
        if self.entries.iter().any(|known| known.addr == entry.addr) || self.entries.len() >= Self::MAX_ENTRIES {
            return false;
        }
        self.entries.push(entry);
        self.wake(now);
        true
    }

    /// Something new may help: the next attempt is due at once.
    pub fn wake(&mut self, now: Instant) {
        self.attempts = 0;
        self.next = Some(now);
    }

    /// True if the node should look for its neighbourhood now, `confirmed` being how many nodes of its table answered.
    pub fn is_due(&mut self, now: Instant, confirmed: usize) -> bool {
        if self.next.is_none_or(|next| next > now) {
            return false;
        }
        let pause = (Self::FIRST_PAUSE * 2u32.saturating_pow(self.attempts)).min(Self::LONGEST_PAUSE);
        self.next = Some(now + pause);
        let needed = confirmed < Self::ENOUGH;
        if needed {
            self.attempts = (self.attempts + 1).min(10);
        } else {
            self.attempts = 0;
            self.next = Some(now + Self::LONGEST_PAUSE);
        }
        needed
    }

    pub fn next_time(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(addr: &str) -> Entry {
        Entry { addr: addr.parse().unwrap(), router: true }
    }

    #[test]
    fn attempts_grow_rare_until_something_new_comes() {
        let start = Instant::now();
        let mut bootstrap = Bootstrap::default();
        assert!(!bootstrap.is_due(start, 0), "there is nobody to ask");
        let router = entry("203.0.113.1:6881");
        assert!(bootstrap.add(start, router) && !bootstrap.add(start, router));
        let mut attempts = Vec::new();
        for second in 0..60 {
            if bootstrap.is_due(start + Duration::from_secs(second), 0) {
                attempts.push(second);
            }
        }
        assert_eq!(attempts, [0, 4, 12, 28]);
        bootstrap.add(start + Duration::from_secs(60), entry("203.0.113.2:6881"));
        assert!(bootstrap.is_due(start + Duration::from_secs(60), 0));
    }

    #[test]
    fn a_filled_table_needs_no_router() {
        let start = Instant::now();
        let mut bootstrap = Bootstrap::default();
        bootstrap.add(start, entry("203.0.113.1:6881"));
        assert!(!bootstrap.is_due(start, Bootstrap::ENOUGH));
        assert_eq!(bootstrap.next_time(), Some(start + Bootstrap::LONGEST_PAUSE));
    }
}
