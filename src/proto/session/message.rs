//! What a peer session and its torrent say to each other.
//!
//! Events go up (session → torrent), commands go down. Both are plain values: in the program they travel over channels,
//! in the simulator over queues.

use std::sync::Arc;

use crate::base::bitfield::Bitfield;
use crate::base::have_log::HaveLog;
use crate::base::layout::Layout;
use crate::base::run::{RunBuffer, RunId};
use crate::proto::ext::{ExtHandshake, HolepunchMessage, PexMessage};
use crate::proto::wire::HashRange;

/// From a session to its torrent.
#[derive(Debug)]
pub enum PeerEvent {
    /// The peer's BEP 10 handshake, at first and whenever it sends another.
    Extended(Box<ExtHandshake>),
    /// All that the peer has: its bitfield, HAVE ALL or HAVE NONE. Sent once, when both the message and the layout are
    /// known (messages that come before the metadata are kept and replayed by the session).
    Has(Bitfield),
    /// Pieces that the peer has got since.
    Have(Vec<u32>),
    /// The peer no longer has this piece (BEP 54).
    DontHave(u32),
    /// It choked us. With the fast extension the leases stay until each request is rejected or answered; without it
    /// they have come back as [`PeerEvent::Returned`] just before.
    Choked,
    Unchoked,
    /// Latest state of the peer's interest in us.
    Interested(bool),
    /// A piece that we may ask for although choked (BEP 6).
    AllowedFast(u32),
    /// A piece that the peer would like us to ask for (BEP 6).
    Suggested(u32),
    /// One 16 KiB piece of the info dictionary (BEP 9) that we asked for.
    MetadataPiece {
        index: u32,
        total_size: u32,
        bytes: Vec<u8>,
    },
    MetadataRejected {
        index: u32,
    },
    /// The peer asks for hashes of a file's tree (BEP 52). Each gets one [`PeerCommand::SendHashes`] or
    /// [`PeerCommand::RejectHashes`]; what can't be asked for never comes up.
    HashRequest(HashRange),
    /// Hashes that we asked for, unchecked, as many as the range's answer has: the range's own, then the uncles.
    Hashes(HashRange, Vec<[u8; 32]>),
    /// Hashes that we asked for don't come from this peer: refused, or nothing came for too long.
    HashReject(HashRange),
    /// A leased run is over: every wanted block is there.
    Filled(RunBuffer),
    /// A leased run comes back unfinished (recalled, choked, rejected, closed); `have` says what is there.
    Returned(RunBuffer),
    /// The session could keep `bytes` more in flight than it holds leases for. Latest state; sent again only after a
    /// grant, or when it changes a lot. `rate` is its measured download rate in bytes a second (0: not known yet).
    Hungry {
        bytes: u32,
        rate: u64,
    },
    /// Requests are out and nothing has come for as long as the session finds suspicious (adaptive, at most 60 s);
    /// `false` when blocks flow again.
    Snubbed(bool),
    /// Payload bytes in both directions since the connection began; at most once a second while they grow.
    Tally(Tally),
    /// Peers that the peer told us of (BEP 11), and those it took back.
    Pex(PexMessage),
    /// A word about a meeting with a third peer (BEP 55).
    Holepunch(HolepunchMessage),
    /// A block of this piece, which was verified, can't be read from disk.
    Unreadable(u32),
    /// The peer's DHT node listens on this UDP port (BEP 5).
    DhtPort(u16),
    /// The connection is over. The last event; everything leased has come back before.
    Closed(CloseReason),
}

/// Payload bytes of one connection so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Of leased blocks.
    pub down: u64,
    pub up: u64,
    /// Block bytes that came and were of no use: answers to requests that had been taken back. Not in `down`.
    pub wasted: u64,
}

/// Why a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The other side closed or the socket failed.
    Lost(String),
    /// It broke the protocol: drop it, and do not call again soon.
    Violation(&'static str),
    /// It was silent for longer than the idle deadline, or drained nothing for 60 s.
    TimedOut,
    /// We wanted to.
    Ours,
}

/// From a torrent to one of its sessions.
#[derive(Debug)]
pub enum PeerCommand {
    /// The metadata is known and checked: what the peer said before is replayed now. Sent once; for a torrent that
    /// starts with metadata the session is made with it instead.
    Layout { layout: Arc<Layout>, log: Arc<HaveLog>, info: Arc<[u8]> },
    /// Fetch the wanted blocks of these runs, in this order, after those it holds already.
    Lease(Vec<RunBuffer>),
    /// Give these runs back: cancel what is asked and return buffer and progress.
    Recall(Vec<RunId>),
    /// Latest state of our choke towards the peer. Choking drops its queued requests (with REJECTs to fast peers).
    Choke(bool),
    /// Latest state of our interest.
    Interest(bool),
    /// Ask for these pieces of the info dictionary (BEP 9).
    RequestMetadata(Vec<u32>),
    /// Ask for these hashes (BEP 52), each of which is sound. Who speaks only v1 with us is not asked:
    /// [`PeerEvent::HashReject`] comes at once.
    RequestHashes(Vec<HashRange>),
    /// The answer to [`PeerEvent::HashRequest`].
    SendHashes(HashRange, Vec<[u8; 32]>),
    /// The peer does not get the hashes that it asked for.
    RejectHashes(HashRange),
    /// Tell the peer of others (BEP 11).
    Pex(PexMessage),
    /// Ask for, or arrange, a meeting with a third peer (BEP 55).
    Holepunch(HolepunchMessage),
    /// The torrent is private: no words about other peers any more, in either direction.
    NoExchange,
    /// The log of verified pieces has grown: announce what the peer lacks.
    HavesGrew,
    /// While super-seeding: own up to this piece (BEP 16).
    Offer(u32),
    /// Super-seeding is over: own up to everything.
    OwnUp,
    /// Send another BEP 10 handshake: we are (or no longer are) a partial or whole seed (BEP 21).
    UploadOnly(bool),
    /// Close, after what is queued has been sent.
    Close,
}

/// Bounds of one session.
#[derive(Clone, Debug)]
pub struct PeerLimits {
    /// Bytes asked for before anything is known of the peer. Many peers of a swarm give a few kilobytes a second, and what
    /// they hold nobody else fetches; a quick one doubles it with every round trip.
    pub first_window: u32,
    /// Most bytes asked for at a time.
    pub max_window: u32,
    /// Requests of the peer that we hold at a time; announced as `reqq` (BEP 10).
    pub reqq: u32,
    /// Largest info dictionary that we take, in bytes.
    pub max_metadata: u32,
}

impl Default for PeerLimits {
    fn default() -> Self {
        PeerLimits { first_window: 64 << 10, max_window: 16 << 20, reqq: 2_000, max_metadata: 32 << 20 }
    }
}
