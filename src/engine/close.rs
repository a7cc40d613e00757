//! The end of an item: hang up, tell the trackers, write down what the next run needs, report.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::item::{Event, Stage};
use super::torrent_task::{Inbox, TorrentTask};
use crate::io::peer_task::PeerReport;
use crate::proto::session::PeerEvent;

/// How long trackers are waited for after a success, and otherwise.
const FAREWELL_DONE: Duration = Duration::from_millis(250);
const FAREWELL_STOPPED: Duration = Duration::from_secs(2);
/// How long connections may take to say what they have brought; they need no time but their turn.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl TorrentTask {
    pub(super) async fn close(mut self, inbox: &mut Inbox) {
        self.context.registry.unregister(self.id);
        self.out.blocks.send_replace(None);
        self.links.hang_up();
        (self.search, self.neighbours) = (None, None);
        self.hear_out(inbox).await;
        self.note_totals();
        let within = if self.failure.is_none() { FAREWELL_DONE } else { FAREWELL_STOPPED };
        let farewell = self.trackers.take().map(|trackers| trackers.stop(within));
        self.save();
        let saved = async {
            while !self.saver.is_idle() {
                match inbox.saved.recv().await {
                    Some(complaint) => self.on_saved(complaint),
                    None => return,
                }
            }
        };
        let told = async {
            if let Some(farewell) = farewell {
                farewell.await;
            }
        };
        tokio::join!(saved, told);
        let (stage, last) = match self.failure.take() {
            None => (Stage::Done, Event::Done),
            Some(failure) => (Stage::Failed, Event::Failed(failure)),
        };
        self.enter(stage);
        // The lock goes before the word, so that who hears it finds the files free.
        self.opened = None;
        self.count_in(false);
        self.tell(last);
    }

    /// Takes in what the connections that were hung up have brought since they last said so: it belongs to the totals that
    /// the trackers, the next run and the user are told.
    async fn hear_out(&mut self, inbox: &mut Inbox) {
        let by = tokio::time::Instant::now() + LAST_WORDS;
        loop {
            tokio::select! {
                Some(report) = inbox.reports.recv() => self.hear(report),
                () = self.links.ended() => break,
                () = sleep_until(by) => break,
            }
        }
        while let Ok(report) = inbox.reports.try_recv() {
            self.hear(report);
        }
    }

    fn hear(&mut self, report: PeerReport) {
        for event in report.events {
            if let PeerEvent::Tally(_) = event {
                self.torrent.on_peer(Instant::now(), report.peer, event);
            }
        }
    }
}
