//! Mutexes on a futex with the guards and names of `lock_api` and `parking_lot`,
//! model-checked with loom and shuttle.
//!
//! # Example
//!
//! ```
//! use engine_lock::{Condvar, Mutex};
//!
//! static READY: Mutex<bool> = Mutex::new(false);
//! static CHANGED: Condvar = Condvar::new();
//!
//! let worker = std::thread::spawn(|| {
//!     let mut ready = READY.lock();
//!     CHANGED.wait_while(&mut ready, |ready| !*ready);
//! });
//! *READY.lock() = true;
//! CHANGED.notify_all();
//! worker.join().unwrap();
//! ```
//!
//! # Contents
//!
//! | type | what it is |
//! |---|---|
//! | [`Mutex`], [`MutexGuard`], [`MappedMutexGuard`] | mutual exclusion, 4 bytes beside the data, no poisoning, timeouts |
//! | [`Condvar`], [`WaitTimeoutResult`] | wait for a change of a mutex's data |
//! | [`RawMutex`] | the lock word alone, for `lock_api`'s own wrappers |
//!
//! # Under loom
//!
//! `lock_api`'s `const INIT` cannot hold one of loom's atomics: make locks by `new`
//! inside a model, and not in statics.

mod condvar;
mod mutex;
mod raw;

pub use condvar::{Condvar, WaitTimeoutResult};
/// The crate whose guards and traits these locks use.
pub use lock_api;
pub use mutex::{MappedMutexGuard, Mutex, MutexGuard};
pub use raw::RawMutex;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
