//! The last worker sees what all did.

use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check};

use super::{Ended, Running};

const WORKERS: usize = 3;

struct World {
    running: Running,
    /// Written by each worker before its end, read by the last one after it.
    done: [UnsafeCell<bool>; WORKERS],
}

// SAFETY: see `done`; the checkers verify it.
unsafe impl Sync for World {}
// SAFETY: plain data.
unsafe impl Send for World {}

impl World {
    fn work(&self, me: usize) -> Ended {
        // SAFETY: nobody reads before all have ended.
        self.done[me].with_mut(|done| unsafe { *done = true });
        let ended = self.running.end();
        if ended == Ended::Last {
            for done in &self.done {
                // SAFETY: all have ended, and nobody writes after that.
                assert!(done.with(|done| unsafe { *done }));
            }
        }
        ended
    }
}

#[test]
fn the_last_one_sees_what_all_did() {
    check(
        "the_last_one_sees_what_all_did",
        Budget::exhaustive(),
        || {
            let world = Arc::new(World {
                running: Running::new(WORKERS as u32),
                done: std::array::from_fn(|_| UnsafeCell::new(false)),
            });
            let others: Vec<_> = (1..WORKERS)
                .map(|me| {
                    let world = world.clone();
                    thread::spawn(move || world.work(me))
                })
                .collect();
            let mut last = usize::from(world.work(0) == Ended::Last);
            for other in others {
                last += usize::from(other.join().unwrap() == Ended::Last);
            }
            assert_eq!(last, 1);
        },
    );
}
