//! Elsewhere: the platform's own wait and wake, and a table of condition
//! variables for deadlines, which no portable interface offers.
//!
//! | thread | untimed | timed |
//! |---|---|---|
//! | waiter | platform wait | lock the bucket, count in, check the word, sleep on the condition variable |
//! | waker | platform wake | if the bucket's count is not zero: lock it and notify |
//!
//! A timed waiter counts itself in *before* it checks the word, and a waker
//! changes the word *before* it reads the count; a `SeqCst` fence on each side
//! makes one of them see the other.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed, fence};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::WaitResult;
use crate::sync::atomic::{AtomicU32, Ordering::SeqCst};

pub(super) use atomic_wait::wait;

/// Buckets; two words that share one wake each other spuriously.
const BUCKETS: usize = 64;

struct Bucket {
    /// Threads between their counting in and their counting out.
    waiters: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

static TABLE: [Bucket; BUCKETS] = [const {
    Bucket {
        waiters: AtomicUsize::new(0),
        lock: Mutex::new(()),
        changed: Condvar::new(),
    }
}; BUCKETS];

fn bucket(word: *const AtomicU32) -> &'static Bucket {
    // Fibonacci hashing; the low two bits of an aligned address say nothing.
    let hash = (word.addr() >> 2).wrapping_mul(0x9E37_79B9);
    &TABLE[(hash >> 16) % BUCKETS]
}

pub(super) fn wait_until(word: &AtomicU32, expected: u32, deadline: Instant) -> WaitResult {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return WaitResult::TimedOut;
    }
    let bucket = bucket(word);
    let guard = bucket.lock.lock().unwrap_or_else(PoisonError::into_inner);
    bucket.waiters.fetch_add(1, Relaxed);
    // SeqCst: either this fence is first and the waker's read of the count sees
    // us, or the waker's is first and our read of the word sees its change.
    fence(SeqCst);
    let result = if word.load(Relaxed) != expected {
        WaitResult::Returned
    } else {
        let (_guard, timeout) = bucket
            .changed
            .wait_timeout(guard, left)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            WaitResult::TimedOut
        } else {
            WaitResult::Returned
        }
    };
    bucket.waiters.fetch_sub(1, Relaxed);
    result
}

pub(super) fn wake_one(word: *const AtomicU32) {
    atomic_wait::wake_one(word);
    wake_timed(word);
}

pub(super) fn wake_all(word: *const AtomicU32) {
    atomic_wait::wake_all(word);
    wake_timed(word);
}

/// Wakes every timed waiter of the bucket: which of them sleeps on `word` is not
/// recorded, and a spurious return is allowed.
fn wake_timed(word: *const AtomicU32) {
    let bucket = bucket(word);
    // SeqCst: pairs with the fence in `wait_until`.
    fence(SeqCst);
    if bucket.waiters.load(Relaxed) != 0 {
        // A waiter holds the lock from counting in until it sleeps, so once the
        // lock is ours it is asleep and the notification reaches it.
        drop(bucket.lock.lock().unwrap_or_else(PoisonError::into_inner));
        bucket.changed.notify_all();
    }
}
