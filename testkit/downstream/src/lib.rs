//! A pool of reusable values over `engine_queue::ArrayQueue`.
//!
//! This crate is here to show that a crate outside the engine-* workspace can
//! model-check *its own* use of a queue, the queue's own code included. The
//! recipe is in the README; nothing in it needs this repository.

mod pool;
mod sync;

#[cfg(test)]
mod model;

pub use pool::{Lent, Pool};
