//! A stress program for ThreadSanitizer: no test harness, which it does not know.
//!
//! Tasks hand plain memory from worker to worker through spawns, wakes and joins; a
//! missing happens-before edge anywhere on the way is a report.

use std::cell::UnsafeCell;
use std::sync::Arc;

use engine_sched::{Scheduler, yield_now};

/// A plain cell that one task at a time writes.
struct Slot(UnsafeCell<u64>);

// SAFETY: each slot is written by one task before it ends, and read by the task that has
// awaited it.
unsafe impl Sync for Slot {}

fn main() {
    let scheduler = Scheduler::builder().workers(3).build().expect("threads");
    for round in 0..50_u64 {
        let slots: Arc<Vec<Slot>> = Arc::new((0..64).map(|_| Slot(UnsafeCell::new(0))).collect());
        let outer = scheduler.spawn({
            let slots = slots.clone();
            async move {
                let handles: Vec<_> = (0..slots.len())
                    .map(|index| {
                        let slots = slots.clone();
                        engine_sched::spawn(async move {
                            yield_now().await;
                            // SAFETY: the only task that touches this slot before it is
                            // joined.
                            unsafe { *slots[index].0.get() = round + index as u64 };
                        })
                    })
                    .collect();
                let mut sum = 0;
                for (index, handle) in handles.into_iter().enumerate() {
                    handle.await.expect("no panic");
                    // SAFETY: its writer has ended.
                    sum += unsafe { *slots[index].0.get() };
                }
                sum
            }
        });
        let sum = scheduler.block_on(outer).expect("no panic");
        assert_eq!(sum, 64 * round + 63 * 32);
        let blocking = scheduler.spawn_blocking(move || {
            // SAFETY: all writers have ended, and `block_on` has seen that.
            slots
                .iter()
                .map(|slot| unsafe { *slot.0.get() })
                .sum::<u64>()
        });
        assert_eq!(scheduler.block_on(blocking).expect("no panic"), sum);
    }
    scheduler.shutdown();
    println!("done");
}
