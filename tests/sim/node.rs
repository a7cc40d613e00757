//! One client: a real torrent with real sessions, driven as `io` and `engine` drive them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rtorrent_cli::base::bitfield::Bitfield;
use rtorrent_cli::base::have_log::HaveLog;
use rtorrent_cli::base::id::PeerId;
use rtorrent_cli::base::metainfo::Trees;
use rtorrent_cli::proto::session::{
    CloseReason, Direction, Grant, Outgoing, PeerCommand, PeerEvent, PeerLimits, QuotaWord, Session, SessionConfig,
    TorrentFacts,
};
use rtorrent_cli::proto::wire::{BlockRequest, Reserved, piece_header};
use rtorrent_cli::swarm::action::{Connected, SpilledPiece, Start, Way};
use rtorrent_cli::swarm::{Action, Command, DiskJob, PeerKey, Torrent, TorrentConfig};

use crate::disk::Disk;
use crate::facts::{Facts, range};

/// Bytes that a socket takes before they are on their way.
const SEND_BUFFER: usize = 64 * 1024;

/// How a client serves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Habit {
    Honest,
    /// Flips a byte in this share of the blocks that it sends.
    Corrupt(f64),
    /// Sends so many blocks in all and then none any more, while its connections stay up.
    Stalls(u32),
    /// Changes a byte in every answer to a hash request (BEP 52).
    LiesAboutHashes,
    /// Rejects every hash request.
    RejectsHashes,
    /// Answers none.
    KeepsHashes,
}

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Has everything from the start.
    pub seed: bool,
    /// Begins with an id alone and fetches the metadata from peers.
    pub magnet: bool,
    /// Bytes a second that its uplink carries.
    pub up: u64,
    pub memory: u64,
    pub slots: u32,
    pub habit: Habit,
    /// Knows the fast extension.
    pub fast: bool,
}

impl Setup {
    pub fn leecher() -> Setup {
        Setup {
            seed: false,
            magnet: false,
            up: 1_000_000,
            memory: 64 << 20,
            slots: 4,
            habit: Habit::Honest,
            fast: true,
        }
    }

    pub fn seeder() -> Setup {
        Setup { seed: true, ..Setup::leecher() }
    }

    pub fn up(self, up: u64) -> Setup {
        Setup { up, ..self }
    }

    pub fn habit(self, habit: Habit) -> Setup {
        Setup { habit, ..self }
    }
}

/// What a client wants the world to do.
pub enum Effect {
    Dial {
        key: PeerKey,
        addr: SocketAddr,
    },
    Abort {
        key: PeerKey,
    },
    Send {
        key: PeerKey,
        bytes: Vec<u8>,
    },
    HangUp {
        key: PeerKey,
        reason: CloseReason,
    },
    Disk(DiskJob),
    /// To whoever keeps the limits.
    Quota {
        key: PeerKey,
        word: QuotaWord,
    },
    WantPeers,
    Complete,
}

pub struct Node {
    pub addr: SocketAddr,
    pub setup: Setup,
    pub facts: Facts,
    /// The files' trees as far as it knows them.
    pub trees: Option<Trees>,
    pub peer_id: PeerId,
    pub torrent: Torrent,
    pub disk: Disk,
    pub complete_at: Option<Instant>,
    pub banned: Vec<SocketAddr>,
    pub blocks_sent: u32,
    /// Bytes that came from each peer, by its address.
    pub received: BTreeMap<IpAddr, u64>,
    /// Whether downloads and uploads are under a limit.
    pub limited: (bool, bool),
    /// Most memory that was in use, in bytes.
    pub peak: u64,
    pub effects: Vec<Effect>,
    sessions: BTreeMap<PeerKey, Session>,
    addrs: BTreeMap<PeerKey, SocketAddr>,
    /// Bytes of each connection that the world has not carried away yet.
    queued: BTreeMap<PeerKey, usize>,
    /// Sessions that may have something to say or to write.
    touched: BTreeSet<PeerKey>,
    /// When each session wants to be called, and in the order of time.
    due: BTreeMap<PeerKey, Instant>,
    order: BTreeSet<(Instant, PeerKey)>,
    rng: StdRng,
    started: Option<TorrentFacts>,
}

impl Node {
    pub fn new(now: Instant, addr: SocketAddr, facts: &Facts, setup: Setup, seed: u64) -> Node {
        let mut rng = StdRng::seed_from_u64(seed);
        let peer_id = PeerId::ours(&mut rng);
        let disk = Disk::new(facts, setup.seed);
        let mut node = Node {
            addr,
            torrent: torrent(now, facts, &setup, peer_id, &mut rng),
            setup,
            facts: facts.clone(),
            trees: facts.trees.clone(),
            peer_id,
            disk,
            complete_at: None,
            banned: Vec::new(),
            blocks_sent: 0,
            received: BTreeMap::new(),
            limited: (false, false),
            peak: 0,
            effects: Vec::new(),
            sessions: BTreeMap::new(),
            addrs: BTreeMap::new(),
            queued: BTreeMap::new(),
            touched: BTreeSet::new(),
            due: BTreeMap::new(),
            order: BTreeSet::new(),
            rng,
            started: None,
        };
        if !node.setup.magnet {
            node.start(now, Vec::new());
        }
        node
    }

    /// The same client after a crash or a stop: what its disk has verified is there, the rest of its state is not.
    pub fn restart(&mut self, now: Instant, spilled: Vec<SpilledPiece>) {
        self.torrent = torrent(now, &self.facts, &self.setup, self.peer_id, &mut self.rng);
        self.sessions.clear();
        self.queued.clear();
        self.touched.clear();
        self.due.clear();
        self.order.clear();
        self.effects.clear();
        self.start(now, spilled);
    }

    fn start(&mut self, now: Instant, spilled: Vec<SpilledPiece>) {
        let Facts { layout, hashes, info, .. } = self.facts.clone();
        let trees = self.trees.clone();
        let log = HaveLog::new(layout.pieces());
        self.disk.verified.ones().for_each(|piece| log.push(piece));
        self.started = Some(TorrentFacts { layout: layout.clone(), log: log.clone(), info: info.clone() });
        let have = self.disk.verified.clone();
        let want = Bitfield::full(layout.pieces());
        self.torrent.on_command(now, Command::Start(Start { layout, info, hashes, trees, have, log, want, spilled }));
        self.settle(now);
    }

    /// A connection is up. `key` is the torrent's.
    pub fn connect(&mut self, now: Instant, key: PeerKey, incoming: bool, other: &Hello) {
        let reserved = |fast| Reserved([0, 0, 0, 0, 0, 0x10, 0, if fast { 0x04 } else { 0 }]);
        let config = SessionConfig {
            info_hash: self.facts.id.wire(),
            v2: self.facts.trees.is_some(),
            ours: reserved(self.setup.fast),
            theirs: reserved(other.fast),
            addr: other.addr,
            incoming,
            limits: PeerLimits::default(),
            torrent: self.started.clone(),
            listen_port: Some(self.addr.port()),
            other_ip: None,
            dht_port: None,
            pex: true,
            super_seed: false,
            upload_only: self.complete_at.is_some() || self.setup.seed,
            allowed_fast: 5,
            client: "sim".into(),
        };
        let mut session = Session::new(config, now);
        session.set_limited(now, self.limited.0, self.limited.1);
        self.sessions.insert(key, session);
        self.addrs.insert(key, other.addr);
        self.queued.insert(key, 0);
        self.touched.insert(key);
        let connected = Connected {
            addr: other.addr,
            peer_id: other.peer_id,
            incoming,
            fast: other.fast && self.setup.fast,
            extended: true,
            way: Way::default(),
        };
        self.torrent.on_connected(now, key, connected);
        self.settle(now);
    }

    pub fn hello(&self) -> Hello {
        Hello { addr: self.addr, peer_id: self.peer_id, fast: self.setup.fast }
    }

    /// Bytes come in, by scatter reads or not.
    pub fn receive(&mut self, now: Instant, key: PeerKey, mut bytes: &[u8]) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        *self.received.entry(self.addrs[&key].ip()).or_default() += bytes.len() as u64;
        if self.rng.random_bool(0.2) {
            session.on_bytes(now, bytes);
        } else {
            while !bytes.is_empty() {
                let mut n = 0;
                for slice in session.read_slices().iter_mut() {
                    let part = slice.len().min(bytes.len() - n);
                    slice[..part].copy_from_slice(&bytes[n..n + part]);
                    n += part;
                }
                session.on_read(now, n);
                bytes = &bytes[n..];
            }
        }
        self.touched.insert(key);
        self.settle(now);
    }

    /// The limits change.
    pub fn limit(&mut self, now: Instant, direction: Direction, limited: bool) {
        match direction {
            Direction::Down => self.limited.0 = limited,
            Direction::Up => self.limited.1 = limited,
        }
        for (key, session) in &mut self.sessions {
            session.set_limited(now, self.limited.0, self.limited.1);
            self.touched.insert(*key);
        }
        self.settle(now);
    }

    /// Payload may flow; false if nobody is there to let it.
    pub fn grant(&mut self, now: Instant, key: PeerKey, grant: Grant) -> bool {
        let Some(session) = self.sessions.get_mut(&key) else { return false };
        session.on_grant(now, grant);
        self.touched.insert(key);
        self.settle(now);
        true
    }

    /// The other end has closed, or the connection broke.
    pub fn lost(&mut self, now: Instant, key: PeerKey) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.close(now, CloseReason::Lost("reset".into()));
            self.touched.insert(key);
            self.settle(now);
        }
    }

    /// The socket has room again.
    pub fn carried(&mut self, now: Instant, key: PeerKey, bytes: usize) {
        if let Some(queued) = self.queued.get_mut(&key) {
            *queued -= bytes;
            self.touched.insert(key);
            self.settle(now);
        }
    }

    pub fn due(&self) -> Option<Instant> {
        let session = self.order.first().map(|(due, _)| *due);
        session.into_iter().chain(self.torrent.poll_timeout()).min()
    }

    pub fn on_timeout(&mut self, now: Instant) {
        let due: Vec<PeerKey> = self.order.iter().take_while(|(due, _)| *due <= now).map(|(_, key)| *key).collect();
        for key in due {
            if let Some(session) = self.sessions.get_mut(&key) {
                session.on_timeout(now);
                self.touched.insert(key);
            }
        }
        if self.torrent.poll_timeout().is_some_and(|due| due <= now) {
            self.torrent.on_timeout(now);
        }
        self.settle(now);
    }

    /// Carries events, commands and bytes round until nobody has anything to say.
    pub fn settle(&mut self, now: Instant) {
        let mut acted = false;
        loop {
            while let Some(key) = self.touched.pop_first() {
                self.pump(now, key);
                self.pass_events(now, key);
                self.note_due(key);
            }
            match self.torrent.poll_action() {
                Some(action) => {
                    acted = true;
                    self.act(now, action);
                }
                None if self.touched.is_empty() => break,
                None => {}
            }
        }
        if acted {
            self.check_memory();
        }
    }

    fn note_due(&mut self, key: PeerKey) {
        let due = self.sessions.get(&key).and_then(Session::poll_timeout);
        let before = match due {
            Some(due) => self.due.insert(key, due),
            None => self.due.remove(&key),
        };
        if before != due {
            before.map(|before| self.order.remove(&(before, key)));
            self.order.extend(due.map(|due| (due, key)));
        }
    }

    fn check_memory(&mut self) {
        let staged = self.torrent.snapshot().staged_bytes;
        self.peak = self.peak.max(staged);
        let most = self.setup.memory.max(self.facts.layout.piece_length().into());
        assert!(staged <= most, "{} has {staged} bytes in open pieces, {most} are allowed", self.addr);
    }

    fn pass_events(&mut self, now: Instant, key: PeerKey) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let events: Vec<PeerEvent> = std::iter::from_fn(|| session.poll_event()).collect();
        while let Some(word) = session.poll_quota() {
            self.effects.push(Effect::Quota { key, word });
        }
        for event in events {
            if let PeerEvent::Closed(reason) = &event {
                self.sessions.remove(&key);
                self.queued.remove(&key);
                self.effects.push(Effect::HangUp { key, reason: reason.clone() });
            }
            self.torrent.on_peer(now, key, event);
        }
    }

    /// What the torrent's word to a session becomes, as honest as the client is.
    fn told(&self, command: PeerCommand) -> Option<PeerCommand> {
        match (self.setup.habit, command) {
            (Habit::LiesAboutHashes, PeerCommand::SendHashes(range, mut hashes)) => {
                let at = range.index as usize % hashes.len();
                hashes[at][3] ^= 1;
                Some(PeerCommand::SendHashes(range, hashes))
            }
            (Habit::RejectsHashes, PeerCommand::SendHashes(range, _)) => Some(PeerCommand::RejectHashes(range)),
            (Habit::KeepsHashes, PeerCommand::SendHashes(..)) => None,
            (_, command) => Some(command),
        }
    }

    /// Gives the socket what it takes.
    fn pump(&mut self, now: Instant, key: PeerKey) {
        let (Some(session), Some(queued)) = (self.sessions.get_mut(&key), self.queued.get_mut(&key)) else { return };
        while *queued < SEND_BUFFER {
            let Some(outgoing) = session.poll_write() else { break };
            let bytes = match outgoing {
                Outgoing::Bytes(bytes) => bytes,
                Outgoing::Block(block) => {
                    self.blocks_sent += 1;
                    if matches!(self.setup.habit, Habit::Stalls(after) if self.blocks_sent > after) {
                        // It takes the request and never answers; for its own session the block is out.
                        session.on_write_progress(now, 13 + block.len as usize);
                        continue;
                    }
                    assert!(self.disk.verified.get(block.piece), "serves what it has verified");
                    let frame = frame(&self.facts, &self.disk, block, self.setup.habit, &mut self.rng);
                    session.on_block_sent(now, block);
                    frame
                }
            };
            session.on_write_progress(now, bytes.len());
            *queued += bytes.len();
            self.effects.push(Effect::Send { key, bytes });
        }
    }

    fn act(&mut self, now: Instant, action: Action) {
        match action {
            Action::Dial { peer, addr, .. } => self.effects.push(Effect::Dial { key: peer, addr }),
            Action::Punch { peer, addr } => self.effects.push(Effect::Dial { key: peer, addr }),
            Action::AbortDial { peer } => self.effects.push(Effect::Abort { key: peer }),
            Action::Peer { peer, command } => {
                if let PeerCommand::RequestHashes(_) = command {
                    let under_way = self.torrent.have().is_none_or(|have| !have.none());
                    assert!(under_way, "hashes that nobody waits for do not keep the first piece waiting");
                }
                let command = self.told(command);
                if let (Some(session), Some(command)) = (self.sessions.get_mut(&peer), command) {
                    session.on_command(now, command);
                    self.touched.insert(peer);
                }
            }
            Action::Disk(job) => self.effects.push(Effect::Disk(job)),
            Action::MetadataComplete { info } => {
                assert_eq!(info[..], self.facts.info[..]);
                let (trees, lacks) = self.facts.bare_trees();
                self.trees = trees.clone();
                match trees.filter(|_| lacks) {
                    Some(trees) => self.torrent.on_command(now, Command::FetchLayers(trees)),
                    None => self.start(now, Vec::new()),
                }
            }
            Action::LayersComplete { layers } => {
                let trees = self.trees.as_ref().and_then(|trees| trees.with_layers(layers).ok());
                assert_eq!(trees, self.facts.trees);
                self.trees = trees.clone();
                match trees.filter(|_| self.started.is_some()) {
                    Some(trees) => self.torrent.on_command(now, Command::Layers(trees)),
                    None => self.start(now, Vec::new()),
                }
            }
            Action::Complete => {
                self.complete_at.get_or_insert(now);
                self.effects.push(Effect::Complete);
            }
            Action::WantPeers => self.effects.push(Effect::WantPeers),
            Action::Banned { addr } => self.banned.push(addr),
            Action::WebSeedLied { .. } => {}
            Action::DhtNode { .. } | Action::Unreadable { .. } => {}
        }
    }
}

/// What a handshake says.
#[derive(Clone, Copy, Debug)]
pub struct Hello {
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    pub fast: bool,
}

fn torrent(now: Instant, facts: &Facts, setup: &Setup, peer_id: PeerId, rng: &mut StdRng) -> Torrent {
    let mut config = TorrentConfig::new(facts.id, peer_id);
    config.memory = setup.memory;
    config.upload_slots = setup.slots;
    Torrent::new(config, now, StdRng::seed_from_u64(rng.random()))
}

/// A PIECE frame from the disk, as honest as the client is.
fn frame(facts: &Facts, disk: &Disk, block: BlockRequest, habit: Habit, rng: &mut StdRng) -> Vec<u8> {
    let start = range(&facts.layout, block.piece).start + block.begin as usize;
    let mut bytes = piece_header(block.piece, block.begin, block.len).to_vec();
    bytes.extend_from_slice(&disk.bytes[start..start + block.len as usize]);
    if let Habit::Corrupt(share) = habit
        && rng.random_bool(share)
    {
        bytes[13] ^= 1;
    }
    bytes
}
