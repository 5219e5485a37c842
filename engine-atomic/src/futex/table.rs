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
//! makes one of them see the other (`bucket.rs`, which the models check).

use std::time::Instant;

use super::WaitResult;
use super::bucket::Bucket;
use crate::sync::atomic::AtomicU32;

pub(super) use atomic_wait::wait;

/// Buckets; two words that share one wake each other spuriously.
const BUCKETS: usize = 64;

static TABLE: [Bucket; BUCKETS] = [const { Bucket::new() }; BUCKETS];

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
    bucket(word).sleep(word, expected, left)
}

pub(super) fn wake_one(word: *const AtomicU32) {
    atomic_wait::wake_one(word);
    bucket(word).wake();
}

pub(super) fn wake_all(word: *const AtomicU32) {
    atomic_wait::wake_all(word);
    bucket(word).wake();
}
