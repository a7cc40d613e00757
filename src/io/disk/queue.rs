//! A queue that threads wait on.
//!
//! Work that is cheaper in batches is waited for a little, but only while items come so fast that the batch grows: the
//! queue measures the gap between them, and gives up as soon as the next one is late.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No batch is waited for longer than this.
const LONGEST_WAIT: Duration = Duration::from_millis(30);
/// With fewer items to come within that time, none is waited for.
const WORTHWHILE: u32 = 5;

#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// An item came for a thread that has nothing, or the queue was closed.
    changed: Condvar,
    /// The batch that a thread waits for is full, or the queue was closed.
    grown: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
    pace: Pace,
    /// A thread waits for the batch to grow to so many; the others leave it alone.
    wanted: Option<usize>,
}

/// How fast items come.
#[derive(Debug, Default)]
struct Pace {
    last: Option<Instant>,
    /// Between one item and the next, on average of late.
    gap: Option<Duration>,
    /// Items ever.
    count: u64,
}

impl Pace {
    fn note(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let gap = now.saturating_duration_since(last).min(LONGEST_WAIT);
            self.gap = Some(self.gap.map_or(gap, |average| (average * 3 + gap) / 4));
        }
        self.count += 1;
    }

    /// How long to wait for the next item before it counts as late; `None` if it is not worth waiting.
    fn patience(&self) -> Option<Duration> {
        let gap = self.gap.filter(|&gap| gap * WORTHWHILE <= LONGEST_WAIT)?;
        Some((gap * 2).max(Duration::from_micros(500)))
    }
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        let state = State { waiting: VecDeque::new(), closed: false, pace: Pace::default(), wanted: None };
        Queue { state: Mutex::new(state), changed: Condvar::new(), grown: Condvar::new() }
    }

    pub fn push(&self, item: T) {
        let mut state = self.state();
        state.waiting.push_back(item);
        state.pace.note(Instant::now());
        match state.wanted {
            None => self.changed.notify_one(),
            Some(wanted) if state.waiting.len() >= wanted => self.grown.notify_one(),
            Some(_) => {}
        }
    }

    /// Nothing comes after this; what waits is still taken.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
        self.grown.notify_all();
    }

    /// Waits for an item; `None` when the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        self.pop_batch(1, |_| 1, |_| false).pop()
    }

    /// Waits for an item, and takes those behind it too as long as `alike` holds of all of them, `most` in all. While
    /// items come fast, a batch of less than `worth(first item)` is given a little time to grow. Empty when the queue is
    /// closed and empty.
    pub fn pop_batch(&self, most: usize, worth: impl Fn(&T) -> usize, alike: impl Fn(&T) -> bool) -> Vec<T> {
        let mut state = self.state();
        while !state.closed && (state.waiting.is_empty() || state.wanted.is_some()) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(first) = state.waiting.front().filter(|first| alike(first)) {
            let wanted = worth(first).min(most);
            state = self.let_grow(state, wanted);
        }
        let batch = state.waiting.iter().take(most).take_while(|item| alike(item)).count().max(1);
        let batch = batch.min(state.waiting.len());
        let batch = state.waiting.drain(..batch).collect();
        if !state.waiting.is_empty() {
            self.changed.notify_one();
        }
        batch
    }

    /// Waits until `wanted` items are there or the next one is late.
    fn let_grow<'a>(&self, mut state: MutexGuard<'a, State<T>>, wanted: usize) -> MutexGuard<'a, State<T>> {
        let deadline = Instant::now() + LONGEST_WAIT;
        while state.waiting.len() < wanted && !state.closed {
            let Some(patience) = state.pace.patience() else { break };
            let seen = state.pace.count;
            state.wanted = Some(wanted);
            state = self.grown.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
            state.wanted = None;
            if state.pace.count == seen || Instant::now() >= deadline {
                break;
            }
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_where_the_items_differ_and_a_closed_queue_drains() {
        let queue = Queue::new();
        [2, 4, 6, 7, 9, 8].into_iter().for_each(|n| queue.push(n));
        let even = |n: &i32| n % 2 == 0;
        assert_eq!(queue.pop_batch(2, |_| 1, even), [2, 4]);
        assert_eq!(queue.pop_batch(2, |_| 1, even), [6]);
        assert_eq!(queue.pop_batch(9, |_| 9, even), [7], "nothing is waited for behind one that stands alone");
        queue.close();
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(9), Some(8), None));
        assert!(queue.pop_batch(9, |_| 9, even).is_empty());
    }

    #[test]
    fn a_waiting_thread_is_woken_by_an_item_and_by_the_end() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| (queue.pop(), queue.pop()));
            queue.push(1);
            queue.close();
            assert_eq!(taker.join().unwrap(), (Some(1), None));
        });
    }

    #[test]
    fn nothing_is_lost_between_threads_that_wait_for_batches_and_each_keeps_the_order() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let takers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut taken = Vec::new();
                        loop {
                            let batch = queue.pop_batch(16, |_| 16, |_| true);
                            assert!(batch.len() <= 16);
                            if batch.is_empty() {
                                return taken;
                            }
                            taken.extend(batch);
                        }
                    })
                })
                .collect();
            (0..2_000).for_each(|n| queue.push(n));
            queue.close();
            let mut all = Vec::new();
            for taker in takers {
                let taken = taker.join().unwrap();
                assert!(taken.is_sorted());
                all.extend(taken);
            }
            all.sort_unstable();
            assert_eq!(all, (0..2_000).collect::<Vec<_>>());
        });
    }

    #[test]
    fn items_that_come_slowly_or_for_the_first_time_are_not_waited_for() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert_eq!(pace.patience(), None);
        pace.note(at(0));
        assert_eq!(pace.patience(), None);
        for n in 1..20 {
            pace.note(at(n));
        }
        assert_eq!(pace.patience(), Some(Duration::from_millis(2)));
        for n in 1..20 {
            pace.note(at(20 + 7 * n));
        }
        assert_eq!(pace.patience(), None);
        for _ in 0..40 {
            pace.note(at(500));
        }
        assert_eq!(pace.patience(), Some(Duration::from_micros(500)));
    }
}
