//! Carrying out what the torrent wants done: dials, words to peers, disk jobs.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tokio::sync::mpsc;

use super::item::Event;
use super::links::COMMANDS;
use super::torrent_task::TorrentTask;
use crate::base::compact::is_global;
use crate::base::id::InfoHashV1;
use crate::io::dht_task::DhtHandle;
use crate::io::dial::Greeted;
use crate::io::limiter_task::Throttle;
use crate::io::peer_task::PeerTask;
use crate::proto::session::{PeerLimits, Session, SessionConfig, TorrentFacts};
use crate::proto::wire::{Handshake, Reserved};
use crate::swarm::action::{Connected, Way};
use crate::swarm::{Action, DiskJob, PeerKey};

/// Pieces that a choked peer may have to begin with (BEP 6).
const ALLOWED_FAST: u32 = 5;

impl TorrentTask {
    /// Carries out every action that is waiting, in order.
    pub(super) fn carry_out(&mut self) {
        while let Some(action) = self.torrent.poll_action() {
            match action {
                Action::Dial { peer, addr, way } => self.dial(peer, addr, way),
                Action::Punch { peer, addr } => self.dial(peer, addr, None),
                Action::AbortDial { peer } => self.links.abort_dial(peer),
                Action::Peer { peer, command } => self.links.say(peer, command),
                Action::Disk(job) => self.submit(job),
                Action::MetadataComplete { info } => self.on_metadata(&info),
                Action::LayersComplete { layers } => self.on_layers(layers),
                Action::Complete => self.on_complete(),
                Action::WantPeers => self.want_peers(),
                Action::Banned { addr } => tracing::info!(%addr, "banned: it sent wrong data"),
                Action::WebSeedLied { peer } => self.on_web_seed_lied(peer),
                Action::Unreadable { piece } => self.on_unreadable(piece),
                Action::DhtNode { addr } => self.on_dht_node(addr),
            }
        }
    }

    fn dial(&mut self, peer: PeerKey, addr: SocketAddr, way: Option<Way>) {
        self.links.dial(peer, addr, self.id, self.our_handshake(self.id.wire()), self.context.dialler.clone(), way);
    }

    /// What we say first on every connection of this torrent that goes by `hash`.
    pub(super) fn our_handshake(&self, hash: InfoHashV1) -> Handshake {
        let reserved = if self.search.is_some() { Reserved::OURS.with_dht() } else { Reserved::OURS };
        Handshake::ours(self.id, hash, reserved, self.context.peer_id)
    }

    /// A connection has shaken hands: starts its task and tells the torrent. `answer` goes out first; it is ours to say
    /// where the peer called us.
    pub(super) fn connect(&mut self, peer: PeerKey, greeted: Greeted, answer: Option<Handshake>) {
        let now = Instant::now();
        let Greeted { stream, addr, handshake, early, way } = greeted;
        let incoming = answer.is_some();
        // Whoever spoke last has said what both agree on.
        let agreed = answer.as_ref().unwrap_or(&handshake).info_hash;
        let connected = Connected {
            addr,
            peer_id: handshake.peer_id,
            incoming,
            fast: handshake.reserved.fast(),
            extended: handshake.reserved.extended(),
            way,
        };
        let session = Session::new(
            SessionConfig {
                info_hash: agreed,
                v2: self.id.is_v2(agreed),
                ours: self.our_handshake(agreed).reserved,
                theirs: handshake.reserved,
                addr,
                incoming,
                limits: PeerLimits::default(),
                torrent: self.facts(),
                listen_port: (!self.context.settings.path.is_proxied()).then(|| self.context.registry.port()),
                other_ip: self.other_ip(addr),
                dht_port: self.dht().filter(|_| !self.context.settings.path.is_proxied()).map(DhtHandle::port),
                pex: self.context.settings.pex && !self.private,
                super_seed: self.torrent.is_super_seeding(),
                upload_only: self.torrent.is_complete(),
                allowed_fast: if self.item.upload { ALLOWED_FAST } else { 0 },
                client: self.context.client.clone(),
            },
            now,
        );
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let task = PeerTask {
            peer,
            stream,
            session,
            commands: inbox,
            reports: self.out.reports.clone(),
            blocks: self.out.blocks.subscribe(),
            throttle: self.throttle(peer),
            greeting: answer.map_or_else(Vec::new, |answer| answer.encode().to_vec()),
            early,
        };
        self.links.start(task, commands);
        // After the start, so that what the torrent says to the peer at once finds its inbox.
        self.torrent.on_connected(now, peer, connected);
    }

    /// What the limits of the run are to a connection, if there are any.
    pub(super) fn throttle(&self, peer: PeerKey) -> Option<Throttle> {
        self.context.limits.as_ref().map(|limits| limits.throttle(self.key.0, peer))
    }

    /// Our address of the family that a connection with `addr` does not use, where the world sees one.
    fn other_ip(&self, addr: SocketAddr) -> Option<IpAddr> {
        let ours = self.torrent.ours();
        if addr.is_ipv4() { ours.v6 } else { ours.v4 }.filter(|ip| is_global(*ip))
    }

    /// The DHT node, if this torrent may use it.
    pub(super) fn dht(&self) -> Option<&DhtHandle> {
        self.search.as_ref().and(self.context.dht.get()).and_then(Option::as_ref)
    }

    /// A peer's node: worth a ping.
    fn on_dht_node(&self, addr: SocketAddr) {
        if let Some(dht) = self.dht() {
            dht.add_node(addr);
        }
    }

    /// A verified piece is gone from the disk: worth a word, once.
    fn on_unreadable(&mut self, piece: u32) {
        if !std::mem::replace(&mut self.told_of_losses, true) {
            let name = self.name();
            self.tell(Event::Warning(format!(
                "{name}: piece {piece} can't be read from disk any more; it is not served"
            )));
        }
    }

    fn facts(&self) -> Option<TorrentFacts> {
        self.opened.as_ref().map(|opened| TorrentFacts {
            layout: opened.info.layout.clone(),
            log: opened.log.clone(),
            info: opened.info.raw.clone(),
        })
    }

    fn submit(&self, job: DiskJob) {
        match &self.disk {
            Some(disk) => disk.submit(job),
            None => debug_assert!(false, "disk jobs come after the start"),
        }
    }

    /// Tells the DHT's search whether there is nobody to download from.
    pub(super) fn set_starving(&mut self, starving: bool) {
        if let Some(search) = &self.search
            && self.starving != starving
        {
            self.starving = starving;
            search.set_starving(starving);
        }
    }

    /// Asks everybody who may know addresses.
    fn want_peers(&mut self) {
        self.note_totals();
        if let Some(trackers) = &self.trackers {
            trackers.want_peers();
        }
        self.set_starving(true);
    }
}
