//! What is still to happen, in order.

use std::net::SocketAddr;
use std::time::Instant;

pub enum What {
    Packet { from: SocketAddr, bytes: Vec<u8> },
    Wake,
}

/// One thing that happens to one host; what is pushed first comes first among equals.
pub struct Due {
    pub at: Instant,
    pub order: u64,
    pub host: usize,
    pub what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.order == other.order
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
