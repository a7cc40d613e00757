//! Reaching the goal: everything verified, made durable, seeded as long as was asked; and giving up.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::item::{Event, Failure, FailureKind, Goal, Stage};
use super::torrent_task::{Phase, TorrentTask};
use crate::base::limit::Limit;
use crate::proto::dht::lookup::Announce;
use crate::proto::tracker::Totals;

impl TorrentTask {
    /// Every wanted piece is verified and written.
    pub(super) fn on_complete(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.goals.on_complete();
        self.note_totals();
        if self.left_at_start > 0 && self.torrent.totals().left == 0 {
            // This run brought it to 0: trackers count a download. Never for what was found complete or a selection.
            if let Some(trackers) = &self.trackers {
                trackers.completed();
            }
        }
        if !self.keeps() && !self.passed_on {
            // What lay on disk may still be on its way to the reader.
            self.phase = Phase::Finishing;
            return;
        }
        if !self.wrote {
            return self.on_durable();
        }
        self.enter(Stage::Finishing);
        self.phase = Phase::Finishing;
        if let Some(disk) = &self.disk {
            disk.sync();
        }
    }

    /// What was downloaded will survive a power cut.
    pub(super) fn on_durable(&mut self) {
        self.phase = Phase::Running;
        if let Some(opened) = &mut self.opened {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
            if let Some(record) = &mut opened.record {
                record.completed.get_or_insert(now);
            }
            let path = opened.files().map(|files| files.target());
            self.tell(Event::Complete { path });
        }
        self.save();
        if self.wants_to_seed() && self.failure.is_none() { self.seed() } else { self.stop() }
    }

    /// True if the item goes on when everything is there.
    pub(super) fn wants_to_seed(&self) -> bool {
        match self.item.goal {
            Goal::Seed { .. } => true,
            Goal::Download { seed_ratio, seed_time } => seed_ratio.is_some() || seed_time.is_some(),
            Goal::Metadata { .. } => false,
        }
    }

    fn seed(&mut self) {
        let (ratio, time) = match self.item.goal {
            Goal::Download { seed_ratio, seed_time } => (seed_ratio, seed_time),
            Goal::Seed { ratio, time, .. } => (ratio, time),
            Goal::Metadata { .. } => (None, None),
        };
        let size = self.torrent.snapshot().have_bytes;
        self.goals.upload_goal = ratio.map(|ratio| (ratio * size as f64) as u64);
        self.goals.seed_until = time.and_then(|time| Instant::now().checked_add(time));
        if let Some(search) = self.search.as_ref().filter(|_| self.torrent.totals().left == 0) {
            // Nodes of the DHT tell seeds and downloaders apart (BEP 33).
            search.set_announce(Some(Announce { port: self.context.registry.port(), seed: true }));
        }
        self.enter(Stage::Seeding);
    }

    /// Ends what has seeded enough or waited too long.
    pub(super) fn check_goals(&mut self, now: Instant) {
        let totals = self.torrent.totals();
        if self.context.limits.as_ref().is_some_and(|limits| limits.limits().down == Limit::Paused) {
            self.goals.on_pause(now);
        }
        self.goals.on_payload(now, totals.downloaded);
        if let Some(Failure { kind, message }) = self.goals.given_up(now, &self.name(), self.bare.is_some()) {
            self.fail(kind, message);
        } else if self.gauge.stage() == Stage::Seeding && self.goals.seeded_enough(now, totals.uploaded) {
            self.stop();
        }
    }

    /// The user wants it to end.
    pub(super) fn stop_on_request(&mut self) {
        if self.gauge.stage() != Stage::Seeding {
            let message = format!("{}: stopped before it was complete", self.name());
            self.failure.get_or_insert(Failure { kind: FailureKind::Stopped, message });
        }
        self.stop();
    }

    /// Tells trackers, with their next announce, how far we are.
    pub(super) fn note_totals(&self) {
        let totals = self.torrent.totals();
        let left = self.opened.is_some().then_some(totals.left);
        self.out.totals.send_replace(Totals { uploaded: totals.uploaded, downloaded: totals.downloaded, left });
    }
}
