//! The runtime of the binary: engine-sched.

use std::io;
use std::num::NonZeroUsize;

use engine_sched::{BuildError, Scheduler, Snapshot};
use serde_json::{Value, json};

use crate::reactor::Reactor;
use crate::runtime::{JobLost, Runtime};

/// The scheduler that the binary and the tests run on. Clones share it.
#[derive(Clone)]
pub struct Engine {
    scheduler: Scheduler,
    reactor: Reactor,
}

impl Engine {
    /// Starts `workers` threads, by default one for each CPU this process may use.
    ///
    /// # Errors
    ///
    /// More workers than a scheduler has, or a thread or a poller that the system
    /// refuses.
    pub fn start(workers: Option<NonZeroUsize>) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        let mut builder = Scheduler::builder()
            .thread_name("web")
            .driver(reactor.clone());
        if let Some(workers) = workers {
            builder = builder.workers(workers.get());
        }
        let scheduler = builder.build().map_err(|error| match error {
            BuildError::Thread(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidInput, other),
        })?;
        Ok(Self { scheduler, reactor })
    }

    /// How many worker threads run futures.
    pub fn workers(&self) -> usize {
        self.scheduler.snapshot().workers.len()
    }

    /// What watches the sockets of connections.
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// Runs `future` on the calling thread while the workers run what it spawns.
    ///
    /// Not `async_io::block_on`: while any thread is in that, async-io's own thread
    /// looks every fraction of a millisecond whether to take its place.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.scheduler.block_on(future)
    }

    /// Stops the workers and waits for them.
    pub fn shutdown(&self) {
        self.scheduler.shutdown();
    }
}

impl Runtime for Engine {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.scheduler.spawn(future).detach();
    }

    fn blocking<T, F>(&self, job: F) -> impl Future<Output = Result<T, JobLost>> + Send + 'static
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let handle = self.scheduler.spawn_blocking(job);
        async move { handle.await.map_err(|_cancelled_or_panicked| JobLost) }
    }

    fn snapshot_json(&self) -> String {
        to_json(&self.scheduler.snapshot()).to_string()
    }
}

fn to_json(snapshot: &Snapshot) -> Value {
    let workers: Vec<_> = snapshot
        .workers
        .iter()
        .map(|worker| {
            json!({
                "queued": worker.queued,
                "polls": worker.polls,
                "panics": worker.panics,
                "steals": worker.steals,
                "injected": worker.injected,
                "overflows": worker.overflows,
                "sleeps": worker.sleeps,
            })
        })
        .collect();
    json!({
        "live_tasks": snapshot.live_tasks,
        "injected": snapshot.injected,
        "searching": snapshot.searching,
        "sleeping": snapshot.sleeping,
        "blocking_threads": snapshot.blocking_threads,
        "blocking_queued": snapshot.blocking_queued,
        "workers": workers,
    })
}
