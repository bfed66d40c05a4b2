//! Counts the bytes that are allocated, so that a benchmark can say what a value holds, and a test
//! that something stays within a limit.
//!
//! The only unsafe code of benchmarks and tests. [`Counting`] passes each request unchanged to the
//! system's allocator and returns its answer unchanged, so it keeps `GlobalAlloc`'s contract because
//! that one does; the counters are atomics and allocate nothing.
#![allow(unsafe_code, dead_code)] // dead: each user needs its part

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

pub(crate) struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static IS_OFF: AtomicBool = AtomicBool::new(false);

fn add(size: usize) {
    if IS_OFF.load(Relaxed) {
        return;
    }
    let live = LIVE.fetch_add(size, Relaxed) + size;
    PEAK.fetch_max(live, Relaxed);
}

fn subtract(size: usize) {
    if !IS_OFF.load(Relaxed) {
        LIVE.fetch_sub(size, Relaxed);
    }
}

/// Does something without counting, which costs time. It gives back whatever it takes.
pub(crate) fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    IS_OFF.store(true, Relaxed);
    let value = work();
    IS_OFF.store(false, Relaxed);
    value
}

/// The most bytes that were allocated at once while something was done, beyond those before it.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = live();
    PEAK.store(before, Relaxed);
    let value = work();
    (value, PEAK.load(Relaxed).saturating_sub(before))
}

/// How many bytes are allocated now.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed)
}

// SAFETY: see the module's page: every call is the system's own, with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises for this call are the system's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: as above; the block came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        subtract(layout.size());
        // SAFETY: as above; the block came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}
