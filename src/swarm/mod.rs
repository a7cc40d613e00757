//! A torrent without I/O: the single owner of all decisions about what to fetch from whom and what to serve.

pub mod action;

pub use action::{Action, Command, DiskFailure, DiskFailureKind, DiskJob, DiskOutcome, PeerKey, Source};
