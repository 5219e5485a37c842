//! One bucket of the table: threads that sleep with a deadline.

use std::sync::PoisonError;
use std::time::Duration;

use super::WaitResult;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*, fence};
use crate::sync::{Condvar, Mutex};

pub(super) struct Bucket {
    /// Threads between their counting in and their counting out.
    waiters: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Bucket {
    crate::const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                waiters: AtomicUsize::new(0),
                lock: Mutex::new(()),
                changed: Condvar::new(),
            }
        }
    }

    /// Sleeps while `*word == expected`, for `left` at most.
    pub(super) fn sleep(&self, word: &AtomicU32, expected: u32, left: Duration) -> WaitResult {
        // Nothing panics under this lock.
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed: the fence below orders it.
        self.waiters.fetch_add(1, Relaxed);
        // SeqCst: either this fence is first and the waker's read of the count sees
        // us, or the waker's is first and our read of the word sees its change.
        fence(SeqCst);
        // Relaxed: ordered by the fence; a futex publishes nothing.
        let result = if word.load(Relaxed) != expected {
            WaitResult::Returned
        } else {
            let (_guard, timeout) = self
                .changed
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                WaitResult::TimedOut
            } else {
                WaitResult::Returned
            }
        };
        // Relaxed: a waker that still counts us notifies for nothing.
        self.waiters.fetch_sub(1, Relaxed);
        result
    }

    /// Wakes every sleeper, after its word has been changed: which of them sleeps on
    /// what word is not recorded, and a spurious return is allowed.
    pub(super) fn wake(&self) {
        // SeqCst: pairs with the fence in `sleep`, as argued there.
        fence(SeqCst);
        // Relaxed: ordered by the fence.
        if self.waiters.load(Relaxed) != 0 {
            // A waiter holds the lock from counting in until it sleeps, so once the
            // lock is ours it is asleep and the notification reaches it.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }
}
