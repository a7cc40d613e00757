//! A queue that threads wait on.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        Queue { state: Mutex::new(State { waiting: VecDeque::new(), closed: false }), changed: Condvar::new() }
    }

    pub fn push(&self, item: T) {
        self.state().waiting.push_back(item);
        self.changed.notify_one();
    }

    /// Nothing comes after this; what waits is still taken.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Waits for an item; `None` when the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        self.pop_batch(1, |_| false).pop()
    }

    /// Waits for an item, and takes those behind it too as long as `alike` holds of all of them, `most` in all. Empty
    /// when the queue is closed and empty.
    pub fn pop_batch(&self, most: usize, alike: impl Fn(&T) -> bool) -> Vec<T> {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let batch = state.waiting.iter().take(most).take_while(|item| alike(item)).count().max(1);
        let batch = batch.min(state.waiting.len());
        state.waiting.drain(..batch).collect()
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
        assert_eq!(queue.pop_batch(2, even), [2, 4]);
        assert_eq!(queue.pop_batch(2, even), [6]);
        assert_eq!(queue.pop_batch(9, even), [7]);
        queue.close();
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(9), Some(8), None));
        assert!(queue.pop_batch(9, even).is_empty());
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
}
