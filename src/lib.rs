//! rtorrent-cli: a command-line BitTorrent downloader.
//!
//! # Architecture
//!
//! The folders are layers; a file imports from its own folder and from the layers below it, never upward
//! (`tests/layers.rs` keeps the arrows pointing down):
//!
//! ```text
//! cli      everything a person sees: arguments, settings, progress, JSON, errors, exit codes
//! engine   wiring and lifetime: one torrent task per torrent, handles and events
//! io       drivers on tokio and threads, the only place with sockets and files
//! swarm    sans-I/O torrent: the single owner of all its decisions
//! proto    sans-I/O protocol machines: wire, extensions, peer session, trackers, DHT, uTP
//! base     values: bencode, hashes, ids, magnet, metainfo, paths, layout, bitfield
//! ```
//!
//! `base`, `proto` and `swarm` read no clock, draw no random numbers of their own and touch neither sockets nor
//! files: time and randomness are arguments, so that the simulator in `tests/sim` runs the very machines that the
//! program runs.

pub mod base;
pub mod cli;
pub mod engine;
pub mod io;
pub mod proto;
pub mod swarm;
