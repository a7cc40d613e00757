//! What the torrent knows of one connection.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::base::allowance::Allowance;
use crate::base::id::PeerId;
use crate::proto::session::Tally;
use crate::swarm::action::{Connected, Way};
use crate::swarm::exchange::Told;
use crate::swarm::holepunch::RELAYED;
use crate::swarm::piece_set::PieceSet;

/// Pieces that a peer may suggest or allow; more are ignored.
const HINTS: usize = 64;

/// One connection after its handshake.
#[derive(Debug)]
pub struct Peer {
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    pub incoming: bool,
    pub extended: bool,
    /// A web server (BEP 19, BEP 17): it has everything, chokes only while it rests, and takes long stretches.
    pub web: bool,
    /// Where the book knows it: what we dialled, or where it says that it listens.
    pub listens: Option<SocketAddr>,
    /// Where it says that it can be reached over the other address family.
    pub elsewhere: Option<SocketAddr>,
    pub since: Instant,
    pub way: Way,
    pub prefers_encryption: bool,
    /// It takes part in holepunching (BEP 55), and how much of it.
    pub holepunch: bool,
    pub relayed: Allowance,
    /// How far it has been told of others; `None`: it does not want to be.
    pub(super) told: Option<Told>,
    /// Not known before its bitfield and our metadata are both there.
    pub has: Option<PieceSet>,
    /// It has said that it has the info dictionary.
    pub has_info: bool,
    pub upload_only: bool,
    pub choking_us: bool,
    pub interested: bool,
    /// What we told it last.
    pub interest: bool,
    pub unchoked: bool,
    /// Choke rounds for which it has been unchoked.
    pub rounds: u32,
    pub snubbed: bool,
    /// Bytes that it could take leases for.
    pub hungry: u32,
    /// As its session measured it, in bytes a second; 0 is not known.
    pub rate: u64,
    pub tally: Tally,
    /// As it was at the last choke round.
    pub round_tally: Tally,
    pub allowed_fast: BTreeSet<u32>,
    pub suggested: BTreeSet<u32>,
    /// Pieces that we have owned up to while super-seeding (BEP 16).
    pub offered: BTreeSet<u32>,
    /// Pieces of which it gave leases back by itself, and since when.
    pub refused: BTreeSet<u32>,
    pub refused_since: Option<Instant>,
    /// The piece that it was granted last: the next one lies best behind it.
    pub last: Option<u32>,
    /// When it was first asked for a block.
    pub asked: Option<Instant>,
    /// What it has brought in how many seconds, of late.
    pub brought: (f64, f64),
    /// When it last brought a run.
    pub delivered: Option<Instant>,
    /// Since when it has owed something without a word; `None`: it owes nothing.
    pub owes: Option<Instant>,
    /// Until when it may be sending what was taken back from it.
    pub clears: Option<Instant>,
    /// Told to close: nothing more is asked of it.
    pub closing: bool,
    /// Since when there has been no memory for a piece that it has.
    pub starved: Option<Instant>,
}

impl Peer {
    pub fn new(now: Instant, connected: &Connected, listens: Option<SocketAddr>) -> Self {
        Peer {
            addr: connected.addr,
            peer_id: connected.peer_id,
            incoming: connected.incoming,
            extended: connected.extended,
            web: false,
            listens,
            elsewhere: None,
            since: now,
            way: connected.way,
            prefers_encryption: false,
            holepunch: false,
            relayed: RELAYED,
            told: None,
            has: None,
            has_info: false,
            upload_only: false,
            choking_us: true,
            interested: false,
            interest: false,
            unchoked: false,
            rounds: 0,
            snubbed: false,
            hungry: 0,
            rate: 0,
            tally: Tally::default(),
            round_tally: Tally::default(),
            allowed_fast: BTreeSet::new(),
            suggested: BTreeSet::new(),
            offered: BTreeSet::new(),
            refused: BTreeSet::new(),
            refused_since: None,
            last: None,
            asked: None,
            brought: (0.0, 0.0),
            delivered: None,
            owes: None,
            clears: None,
            closing: false,
            starved: None,
        }
    }

    /// A web seed for a torrent of so many pieces.
    pub fn web_seed(now: Instant, pieces: u32) -> Self {
        let connected = Connected {
            addr: SocketAddr::from(([0, 0, 0, 0], 0)),
            peer_id: PeerId([0; 20]),
            incoming: false,
            fast: false,
            extended: false,
            way: Way::default(),
        };
        let has = Some(PieceSet::All(pieces));
        Peer { web: true, has, choking_us: false, ..Peer::new(now, &connected, None) }
    }

    /// The address to be banned or remembered.
    pub fn known_as(&self) -> SocketAddr {
        self.listens.unwrap_or(self.addr)
    }

    /// True if `addr` leads to it.
    pub fn is_at(&self, addr: SocketAddr) -> bool {
        self.addr == addr || self.listens == Some(addr)
    }

    /// True if payload may flow in either direction now.
    pub fn is_busy(&self) -> bool {
        self.interest && !self.choking_us || self.interested && self.unchoked
    }

    pub fn has(&self, piece: u32) -> bool {
        self.has.as_ref().is_some_and(|has| has.get(piece))
    }

    pub fn is_seed(&self) -> bool {
        self.has.as_ref().is_some_and(PieceSet::is_full)
    }

    /// True if we may ask it for this piece now.
    pub fn serves(&self, piece: u32) -> bool {
        self.has(piece)
            && (!self.choking_us || self.allowed_fast.contains(&piece))
            && (self.refused.is_empty() || !self.refused.contains(&piece))
    }

    /// True if it works for us, or may well soon: it has unchoked us, or was connected less than `grace` ago.
    pub fn is_worker(&self, now: Instant, grace: Duration) -> bool {
        !self.closing && !self.snubbed && self.interest && (!self.choking_us || now < self.since + grace)
    }

    pub fn allow_fast(&mut self, piece: u32) {
        if self.allowed_fast.len() < HINTS {
            self.allowed_fast.insert(piece);
        }
    }

    pub fn suggest(&mut self, piece: u32) {
        if self.suggested.len() < HINTS {
            self.suggested.insert(piece);
        }
    }

    /// It will not send this piece now.
    pub fn refuse(&mut self, now: Instant, piece: u32) {
        if self.refused.len() < HINTS {
            self.refused.insert(piece);
            self.refused_since.get_or_insert(now);
        }
    }

    /// True if payload went over the connection in either direction.
    pub fn was_useful(&self) -> bool {
        self.tally != Tally::default()
    }
}
