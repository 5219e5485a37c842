//! A thread that sleeps until it is woken once.

use std::time::Instant;

use engine_atomic::futex::{self, WaitResult};
use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};

/// Lies on the stack of the thread that waits.
///
/// | word | meaning | who may leave it, how |
/// |---|---|---|
/// | `NONE` | not woken | whoever takes the entry out of the list, under its lock: `swap` to `WOKEN` |
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

/// Whom to rouse: the word of a parker that may be gone by now.
#[must_use = "the thread sleeps until this is used"]
pub(super) struct Asleep(*const AtomicU32);

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
            // held for this, and which the woken thread takes next.
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

    /// Ends the sleep; the thread has to be roused as well.
    pub(super) fn unpark(&self) -> Asleep {
        // NONE -> WOKEN
        // Relaxed: see `park`.
        self.word.swap(WOKEN, Relaxed);
        Asleep(&raw const self.word)
    }
}

impl Asleep {
    pub(super) fn rouse(self) {
        // The parker may be gone, if its thread has seen the word: a futex knows the address
        // only, and what sleeps there now looks at its own word.
        futex::wake_one(self.0);
    }
}
