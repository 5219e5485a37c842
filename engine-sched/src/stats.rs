//! Counters of one worker.

use engine_atomic::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A counter that one thread writes and any thread reads.
pub(crate) struct Counter(AtomicU64);

impl Counter {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `n`; only the worker that owns the counter may call this.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // Relaxed, and a load and a store: one writer, and a statistic.
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: a statistic.
        self.0.load(Relaxed)
    }
}

/// See [`WorkerSnapshot`](crate::WorkerSnapshot), field by field.
pub(crate) struct WorkerStats {
    pub(crate) polls: Counter,
    pub(crate) panics: Counter,
    pub(crate) steals: Counter,
    pub(crate) injected: Counter,
    pub(crate) overflows: Counter,
    pub(crate) sleeps: Counter,
}

impl WorkerStats {
    pub(crate) fn new() -> Self {
        Self {
            polls: Counter::new(),
            panics: Counter::new(),
            steals: Counter::new(),
            injected: Counter::new(),
            overflows: Counter::new(),
            sleeps: Counter::new(),
        }
    }
}
