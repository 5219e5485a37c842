//! A work-stealing scheduler for futures and for closures that block.
//!
//! ```
//! use engine_sched::Scheduler;
//!
//! # fn main() -> Result<(), engine_sched::BuildError> {
//! let scheduler = Scheduler::builder().workers(2).build()?;
//! let handle = scheduler.spawn(async { 6 * 7 });
//! assert_eq!(scheduler.block_on(handle).unwrap(), 42);
//! scheduler.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! # What it is
//!
//! A fixed number of worker threads, each with a bounded queue of its own, steal
//! from each other what they cannot find at home. A future that is spawned on a
//! worker goes into that worker's queue; one that is spawned or woken elsewhere goes
//! into a shared injector. A worker that finds nothing sleeps on a futex; a push wakes
//! one sleeper, which wakes the next if there is more. When there is nothing to do,
//! the scheduler uses no processor time at all.
//!
//! | item | what it is |
//! |---|---|
//! | [`Scheduler`], [`Builder`] | the threads, and the settings to start them with |
//! | [`Scheduler::spawn`], [`spawn`] | runs a future on the workers |
//! | [`Scheduler::spawn_blocking`] | runs a closure that blocks on a thread kept for that |
//! | [`Scheduler::block_on`] | runs a future on the calling thread |
//! | [`JoinHandle`], [`JoinError`] | the result of a task, and why there is none |
//! | [`Driver`] | a reactor that idle workers serve |
//! | [`yield_now`] | lets other tasks of this worker run |
//! | [`Scheduler::snapshot`], [`Snapshot`] | what the scheduler does at this moment |
//!
//! # Guarantees
//!
//! - **No lost wake-up.** While a task is queued, no state is reachable in which all
//!   workers sleep; the argument is in `src/idle/PROTOCOL.md`, and it is model-checked.
//! - **Panics stay inside.** A panic in a task reaches its [`JoinHandle`]; no worker
//!   ends by it, and no other task notices.
//! - **Every handle resolves.** [`Scheduler::shutdown`] cancels what has not ended: it
//!   drops every future that the scheduler holds, on a thread of its own. After it,
//!   [`Scheduler::try_spawn`] hands the future back, and `spawn` drops it where it is
//!   called.
//! - **Order.** A worker polls its queue first in, first out. Tasks on different
//!   workers have no order. One poll in 61 serves the injector first.
//! - **Fairness.** A task that wakes itself goes to the end of the queue, behind all
//!   that waits on this worker.
//! - **Allocation.** One for each task, and one more for a future of about 2 KiB or more;
//!   the injector makes a block for 31 tasks, and `block_on` one for its waker.
//!
//! # When not to use it
//!
//! - For code that computes long without reaching an `.await`: it holds its worker, and
//!   the tasks queued there wait for another worker to steal them. Use
//!   [`Scheduler::spawn_blocking`], or [`yield_now`] in between.
//! - For timers and sockets: this crate has none. Any reactor with wakers works, such
//!   as the one of the async-io crate.
//!
//! # Verified by
//!
//! loom: the idle protocol (`idle/model.rs`), [`Scheduler::block_on`]
//! (`block_on/model.rs`), the end that several threads wait for (`phase/model.rs`), the last
//! worker (`running/model.rs`), and two small schedulers at their end. shuttle: the same, and whole schedulers that spawn, steal, abort, run blocking closures
//! and shut down (`model.rs`). Panics, in tests on real threads (`tests/`). ThreadSanitizer
//! (`examples/tsan_sched.rs`). The memory and the state of a task are async-task's, which
//! is trusted.

mod block_on;
mod blocking;
mod builder;
mod context;
mod driver;
mod idle;
mod join_handle;
mod phase;
mod registry;
mod running;
mod scheduler;
mod shared;
mod snapshot;
mod spawn_error;
mod stats;
mod task;
mod worker;
mod yield_now;

#[cfg(test)]
mod model;

pub use builder::{BuildError, Builder};
pub use driver::Driver;
pub use join_handle::{JoinError, JoinHandle};
pub use scheduler::{Scheduler, spawn};
pub use snapshot::{Snapshot, WorkerSnapshot};
pub use spawn_error::SpawnError;
pub use yield_now::{YieldNow, yield_now};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
