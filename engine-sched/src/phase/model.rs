//! Models of the end.

use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check};

use super::{Phase, Stop};

struct World {
    phase: Phase,
    /// What the last worker did before the end.
    done: UnsafeCell<bool>,
}

// SAFETY: `done` is written before `finish` and read after `wait_stopped`; the checkers
// verify it.
unsafe impl Sync for World {}
// SAFETY: plain data.
unsafe impl Send for World {}

/// Two threads ask for the end and wait for it, while the worker sees it and ends.
#[test]
fn both_wait_for_the_same_end() {
    check("both_wait_for_the_same_end", Budget::preemptions(3), || {
        let world = Arc::new(World {
            phase: Phase::new(),
            done: UnsafeCell::new(false),
        });
        let worker = thread::spawn({
            let world = world.clone();
            move || {
                while world.phase.is_running() {
                    thread::yield_now();
                }
                // SAFETY: nobody reads before `finish`.
                world.done.with_mut(|done| unsafe { *done = true });
                world.phase.finish();
            }
        });
        let stop = |world: &World| {
            let stop = world.phase.begin_stop();
            world.phase.wait_stopped();
            // SAFETY: the write came before `finish`.
            assert!(world.done.with(|done| unsafe { *done }));
            stop
        };
        let other = thread::spawn({
            let world = world.clone();
            move || stop(&world)
        });
        let mine = stop(&world);
        let others = other.join().unwrap();
        worker.join().unwrap();
        assert!((mine == Stop::Begun) != (others == Stop::Begun));
        assert!(!world.phase.is_running());
    });
}
