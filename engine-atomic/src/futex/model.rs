//! Models of the futex protocols that the other crates build on.

use std::time::{Duration, Instant};

use testkit::model::{Budget, check};

use super::{WaitResult, wait, wait_until, wake_all, wake_one};
use crate::sync::atomic::{AtomicU32, Ordering::*};
use crate::sync::cell::UnsafeCell;
use crate::sync::{Arc, thread};

/// A word that publishes a plain value.
struct Flag {
    word: AtomicU32,
    value: UnsafeCell<u32>,
}

// SAFETY: `value` is written before the Release change of `word` and read after
// an Acquire load that saw it; the checkers verify it.
unsafe impl Sync for Flag {}
// SAFETY: both fields are plain data.
unsafe impl Send for Flag {}

impl Flag {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            word: AtomicU32::new(0),
            value: UnsafeCell::new(0),
        })
    }

    fn publish(&self) {
        // SAFETY: no reader looks before `word` is 1.
        self.value.with_mut(|value| unsafe { *value = 7 });
        // Release: publishes `value`; pairs with the Acquire load in `read`.
        // A swap, not a store: see the facade's rules.
        self.word.swap(1, Release);
    }

    fn read(&self) {
        while self.word.load(Acquire) == 0 {
            wait(&self.word, 0);
        }
        // SAFETY: the Acquire load saw the Release swap that follows the write.
        self.value.with(|value| assert_eq!(unsafe { *value }, 7));
    }
}

#[test]
fn wake_between_check_and_sleep() {
    check("wake_between_check_and_sleep", Budget::exhaustive(), || {
        let flag = Flag::new();
        let waker = thread::spawn({
            let flag = flag.clone();
            move || {
                flag.publish();
                wake_one(&flag.word);
            }
        });
        flag.read();
        waker.join().unwrap();
    });
}

#[test]
fn wake_all_reaches_every_sleeper() {
    check(
        "wake_all_reaches_every_sleeper",
        Budget::preemptions(2),
        || {
            let flag = Flag::new();
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    let flag = flag.clone();
                    thread::spawn(move || flag.read())
                })
                .collect();
            flag.publish();
            wake_all(&flag.word);
            for reader in readers {
                reader.join().unwrap();
            }
        },
    );
}

/// A waker may touch only the address once the waiter can have seen the change:
/// the waiter frees the word at once.
#[test]
fn wake_by_address_after_free() {
    check("wake_by_address_after_free", Budget::preemptions(3), || {
        let flag = Flag::new();
        let waker = thread::spawn({
            let flag = flag.clone();
            move || {
                let address: *const AtomicU32 = &flag.word;
                flag.publish();
                drop(flag);
                wake_one(address);
            }
        });
        flag.read();
        drop(flag);
        waker.join().unwrap();
    });
}

/// A waiter with a deadline is released by the wake or by the deadline, whichever
/// is first, and then leaves no trace on the word.
#[test]
fn deadline_or_wake() {
    check("deadline_or_wake", Budget::preemptions(3), || {
        let flag = Flag::new();
        let waker = thread::spawn({
            let flag = flag.clone();
            move || {
                flag.publish();
                wake_one(&flag.word);
            }
        });
        let deadline = Instant::now() + Duration::from_millis(20);
        while flag.word.load(Acquire) == 0 {
            if wait_until(&flag.word, 0, deadline) == WaitResult::TimedOut {
                break;
            }
        }
        waker.join().unwrap();
        flag.read();
    });
}
