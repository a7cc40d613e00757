//! A scripted world round one torrent: sessions that deliver blocks when told to, a disk that answers when told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::base::bitfield::Bitfield;
use crate::base::hash::sha1;
use crate::base::have_log::HaveLog;
use crate::base::id::{InfoHashV1, PeerId, TorrentId};
use crate::base::layout::{BLOCK_LEN, Layout};
use crate::base::run::{RunBuffer, RunId};
use crate::proto::ext::{ExtHandshake, HolepunchMessage, PexMessage};
use crate::proto::session::message::CloseReason;
use crate::proto::session::{PeerCommand, PeerEvent, Tally};
use crate::swarm::action::{Connected, SpilledPiece, Start, Way};
use crate::swarm::{Action, Command, DiskJob, DiskOutcome, PeerKey, Torrent, TorrentConfig};

pub struct World {
    pub torrent: Torrent,
    pub now: Instant,
    pub rng: StdRng,
    pub layout: Arc<Layout>,
    pub truth: Vec<u8>,
    pub info: Vec<u8>,
    pub peers: BTreeMap<PeerKey, FakePeer>,
    pub dialled: Vec<(PeerKey, SocketAddr)>,
    pub aborted: Vec<PeerKey>,
    pub punched: Vec<(PeerKey, SocketAddr)>,
    pub unreadable: Vec<u32>,
    pub jobs: VecDeque<DiskJob>,
    /// What lies on the disk, unverified or not.
    pub disk: Vec<u8>,
    pub completes: u32,
    pub metadata: Option<Vec<u8>>,
    pub want_peers: u32,
    pub banned: Vec<SocketAddr>,
    pub lied: Vec<PeerKey>,
    pub verified: BTreeSet<u32>,
    pub recalls: u32,
    pub grants: Vec<(PeerKey, u32, u32, u32)>,
    next_peer: u8,
}

pub struct FakePeer {
    pub leases: VecDeque<RunBuffer>,
    /// Bytes that it would have in flight.
    pub window: u32,
    pub rate: u64,
    pub lies: bool,
    pub unchoked: bool,
    pub interest: bool,
    pub closed: bool,
    pub told_layout: bool,
    pub haves_grew: u32,
    pub metadata_asked: Vec<u32>,
    pub upload_only: Option<bool>,
    pub tally: Tally,
    pub choked_us: bool,
    pub told: Vec<PexMessage>,
    pub offered: Vec<u32>,
    pub owned_up: bool,
    pub meetings: Vec<HolepunchMessage>,
}

pub fn addr(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 6881))
}

impl World {
    /// A torrent in its metadata phase.
    pub fn new(seed: u64, piece_length: u32, total: u64, memory: u64) -> World {
        World::with(seed, piece_length, total, memory, |_| {})
    }

    pub fn with(
        seed: u64,
        piece_length: u32,
        total: u64,
        memory: u64,
        configure: impl FnOnce(&mut TorrentConfig),
    ) -> World {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut truth = vec![0; total as usize];
        rng.fill_bytes(&mut truth);
        let info = b"d6:lengthi1ee".to_vec();
        let mut config = TorrentConfig::new(TorrentId::from_v1(InfoHashV1(sha1(&info))), PeerId([1; 20]));
        (config.memory, config.max_peers) = (memory, 200);
        configure(&mut config);
        let now = Instant::now();
        World {
            torrent: Torrent::new(config, now, StdRng::seed_from_u64(seed ^ 7)),
            now,
            rng,
            layout: Arc::new(Layout::v1(piece_length, [(total, false)])),
            disk: vec![0; truth.len()],
            truth,
            info,
            peers: BTreeMap::new(),
            dialled: Vec::new(),
            aborted: Vec::new(),
            punched: Vec::new(),
            unreadable: Vec::new(),
            jobs: VecDeque::new(),
            completes: 0,
            metadata: None,
            want_peers: 0,
            banned: Vec::new(),
            lied: Vec::new(),
            verified: BTreeSet::new(),
            recalls: 0,
            grants: Vec::new(),
            next_peer: 0,
        }
    }

    /// The same, with its metadata there and everything wanted.
    pub fn started(seed: u64, piece_length: u32, total: u64, memory: u64) -> World {
        let mut world = World::new(seed, piece_length, total, memory);
        world.start(Vec::new());
        world
    }

    pub fn start(&mut self, spilled: Vec<SpilledPiece>) {
        let count = self.layout.pieces();
        let hashes = (0..count).map(|piece| sha1(&self.truth[self.range(piece)])).collect();
        self.command(Command::Start(Start {
            layout: self.layout.clone(),
            info: self.info.clone().into(),
            hashes,
            trees: None,
            have: Bitfield::new(count),
            log: HaveLog::new(count),
            want: Bitfield::full(count),
            spilled,
        }));
    }

    pub fn range(&self, piece: u32) -> std::ops::Range<usize> {
        let start = self.layout.piece_offset(piece) as usize;
        start..start + self.layout.piece_len(piece) as usize
    }

    pub fn command(&mut self, command: Command) {
        self.torrent.on_command(self.now, command);
        self.play();
    }

    pub fn event(&mut self, peer: PeerKey, event: PeerEvent) {
        self.torrent.on_peer(self.now, peer, event);
        self.play();
    }

    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.torrent.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.torrent.on_timeout(self.now);
            self.play();
        }
        self.now = end;
    }

    /// Connects a peer that calls us.
    pub fn connect(&mut self) -> PeerKey {
        self.next_peer += 1;
        let n = self.next_peer;
        let key = self.torrent.accept(self.now, addr(n)).expect("there is room");
        let connected = Connected {
            addr: addr(n),
            peer_id: PeerId([n + 10; 20]),
            incoming: true,
            fast: true,
            extended: true,
            way: Way::default(),
        };
        self.peers.insert(key, FakePeer::new());
        self.torrent.on_connected(self.now, key, connected);
        self.play();
        key
    }

    /// A connection that was dialled or accepted stands.
    pub fn meet(&mut self, key: PeerKey, connected: Connected) {
        self.peers.insert(key, FakePeer::new());
        self.torrent.on_connected(self.now, key, connected);
        self.play();
    }

    /// Connects a peer that has these pieces and unchokes us; it is hungry for `window` bytes.
    pub fn peer(&mut self, has: Bitfield, window: u32, rate: u64) -> PeerKey {
        let key = self.connect();
        self.event(key, PeerEvent::Has(has));
        if let Some(peer) = self.peers.get_mut(&key) {
            (peer.window, peer.rate) = (window, rate);
        }
        self.unchoke(key);
        key
    }

    pub fn seed(&mut self, window: u32) -> PeerKey {
        self.peer(Bitfield::full(self.layout.pieces()), window, 0)
    }

    pub fn unchoke(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.choked_us = false;
        self.event(key, PeerEvent::Unchoked);
        self.hunger(key);
    }

    pub fn hunger(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key).filter(|peer| !peer.closed) else { return };
        let bytes = peer.window.saturating_sub(peer.held());
        let rate = peer.rate;
        self.event(key, PeerEvent::Hungry { bytes, rate });
    }

    pub fn extended(&mut self, key: PeerKey, metadata_size: Option<u32>) {
        let handshake = ExtHandshake { ut_metadata: Some(2), metadata_size, ..ExtHandshake::default() };
        self.event(key, PeerEvent::Extended(Box::new(handshake)));
    }

    /// The peer delivers one block of its first lease. False if it holds none.
    pub fn deliver(&mut self, key: PeerKey) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        let Some(run) = peer.leases.front_mut() else { return false };
        let bit = (run.want & !run.have).trailing_zeros();
        let piece = run.run.piece;
        let start = self.layout.piece_offset(piece) as usize + ((run.run.first + bit) * BLOCK_LEN) as usize;
        let block = run.block_mut(bit);
        block.copy_from_slice(&self.truth[start..start + block.len()]);
        if peer.lies {
            block[0] ^= 0x55;
        }
        peer.tally.down += block.len() as u64;
        run.have |= 1 << bit;
        run.want &= !(1 << bit);
        if run.want == 0 {
            let run = peer.leases.pop_front().unwrap();
            self.event(key, PeerEvent::Filled(run));
            self.hunger(key);
        }
        true
    }

    pub fn deliver_some(&mut self, key: PeerKey, blocks: u32) {
        for _ in 0..blocks {
            self.deliver(key);
        }
    }

    pub fn close(&mut self, key: PeerKey) {
        let Some(mut peer) = self.peers.remove(&key) else { return };
        while let Some(run) = peer.leases.pop_front() {
            self.event(key, PeerEvent::Returned(run));
        }
        self.event(key, PeerEvent::Closed(CloseReason::Lost("gone".into())));
    }

    /// Chokes us, without the fast extension: all leases come back.
    pub fn choke(&mut self, key: PeerKey) {
        let peer = self.peers.get_mut(&key).unwrap();
        peer.choked_us = true;
        let runs: Vec<_> = peer.leases.drain(..).collect();
        runs.into_iter().for_each(|run| self.event(key, PeerEvent::Returned(run)));
        self.event(key, PeerEvent::Choked);
    }

    /// The disk does one job.
    pub fn disk_works(&mut self) -> bool {
        let Some(job) = self.jobs.pop_front() else { return false };
        let outcome = match job {
            DiskJob::Finish { piece, hash, runs } => {
                let mut next = 0;
                for run in &runs {
                    assert_eq!(run.run.first, next, "runs cover the piece in order");
                    next += run.run.count;
                    assert!(run.is_complete());
                    assert_eq!(run.bytes.len() as u32, run.run.byte_len(&self.layout));
                }
                assert_eq!(next, self.layout.blocks(piece));
                let slices: Vec<&[u8]> = runs.iter().map(|run| &*run.bytes).collect();
                if hash.is_of(&slices) {
                    let range = self.range(piece);
                    self.disk[range].copy_from_slice(&slices.concat());
                    assert!(self.verified.insert(piece), "piece {piece} is verified once");
                    DiskOutcome::Verified { piece, runs }
                } else {
                    DiskOutcome::Mismatch { piece, runs }
                }
            }
            DiskJob::Spill { piece, runs } => {
                for run in &runs {
                    let start = self.layout.piece_offset(piece) as usize + run.run.begin() as usize;
                    self.disk[start..start + run.bytes.len()].copy_from_slice(&run.bytes);
                }
                DiskOutcome::Spilled { piece, runs }
            }
            DiskJob::Load { piece, mut runs, blocks } => {
                for run in &mut runs {
                    assert!((run.run.first..run.run.first + run.run.count).all(|block| blocks.get(block)));
                    let start = self.layout.piece_offset(piece) as usize + run.run.begin() as usize;
                    let len = run.bytes.len();
                    run.bytes.copy_from_slice(&self.disk[start..start + len]);
                    run.have = run.run.full_mask();
                }
                DiskOutcome::Loaded { piece, runs }
            }
        };
        self.torrent.on_disk(self.now, outcome);
        self.play();
        true
    }

    pub fn disk_works_off(&mut self) {
        while self.disk_works() {}
    }

    /// Everybody delivers in turn until nothing moves any more.
    pub fn run(&mut self) {
        for _ in 0..1_000_000 {
            let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
            let mut moved = false;
            for key in keys {
                moved |= self.deliver(key);
            }
            moved |= self.disk_works();
            self.check();
            if !moved {
                return;
            }
        }
        panic!("no end");
    }

    pub fn held(&self, key: PeerKey) -> u32 {
        self.peers.get(&key).map_or(0, FakePeer::held)
    }

    /// Every invariant of memory and ownership.
    pub fn check(&self) {
        let Some(pieces) = &self.torrent.pieces else { return };
        let staging = &pieces.staging;
        let (promised, stored) = staging.audit();
        let lent: u64 = self.peers.values().map(|peer| u64::from(peer.held())).sum();
        let disk: u64 = self.jobs.iter().flat_map(runs_of).map(|run| run.bytes.len() as u64).sum();
        assert_eq!(staging.promised(), promised);
        assert_eq!(staging.charged(), promised + stored + lent + disk, "counted bytes are those of the buffers");
        assert!(staging.charged() <= staging.limit(), "{} of {}", staging.charged(), staging.limit());
        assert!(staging.pool().idle_bytes() + stored + lent + disk <= staging.limit(), "idle buffers count too");
        let ids: BTreeSet<RunId> = self.peers.values().flat_map(|peer| &peer.leases).map(|run| run.id).collect();
        assert_eq!(ids.len(), staging.leases().len(), "a lease is with its peer");
        if !pieces.picker.is_empty() && !self.torrent.complete {
            assert!(staging.most_holders() <= if pieces.play.is_empty() { 3 } else { 5 });
        }
        for piece in 0..self.layout.pieces() {
            let places = [
                pieces.picker.is_pickable(piece),
                staging.get(piece).is_some(),
                pieces.finishing.contains(&piece),
                pieces.spilling.contains_key(&piece),
                pieces.spilled.contains(&piece),
            ];
            let count = places.iter().filter(|here| **here).count();
            let wanted = pieces.missing.get(piece);
            let waits = pieces.transient && pieces.play.deadline(piece).is_none();
            assert!(
                count == 1 || (!wanted || waits) && count <= 1,
                "piece {piece} (missing: {wanted}) is at {places:?}"
            );
        }
    }

    /// Carries out what the torrent wants done.
    pub fn play(&mut self) {
        while let Some(action) = self.torrent.poll_action() {
            match action {
                Action::Dial { peer, addr, .. } => self.dialled.push((peer, addr)),
                Action::AbortDial { peer } => self.aborted.push(peer),
                Action::Disk(job) => self.jobs.push_back(job),
                Action::MetadataComplete { info } => self.metadata = Some(info),
                Action::LayersComplete { .. } => unreachable!("nothing here asks for layers"),
                Action::Complete => self.completes += 1,
                Action::WantPeers => self.want_peers += 1,
                Action::Banned { addr } => self.banned.push(addr),
                Action::WebSeedLied { peer } => self.lied.push(peer),
                Action::DhtNode { .. } => {}
                Action::Unreadable { piece } => self.unreadable.push(piece),
                Action::Punch { peer, addr } => self.punched.push((peer, addr)),
                Action::Peer { peer, command } => self.say(peer, command),
            }
        }
    }

    fn say(&mut self, key: PeerKey, command: PeerCommand) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        match command {
            PeerCommand::Layout { .. } => peer.told_layout = true,
            PeerCommand::Lease(runs) => {
                for run in &runs {
                    assert_eq!((run.have, run.want), (0, run.run.full_mask()));
                    self.grants.push((key, run.run.piece, run.run.first, run.run.count));
                }
                peer.leases.extend(runs);
                self.hunger(key);
            }
            PeerCommand::Recall(ids) => {
                self.recalls += ids.len() as u32;
                let (back, kept): (Vec<_>, Vec<_>) = peer.leases.drain(..).partition(|run| ids.contains(&run.id));
                peer.leases = kept.into();
                assert_eq!(back.len(), ids.len(), "only what is held is recalled");
                back.into_iter().for_each(|run| self.event(key, PeerEvent::Returned(run)));
                self.hunger(key);
            }
            PeerCommand::Choke(choke) => peer.unchoked = !choke,
            PeerCommand::Interest(interest) => peer.interest = interest,
            PeerCommand::RequestMetadata(pieces) => peer.metadata_asked.extend(pieces),
            PeerCommand::RequestHashes(_) | PeerCommand::SendHashes(..) | PeerCommand::RejectHashes(_) => {}
            PeerCommand::HavesGrew => peer.haves_grew += 1,
            PeerCommand::UploadOnly(only) => peer.upload_only = Some(only),
            PeerCommand::Pex(message) => peer.told.push(message),
            PeerCommand::Holepunch(message) => peer.meetings.push(message),
            PeerCommand::NoExchange => {}
            PeerCommand::Offer(piece) => peer.offered.push(piece),
            PeerCommand::OwnUp => peer.owned_up = true,
            PeerCommand::Close => {
                peer.closed = true;
                self.close(key);
            }
        }
    }
}

impl FakePeer {
    fn new() -> Self {
        FakePeer {
            leases: VecDeque::new(),
            window: 0,
            rate: 0,
            lies: false,
            unchoked: false,
            interest: false,
            closed: false,
            told_layout: false,
            haves_grew: 0,
            metadata_asked: Vec::new(),
            upload_only: None,
            tally: Tally::default(),
            choked_us: true,
            told: Vec::new(),
            offered: Vec::new(),
            owned_up: false,
            meetings: Vec::new(),
        }
    }

    pub fn held(&self) -> u32 {
        self.leases.iter().map(|run| run.bytes.len() as u32).sum()
    }
}

fn runs_of(job: &DiskJob) -> &Vec<RunBuffer> {
    match job {
        DiskJob::Finish { runs, .. } | DiskJob::Spill { runs, .. } | DiskJob::Load { runs, .. } => runs,
    }
}
