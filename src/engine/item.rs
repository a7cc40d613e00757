//! One item of a run: what it asks for, what it reports, how it can fail.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::magnet::Magnet;
use crate::base::metainfo::{Info, Metainfo};
use crate::base::selection::Selection;
pub use crate::io::file_set::Allocate;
use crate::io::limiter_task::Limits;
use crate::swarm::action::Snapshot;

/// Names an item for the whole run; the command line counts them from 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ItemKey(pub u32);

/// Where an item's metadata comes from.
#[derive(Clone, Debug)]
pub enum ItemSource {
    Torrent(Arc<Metainfo>),
    Magnet(Magnet),
}

/// What is to become of an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// Fetch the info dictionary, report it as [`Event::Metadata`], and end. `layers`: with the piece layers that its data
    /// is checked by (BEP 52).
    Metadata { layers: bool },
    /// Download and verify; then, if asked, seed until the first of these is reached.
    Download { seed_ratio: Option<f64>, seed_time: Option<Duration> },
    /// Serve what is on disk, without fetching anything. `super_seed`: so that others need us least (BEP 16).
    Seed { ratio: Option<f64>, time: Option<Duration>, super_seed: bool },
}

impl Goal {
    /// Whether it is out of reach as long as piece layers are missing ([`Info::missing_layers`]).
    pub(super) fn needs_layers(&self) -> bool {
        !matches!(self, Goal::Metadata { layers: false })
    }
}

/// Where the bytes of an item go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sink {
    #[default]
    Files,
    /// The one selected file goes to standard output, in order; nothing is kept, announced or served (`-o -`).
    StandardOutput,
}

/// How far data on disk is believed (`--check`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CheckMode {
    /// Intact resume data whose sizes and times match, else hash the files that exist.
    #[default]
    Quick,
    /// Hash everything.
    Full,
    /// Neither believe nor hash: fetch all.
    None,
}

/// One torrent to work on.
#[derive(Clone, Debug)]
pub struct Item {
    pub source: ItemSource,
    pub goal: Goal,
    pub sink: Sink,
    /// Let [`super::Playback`] read it while it downloads, and fetch first what is read.
    pub play: bool,
    /// The output folder; made if missing.
    pub dir: PathBuf,
    /// Another name for the single file or the top folder (`--output`).
    pub name: Option<String>,
    pub selection: Selection,
    pub check: CheckMode,
    /// Go on where something of a foreign make stands in the way.
    pub overwrite: bool,
    /// Unfinished files carry `.part`.
    pub part: bool,
    pub allocate: Allocate,
    /// Refuse to begin where the free space is less than what will be written.
    pub check_space: bool,
    pub order: Order,
    /// Serve peers while downloading and after.
    pub upload: bool,
    /// Wait, once the metadata is known, for [`super::ItemHandle::go`].
    pub hold: bool,
    /// Announce to these too, each a tier of its own.
    pub trackers: Vec<String>,
    /// Ignore the trackers of the source (those in `trackers` stay).
    pub no_trackers: bool,
    /// HOST:PORT to call.
    pub peers: Vec<String>,
    /// Fetch from these web seeds too.
    pub web_seeds: Vec<String>,
    /// Give up if the metadata is not here in time.
    pub metadata_timeout: Option<Duration>,
    /// Give up if no payload comes for so long.
    pub stall_timeout: Option<Duration>,
}

impl Item {
    /// An item with the defaults of everything that is not named.
    pub fn new(source: ItemSource, goal: Goal, dir: PathBuf) -> Item {
        Item {
            source,
            goal,
            sink: Sink::Files,
            play: false,
            dir,
            name: None,
            selection: Selection::default(),
            check: CheckMode::Quick,
            overwrite: false,
            part: true,
            allocate: Allocate::Sparse,
            check_space: true,
            order: Order::default(),
            upload: true,
            hold: false,
            trackers: Vec::new(),
            no_trackers: false,
            peers: Vec::new(),
            web_seeds: Vec::new(),
            metadata_timeout: None,
            stall_timeout: None,
        }
    }
}

/// Which pieces come first; among equals the rarest, as ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Order {
    /// From the first to the last (`--sequential`).
    pub sequential: bool,
    /// The first and the last piece of each file before all others (`--first-last`).
    pub first_last: bool,
}

/// The phase of an item, in the order in which they usually come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stage {
    #[default]
    Queued,
    /// Looking for peers and metadata.
    Resolving,
    /// Hashing what is on disk.
    Checking,
    /// Hashing the files of a torrent that is being made.
    Hashing,
    Downloading,
    /// Making sure that the disk has it all, and giving the files their names.
    Finishing,
    Seeding,
    /// Saving state and telling trackers.
    Stopping,
    Done,
    Failed,
}

/// What happens to an item. [`Event::Done`] or [`Event::Failed`] is the last of each.
#[derive(Clone, Debug)]
pub enum Event {
    Stage(Stage),
    /// The metadata is known (at once for a .torrent) and the selection has been applied.
    Metadata {
        info: Arc<Info>,
        selected: Arc<[bool]>,
    },
    /// A selected file is whole, verified and has its final name.
    File {
        index: usize,
        path: PathBuf,
    },
    /// All that was selected is complete; the file or top folder stands at `path`, if it went to files. With a seeding
    /// goal more stages follow.
    Complete {
        path: Option<PathBuf>,
    },
    /// Something that a person may want to know and that does not end the item (tracker said ..., resume data damaged).
    Warning(String),
    /// Over, with its goal reached; for a [`Goal::Metadata`] too.
    Done,
    Failed(Failure),
}

/// Why an item ended short of its goal: one line that says what, on what, why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
}

/// What kind of failure, for exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureKind {
    Other,
    /// Nothing selected.
    NothingSelected,
    /// Several files are selected where there is room for one.
    SeveralSelected,
    /// Whoever read standard output is gone.
    ReaderGone,
    Stalled,
    Network,
    /// Stopped on request before it was complete; state is saved.
    Stopped,
    NoMetadata,
    NoSpace,
    InUse,
    Occupied,
    FileIo,
    NotATorrent,
    Refused,
    BadMagnet,
    Verification,
}

/// A moment of an item, for displays; sampled, never queued.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub stage: Stage,
    /// From the metadata, else the magnet's `dn`.
    pub name: Option<String>,
    pub swarm: Snapshot,
    /// Bytes hashed and to hash, while checking.
    pub checked: Option<(u64, u64)>,
    /// Payload bytes a second over the last seconds.
    pub down_rate: u64,
    pub up_rate: u64,
    /// Trackers that answered, and all.
    pub trackers: (u32, u32),
    /// Trackers whose last announce failed.
    pub trackers_failed: u32,
    /// What may flow.
    pub limits: Limits,
    /// DHT nodes in the table.
    pub dht_nodes: u32,
    /// Queries that this run has sent to the DHT.
    pub dht_queries: u64,
    /// One entry per cell of a piece strip is made from this: verified pieces, one bit each (empty before metadata).
    pub pieces: Arc<[u64]>,
    /// The same of the pieces that are on their way or being written.
    pub under_way: Arc<[u64]>,
    /// Our listen address, once there is one.
    pub listening: Option<SocketAddr>,
}
