//! Which scheduler the current thread belongs to.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use engine_atomic::sync::{Arc, thread_local};
use engine_queue::deque::bounded;

use crate::shared::{Home, Shared};
use crate::stats::WorkerStats;
use crate::task::Runnable;

/// A worker's own things, that tasks running on it reach through [`CURRENT`].
pub(crate) struct WorkerContext {
    pub(crate) home: Arc<Home>,
    pub(crate) index: usize,
    pub(crate) queue: bounded::Worker<Runnable>,
}

/// What the current thread is to a scheduler.
pub(crate) enum Context {
    Worker(Rc<WorkerContext>),
    /// A worker that has left its loop: it drops what is left, and queues nothing.
    Ending(Rc<WorkerContext>),
    Blocking(Arc<Home>),
}

thread_local! {
    // The checkers' macros take no `const` block.
    #[allow(clippy::missing_const_for_thread_local)]
    static CURRENT: RefCell<Option<Context>> = RefCell::new(None);
}

impl Context {
    pub(crate) fn home(&self) -> &Arc<Home> {
        match self {
            Context::Worker(worker) | Context::Ending(worker) => &worker.home,
            Context::Blocking(home) => home,
        }
    }
}

/// Sets what the current thread is, until the thread clears it with `None`.
pub(crate) fn set(context: Option<Context>) {
    let before = CURRENT.with(|current| current.replace(context));
    // Outside of the borrow: dropping it may run user code.
    drop(before);
}

/// Calls `f` with the context, if the thread has one.
pub(crate) fn with<R>(f: impl FnOnce(&Context) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| current.borrow().as_ref().map(f))
        .ok()
        .flatten()
}

/// The home of the current thread, if it belongs to any scheduler.
pub(crate) fn home() -> Option<Arc<Home>> {
    with(|context| context.home().clone())
}

/// Whether the current thread is a worker or a blocking thread of `shared`.
pub(crate) fn belongs_to(shared: &Arc<Shared>) -> bool {
    with(|context| Arc::ptr_eq(&context.home().shared, shared)).unwrap_or(false)
}

/// Whether the current thread is a worker of any scheduler.
pub(crate) fn is_worker() -> bool {
    with(|context| !matches!(context, Context::Blocking(_))).unwrap_or(false)
}

/// Calls code of the user's. A panic, which no handle can be given, is counted, if the thread
/// is a worker; it has been reported by then.
pub(crate) fn catch(user: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(user)) {
        with(|context| {
            if let Context::Worker(worker) | Context::Ending(worker) = context {
                worker.stats().panics.add(1);
            }
        });
        // Its drop may panic as well.
        std::mem::forget(payload);
    }
}

/// When a task was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// In its poll, which has ended just now: this worker is about to look at its queue.
    WhilePolled,
    /// Between two polls, or before the first.
    WhileWaiting,
}

/// Queues `runnable` on the current worker, or hands it back if the thread is no
/// worker of the task's scheduler.
pub(crate) fn push_local(runnable: Runnable, woken: Woken) -> Result<(), Runnable> {
    let mut runnable = Some(runnable);
    with(|context| {
        if let Context::Worker(worker) = context
            && let Some(task) =
                runnable.take_if(|r| Arc::ptr_eq(&r.metadata().home.shared, &worker.home.shared))
        {
            worker.push(task, woken);
        }
    });
    match runnable {
        None => Ok(()),
        Some(runnable) => Err(runnable),
    }
}

impl WorkerContext {
    /// The counters that this worker writes.
    pub(crate) fn stats(&self) -> &WorkerStats {
        &self.home.shared.workers[self.index].stats
    }

    fn push(&self, runnable: Runnable, woken: Woken) {
        let shared = &self.home.shared;
        match (self.queue.push(runnable), woken) {
            (Ok(()), Woken::WhilePolled) => {
                // The worker takes its next task from this queue right away, and what was
                // in it before has been announced: see PROTOCOL.md.
            }
            (Ok(()), Woken::WhileWaiting) => shared.idle.notify_from(self.index),
            (Err(runnable), _) => shared.overflow(self, runnable),
        }
    }
}
