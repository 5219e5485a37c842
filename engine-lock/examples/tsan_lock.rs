//! The mutex and the condition variable under ThreadSanitizer: plain memory
//! handed around under the raw lock, and turns taken by notifications.
//!
//! A program of its own, because the test harness reports false positives of the
//! uninstrumented standard library. `cargo xtask tsan` runs it.

use std::time::Duration;

use engine_lock::{Condvar, Mutex};

const THREADS: u64 = 4;
const TIMES: u64 = 2_000;

static COUNTER: Mutex<(u64, u64)> = Mutex::new((0, 0));
static TURN: Mutex<u64> = Mutex::new(0);
static PASSED: Condvar = Condvar::new();

/// Counts under the lock, taken in every way there is.
fn count(me: u64) -> u64 {
    let mut failed = 0;
    for time in 0..TIMES {
        let guard = match (me + time) % 3 {
            0 => Some(COUNTER.lock()),
            1 => COUNTER.try_lock(),
            _ => COUNTER.try_lock_for(Duration::from_micros(50)),
        };
        match guard {
            Some(mut both) => {
                assert_eq!(both.0, both.1);
                both.0 += 1;
                both.1 += 1;
            }
            None => failed += 1,
        }
    }
    failed
}

/// Adds one whenever it is this thread's turn.
fn take_turns(me: u64) {
    for _ in 0..TIMES / 20 {
        let mut turn = TURN.lock();
        PASSED.wait_while(&mut turn, |turn| *turn % THREADS != me);
        *turn += 1;
        drop(turn);
        PASSED.notify_all();
    }
}

fn main() {
    let threads: Vec<_> = (0..THREADS)
        .map(|me| {
            std::thread::spawn(move || {
                take_turns(me);
                count(me)
            })
        })
        .collect();
    let failed: u64 = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread failed"))
        .sum();
    let counted = COUNTER.lock().0;
    assert_eq!(counted + failed, THREADS * TIMES);
    assert_eq!(*TURN.lock(), THREADS * (TIMES / 20));
    println!("{THREADS} threads, {counted} counted, {failed} attempts failed");
}
