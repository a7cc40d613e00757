//! What is written, and when: small frames gathered into one write, blocks one by one.
//!
//! Requests, HAVEs and choke states are composed only when the driver is ready to write, so that a peer that drains
//! slowly costs no queue.

use std::time::Instant;

use super::{CloseReason, PeerEvent, Session};
use crate::base::layout::BLOCK_LEN;
use crate::proto::ext::OurHandshake;
use crate::proto::wire::{BlockRequest, Message, PIECE_HEADER_LEN};

/// Small frames that may wait. A peer that makes us answer more than this and takes none of it is dropped.
const MAX_WAITING: usize = 256 * 1024;

/// With so much waiting, no more is composed.
const ENOUGH: usize = 16 * 1024;

/// Something to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outgoing {
    /// Whole frames, to be written as they are.
    Bytes(Vec<u8>),
    /// A PIECE to serve: read the block, write [`crate::proto::wire::piece_header`] and the block, then say
    /// [`Session::on_block_sent`] (or [`Session::on_block_failed`] if it can't be read).
    Block(BlockRequest),
}

#[derive(Debug, Default)]
pub(super) struct Transmit {
    waiting: Vec<u8>,
    /// Bytes that the driver has been given and has not reported as written.
    handed: u64,
    /// The opening may be long (a bitfield) and does not count against the limit.
    opening: usize,
    /// Our choke and interest: latest wish and what the peer was told.
    unchoke: Latest,
    interest: Latest,
}

#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    wish: bool,
    told: bool,
}

impl Transmit {
    pub fn clear(&mut self) {
        self.waiting = Vec::new();
    }

    /// The peer has been told that it is unchoked.
    pub fn unchoked(&self) -> bool {
        self.unchoke.told
    }
}

impl Session {
    /// What to write next. Call it when everything that it gave before has been written, or to read blocks ahead; write
    /// in the order given, and report every byte with [`Session::on_write_progress`].
    pub fn poll_write(&mut self) -> Option<Outgoing> {
        if self.closed {
            return None;
        }
        self.compose();
        if !self.transmit.waiting.is_empty() {
            let bytes = std::mem::take(&mut self.transmit.waiting);
            self.hand_out(bytes.len());
            return Some(Outgoing::Bytes(bytes));
        }
        let block = self.next_block()?;
        self.hand_out(PIECE_HEADER_LEN + block.len as usize);
        Some(Outgoing::Block(block))
    }

    /// True if [`Session::poll_write`] has something to give.
    pub fn wants_write(&mut self) -> bool {
        if self.closed {
            return false;
        }
        self.compose();
        let block = self.next_covered().is_some();
        !self.transmit.waiting.is_empty() || block
    }

    /// The next block to serve, if the limit leaves room for it.
    fn next_block(&mut self) -> Option<BlockRequest> {
        let block = self.next_covered();
        if let Some(block) = block {
            self.uploads.next();
            self.quotas.up.spend(block.len);
        }
        self.quotas.up.want(self.uploads.bytes_ahead() + self.hashes.bytes_ahead());
        block
    }

    /// The same without taking it. Hashes that wait for the limit go first: whoever asked begins with them.
    fn next_covered(&self) -> Option<BlockRequest> {
        let hashes = self.hashes.bytes_ahead() > 0;
        self.uploads.front().filter(|block| !hashes && self.quotas.up.covers(block.len))
    }

    /// The peer's side has taken `n` more bytes of what was given.
    pub fn on_write_progress(&mut self, now: Instant, n: usize) {
        self.now = self.now.max(now);
        self.transmit.handed = self.transmit.handed.saturating_sub(n as u64);
        self.deadlines.drained(self.now, self.transmit.handed > 0);
        self.close_if_drained();
    }

    /// Ends a connection that we want to end, once everything has been written.
    pub(super) fn close_if_drained(&mut self) {
        if self.deadlines.is_closing() && self.transmit.handed == 0 && !self.wants_write() {
            self.close(self.now, CloseReason::Ours);
        }
    }

    /// A block has been wholly written.
    pub fn on_block_sent(&mut self, now: Instant, block: BlockRequest) {
        self.now = self.now.max(now);
        self.tally.up += u64::from(block.len);
        self.tally_grew();
    }

    /// A block can't be served; nothing of it was written.
    pub fn on_block_failed(&mut self, now: Instant, block: BlockRequest) {
        self.on_write_progress(now, PIECE_HEADER_LEN + block.len as usize);
        self.refuse_request(block);
        self.emit(PeerEvent::Unreadable(block.piece));
    }

    /// The first messages: our pieces, our extension handshake, our DHT port.
    pub(super) fn open(&mut self) {
        self.announce_pieces();
        self.send_handshake();
        if let Some(port) = self.config.dht_port.filter(|_| self.config.theirs.dht()) {
            self.send(Message::Port(port));
        }
        self.transmit.opening = self.transmit.waiting.len();
    }

    pub(super) fn send_handshake(&mut self) {
        if !self.extended {
            return;
        }
        let ours = OurHandshake {
            client: &self.config.client.clone(),
            port: self.config.listen_port.filter(|_| !self.config.incoming),
            reqq: self.config.limits.reqq,
            metadata_size: self.our_metadata_size(),
            // A super-seed passes for somebody who is still downloading (BEP 16).
            upload_only: self.config.upload_only && !self.config.super_seed,
            no_pex: !self.config.pex,
            your_ip: Some(self.config.addr.ip()),
            other_ip: self.config.other_ip,
        };
        self.send(Message::Extended { id: 0, payload: &ours.encode() });
    }

    /// Queues a small frame.
    pub(super) fn send(&mut self, message: Message<'_>) {
        if self.closed {
            return;
        }
        message.encode(&mut self.transmit.waiting);
        if self.transmit.waiting.len() > MAX_WAITING + self.transmit.opening {
            self.violate("asks for answers and takes none");
        }
    }

    pub(super) fn wish_unchoke(&mut self, unchoke: bool) {
        self.transmit.unchoke.wish = unchoke;
        // A choke is not put off: the rejects of what it drops have to come behind it.
        if !unchoke && std::mem::take(&mut self.transmit.unchoke.told) {
            self.send(Message::Choke);
            let dropped = self.uploads.choke();
            if self.fast {
                dropped.into_iter().for_each(|request| self.send(Message::Reject(request)));
            }
        }
    }

    pub(super) fn wish_interest(&mut self, interest: bool) {
        self.transmit.interest.wish = interest;
    }

    fn hand_out(&mut self, len: usize) {
        self.transmit.opening = 0;
        self.transmit.handed += len as u64;
        self.deadlines.spoke(self.now);
    }

    fn compose(&mut self) {
        let interest = &mut self.transmit.interest;
        if interest.wish != interest.told {
            interest.told = interest.wish;
            let message = if interest.wish { Message::Interested } else { Message::NotInterested };
            self.send(message);
        }
        if self.transmit.unchoke.wish && !self.transmit.unchoke.told {
            self.transmit.unchoke.told = true;
            self.send(Message::Unchoke);
        }
        // The rest has time until this is on its way.
        if self.transmit.waiting.len() < ENOUGH {
            self.announce_new();
            self.serve_metadata();
            self.serve_hashes();
            self.compose_requests();
        }
    }

    /// Fills the window up, once there is room for an eighth of it.
    fn compose_requests(&mut self) {
        let idle = self.choked && self.allowed.is_empty();
        if idle || self.deadlines.is_closing() || self.deadlines.is_pausing() {
            return self.quotas.down.want(0);
        }
        let most = self.theirs.as_ref().and_then(|theirs| theirs.reqq).unwrap_or(DEFAULT_REQQ);
        let window = self.reach();
        let room = window.saturating_sub(self.leases.in_flight_bytes());
        if self.leases.unasked_bytes() == 0 {
            return self.quotas.down.want(0);
        }
        if room < (window / 8).max(BLOCK_LEN.into()) {
            return;
        }
        let blocks = room.min(self.leases.unasked_bytes()).div_ceil(BLOCK_LEN.into()).min(most.into());
        self.transmit.waiting.reserve(REQUEST_LEN * blocks as usize);
        let room = |session: &Session| {
            let few = session.leases.in_flight() < most;
            if few { window.saturating_sub(session.leases.in_flight_bytes()) } else { 0 }
        };
        while room(self) > 0 && self.quotas.down.covers(BLOCK_LEN) {
            let Some((at, request)) = self.leases.ask() else { break };
            self.quotas.down.spend(request.len);
            self.window.on_ask(self.now, at);
            self.send(Message::Request(request));
        }
        // Whole blocks, since a grant of less is of no use.
        let wanted = room(self).min(self.leases.unasked_bytes()).div_ceil(BLOCK_LEN.into()) * u64::from(BLOCK_LEN);
        self.quotas.down.want(wanted);
        self.awaits();
    }

    /// The peer will not get this: a fast peer is owed a word (BEP 6).
    pub(super) fn refuse_request(&mut self, request: BlockRequest) {
        if self.fast {
            self.send(Message::Reject(request));
        }
    }

    /// Hands a run back; what is unanswered of it is taken back from the peer (`cancel`) or known to be lost.
    pub(super) fn give_back(
        &mut self,
        (run, unanswered): (crate::base::run::RunBuffer, Vec<BlockRequest>),
        cancel: bool,
    ) {
        for request in unanswered {
            self.quotas.down.refund(request.len.into());
            if cancel {
                self.send(Message::Cancel(request));
            }
            self.strays.expect(request);
        }
        self.abandon_block();
        self.window.forget_probe();
        self.hungry = None;
        self.awaits();
        self.emit(PeerEvent::Returned(run));
    }

    /// Hands back every run that `which` says; the peer has dropped the requests by itself.
    pub(super) fn return_where(&mut self, which: impl Fn(u32) -> bool) {
        for taken in self.leases.take_where(which) {
            self.give_back(taken, false);
        }
    }
}

/// The bytes of a REQUEST frame.
const REQUEST_LEN: usize = 17;

/// Requests that a peer holds if it does not say (BEP 10, "reqq").
const DEFAULT_REQQ: u32 = 250;
