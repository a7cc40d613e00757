//! Hashes of the files' trees (BEP 52), asked for and answered.
//!
//! Answers count under a limit up, since they may be megabytes, but not as uploaded: that is payload, to trackers and to
//! ratios, and so it is with libtorrent.
//!
//! Who has the hashes is the torrent's matter: requests that can be go up, its answers wait here until there is room to write
//! them. Invariants: at most `MAX_UNANSWERED` requests of the peer are without an answer on its way, so that no more answers
//! wait; and each range that we ask for comes back exactly once unless the connection ends, as [`PeerEvent::Hashes`] or
//! [`PeerEvent::HashReject`].

use std::collections::VecDeque;
use std::time::Instant;

use super::{PeerEvent, Session};
use crate::base::allowance::Allowance;
use crate::proto::wire::{HashRange, Message};

/// Requests of the peer that wait for the torrent or to be written; the answer to one is up to 18 KiB.
const MAX_UNANSWERED: usize = 16;
/// Hashes that are given: so many at first, the layers of a large torrent, and so many more a minute.
const ANSWERS: Allowance = Allowance::new(1_000_000, 300_000);

#[derive(Debug)]
pub(super) struct HashExchange {
    /// Ranges that we asked for and have no answer on.
    asked: Vec<HashRange>,
    /// When the latest of them was asked for, or the latest answer came.
    pub asked_at: Option<Instant>,
    /// Requests that the torrent has not answered.
    passed_on: Vec<HashRange>,
    /// Answers to be written, one at a time.
    answers: VecDeque<(HashRange, Vec<[u8; 32]>)>,
    allowance: Allowance,
}

impl Default for HashExchange {
    fn default() -> Self {
        HashExchange {
            asked: Vec::new(),
            asked_at: None,
            passed_on: Vec::new(),
            answers: VecDeque::new(),
            allowance: ANSWERS,
        }
    }
}

impl HashExchange {
    pub fn clear(&mut self) {
        self.passed_on.clear();
        self.answers.clear();
    }

    /// Bytes of the answers that have yet to be written.
    pub fn bytes_ahead(&self) -> u64 {
        self.answers.iter().map(|(_, hashes)| u64::from(answer_bytes(hashes))).sum()
    }
}

impl Session {
    pub(super) fn request_hashes(&mut self, ranges: Vec<HashRange>) {
        for range in ranges {
            if self.config.v2 && !self.hashes.asked.contains(&range) {
                self.send(Message::HashRequest(range));
                self.hashes.asked.push(range);
                self.hashes.asked_at = Some(self.now);
            } else {
                self.emit(PeerEvent::HashReject(range));
            }
        }
    }

    /// The torrent's answer to a request of the peer; what it has not asked for is not sent.
    pub(super) fn answer_hashes(&mut self, range: HashRange, hashes: Option<Vec<[u8; 32]>>) {
        let Some(at) = self.hashes.passed_on.iter().position(|&asked| asked == range) else { return };
        self.hashes.passed_on.remove(at);
        match hashes {
            Some(hashes) => self.hashes.answers.push_back((range, hashes)),
            None => self.send(Message::HashReject(range)),
        }
    }

    /// Writes one of the answers, if the limit leaves room for it.
    pub(super) fn serve_hashes(&mut self) {
        let up = &mut self.quotas.up;
        let covered = self.hashes.answers.front().map(|(_, hashes)| answer_bytes(hashes)).filter(|len| up.covers(*len));
        let Some(len) = covered else { return };
        up.spend(len);
        if let Some((range, hashes)) = self.hashes.answers.pop_front() {
            self.send(Message::Hashes { range, hashes: &hashes });
        }
    }

    /// Nothing has come for too long: the torrent may ask others.
    pub(super) fn hashes_overdue(&mut self) {
        self.hashes.asked_at = None;
        for range in std::mem::take(&mut self.hashes.asked) {
            self.emit(PeerEvent::HashReject(range));
        }
    }

    pub(super) fn on_hash_request(&mut self, range: HashRange) {
        let known = self.config.v2 && self.torrent.is_some();
        let unanswered = self.hashes.passed_on.len() + self.hashes.answers.len();
        if known
            && range.is_sound()
            && unanswered < MAX_UNANSWERED
            && !self.hashes.passed_on.contains(&range)
            && self.affords_hashes(range.answer_len() as u32)
        {
            self.hashes.passed_on.push(range);
            self.emit(PeerEvent::HashRequest(range));
        } else {
            self.send(Message::HashReject(range));
        }
    }

    fn affords_hashes(&mut self, count: u32) -> bool {
        self.hashes.allowance.take(self.now, count) == count
    }

    pub(super) fn on_hashes(&mut self, range: HashRange, hashes: &[[u8; 32]]) {
        if !self.hash_answer(range) {
            return;
        }
        if hashes.len() != range.answer_len() {
            return self.violate("a wrong number of hashes");
        }
        self.emit(PeerEvent::Hashes(range, hashes.to_vec()));
    }

    pub(super) fn on_hash_reject(&mut self, range: HashRange) {
        if self.hash_answer(range) {
            self.emit(PeerEvent::HashReject(range));
        }
    }

    /// False if nobody waits for an answer about this range: it was not asked for, or given up.
    fn hash_answer(&mut self, range: HashRange) -> bool {
        let Some(at) = self.hashes.asked.iter().position(|&asked| asked == range) else { return false };
        self.hashes.asked.swap_remove(at);
        self.hashes.asked_at = (!self.hashes.asked.is_empty()).then_some(self.now);
        true
    }
}

/// What an answer counts under a limit.
fn answer_bytes(hashes: &[[u8; 32]]) -> u32 {
    hashes.as_flattened().len() as u32
}
