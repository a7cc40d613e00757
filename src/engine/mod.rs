//! Wiring and lifetime: one task per torrent over the drivers of `io`, seen from above as handles and events.
//!
//! [`Engine`] owns what a run shares and starts a `torrent_task` for each [`Item`]; the task owns its
//! `swarm::Torrent`. The life of an item is told a file a chapter: `begin`, `prepare`, `carry_out`, `on_disk`,
//! `complete`, `close`.

mod begin;
mod carry_out;
mod close;
mod complete;
mod context;
mod goals;
pub mod item;
pub mod limits;
mod links;
mod on_disk;
mod order;
mod pass_on;
pub mod plan;
mod playback;
mod prepare;
mod progress;
mod run;
mod saver;
pub mod settings;
mod torrent_task;
mod web_seeds;

pub use item::{
    Allocate, CheckMode, Event, Failure, FailureKind, Goal, Item, ItemKey, ItemSource, Order, Progress, Sink, Stage,
};
pub use limits::LimitSettings;
pub use playback::{Playback, ReadError, Reader};
pub use run::{Engine, ItemHandle};
pub use settings::EngineSettings;

pub use crate::io::dial::{Encryption, Transport};
