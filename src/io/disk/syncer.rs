//! The thread that syncs: on request, and by itself some time after writes.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::{DiskReport, Torrent};

/// What was written is durable after so long at the latest.
const DELAY: Duration = Duration::from_secs(30);
/// With so many bytes written, the sync comes at once.
const MANY_BYTES: u64 = 256 << 20;

#[derive(Debug)]
pub(super) struct Syncer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    now: VecDeque<Arc<Torrent>>,
    /// In the order of their times.
    later: VecDeque<(Instant, Weak<Torrent>)>,
    closed: bool,
}

impl Syncer {
    pub fn new() -> Self {
        Syncer { state: Mutex::default(), changed: Condvar::new() }
    }

    /// Queues a sync that begins after this call.
    pub fn request(&self, torrent: &Arc<Torrent>) {
        if !torrent.sync_queued.swap(true, AcqRel) {
            self.state().now.push_back(torrent.clone());
            self.changed.notify_one();
        }
    }

    /// Sees to it that what was just written is synced some time.
    pub fn note_write(&self, torrent: &Arc<Torrent>) {
        let Some(files) = torrent.files() else { return };
        if files.dirty_bytes() >= MANY_BYTES {
            self.request(torrent);
        } else if !torrent.sync_due.swap(true, AcqRel) {
            self.state().later.push_back((Instant::now() + DELAY, Arc::downgrade(torrent)));
            self.changed.notify_one();
        }
    }

    /// No more syncs by themselves; what was asked for is still done.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Syncs until closed.
    pub fn run(&self) {
        while let Some(torrent) = self.next() {
            torrent.sync_due.store(false, std::sync::atomic::Ordering::Release);
            torrent.sync_queued.store(false, std::sync::atomic::Ordering::Release);
            let Some(files) = torrent.files() else { continue };
            torrent.report(match files.sync() {
                Ok(synced) => DiskReport::Synced(synced),
                Err(error) => DiskReport::SyncFailed(error),
            });
        }
    }

    fn next(&self) -> Option<Arc<Torrent>> {
        let mut state = self.state();
        loop {
            if let Some(torrent) = state.now.pop_front() {
                return Some(torrent);
            }
            if state.closed {
                return None;
            }
            let Some((time, torrent)) = state.later.front() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let wait = time.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                let torrent = torrent.upgrade();
                state.later.pop_front();
                // Synced in the meantime: there may be nothing to do.
                if let Some(torrent) = torrent {
                    match torrent.files().map_or(0, |files| files.dirty_bytes()) {
                        0 => torrent.sync_due.store(false, std::sync::atomic::Ordering::Release),
                        _ => return Some(torrent),
                    }
                }
            } else {
                state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
