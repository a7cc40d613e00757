//! The info dictionary in pieces (BEP 9), asked for and served.

use std::collections::VecDeque;
use std::time::Instant;

use super::{PeerEvent, Session};
use crate::proto::ext::{METADATA_PIECE_LEN, MetadataMessage};
use crate::proto::wire::Message;

/// Requests of the peer that wait to be served.
const MAX_QUEUED: usize = 64;
/// Each piece is served so many times over one connection (BEP 9: flood protection).
const SERVED_TIMES: u32 = 3;
/// And so many more in all.
const SERVED_EXTRA: u32 = 8;

#[derive(Debug, Default)]
pub(super) struct MetadataExchange {
    /// Pieces that we asked for and have no answer on.
    asked: Vec<u32>,
    /// When the latest of them was asked for, or the latest answer came.
    pub asked_at: Option<Instant>,
    /// Pieces that the peer asked for, to be written one at a time.
    queue: VecDeque<u32>,
    served: u32,
}

impl Session {
    pub(super) fn request_metadata(&mut self, pieces: Vec<u32>) {
        let id = self.theirs.as_ref().and_then(|theirs| theirs.ut_metadata);
        for piece in pieces {
            match id {
                Some(id) => {
                    self.send(Message::Extended { id, payload: &MetadataMessage::Request { piece }.encode() });
                    self.metadata.asked.push(piece);
                    self.metadata.asked_at = Some(self.now);
                }
                None => self.emit(PeerEvent::MetadataRejected { index: piece }),
            }
        }
    }

    pub(super) fn on_metadata(&mut self, payload: &[u8]) {
        match MetadataMessage::decode(payload) {
            Ok(MetadataMessage::Request { piece }) => self.on_metadata_request(piece),
            Ok(MetadataMessage::Data { piece, total_size, bytes }) => self.on_metadata_piece(piece, total_size, bytes),
            Ok(MetadataMessage::Reject { piece }) => {
                if self.answered(piece) {
                    self.emit(PeerEvent::MetadataRejected { index: piece });
                }
            }
            Ok(MetadataMessage::Unknown) => {}
            Err(_) => self.violate("a malformed metadata message"),
        }
    }

    /// Nothing has come for too long: the torrent may ask others.
    pub(super) fn metadata_overdue(&mut self) {
        self.metadata.asked_at = None;
        for index in std::mem::take(&mut self.metadata.asked) {
            self.emit(PeerEvent::MetadataRejected { index });
        }
    }

    /// Writes one of the pieces that the peer asked for.
    pub(super) fn serve_metadata(&mut self) {
        let Some(piece) = self.metadata.queue.pop_front() else { return };
        let (Some(torrent), Some(id)) = (&self.torrent, self.theirs.as_ref().and_then(|theirs| theirs.ut_metadata))
        else {
            return;
        };
        let info = torrent.info.clone();
        let start = piece as usize * METADATA_PIECE_LEN as usize;
        let bytes = &info[start..info.len().min(start + METADATA_PIECE_LEN as usize)];
        let data = MetadataMessage::Data { piece, total_size: info.len() as u32, bytes };
        self.send(Message::Extended { id, payload: &data.encode() });
    }

    fn on_metadata_request(&mut self, piece: u32) {
        let Some(id) = self.theirs.as_ref().and_then(|theirs| theirs.ut_metadata) else { return };
        let pieces =
            self.torrent.as_ref().map_or(0, |torrent| torrent.info.len().div_ceil(METADATA_PIECE_LEN as usize) as u32);
        let allowed = pieces.saturating_mul(SERVED_TIMES).saturating_add(SERVED_EXTRA);
        if piece < pieces && self.metadata.queue.len() < MAX_QUEUED && self.metadata.served < allowed {
            self.metadata.served += 1;
            self.metadata.queue.push_back(piece);
        } else {
            self.send(Message::Extended { id, payload: &MetadataMessage::Reject { piece }.encode() });
        }
    }

    fn on_metadata_piece(&mut self, piece: u32, total_size: u32, bytes: &[u8]) {
        if !self.answered(piece) {
            return;
        }
        if total_size == 0 || total_size > self.config.limits.max_metadata {
            return self.violate("an info dictionary of an absurd size");
        }
        let start = u64::from(piece) * u64::from(METADATA_PIECE_LEN);
        let len = u64::from(total_size).saturating_sub(start).min(METADATA_PIECE_LEN.into());
        if len == 0 || bytes.len() as u64 != len {
            return self.violate("a metadata piece of a wrong length");
        }
        self.emit(PeerEvent::MetadataPiece { index: piece, total_size, bytes: bytes.to_vec() });
    }

    fn answered(&mut self, piece: u32) -> bool {
        let Some(at) = self.metadata.asked.iter().position(|&asked| asked == piece) else { return false };
        self.metadata.asked.swap_remove(at);
        self.metadata.asked_at = (!self.metadata.asked.is_empty()).then_some(self.now);
        true
    }

    pub(super) fn our_metadata_size(&self) -> Option<u32> {
        self.torrent.as_ref().map(|torrent| torrent.info.len() as u32).filter(|&len| len > 0)
    }
}
