//! Peer exchange (BEP 11): whom we tell of whom, and what we make of what we are told.
//!
//! Never for private torrents (BEP 27). A peer of the internet hears and tells only of addresses of the internet:
//! nobody outside is to learn what stands in this network, or to make us call into it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::base::compact::is_global;
use crate::proto::ext::{PexFlags, PexMessage, PexPeer};
use crate::proto::session::PeerCommand;
use crate::swarm::action::{PeerKey, Source};
use crate::swarm::peer::Peer;
use crate::swarm::timeline;
use crate::swarm::torrent::Torrent;

/// After the handshake, so that the first message holds more than one address.
const FIRST: Duration = Duration::from_secs(3);
/// Between two messages to one peer (BEP 11: no more than one a minute).
const INTERVAL: Duration = Duration::from_secs(60);
/// Ports of one address of the internet that one message may name.
const PER_IP: usize = 2;

/// How far a peer has been told of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    upto: u64,
    /// Not before this is it told more.
    next: Instant,
}

impl Torrent {
    /// True if peers may hear of each other.
    pub(super) fn exchanges(&self) -> bool {
        self.config.pex && !self.tracker_only && !self.stopped
    }

    /// A peer has said whether it wants to hear of others.
    pub(super) fn begin_exchange(&mut self, now: Instant, key: PeerKey, wants: bool) {
        if let Some(peer) = self.peers.get_mut(&key) {
            match wants {
                true => drop(peer.told.get_or_insert(Told { upto: 0, next: now + FIRST })),
                false => peer.told = None,
            }
        }
        self.plan_exchange(now);
    }

    /// The peer is connected, and where it listens is known: others may hear of it.
    pub(super) fn note_presence(&mut self, now: Instant, key: PeerKey) {
        if !self.exchanges() {
            return;
        }
        let Some(peer) = self.peers.get(&key).filter(|peer| !peer.closing) else { return };
        let Some(addr) = peer.listens else { return };
        let flags = flags_of(peer);
        if self.timeline.came(PexPeer { addr, flags }) {
            self.plan_exchange(now);
        }
    }

    /// The connection of `peer` is over; `let_go`: by us, for want of use.
    pub(super) fn note_absence(&mut self, now: Instant, peer: &Peer, let_go: bool) {
        if let Some(addr) = peer.listens
            && self.timeline.went(now, addr, let_go)
        {
            self.plan_exchange(now);
        }
    }

    /// Tells everybody whose time has come.
    pub(super) fn exchange(&mut self, now: Instant) {
        if !self.exchanges() {
            return;
        }
        self.timeline.on_time(now);
        let due = |told: &Told| told.next <= now;
        let keys: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.closing && peer.told.as_ref().is_some_and(due))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            let Some(told) = &mut peer.told else { continue };
            let (ours, scope) = (peer.listens, peer.addr.ip());
            let (message, upto) =
                self.timeline.since(told.upto, |addr| ours != Some(addr) && in_scope(scope, addr.ip()));
            told.upto = upto;
            if message != PexMessage::default() {
                told.next = now + INTERVAL;
                self.say(key, PeerCommand::Pex(message));
            }
        }
        self.plan_exchange(now);
    }

    /// Sets the time of the next message.
    pub(super) fn plan_exchange(&mut self, now: Instant) {
        if !self.exchanges() {
            self.timers.exchange = None;
            return;
        }
        let waits = |peer: &Peer| peer.told.filter(|told| !peer.closing && self.timeline.has_news(told.upto));
        let next = self.peers.values().filter_map(waits).map(|told| told.next.max(now)).min();
        self.timers.exchange = [next, self.timeline.next_due()].into_iter().flatten().min();
    }

    /// A peer has told of others.
    pub(super) fn on_pex(&mut self, now: Instant, key: PeerKey, message: &PexMessage) {
        let Some(peer) = self.peers.get(&key).filter(|_| self.exchanges()) else { return };
        let (scope, relay) = (peer.addr.ip(), peer.holepunch.then_some(key));
        let mut named: Vec<IpAddr> = Vec::new();
        for PexPeer { addr, flags } in &message.added {
            let ip = addr.ip();
            let often = is_global(ip) && named.iter().filter(|other| **other == ip).count() >= PER_IP;
            // Two that have everything have nothing to say to each other.
            let useless = self.complete && flags.has(PexFlags::SEED);
            if often || useless || !in_scope(scope, ip) || self.is_ours(*addr) {
                continue;
            }
            named.push(ip);
            self.book.add(Source::Pex, *addr);
            self.book.vouch(*addr, *flags, relay);
        }
        for addr in &message.dropped {
            self.book.unvouch(*addr, key);
        }
        self.settle(now);
    }
}

fn flags_of(peer: &Peer) -> PexFlags {
    let seed = peer.upload_only || peer.is_seed();
    let encrypted = peer.way.encrypted || peer.prefers_encryption;
    timeline::flags(encrypted, seed, peer.way.utp, peer.holepunch, !peer.incoming)
}

/// True if one at `who` may be told of `ip`, or believed when it tells of it.
pub(super) fn in_scope(who: IpAddr, ip: IpAddr) -> bool {
    is_global(ip) || !is_global(who)
}

/// The address of a peer as others may call it, where only the port that it names is known.
pub(super) fn at_port(peer: SocketAddr, port: u16) -> SocketAddr {
    let mut addr = peer;
    addr.set_port(port);
    addr
}
