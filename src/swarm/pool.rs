//! Buffers for runs, used again and again: in the steady state no run allocates or zeroes memory.
//!
//! Idle buffers are kept by length. They give way to new lengths so that what is lent and what is idle together stay
//! within the budget.

use std::collections::BTreeMap;

/// Idle buffers, by length.
#[derive(Default)]
pub struct Pool {
    idle: BTreeMap<usize, Vec<Box<[u8]>>>,
    idle_bytes: u64,
    /// How many buffers had to be allocated since the start.
    allocated: u64,
}

impl Pool {
    /// A buffer of `len` bytes with any contents. Idle buffers of other lengths are freed until at most `room` bytes
    /// are idle or newly allocated.
    pub fn take(&mut self, len: usize, room: u64) -> Box<[u8]> {
        if let Some(buffers) = self.idle.get_mut(&len)
            && let Some(buffer) = buffers.pop()
        {
            self.idle_bytes -= len as u64;
            return buffer;
        }
        self.shrink(room.saturating_sub(len as u64));
        self.allocated += 1;
        vec![0; len].into()
    }

    /// Keeps a buffer for later, as long as at most `room` bytes are idle.
    pub fn put(&mut self, buffer: Box<[u8]>, room: u64) {
        let len = buffer.len();
        if len > 0 && self.idle_bytes + len as u64 <= room {
            self.idle_bytes += len as u64;
            self.idle.entry(len).or_default().push(buffer);
        }
    }

    /// Frees idle buffers, the largest first, until at most `bytes` are left.
    pub fn shrink(&mut self, bytes: u64) {
        while self.idle_bytes > bytes {
            let Some(mut largest) = self.idle.last_entry() else { return };
            match largest.get_mut().pop() {
                Some(buffer) => self.idle_bytes -= buffer.len() as u64,
                None => drop(largest.remove()),
            }
        }
    }

    pub fn idle_bytes(&self) -> u64 {
        self.idle_bytes
    }

    pub fn allocated(&self) -> u64 {
        self.allocated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_buffer_is_used_again_and_not_zeroed() {
        let mut pool = Pool::default();
        let mut buffer = pool.take(100, 1000);
        buffer[7] = 9;
        pool.put(buffer, 1000);
        assert_eq!(pool.take(100, 1000)[7], 9);
        assert_eq!((pool.allocated(), pool.idle_bytes()), (1, 0));
    }

    #[test]
    fn idle_memory_gives_way_to_other_lengths() {
        let mut pool = Pool::default();
        for len in [100, 300, 500] {
            pool.put(vec![0; len].into(), 1000);
        }
        pool.put(vec![0; 101].into(), 1000);
        assert_eq!(pool.idle_bytes(), 900, "what does not fit is freed");
        pool.take(50, 500);
        assert_eq!(pool.idle_bytes(), 400, "450 may stay");
        pool.shrink(0);
        assert_eq!(pool.idle_bytes(), 0);
    }
}
