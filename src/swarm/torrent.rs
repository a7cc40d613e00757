//! The torrent: its state, and what comes out of it.
//!
//! `on_*` methods take events with the time and end by settling: granting leases, dialling, noticing completion. What
//! is to be done is then taken from [`Torrent::poll_action`] until it is empty, and [`Torrent::on_timeout`] is called
//! at [`Torrent::poll_timeout`]. Keys of peers rise and are never used again; iteration follows them, so that a run
//! repeats itself exactly for the same events and the same seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use crate::base::bitfield::Bitfield;
use crate::base::blocklist::Blocklist;
use crate::base::id::{PeerId, TorrentId};
use crate::proto::session::{PeerCommand, Tally};
use crate::proto::tracker::udp::Family;
use crate::swarm::action::{Action, DiskJob, PeerKey, Snapshot, SpilledPiece};
use crate::swarm::book::Book;
use crate::swarm::choker::Choker;
use crate::swarm::forest::Forest;
use crate::swarm::holepunch::Meetings;
use crate::swarm::layers::LayerFetch;
use crate::swarm::metadata::MetadataFetch;
use crate::swarm::outside::Outside;
use crate::swarm::peer::Peer;
use crate::swarm::pieces::Pieces;
use crate::swarm::super_seed::SuperSeed;
use crate::swarm::timeline::Timeline;

/// `left` while the size is not known, in bytes: never 0, since trackers then withhold seeds.
const LEFT_UNKNOWN: u64 = 16_384;
/// The first wait before more addresses are asked for, and the longest.
pub(super) const WANT_PEERS: Duration = Duration::from_secs(15);
pub(super) const WANT_PEERS_MAX: Duration = Duration::from_secs(300);

/// What a torrent is made with.
#[derive(Clone, Debug)]
pub struct TorrentConfig {
    pub id: TorrentId,
    /// Our own.
    pub peer_id: PeerId,
    /// Connections, at most.
    pub max_peers: u32,
    /// Dials under way, at most.
    pub half_open: u32,
    /// Bytes of run buffers, at most; one piece is always allowed.
    pub memory: u64,
    /// Peers served at a time.
    pub upload_slots: u32,
    /// Largest info dictionary that is fetched, in bytes.
    pub max_metadata: u32,
    /// Peers may tell of each other and bring each other together (BEP 11, BEP 55); not for private torrents (BEP 27).
    pub pex: bool,
    /// Seed so that others need us least (BEP 16).
    pub super_seed: bool,
    /// The one address family that may be used, if it is one alone.
    pub only: Option<Family>,
    /// Where peers reach us.
    pub listen_port: Option<u16>,
    /// Whom the user forbids: neither called nor let in.
    pub blocklist: Arc<Blocklist>,
    /// Pieces are passed on in their order and not kept: fetched within a window that memory has room for, and neither
    /// announced nor served.
    pub transient: bool,
}

impl TorrentConfig {
    pub fn new(id: TorrentId, peer_id: PeerId) -> Self {
        TorrentConfig {
            id,
            peer_id,
            max_peers: 80,
            half_open: 30,
            memory: 64 << 20,
            upload_slots: 8,
            max_metadata: 32 << 20,
            pex: true,
            super_seed: false,
            only: None,
            listen_port: None,
            blocklist: Arc::default(),
            transient: false,
        }
    }
}

/// Bytes as trackers want them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Payload received and sent in this run.
    pub downloaded: u64,
    pub uploaded: u64,
    /// Bytes of the whole torrent (not of the selection) that are not verified; never 0 while the size is unknown.
    pub left: u64,
}

/// Single owner of all decisions about one torrent.
pub struct Torrent {
    pub(super) config: TorrentConfig,
    pub(super) rng: StdRng,
    pub(super) book: Book,
    pub(super) choker: Choker,
    /// Until the info dictionary is there.
    pub(super) metadata: Option<MetadataFetch>,
    /// While the info dictionary is there and piece layers are missing (BEP 52); of a hybrid beside its pieces.
    pub(super) layers: Option<LayerFetch>,
    /// From [`Command::Start`](super::Command::Start) on.
    pub(super) pieces: Option<Box<Pieces>>,
    pub(super) peers: BTreeMap<PeerKey, Peer>,
    /// How many of them have been told to close.
    pub(super) closing: usize,
    pub(super) dials: BTreeMap<PeerKey, Dial>,
    /// Incoming connections whose handshake is under way.
    pub(super) accepted: BTreeMap<PeerKey, SocketAddr>,
    pub(super) actions: VecDeque<Action>,
    /// Peers that could take leases.
    pub(super) hungry: BTreeSet<PeerKey>,
    /// Something has become free since the hungry peers were served.
    pub(super) supply: bool,
    /// Some hungry peer waits for memory.
    pub(super) memory_short: bool,
    /// When a peer last gave other things back for what a reader waits for.
    pub(super) made_way: Option<Instant>,
    /// Where peers that are gone listen, for bans that come late.
    pub(super) departed: VecDeque<(PeerKey, SocketAddr, PeerId)>,
    /// Peers that lied, by what they call themselves.
    pub(super) liars: VecDeque<PeerId>,
    pub(super) timeline: Timeline,
    pub(super) meetings: Meetings,
    pub(super) forest: Forest,
    pub(super) outside: Outside,
    /// While pieces are offered one by one (BEP 16).
    pub(super) super_seed: Option<SuperSeed>,
    pub(super) tracker_only: bool,
    pub(super) stopped: bool,
    /// The disk has refused: nothing more is asked for.
    pub(super) failed: bool,
    /// [`Action::Complete`] has been said of what is wanted now.
    pub(super) complete: bool,
    /// Payload of connections that are over.
    pub(super) past: Tally,
    pub(super) wasted: u64,
    pub(super) timers: Timers,
    next_key: u64,
}

/// A connection attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    pub addr: SocketAddr,
    pub since: Instant,
    /// It is one side of a meeting (BEP 55).
    pub punch: bool,
}

/// Times at which something is due although nothing happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    /// The next choke round; none while nobody is interested.
    pub choke: Option<Instant>,
    /// The next look at hungry peers that could not be served.
    pub review: Option<Instant>,
    /// The next word about other peers.
    pub exchange: Option<Instant>,
    /// Haves that were held back to tell of many at once.
    pub haves: Option<Instant>,
    pub haves_told: Option<Instant>,
    /// Not before this is [`Action::WantPeers`] said.
    pub want_peers: Instant,
    pub want_peers_pause: Duration,
}

impl Torrent {
    /// A torrent of which nothing is known but its id. `rng` decides all that is left to chance.
    pub fn new(config: TorrentConfig, now: Instant, rng: StdRng) -> Self {
        Torrent {
            book: Book::new(config.only, config.blocklist.clone()),
            choker: Choker::new(config.upload_slots),
            metadata: Some(MetadataFetch::new(config.id, config.max_metadata)),
            layers: None,
            pieces: None,
            peers: BTreeMap::new(),
            closing: 0,
            dials: BTreeMap::new(),
            accepted: BTreeMap::new(),
            actions: VecDeque::new(),
            hungry: BTreeSet::new(),
            supply: false,
            memory_short: false,
            made_way: None,
            departed: VecDeque::new(),
            liars: VecDeque::new(),
            timeline: Timeline::default(),
            meetings: Meetings::default(),
            forest: Forest::default(),
            outside: Outside::default(),
            super_seed: config.super_seed.then(SuperSeed::default),
            tracker_only: false,
            stopped: false,
            failed: false,
            complete: false,
            past: Tally::default(),
            wasted: 0,
            timers: Timers {
                choke: None,
                review: None,
                exchange: None,
                haves: None,
                haves_told: None,
                want_peers: now + WANT_PEERS,
                want_peers_pause: WANT_PEERS,
            },
            next_key: 0,
            config,
            rng,
        }
    }

    /// What is to be done next; to be called until it is empty after every other call.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// A moment for displays.
    pub fn snapshot(&self) -> Snapshot {
        let totals = self.totals();
        let count = |of: fn(&Peer) -> bool| self.peers.values().filter(|peer| of(peer)).count() as u32;
        let mut snapshot = Snapshot {
            downloaded: totals.downloaded,
            uploaded: totals.uploaded,
            wasted: self.wasted + self.past.wasted + self.peers.values().map(|peer| peer.tally.wasted).sum::<u64>(),
            connected: self.peers.len() as u32,
            dialling: self.dials.len() as u32,
            known: self.book.len() as u32,
            unchoked_us: count(|peer| !peer.choking_us),
            seeds: count(Peer::is_seed),
            metadata: match &self.layers {
                Some(layers) if self.pieces.is_none() => Some(layers.progress()),
                _ => self.metadata.as_ref().and_then(MetadataFetch::progress),
            },
            ..Snapshot::default()
        };
        if let Some(pieces) = &self.pieces {
            snapshot.wanted_bytes = pieces.wanted_bytes;
            snapshot.done_bytes = pieces.done_bytes;
            snapshot.have_bytes = pieces.have_bytes;
            snapshot.pieces = pieces.layout.pieces();
            snapshot.pieces_done = pieces.verified();
            snapshot.staged_bytes = pieces.staging.charged();
            snapshot.disk_jobs = pieces.jobs;
        }
        snapshot
    }

    /// Bytes for announces.
    pub fn totals(&self) -> Totals {
        let sum = |of: fn(&Tally) -> u64| of(&self.past) + self.peers.values().map(|peer| of(&peer.tally)).sum::<u64>();
        let left = self.pieces.as_ref().map(|pieces| pieces.layout.total() - pieces.kept_bytes());
        Totals {
            downloaded: sum(|tally| tally.down),
            uploaded: sum(|tally| tally.up),
            left: left.unwrap_or(LEFT_UNKNOWN),
        }
    }

    /// Pieces that are verified; `None` before the metadata.
    pub fn have(&self) -> Option<&Bitfield> {
        self.pieces.as_ref().map(|pieces| &pieces.have)
    }

    /// Pieces that are being fetched, hashed or written; `None` before the metadata.
    pub fn under_way(&self) -> Option<Bitfield> {
        let pieces = self.pieces.as_ref()?;
        let mut bits = Bitfield::new(pieces.layout.pieces());
        let open = pieces.staging.open_pieces().map(|open| open.piece);
        open.chain(pieces.finishing.iter().copied()).for_each(|piece| {
            bits.set(piece);
        });
        Some(bits)
    }

    /// Blocks of pieces that lie unverified on disk, for the resume data.
    pub fn spilled(&self) -> Vec<SpilledPiece> {
        let on_disk = self.pieces.iter().flat_map(|pieces| &pieces.on_disk);
        on_disk.map(|(&piece, blocks)| SpilledPiece { piece, blocks: blocks.clone() }).collect()
    }

    /// Addresses that answered, best first, for the resume data.
    pub fn good_addresses(&self) -> Vec<SocketAddr> {
        self.book.good()
    }

    /// After [`Command::Stop`](super::Command::Stop): everything lent is back and the disk has nothing left to do.
    pub fn is_at_rest(&self) -> bool {
        self.stopped
            && self.pieces.as_ref().is_none_or(|pieces| {
                pieces.jobs == 0 && pieces.staging.is_empty() && pieces.staging.leases().is_empty()
            })
    }

    /// Everything that was wanted is verified and written.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The connections, with their addresses.
    pub fn connections(&self) -> impl Iterator<Item = (PeerKey, SocketAddr)> {
        self.peers.iter().map(|(key, peer)| (*key, peer.addr))
    }

    /// What every event ends with.
    pub(super) fn settle(&mut self, now: Instant) {
        self.serve_hungry(now);
        self.notice_completion();
        self.dial(now);
    }

    pub(super) fn say(&mut self, peer: PeerKey, command: PeerCommand) {
        self.actions.push_back(Action::Peer { peer, command });
    }

    pub(super) fn submit(&mut self, job: DiskJob) {
        if let Some(pieces) = &mut self.pieces {
            pieces.jobs += 1;
        }
        self.actions.push_back(Action::Disk(job));
    }

    pub(super) fn new_key(&mut self) -> PeerKey {
        self.next_key += 1;
        PeerKey(self.next_key)
    }

    /// True while pieces may be asked for.
    pub(super) fn is_fetching(&self) -> bool {
        !self.stopped && !self.failed && self.pieces.as_ref().is_some_and(|pieces| !pieces.is_complete())
    }
}
