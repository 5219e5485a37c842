//! Queues for many threads, over compare-and-swap: bounded, unbounded, and the
//! work-stealing deques that schedulers are built from.
//!
//! | type | what it is | full | order |
//! |---|---|---|---|
//! | [`ArrayQueue`] | many producers, many consumers, fixed capacity | hands the item back, or drops the oldest | first in, first out |
//! | [`SegQueue`] | many producers, many consumers, no bound | grows | first in, first out |
//! | [`LaneQueue`] | the same, spread over lanes while producers get in each other's way | grows, or hands the item back | first in, first out for each producer |
//! | [`deque::Injector`] | the same, for stealing batches into workers' deques | grows | first in, first out |
//! | [`deque::bounded`] | ring of one owner and many thieves | hands the item back | first in, first out |
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
pub mod lane_queue;
pub mod seg_queue;

mod block_list;
mod drop_all;
mod word;

pub use array_queue::ArrayQueue;
pub use lane_queue::{LaneOptions, LaneQueue};
pub use seg_queue::SegQueue;
