//! Reusable thread barriers on a futex, model-checked with loom and shuttle.
//!
//! A [`Barrier`] lets a fixed number of threads wait for each other: nobody
//! leaves [`wait`](Barrier::wait) before everyone has called it. The names are
//! those of [`std::sync::Barrier`], so the type is a drop-in replacement.
//!
//! # Example
//!
//! ```
//! use engine_barrier::Barrier;
//! use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
//!
//! let barrier = Barrier::new(4);
//! let counted = AtomicU32::new(0);
//! std::thread::scope(|s| {
//!     for _ in 0..4 {
//!         s.spawn(|| {
//!             counted.fetch_add(1, Relaxed);
//!             barrier.wait();
//!             // Everyone has counted, and everyone sees it.
//!             assert_eq!(counted.load(Relaxed), 4);
//!         });
//!     }
//! });
//! ```
//!
//! # Contents
//!
//! | type | what it is |
//! |---|---|
//! | [`Barrier`] | any number of rounds for a number of threads that is fixed at construction |
//! | [`BarrierWaitResult`] | tells which thread completed the round |
//!
//! # Platforms
//!
//! Linux, Android, macOS, Windows and FreeBSD: wherever
//! [`engine_atomic::futex`] works. The arrivals are counted in an `AtomicU64`, so
//! 32-bit targets without one (`target_has_atomic = "64"` is not set: MIPS32,
//! PowerPC32, ARMv5) are refused at compile time.

#[cfg(not(target_has_atomic = "64"))]
compile_error!("engine-barrier counts arrivals in an AtomicU64, which this target does not have");

mod barrier;
mod spin;

pub use barrier::{Barrier, BarrierWaitResult};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
