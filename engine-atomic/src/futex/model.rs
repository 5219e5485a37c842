//! Models of the futex protocols that the other crates build on.

use std::time::{Duration, Instant};

use testkit::model::{Budget, check};

use super::bucket::Bucket;
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

/// A deadline that nobody's wake comes before ends the wait, and a word that differs
/// does at once.
#[test]
fn deadline_without_a_wake() {
    check("deadline_without_a_wake", Budget::exhaustive(), || {
        let wait_alone = || {
            let word = AtomicU32::new(0);
            let deadline = Instant::now() + Duration::from_millis(1);
            while wait_until(&word, 0, deadline) != WaitResult::TimedOut {}
            let deadline = Instant::now() + Duration::from_secs(3600);
            assert_eq!(wait_until(&word, 1, deadline), WaitResult::Returned);
        };
        let other = thread::spawn(wait_alone);
        wait_alone();
        other.join().unwrap();
    });
}

/// Both ends of a wait with a deadline are explored: the wake and the deadline.
#[test]
fn both_ends_are_explored() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed as Plain};
    static ENDS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    check("both_ends_are_explored", Budget::exhaustive(), || {
        let word = Arc::new(AtomicU32::new(0));
        let waker = thread::spawn({
            let word = word.clone();
            // No change of the word: only the wake can end the wait.
            move || wake_one(&*word)
        });
        let deadline = Instant::now() + Duration::from_millis(1);
        let end = wait_until(&word, 0, deadline) == WaitResult::TimedOut;
        ENDS[usize::from(end)].fetch_add(1, Plain);
        waker.join().unwrap();
    });
    let ends = ENDS.each_ref().map(|end| end.load(Plain));
    println!("model both_ends_are_explored: {ends:?} woken and timed out");
    if crate::sync::MODEL {
        assert!(ends[0] > 0 && ends[1] > 0, "{ends:?}");
    }
}

/// The table's two fences: a sleeper is counted, or it sees the change. A lost wake is
/// a deadlock under the checkers, since their condition variables do not time out.
#[test]
fn bucket_loses_no_wake() {
    check("bucket_loses_no_wake", Budget::exhaustive(), || {
        let shared = Arc::new((Bucket::new(), AtomicU32::new(0)));
        let waker = thread::spawn({
            let shared = shared.clone();
            move || {
                shared.1.swap(1, Relaxed);
                shared.0.wake();
            }
        });
        while shared.1.load(Relaxed) == 0 {
            let hour = Duration::from_secs(3600);
            assert_eq!(shared.0.sleep(&shared.1, 0, hour), WaitResult::Returned);
        }
        waker.join().unwrap();
    });
}

/// Two sleepers on two words in one bucket, woken by two threads.
#[test]
fn bucket_shared_by_two_words() {
    check("bucket_shared_by_two_words", Budget::preemptions(2), || {
        let shared = Arc::new((Bucket::new(), [AtomicU32::new(0), AtomicU32::new(0)]));
        let sleeper = thread::spawn({
            let shared = shared.clone();
            move || {
                while shared.1[0].load(Relaxed) == 0 {
                    let _ = shared.0.sleep(&shared.1[0], 0, Duration::from_secs(3600));
                }
                shared.1[1].swap(1, Relaxed);
                shared.0.wake();
            }
        });
        shared.1[0].swap(1, Relaxed);
        shared.0.wake();
        while shared.1[1].load(Relaxed) == 0 {
            let _ = shared.0.sleep(&shared.1[1], 0, Duration::from_secs(3600));
        }
        sleeper.join().unwrap();
    });
}
