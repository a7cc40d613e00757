//! Holepunching (BEP 55): two peers behind NATs meet through a third that both are connected to, and call each other at
//! the same moment.
//!
//! We play all three parts: we ask for a meeting where a dial has failed and the peer that told us of the address takes
//! part (initiator), we bring others together (relay), and we call whom a relay names (target). What others can make us
//! do is bounded in rate and kept to addresses that they could tell us of by PEX. Never for private torrents.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::base::allowance::Allowance;
use crate::proto::ext::{HolepunchError, HolepunchMessage, PexFlags};
use crate::proto::session::PeerCommand;
use crate::swarm::action::{Action, DialFailure, PeerKey, Source};
use crate::swarm::book::dialable;
use crate::swarm::exchange::in_scope;
use crate::swarm::peer::Peer;
use crate::swarm::torrent::{Dial, Torrent};

/// Meetings that we have asked for and heard nothing of, at most, and how long we wait.
const ASKED: usize = 64;
const PATIENCE: Duration = Duration::from_secs(20);
/// Meetings that one peer may have us arrange.
pub(super) const RELAYED: Allowance = Allowance::new(20, 30);
/// Dials that relays may have us make without our asking.
const CALLED: Allowance = Allowance::new(20, 30);
/// Meetings have so many dials beyond the limit of those under way: they can't wait.
const EXTRA_DIALS: usize = 10;

#[derive(Debug)]
pub(super) struct Meetings {
    /// Whom we want to meet, and since when.
    asked: BTreeMap<SocketAddr, Instant>,
    called: Allowance,
}

impl Default for Meetings {
    fn default() -> Self {
        Meetings { asked: BTreeMap::new(), called: CALLED }
    }
}

impl Torrent {
    /// A dial came to nothing: is there somebody who can bring us together?
    pub(super) fn ask_for_meeting(&mut self, now: Instant, dial: Dial, failure: DialFailure) {
        let silent = matches!(failure, DialFailure::Refused | DialFailure::TimedOut);
        if !silent || dial.punch || !self.exchanges() || self.failed {
            return;
        }
        let Some((flags, relay)) = self.book.voucher(dial.addr) else { return };
        let helps = |peer: &Peer| peer.holepunch && !peer.closing;
        if !flags.has(PexFlags::HOLEPUNCH) || !self.peers.get(&relay).is_some_and(helps) {
            return;
        }
        self.meetings.asked.retain(|_, since| now < *since + PATIENCE);
        if self.meetings.asked.len() < ASKED && !self.is_full() {
            self.meetings.asked.insert(dial.addr, now);
            self.say(relay, PeerCommand::Holepunch(HolepunchMessage::Rendezvous(dial.addr)));
        }
    }

    pub(super) fn on_holepunch(&mut self, now: Instant, key: PeerKey, message: HolepunchMessage) {
        if !self.exchanges() || !self.peers.get(&key).is_some_and(|peer| peer.holepunch && !peer.closing) {
            return;
        }
        match message {
            HolepunchMessage::Rendezvous(target) => self.relay(now, key, target),
            HolepunchMessage::Connect(addr) => self.meet(now, key, addr),
            HolepunchMessage::Error(addr, error) => {
                tracing::trace!(%addr, %error, "no rendezvous");
                self.meetings.asked.remove(&addr);
                self.book.unvouch(addr, key);
            }
        }
    }

    /// Brings `key` and the peer at `target` together, or says why not.
    fn relay(&mut self, now: Instant, key: PeerKey, target: SocketAddr) {
        let Some(asker) = self.peers.get_mut(&key) else { return };
        if !asker.relayed.allows(now) {
            return;
        }
        let (meets, scope) = (asker.listens.unwrap_or(asker.addr), asker.addr.ip());
        let found = self.peers.iter().find(|(_, peer)| !peer.closing && peer.is_at(target));
        let verdict = match found {
            _ if !dialable(target) => Err(HolepunchError::NoSuchPeer),
            _ if self.is_ours(target) => Err(HolepunchError::NoSelf),
            Some((other, _)) if *other == key => Err(HolepunchError::NoSuchPeer),
            Some((_, peer)) if !in_scope(scope, target.ip()) || !in_scope(peer.addr.ip(), meets.ip()) => {
                Err(HolepunchError::NotConnected)
            }
            Some((_, peer)) if !peer.holepunch => Err(HolepunchError::NoSupport),
            Some((other, _)) => Ok(*other),
            None => Err(HolepunchError::NotConnected),
        };
        match verdict {
            Ok(other) => {
                self.say(other, PeerCommand::Holepunch(HolepunchMessage::Connect(meets)));
                self.say(key, PeerCommand::Holepunch(HolepunchMessage::Connect(target)));
            }
            Err(error) => self.say(key, PeerCommand::Holepunch(HolepunchMessage::Error(target, error))),
        }
    }

    /// Calls an address that is calling us at this moment. Whatever speaks against it, nobody is told (BEP 55).
    fn meet(&mut self, now: Instant, relay: PeerKey, addr: SocketAddr) {
        let Some(scope) = self.peers.get(&relay).map(|peer| peer.addr.ip()) else { return };
        let asked = self.meetings.asked.remove(&addr).is_some_and(|since| now < since + PATIENCE);
        let connected = self.peers.values().any(|peer| !peer.closing && peer.is_at(addr));
        let unwanted =
            !dialable(addr) || !in_scope(scope, addr.ip()) || self.is_ours(addr) || self.book.is_banned(addr);
        let useless = self.failed || (self.complete && self.book.is_seed(addr));
        if connected || unwanted || useless || !(asked || self.meetings.called.allows(now)) {
            return;
        }
        let under_way = self.dials.iter().find(|(_, dial)| dial.addr == addr).map(|(key, dial)| (*key, dial.punch));
        match under_way {
            Some((_, true)) => return,
            // It would be too late for the other side's first packets.
            Some((peer, false)) => {
                self.dials.remove(&peer);
                self.actions.push_back(Action::AbortDial { peer });
            }
            None => {}
        }
        if self.is_full() || self.dials.len() >= self.config.half_open as usize + EXTRA_DIALS {
            return;
        }
        self.book.begin(Source::Pex, addr);
        let peer = self.new_key();
        self.dials.insert(peer, Dial { addr, since: now, punch: true });
        self.actions.push_back(Action::Punch { peer, addr });
    }

    fn is_full(&self) -> bool {
        self.connections_and_dials() >= self.config.max_peers as usize
    }
}
