//! The log of verified pieces, which every peer session follows at its own pace.
//!
//! One writer (the torrent) appends; each reader keeps the sequence number up to which it has announced. HAVE messages
//! are so never queued: a peer that is slow reads a longer stretch later. It doubles as the set of pieces that may be
//! served. Memory: four bytes and one bit a piece, whatever the number of peers. A piece that is lost again has an entry
//! of its own, as far as there is room for such; beyond that it is only not served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Entries beyond one a piece: for losses, and for what comes back after them.
const SPARE: u32 = 1_024;
/// Marks the entry of a loss.
const LOST: u32 = 1 << 31;

/// Shared by the torrent (which appends) and its sessions (which read).
#[derive(Debug)]
pub struct HaveLog {
    entries: Box<[AtomicU32]>,
    len: AtomicU32,
    present: Box<[AtomicU64]>,
    verified: AtomicU32,
}

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Verified(u32),
    /// It can't be read any more.
    Lost(u32),
}

impl HaveLog {
    /// An empty log for a torrent of `pieces` pieces.
    pub fn new(pieces: u32) -> Arc<Self> {
        Arc::new(HaveLog {
            entries: (0..pieces.saturating_add(SPARE.min(pieces))).map(|_| AtomicU32::new(0)).collect(),
            len: AtomicU32::new(0),
            present: (0..pieces.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            verified: AtomicU32::new(0),
        })
    }

    /// Appends `piece`, once verified and readable; a piece that is in the log already is not appended again. Only the
    /// torrent calls this.
    pub fn push(&self, piece: u32) {
        let mask = 1 << (piece % 64);
        if self.present[piece as usize / 64].fetch_or(mask, Ordering::AcqRel) & mask == 0 {
            self.verified.fetch_add(1, Ordering::Relaxed);
            self.append(piece);
        }
    }

    /// Takes `piece` back: it can't be read any more. Only the torrent calls this.
    pub fn lose(&self, piece: u32) {
        let mask = 1 << (piece % 64);
        if self.present[piece as usize / 64].fetch_and(!mask, Ordering::AcqRel) & mask != 0 {
            self.verified.fetch_sub(1, Ordering::Relaxed);
            self.append(piece | LOST);
        }
    }

    fn append(&self, entry: u32) {
        let len = self.len.load(Ordering::Relaxed);
        if let Some(slot) = self.entries.get(len as usize) {
            slot.store(entry, Ordering::Relaxed);
            self.len.store(len + 1, Ordering::Release);
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pieces are verified and may be served.
    pub fn verified(&self) -> u32 {
        self.verified.load(Ordering::Relaxed)
    }

    /// The entries from sequence number `from` on.
    pub fn since(&self, from: u32) -> impl Iterator<Item = Change> + '_ {
        let len = self.len();
        let entries = &self.entries[from.min(len) as usize..len as usize];
        entries.iter().map(|entry| match entry.load(Ordering::Relaxed) {
            entry if entry & LOST != 0 => Change::Lost(entry & !LOST),
            piece => Change::Verified(piece),
        })
    }

    /// True if `piece` is verified and may be served.
    pub fn contains(&self, piece: u32) -> bool {
        self.present.get(piece as usize / 64).is_some_and(|word| word.load(Ordering::Acquire) >> (piece % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_follow_by_sequence_number_and_a_piece_stands_once() {
        let log = HaveLog::new(100);
        log.push(70);
        log.push(3);
        log.push(70);
        assert_eq!(log.since(0).collect::<Vec<_>>(), [Change::Verified(70), Change::Verified(3)]);
        assert_eq!(log.since(1).collect::<Vec<_>>(), [Change::Verified(3)]);
        assert_eq!(log.since(9).count(), 0);
        assert!(log.contains(70) && !log.contains(4) && !log.contains(1000));
    }

    #[test]
    fn what_is_lost_is_told_and_may_come_back() {
        let log = HaveLog::new(10);
        log.push(7);
        log.lose(7);
        log.lose(7);
        log.lose(3);
        assert!(!log.contains(7) && log.verified() == 0);
        log.push(7);
        assert_eq!(log.since(1).collect::<Vec<_>>(), [Change::Lost(7), Change::Verified(7)]);
    }

    #[test]
    fn without_room_for_more_losses_a_piece_is_only_not_served() {
        let log = HaveLog::new(4);
        for _ in 0..50 {
            log.push(1);
            log.lose(1);
        }
        assert!(!log.contains(1) && log.verified() == 0);
        assert_eq!(log.len(), 8);
    }
}
