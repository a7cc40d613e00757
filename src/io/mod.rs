//! Drivers on tokio and threads: the only place with sockets and files.

pub mod announce;
pub mod check;
pub mod disk;
pub mod file_set;
mod gunzip;
pub mod http;
pub mod lock;
pub mod resolve;
pub mod resume;
pub mod take_up;
pub mod tracker_task;
pub mod udp_tracker;
