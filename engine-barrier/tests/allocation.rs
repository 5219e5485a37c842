//! A wait does not allocate. One test, in a process of its own: the first wait is the
//! one that asks the system.

use std::time::Duration;

use engine_barrier::Barrier;
use testkit::allocation::{Counting, allocations};

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
    allocations(|| {
        barrier.wait();
    })
}
