//! Whose turn it is, so that all who wait get equally many bytes, however much each takes in its turn.
//!
//! Start-time fair queueing: who comes to wait gets the bytes that it has had, or those of the one served last if that is
//! more, as its mark; the least mark is next. So nobody saves up turns while it wants nothing, and one that takes little
//! and comes back at once loses nothing.

use std::collections::{BTreeMap, BTreeSet};

/// Those who wait, and marks of those who were served.
#[derive(Clone, Debug)]
pub struct FairQueue<K> {
    waiting: BTreeSet<(u64, K)>,
    marks: BTreeMap<K, Mark>,
    /// The mark of the one that was served last.
    present: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: u64,
    waits: bool,
}

impl<K> Default for FairQueue<K> {
    fn default() -> Self {
        FairQueue { waiting: BTreeSet::new(), marks: BTreeMap::new(), present: 0 }
    }
}

impl<K: Ord + Copy> FairQueue<K> {
    /// Begins to wait, if it does not yet.
    pub fn enter(&mut self, key: K) {
        let mark = self.marks.entry(key).or_insert(Mark { at: 0, waits: false });
        if !mark.waits {
            *mark = Mark { at: mark.at.max(self.present), waits: true };
            self.waiting.insert((mark.at, key));
        }
    }

    /// Waits no more, but may come back.
    pub fn leave(&mut self, key: K) {
        if let Some(mark) = self.marks.get_mut(&key)
            && std::mem::take(&mut mark.waits)
        {
            self.waiting.remove(&(mark.at, key));
        }
    }

    /// Will not come back.
    pub fn forget(&mut self, key: K) {
        self.leave(key);
        self.marks.remove(&key);
    }

    /// The one whose turn it is.
    pub fn first(&self) -> Option<K> {
        self.waiting.first().map(|(_, key)| *key)
    }

    /// The one whose turn it was got so many bytes; it goes on waiting.
    pub fn served(&mut self, key: K, bytes: u64) {
        if let Some(mark) = self.marks.get_mut(&key)
            && mark.waits
        {
            self.waiting.remove(&(mark.at, key));
            self.present = mark.at;
            mark.at += bytes;
            self.waiting.insert((mark.at, key));
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True if nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True if nobody waits and nobody may come back.
    pub fn is_forgotten(&self) -> bool {
        self.marks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shared_not_turns() {
        let (mut queue, mut had) = (FairQueue::default(), [0u64; 3]);
        let takes = [1, 10, 100];
        for _ in 0..10_000 {
            (0..3).for_each(|key| queue.enter(key));
            let key = queue.first().unwrap();
            had[key] += takes[key];
            queue.served(key, takes[key]);
            // Comes back with a new wish every time.
            queue.leave(key);
        }
        let most = had.iter().max().unwrap();
        assert!(had.iter().all(|bytes| most - bytes <= 100), "{had:?}");
    }

    #[test]
    fn who_was_away_has_saved_nothing() {
        let mut queue = FairQueue::default();
        queue.enter('a');
        (0..100).for_each(|_| queue.served('a', 10));
        queue.enter('b');
        let turns: String = (0..6)
            .map(|_| {
                let key = queue.first().unwrap();
                queue.served(key, 10);
                key
            })
            .collect();
        assert!(turns.matches('a').count() >= 2, "{turns}");
        queue.forget('a');
        queue.forget('b');
        assert!(queue.is_empty() && queue.is_forgotten());
    }
}
