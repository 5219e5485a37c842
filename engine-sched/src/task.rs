//! What is stored for a task: the user's future, and how to find the scheduler.
//!
//! The memory, the reference count and the state of a task are async-task's. It
//! gives out a [`Runnable`] whenever the task is to be polled; this module decides
//! where that goes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_task::{ScheduleInfo, WithInfo};
use engine_atomic::sync::Arc;
use engine_atomic::sync::atomic::{AtomicBool, Ordering::*};

use crate::context::{self, Woken};
use crate::shared::Home;

/// A task that is due to be polled.
pub(crate) type Runnable = async_task::Runnable<Meta>;

/// The other end, that waits for the result.
pub(crate) type Task<T> = async_task::Task<Outcome<T>, Meta>;

/// Why there is no result.
pub(crate) enum Failure {
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

/// How a task ended, on its way to whoever waits.
///
/// If nobody does, async-task drops this, and would abort the process if the drop
/// unwound: so this catches what the drop of a result throws.
pub(crate) struct Outcome<T>(Option<Result<T, Failure>>);

impl<T> Outcome<T> {
    pub(crate) fn into_result(mut self) -> Result<T, Failure> {
        self.0.take().expect("only this and the drop take it")
    }
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        if let Some(unwanted) = self.0.take() {
            context::catch(|| drop(unwanted));
        }
    }
}

/// Which threads run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Workers,
    Blocking,
}

/// Kept beside the future, and readable through every reference to the task.
pub(crate) struct Meta {
    pub(crate) home: Arc<Home>,
    /// The task's entry in the registry of `home`.
    pub(crate) key: u32,
    pub(crate) lane: Lane,
    cancelled: AtomicBool,
}

impl Meta {
    /// Makes the next poll drop the future.
    pub(crate) fn cancel(&self) {
        // Relaxed: whoever cancels then wakes the task, and the wake-up, as well as
        // the queue, publishes this.
        self.cancelled.store(true, Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        // Relaxed: see `cancel`; a poll that misses it is followed by another one.
        self.cancelled.load(Relaxed)
    }
}

/// Spawns `future` in `home`, without scheduling it; the future comes back if the
/// scheduler accepts no more tasks.
pub(crate) fn spawn<F>(
    home: &Arc<Home>,
    lane: Lane,
    future: F,
) -> Result<(Runnable, Task<F::Output>), F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let Some(entry) = home.registry.reserve() else {
        return Err(future);
    };
    let meta = Meta {
        home: home.clone(),
        key: entry.key(),
        lane,
        cancelled: AtomicBool::new(false),
    };
    let builder = async_task::Builder::new().metadata(meta);
    // SAFETY: (1) the task's future is Send, since `F` and `&Meta` are; (2) it borrows
    // nothing but the metadata, since `F: 'static`; (3) and (4) `schedule` is a plain
    // function: Send, Sync and 'static.
    let (runnable, task) = unsafe {
        builder.spawn_unchecked(
            move |meta| TaskFuture {
                meta,
                future: Some(future),
            },
            WithInfo(schedule),
        )
    };
    entry.fill(runnable.waker());
    Ok((runnable, task))
}

/// Called by async-task when a task becomes due.
fn schedule(runnable: Runnable, info: ScheduleInfo) {
    let woken = match info.woken_while_running {
        true => Woken::WhilePolled,
        false => Woken::WhileWaiting,
    };
    if runnable.metadata().lane == Lane::Blocking {
        let home = runnable.metadata().home.clone();
        home.shared.blocking.push(runnable, &home.shared);
    } else if let Err(runnable) = context::push_local(runnable, woken) {
        // Not one of our workers. The task may be run, finished and freed by a
        // worker before `inject` has woken one: keep the scheduler alive.
        let home = runnable.metadata().home.clone();
        home.shared.inject(runnable);
    }
}

/// The user's future: panics and cancellation end it with a [`Failure`], and its
/// end removes it from the registry.
struct TaskFuture<'a, F> {
    meta: &'a Meta,
    /// `None` once dropped. Pinned: never moved while it is `Some`.
    future: Option<F>,
}

impl<F: Future> Future for TaskFuture<'_, F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future inside is not moved out: it is only polled through a new
        // pin, and dropped in place by assigning `None`.
        let this = unsafe { self.get_unchecked_mut() };
        let cancelled = this.meta.is_cancelled();
        // Unwind: whatever broke inside is dropped and never looked at again.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Some(future) = this.future.as_mut() else {
                unreachable!("async-task polls no task that has finished");
            };
            if cancelled {
                return Poll::Ready(Err(Failure::Cancelled));
            }
            // SAFETY: `self` is pinned and `future` is part of it; see above.
            let future = unsafe { Pin::new_unchecked(future) };
            future.poll(cx).map(Ok)
        }));
        let mut outcome = Outcome(Some(match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(payload) => Err(Failure::Panicked(payload)),
        }));
        // Dropped here and not by async-task, so that a panic in the future's own
        // drop ends the task like one in its poll.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.future = None)) {
            // A result that is lost to this panic is dropped by the assignment.
            outcome = Outcome(Some(Err(Failure::Panicked(payload))));
        }
        Poll::Ready(outcome)
    }
}

impl<F> Drop for TaskFuture<'_, F> {
    fn drop(&mut self) {
        self.meta.home.registry.remove(self.meta.key);
    }
}
