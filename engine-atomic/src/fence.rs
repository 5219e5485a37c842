//! Fences, named for what they do, and the asymmetric pair.
//!
//! A fence orders accesses to *different* atomics; an access to one atomic is
//! better ordered by its own `Acquire` or `Release`, which says what it is for.
//!
//! | fence | keeps apart |
//! |---|---|
//! | [`release`] | everything before it, from stores after it that publish |
//! | [`acquire`] | loads before it that saw a publication, from everything after it |
//! | [`seq_cst`] | everything, in one order that all threads agree on |
//! | [`compiler`] | as `seq_cst`, but for this thread's own signal handlers only |
//! | [`light`], [`heavy`] | as `seq_cst` between one `light` and one `heavy` |
//!
//! # The asymmetric pair
//!
//! *Store buffering*: two threads each store one word and then load the other's,
//! and at least one of them must see the other's store. Only a full fence
//! between store and load gives that, on both sides, and it costs about as much
//! as an atomic read-modify-write.
//!
//! Where one side runs far more often than the other, [`light`] makes that side
//! free (one load of a static, and a compiler fence) and [`heavy`] makes the
//! other side pay for both: it has the kernel interrupt every processor that runs
//! this process. Say a lock whose holder stores "free" and looks for sleepers:
//! that is on every unlock. A thread about to sleep registers and looks at the
//! lock again: that costs a system call anyway.
//!
//! ```
//! use engine_atomic::fence;
//! use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//!
//! static OPEN: AtomicBool = AtomicBool::new(false);
//! static SLEEPERS: AtomicBool = AtomicBool::new(false);
//!
//! // Often.
//! fn open() -> bool {
//!     OPEN.store(true, Relaxed);
//!     fence::light();
//!     SLEEPERS.load(Relaxed) // true: somebody must be woken
//! }
//!
//! // Seldom.
//! fn may_sleep() -> bool {
//!     SLEEPERS.store(true, Relaxed);
//!     fence::heavy();
//!     !OPEN.load(Relaxed)
//! }
//!
//! // Never both "nobody sleeps" and "not open yet".
//! # std::thread::scope(|s| {
//! let opener = s.spawn(open);
//! let sleeps = may_sleep();
//! assert!(opener.join().unwrap() || !sleeps);
//! # });
//! ```
//!
//! # Guarantees
//!
//! For a `light` and a `heavy` on two threads of this process, one of two holds:
//!
//! 1. what comes before the `heavy` is visible to what comes after the `light`, or
//! 2. what comes before the `light` is visible to what comes after the `heavy`.
//!
//! Two `heavy` are ordered as by [`seq_cst`]. **Two `light` are not ordered at
//! all**, and a `light` with a `seq_cst` is not either.
//!
//! **Both sides always agree.** Which [`Strategy`] is in force is decided once for
//! the process, before the first `light` or `heavy` does anything, and never
//! changes: where the kernel refuses, on other systems and without the feature `std`, both
//! sides are [`seq_cst`]. From then on `light` makes no system call and never blocks;
//! `heavy` makes at least one each time under [`Strategy::Membarrier`]. Neither
//! allocates.
//!
//! **The first call decides**, and asks the kernel. While there are other threads, that
//! waits until every processor has taken note, which takes many times as long as it does in a
//! process with one thread. Call [`strategy`] first thing in `main` where
//! a `light` must not be the one to wait.
//!
//! The language knows no such pair. `light` is a fence for the *machine*: the
//! accesses around it must be atomic, as always, and the pair gives the two-case
//! guarantee above on every target where [`strategy`] is
//! [`Strategy::Membarrier`], by what membarrier(2) promises. Under loom, shuttle, Miri and
//! ThreadSanitizer (`--cfg engine_tsan`) both are [`seq_cst`].
//!
//! # When not to use
//!
//! - Words in memory shared with another **process**: `heavy` reaches the threads of
//!   this one only.
//! - When both sides are equally frequent: two `seq_cst` are far cheaper than one `heavy`,
//!   which is a system call and interrupts every core that runs this process.
//! - When other threads must not be interrupted (real-time, isolated cores): call
//!   [`prefer_seq_cst`] first thing in `main`.
//!
//! Source: membarrier(2); P. E. McKenney et al., `sys_membarrier` in Linux.

use crate::sync::atomic::{self, Ordering};

#[allow(dead_code, reason = "where there is no choice, nothing is decided")]
mod decision;
#[allow(dead_code, reason = "where there is no choice, nothing is decided")]
mod pair;
mod symmetric;

#[cfg(all(
    feature = "std",
    target_os = "linux",
    not(any(engine_loom, engine_shuttle, engine_tsan, miri))
))]
mod membarrier;
#[cfg(all(
    feature = "std",
    target_os = "linux",
    not(any(engine_loom, engine_shuttle, engine_tsan, miri))
))]
use membarrier as in_force;
#[cfg(not(all(
    feature = "std",
    target_os = "linux",
    not(any(engine_loom, engine_shuttle, engine_tsan, miri))
)))]
use symmetric as in_force;

pub use decision::Strategy;

/// Keeps the loads before it ahead of everything after it: what was published to
/// them is visible from here on.
///
/// Pairs with a [`release`], or with a `Release` store that a load before it saw.
#[inline]
pub fn acquire() {
    // Acquire: what was published to the loads before is visible after; pairs with a
    // `release`, or a Release store, of the caller's.
    atomic::fence(Ordering::Acquire);
}

/// Keeps everything before it ahead of the stores after it: who sees one of them
/// can see all that.
///
/// Pairs with an [`acquire`], or with an `Acquire` load that saw a store after it.
#[inline]
pub fn release() {
    // Release: publishes what comes before by the stores after; pairs with an `acquire`, or
    // an Acquire load, of the caller's.
    atomic::fence(Ordering::Release);
}

/// A full fence: [`acquire`], [`release`], and one order of all such fences that every
/// thread agrees on.
///
/// The only one that keeps a store ahead of a later load of another word. Pairs with
/// another `seq_cst`, or a [`heavy`] (not with a [`light`]), between the store and the load
/// of the other thread.
#[inline]
pub fn seq_cst() {
    // SeqCst: with another one of the caller's. Either ours is first and what follows
    // theirs sees our stores, or theirs is and what follows ours sees theirs.
    atomic::fence(Ordering::SeqCst);
}

/// Keeps the compiler from moving accesses across it; the processor may.
///
/// Orders this thread with its own signal handlers, and nothing else: pairs with a
/// `compiler` in the handler, which runs between two instructions of this thread.
#[inline]
pub fn compiler() {
    // SeqCst, for the compiler alone: nothing is moved across. Pairs with one in a signal
    // handler of this thread: either the handler runs before this point and what follows sees
    // its stores, or after it and it sees ours.
    atomic::compiler_fence(Ordering::SeqCst);
}

/// The frequent side of the asymmetric pair: as [`seq_cst`] towards every [`heavy`],
/// for the price of a load.
///
/// See the [module](self) for what the pair promises.
#[inline]
pub fn light() {
    in_force::light();
}

/// The rare side of the asymmetric pair: as [`seq_cst`] towards every [`light`] and
/// every other `heavy`.
///
/// See the [module](self) for what the pair promises.
///
/// # Panics
///
/// If the kernel first agreed to membarrier(2) and refuses it now, which a seccomp
/// filter installed in between can do. By then other threads have relied on it,
/// so there is no way to go on. Install such filters first, or call
/// [`prefer_seq_cst`].
#[inline]
pub fn heavy() {
    in_force::heavy();
}

/// How [`light`] and [`heavy`] work in this process; decides it if nothing has yet.
pub fn strategy() -> Strategy {
    in_force::strategy()
}

/// Asks for [`Strategy::SeqCst`], so that no thread is ever interrupted, and
/// returns what is in force.
///
/// That is `SeqCst` unless [`light`], [`heavy`] or [`strategy`] was called before,
/// by any thread: the decision is made once. So call it first thing in `main`.
pub fn prefer_seq_cst() -> Strategy {
    in_force::prefer_seq_cst()
}

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
