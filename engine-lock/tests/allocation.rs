//! What an allocator that uses these locks relies on: that they do not allocate. One
//! test, in a process of its own: the first wait is the one that asks the system.

use std::time::Duration;

use engine_lock::{Condvar, Mutex};
use testkit::allocation::{Counting, allocations};

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
        let mut guard = None;
        let allocated = allocations(|| guard = mutex.try_lock_for(Duration::from_millis(2)));
        done.wait();
        assert!(guard.is_none());
        allocated
    });
    assert_eq!(by_a_contended_lock, 0);
    let by_a_condition_variable = allocations(|| {
        let mut guard = mutex.lock();
        let _ = condvar.wait_for(&mut guard, Duration::from_millis(2));
        condvar.notify_all();
    });
    assert_eq!(by_a_condition_variable, 0);
}
