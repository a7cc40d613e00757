//! What peers tell each other of other peers: PEX (BEP 11) and holepunching (BEP 55), with their limits.
//!
//! Both are off for private torrents (BEP 27). What a peer says is bounded in size and in rate before anybody hears of
//! it, and one that floods is dropped.

use std::time::{Duration, Instant};

use super::Session;
use super::message::PeerEvent;
use crate::base::allowance::Allowance;
use crate::proto::ext::{HolepunchMessage, PexMessage};
use crate::proto::wire::Message;

/// A PEX message sooner than this after the one before is not read (BEP 11: one a minute).
const PEX_INTERVAL: Duration = Duration::from_secs(20);
/// So many unread messages in a row are a flood.
const PEX_FLOOD: u32 = 10;
/// Addresses that a peer may tell: so many at first, and so many more a minute.
const PEX_ADDRESSES: Allowance = Allowance::new(200, 100);
/// Holepunch messages likewise; the many targets of a swarm may all want to meet us at once.
const PUNCHES: Allowance = Allowance::new(100, 60);

#[derive(Debug)]
pub(super) struct Exchange {
    /// When the last PEX message was read.
    read: Option<Instant>,
    /// Messages since that came too soon.
    unread: u32,
    addresses: Allowance,
    punches: Allowance,
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange { read: None, unread: 0, addresses: PEX_ADDRESSES, punches: PUNCHES }
    }
}

impl Session {
    pub(super) fn on_pex(&mut self, payload: &[u8]) {
        let exchange = &mut self.exchange;
        if exchange.read.is_some_and(|last| self.now < last + PEX_INTERVAL) {
            exchange.unread += 1;
            if exchange.unread > PEX_FLOOD {
                self.violate("a flood of PEX messages");
            }
            return;
        }
        let Ok(mut message) = PexMessage::decode(payload) else { return self.violate("a malformed PEX message") };
        (exchange.read, exchange.unread) = (Some(self.now), 0);
        let allowed = exchange.addresses.take(self.now, message.added.len() as u32);
        message.added.truncate(allowed as usize);
        self.emit(PeerEvent::Pex(message));
    }

    pub(super) fn on_holepunch(&mut self, payload: &[u8]) {
        // Who does not say that it takes part is not heard (BEP 55).
        if self.theirs.as_ref().is_none_or(|theirs| theirs.ut_holepunch.is_none()) {
            return;
        }
        if self.exchange.punches.allows(self.now)
            && let Some(message) = HolepunchMessage::decode(payload)
        {
            self.emit(PeerEvent::Holepunch(message));
        }
    }

    /// Tells of peers, if this one wants to hear of them.
    pub(super) fn tell_pex(&mut self, message: &PexMessage) {
        let id = self.theirs.as_ref().and_then(|theirs| theirs.ut_pex).filter(|_| self.config.pex);
        if let Some(id) = id {
            self.send(Message::Extended { id, payload: &message.encode() });
        }
    }

    pub(super) fn tell_holepunch(&mut self, message: HolepunchMessage) {
        let id = self.theirs.as_ref().and_then(|theirs| theirs.ut_holepunch).filter(|_| self.config.pex);
        if let Some(id) = id {
            self.send(Message::Extended { id, payload: &message.encode() });
        }
    }

    /// The torrent has turned out private (BEP 27): we take back that we exchange peers.
    pub(super) fn end_exchange(&mut self) {
        if std::mem::take(&mut self.config.pex) {
            self.send_handshake();
        }
    }
}
