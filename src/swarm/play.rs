//! The order in which readers need pieces.
//!
//! A reader is a [`PlayWindow`]: it stands at piece `first` and reads on to `end`. From the first piece on that it still
//! lacks, `ahead` pieces have a deadline: their distance from where the reader stands, and of several readers the least.
//! What has a deadline comes before everything else. The pieces right behind the first gap are *critical*: a reader may
//! be waiting for them at this very moment. Where the windows are is told from outside; how far they have got is kept
//! here, with constant work for each piece that is verified.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::base::bitfield::Bitfield;

/// So many bytes behind a reader's first gap are critical; one piece at least.
const CRITICAL: u64 = 1 << 20;

/// What one reader needs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PlayWindow {
    /// The piece at which the reader stands.
    pub first: u32,
    /// The piece behind the last one that it will want.
    pub end: u32,
    /// How many pieces are fetched ahead of it.
    pub ahead: u32,
}

/// Owner of the windows and of the deadlines that follow from them.
#[derive(Debug, Default)]
pub struct Play {
    windows: Vec<Progress>,
    /// Pieces in a row that are critical.
    critical: u32,
    deadlines: BTreeMap<u32, u32>,
    /// The same, most urgent first.
    order: BTreeSet<(u32, u32)>,
}

/// A window and how far it has got.
#[derive(Debug)]
struct Progress {
    window: PlayWindow,
    /// The first piece that is missing.
    next: u32,
    /// Pieces before this one have their deadline.
    upto: u32,
}

impl Play {
    /// No windows, over pieces of `piece_length` bytes.
    pub fn new(piece_length: u32) -> Play {
        Play { critical: (CRITICAL / u64::from(piece_length)).max(1) as u32, ..Play::default() }
    }

    /// Puts `windows` in the place of those before. Returns the pieces whose deadline has changed, and whether a reader
    /// has jumped to what nobody waited for.
    pub fn set(&mut self, windows: &[PlayWindow], missing: &Bitfield) -> (BTreeSet<u32>, bool) {
        let stood: Vec<Range<u32>> = self.windows.iter().map(|progress| progress.critical(self.critical)).collect();
        let before = std::mem::take(&mut self.deadlines);
        self.order.clear();
        self.windows.clear();
        let mut jumped = false;
        for &window in windows {
            let end = window.end.min(missing.len());
            let window = PlayWindow { end, first: window.first.min(end), ahead: window.ahead.max(1) };
            let mut progress = Progress { window, next: window.first, upto: window.first };
            let due = progress.advance(missing);
            jumped |= progress.next < end && !stood.iter().any(|critical| critical.contains(&progress.next));
            self.windows.push(progress);
            due.into_iter().for_each(|piece| self.note(piece, piece - window.first));
        }
        let all = before.keys().chain(self.deadlines.keys()).copied();
        (all.filter(|piece| before.get(piece) != self.deadlines.get(piece)).collect(), jumped)
    }

    /// The windows as they were set.
    pub fn windows(&self) -> Vec<PlayWindow> {
        self.windows.iter().map(|progress| progress.window).collect()
    }

    /// `piece` is not missing any more. Returns the pieces that have a deadline since.
    pub fn on_verified(&mut self, piece: u32, missing: &Bitfield) -> Vec<u32> {
        if let Some(deadline) = self.deadlines.remove(&piece) {
            self.order.remove(&(deadline, piece));
        }
        let mut fresh = Vec::new();
        for at in 0..self.windows.len() {
            let first = self.windows[at].window.first;
            let due = self.windows[at].advance(missing);
            due.iter().for_each(|&piece| self.note(piece, piece - first));
            fresh.extend(due);
        }
        fresh
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The pieces that readers need, most urgent first.
    pub fn due(&self) -> impl Iterator<Item = u32> {
        self.order.iter().map(|(_, piece)| *piece)
    }

    /// How many pieces lie between the piece and the nearest reader; `None` if no reader needs it soon.
    pub fn deadline(&self, piece: u32) -> Option<u32> {
        self.deadlines.get(&piece).copied()
    }

    /// True if a reader may already be waiting for it.
    pub fn is_critical(&self, piece: u32) -> bool {
        let near = |progress: &Progress| progress.critical(self.critical).contains(&piece);
        self.deadlines.contains_key(&piece) && self.windows.iter().any(near)
    }

    /// True if a reader stands at this piece, or all but.
    pub fn is_awaited(&self, piece: u32) -> bool {
        self.windows.iter().any(|progress| progress.next == piece && piece <= progress.window.first + 1)
    }

    fn note(&mut self, piece: u32, deadline: u32) {
        match self.deadlines.get(&piece) {
            Some(&other) if other <= deadline => return,
            Some(&other) => drop(self.order.remove(&(other, piece))),
            None => {}
        }
        self.deadlines.insert(piece, deadline);
        self.order.insert((deadline, piece));
    }
}

impl Progress {
    /// The pieces that its reader may be waiting for, `count` in a row.
    fn critical(&self, count: u32) -> Range<u32> {
        self.next..self.next.saturating_add(count).min(self.window.end)
    }

    /// Moves on over what is there; the missing pieces that have come within reach.
    fn advance(&mut self, missing: &Bitfield) -> Vec<u32> {
        while self.next < self.window.end && !missing.get(self.next) {
            self.next += 1;
        }
        let upto = self.next.saturating_add(self.window.ahead).min(self.window.end).max(self.upto);
        let reached = std::mem::replace(&mut self.upto, upto)..upto;
        reached.filter(|piece| missing.get(*piece)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(first: u32, end: u32, ahead: u32) -> PlayWindow {
        PlayWindow { first, end, ahead }
    }

    fn due(play: &Play) -> Vec<u32> {
        play.due().collect()
    }

    #[test]
    fn what_a_reader_lacks_is_due_in_its_order_and_the_window_moves_on_with_the_gap() {
        let mut missing = Bitfield::full(20);
        for piece in 3..5 {
            missing.clear(piece);
        }
        let mut play = Play::new(1 << 20);
        let (changed, jumped) = play.set(&[window(3, 18, 4)], &missing);
        assert_eq!((due(&play), changed.len(), jumped), (vec![5, 6, 7, 8], 4, true));
        assert_eq!((play.deadline(5), play.deadline(9)), (Some(2), None));
        assert!(play.is_critical(5) && !play.is_critical(6) && !play.is_critical(4));
        assert!(!play.is_awaited(5), "its reader has not come so far");
        // What lies behind the gap does not move it.
        missing.clear(7);
        assert!(play.on_verified(7, &missing).is_empty());
        missing.clear(5);
        assert_eq!((play.on_verified(5, &missing), due(&play)), (vec![9], vec![6, 8, 9]));
        missing.clear(6);
        assert_eq!((play.on_verified(6, &missing), due(&play)), (vec![10, 11], vec![8, 9, 10, 11]));
        assert!(!play.set(&[window(8, 18, 4)], &missing).1, "it goes on where something is due");
        for piece in 8..18 {
            missing.clear(piece);
            play.on_verified(piece, &missing);
        }
        assert!(play.is_empty());
    }

    #[test]
    fn of_several_readers_the_nearest_counts_and_who_leaves_takes_its_deadlines_along() {
        let missing = Bitfield::full(100);
        let mut play = Play::new(16 * 1024);
        play.set(&[window(0, 100, 3), window(50, 100, 3), window(2, 100, 2)], &missing);
        assert_eq!(due(&play), [0, 2, 50, 1, 3, 51, 52]);
        assert!(play.is_critical(51), "64 pieces are 1 MiB");
        assert!(!play.is_critical(53), "it is near enough, but not due yet");
        play.set(&[window(2, 100, 2), window(0, 100, 3)], &missing);
        assert_eq!((due(&play), play.deadline(2)), (vec![0, 2, 1, 3], Some(0)), "whoever is named first");
        play.set(&[window(0, 100, 3), window(50, 100, 3), window(2, 100, 2)], &missing);
        let (changed, jumped) = play.set(&[window(50, 100, 3)], &missing);
        assert_eq!(
            (due(&play), changed.into_iter().collect::<Vec<_>>(), jumped),
            (vec![50, 51, 52], vec![0, 1, 2, 3], false)
        );
        assert!(!play.set(&[window(80, 90, 50)], &missing).1, "a small step: it may be fetched already");
        assert_eq!(due(&play), (80..90).collect::<Vec<_>>());
        assert!(play.set(&[window(5, 90, 50)], &missing).1);
        play.set(&[window(200, 300, 5), window(90, 80, 5)], &missing);
        assert!(play.is_empty(), "what lies outside is nothing");
        assert_eq!(play.windows(), [window(100, 100, 5), window(80, 80, 5)]);
        assert!(!play.set(&[window(7, 7, 5)], &missing).1, "who wants nothing has not jumped");
        play.set(&[window(7, 9, 0)], &missing);
        assert_eq!(due(&play), [7], "the next piece is always due");
    }
}
