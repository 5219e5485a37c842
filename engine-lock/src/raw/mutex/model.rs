//! Models of the mutex word: exclusion over a plain cell, no lost wake-up, with
//! deadlines, and freeing.

use std::time::Instant;

use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use lock_api::{RawMutex as _, RawMutexTimed as _};
use testkit::model::{Budget, check, check_large};

use super::RawMutex;

/// A plain counter under a lock.
struct Counter {
    lock: RawMutex,
    value: UnsafeCell<u32>,
}

// SAFETY: `value` is touched under the lock only; the checkers verify it.
unsafe impl Sync for Counter {}
// SAFETY: both fields are plain data.
unsafe impl Send for Counter {}

impl Counter {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: RawMutex::new(),
            value: UnsafeCell::new(0),
        })
    }

    /// Counts, and unlocks; the lock is held.
    fn count(&self, guard: lock_api::GuardNoSend) -> u32 {
        assert!(self.lock.is_locked());
        let value = self.value.with_mut(|value| {
            // SAFETY: the lock is held.
            let value = unsafe { &mut *value };
            *value += 1;
            *value
        });
        // SAFETY: `guard` is this acquisition's.
        unsafe { self.lock.unlock(guard) };
        value
    }

    fn add(&self) -> u32 {
        self.count(self.lock.lock())
    }
}

/// `threads` threads, each counting `times`.
fn exclusion(threads: u32, times: u32) {
    let counter = Counter::new();
    let run = {
        let counter = counter.clone();
        move || {
            for _ in 0..times {
                counter.add();
            }
        }
    };
    let others: Vec<_> = (1..threads).map(|_| thread::spawn(run.clone())).collect();
    run();
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(counter.add(), threads * times + 1);
    assert!(!counter.lock.is_locked());
}

#[test]
fn two_threads() {
    check("two_threads", Budget::exhaustive(), || exclusion(2, 1));
}

#[test]
fn two_threads_again() {
    check("two_threads_again", Budget::preemptions(3), || {
        exclusion(2, 2)
    });
}

#[test]
fn three_threads() {
    check("three_threads", Budget::preemptions(3), || exclusion(3, 1));
}

#[test]
fn eight_threads() {
    check_large("eight_threads", Budget::default(), || exclusion(8, 3));
}

/// A failed `try_lock` touches nothing, and a successful one excludes.
#[test]
fn try_lock_excludes() {
    check("try_lock_excludes", Budget::exhaustive(), || {
        let counter = Counter::new();
        let run = {
            let counter = counter.clone();
            move || match counter.lock.try_lock() {
                Some(guard) => {
                    counter.count(guard);
                    1
                }
                None => 0,
            }
        };
        let other = thread::spawn(run.clone());
        let counted = run() + other.join().unwrap();
        assert!(counted >= 1, "one of two must find it free");
        assert_eq!(counter.add(), counted + 1);
    });
}

/// A thread that gives up at its deadline neither holds the lock nor swallows
/// the wake-up of a thread that sleeps on (`sleeper`).
fn deadline(again: bool) {
    let counter = Counter::new();
    let impatient = thread::spawn({
        let counter = counter.clone();
        // The models take no notice of when: they explore both outcomes.
        let deadline = Instant::now() + std::time::Duration::from_millis(1);
        move || match counter.lock.try_lock_until(deadline) {
            Some(guard) => {
                counter.count(guard);
                1
            }
            None => 0,
        }
    });
    let sleeper = thread::spawn({
        let counter = counter.clone();
        move || {
            counter.add();
        }
    });
    counter.add();
    if again {
        counter.add();
    }
    sleeper.join().unwrap();
    let timed = impatient.join().unwrap();
    assert_eq!(counter.add(), 2 + u32::from(again) + timed + 1);
}

#[test]
fn deadline_or_lock() {
    check("deadline_or_lock", Budget::preemptions(3), || {
        deadline(false)
    });
}

#[test]
fn deadline_swallows_no_wake() {
    check("deadline_swallows_no_wake", Budget::preemptions(2), || {
        deadline(true)
    });
}

/// `threads` threads lock once; the one that finds itself the last frees the lock
/// after its unlock, while others may still be inside theirs.
fn unlock_then_free(threads: u32) {
    struct Shared(*mut Counter);
    // SAFETY: who frees it is what the model is about.
    unsafe impl Send for Shared {}

    let counter = Box::into_raw(Box::new(Counter {
        lock: RawMutex::new(),
        value: UnsafeCell::new(0),
    }));
    let run = move |shared: Shared| {
        let counter = shared.0;
        // SAFETY: freed by the last to lock only, after its unlock.
        let count = unsafe { (*counter).add() };
        if count == threads {
            // SAFETY: from `Box::into_raw`; every thread has locked, and one is last.
            #[cfg_attr(not(engine_loom), expect(unused_mut, reason = "for `retire`"))]
            let mut counter = unsafe { Box::from_raw(counter) };
            #[cfg(engine_loom)]
            {
                counter.lock.word.retire();
                // The memory stays, so that a late access is loom's to report.
                Box::leak(counter);
            }
            #[cfg(not(engine_loom))]
            drop(counter);
        }
    };
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let shared = Shared(counter);
            thread::spawn(move || run(shared))
        })
        .collect();
    run(Shared(counter));
    for other in others {
        other.join().unwrap();
    }
}

#[test]
fn two_unlock_then_free() {
    check("two_unlock_then_free", Budget::exhaustive(), || {
        unlock_then_free(2)
    });
}

#[test]
fn three_unlock_then_free() {
    check("three_unlock_then_free", Budget::preemptions(3), || {
        unlock_then_free(3)
    });
}

/// The same lock on shuttle's big schedules, with every way to lock.
#[test]
fn six_threads_every_way() {
    check_large("six_threads_every_way", Budget::default(), || {
        let counter = Counter::new();
        let counted = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..6)
            .map(|me| {
                let (counter, counted) = (counter.clone(), counted.clone());
                thread::spawn(move || {
                    for _ in 0..2 {
                        let guard = match me % 3 {
                            0 => Some(counter.lock.lock()),
                            1 => counter.lock.try_lock(),
                            _ => counter
                                .lock
                                .try_lock_for(std::time::Duration::from_millis(1)),
                        };
                        if let Some(guard) = guard {
                            counter.count(guard);
                            counted.fetch_add(1, Relaxed);
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(counter.add(), counted.load(Relaxed) + 1);
    });
}
