//! What is asked of a tracker and what it answers, whatever the protocol.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::id::{InfoHashV1, PeerId};

/// Why an announce is made (BEP 3, "event").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AnnounceEvent {
    /// One of the regular ones.
    Regular,
    Started,
    Completed,
    Stopped,
}

/// How far a torrent is, for its trackers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Payload bytes sent and received in this run.
    pub uploaded: u64,
    pub downloaded: u64,
    /// Bytes to go; `None` while the size is unknown.
    pub left: Option<u64>,
}

impl Totals {
    /// What trackers are told to be left. While the size is unknown that is one block: with 0 they would take us for a
    /// seed and withhold seeds.
    pub fn left_on_wire(&self) -> u64 {
        self.left.unwrap_or(16_384)
    }
}

/// One announce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnnounceRequest {
    pub info_hash: InfoHashV1,
    pub peer_id: PeerId,
    /// The same for the whole run on every address family, so that a tracker can tell that it is us (BEP 7).
    pub key: u32,
    /// Where we take connections.
    pub port: u16,
    pub totals: Totals,
    pub event: AnnounceEvent,
    /// How many peers we would like to hear of.
    pub num_want: u32,
    /// What this tracker called itself in its last reply (BEP 3, "tracker id").
    pub tracker_id: Option<Vec<u8>>,
}

/// What a tracker answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnounceReply {
    /// At most [`AnnounceReply::MAX_PEERS`], none with port 0.
    pub peers: Vec<SocketAddr>,
    pub interval: Option<Duration>,
    pub min_interval: Option<Duration>,
    pub seeders: Option<u32>,
    pub leechers: Option<u32>,
    /// As the tracker sent it: to be scrubbed before it is shown.
    pub warning: Option<String>,
    pub tracker_id: Option<Vec<u8>>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
}

impl AnnounceReply {
    /// More addresses of one reply are dropped.
    pub const MAX_PEERS: usize = 2_000;
}

/// When a tracker that refused wants to be asked again (BEP 31, "retry in").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    Unsaid,
    After(Duration),
    Never,
}

/// Why a tracker gave no peers. The texts are scrubbed of secrets before they get here, except `Refused::reason`, which
/// is the tracker's own: see [`super::TrackerUrl::scrub`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrackerError {
    /// It said no (BEP 3, "failure reason").
    #[error("{reason}")]
    Refused { reason: String, retry: Retry },
    /// It answered with something else than a tracker does.
    #[error("{0}")]
    BadReply(String),
    /// No connection, or no answer in time.
    #[error("{0}")]
    Unreachable(String),
}
