//! How long a datagram may be on this path (after RFC 8899): sizes are tried on packets of the stream that are made
//! longer by padding, so that a lost trial is sent again without it and changes nothing.
//!
//! Datagrams are never longer than Ethernet carries: other clients receive into buffers of that size.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// IPv6 promises to carry this; packets begin with it on both families.
const FIRST_MTU: usize = 1280;
/// What is fallen back to if not one packet of the first size comes through: any IPv4 host takes it.
const LEAST_MTU: usize = 576;
const MOST_MTU: usize = 1500;
const UDP_HEADER: usize = 8;

/// A size is given up after so many lost trials: one may be bad luck.
const TRIES: u32 = 2;
/// The search is over when less than this could be won.
const ENOUGH: usize = 12;
/// A path that was too narrow is tried again after this.
const AGAIN: Duration = Duration::from_secs(600);

/// All sizes are of UDP payload.
#[derive(Debug)]
pub struct PathMtu {
    /// Known to work, or hoped to, if nothing is known yet.
    size: usize,
    /// The largest that was acknowledged.
    proven: usize,
    least: usize,
    most: usize,
    /// The smallest that was given up, or one more than `most`.
    too_long: usize,
    tries: u32,
    under_way: bool,
    searched: Option<Instant>,
}

impl PathMtu {
    pub fn new(to: SocketAddr) -> PathMtu {
        let ip_header = if to.is_ipv4() { 20 } else { 40 };
        let payload = |mtu: usize| mtu - ip_header - UDP_HEADER;
        let size = FIRST_MTU - 40 - UDP_HEADER;
        let least = if to.is_ipv4() { payload(LEAST_MTU) } else { size };
        let most = payload(MOST_MTU);
        let too_long = most + 1;
        PathMtu { size, proven: 0, least, most, too_long, tries: 0, under_way: false, searched: None }
    }

    /// The longest datagram that may be sent for good.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A size worth trying now; say [`PathMtu::on_probe_sent`] if it is.
    pub fn wanted(&self, now: Instant) -> Option<usize> {
        let again = || self.searched.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN);
        if self.under_way || self.proven < self.size {
            return None;
        }
        if self.too_long <= self.most && self.too_long - self.size <= ENOUGH {
            return again().then_some(self.most);
        }
        // Most paths carry all of Ethernet: that is tried first.
        let next = if self.too_long > self.most { self.most } else { self.size.midpoint(self.too_long) };
        (next > self.size).then_some(next)
    }

    pub fn on_probe_sent(&mut self, now: Instant) {
        self.under_way = true;
        if self.too_long - self.size <= ENOUGH {
            (self.too_long, self.tries) = (self.most + 1, 0);
        }
        self.searched = Some(now);
    }

    /// A datagram of `size` was acknowledged, sent only once.
    pub fn on_acknowledged(&mut self, size: usize) {
        self.proven = self.proven.max(size);
        if size > self.size {
            (self.size, self.tries, self.under_way) = (size, 0, false);
        }
    }

    /// The trial was lost, or is unknown to have arrived.
    pub fn on_probe_lost(&mut self, size: usize) {
        self.under_way = false;
        self.tries += 1;
        if self.tries >= TRIES {
            self.tries = 0;
            self.too_long = self.too_long.min(size);
        }
    }

    /// Nothing came through for a long time: true if packets may have been too long from the beginning, and the least
    /// size is used from now on.
    pub fn on_black_hole(&mut self) -> bool {
        let hope = self.proven <= self.least && self.size > self.least;
        if hope {
            self.too_long = self.size;
            self.size = self.least;
        }
        hope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a path that carries `limit` bytes of payload; the trials that were made.
    fn search(mtu: &mut PathMtu, now: Instant, limit: usize) -> Vec<usize> {
        let mut trials = Vec::new();
        while let Some(size) = mtu.wanted(now) {
            trials.push(size);
            mtu.on_probe_sent(now);
            if size <= limit {
                mtu.on_acknowledged(size)
            } else {
                mtu.on_probe_lost(size)
            }
            assert!(trials.len() < 30, "{trials:?}");
        }
        trials
    }

    fn v4() -> SocketAddr {
        "192.0.2.1:1".parse().unwrap()
    }

    #[test]
    fn ethernet_is_found_with_one_trial() {
        let now = Instant::now();
        let mut mtu = PathMtu::new(v4());
        assert_eq!(mtu.wanted(now), None, "not before the first size is known to work");
        mtu.on_acknowledged(1232);
        assert_eq!(search(&mut mtu, now, 9000), [1472]);
        assert_eq!(mtu.size(), 1472);
        assert_eq!(PathMtu::new("[2001:db8::1]:1".parse().unwrap()).most, 1452);
    }

    #[test]
    fn a_narrower_path_is_found_by_halving_and_tried_again_later() {
        let now = Instant::now();
        let mut mtu = PathMtu::new(v4());
        mtu.on_acknowledged(1232);
        let trials = search(&mut mtu, now, 1464); // PPPoE
        assert!((1453..=1464).contains(&mtu.size()), "{} after {trials:?}", mtu.size());
        assert_eq!(mtu.wanted(now + AGAIN), Some(1472));
        search(&mut mtu, now + AGAIN, 1472);
        assert_eq!(mtu.size(), 1472);
    }

    #[test]
    fn one_lost_trial_decides_nothing() {
        let now = Instant::now();
        let mut mtu = PathMtu::new(v4());
        mtu.on_acknowledged(1232);
        mtu.on_probe_sent(now);
        mtu.on_probe_lost(1472);
        assert_eq!(mtu.wanted(now), Some(1472));
    }

    #[test]
    fn only_a_path_that_never_carried_more_falls_back_to_the_least() {
        let mut mtu = PathMtu::new(v4());
        mtu.on_acknowledged(88);
        assert!(mtu.on_black_hole());
        assert_eq!(mtu.size(), 548);
        assert!(!mtu.on_black_hole());
        let mut mtu = PathMtu::new(v4());
        mtu.on_acknowledged(1232);
        assert!(!mtu.on_black_hole());
    }
}
