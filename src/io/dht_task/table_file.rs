//! The file that keeps the tables from one run to the next.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::io::state_folder;

pub(super) struct TableFile {
    path: PathBuf,
    next: Instant,
    /// Answers that the nodes had received when they were last saved.
    answers: u64,
}

impl TableFile {
    const EVERY: Duration = Duration::from_secs(5 * 60);

    pub fn new(path: PathBuf, now: Instant) -> TableFile {
        TableFile { path, next: now + Self::EVERY, answers: 0 }
    }

    /// What an earlier run left, if any.
    pub fn read(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.path).ok()
    }

    pub fn next_time(&self) -> Instant {
        self.next
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// Writes the tables, unless nobody has answered since the last time (`answers` counts them).
    pub fn save(&mut self, now: Instant, answers: u64, tables: impl FnOnce() -> Vec<u8>) {
        self.next = now + Self::EVERY;
        if answers <= self.answers {
            return;
        }
        match write_atomically(&self.path, &tables()) {
            Ok(()) => self.answers = answers,
            Err(error) => tracing::debug!(path = %self.path.display(), %error, "DHT table not saved"),
        }
    }
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    state_folder::make(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
