//! What all threads of a scheduler share.

use std::task::Waker;
use std::time::Duration;

use engine_atomic::sync::Arc;
use engine_atomic::{Backoff, CachePadded};
use engine_queue::deque::{Injector, Steal, bounded};

use crate::blocking::BlockingPool;
use crate::builder::Hooks;
use crate::context::WorkerContext;
use crate::driver::Driver;
use crate::idle::Idle;
use crate::phase::{Phase, Stop};
use crate::registry::Registry;
use crate::running::{Ended, Running};
use crate::stats::WorkerStats;
use crate::task::Runnable;

/// The part of a scheduler that tasks are spawned in: one for each worker, and one
/// for foreign threads. Each has a registry and a reference count of its own, so
/// that workers that spawn do not write to one line.
pub(crate) struct Home {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Arc<Registry>,
}

impl Home {
    /// Where threads that are no workers spawn.
    pub(crate) fn foreign(shared: &Arc<Shared>) -> Self {
        let registry = shared.registries.last();
        Self {
            registry: registry.expect("there is one more than workers").clone(),
            shared: shared.clone(),
        }
    }
}

/// One for each scheduler.
pub(crate) struct Shared {
    pub(crate) injector: Injector<Runnable>,
    pub(crate) idle: Idle,
    pub(crate) workers: Box<[Remote]>,
    /// The registries of the workers, and last the one of foreign threads.
    pub(crate) registries: Box<[Arc<Registry>]>,
    pub(crate) blocking: BlockingPool,
    pub(crate) hooks: Hooks,
    pub(crate) phase: Phase,
    running: Running,
}

/// How often the end looks for tasks that are still on their way, while closures run.
const CLOSURE_POLL: Duration = Duration::from_millis(1);

/// What a worker shows to the others.
pub(crate) struct Remote {
    pub(crate) stealer: bounded::Stealer<Runnable>,
    pub(crate) stats: CachePadded<WorkerStats>,
}

impl Shared {
    pub(crate) fn new(
        stealers: Vec<bounded::Stealer<Runnable>>,
        blocking: BlockingPool,
        hooks: Hooks,
        driver: Option<Box<dyn Driver>>,
    ) -> Self {
        let count = stealers.len();
        let remote = |stealer| Remote {
            stealer,
            stats: CachePadded::new(WorkerStats::new()),
        };
        Self {
            injector: Injector::new(),
            idle: Idle::new(count, driver),
            workers: stealers.into_iter().map(remote).collect(),
            registries: (0..=count).map(|_| Arc::new(Registry::new())).collect(),
            blocking,
            hooks,
            phase: Phase::new(),
            running: Running::new(u32::try_from(count).expect("the builder limits the workers")),
        }
    }

    /// Queues a task from a foreign thread.
    pub(crate) fn inject(&self, runnable: Runnable) {
        self.injector.push(runnable);
        self.idle.notify();
    }

    /// Queues `runnable`, for which the worker's own queue has no room, in the
    /// injector, and half of that queue before it, so that the next pushes fit.
    #[cold]
    pub(crate) fn overflow(&self, worker: &WorkerContext, runnable: Runnable) {
        let mut batch = Vec::with_capacity(worker.queue.capacity() / 2 + 1);
        worker.queue.pop_half(&mut batch);
        batch.push(runnable);
        worker.stats().overflows.add(1);
        self.injector.push_batch(&mut batch);
        self.idle.notify_from(worker.index);
    }

    /// Whether a task is in any queue that a worker can take from.
    pub(crate) fn any_public(&self) -> bool {
        !self.injector.is_empty() || self.workers.iter().any(|w| !w.stealer.is_empty())
    }

    /// Asks all workers to end.
    pub(crate) fn begin_stop(&self) {
        if self.phase.begin_stop() == Stop::Begun {
            self.idle.wake_all();
        }
    }

    /// Called by each worker as it ends; the last one clears what is left.
    pub(crate) fn worker_ended(&self) {
        if self.running.end() == Ended::Last {
            self.clear();
        }
    }

    /// Cancels every task, with all workers gone.
    fn clear(&self) {
        let wakers: Vec<_> = self.registries.iter().flat_map(|r| r.close()).collect();
        // Closures that have begun run to their end. They may wait for tasks: these are
        // cancelled while the closures run, not after them.
        self.blocking.begin_stop();
        // Due tasks are in the injector; waking the others puts them there. A task
        // that a foreign thread is waking right now arrives a moment later.
        wakers.into_iter().for_each(Waker::wake);
        let backoff = Backoff::new();
        loop {
            match self.injector.steal() {
                Steal::Success(runnable) => {
                    backoff.reset();
                    cancel(runnable);
                }
                Steal::Empty if self.live_tasks() == 0 => break,
                Steal::Empty | Steal::Retry => {
                    backoff.snooze();
                    if backoff.is_completed() {
                        // While a closure runs, there is no need to look all the time.
                        self.blocking.wait_ended(CLOSURE_POLL);
                    }
                }
            }
        }
        while self.blocking.counts().0 > 0 {
            self.blocking.wait_ended(CLOSURE_POLL);
        }
        self.phase.finish();
    }

    /// Tasks that have been spawned and have not ended.
    pub(crate) fn live_tasks(&self) -> usize {
        self.registries.iter().map(|registry| registry.live()).sum()
    }
}

/// Ends a due task: polls it a last time, which drops its future.
pub(crate) fn cancel(runnable: Runnable) {
    runnable.metadata().cancel();
    crate::worker::run_caught(runnable);
}
