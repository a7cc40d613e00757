//! What the disk threads report, and what is kept for the next run.

use std::time::Instant;

use tokio::sync::mpsc;

use super::item::{Event, FailureKind};
use super::prepare::file_failure;
use super::torrent_task::{Phase, TorrentTask};
use crate::io::disk::DiskReport;
use crate::io::file_set::Synced;
use crate::swarm::{DiskFailure, DiskFailureKind, DiskOutcome};

impl TorrentTask {
    pub(super) fn on_disk_reports(&mut self, first: DiskReport, more: &mut mpsc::UnboundedReceiver<DiskReport>) {
        let now = Instant::now();
        let mut next = Some(first);
        while let Some(report) = next {
            self.on_disk_report(now, report);
            next = more.try_recv().ok();
        }
        self.gauge.touch();
    }

    fn on_disk_report(&mut self, now: Instant, report: DiskReport) {
        match report {
            DiskReport::Outcome(outcome) => {
                if matches!(outcome, DiskOutcome::Verified { .. }) {
                    // What is passed on has nothing to be synced.
                    self.wrote = self.opened.as_ref().is_some_and(|opened| opened.files().is_some());
                    self.set_starving(false);
                }
                let refusal = match &outcome {
                    DiskOutcome::Failed { error, .. } => Some(error.clone()),
                    _ => None,
                };
                let verified = matches!(outcome, DiskOutcome::Verified { .. });
                self.torrent.on_disk(now, outcome);
                if verified {
                    self.out.verified.send_replace(());
                }
                if let Some(DiskFailure { kind, message }) = refusal {
                    self.fail(failure_kind(kind), message);
                }
            }
            DiskReport::Finished(index) => {
                if let Some(files) = self.opened.as_ref().and_then(|opened| opened.files()) {
                    self.tell(Event::File { index, path: files.path(index) });
                }
            }
            DiskReport::Unread => match &self.disk {
                // Whoever writes knows whether there is something left that nobody will read.
                Some(disk) => disk.on_unread(),
                None => self.on_reader_gone(),
            },
            DiskReport::ReaderGone => self.on_reader_gone(),
            DiskReport::PassedOn => {
                self.passed_on = true;
                if self.phase == Phase::Finishing {
                    self.on_durable();
                }
            }
            DiskReport::Synced(synced) => self.on_synced(synced),
            DiskReport::SyncFailed(error) => {
                let failure = file_failure(&error);
                self.fail(failure.kind, failure.message);
                self.after_sync();
            }
        }
    }

    fn on_reader_gone(&mut self) {
        self.fail(FailureKind::ReaderGone, format!("{}: nobody reads standard output", self.name()));
    }

    fn on_synced(&mut self, synced: Synced) {
        if let Some(record) = self.opened.as_mut().and_then(|opened| opened.record.as_mut()) {
            record.note(synced);
        }
        self.save();
        self.after_sync();
    }

    /// What waited for the sync goes on.
    fn after_sync(&mut self) {
        match self.phase {
            Phase::Finishing => self.on_durable(),
            Phase::Syncing => self.phase = Phase::Ended,
            Phase::Running | Phase::Draining { .. } | Phase::Ended => {}
        }
    }

    /// Asks for the last sync, after which the item is over.
    pub(super) fn sync_last(&mut self) {
        match &self.disk {
            Some(disk) if self.keeps() => {
                self.phase = Phase::Syncing;
                disk.sync();
            }
            _ => self.phase = Phase::Ended,
        }
    }

    /// Writes down what the next run needs. What the record says of the files was durable when it was noted.
    pub(super) fn save(&mut self) {
        let (totals, tiers) = (self.torrent.totals(), self.tiers());
        let web_seeds = self.source_web_seeds().to_vec();
        if !self.keeps() {
            return;
        }
        let Some(opened) = &mut self.opened else { return };
        let Some(record) = &mut opened.record else { return };
        for tier in tiers {
            if !record.trackers.contains(&tier) {
                record.trackers.push(tier);
            }
        }
        for url in web_seeds {
            if !record.web_seeds.contains(&url) {
                record.web_seeds.push(url);
            }
        }
        let good = self.torrent.good_addresses();
        if !good.is_empty() {
            record.peers = good;
        }
        record.spilled = self.torrent.spilled();
        record.downloaded += totals.downloaded - std::mem::replace(&mut opened.counted.0, totals.downloaded);
        record.uploaded += totals.uploaded - std::mem::replace(&mut opened.counted.1, totals.uploaded);
        self.saver.save(record);
    }

    pub(super) fn on_saved(&mut self, complaint: Option<String>) {
        if let Some(complaint) = self.saver.on_saved(complaint) {
            self.tell(Event::Warning(complaint));
        }
    }
}

fn failure_kind(kind: DiskFailureKind) -> FailureKind {
    match kind {
        DiskFailureKind::NoSpace => FailureKind::NoSpace,
        DiskFailureKind::Occupied => FailureKind::Occupied,
        DiskFailureKind::Io => FailureKind::FileIo,
        DiskFailureKind::ReaderGone => FailureKind::ReaderGone,
    }
}
