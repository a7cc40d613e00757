//! The least value of the last minutes, in buckets of a minute (LEDBAT's base history, RFC 6817).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Minutes that are remembered. A route that got longer is believed after so long.
const MINUTES: usize = 13;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct MinuteMin<T> {
    buckets: VecDeque<T>,
    /// When the last bucket began.
    began: Option<Instant>,
}

impl<T> Default for MinuteMin<T> {
    fn default() -> Self {
        MinuteMin { buckets: VecDeque::new(), began: None }
    }
}

impl<T: Copy> MinuteMin<T> {
    /// Adds a value, `less` being the order: the values may wrap.
    pub fn add_by(&mut self, now: Instant, value: T, less: impl Fn(T, T) -> bool) {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= MINUTE) {
            self.began = Some(now);
            self.buckets.push_back(value);
            if self.buckets.len() > MINUTES {
                self.buckets.pop_front();
            }
        } else if let Some(last) = self.buckets.back_mut()
            && less(value, *last)
        {
            *last = value;
        }
    }

    pub fn get_by(&self, less: impl Fn(T, T) -> bool) -> Option<T> {
        self.buckets.iter().copied().reduce(|a, b| if less(b, a) { b } else { a })
    }

    pub fn map(&mut self, change: impl Fn(T) -> T) {
        self.buckets.iter_mut().for_each(|value| *value = change(*value));
    }
}

impl<T: Copy + Ord> MinuteMin<T> {
    pub fn add(&mut self, now: Instant, value: T) {
        self.add_by(now, value, |a, b| a < b);
    }

    pub fn get(&self) -> Option<T> {
        self.get_by(|a, b| a < b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimum_is_forgotten_after_its_minutes() {
        let start = Instant::now();
        let mut least = MinuteMin::default();
        least.add(start, 5);
        least.add(start + MINUTE / 2, 3);
        for minute in 1..MINUTES as u32 {
            least.add(start + MINUTE * minute, 9);
            assert_eq!(least.get(), Some(3));
        }
        least.add(start + MINUTE * MINUTES as u32, 8);
        assert_eq!(least.get(), Some(8));
    }
}
