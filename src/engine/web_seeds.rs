//! The web seeds of an item: which servers there are, a few of them at work, and what people hear of those that fail.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use tokio::sync::mpsc;

use super::item::{Event, Goal, ItemSource};
use super::links::COMMANDS;
use super::torrent_task::TorrentTask;
use crate::io::http::Reach;
use crate::io::web_seed::{WebSeed, WebSeedTask};
use crate::proto::session::CloseReason;
use crate::swarm::PeerKey;

/// Servers that one item fetches from at a time.
const AT_WORK: usize = 8;

/// The servers of one item.
#[derive(Default)]
pub(super) struct WebSeeds {
    waiting: VecDeque<(WebSeed, Reach)>,
    /// By name.
    at_work: HashMap<PeerKey, String>,
}

impl TorrentTask {
    /// Takes up every server that the source, the user or an earlier run named; for an item that fetches, with its files
    /// open.
    pub(super) fn meet_web_seeds(&mut self) {
        if !matches!(self.item.goal, Goal::Download { .. }) {
            return;
        }
        let settings = &self.context.settings;
        let (named, found) = match settings.allow_private {
            true => (Reach::Anywhere, Reach::Anywhere),
            false => (Reach::NotInward, Reach::Internet),
        };
        let mut servers: Vec<(WebSeed, Reach)> =
            self.item.web_seeds.iter().map(|url| (WebSeed::Files(url.clone()), named)).collect();
        if settings.web_seeds {
            let (files, pieces) = match &self.item.source {
                ItemSource::Torrent(metainfo) => (&metainfo.web_seeds[..], &metainfo.http_seeds[..]),
                ItemSource::Magnet(magnet) => (&magnet.web_seeds[..], &[][..]),
            };
            let remembered =
                self.opened.iter().filter_map(|opened| opened.record.as_ref()).flat_map(|record| &record.web_seeds);
            let files = files.iter().chain(remembered).map(|url| WebSeed::Files(url.clone()));
            servers
                .extend(files.chain(pieces.iter().map(|url| WebSeed::Pieces(url.clone()))).map(|seed| (seed, found)));
        }
        for (seed, reach) in servers {
            if !self.web.waiting.iter().any(|(other, _)| *other == seed) {
                self.web.waiting.push_back((seed, reach));
            }
        }
        self.start_web_seeds();
    }

    fn start_web_seeds(&mut self) {
        while self.web.at_work.len() < AT_WORK {
            let (Some(opened), false) = (&self.opened, self.web.waiting.is_empty()) else { return };
            let Some(peer) = self.torrent.add_web_seed(Instant::now()) else { return };
            let Some((seed, reach)) = self.web.waiting.pop_front() else { return };
            self.web.at_work.insert(peer, seed.name());
            let (commands, inbox) = mpsc::channel(COMMANDS);
            let task = WebSeedTask {
                peer,
                seed,
                reach,
                http: self.context.http.clone(),
                layout: opened.info.layout.clone(),
                paths: opened.info.url_paths().into(),
                single_file: opened.info.single_file,
                info_hash: self.id.wire(),
                commands: inbox,
                reports: self.out.reports.clone(),
                throttle: self.throttle(peer),
            };
            self.links.start_web_seed(task, commands);
        }
    }

    /// A connection is over; if it was one to a web seed, another takes its place.
    pub(super) fn on_web_seed_closed(&mut self, peer: PeerKey, reason: &CloseReason) {
        let Some(name) = self.web.at_work.remove(&peer) else { return };
        if let CloseReason::Lost(why) = reason {
            self.tell(Event::Warning(format!("web seed {name}: {why}")));
        }
        self.start_web_seeds();
    }

    pub(super) fn on_web_seed_lied(&mut self, peer: PeerKey) {
        if let Some(name) = self.web.at_work.get(&peer) {
            self.tell(Event::Warning(format!("web seed {name}: it sent wrong data and is not asked any more")));
        }
    }

    /// The servers that the source names, for the resume record.
    pub(super) fn source_web_seeds(&self) -> &[String] {
        match &self.item.source {
            ItemSource::Torrent(metainfo) => &metainfo.web_seeds,
            ItemSource::Magnet(magnet) => &magnet.web_seeds,
        }
    }
}
