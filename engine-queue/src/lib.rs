//! Queues for many threads, over compare-and-swap: bounded, unbounded, and the
//! work-stealing deques that schedulers are built from.
//!
//! | type | what it is | full | order |
//! |---|---|---|---|
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

pub mod deque;

mod drop_all;
