//! A torrent without I/O: the single owner of all decisions about what to fetch from whom and what to serve.
//!
//! [`Torrent`] takes events with the time (`on_*`, one verb a file) and says what it wants done ([`Action`]s out of
//! `poll_action`). Its parts each own one thing: [`book`] the addresses, [`metadata`] the info dictionary while it is
//! fetched, [`picker`] the order of pieces, [`play`] what readers need first, [`staging`] the open pieces, [`buffers`] their
//! memory, [`blame`] the evidence of corrupt pieces, [`choker`] the upload slots, [`timeline`] who came and went, for peer
//! exchange.

pub mod action;
pub mod blame;
pub mod book;
pub mod buffers;
pub mod choker;
pub mod forest;
pub mod layers;
pub mod lease;
pub mod limiter;
pub mod metadata;
pub mod open_piece;
pub mod outside;
pub mod picker;
pub mod piece_set;
pub mod play;
pub mod pool;
pub mod staging;
pub mod timeline;
pub mod torrent;

mod complete;
mod connect;
mod due;
mod endgame;
mod exchange;
mod grant;
mod holepunch;
mod interest;
mod on_command;
mod on_disk;
mod on_hashes;
mod on_peer;
mod on_timeout;
mod pace;
mod peer;
mod pieces;
mod spill;
mod super_seed;
mod upload;

#[cfg(test)]
mod tests;

pub use action::{Action, Command, DiskFailure, DiskFailureKind, DiskJob, DiskOutcome, PeerKey, PlayWindow, Source};
pub use torrent::{Torrent, TorrentConfig, Totals};
