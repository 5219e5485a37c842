//! What the tests of the engine-* crates share: one runner for model bodies.
//!
//! Unpublished. It depends on none of the crates it helps to test, so that each
//! of them can use it from inside its own unit tests.

pub mod model;
