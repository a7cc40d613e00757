//! What the peer says.

use std::collections::VecDeque;

use super::allowed_fast::allowed_fast_set;
use super::leases::Position;
use super::upload::Verdict;
use super::{PeerEvent, Session};
use crate::proto::ext::{self, our_id};
use crate::proto::wire::{BlockRequest, Message};

/// Requests that were taken back and may still be answered.
const MAX_LATE: usize = 4_096;
/// Blocks that nobody asked for: a peer without the fast extension may have some on the way when it chokes us.
const MAX_STRAY: u32 = 16;
/// Allowed-fast and suggested pieces that are kept.
const MAX_ADVICE: usize = 64;

/// Answers that may still come to requests that were taken back or lost, and what else came unasked.
#[derive(Debug, Default)]
pub(super) struct Strays {
    late: VecDeque<BlockRequest>,
    unasked: u32,
    /// Advice that came before the metadata.
    early_allowed: Vec<u32>,
    early_suggested: Vec<u32>,
}

impl Strays {
    /// `request` may still be answered although nobody waits for it.
    pub fn expect(&mut self, request: BlockRequest) {
        if self.late.len() == MAX_LATE {
            self.late.pop_front();
        }
        self.late.push_back(request);
    }

    fn take(&mut self, request: BlockRequest) -> bool {
        let at = self.late.iter().position(|late| *late == request);
        at.and_then(|at| self.late.remove(at)).is_some()
    }
}

impl Session {
    pub(super) fn on_message(&mut self, message: Message<'_>) {
        match message {
            Message::KeepAlive | Message::Piece { .. } | Message::Unknown(_) => {}
            Message::Choke => self.on_choke(),
            Message::Unchoke => self.on_unchoke(),
            Message::Interested => self.on_interest(true),
            Message::NotInterested => self.on_interest(false),
            Message::Have(piece) => self.on_have(piece),
            Message::Bitfield(bits) => self.on_bitfield(bits),
            Message::Request(request) => self.on_request(request),
            Message::Cancel(request) => self.on_cancel(request),
            Message::Port(port) => self.emit(PeerEvent::DhtPort(port)),
            Message::HaveAll => self.on_have_all(),
            Message::HaveNone => self.on_have_none(),
            _ if matches!(message, Message::Suggest(_) | Message::Reject(_) | Message::AllowedFast(_))
                && !self.fast =>
            {
                self.violate("a message of the fast extension, which was not agreed on");
            }
            Message::Suggest(piece) => self.on_suggest(piece),
            Message::Reject(request) => self.on_reject(request),
            Message::AllowedFast(piece) => self.on_allowed_fast(piece),
            Message::Extended { id, payload } => self.on_extended(id, payload),
            Message::HashRequest(range) => self.on_hash_request(range),
            Message::Hashes { range, hashes } => self.on_hashes(range, hashes),
            Message::HashReject(range) => self.on_hash_reject(range),
        }
    }

    /// Block `at` of a lease has come whole.
    pub(super) fn on_block(&mut self, at: Position, len: usize) {
        self.window.on_block(self.now, at, len as u64, self.leases.in_flight_bytes());
        self.tally.down += len as u64;
        let filled = self.leases.fill(self.now, at);
        self.flows();
        if let Some(run) = filled {
            let whole = run.want == 0;
            self.emit(if whole { PeerEvent::Filled(run) } else { PeerEvent::Returned(run) });
        }
        self.tally_grew();
    }

    /// A block begins that no lease waits for. Its bytes are read past.
    pub(super) fn on_stray_block(&mut self, block: BlockRequest) {
        self.tally.wasted += u64::from(block.len);
        self.quotas.down.refund(-i64::from(block.len));
        self.tally_grew();
        if self.strays.take(block) {
            return self.flows();
        }
        self.strays.unasked += 1;
        if self.fast || self.strays.unasked > MAX_STRAY {
            self.violate("a block that was not asked for");
        }
    }

    fn on_choke(&mut self) {
        self.need_theirs();
        if std::mem::replace(&mut self.choked, true) {
            return;
        }
        let allowed = std::mem::take(&mut self.allowed);
        if self.fast {
            for run in self.leases.release_where(|piece| !allowed.contains(&piece)) {
                self.emit(PeerEvent::Returned(run));
            }
            self.owes(true);
        } else {
            self.return_where(|_| true);
        }
        self.allowed = allowed;
        self.hungry = None;
        self.emit(PeerEvent::Choked);
    }

    fn on_unchoke(&mut self) {
        self.need_theirs();
        if std::mem::replace(&mut self.choked, false) {
            self.hungry = None;
            self.emit(PeerEvent::Unchoked);
        }
    }

    fn on_interest(&mut self, interested: bool) {
        self.need_theirs();
        if std::mem::replace(&mut self.peer_interested, interested) != interested {
            self.emit(PeerEvent::Interested(interested));
        }
    }

    fn on_request(&mut self, request: BlockRequest) {
        self.need_theirs();
        let Some(torrent) = &self.torrent else { return self.refuse_request(request) };
        let available = torrent.log.contains(request.piece) && self.haves.owns_up_to(request.piece);
        let choked = !self.transmit.unchoked();
        match self.uploads.take(request, &torrent.layout, available, choked) {
            Verdict::Queued => {}
            Verdict::Refused => self.refuse_request(request),
            Verdict::Absurd => self.violate("a request that lies outside its piece or is too long"),
        }
    }

    fn on_cancel(&mut self, request: BlockRequest) {
        if self.uploads.cancel(request) {
            self.refuse_request(request);
        }
    }

    fn on_reject(&mut self, request: BlockRequest) {
        // An answer to a request that was taken back comes before that to a later one of the same block.
        if self.strays.take(request) {
            return;
        }
        let Some(at) = self.leases.find(request) else {
            return self.violate("a reject of what was not asked for");
        };
        self.window.on_lost(|lost| lost == at);
        self.quotas.down.refund(request.len.into());
        if let Some(run) = self.leases.refuse(at) {
            self.hungry = None;
            self.emit(PeerEvent::Returned(run));
        }
        if !self.choked && self.leases.in_flight() == 0 {
            self.deadlines.pause(self.now);
        }
        self.awaits();
    }

    fn on_suggest(&mut self, piece: u32) {
        if self.torrent.is_some() {
            self.suggested(piece);
        } else if self.strays.early_suggested.len() < MAX_ADVICE {
            self.strays.early_suggested.push(piece);
        }
    }

    fn on_allowed_fast(&mut self, piece: u32) {
        if self.torrent.is_some() {
            self.allowed(piece);
        } else if self.strays.early_allowed.len() < MAX_ADVICE {
            self.strays.early_allowed.push(piece);
        }
    }

    /// The layout has become known: advice that came before counts now.
    pub(super) fn replay_advice(&mut self) {
        for piece in std::mem::take(&mut self.strays.early_allowed) {
            self.allowed(piece);
        }
        for piece in std::mem::take(&mut self.strays.early_suggested) {
            self.suggested(piece);
        }
    }

    fn suggested(&mut self, piece: u32) {
        if self.is_piece(piece) {
            self.emit(PeerEvent::Suggested(piece));
        }
    }

    fn allowed(&mut self, piece: u32) {
        if self.is_piece(piece) && self.allowed.len() < MAX_ADVICE && !self.allowed.contains(&piece) {
            self.allowed.push(piece);
            self.emit(PeerEvent::AllowedFast(piece));
        }
    }

    fn is_piece(&self, piece: u32) -> bool {
        self.torrent.as_ref().is_some_and(|torrent| piece < torrent.layout.pieces())
    }

    /// Lets a beginner have a few pieces although it is choked (BEP 6).
    pub(super) fn offer_allowed_fast(&mut self) {
        let k = self.config.allowed_fast;
        let (Some(torrent), Some(theirs)) = (&self.torrent, self.haves.theirs()) else { return };
        if !self.fast || self.config.super_seed || theirs.count() >= k {
            return;
        }
        let set = allowed_fast_set(self.config.addr.ip(), self.config.info_hash, torrent.layout.pieces(), k);
        let lacking: Vec<u32> = set.into_iter().filter(|&piece| !theirs.get(piece)).collect();
        self.uploads.give(&lacking, &torrent.layout);
        lacking.into_iter().for_each(|piece| self.send(Message::AllowedFast(piece)));
    }

    fn on_extended(&mut self, id: u8, payload: &[u8]) {
        if !self.extended {
            return self.violate("a message of the extension protocol, which was not agreed on");
        }
        match id {
            our_id::HANDSHAKE => self.on_extension_handshake(payload),
            our_id::UT_METADATA => self.on_metadata(payload),
            our_id::UT_PEX if self.config.pex => self.on_pex(payload),
            our_id::UT_HOLEPUNCH if self.config.pex => self.on_holepunch(payload),
            our_id::LT_DONTHAVE => match ext::dont_have(payload) {
                Some(piece) => self.on_dont_have(piece),
                None => self.violate("a malformed DONT HAVE"),
            },
            _ => {}
        }
    }

    fn on_extension_handshake(&mut self, payload: &[u8]) {
        let mut theirs = self.theirs.take().unwrap_or_default();
        match theirs.update(payload) {
            Ok(()) => {
                self.emit(PeerEvent::Extended(Box::new(theirs.clone())));
                self.theirs = Some(theirs);
            }
            Err(_) => self.violate("a malformed extension handshake"),
        }
    }
}
