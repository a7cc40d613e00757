//! What a peer's session tells.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::base::bitfield::Bitfield;
use crate::base::layout::BLOCK_LEN;
use crate::base::run::{RunBuffer, RunId};
use crate::proto::ext::ExtHandshake;
use crate::proto::session::{PeerCommand, PeerEvent};
use crate::swarm::action::{Action, PeerKey, Source};
use crate::swarm::exchange::{at_port, in_scope};
use crate::swarm::metadata::Fetched;
use crate::swarm::peer::Peer;
use crate::swarm::piece_set::PieceSet;
use crate::swarm::torrent::Torrent;

impl Torrent {
    /// An event of a session. Events of sessions that the torrent does not know (any more) are ignored.
    pub fn on_peer(&mut self, now: Instant, key: PeerKey, event: PeerEvent) {
        if !self.peers.contains_key(&key) {
            return;
        }
        match event {
            PeerEvent::Extended(handshake) => self.on_extended(now, key, &handshake),
            PeerEvent::Has(bits) => self.on_has(now, key, bits),
            PeerEvent::Have(pieces) => self.on_have(now, key, &pieces),
            PeerEvent::DontHave(piece) => self.on_dont_have(key, piece),
            PeerEvent::Choked => self.on_choked(key),
            PeerEvent::Unchoked => self.on_unchoked(now, key),
            PeerEvent::Interested(interested) => self.on_interested(now, key, interested),
            PeerEvent::AllowedFast(piece) => self.with_peer(key, |peer| peer.allow_fast(piece)),
            PeerEvent::Suggested(piece) => self.with_peer(key, |peer| peer.suggest(piece)),
            PeerEvent::MetadataPiece { index, total_size, bytes } => {
                self.on_metadata_piece(now, key, index, total_size, bytes);
            }
            PeerEvent::MetadataRejected { index } => self.on_metadata_rejected(now, key, index),
            PeerEvent::HashRequest(range) => self.on_hash_request(key, range),
            PeerEvent::Hashes(range, hashes) => self.on_hashes(now, key, range, &hashes),
            PeerEvent::HashReject(range) => self.on_hash_reject(now, key, &range),
            PeerEvent::Filled(buffer) | PeerEvent::Returned(buffer) => self.on_buffer(now, key, buffer),
            PeerEvent::Hungry { bytes, rate } => self.on_hungry(now, key, bytes, rate),
            PeerEvent::Snubbed(snubbed) => self.on_snubbed(now, key, snubbed),
            PeerEvent::Tally(tally) => self.with_peer(key, |peer| peer.tally = tally),
            PeerEvent::Pex(message) => self.on_pex(now, key, &message),
            PeerEvent::Holepunch(message) => self.on_holepunch(now, key, message),
            PeerEvent::Unreadable(piece) => self.on_unreadable(now, piece),
            PeerEvent::DhtPort(port) => self.on_dht_port(key, port),
            PeerEvent::Closed(reason) => self.on_closed(now, key, &reason),
        }
        self.settle(now);
    }

    fn with_peer(&mut self, key: PeerKey, change: impl FnOnce(&mut Peer)) {
        if let Some(peer) = self.peers.get_mut(&key) {
            change(peer);
        }
    }

    fn on_extended(&mut self, now: Instant, key: PeerKey, handshake: &ExtHandshake) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.upload_only = handshake.upload_only;
        let size = handshake.ut_metadata.and(handshake.metadata_size);
        peer.has_info = size.is_some();
        let closing = peer.closing;
        peer.prefers_encryption = handshake.prefers_encryption;
        peer.holepunch = handshake.ut_holepunch.is_some();
        peer.elsewhere = elsewhere(peer, handshake);
        if let Some(port) = handshake.port.filter(|_| peer.listens.is_none()) {
            let addr = at_port(peer.addr, port);
            peer.listens = Some(addr);
            self.book.occupy(Source::Incoming, addr);
        }
        if let Some(ip) = handshake.your_ip {
            self.on_your_ip(key, ip);
        }
        self.note_presence(now, key);
        self.begin_exchange(now, key, handshake.ut_pex.is_some());
        if let Some(metadata) = &mut self.metadata {
            metadata.offer(key, size);
            self.ask_metadata(now);
        }
        if let Some(layers) = self.layers.as_mut().filter(|_| size.is_some() && !closing) {
            layers.join(key);
            self.ask_layers(now);
        }
        self.drop_if_useless(key);
    }

    fn on_has(&mut self, now: Instant, key: PeerKey, bits: Bitfield) {
        let (Some(pieces), Some(peer)) = (&mut self.pieces, self.peers.get_mut(&key)) else { return };
        if bits.len() != pieces.layout.pieces() || peer.has.is_some() {
            return;
        }
        let has = PieceSet::from_bits(bits);
        pieces.picker.join(&has);
        peer.has = Some(has);
        let seed = peer.is_seed();
        self.review_interest(key);
        if seed {
            self.note_presence(now, key);
        }
        self.begin_offers(now, key);
        self.drop_if_useless(key);
        self.supply |= self.hungry.contains(&key);
    }

    fn on_have(&mut self, now: Instant, key: PeerKey, list: &[u32]) {
        let (Some(pieces), Some(peer)) = (&mut self.pieces, self.peers.get_mut(&key)) else { return };
        let has = peer.has.get_or_insert_with(|| PieceSet::empty(pieces.layout.pieces()));
        let mut useful = false;
        for &piece in list {
            if has.add(piece) {
                pieces.picker.have(piece);
                useful |= pieces.missing.get(piece);
            }
        }
        if useful && !peer.interest {
            self.review_interest(key);
        }
        if useful {
            self.serve(now, key);
        }
        list.iter().for_each(|&piece| self.on_spread(now, key, piece));
        self.drop_if_useless(key);
    }

    fn on_dont_have(&mut self, key: PeerKey, piece: u32) {
        let (Some(pieces), Some(peer)) = (&mut self.pieces, self.peers.get_mut(&key)) else { return };
        let Some(has) = &mut peer.has else { return };
        if let PieceSet::All(_) = has {
            // Counted by itself from now on.
            pieces.picker.leave(has);
            has.remove(piece);
            pieces.picker.join(has);
        } else if has.remove(piece) {
            pieces.picker.have_not(piece);
        }
        self.review_interest(key);
    }

    fn on_choked(&mut self, key: PeerKey) {
        self.with_peer(key, |peer| (peer.choking_us, peer.owes) = (true, None));
        self.release_exclusive(key);
        self.supply = true;
    }

    fn on_unchoked(&mut self, now: Instant, key: PeerKey) {
        self.with_peer(key, |peer| {
            peer.choking_us = false;
            peer.refused.clear();
            peer.refused_since = None;
        });
        self.serve(now, key);
    }

    fn on_hungry(&mut self, now: Instant, key: PeerKey, bytes: u32, rate: u64) {
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| !peer.closing) else { return };
        (peer.hungry, peer.rate) = (bytes, rate);
        if bytes == 0 {
            self.hungry.remove(&key);
        } else {
            self.hungry.insert(key);
            self.serve(now, key);
        }
    }

    /// A run comes back, full or not.
    fn on_buffer(&mut self, now: Instant, key: PeerKey, buffer: RunBuffer) {
        let (piece, full) = (buffer.run.piece, buffer.is_complete());
        let [brings, lacks] = [buffer.have, buffer.want].map(|bits| u64::from(bits.count_ones() * BLOCK_LEN));
        let Some(pieces) = &mut self.pieces else { return };
        let since = pieces.staging.leases().get(buffer.id).map(|lease| lease.since);
        let Some(brought) = pieces.staging.take_back(now, key, buffer) else { return };
        self.wasted += brought.wasted;
        self.supply |= !full;
        self.recall(&brought.losers);
        self.after_return(now, piece, brought.complete, brought.closed);
        if let Some(since) = since.filter(|_| brings > 0) {
            self.with_peer(key, |peer| peer.note_brought(now, since, brings));
        }
        if brings > 0 || !brought.recalled {
            self.note_word(now, key);
        }
        if brought.recalled && !full {
            self.note_taken_back(now, key, lacks);
        }
        if full {
            return self.serve(now, key);
        }
        if !brought.recalled {
            // It does not want it (now).
            self.with_peer(key, |peer| peer.refuse(now, piece));
        } else if self.peers.get(&key).is_some_and(|peer| peer.web) {
            return;
        }
        // What it asked for last counted with the run. Its session says when it is hungry again.
        self.hungry.remove(&key);
        self.with_peer(key, |peer| peer.hungry = 0);
    }

    /// A run is gone with its holder.
    pub(super) fn on_lost(&mut self, now: Instant, key: PeerKey, id: RunId) {
        let Some(pieces) = &mut self.pieces else { return };
        let Some(piece) = pieces.staging.leases().get(id).map(|lease| lease.run.piece) else { return };
        let brought = pieces.staging.lose(now, key, id);
        self.after_return(now, piece, false, brought.closed);
    }

    /// We wait in vain: others are asked, and this peer for one block at a time until it delivers again.
    fn on_snubbed(&mut self, now: Instant, key: PeerKey, snubbed: bool) {
        self.with_peer(key, |peer| peer.snubbed = snubbed);
        if snubbed {
            self.recall_all_of(key);
            self.release_exclusive(key);
            self.supply = true;
        } else {
            self.serve(now, key);
        }
    }

    /// Asks peers for what is missing of the info dictionary.
    pub(super) fn ask_metadata(&mut self, now: Instant) {
        if self.stopped {
            return;
        }
        let Some(metadata) = &mut self.metadata else { return };
        for (peer, pieces) in metadata.requests(now) {
            self.say(peer, PeerCommand::RequestMetadata(pieces));
        }
    }

    fn on_metadata_piece(&mut self, now: Instant, key: PeerKey, index: u32, total_size: u32, bytes: Vec<u8>) {
        let Some(metadata) = &mut self.metadata else { return };
        match metadata.on_piece(key, index, total_size, bytes) {
            Fetched::Going => {}
            Fetched::Complete(info) => {
                self.metadata = None;
                self.actions.push_back(Action::MetadataComplete { info });
            }
            Fetched::Wrong(senders) => {
                if let [liar] = senders[..] {
                    self.ban(liar);
                }
            }
        }
        self.ask_metadata(now);
    }

    fn on_metadata_rejected(&mut self, now: Instant, key: PeerKey, index: u32) {
        if let Some(metadata) = &mut self.metadata {
            metadata.on_rejected(now, key, index);
        }
        self.ask_metadata(now);
    }

    fn on_dht_port(&mut self, key: PeerKey, port: u16) {
        if let Some(peer) = self.peers.get(&key).filter(|_| port != 0) {
            let addr = SocketAddr::new(peer.addr.ip(), port);
            self.actions.push_back(Action::DhtNode { addr });
        }
    }
}

/// Where the peer says that it can be reached over the family that this connection does not use.
fn elsewhere(peer: &Peer, handshake: &ExtHandshake) -> Option<SocketAddr> {
    let ip = match peer.addr {
        SocketAddr::V4(_) => IpAddr::V6(handshake.ipv6?),
        SocketAddr::V6(_) => IpAddr::V4(handshake.ipv4?),
    };
    let port = handshake.port.or(peer.listens.map(|addr| addr.port()))?;
    in_scope(peer.addr.ip(), ip).then(|| SocketAddr::new(ip, port))
}
