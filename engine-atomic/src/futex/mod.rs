//! Futex: sleep until a 32-bit word changes.
//!
//! [`wait`] puts the thread to sleep if the word still holds the expected value;
//! the check and the sleep are one step for every [`wake_one`] and [`wake_all`]
//! on the same address. The word itself is an ordinary atomic: a futex gives no
//! ordering, so publish with `Release` *before* the wake and load with `Acquire`
//! *after* the wait.
//!
//! # Example
//!
//! ```
//! use engine_atomic::futex;
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! let ready = AtomicU32::new(0);
//! std::thread::scope(|s| {
//!     s.spawn(|| {
//!         ready.store(1, Ordering::Release);
//!         futex::wake_all(&ready);
//!     });
//!     // Returns may be spurious: always wait in a loop.
//!     while ready.load(Ordering::Acquire) == 0 {
//!         futex::wait(&ready, 0);
//!     }
//! });
//! ```
//!
//! # Guarantees
//!
//! - **No lost wake-up**: of the threads that slept on a value of the word, a
//!   [`wake_all`] after the word was changed reaches all, and a [`wake_one`] one of
//!   those still asleep.
//! - **Spurious returns are allowed**, from [`wait`] and from [`wait_until`]:
//!   a signal, a word that already differs, or a wake meant for a freed word
//!   whose memory was used again. EINTR and EAGAIN never surface.
//! - [`wait_until`] with a deadline in the past returns at once, and one too far
//!   ahead for the clock waits without a limit; neither panics.
//! - [`wake_one`] and [`wake_all`] take a pointer that may dangle: the address is
//!   a key and is never read. So a waker may touch a word that a waiter frees as
//!   soon as it has seen the change.
//! - Words are private to the process.
//!
//! # Platforms
//!
//! | target | [`wait`], `wake_*` | [`wait_until`] |
//! |---|---|---|
//! | Linux, Android | futex(2) by atomic-wait | `FUTEX_WAIT_BITSET`, absolute `CLOCK_MONOTONIC` |
//! | macOS, Windows, FreeBSD | atomic-wait | a table of condition variables |
//! | loom, shuttle | a wait list | the same; the deadline comes after the others have had a turn |
//!
//! # When not to use
//!
//! To wait for a value, prefer a mutex, a condition variable or a barrier. A
//! sleep and a wake cost two system calls and two context switches: spin for the length
//! of a few hundred instructions first if the wait is likely to be short.
//!
//! Source: U. Drepper, "Futexes Are Tricky"; futex(2).

use std::time::{Duration, Instant};

use crate::sync::atomic::AtomicU32;

#[cfg(engine_loom)]
#[path = "loom.rs"]
mod backend;
#[cfg(engine_shuttle)]
#[path = "shuttle.rs"]
mod backend;
#[cfg(all(
    not(any(engine_loom, engine_shuttle)),
    any(target_os = "linux", target_os = "android")
))]
#[path = "linux.rs"]
mod backend;
#[cfg(all(
    not(any(engine_loom, engine_shuttle)),
    not(any(target_os = "linux", target_os = "android"))
))]
#[path = "table.rs"]
mod backend;

#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
#[cfg_attr(
    any(engine_loom, engine_shuttle),
    allow(
        dead_code,
        reason = "the checkers' backends are others; the model uses it"
    )
)]
mod bucket;
/// The other platforms' backend, compiled and tested here as well.
#[cfg(all(
    test,
    not(any(engine_loom, engine_shuttle)),
    any(target_os = "linux", target_os = "android")
))]
mod table;

/// How a wait with a deadline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a timeout is not an error, but it is a different outcome"]
pub enum WaitResult {
    /// A wake, a word that differs, or a spurious return: look at the word.
    Returned,
    /// The deadline passed first. The word may have changed all the same.
    TimedOut,
}

/// Sleeps while `*word == expected`, until a wake on the same address.
///
/// Returns at once when the word differs, and may return spuriously.
#[inline]
pub fn wait(word: &AtomicU32, expected: u32) {
    backend::wait(word, expected);
}

/// [`wait`], but no longer than until `deadline`.
///
/// A deadline in the past returns [`WaitResult::TimedOut`] at once, without
/// sleeping and whatever the word holds. A return before the deadline may be
/// spurious.
#[inline]
pub fn wait_until(word: &AtomicU32, expected: u32, deadline: Instant) -> WaitResult {
    backend::wait_until(word, expected, deadline)
}

/// [`wait_until`] `timeout` from now; a timeout beyond the clock's range waits
/// without a limit.
#[inline]
pub fn wait_timeout(word: &AtomicU32, expected: u32, timeout: Duration) -> WaitResult {
    match Instant::now().checked_add(timeout) {
        Some(deadline) => wait_until(word, expected, deadline),
        None => {
            wait(word, expected);
            WaitResult::Returned
        }
    }
}

/// Wakes one thread that sleeps on `word`, if there is one.
#[inline]
pub fn wake_one(word: *const AtomicU32) {
    backend::wake_one(word);
}

/// Wakes every thread that sleeps on `word`.
#[inline]
pub fn wake_all(word: *const AtomicU32) {
    backend::wake_all(word);
}

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
