//! The result of a task.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::task::{Failure, Task};

/// Waits for the result of a task: a future of `Result<T, JoinError>`.
///
/// Dropping the handle detaches the task: it runs on, and its result is dropped.
/// [`abort`](Self::abort) cancels it. A panic in the task is an error here, and
/// nowhere else.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), engine_sched::BuildError> {
/// let scheduler = engine_sched::Scheduler::builder().workers(1).build()?;
/// let handle = scheduler.spawn(std::future::pending::<()>());
/// handle.abort();
/// let error = scheduler.block_on(handle).unwrap_err();
/// assert!(error.is_cancelled());
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the handle detaches the task"]
pub struct JoinHandle<T> {
    state: State<T>,
}

enum State<T> {
    Spawned(Task<T>),
    /// The scheduler did not accept the task.
    Refused,
    /// The result has been handed out.
    Taken,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: Task<T>) -> Self {
        Self {
            state: State::Spawned(task),
        }
    }

    /// The handle of a task that the scheduler did not accept.
    pub(crate) fn refused() -> Self {
        Self {
            state: State::Refused,
        }
    }

    /// Cancels the task.
    ///
    /// Its future is dropped at its next turn, on a worker. A task that is being
    /// polled finishes that poll first; if it ends with it, the result stands. A
    /// blocking closure that has begun is not stopped.
    pub fn abort(&self) {
        if let State::Spawned(task) = &self.state {
            let meta = task.metadata();
            meta.cancel();
            if let Some(waker) = meta.home.registry.waker(meta.key) {
                waker.wake();
            }
        }
    }

    /// Whether the task has ended, in whichever way.
    pub fn is_finished(&self) -> bool {
        match &self.state {
            State::Spawned(task) => task.is_finished(),
            State::Refused | State::Taken => true,
        }
    }

    /// Lets the task run on without a handle; the same as a drop, but says so.
    pub fn detach(self) {
        drop(self);
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// If polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.state {
            State::Spawned(task) => match Pin::new(task).poll(cx) {
                Poll::Ready(outcome) => outcome.into_result(),
                Poll::Pending => return Poll::Pending,
            },
            State::Refused => Err(Failure::Cancelled),
            State::Taken => panic!("a `JoinHandle` was polled after it was ready"),
        };
        self.state = State::Taken;
        Poll::Ready(result.map_err(|failure| {
            JoinError(match failure {
                Failure::Cancelled => Reason::Cancelled,
                Failure::Panicked(payload) => Reason::Panicked(SyncPayload(payload)),
            })
        }))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let State::Spawned(task) = std::mem::replace(&mut self.state, State::Taken) {
            task.detach();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// Why a task has no result: it was cancelled, or it panicked.
pub struct JoinError(Reason);

enum Reason {
    Cancelled,
    Panicked(SyncPayload),
}

/// A panic's payload, out of reach of shared references.
struct SyncPayload(Box<dyn Any + Send>);

// SAFETY: no method gives access to the payload through a shared reference, so other
// threads can only move it, for which it is Send.
unsafe impl Sync for SyncPayload {}

impl JoinError {
    /// The task was aborted, or the scheduler was shut down before the task's end.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Reason::Cancelled)
    }

    /// The task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Reason::Panicked(_))
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// The error itself, if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.0 {
            Reason::Panicked(payload) => Ok(payload.0),
            Reason::Cancelled => Err(self),
        }
    }

    /// The panic's payload, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("the task did not panic: {error}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::Cancelled => "JoinError::Cancelled",
            Reason::Panicked(_) => "JoinError::Panicked",
        })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::Cancelled => "the task was cancelled",
            Reason::Panicked(_) => "the task panicked",
        })
    }
}

impl std::error::Error for JoinError {}
