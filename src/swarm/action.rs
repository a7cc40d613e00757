//! What a torrent takes in and what it wants done.
//!
//! `Torrent::on_*` take events with the time, [`Action`]s come out of `Torrent::poll_action` until it is empty. The
//! engine carries them out; the simulator plays them.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::bitfield::Bitfield;
use crate::base::have_log::HaveLog;
use crate::base::id::PeerId;
use crate::base::layout::Layout;
use crate::base::merkle::Node;
use crate::base::metainfo::Trees;
use crate::base::piece_hash::{PieceHash, PieceHashes};
use crate::base::run::{Run, RunBuffer};
use crate::proto::session::PeerCommand;
use crate::swarm::picker::Urgency;
pub use crate::swarm::play::PlayWindow;

/// Names one connection (or one attempt) for the life of the torrent; never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PeerKey(pub u64);

/// How a connection was made; plain TCP by default.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Way {
    /// Over uTP (BEP 29), not TCP.
    pub utp: bool,
    /// It began with an encrypted handshake (MSE), whatever came after it.
    pub encrypted: bool,
}

/// Who told us of an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Source {
    /// `--peer`, `x.pe`: the user named it.
    User,
    Tracker,
    Dht,
    Pex,
    Lsd,
    /// It called us.
    Incoming,
    /// It worked in an earlier run.
    Resume,
}

/// What the torrent wants done. Actions are carried out in order.
#[derive(Debug)]
pub enum Action {
    /// Connect and shake hands; answer with `on_connected` or `on_dial_failed`. `way` is how the last dial of this
    /// address succeeded, if one did and none has failed since.
    Dial {
        peer: PeerKey,
        addr: SocketAddr,
        way: Option<Way>,
    },
    /// The same, by every transport at once: the peer at `addr` calls us at this very moment (BEP 55).
    Punch {
        peer: PeerKey,
        addr: SocketAddr,
    },
    /// Give up a dial that is under way.
    AbortDial {
        peer: PeerKey,
    },
    /// Say this to that session.
    Peer {
        peer: PeerKey,
        command: PeerCommand,
    },
    Disk(DiskJob),
    /// The info dictionary, whose hash has been checked. The engine parses it, opens the files, checks what is on disk
    /// and answers with [`Command::Start`]; with [`Command::FetchLayers`] before, where it lacks piece layers (BEP 52).
    MetadataComplete {
        info: Vec<u8>,
    },
    /// The piece layers that were missing, each checked against its root; answered with [`Command::Layers`] where the
    /// torrent has begun without them.
    LayersComplete {
        layers: Vec<(Node, Vec<Node>)>,
    },
    /// Every selected piece is verified and written.
    Complete,
    /// More addresses would help: ask trackers at their min interval, and the DHT.
    WantPeers,
    /// Every address of this torrent that a peer has closed on is worth no more: said once a failed piece proves it.
    Banned {
        addr: SocketAddr,
    },
    /// This web seed sent wrong data, and has been told to close.
    WebSeedLied {
        peer: PeerKey,
    },
    /// A verified piece can't be read back from disk. It is not served any more.
    Unreadable {
        piece: u32,
    },
    /// A peer's DHT node listens there (BEP 5): worth a ping.
    DhtNode {
        addr: SocketAddr,
    },
}

/// What the engine tells the torrent.
#[derive(Debug)]
pub enum Command {
    /// The info dictionary is known, and peers have to tell of the piece layers that these trees lack.
    FetchLayers(Trees),
    /// Metadata and files are there: download.
    Start(Start),
    /// The trees with the layers that were missing at the start.
    Layers(Trees),
    /// The user's selection changed, or files were unselected: the pieces that are wanted from now on.
    Want(Bitfield),
    /// Stop asking: recall all leases, spill what is open; then [`DiskJob::Spill`]s, and nothing after them.
    Stop,
    /// Upload slots: 0 uploads nothing.
    UploadSlots(u32),
    /// Gives pieces a place before the ordinary ones, or takes it back (`None`).
    Urge(Vec<(u32, Option<Urgency>)>),
    /// What readers need from now on; what they had told before is forgotten.
    Play(Vec<PlayWindow>),
    /// Bytes of buffers that this torrent may use from now on; one piece is always allowed.
    Memory(u64),
    /// The torrent is private (BEP 27): forget every address and drop every peer that no tracker gave.
    TrackerOnly,
    /// A private torrent has changed its tracker (BEP 27): drop every peer, forget every address.
    DropPeers,
}

/// All that a torrent needs to begin with pieces.
#[derive(Debug)]
pub struct Start {
    pub layout: Arc<Layout>,
    /// The info dictionary as it was hashed, for BEP 9.
    pub info: Arc<[u8]>,
    /// What each piece must hash to.
    pub hashes: PieceHashes,
    /// The files' merkle trees (BEP 52), for peers that ask for their hashes; a hybrid has them too.
    pub trees: Option<Trees>,
    /// What is verified on disk already; also in `log`.
    pub have: Bitfield,
    pub log: Arc<HaveLog>,
    /// Pieces to fetch.
    pub want: Bitfield,
    /// Blocks of open pieces that lie unverified on disk from an earlier run.
    pub spilled: Vec<SpilledPiece>,
}

/// An open piece whose blocks lie unverified at their place on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpilledPiece {
    pub piece: u32,
    /// One bit a block.
    pub blocks: Bitfield,
}

/// Work for the disk threads. Each job is answered by one [`DiskOutcome`], in any order.
#[derive(Debug)]
pub enum DiskJob {
    /// A piece that is wholly in memory: hash it, and if it is right write it. `runs` cover the piece in order without
    /// gap or overlap.
    Finish { piece: u32, hash: PieceHash, runs: Vec<RunBuffer> },
    /// Write the blocks that `have` marks to their place, unverified, and give the memory back.
    Spill { piece: u32, runs: Vec<RunBuffer> },
    /// Read blocks that were spilled back into memory: the buffers come back with `have` set.
    Load { piece: u32, runs: Vec<RunBuffer>, blocks: Bitfield },
}

/// What became of a [`DiskJob`].
#[derive(Debug)]
pub enum DiskOutcome {
    /// The hash was right and every byte is written (not necessarily synced). Buffers come back for use again.
    Verified {
        piece: u32,
        runs: Vec<RunBuffer>,
    },
    /// The hash was wrong; nothing was written. The bytes come back, for blame.
    Mismatch {
        piece: u32,
        runs: Vec<RunBuffer>,
    },
    Spilled {
        piece: u32,
        runs: Vec<RunBuffer>,
    },
    Loaded {
        piece: u32,
        runs: Vec<RunBuffer>,
    },
    /// The file system refused. The torrent stops asking for more; the engine ends the item with the error.
    Failed {
        piece: u32,
        runs: Vec<RunBuffer>,
        error: DiskFailure,
    },
}

/// Why the file system refused: one line that names the path.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct DiskFailure {
    pub kind: DiskFailureKind,
    pub message: String,
}

/// Who must act on a [`DiskFailure`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DiskFailureKind {
    /// The file system (or a quota) is full.
    NoSpace,
    /// Something of a foreign make stands where a file belongs.
    Occupied,
    /// Whoever read what was written is gone.
    ReaderGone,
    /// Anything else: permissions, a link in the way, a file that shrank, a broken disk.
    Io,
}

/// What a handshake told of a peer.
#[derive(Clone, Debug)]
pub struct Connected {
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    /// It dialled us; `addr` has then its ephemeral port.
    pub incoming: bool,
    /// It set the fast extension's bit (BEP 6).
    pub fast: bool,
    /// It set the extension protocol's bit (BEP 10).
    pub extended: bool,
    pub way: Way,
}

/// Why a dial came to nothing, as far as it matters for calling again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialFailure {
    Refused,
    TimedOut,
    /// The handshake was for another torrent or not BitTorrent at all.
    WrongHandshake,
    /// It was ourselves.
    Ourselves,
    /// Nothing on this machine leads there (no such address family, no route).
    Unreachable,
}

/// A moment of the torrent, for progress displays. Cheap to make; all sizes in bytes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    pub wanted_bytes: u64,
    pub done_bytes: u64,
    /// Verified bytes, wanted or not: what can be served.
    pub have_bytes: u64,
    pub pieces: u32,
    pub pieces_done: u32,
    /// Payload received and sent in this run.
    pub downloaded: u64,
    pub uploaded: u64,
    /// Bytes that had to be thrown away: failed hashes, duplicates of the endgame.
    pub wasted: u64,
    pub connected: u32,
    pub dialling: u32,
    pub known: u32,
    /// Connected peers that have us unchoked.
    pub unchoked_us: u32,
    pub seeds: u32,
    /// (have, of) metadata pieces, while that is the phase; after them (have, of) spans of the piece layers.
    pub metadata: Option<(u32, u32)>,
    /// Memory of open pieces and leases.
    pub staged_bytes: u64,
    /// Pieces that are with the disk threads.
    pub disk_jobs: u32,
}

/// Which of a piece's blocks a run holds; used by staging and by tests.
pub fn blocks_of(run: &Run) -> std::ops::Range<u32> {
    run.first..run.first + run.count
}
