//! The end of an item: hang up, tell the trackers, write down what the next run needs, report.

use std::time::Duration;

use super::item::{Event, Stage};
use super::torrent_task::{Inbox, TorrentTask};

/// How long trackers are waited for after a success, and otherwise.
const FAREWELL_DONE: Duration = Duration::from_millis(250);
const FAREWELL_STOPPED: Duration = Duration::from_secs(2);

impl TorrentTask {
    pub(super) async fn close(mut self, inbox: &mut Inbox) {
        self.context.registry.unregister(self.id);
        self.out.blocks.send_replace(None);
        self.links.hang_up();
        (self.search, self.neighbours) = (None, None);
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
}
