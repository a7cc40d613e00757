//! Writing the resume record, one at a time and off the task's thread.
//!
//! A record that is handed over while another is being written waits; only the newest waiting one is kept.

use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::io::resume::ResumeRecord;

/// The writer of one torrent's record.
pub(super) struct Saver {
    state_dir: Option<PathBuf>,
    /// Takes the end of each write: what went wrong, if anything.
    saved: mpsc::UnboundedSender<Option<String>>,
    waiting: Option<Box<ResumeRecord>>,
    busy: bool,
    /// One complaint is enough.
    complained: bool,
}

impl Saver {
    pub fn new(state_dir: Option<PathBuf>, saved: mpsc::UnboundedSender<Option<String>>) -> Saver {
        Saver { state_dir, saved, waiting: None, busy: false, complained: false }
    }

    /// Writes `record` as soon as the write under way is over. Without a state folder nothing is kept.
    pub fn save(&mut self, record: &ResumeRecord) {
        if self.state_dir.is_some() {
            self.waiting = Some(Box::new(record.clone()));
            self.start();
        }
    }

    /// To be called with each end of a write; gives back the first complaint, for the others say the same.
    pub fn on_saved(&mut self, complaint: Option<String>) -> Option<String> {
        self.busy = false;
        self.start();
        let first = !self.complained;
        self.complained |= complaint.is_some();
        complaint.filter(|_| first)
    }

    /// True if nothing is being written.
    pub fn is_idle(&self) -> bool {
        !self.busy
    }

    fn start(&mut self) {
        if let (false, Some(dir)) = (self.busy, self.state_dir.clone())
            && let Some(record) = self.waiting.take()
        {
            self.busy = true;
            let saved = self.saved.clone();
            tokio::task::spawn_blocking(move || {
                let complaint = record.save(&dir).err().map(|error| error.to_string());
                // An item that is gone asks no more.
                let _ = saved.send(complaint);
            });
        }
    }
}
