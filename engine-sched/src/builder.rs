//! Settings, and the start of the threads.

use std::fmt;
use std::io;
use std::time::Duration;

use engine_atomic::sync::{Arc, pick, thread};
use engine_queue::deque::bounded;

use crate::blocking::BlockingPool;
use crate::context;
use crate::driver::Driver;
use crate::scheduler::Scheduler;
use crate::shared::{Home, Shared};
use crate::worker;

/// The most workers a scheduler may have.
const MAX_WORKERS: usize = 1024;

/// Tasks that a worker's own queue holds; more go to the injector.
const QUEUE_CAPACITY: usize = pick(256, 2);

/// Threads for blocking closures, unless the builder says otherwise.
const BLOCKING_THREADS: usize = 512;

/// How long a thread for blocking closures waits for the next one.
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Settings of a [`Scheduler`] that is to be started; made by
/// [`Scheduler::builder`].
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), engine_sched::BuildError> {
/// let scheduler = engine_sched::Scheduler::builder()
///     .workers(2)
///     .thread_name("my-worker")
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder starts nothing until `build`"]
pub struct Builder {
    workers: Option<usize>,
    thread_name: String,
    stack_size: Option<usize>,
    blocking_threads: usize,
    blocking_keep_alive: Duration,
    hooks: Hooks,
    driver: Option<Box<dyn Driver>>,
}

/// Called on each worker thread as it starts and as it ends.
#[derive(Default)]
pub(crate) struct Hooks {
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
}

type Hook = Box<dyn Fn(usize) + Send + Sync>;

impl Hooks {
    pub(crate) fn start(&self, worker: usize) {
        call(self.on_start.as_ref(), worker);
    }

    pub(crate) fn stop(&self, worker: usize) {
        call(self.on_stop.as_ref(), worker);
    }
}

/// A worker outlives a hook that panics.
fn call(hook: Option<&Hook>, worker: usize) {
    if let Some(hook) = hook {
        context::catch(|| hook(worker));
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            workers: None,
            thread_name: "engine-worker".to_owned(),
            stack_size: None,
            blocking_threads: BLOCKING_THREADS,
            blocking_keep_alive: BLOCKING_KEEP_ALIVE,
            hooks: Hooks::default(),
            driver: None,
        }
    }

    /// The number of worker threads, from 1 to 1024. By default as many as
    /// [`std::thread::available_parallelism`] says.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The name of the worker threads; the worker's index is appended. By default
    /// `engine-worker`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// The stack size of the worker threads, in bytes; by default the platform's.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// The most threads for [`Scheduler::spawn_blocking`] at a time; 512 by default.
    /// They are started when needed. With 0, blocking closures run on the workers.
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// How long a thread for blocking closures waits for the next one before it ends;
    /// 10 s by default.
    pub fn blocking_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.blocking_keep_alive = keep_alive;
        self
    }

    /// Calls `hook` on each worker thread before it runs its first task, with the
    /// worker's index. A panic in it is only counted.
    pub fn on_thread_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_start = Some(Box::new(hook));
        self
    }

    /// Calls `hook` on each worker thread after its last poll, with the worker's
    /// index. A panic in it is only counted. What the shutdown cancels is dropped on these
    /// threads after that.
    pub fn on_thread_stop(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        self.hooks.on_stop = Some(Box::new(hook));
        self
    }

    /// What an idle worker waits in, instead of sleeping: see [`Driver`].
    pub fn driver(mut self, driver: impl Driver) -> Self {
        self.driver = Some(Box::new(driver));
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// [`BuildError::Workers`] for a number of workers that is 0 or above 1024;
    /// [`BuildError::ThreadName`] for a name with a NUL byte;
    /// [`BuildError::Thread`] if the system refuses a thread. Threads that had
    /// started by then have ended when this returns.
    pub fn build(self) -> Result<Scheduler, BuildError> {
        let count = self.workers.unwrap_or_else(default_workers);
        if !(1..=MAX_WORKERS).contains(&count) {
            return Err(BuildError::Workers(count));
        }
        if self.thread_name.contains('\0') {
            return Err(BuildError::ThreadName(self.thread_name));
        }
        let queues: Vec<_> = (0..count)
            .map(|_| bounded::Worker::new_fifo(QUEUE_CAPACITY))
            .collect();
        let stealers = queues.iter().map(bounded::Worker::stealer).collect();
        let blocking = BlockingPool::new(self.blocking_threads, self.blocking_keep_alive);
        let shared = Arc::new(Shared::new(stealers, blocking, self.hooks, self.driver));
        let mut threads = Vec::with_capacity(count);
        for (index, queue) in queues.into_iter().enumerate() {
            let mut builder = thread::Builder::new().name(format!("{}-{index}", self.thread_name));
            if let Some(bytes) = self.stack_size {
                builder = builder.stack_size(bytes);
            }
            let home = Arc::new(Home {
                registry: shared.registries[index].clone(),
                shared: shared.clone(),
            });
            match builder.spawn(move || worker::run(home, index, queue)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    shared.begin_stop();
                    // This one and those after it will never end by themselves.
                    (index..count).for_each(|_| shared.worker_ended());
                    for thread in threads {
                        // A worker catches all panics, so there is no other result.
                        let _ = thread.join();
                    }
                    return Err(BuildError::Thread(error));
                }
            }
        }
        Ok(Scheduler::new(shared, threads))
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism() // facade: a question, not a protocol
        .map_or(1, |n| n.get().min(MAX_WORKERS))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("thread_name", &self.thread_name)
            .field("stack_size", &self.stack_size)
            .field("blocking_threads", &self.blocking_threads)
            .field("blocking_keep_alive", &self.blocking_keep_alive)
            .finish_non_exhaustive()
    }
}

/// Why a scheduler could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The number of workers is 0 or above 1024.
    Workers(usize),
    /// The thread name contains a NUL byte.
    ThreadName(String),
    /// The system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Workers(count) => {
                write!(f, "a scheduler has 1 to {MAX_WORKERS} workers, not {count}")
            }
            BuildError::ThreadName(name) => {
                write!(f, "the thread name {name:?} contains a NUL byte")
            }
            BuildError::Thread(_) => f.write_str("the system refused a worker thread"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BuildError::Thread(error) => Some(error),
            _ => None,
        }
    }
}
