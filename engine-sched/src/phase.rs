//! Whether a scheduler runs, ends, or has ended.

use engine_atomic::futex;
use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};

#[cfg(test)]
mod model;

/// | word | meaning | who may leave it, how |
/// |---|---|---|
/// | `RUNNING` | tasks are accepted and run | any thread, by `begin_stop`: one CAS |
/// | `STOPPING` | workers end after their current poll; what is left is cancelled | the last worker to end, by `finish` |
/// | `STOPPED` | no task is left, and no worker touches one | nobody |
pub(crate) struct Phase {
    word: AtomicU32,
}

const RUNNING: u32 = 0;
const STOPPING: u32 = 1;
const STOPPED: u32 = 2;

/// The answer to a request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only the caller that began the end has to tell the workers"]
pub(crate) enum Stop {
    Begun,
    AlreadyBegun,
}

impl Phase {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU32::new(RUNNING),
        }
    }

    /// Whether workers have to go on.
    pub(crate) fn is_running(&self) -> bool {
        // Relaxed: a worker that misses the end is told by a token, or by its last look
        // before it sleeps, which the idle protocol's fences order.
        self.word.load(Relaxed) == RUNNING
    }

    /// Begins the end, unless it has begun.
    pub(crate) fn begin_stop(&self) -> Stop {
        // RUNNING -> STOPPING
        // Relaxed: nothing is handed over; the workers are told through the idle
        // protocol, which has the fence.
        let begun = self
            .word
            .compare_exchange(RUNNING, STOPPING, Relaxed, Relaxed);
        match begun {
            Ok(_) => Stop::Begun,
            Err(_) => Stop::AlreadyBegun,
        }
    }

    /// Tells those who wait that all has ended.
    pub(crate) fn finish(&self) {
        // STOPPING -> STOPPED
        // Release: all that the workers did; pairs with the Acquire in `wait_stopped`.
        let before = self.word.swap(STOPPED, Release);
        debug_assert_eq!(before, STOPPING, "an end that nobody began");
        futex::wake_all(&self.word);
    }

    /// Blocks until all has ended.
    pub(crate) fn wait_stopped(&self) {
        loop {
            // Acquire: pairs with the Release in `finish`.
            let phase = self.word.load(Acquire);
            if phase == STOPPED {
                return;
            }
            futex::wait(&self.word, phase);
        }
    }
}
