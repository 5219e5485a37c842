//! What the server asks of whatever runs it.
//!
//! The handler is generic over [`Runtime`], so that the same code runs on
//! engine-sched in the binary and on other executors in a comparison.

use std::error::Error;
use std::fmt;
use std::io;

/// An executor: it runs futures, and closures that block or compute for long.
pub trait Runtime: Clone + Send + Sync + Unpin + 'static {
    /// Runs `future` to its end, detached from the caller.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Runs `job` where it may block or compute for long without holding up
    /// futures, and resolves to its result.
    ///
    /// # Errors
    ///
    /// [`JobLost`] if the job panicked or the runtime shut down before it ran.
    fn blocking<T, F>(&self, job: F) -> impl Future<Output = Result<T, JobLost>> + Send + 'static
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;

    /// The runtime's own counters as a JSON value, for `/_engine/`.
    fn snapshot_json(&self) -> String {
        "null".to_owned()
    }
}

/// A job given to [`Runtime::blocking`] ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLost;

impl fmt::Display for JobLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a background job ended without a result")
    }
}

impl Error for JobLost {}

impl From<JobLost> for io::Error {
    fn from(lost: JobLost) -> Self {
        io::Error::other(lost)
    }
}
