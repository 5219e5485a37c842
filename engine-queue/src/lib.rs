//! Queues for many threads, over compare-and-swap: bounded, unbounded, and the
//! work-stealing deques that schedulers are built from.
//!
//! | type | what it is | full | order |
//! |---|---|---|---|
//! | [`ArrayQueue`] | many producers, many consumers, fixed capacity | hands the item back, or drops the oldest | first in, first out |
//! | [`SegQueue`] | many producers, many consumers, no bound | grows | first in, first out |
//! | [`deque::Worker`] | one owner, many thieves | grows | the owner's first or last in, first out; thieves first in |
//! | [`deque::Injector`] | the same, for stealing batches into workers' deques | grows | first in, first out |
//! | [`deque::bounded`] | as `deque::Worker`, of fixed capacity | hands the item back | as `deque::Worker` |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | yielding the processor while waiting for another thread |
//! | `loom`, `shuttle` | no | the model checkers; they do nothing without `--cfg engine_loom` or `--cfg engine_shuttle` |
//!
//! Without `std` the crate is `no_std` and needs `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(test)]
extern crate std;

pub mod array_queue;
pub mod deque;
pub mod seg_queue;

mod block_list;
mod drop_all;
mod word;

pub use array_queue::ArrayQueue;
pub use seg_queue::SegQueue;
