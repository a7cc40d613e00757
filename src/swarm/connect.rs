//! Addresses, dials, incoming connections: who becomes a peer, and how a peer ceases to be one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::proto::session::PeerCommand;
use crate::proto::session::message::CloseReason;
use crate::swarm::action::{Action, Connected, DialFailure, PeerKey, Source};
use crate::swarm::book::per_ip;
use crate::swarm::peer::Peer;
use crate::swarm::torrent::{Dial, Torrent};

/// A first dial that takes longer gives way to fresh addresses.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// A connection that nobody is interested in may be replaced after this.
pub(super) const TRIAL: Duration = Duration::from_secs(60);
/// Two connections between the same two ends that came up within this time are a crossing: both ends keep the same one.
const CROSSING: Duration = Duration::from_secs(10);

/// Peers that are gone, and liars, that are remembered.
const DEPARTED: usize = 1_000;

impl Torrent {
    /// Addresses from one source. Call as soon as there are any.
    pub fn on_addresses(&mut self, now: Instant, source: Source, addresses: &[SocketAddr]) {
        if self.tracker_only && source != Source::Tracker {
            return;
        }
        for &addr in addresses {
            self.book.add(source, addr);
        }
        self.settle(now);
    }

    /// An incoming connection whose handshake may be answered; `None`: close it. To be followed by `on_connected` or
    /// `on_dial_failed` with this key.
    pub fn accept(&mut self, now: Instant, addr: SocketAddr) -> Option<PeerKey> {
        if self.stopped || self.book.is_banned(addr) || !self.has_room_for(addr) {
            return None;
        }
        let full = self.peers.len() + self.accepted.len() >= self.config.max_peers as usize;
        if full && !self.replace_one(now) && !self.displace_one(now, addr) {
            return None;
        }
        let key = self.new_key();
        self.accepted.insert(key, addr);
        Some(key)
    }

    /// A web server has the torrent's files: what drives it speaks under this key as a session does. After
    /// [`Command::Start`](super::Command::Start) only; `None` if nothing is to be fetched any more.
    pub fn add_web_seed(&mut self, now: Instant) -> Option<PeerKey> {
        if self.stopped || self.complete {
            return None;
        }
        let pieces = self.pieces.as_mut()?;
        let peer = Peer::web_seed(now, pieces.layout.pieces());
        pieces.picker.join(peer.has.as_ref()?);
        let key = self.new_key();
        self.peers.insert(key, peer);
        self.review_interest(key);
        Some(key)
    }

    /// A handshake has succeeded: from here on the session speaks under this key.
    pub fn on_connected(&mut self, now: Instant, key: PeerKey, connected: Connected) {
        let dial = self.dials.remove(&key);
        let accepted = self.accepted.remove(&key);
        let known = dial.is_some() || accepted.is_some();
        if !known || self.stopped || !self.admit(now, dial, &connected) {
            if let Some(dial) = dial.filter(|dial| !self.is_connected_to(dial.addr)) {
                self.book.closed(now, dial.addr, &CloseReason::Ours, false);
            }
            self.say(key, PeerCommand::Close);
            return self.settle(now);
        }
        if let Some(dial) = dial {
            self.book.worked(dial.addr, connected.way);
        }
        let mut peer = Peer::new(now, &connected, dial.map(|dial| dial.addr));
        if connected.incoming && connected.way.utp {
            // It calls from the very port where it listens, and that is the one that NATs on its way let through.
            peer.listens = Some(connected.addr);
            self.book.occupy(Source::Incoming, connected.addr);
        }
        self.peers.insert(key, peer);
        self.greet(key);
        if !connected.extended {
            self.note_presence(now, key);
        }
        self.settle(now);
    }

    /// A dial, or the handshake of an accepted connection, came to nothing.
    pub fn on_dial_failed(&mut self, now: Instant, key: PeerKey, failure: DialFailure) {
        self.accepted.remove(&key);
        if let Some(dial) = self.dials.remove(&key) {
            self.book.failed(now, dial.addr, failure);
            self.ask_for_meeting(now, dial, failure);
        }
        self.settle(now);
    }

    /// Calls who is best to be called, as far as there is room.
    pub(super) fn dial(&mut self, now: Instant) {
        if self.stopped || self.failed {
            return;
        }
        while self.dials.len() < self.config.half_open as usize {
            if self.connections_and_dials() >= self.config.max_peers as usize
                && !(self.book.has_fresh() && self.replace_one(now))
            {
                return;
            }
            let (peers, dials) = (&self.peers, &self.dials);
            let addr = self.book.next(now, |addr| has_room(peers.values(), dials.values(), addr));
            let Some(addr) = addr else { return };
            let key = self.new_key();
            self.dials.insert(key, Dial { addr, since: now, punch: false });
            let way = self.book.way(addr);
            self.actions.push_back(Action::Dial { peer: key, addr, way });
        }
    }

    /// Gives up dials that keep fresh addresses waiting.
    pub(super) fn hurry_dials(&mut self, now: Instant) {
        if !self.dials_keep_others_waiting() {
            return;
        }
        let late: Vec<PeerKey> =
            self.dials.iter().filter(|(_, dial)| dial.since + PATIENCE <= now).map(|(key, _)| *key).collect();
        for key in late {
            if let Some(dial) = self.dials.remove(&key) {
                self.book.postponed(now, dial.addr);
                self.ask_for_meeting(now, dial, DialFailure::TimedOut);
                self.actions.push_back(Action::AbortDial { peer: key });
            }
        }
    }

    pub(super) fn dials_keep_others_waiting(&self) -> bool {
        self.dials.len() >= self.config.half_open as usize && self.book.has_fresh()
    }

    /// Tells a peer to close. What it holds comes back before it is gone.
    pub(super) fn hang_up(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key)
            && !std::mem::replace(&mut peer.closing, true)
        {
            self.closing += 1;
            self.hungry.remove(&key);
            self.say(key, PeerCommand::Close);
        }
    }

    /// Never again: the peer lied about bytes.
    pub(super) fn ban(&mut self, key: PeerKey) {
        if self.peers.get(&key).is_some_and(|peer| peer.web) {
            self.actions.push_back(Action::WebSeedLied { peer: key });
            return self.hang_up(key);
        }
        let present = self.peers.get(&key).map(|peer| (peer.known_as(), peer.peer_id));
        let departed = || self.departed.iter().find(|(gone, ..)| *gone == key).map(|(_, addr, id)| (*addr, *id));
        if let Some((addr, peer_id)) = present.or_else(departed) {
            self.liars.push_back(peer_id);
            self.liars.drain(..self.liars.len().saturating_sub(DEPARTED));
            self.ban_addr(addr);
            self.hang_up(key);
        }
    }

    pub(super) fn ban_addr(&mut self, addr: SocketAddr) {
        self.book.ban(addr, per_ip(addr.ip()) != usize::MAX);
        self.actions.push_back(Action::Banned { addr });
    }

    /// The connection is over; the last word of its session.
    pub(super) fn on_closed(&mut self, now: Instant, key: PeerKey, reason: &CloseReason) {
        let held: Vec<_> = match &self.pieces {
            Some(pieces) => pieces.staging.leases().of(key).map(|(id, _)| id).collect(),
            None => Vec::new(),
        };
        held.into_iter().for_each(|id| self.on_lost(now, key, id));
        let Some(peer) = self.peers.remove(&key) else { return };
        let unneeded = *reason == CloseReason::Ours && !self.book.is_banned(peer.known_as());
        self.note_absence(now, &peer, unneeded && !peer.incoming);
        self.hungry.remove(&key);
        self.closing -= usize::from(peer.closing);
        if peer.was_useful() && !peer.web {
            self.departed.push_back((key, peer.known_as(), peer.peer_id));
            self.departed.drain(..self.departed.len().saturating_sub(DEPARTED));
        }
        self.past.down += peer.tally.down;
        self.past.up += peer.tally.up;
        self.past.wasted += peer.tally.wasted;
        if let (Some(pieces), Some(has)) = (&mut self.pieces, &peer.has) {
            pieces.picker.leave(has);
        }
        if let Some(metadata) = &mut self.metadata {
            metadata.offer(key, None);
            self.ask_metadata(now);
        }
        if let Some(layers) = &mut self.layers {
            layers.leave(key);
            self.ask_layers(now);
        }
        self.release_exclusive(key);
        if let Some(addr) = peer.listens.filter(|addr| !self.is_connected_to(*addr)) {
            self.book.closed(now, addr, reason, peer.was_useful());
        }
        if let (Some(addr), CloseReason::Lost(_) | CloseReason::TimedOut) = (peer.elsewhere, reason) {
            self.book.add(Source::Incoming, addr);
        }
        self.supply = true;
    }

    /// Makes room for a caller whose canonical priority is higher than that of a connection over which nothing flows
    /// (BEP 40): so everybody finds a place somewhere, and nobody more of them by calling more often.
    fn displace_one(&mut self, now: Instant, caller: SocketAddr) -> bool {
        let idle = |peer: &Peer| !peer.closing && !peer.web && !peer.is_busy() && peer.since + TRIAL <= now;
        let priority = |peer: &Peer| self.book.priority(peer.known_as());
        let least = self.peers.iter().filter(|(_, peer)| idle(peer)).min_by_key(|(_, peer)| priority(peer));
        let Some((&key, _)) = least.filter(|(_, peer)| priority(peer) < self.book.priority(caller)) else {
            return false;
        };
        self.hang_up(key);
        true
    }

    /// Makes room for somebody else by dropping the connection of the least priority that serves neither side.
    fn replace_one(&mut self, now: Instant) -> bool {
        let useless = |peer: &Peer| {
            !peer.closing
                && !peer.web
                && !peer.interest
                && !peer.interested
                && peer.since + TRIAL <= now
                && self.pieces.is_some()
        };
        let priority = |peer: &Peer| self.book.priority(peer.known_as());
        let least = self.peers.iter().filter(|(_, peer)| useless(peer)).min_by_key(|(_, peer)| priority(peer));
        let key = least.map(|(key, _)| *key);
        key.map(|key| self.hang_up(key)).is_some()
    }

    /// Decides between a new connection and what there is; true if the new one stays.
    fn admit(&mut self, now: Instant, dial: Option<Dial>, connected: &Connected) -> bool {
        if connected.peer_id == self.config.peer_id {
            if let Some(dial) = dial {
                self.book.failed(now, dial.addr, DialFailure::Ourselves);
            }
            return false;
        }
        let liar = self.liars.contains(&connected.peer_id);
        if liar || self.book.is_banned(connected.addr) || !self.has_room_for(connected.addr) {
            return false;
        }
        let twin = self.peers.iter().find(|(_, peer)| {
            !peer.closing
                && !peer.web
                && (peer.peer_id == connected.peer_id || (peer.addr == connected.addr && !connected.incoming))
        });
        let Some((&old, peer)) = twin else { return true };
        let crossing = peer.incoming != connected.incoming && now < peer.since + CROSSING;
        let ours_stays = self.config.peer_id > connected.peer_id;
        let new_stays = crossing && connected.incoming != ours_stays;
        if let (false, Some(dial)) = (new_stays, dial) {
            // It called us before: now we know where it listens, and need not call there while it is here.
            if let Some(peer) = self.peers.get_mut(&old) {
                peer.listens.get_or_insert(dial.addr);
            }
        }
        if new_stays {
            self.hang_up(old);
        }
        new_stays
    }

    fn greet(&mut self, key: PeerKey) {
        if let Some(pieces) = &self.pieces {
            let (layout, log, info) = (pieces.layout.clone(), pieces.log.clone(), pieces.info.clone());
            self.say(key, PeerCommand::Layout { layout, log, info });
        }
        if let Some(peer) = self.peers.get_mut(&key).filter(|_| !self.complete) {
            peer.interest = true;
            self.say(key, PeerCommand::Interest(true));
        }
    }

    pub(super) fn connections_and_dials(&self) -> usize {
        let web = self.peers.values().filter(|peer| peer.web && !peer.closing).count();
        self.peers.len() - self.closing - web + self.accepted.len() + self.dials.len()
    }

    fn is_connected_to(&self, addr: SocketAddr) -> bool {
        self.peers.values().any(|peer| peer.listens == Some(addr) && !peer.closing)
    }

    fn has_room_for(&self, addr: SocketAddr) -> bool {
        let limit = per_ip(addr.ip());
        limit == usize::MAX || {
            let ip = addr.ip().to_canonical();
            let peers = self.peers.values().filter(|peer| !peer.closing).map(|peer| peer.addr);
            peers.chain(self.accepted.values().copied()).filter(|other| other.ip().to_canonical() == ip).count() < limit
        }
    }
}

fn has_room<'a>(
    peers: impl Iterator<Item = &'a Peer>,
    dials: impl Iterator<Item = &'a Dial>,
    addr: SocketAddr,
) -> bool {
    let limit = per_ip(addr.ip());
    limit == usize::MAX
        || peers
            .filter(|peer| !peer.closing)
            .map(|peer| peer.addr.ip())
            .chain(dials.map(|dial| dial.addr.ip()))
            .filter(|ip| ip.to_canonical() == addr.ip())
            .count()
            < limit
}
