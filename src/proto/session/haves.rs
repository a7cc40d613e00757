//! Who has what: the peer's pieces, and which of ours it has been told of.
//!
//! What the peer says before the metadata is known is kept (within bounds) and replayed. What we verify is not queued:
//! the log is followed by sequence number whenever there is room to write.

use super::{PeerEvent, Session};
use crate::base::bitfield::Bitfield;
use crate::base::have_log::Change;
use crate::proto::ext::dont_have_payload;
use crate::proto::wire::{MAX_FRAME, Message};

/// HAVEs that are kept while the number of pieces is not known.
const MAX_EARLY: usize = 1 << 16;

/// HAVEs that are written at a time.
const MAX_AT_ONCE: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Haves {
    /// What the peer's first message said, until the layout is known.
    early: Option<Early>,
    early_haves: Vec<u32>,
    /// The peer's pieces, once they and the layout are known.
    theirs: Option<Bitfield>,
    /// Entries of our log up to which the peer knows.
    told: u32,
    /// While super-seeding (BEP 16): the pieces that we own up to, to this peer.
    offered: Option<Bitfield>,
}

#[derive(Debug)]
enum Early {
    Bitfield(Vec<u8>),
    All,
    None,
}

impl Haves {
    /// True if the peer may know that we have this piece.
    pub fn owns_up_to(&self, piece: u32) -> bool {
        self.offered.as_ref().is_none_or(|offered| piece < offered.len() && offered.get(piece))
    }

    pub fn theirs(&self) -> Option<&Bitfield> {
        self.theirs.as_ref()
    }
}

impl Session {
    /// The first message about our pieces: exactly one to fast peers (BEP 6), and to others a bitfield if we have any.
    pub(super) fn announce_pieces(&mut self) {
        let Some(torrent) = &self.torrent else {
            if self.fast {
                self.send(Message::HaveNone);
            }
            return;
        };
        let mut ours = Bitfield::new(torrent.layout.pieces());
        if self.config.super_seed {
            self.haves.offered = Some(ours);
            if self.fast {
                self.send(Message::HaveNone);
            }
            return;
        }
        for change in torrent.log.since(0) {
            match change {
                Change::Verified(piece) => drop(ours.set(piece)),
                Change::Lost(piece) => drop(ours.clear(piece)),
            }
            self.haves.told += 1;
        }
        match ours.count() {
            0 if self.fast => self.send(Message::HaveNone),
            0 => {}
            _ if self.fast && ours.all() => self.send(Message::HaveAll),
            _ => self.send(Message::Bitfield(&ours.to_wire())),
        }
    }

    /// Tells of what has been verified since, as far as the peer lacks it.
    pub(super) fn announce_new(&mut self) {
        let Some(torrent) = &self.torrent else { return };
        if self.haves.told == torrent.log.len() || self.config.super_seed {
            return;
        }
        let news: Vec<Change> = torrent.log.since(self.haves.told).take(MAX_AT_ONCE).collect();
        self.haves.told += news.len() as u32;
        for change in news {
            match change {
                Change::Verified(piece) if self.haves.theirs.as_ref().is_some_and(|theirs| theirs.get(piece)) => {}
                Change::Verified(piece) => self.send(Message::Have(piece)),
                Change::Lost(piece) => self.tell_lost(piece),
            }
        }
    }

    /// We don't have this piece any more (BEP 54); whoever does not know the message has its requests refused.
    fn tell_lost(&mut self, piece: u32) {
        if let Some(id) = self.theirs.as_ref().and_then(|theirs| theirs.lt_donthave) {
            self.send(Message::Extended { id, payload: &dont_have_payload(piece) });
        }
    }

    /// Owns up to one more piece (BEP 16).
    pub(super) fn offer(&mut self, piece: u32) {
        if let Some(offered) = &mut self.haves.offered
            && piece < offered.len()
            && offered.set(piece)
        {
            self.send(Message::Have(piece));
        }
    }

    /// The end of super-seeding: the peer hears of all that we have.
    pub(super) fn own_up(&mut self) {
        if self.haves.offered.take().is_some() {
            self.config.super_seed = false;
            self.send_handshake();
        }
    }

    pub(super) fn on_bitfield(&mut self, bytes: &[u8]) {
        if self.torrent.is_none() {
            debug_assert!(bytes.len() <= MAX_FRAME as usize);
            self.haves.early = Some(Early::Bitfield(bytes.to_vec()));
            return;
        }
        self.take_said(Early::Bitfield(bytes.to_vec()));
    }

    pub(super) fn on_have_all(&mut self) {
        self.on_have_all_or_none(Early::All);
    }

    pub(super) fn on_have_none(&mut self) {
        self.on_have_all_or_none(Early::None);
    }

    fn on_have_all_or_none(&mut self, said: Early) {
        if !self.fast {
            return self.violate("a message of the fast extension, which was not agreed on");
        }
        if self.torrent.is_none() {
            self.haves.early = Some(said);
            return;
        }
        self.take_said(said);
    }

    pub(super) fn on_have(&mut self, piece: u32) {
        let Some(torrent) = &self.torrent else {
            if self.haves.early_haves.len() < MAX_EARLY {
                self.haves.early_haves.push(piece);
            }
            return;
        };
        if piece >= torrent.layout.pieces() {
            return self.violate("a HAVE beyond the last piece");
        }
        self.need_theirs();
        if self.haves.theirs.as_mut().is_some_and(|theirs| theirs.set(piece)) {
            if let Some(PeerEvent::Have(pieces)) = self.events.back_mut() {
                pieces.push(piece);
            } else {
                self.emit(PeerEvent::Have(vec![piece]));
            }
        }
    }

    /// BEP 54: what was asked for of that piece is lost, unless a fast peer will reject it.
    pub(super) fn on_dont_have(&mut self, piece: u32) {
        if !self.haves.theirs.as_mut().is_some_and(|theirs| theirs.clear(piece)) {
            return;
        }
        if self.fast {
            for run in self.leases.release_where(|of| of == piece) {
                self.emit(PeerEvent::Returned(run));
            }
        } else {
            self.return_where(|of| of == piece);
        }
        self.emit(PeerEvent::DontHave(piece));
    }

    /// The layout has become known: what the peer said before counts now.
    pub(super) fn replay_pieces(&mut self) {
        let said = self.haves.early.take();
        let haves = std::mem::take(&mut self.haves.early_haves);
        if said.is_none() && haves.is_empty() {
            return;
        }
        let pieces = self.torrent.as_ref().map_or(0, |torrent| torrent.layout.pieces());
        let Some(mut theirs) = read(said.unwrap_or(Early::None), pieces) else {
            return self.violate("a bitfield of a wrong length or with spare bits");
        };
        for piece in haves {
            if piece >= pieces {
                return self.violate("a HAVE beyond the last piece");
            }
            theirs.set(piece);
        }
        self.set_theirs(theirs);
    }

    /// A peer that says anything else before its bitfield has nothing (BEP 3).
    pub(super) fn need_theirs(&mut self) {
        if let (Some(torrent), None) = (&self.torrent, &self.haves.theirs) {
            self.set_theirs(Bitfield::new(torrent.layout.pieces()));
        }
    }

    fn take_said(&mut self, said: Early) {
        let pieces = self.torrent.as_ref().map_or(0, |torrent| torrent.layout.pieces());
        let Some(new) = read(said, pieces) else {
            return self.violate("a bitfield of a wrong length or with spare bits");
        };
        let Some(theirs) = self.haves.theirs.as_mut() else { return self.set_theirs(new) };
        // Some clients send it late or twice; what it adds counts.
        let added: Vec<u32> = new.ones().filter(|&piece| theirs.set(piece)).collect();
        if !added.is_empty() {
            self.emit(PeerEvent::Have(added));
        }
    }

    fn set_theirs(&mut self, theirs: Bitfield) {
        self.haves.theirs = Some(theirs.clone());
        self.emit(PeerEvent::Has(theirs));
        self.offer_allowed_fast();
    }
}

fn read(said: Early, pieces: u32) -> Option<Bitfield> {
    match said {
        Early::Bitfield(bytes) => Bitfield::from_wire(&bytes, pieces),
        Early::All => Some(Bitfield::full(pieces)),
        Early::None => Some(Bitfield::new(pieces)),
    }
}
