//! The executor behind the binary: the one file that names it.
//!
//! engine-sched's `Scheduler` takes this place as soon as it exists; until
//! then async-executor does, on the same number of threads. Nothing outside
//! this file depends on which of the two it is.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_executor::Executor;
use event_listener::Event;

use crate::runtime::{JobLost, Runtime};

/// The scheduler that the binary and the tests run on. Clones share it.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    executor: Arc<Executor<'static>>,
    stop: Arc<Event>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts `workers` threads, by default one for each CPU this process may use.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread.
    pub fn start(workers: Option<NonZeroUsize>) -> io::Result<Self> {
        let count = match workers {
            Some(count) => count.get(),
            None => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        };
        let executor = Arc::new(Executor::new());
        let stop = Arc::new(Event::new());
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let executor = Arc::clone(&executor);
            let stopped = stop.listen();
            let run = move || futures_lite::future::block_on(executor.run(stopped));
            workers.push(
                thread::Builder::new()
                    .name(format!("web-{index}"))
                    .spawn(run)?,
            );
        }
        Ok(Self {
            shared: Arc::new(Shared {
                executor,
                stop,
                workers: Mutex::new(workers),
            }),
        })
    }

    /// How many worker threads run futures.
    pub fn workers(&self) -> usize {
        let workers = &self.shared.workers;
        workers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Runs `future` on the calling thread while the workers run what it spawns.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        async_io::block_on(future)
    }

    /// Stops the workers and waits for them.
    pub fn shutdown(&self) {
        self.shared.stop.notify(usize::MAX);
        let workers = &self.shared.workers;
        let workers = std::mem::take(&mut *workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker that panicked has nothing left to stop.
            let _ = worker.join();
        }
    }
}

impl Runtime for Engine {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.shared.executor.spawn(future).detach();
    }

    fn blocking<T, F>(&self, job: F) -> impl Future<Output = Result<T, JobLost>> + Send + 'static
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let task = blocking::unblock(move || catch_unwind(AssertUnwindSafe(job)));
        async move { task.await.map_err(|_panic| JobLost) }
    }
}
