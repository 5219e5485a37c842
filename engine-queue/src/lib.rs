//! Queues for many threads, over compare-and-swap: bounded, unbounded, and the
//! work-stealing deques that schedulers are built from.
//!
//! | type | what it is | full | order |
//! |---|---|---|---|
//! | [`ArrayQueue`] | many producers, many consumers, fixed capacity | hands the item back, or drops the oldest | first in, first out |
//! | [`SegQueue`] | many producers, many consumers, no bound | grows | first in, first out |
//! | [`spsc`] | one producer, one consumer, fixed capacity; batches and chunks in place | hands the item back | first in, first out |
//! | [`LaneQueue`] | many producers, many consumers, spread over lanes while they get in each other's way | grows, or hands the item back | first in, first out for each producer |
//! | [`deque::Worker`] | one owner, many thieves | grows | the owner's first or last in, first out; thieves first in |
//! | [`deque::Injector`] | as `SegQueue`, for stealing batches into workers' deques | grows | first in, first out |
//! | [`deque::bounded`] | as `deque::Worker`, of fixed capacity | hands the item back | as `deque::Worker` |
//!
//! [`ArrayQueue`] and [`SegQueue`] take and give batches, can be closed, and count the races
//! that were lost on them; [`Queue`] is what they have in common. [`Waitable`] waits for one of
//! them or for a [`LaneQueue`], and [`waitable::spsc`](waitable::spsc()) for an `spsc`, as a
//! thread or as a task.
//!
//! # Example
//!
//! ```
//! use engine_queue::{ArrayQueue, SegQueue};
//!
//! let jobs = SegQueue::new();
//! let done = ArrayQueue::new(4);
//! (0..4).for_each(|n| jobs.push(n));
//! std::thread::scope(|scope| {
//!     for _ in 0..2 {
//!         scope.spawn(|| {
//!             while let Some(n) = jobs.pop() {
//!                 done.push(n * n).unwrap();
//!             }
//!         });
//!     }
//! });
//! assert!(done.is_full());
//! ```
//!
//! # Guarantees
//!
//! Each type's page says what it promises. In common: no slot is read while another
//! thread may write it, so all are sound for every `T`; no code of the user runs inside a
//! claim; and each page says which thread can block which, or that none can.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | [`Waitable`]; yielding the processor while waiting for another thread |
//! | `loom`, `shuttle` | no | the model checkers; they do nothing without `--cfg engine_loom` or `--cfg engine_shuttle` |
//!
//! Without `std` the crate is `no_std` and needs `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod array_queue;
pub mod deque;
pub mod lane_queue;
pub mod seg_queue;
pub mod spsc;

mod block_list;
mod drain;
mod drop_all;
mod front;
mod lost_race;
mod pop_error;
mod push_error;
mod queue;
mod stats;
mod testing;
#[cfg(feature = "std")]
pub mod waitable;
mod word;

pub use array_queue::ArrayQueue;
pub use drain::Drain;
pub use lane_queue::{LaneOptions, LaneQueue};
pub use pop_error::PopError;
pub use push_error::PushError;
pub use queue::Queue;
pub use seg_queue::SegQueue;
pub use stats::QueueStats;
#[cfg(feature = "std")]
pub use waitable::Waitable;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
