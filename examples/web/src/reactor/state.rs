//! Whether the driving worker waits, and how it is made to return.

use std::fmt;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::futex::{self, WaitResult};

/// One word between the worker that drives the reactor and all who unpark it.
///
/// | value | meaning | who may leave it, how |
/// |---|---|---|
/// | `AWAKE` | nobody waits | the driving worker, to `WAITING`; an unpark, to `NOTIFIED` |
/// | `WAITING` | a worker is in the poller, or about to be | that worker, to `AWAKE` or `RESTING`; an unpark, to `NOTIFIED`, and it notifies the poller |
/// | `RESTING` | the poller has failed, and a worker sleeps on this word | that worker, to `AWAKE`; an unpark, to `NOTIFIED`, and it wakes the word |
/// | `NOTIFIED` | the current or the next park is to return | the driving worker, to `AWAKE` |
///
/// Whoever leaves `AWAKE` for `WAITING` is the driving worker, of which there is one.
pub struct State {
    word: AtomicU32,
}

const AWAKE: u32 = 0;
const WAITING: u32 = 1;
const RESTING: u32 = 2;
const NOTIFIED: u32 = 3;

/// What a park that begins is to do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Wait for events.
    Wait,
    /// Look for events and return: an unpark has come already.
    Return,
}

/// What an unpark has to do besides.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpark {
    /// Nothing: the worker looks at the word before it waits, or is on its way out.
    Done,
    /// End the wait in the poller.
    NotifyPoller,
}

impl State {
    /// Nobody waits.
    pub fn new() -> Self {
        Self {
            word: AtomicU32::new(AWAKE),
        }
    }

    /// The driving worker: a park begins.
    pub fn begin(&self) -> Begin {
        // AWAKE -> WAITING
        // Relaxed: `end` takes what there is to take, also on failure.
        let begun =
            self.word
                .compare_exchange(AWAKE, WAITING, Ordering::Relaxed, Ordering::Relaxed);
        if begun.is_ok() {
            Begin::Wait
        } else {
            Begin::Return
        }
    }

    /// The driving worker: it is out of the poller, and an unpark needs no system call
    /// from here on.
    pub fn woken(&self) {
        // WAITING -> AWAKE
        // Relaxed: nothing is handed over. NOTIFIED stays, for `end` to take.
        let _ = self
            .word
            .compare_exchange(WAITING, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The driving worker: the poller has failed. Sleeps for `pause`, or until an unpark.
    pub fn rest(&self, pause: Duration) {
        // WAITING -> RESTING
        // Relaxed: as in `begin`. NOTIFIED: no rest then.
        let resting =
            self.word
                .compare_exchange(WAITING, RESTING, Ordering::Relaxed, Ordering::Relaxed);
        if resting.is_err() {
            return;
        }
        let deadline = Instant::now() + pause;
        // Relaxed: `end` takes what the unpark hands over.
        while self.word.load(Ordering::Relaxed) == RESTING
            && futex::wait_until(&self.word, RESTING, deadline) != WaitResult::TimedOut
        {}
    }

    /// The driving worker: the park returns, and with it ends what any unpark so far
    /// has asked for.
    pub fn end(&self) {
        // any -> AWAKE
        // Acquire: what the callers of `unpark` did before happens before the return;
        // pairs with its Release. A later unpark continues the release sequence of an
        // earlier one, so all of them are seen.
        self.word.swap(AWAKE, Ordering::Acquire);
    }

    /// Any thread: the current or the next park is to return.
    pub fn unpark(&self) -> Unpark {
        // any -> NOTIFIED
        // Release: publishes what the caller did before; pairs with the Acquire in `end`.
        match self.word.swap(NOTIFIED, Ordering::Release) {
            WAITING => Unpark::NotifyPoller,
            RESTING => {
                futex::wake_one(&self.word);
                Unpark::Done
            }
            _ => Unpark::Done,
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a glance.
        f.write_str(match self.word.load(Ordering::Relaxed) {
            AWAKE => "Awake",
            WAITING => "Waiting",
            RESTING => "Resting",
            _ => "Notified",
        })
    }
}
