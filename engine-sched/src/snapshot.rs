//! What a scheduler does.

use std::fmt;

use crate::shared::{Remote, Shared};

/// The state of a scheduler at about one moment; from
/// [`Scheduler::snapshot`](crate::Scheduler::snapshot).
///
/// Counters start at 0 with the scheduler and wrap at 2⁶⁴. Taking a snapshot locks each
/// worker's list of tasks for a few instructions, and stops nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Tasks and blocking closures that have been spawned and have not ended.
    pub live_tasks: u64,
    /// Tasks in the injector.
    pub injected: u64,
    /// Workers that look for work now.
    pub searching: u64,
    /// Workers that sleep now.
    pub sleeping: u64,
    /// Threads for blocking closures.
    pub blocking_threads: u64,
    /// Blocking closures that wait for a thread.
    pub blocking_queued: u64,
    /// One for each worker, by index.
    pub workers: Vec<WorkerSnapshot>,
}

/// One worker's part of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerSnapshot {
    /// Tasks in the worker's queue.
    pub queued: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Panics that no handle could be given: in the drop of a result that nobody waited
    /// for, in a hook, in the [`Driver`](crate::Driver).
    pub panics: u64,
    /// Successful steals from other workers; each may have moved several tasks.
    pub steals: u64,
    /// Successful takes from the injector; each may have moved several tasks.
    pub injected: u64,
    /// Times that the worker's queue was full and half of it went to the injector.
    pub overflows: u64,
    /// Times that the worker found nothing and went to sleep.
    pub sleeps: u64,
}

impl Snapshot {
    pub(crate) fn take(shared: &Shared) -> Self {
        let (blocking_threads, blocking_queued) = shared.blocking.counts();
        Self {
            live_tasks: shared.live_tasks() as u64,
            injected: shared.injector.len() as u64,
            searching: shared.idle.searching() as u64,
            sleeping: shared.idle.sleeping() as u64,
            blocking_threads: blocking_threads as u64,
            blocking_queued: blocking_queued as u64,
            workers: shared.workers.iter().map(WorkerSnapshot::take).collect(),
        }
    }
}

impl WorkerSnapshot {
    fn take(worker: &Remote) -> Self {
        let stats = &worker.stats;
        Self {
            queued: worker.stealer.len() as u64,
            polls: stats.polls.get(),
            panics: stats.panics.get(),
            steals: stats.steals.get(),
            injected: stats.injected.get(),
            overflows: stats.overflows.get(),
            sleeps: stats.sleeps.get(),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} live tasks, {} injected; {} workers, {} searching, {} asleep; \
             {} blocking threads, {} closures queued",
            self.live_tasks,
            self.injected,
            self.workers.len(),
            self.searching,
            self.sleeping,
            self.blocking_threads,
            self.blocking_queued,
        )?;
        writeln!(
            f,
            "{:>6} {:>8} {:>12} {:>10} {:>10} {:>10} {:>10}",
            "worker", "queued", "polls", "steals", "injected", "overflows", "sleeps"
        )?;
        for (index, worker) in self.workers.iter().enumerate() {
            writeln!(
                f,
                "{index:>6} {:>8} {:>12} {:>10} {:>10} {:>10} {:>10}",
                worker.queued,
                worker.polls,
                worker.steals,
                worker.injected,
                worker.overflows,
                worker.sleeps,
            )?;
        }
        Ok(())
    }
}
