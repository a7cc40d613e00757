//! The log of verified pieces, which every peer session follows at its own pace.
//!
//! One writer (the torrent) appends; each reader keeps the sequence number up to which it has announced. HAVE messages
//! are so never queued: a peer that is slow reads a longer stretch later. It doubles as the set of pieces that may be
//! served. Memory: four bytes and one bit a piece, whatever the number of peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Shared by the torrent (which appends) and its sessions (which read).
#[derive(Debug)]
pub struct HaveLog {
    entries: Box<[AtomicU32]>,
    len: AtomicU32,
    present: Box<[AtomicU64]>,
}

impl HaveLog {
    /// An empty log for a torrent of `pieces` pieces.
    pub fn new(pieces: u32) -> Arc<Self> {
        Arc::new(HaveLog {
            entries: (0..pieces).map(|_| AtomicU32::new(0)).collect(),
            len: AtomicU32::new(0),
            present: (0..pieces.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// Appends `piece`, once verified and readable; a piece that is in the log already is not appended again. Only the
    /// torrent calls this.
    pub fn push(&self, piece: u32) {
        let mask = 1 << (piece % 64);
        if self.present[piece as usize / 64].fetch_or(mask, Ordering::AcqRel) & mask == 0 {
            let len = self.len.load(Ordering::Relaxed);
            self.entries[len as usize].store(piece, Ordering::Relaxed);
            self.len.store(len + 1, Ordering::Release);
        }
    }

    /// How many pieces have been verified.
    pub fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pieces the torrent has in all.
    pub fn pieces(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The pieces from sequence number `from` on.
    pub fn since(&self, from: u32) -> impl Iterator<Item = u32> + '_ {
        let len = self.len();
        self.entries[from.min(len) as usize..len as usize].iter().map(|entry| entry.load(Ordering::Relaxed))
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
        assert_eq!(log.since(0).collect::<Vec<_>>(), [70, 3]);
        assert_eq!(log.since(1).collect::<Vec<_>>(), [3]);
        assert_eq!(log.since(9).count(), 0);
        assert!(log.contains(70) && !log.contains(4) && !log.contains(1000));
    }
}
