//! What an allocator that uses these locks relies on: that they do not allocate. One
//! test, in a process of its own: the first wait is the one that asks the system.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use engine_lock::{Condvar, Mutex};

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
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let held = std::sync::Barrier::new(2);
    let done = std::sync::Barrier::new(2);
    let by_a_contended_lock = std::thread::scope(|s| {
        s.spawn(|| {
            let guard = mutex.lock();
            held.wait();
            done.wait();
            drop(guard);
        });
        held.wait();
        let before = ALLOCATIONS.get();
        let guard = mutex.try_lock_for(Duration::from_millis(2));
        let allocated = ALLOCATIONS.get() - before;
        done.wait();
        assert!(guard.is_none());
        allocated
    });
    assert_eq!(by_a_contended_lock, 0);
    let before = ALLOCATIONS.get();
    let mut guard = mutex.lock();
    let _ = condvar.wait_for(&mut guard, Duration::from_millis(2));
    condvar.notify_all();
    drop(guard);
    let by_a_condition_variable = ALLOCATIONS.get() - before;
    assert_eq!(by_a_condition_variable, 0);
}
