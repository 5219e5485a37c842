//! The handle to a scheduler.

use std::fmt;

use engine_atomic::sync::{Arc, thread};
use engine_lock::Mutex;

use crate::block_on;
use crate::builder::Builder;
use crate::context;
use crate::join_handle::JoinHandle;
use crate::shared::{Home, Shared};
use crate::snapshot::Snapshot;
use crate::spawn_error::SpawnError;
use crate::task::{self, Lane};

/// A running scheduler.
///
/// Clones are handles to the same one. When the last handle is dropped, the
/// scheduler is shut down as by [`shutdown`](Self::shutdown). A task that holds one keeps
/// the scheduler running: to spawn from a task, use the free function [`spawn`].
///
/// # Example
///
/// ```
/// use engine_sched::{JoinError, Scheduler};
///
/// # fn main() -> Result<(), engine_sched::BuildError> {
/// let scheduler = Scheduler::builder().workers(2).build()?;
/// let good = scheduler.spawn(async { "fine" });
/// let bad = scheduler.spawn(async { panic!("not so fine") });
/// scheduler.block_on(async {
///     assert_eq!(good.await.unwrap(), "fine");
///     let error: JoinError = bad.await.unwrap_err();
///     assert!(error.is_panic());
/// });
/// # Ok(())
/// # }
/// ```
///
/// See the [crate documentation](crate) for what is guaranteed.
#[derive(Clone)]
pub struct Scheduler {
    /// Not the facade's: a reference count, not a protocol.
    inner: std::sync::Arc<Inner>,
}

/// What the handles share; its drop is the end of the last handle.
struct Inner {
    /// Where foreign threads spawn.
    home: Arc<Home>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Scheduler {
    /// Settings for a new scheduler.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(shared: Arc<Shared>, threads: Vec<thread::JoinHandle<()>>) -> Self {
        let inner = Inner {
            home: Arc::new(Home::foreign(&shared)),
            threads: Mutex::new(threads),
        };
        Self {
            inner: std::sync::Arc::new(inner),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.home.shared
    }

    /// Runs `future` on the workers.
    ///
    /// After a [`shutdown`](Self::shutdown) the future is dropped here, and the handle
    /// resolves to an error that [`is_cancelled`](crate::JoinError::is_cancelled);
    /// [`try_spawn`](Self::try_spawn) hands it back instead.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.try_spawn(future)
            .unwrap_or_else(|_| JoinHandle::refused())
    }

    /// Runs `future` on the workers, unless the scheduler has been shut down.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] with the future inside, after a [`shutdown`](Self::shutdown).
    pub fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, SpawnError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.with_home(|home| spawn_in(home, Lane::Workers, future))
            .map_err(SpawnError::new)
    }

    /// Runs `closure`, which may block, on a thread of its own.
    ///
    /// Such threads are started when all others are busy, up to
    /// [`Builder::blocking_threads`]; beyond that, closures wait their turn. If the
    /// system refuses even the first thread, the closure runs on a worker, where
    /// [`block_on`](Self::block_on) panics.
    ///
    /// [`JoinHandle::abort`] and [`shutdown`](Self::shutdown) cancel a closure that has
    /// not begun; one that has runs to its end, and `shutdown` waits for it. After a
    /// shutdown the closure is dropped here, and the handle resolves to an error.
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.with_home(|home| spawn_in(home, Lane::Blocking, async move { closure() }))
            .unwrap_or_else(|_| JoinHandle::refused())
    }

    /// Runs `future` on the calling thread, which sleeps while the future waits.
    ///
    /// The future may borrow, and need not be `Send`. It may await the tasks of this
    /// scheduler or of any other; it needs none of its workers, and works after a
    /// shutdown.
    ///
    /// # Panics
    ///
    /// On a worker thread of any scheduler: the worker would sleep while its own tasks
    /// wait, which ends in a deadlock. Use `.await` there. A panic in the future passes
    /// through.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(
            !context::is_worker(),
            "`block_on` on a worker thread would block the tasks that it waits for: use `.await`"
        );
        block_on::block_on(future)
    }

    /// Ends the scheduler, and waits until it has ended.
    ///
    /// Workers finish the poll that they are in. Every task that has not ended then is
    /// cancelled: its future is dropped, on a thread of the scheduler, and its handle
    /// resolves to an error that [`is_cancelled`](crate::JoinError::is_cancelled).
    /// Blocking closures that have begun run to their end, and this waits for them; a task
    /// that one of them waits for is cancelled before.
    ///
    /// Called on a thread of the scheduler itself, by a task or a blocking closure, it
    /// only starts the end and returns: that thread has to finish first.
    ///
    /// A second call, from any handle, waits for the same end. Two schedulers that are each
    /// shut down by a task of the other wait for ever.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_shut_down(&self) -> bool {
        !self.shared().phase.is_running()
    }

    /// What the scheduler does at this moment, and what it has done.
    ///
    /// The numbers are read one by one while the threads go on, so they need not
    /// agree with each other.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(self.shared())
    }

    /// Calls `f` with the home to spawn in: the worker's own, on a worker of this
    /// scheduler.
    fn with_home<R>(&self, f: impl FnOnce(&Arc<Home>) -> R) -> R {
        match context::home() {
            Some(home) if Arc::ptr_eq(&home.shared, self.shared()) => f(&home),
            _ => f(&self.inner.home),
        }
    }
}

/// Spawns `future` on the scheduler that runs the calling task.
///
/// # Panics
///
/// On a thread that belongs to no scheduler.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), engine_sched::BuildError> {
/// let scheduler = engine_sched::Scheduler::builder().workers(1).build()?;
/// let outer = scheduler.spawn(async { engine_sched::spawn(async { 7 }).await.unwrap() });
/// assert_eq!(scheduler.block_on(outer).unwrap(), 7);
/// # Ok(())
/// # }
/// ```
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let home = context::home().expect("`spawn` was called outside of a scheduler");
    spawn_in(&home, Lane::Workers, future).unwrap_or_else(|_| JoinHandle::refused())
}

fn spawn_in<F>(home: &Arc<Home>, lane: Lane, future: F) -> Result<JoinHandle<F::Output>, F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (runnable, task) = task::spawn(home, lane, future)?;
    // The handle first: if scheduling unwinds, the task is detached, not lost.
    let handle = JoinHandle::new(task);
    runnable.schedule();
    Ok(handle)
}

impl Inner {
    fn shutdown(&self) {
        let shared = &self.home.shared;
        shared.begin_stop();
        if context::belongs_to(shared) {
            return;
        }
        shared.phase.wait_stopped();
        // All is over; the threads are on their last instructions.
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            // A worker's thread-local value may hold the last handle, and be dropped here.
            if thread.thread().id() != thread::current().id() {
                // A worker catches all panics, so there is no other result.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        f.debug_struct("Scheduler")
            .field("workers", &shared.workers.len())
            .field("live_tasks", &shared.live_tasks())
            .field("is_shut_down", &self.is_shut_down())
            .finish()
    }
}
