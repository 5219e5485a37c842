//! Models of the nudge.

use std::future::poll_fn;
use std::task::Poll;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check};

use super::Activity;
use crate::testing::block_on;

struct World {
    activity: Activity,
    data: UnsafeCell<u32>,
    /// How often it has been nudged.
    step: AtomicUsize,
}

// SAFETY: `data` is written before the nudge and read after it; the checkers verify it.
unsafe impl Sync for World {}
// SAFETY: plain data.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            activity: Activity::new(0),
            data: UnsafeCell::new(0),
            step: AtomicUsize::new(0),
        })
    }

    /// The task's side, as the connection does it: the waker is set once, at first. Waits
    /// for a nudge after which `holds`.
    fn wait(&self, holds: impl Fn() -> bool) {
        let mut known = false;
        block_on(poll_fn(|cx| {
            if !known {
                self.activity.set_waker(cx.waker());
                known = true;
            }
            match self.activity.take_nudge() && holds() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
    }
}

/// The nudge comes before the waker is set, between that and the look, or later; and it
/// shows what was done before it.
#[test]
fn a_nudge_arrives() {
    check("a_nudge_arrives", Budget::exhaustive(), || {
        let world = World::new();
        let task = thread::spawn({
            let world = world.clone();
            move || {
                world.wait(|| true);
                // SAFETY: it was written before the nudge.
                world.data.with(|data| assert_eq!(unsafe { *data }, 7));
            }
        });
        // SAFETY: the task reads after the nudge.
        world.data.with_mut(|data| unsafe { *data = 7 });
        world.activity.nudge();
        task.join().unwrap();
    });
}

/// No nudge is lost in one that came just before: the task sees what the last one is about.
#[test]
fn nudges_of_two() {
    check("nudges_of_two", Budget::preemptions(3), || {
        let world = World::new();
        let nudge = |world: &World| {
            // Relaxed: the nudge publishes it.
            world.step.fetch_add(1, Relaxed);
            world.activity.nudge();
        };
        let task = thread::spawn({
            let world = world.clone();
            move || world.wait(|| world.step.load(Relaxed) == 2)
        });
        let other = thread::spawn({
            let world = world.clone();
            move || nudge(&world)
        });
        nudge(&world);
        task.join().unwrap();
        other.join().unwrap();
    });
}
