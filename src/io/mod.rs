//! io

pub mod announce;
mod gunzip;
pub mod http;
pub mod resolve;
pub mod tracker_task;
