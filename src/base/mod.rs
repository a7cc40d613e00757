//! Values that every layer uses: no I/O, no clock, no protocol state.

pub mod allowance;
pub mod bencode;
pub mod bitfield;
pub mod blocklist;
pub mod compact;
pub mod hash;
pub mod have_log;
pub mod id;
pub mod layout;
pub mod limit;
pub mod magnet;
pub mod merkle;
pub mod metainfo;
pub mod piece_hash;
pub mod priority;
pub mod rate;
pub mod run;
pub mod safe_path;
pub mod schedule;
pub mod selection;
pub mod size;
