//! The memory of runs: made, cut down to what came, given back, and counted.
//!
//! `bytes` is what is lent, stored or with the disk; together with what is idle it stays within the limit.

use std::sync::Arc;

use crate::base::layout::Layout;
use crate::base::run::{Run, RunBuffer, RunId};
use crate::swarm::pool::Pool;

/// Owner of all memory of runs that is not lent, stored or with the disk, and of the count of what is.
pub struct Buffers {
    layout: Arc<Layout>,
    pool: Pool,
    budget: u64,
    bytes: u64,
    next_run: u64,
}

impl Buffers {
    pub fn new(layout: Arc<Layout>, budget: u64) -> Buffers {
        Buffers { layout, pool: Pool::default(), budget, bytes: 0, next_run: 0 }
    }

    pub fn set_budget(&mut self, budget: u64) {
        self.budget = budget;
        self.pool.shrink(self.room());
    }

    /// Most bytes that there may be: the budget, or one piece if that is more.
    pub fn limit(&self) -> u64 {
        self.budget.max(self.layout.total().min(self.layout.piece_length().into()))
    }

    /// Bytes lent, stored or with the disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(test)]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A buffer for `run`, to be fetched wholly.
    pub fn make(&mut self, run: Run) -> RunBuffer {
        let len = run.byte_len(&self.layout);
        let bytes = self.pool.take(len as usize, self.room());
        self.bytes += u64::from(len);
        self.next_run += 1;
        RunBuffer { id: RunId(self.next_run), run, have: 0, want: run.full_mask(), bytes }
    }

    /// Cuts `buffer` down to its `fresh` blocks: itself if that is all of them, else copies of each stretch.
    pub fn keep(&mut self, buffer: RunBuffer, fresh: u64) -> Vec<RunBuffer> {
        if fresh == buffer.run.full_mask() {
            return vec![RunBuffer { have: fresh, want: 0, ..buffer }];
        }
        self.bytes -= buffer.bytes.len() as u64;
        let (mut kept, mut bit) = (Vec::new(), 0);
        while bit < buffer.run.count {
            let count = (!(fresh >> bit)).trailing_zeros().min(buffer.run.count - bit);
            if count == 0 {
                bit += 1;
                continue;
            }
            let run = Run { piece: buffer.run.piece, first: buffer.run.first + bit, count };
            let mut copy = self.make(run);
            let start = (run.begin() - buffer.run.begin()) as usize;
            copy.bytes.copy_from_slice(&buffer.bytes[start..start + copy.bytes.len()]);
            (copy.have, copy.want) = (run.full_mask(), 0);
            kept.push(copy);
            bit += count;
        }
        self.pool.put(buffer.bytes, self.room());
        kept
    }

    /// Takes back a buffer that nobody needs any more.
    pub fn put(&mut self, buffer: RunBuffer) {
        self.bytes -= buffer.bytes.len() as u64;
        self.pool.put(buffer.bytes, self.room());
    }

    /// Counts no longer the buffer of `run`, which is gone with its holder.
    pub fn write_off(&mut self, run: Run) {
        self.bytes -= u64::from(run.byte_len(&self.layout));
    }

    /// Frees idle memory.
    pub fn shrink(&mut self) {
        self.pool.shrink(0);
    }

    fn room(&self) -> u64 {
        self.limit().saturating_sub(self.bytes)
    }
}
