//! Payload under a limit: what may still be asked for and served, and what whoever keeps the limits is to hear.
//!
//! Only payload is held back, and up also hashes of trees (`hashes`), which go before it. Under a limit down, a block is
//! asked for once it is granted, so that what comes flows as fast as it can and nothing queues behind it in the socket;
//! under a limit up, a block is handed out once it is granted. Without a limit nobody is asked.

use std::time::Instant;

use super::{PeerEvent, Session};
use crate::base::layout::BLOCK_LEN;

/// Seconds' worth of its share that a limited session asks for at a time.
const HORIZON: u64 = 3;

/// Which way payload flows, seen from us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Down,
    Up,
}

/// What a session says to whoever keeps the limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaWord {
    /// It could move so many bytes beyond what it was granted; the latest wish counts, grants count against it.
    Wish(Direction, u64),
    /// So many bytes that were granted are not used after all; below zero, more came than was granted.
    Adjust(Direction, i64),
}

/// Bytes of payload that a session may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    pub direction: Direction,
    pub bytes: u64,
    /// Bytes a second that it can expect as things are.
    pub share: u64,
}

/// One direction of one session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quota {
    limited: bool,
    /// Granted and not used.
    left: u64,
    /// What it could use beyond that, and what was said of it.
    wish: u64,
    told: u64,
    /// To be adjusted.
    back: i64,
    /// Bytes a second; `None` before the first grant.
    share: Option<u64>,
}

/// Both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quotas {
    pub down: Quota,
    pub up: Quota,
}

impl Quota {
    /// True if so many bytes may be moved now.
    pub fn covers(&self, bytes: u32) -> bool {
        !self.limited || self.left >= u64::from(bytes)
    }

    /// They are on their way.
    pub fn spend(&mut self, bytes: u32) {
        self.left = self.left.saturating_sub(bytes.into());
    }

    /// As things are, so many bytes in all could be moved; for none, what is left goes back.
    pub fn want(&mut self, bytes: u64) {
        if !self.limited {
            return;
        }
        self.wish = bytes.saturating_sub(self.left);
        if bytes == 0 {
            self.back += std::mem::take(&mut self.left) as i64;
        }
    }

    /// So many bytes did not flow although they were spent; below zero, they flowed without being granted.
    pub fn refund(&mut self, bytes: i64) {
        if self.limited {
            self.back += bytes;
        }
    }

    /// Bytes a second that can be expected; `u64::MAX` without a limit and before it is known.
    pub fn share(&self) -> u64 {
        self.share.filter(|_| self.limited).unwrap_or(u64::MAX)
    }

    fn set(&mut self, limited: bool) {
        if self.limited != limited {
            *self = Quota { limited, ..Quota::default() };
        }
    }

    fn poll(&mut self, direction: Direction) -> Option<QuotaWord> {
        if self.back != 0 {
            return Some(QuotaWord::Adjust(direction, std::mem::take(&mut self.back)));
        }
        (self.wish != self.told).then(|| {
            self.told = self.wish;
            QuotaWord::Wish(direction, self.wish)
        })
    }

    fn grant(&mut self, bytes: u64, share: u64) {
        if self.limited {
            self.left += bytes;
            self.wish = self.wish.saturating_sub(bytes);
            self.told = self.told.saturating_sub(bytes);
            self.share = Some(share);
        }
    }
}

impl Session {
    /// Says which directions are under a limit now. Until it is called for the first time, none is.
    pub fn set_limited(&mut self, now: Instant, down: bool, up: bool) {
        self.now = self.now.max(now);
        self.quotas.down.set(down);
        self.quotas.up.set(up);
        self.settle();
    }

    /// What whoever keeps the limits is to hear; nothing while there are none.
    pub fn poll_quota(&mut self) -> Option<QuotaWord> {
        let Quotas { down, up } = &mut self.quotas;
        down.poll(Direction::Down).or_else(|| up.poll(Direction::Up))
    }

    /// Payload may flow.
    pub fn on_grant(&mut self, now: Instant, grant: Grant) {
        self.now = self.now.max(now);
        let quota = match grant.direction {
            Direction::Down => &mut self.quotas.down,
            Direction::Up => &mut self.quotas.up,
        };
        quota.grant(grant.bytes, grant.share);
        if self.closed {
            quota.want(0);
        }
        // What was said before the share was known is far too much for a small one.
        if self.hungry.is_some_and(|bytes| u64::from(bytes) > 2 * self.reach()) {
            self.hungry = None;
            self.emit(PeerEvent::Hungry { bytes: 0, rate: self.pace() });
        }
        self.settle();
    }

    /// Bytes to have asked for at a time: the window, or under a limit a few seconds' worth of the share.
    pub(super) fn reach(&self) -> u64 {
        let share = self.quotas.down.share().saturating_mul(HORIZON);
        self.window.bytes().min(share.max(BLOCK_LEN.into()))
    }

    /// What the peer delivers, as far as the limit lets it; 0 if not known yet.
    pub(super) fn pace(&self) -> u64 {
        // Never 0 for a peer that is known: that would mean the contrary.
        self.window.rate().min(self.quotas.down.share().max(1))
    }
}
