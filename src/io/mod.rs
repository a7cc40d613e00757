//! Drivers on tokio and threads: the only place with sockets and files.

pub mod announce;
pub mod check;
pub mod dht_task;
pub mod dial;
pub mod disk;
pub mod doctor;
pub mod file_set;
mod gunzip;
pub mod http;
pub mod listen;
pub mod lock;
mod mse;
mod outbox;
mod parcel;
pub mod peer_task;
mod rc4_stream;
pub mod resolve;
pub mod resume;
pub mod scrape;
pub mod stream;
pub mod take_up;
pub mod tracker_task;
pub mod udp_task;
pub mod udp_tracker;
pub mod web_seed;
