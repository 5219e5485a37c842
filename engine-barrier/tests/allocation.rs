//! A wait does not allocate. One test, in a process of its own: the first wait is the
//! one that asks the system.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use engine_barrier::Barrier;

/// Counts what each thread has allocated.
struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn waiting_does_not_allocate() {
    let barrier = Barrier::new(2);
    let allocated = std::thread::scope(|s| {
        let other = s.spawn(|| {
            // The others look, yield and sleep meanwhile.
            std::thread::sleep(Duration::from_millis(20));
            counted(&barrier)
        });
        [counted(&barrier), other.join().unwrap()]
    });
    assert_eq!(allocated, [0, 0]);
}

/// The allocations of one wait.
fn counted(barrier: &Barrier) -> usize {
    let before = ALLOCATIONS.get();
    barrier.wait();
    ALLOCATIONS.get() - before
}
