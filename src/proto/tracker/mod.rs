//! Trackers: where peers of a torrent are asked for.
//!
//! No sockets here: [`http`] and [`udp`] turn requests into bytes and bytes into replies, [`udp_client`] is the exchange
//! of packets with its retransmissions, and [`tiers`] decides which tracker is asked when (BEP 12). Nothing that is shown
//! to a person carries a passkey: see [`url::TrackerUrl`].

pub mod announce;
pub mod http;
pub mod scrape;
pub mod tiers;
pub mod udp;
pub mod udp_client;
pub mod url;

pub use announce::{AnnounceEvent, AnnounceReply, AnnounceRequest, Retry, Totals, TrackerError};
pub use scrape::Scrape;
pub use url::{Scheme, TrackerUrl, UrlError};
