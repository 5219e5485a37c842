//! The primitives of this crate: std's, or those of the checker of this build.
//!
//! engine-queue makes the same choice by the same cfg, so that the checker sees
//! our steps and the queue's as steps of one program.

#[cfg(engine_loom)]
pub use loom::sync::atomic;
#[cfg(engine_shuttle)]
pub use shuttle::sync::atomic;
#[cfg(not(any(engine_loom, engine_shuttle)))]
pub use std::sync::atomic;
