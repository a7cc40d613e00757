//! Whether we answer others or only ask (BEP 43).
//!
//! A run that may be over in minutes begins read-only: nodes that put us into their tables would soon find nobody there.
//! It changes once, after [`Role::SERVE_AFTER`], and only if something has shown that others can reach us.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::base::compact::is_global;

#[derive(Debug)]
pub struct Role {
    read_only: bool,
    serve_at: Instant,
    /// The world can reach us.
    open: bool,
    /// Somebody on a private network could: enough where that is all there is.
    open_nearby: bool,
}

impl Role {
    pub const SERVE_AFTER: Duration = Duration::from_secs(10 * 60);

    pub fn new(now: Instant, read_only: bool) -> Role {
        Role { read_only, serve_at: now + Self::SERVE_AFTER, open: false, open_nearby: false }
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// True once anything has shown that others can reach us.
    pub fn is_open(&self) -> bool {
        self.open || self.open_nearby
    }

    /// Somebody at `from` has called us.
    pub fn on_caller(&mut self, from: IpAddr) {
        if is_global(from) {
            self.open = true;
        } else {
            self.open_nearby = true;
        }
    }

    /// A gateway has opened a port for us.
    pub fn on_mapping(&mut self) {
        self.open = true;
    }

    /// True once, when the time has come to answer others. `external` is where nodes see us: callers from a private
    /// network prove nothing to one who is also seen in the Internet.
    pub fn turns(&mut self, now: Instant, external: Option<IpAddr>) -> bool {
        let reachable = self.open || (self.open_nearby && !external.is_some_and(is_global));
        let turns = self.read_only && reachable && now >= self.serve_at;
        if turns {
            self.read_only = false;
        }
        turns
    }

    /// When it may turn.
    pub fn next_time(&self, now: Instant) -> Option<Instant> {
        (self.read_only && self.is_open() && now < self.serve_at).then_some(self.serve_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(60, 1, 2, 3));
    const LAN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 2));

    fn later(now: Instant) -> Instant {
        now + Role::SERVE_AFTER
    }

    #[test]
    fn it_turns_once_after_ten_minutes_if_somebody_called_or_a_port_was_mapped() {
        let now = Instant::now();
        for mapped in [false, true] {
            let mut role = Role::new(now, true);
            assert!(!role.turns(later(now), None), "nothing shows that we can be reached");
            if mapped {
                role.on_mapping()
            } else {
                role.on_caller(WORLD)
            }
            assert!(!role.turns(now, Some(WORLD)) && role.is_read_only());
            assert_eq!(role.next_time(now), Some(later(now)));
            assert!(role.turns(later(now), Some(WORLD)) && !role.is_read_only());
            assert!(!role.turns(later(now), Some(WORLD)));
            assert_eq!(role.next_time(later(now)), None);
        }
    }

    #[test]
    fn a_caller_from_the_own_network_counts_only_where_there_is_no_other() {
        let now = Instant::now();
        let mut role = Role::new(now, true);
        role.on_caller(LAN);
        assert!(!role.turns(later(now), Some(WORLD)));
        assert!(role.turns(later(now), Some(LAN)));
    }

    #[test]
    fn who_serves_from_the_start_has_nothing_to_turn() {
        let now = Instant::now();
        let mut role = Role::new(now, false);
        role.on_caller(WORLD);
        assert!(!role.turns(later(now), None) && role.next_time(now).is_none());
    }
}
