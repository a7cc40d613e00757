//! Wiring and lifetime: one task per torrent over the drivers of `io`, seen from above as handles and events.

pub mod item;
pub mod settings;

pub use item::{CheckMode, Event, Failure, FailureKind, Goal, Item, ItemKey, ItemSource, Progress, Stage};
pub use settings::EngineSettings;
