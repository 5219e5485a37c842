//! A future that was not accepted.

use std::fmt;

/// The scheduler has been shut down; the future is handed back.
pub struct SpawnError<F> {
    future: F,
}

impl<F> SpawnError<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future }
    }

    /// The future that was not spawned.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnError").finish_non_exhaustive()
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scheduler has been shut down")
    }
}

impl<F> std::error::Error for SpawnError<F> {}
