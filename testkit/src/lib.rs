//! What the tests of the engine-* crates share: a runner for model bodies, an allocator
//! that counts, and [`not_impl!`].
//!
//! Unpublished. It depends on none of the crates it helps to test, so that each
//! of them can use it from inside its own unit tests.

pub mod allocation;
pub mod model;

mod not_impl;
