//! What the engine tells.

use std::time::Instant;

use crate::base::bitfield::Bitfield;
use crate::proto::session::PeerCommand;
use crate::swarm::action::{Action, Command, PeerKey, Source, Start};
use crate::swarm::open_piece::Closing;
use crate::swarm::picker::Urgency;
use crate::swarm::pieces::Pieces;
use crate::swarm::torrent::Torrent;

impl Torrent {
    pub fn on_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::FetchLayers(trees) => self.fetch_layers(now, &trees),
            Command::Start(start) => self.start(now, start),
            Command::Layers(trees) => self.take_layers(trees),
            Command::Want(want) => self.want(want),
            Command::Stop => self.stop(),
            Command::UploadSlots(slots) => {
                self.choker.set_slots(slots);
                self.choke_round(now);
            }
            Command::Memory(bytes) => {
                self.config.memory = bytes;
                if let Some(pieces) = &mut self.pieces {
                    pieces.staging.set_budget(bytes);
                    pieces.follow_want();
                }
                self.supply = true;
            }
            Command::Urge(pieces) => self.urge(pieces),
            Command::Play(windows) => self.play(now, &windows),
            Command::TrackerOnly => {
                self.tracker_only = true;
                self.keep_peers_of(&[Source::Tracker]);
                self.plan_exchange(now);
                let left: Vec<PeerKey> =
                    self.peers.iter().filter(|(_, peer)| !peer.closing).map(|(key, _)| *key).collect();
                left.into_iter().for_each(|key| self.say(key, PeerCommand::NoExchange));
            }
            Command::DropPeers => self.keep_peers_of(&[]),
        }
        self.settle(now);
    }

    /// Metadata and files are there.
    fn start(&mut self, now: Instant, start: Start) {
        if self.pieces.is_some() || self.stopped {
            return;
        }
        (self.metadata, self.layers) = (None, None);
        let pieces = Pieces::new(start, self.config.memory, self.config.transient);
        let (layout, log, info) = (pieces.layout.clone(), pieces.log.clone(), pieces.info.clone());
        self.pieces = Some(Box::new(pieces));
        let keys: Vec<PeerKey> = self.peers.iter().filter(|(_, peer)| !peer.closing).map(|(key, _)| *key).collect();
        for key in keys {
            let (layout, log, info) = (layout.clone(), log.clone(), info.clone());
            self.say(key, PeerCommand::Layout { layout, log, info });
        }
        if self.have().is_some_and(|have| !have.none()) {
            self.fetch_layers_aside(now);
        }
    }

    fn want(&mut self, want: Bitfield) {
        let Some(pieces) = &mut self.pieces else { return };
        if want.len() != pieces.layout.pieces() {
            return;
        }
        pieces.set_want(want);
        let unwanted: Vec<u32> = pieces
            .staging
            .open_pieces()
            .filter(|open| !pieces.missing.get(open.piece))
            .map(|open| open.piece)
            .collect();
        unwanted.into_iter().for_each(|piece| self.close_piece(piece, Closing::Discard));
        if self.complete && self.pieces.as_ref().is_some_and(|pieces| !pieces.is_complete()) {
            self.complete = false;
            let extended: Vec<PeerKey> =
                self.peers.iter().filter(|(_, peer)| peer.extended && !peer.closing).map(|(key, _)| *key).collect();
            extended.into_iter().for_each(|key| self.say(key, PeerCommand::UploadOnly(false)));
        }
        self.review_all_interest();
        self.supply = true;
    }

    fn urge(&mut self, urgent: Vec<(u32, Option<Urgency>)>) {
        if let Some(pieces) = &mut self.pieces {
            for (piece, urgency) in urgent.into_iter().filter(|(piece, _)| *piece < pieces.layout.pieces()) {
                pieces.picker.set_urgency(piece, urgency);
            }
        }
    }

    /// Nothing more is asked for; what is open goes to the disk.
    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        while let Some((peer, dial)) = self.dials.pop_first() {
            self.book.add(Source::Resume, dial.addr);
            self.actions.push_back(Action::AbortDial { peer });
        }
        self.hungry.clear();
        let Some(pieces) = &self.pieces else { return };
        let open: Vec<u32> = pieces.staging.open_pieces().map(|open| open.piece).collect();
        open.into_iter().for_each(|piece| self.close_piece(piece, Closing::Spill));
    }

    /// Drops every peer and forgets every address that none of `sources` gave; who called us stays while any counts.
    fn keep_peers_of(&mut self, sources: &[Source]) {
        let known = |addr| self.book.source(addr).is_some_and(|source| sources.contains(&source));
        let strangers: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.web)
            .filter(|(_, peer)| match peer.incoming {
                true => sources.is_empty(),
                false => !peer.listens.is_some_and(known),
            })
            .map(|(key, _)| *key)
            .collect();
        strangers.into_iter().for_each(|key| self.hang_up(key));
        self.book.keep_only(sources);
        let dials: Vec<PeerKey> =
            self.dials.iter().filter(|(_, dial)| self.book.source(dial.addr).is_none()).map(|(key, _)| *key).collect();
        for peer in dials {
            self.dials.remove(&peer);
            self.actions.push_back(Action::AbortDial { peer });
        }
    }
}
