//! Stress for the futex, for ThreadSanitizer: `cargo xtask tsan` runs it.
//!
//! Plain memory is handed from thread to thread through futex words only. The
//! program uses no std mutex, channel or harness: std is not instrumented, and
//! ThreadSanitizer would take its locks for races.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::*},
    thread,
    time::{Duration, Instant},
};

use engine_atomic::futex::{self, WaitResult};

const THREADS: u32 = 4;
const ROUNDS: u32 = 5_000;

/// A word, and the memory that it guards.
struct Guarded {
    word: AtomicU32,
    value: UnsafeCell<u32>,
}

// SAFETY: each use below says which step on `word` orders it.
unsafe impl Sync for Guarded {}

impl Guarded {
    const fn new() -> Self {
        Self {
            word: AtomicU32::new(0),
            value: UnsafeCell::new(0),
        }
    }
}

/// The word says whose turn it is; the value makes the round.
static RING: Guarded = Guarded::new();

fn ring(me: u32) {
    for round in 0..ROUNDS {
        loop {
            // Acquire: the previous thread's write; pairs with its Release below.
            let turn = RING.word.load(Acquire);
            if turn == me {
                break;
            }
            futex::wait(&RING.word, turn);
        }
        // SAFETY: it is our turn, and only we end it.
        let value = unsafe { &mut *RING.value.get() };
        assert_eq!(*value, round * THREADS + me, "a turn got lost");
        *value += 1;
        // Release: publishes the value; pairs with the Acquire above.
        RING.word.store((me + 1) % THREADS, Release);
        futex::wake_all(&RING.word);
    }
}

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// The word is a lock of three states; the value counts who held it.
static LOCK: Guarded = Guarded::new();
static TIMEOUTS: AtomicUsize = AtomicUsize::new(0);

/// Waits with a deadline in every other round, so that both ways end in a race.
fn lock(round: u32) {
    // FREE -> HELD. Acquire: the last holder's write; pairs with `unlock`.
    if LOCK
        .word
        .compare_exchange(FREE, HELD, Acquire, Relaxed)
        .is_ok()
    {
        return;
    }
    // any -> CONTENDED, and it is ours if it was FREE. Acquire as above.
    while LOCK.word.swap(CONTENDED, Acquire) != FREE {
        if round.is_multiple_of(2) {
            futex::wait(&LOCK.word, CONTENDED);
        } else {
            let soon = Instant::now() + Duration::from_micros(50);
            if futex::wait_until(&LOCK.word, CONTENDED, soon) == WaitResult::TimedOut {
                // Relaxed: a figure.
                TIMEOUTS.fetch_add(1, Relaxed);
            }
        }
    }
}

fn unlock() {
    // held -> FREE. Release: publishes our write; pairs with the Acquires in `lock`.
    if LOCK.word.swap(FREE, Release) == CONTENDED {
        futex::wake_one(&LOCK.word);
    }
}

fn count() {
    for round in 0..ROUNDS {
        lock(round);
        // SAFETY: we hold the lock.
        unsafe { *LOCK.value.get() += 1 };
        if round.is_multiple_of(100) {
            // Longer than a deadline in `lock`.
            thread::sleep(Duration::from_micros(200));
        }
        unlock();
    }
}

fn main() {
    let handles: Vec<_> = (0..THREADS)
        .map(|me| {
            thread::spawn(move || {
                ring(me);
                count();
            })
        })
        .collect();
    for handle in handles {
        handle.join().expect("no assertion failed");
    }
    // SAFETY: the other threads have ended.
    let turns = unsafe { *RING.value.get() };
    // SAFETY: as above.
    let counted = unsafe { *LOCK.value.get() };
    assert_eq!(turns, THREADS * ROUNDS);
    assert_eq!(counted, THREADS * ROUNDS);
    let timeouts = TIMEOUTS.load(Relaxed);
    println!("tsan_futex: {turns} turns, {counted} locked steps, {timeouts} timeouts");
}
