//! Work-stealing deques: one owner pushes and pops, many thieves steal.
//!
//! [`Worker`], [`Stealer`], [`Injector`] and [`Steal`] have the names and meanings of
//! those of `crossbeam-deque`; [`bounded`] has a worker and a stealer of fixed capacity.
//!
//! # Example
//!
//! A worker looks at its own deque first, then for a batch that came from outside, then
//! at the other workers.
//!
//! ```
//! use engine_queue::deque::{Injector, Steal, Stealer, Worker};
//! use std::iter;
//!
//! fn find<T>(mine: &Worker<T>, outside: &Injector<T>, others: &[Stealer<T>]) -> Option<T> {
//!     mine.pop().or_else(|| {
//!         iter::repeat_with(|| {
//!             outside
//!                 .steal_batch_and_pop(mine)
//!                 .or_else(|| others.iter().map(Stealer::steal).collect())
//!         })
//!         .find(|steal| !steal.is_retry())
//!         .and_then(Steal::success)
//!     })
//! }
//!
//! let (mine, other) = (Worker::new_lifo(), Worker::new_lifo());
//! let outside = Injector::new();
//! outside.push(1);
//! other.push(2);
//! let others = [other.stealer()];
//! assert_eq!(find(&mine, &outside, &others), Some(1));
//! assert_eq!(find(&mine, &outside, &others), Some(2));
//! assert_eq!(find(&mine, &outside, &others), None);
//! ```
//!
//! [`Worker`] and [`bounded`] are not available on targets without 64-bit atomics.

#[cfg(target_has_atomic = "64")]
mod bias;
#[cfg(target_has_atomic = "64")]
pub mod bounded;
mod destination;
#[cfg(target_has_atomic = "64")]
mod flavor;
mod injector;
mod steal;
#[cfg(all(test, target_has_atomic = "64"))]
mod testing;
#[cfg(target_has_atomic = "64")]
mod unbounded;

pub use destination::Destination;
pub use injector::Injector;
pub use steal::Steal;
#[cfg(target_has_atomic = "64")]
pub use unbounded::{Stealer, Worker};

/// The most items of a batch without a limit of its own, as in crossbeam.
#[cfg(target_has_atomic = "64")]
const MAX_BATCH: usize = 32;
