//! Which worker is the last to end.

use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};

#[cfg(test)]
mod model;

/// The workers that have not ended.
///
/// | count | meaning | who may leave it, how |
/// |---|---|---|
/// | n > 0 | n workers have not ended | one of those, by `end` |
/// | 0 | the last one cleans up, or has | nobody |
pub(crate) struct Running {
    count: AtomicU32,
}

/// Which worker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the last one has to clean up"]
pub(crate) enum Ended {
    Last,
    NotLast,
}

impl Running {
    pub(crate) fn new(workers: u32) -> Self {
        Self {
            count: AtomicU32::new(workers),
        }
    }

    /// Called once by each worker, when it touches nothing more that the last one cleans up.
    pub(crate) fn end(&self) -> Ended {
        // n -> n - 1
        // Release: all that this worker did; Acquire, for the last one: all that the
        // others did. Each pairs with the other, in this line; the RMWs in between
        // continue the release sequence.
        let before = self.count.fetch_sub(1, AcqRel);
        debug_assert_ne!(before, 0, "a worker ended twice");
        match before {
            1 => Ended::Last,
            _ => Ended::NotLast,
        }
    }
}
