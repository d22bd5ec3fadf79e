//! How much memory a reader takes: its own thread's allocations, without those of libFuzzer.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// No reader may take more, in bytes.
const LIMIT: usize = 64 << 20;

/// The most that any input took.
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static HIGHEST: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    HIGHEST.set(HIGHEST.get().max(live));
}

// SAFETY: everything is the system's allocator; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Feeds a reader, and makes sure that it stays within the limit.
pub(crate) fn limited(feed: fn(&[u8]), data: &[u8]) {
    let before = LIVE.get();
    HIGHEST.set(before);
    feed(data);
    let taken = (HIGHEST.get() - before) as usize;
    PEAK.fetch_max(taken, Ordering::Relaxed);
    assert!(taken <= LIMIT, "the reader took {taken} bytes of at most {LIMIT}");
}

/// Prints the most that any input took, for `make fuzz`.
pub(crate) extern "C" fn report() {
    eprintln!("stat::reader_peak_bytes: {}", PEAK.load(Ordering::Relaxed));
}
