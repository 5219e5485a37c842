//! Building blocks for concurrent data structures: padding, fences, backoff, futexes,
//! counters, sequence locks, and the distances between processors. All of them are
//! checked by loom and shuttle, and so can be the code that you build on them.
//!
//! | item | what it is |
//! |---|---|
//! | [`CachePadded`], [`CACHE_LINE`], [`separate_lines!`] | padding, and a compile error where it is missing |
//! | [`Backoff`], [`Contention`] | waiting that grows, and lost races counted at no cost |
//! | [`fence`] | fences by name, and the asymmetric pair [`fence::light`] and [`fence::heavy`] |
//! | [`futex`] | sleep until a word changes, with or without a deadline |
//! | [`StripedCounter`] | a counter that splits while threads get in each other's way |
//! | [`SeqLock`], [`Plain`](trait@Plain), [`plain!`] | a value that readers copy without writing anything |
//! | [`topology`] | cache, SMT and NUMA distances of the processors in use |
//!
//! # Example
//!
//! ```
//! use engine_atomic::{CachePadded, SeqLock, StripedCounter, separate_lines};
//!
//! struct Statistics {
//!     requests: StripedCounter,
//!     // Minimum and maximum, always of the same moment.
//!     latency: CachePadded<SeqLock<(u64, u64)>>,
//! }
//!
//! // Does not compile if the two can share a cache line.
//! separate_lines!(Statistics { requests, latency });
//!
//! static STATISTICS: Statistics = Statistics {
//!     requests: StripedCounter::new(),
//!     latency: CachePadded::new(SeqLock::new((u64::MAX, 0))),
//! };
//!
//! fn record(nanoseconds: u64) {
//!     STATISTICS.requests.increment();
//!     STATISTICS.latency.update(|(min, max)| {
//!         *min = nanoseconds.min(*min);
//!         *max = nanoseconds.max(*max);
//!     });
//! }
//!
//! std::thread::scope(|s| {
//!     for n in 1..=4 {
//!         s.spawn(move || record(100 * n));
//!     }
//! });
//! assert_eq!(STATISTICS.requests.sum(), 4);
//! assert_eq!(STATISTICS.latency.read(), (100, 400));
//! ```
//!
//! # Guarantees
//!
//! Each item's page says what it promises: progress (and who can make whom wait), order,
//! allocation, behaviour on unwinding, size. In common:
//!
//! - Every ordering stronger than `Relaxed` names the access that it pairs with, and a model
//!   test fails when it is weakened. What no checker can see is said to be argued
//!   only: that the kernel does what [`fence::heavy`] asks, and what a compiler fence keeps the
//!   compiler from.
//! - No user code runs while others are kept out.
//! - Nothing panics but where a page says `# Panics`.
//!
//! # When not to use
//!
//! - For a lock, a channel or a barrier, take one that exists: these are the parts that such
//!   things are made of.
//! - [`fence::light`] and [`StripedCounter`] pay off under contention, or on a path
//!   that runs very often. Measure first: a plain atomic is hard to beat.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | [`futex`], [`topology`], [`StripedCounter`]; membarrier(2) in [`fence`]; yielding in [`Backoff`] |
//! | `alloc` | by `std` | nothing by itself but `Arc` in the facade, for crates that build on it |
//! | `loom`, `shuttle` | no | the checkers; inert without their cfg, see below |
//!
//! `std` works on Linux, Android, macOS, Windows and FreeBSD, where there is a futex.
//! Without `std` the crate is `no_std` and needs nothing but atomics of the size of a byte and
//! of a pointer, with compare-and-swap.
//!
//! # Modelling your own code
//!
//! All atomics here, and those of the other engine-* crates, come from one facade, the
//! module `engine_atomic::sync`, which stands for `std`, loom or shuttle. Write
//! your code over it and the checkers see all of it, down to the futex:
//!
//! ```
//! use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};
//! use engine_atomic::sync::{Arc, futex, thread};
//!
//! fn body() {
//!     let ready = Arc::new(AtomicU32::new(0));
//!     let waker = thread::spawn({
//!         let ready = ready.clone();
//!         move || {
//!             ready.swap(1, Release);
//!             futex::wake_one(&*ready);
//!         }
//!     });
//!     while ready.load(Acquire) == 0 {
//!         futex::wait(&ready, 0);
//!     }
//!     waker.join().unwrap();
//! }
//!
//! // Under the checkers: `loom::model(body)`, or `shuttle::check_random(body, 1000)`.
//! body();
//! ```
//!
//! ```text
//! RUSTFLAGS="--cfg engine_loom" cargo test --release --features engine-atomic/loom
//! RUSTFLAGS="--cfg engine_shuttle" cargo test --release --features engine-atomic/shuttle
//! ```
//!
//! The cfg names are ours alone, so no other crate in your tree changes with them. Give
//! each its own target folder, since the flags rebuild everything. The facade is
//! **exempt from semver**; its rules are in its source, `src/sync/mod.rs`.
//!
//! # Minimum supported Rust version
//!
//! 1.95. It rises in minor releases only.

#![cfg_attr(not(feature = "std"), no_std)]
// docs.rs shows by it what needs the feature `std`.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(all(engine_loom, engine_shuttle))]
compile_error!("`engine_loom` and `engine_shuttle` exclude each other: set one of them");
#[cfg(all(any(engine_loom, engine_shuttle), not(feature = "std")))]
compile_error!("the model checkers need the feature `std`");

pub mod fence;
#[cfg(feature = "std")]
pub mod futex;
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "std")]
pub mod topology;

mod backoff;
mod contention;
mod pad;
mod plain;
mod seqlock;
#[cfg(feature = "std")]
mod striped;

pub use backoff::Backoff;
pub use contention::Contention;
pub use pad::{CACHE_LINE, CachePadded};
pub use plain::Plain;
pub use seqlock::SeqLock;
#[cfg(feature = "std")]
pub use striped::StripedCounter;

/// What the macros of this crate expand to. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use core;

    pub use crate::pad::{separate, size_of_field};
}

/// The README's example is compiled and run.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
