//! Receiving in the steady state: no allocation a block, few reads and few messages a MiB. Counted, not timed.

#[path = "common/receiving.rs"]
mod receiving;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use receiving::Receiving;

/// Counts what the calling thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; the counter is a thread's own and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: u64 = 1 << 20;

/// Allocations, reads, writes and events a MiB when each wake-up brings up to `most` bytes.
fn counts(most: usize) -> [f64; 4] {
    let mut receiving = Receiving::start(16);
    while receiving.bytes < 64 * MIB {
        receiving.wake(most);
    }
    let before = [ALLOCATIONS.get(), receiving.reads, receiving.writes, receiving.events];
    let start = receiving.bytes;
    while receiving.bytes < start + 256 * MIB {
        receiving.wake(most);
    }
    let after = [ALLOCATIONS.get(), receiving.reads, receiving.writes, receiving.events];
    let mib = (receiving.bytes - start) as f64 / MIB as f64;
    std::array::from_fn(|at| (after[at] - before[at]) as f64 / mib)
}

#[test]
fn a_fast_peer_costs_few_allocations_and_messages_a_mebibyte() {
    for most in [1 << 20, 256 << 10, 64 << 10] {
        let counted = counts(most);
        let [allocated, reads, writes, events] = counted;
        println!("{most} bytes a wake-up: allocations, reads, writes, events a MiB: {counted:.2?}");
        // A MiB has 64 blocks.
        assert!(allocated < 8.0, "{allocated} allocations a MiB");
        assert!(reads <= 1.1 * (MIB as f64 / most as f64).max(1.0) + 1.0, "{reads} reads a MiB");
        assert!(writes <= reads + 1.0, "{writes} writes a MiB");
        assert!(events < 4.0, "{events} events a MiB");
    }
}
