//! A thread that sleeps until it is woken once.

use std::time::Instant;

use engine_atomic::futex::{self, WaitResult};
use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};

/// | word | meaning | who may leave it, how |
/// |---|---|---|
/// | `NONE` | not woken | whoever was given the parker, once: `swap` to `WOKEN` |
/// | `WOKEN` | woken | the thread: `swap` to `NONE` |
pub(super) struct Parker {
    word: AtomicU32,
}

const NONE: u32 = 0;
const WOKEN: u32 = 1;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Parked {
    Woken,
    TimedOut,
}

impl Parker {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU32::new(NONE),
        }
    }

    /// Sleeps until `unpark`, or the deadline.
    pub(super) fn park(&self, deadline: Option<Instant>) -> Parked {
        loop {
            // WOKEN -> NONE
            // Relaxed: what the waker did before is ordered by the lock of the list, which it
            // held before this, and which the woken thread takes next.
            if self.word.swap(NONE, Relaxed) == WOKEN {
                return Parked::Woken;
            }
            match deadline {
                None => futex::wait(&self.word, NONE),
                Some(deadline) => {
                    if futex::wait_until(&self.word, NONE, deadline) == WaitResult::TimedOut {
                        return Parked::TimedOut;
                    }
                }
            }
        }
    }

    pub(super) fn unpark(&self) {
        // NONE -> WOKEN
        // Relaxed: see `park`.
        self.word.swap(WOKEN, Relaxed);
        futex::wake_one(&self.word);
    }
}
