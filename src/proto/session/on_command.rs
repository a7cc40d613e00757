//! What the torrent tells the session.

use std::time::Instant;

use super::{PeerCommand, PeerEvent, Session, TorrentFacts};
use crate::base::run::RunBuffer;

impl Session {
    /// Does what the torrent says. A command that comes after the end gives its leases back and does nothing else.
    pub fn on_command(&mut self, now: Instant, command: PeerCommand) {
        self.now = self.now.max(now);
        if self.closed {
            if let PeerCommand::Lease(runs) = command {
                runs.into_iter().for_each(|run| self.emit(PeerEvent::Returned(run)));
            }
            return;
        }
        match command {
            PeerCommand::Layout { layout, log, info } => self.on_layout(TorrentFacts { layout, log, info }),
            PeerCommand::Lease(runs) => self.on_lease(runs),
            PeerCommand::Recall(ids) => {
                for id in ids {
                    if let Some(taken) = self.leases.recall(id) {
                        self.give_back(taken, true);
                    }
                }
            }
            PeerCommand::Choke(choke) => self.wish_unchoke(!choke),
            PeerCommand::Interest(interest) => self.wish_interest(interest),
            PeerCommand::RequestMetadata(pieces) => self.request_metadata(pieces),
            PeerCommand::RequestHashes(ranges) => self.request_hashes(ranges),
            PeerCommand::SendHashes(range, hashes) => self.answer_hashes(range, Some(hashes)),
            PeerCommand::RejectHashes(range) => self.answer_hashes(range, None),
            PeerCommand::Pex(message) => self.tell_pex(&message),
            PeerCommand::Holepunch(message) => self.tell_holepunch(message),
            PeerCommand::NoExchange => self.end_exchange(),
            PeerCommand::Offer(piece) => self.offer(piece),
            PeerCommand::OwnUp => self.own_up(),
            // The log is looked at whenever something is written.
            PeerCommand::HavesGrew => {}
            PeerCommand::UploadOnly(upload_only) => {
                self.config.upload_only = upload_only;
                self.send_handshake();
            }
            PeerCommand::Close => self.on_close(),
        }
        self.settle();
    }

    fn on_layout(&mut self, torrent: TorrentFacts) {
        if self.torrent.is_some() {
            return;
        }
        self.torrent = Some(torrent);
        // The handshake again: from now on there is metadata to be had here.
        self.send_handshake();
        self.replay_pieces();
        self.replay_advice();
    }

    fn on_lease(&mut self, runs: Vec<RunBuffer>) {
        for run in runs {
            let useless = self.choked && !self.allowed.contains(&run.run.piece);
            if run.want == 0 {
                self.emit(PeerEvent::Filled(run));
            } else if useless || self.deadlines.is_closing() {
                self.emit(PeerEvent::Returned(run));
            } else {
                self.hungry = None;
                self.leases.push(run);
            }
        }
    }

    fn on_close(&mut self) {
        for taken in self.leases.take_where(|_| true) {
            self.give_back(taken, true);
        }
        self.uploads.clear();
        self.begin_closing();
        self.close_if_drained();
    }
}
