//! Backoff for retry loops.

use core::cell::Cell;
use core::fmt;

use crate::sync::hint;

/// Rounds of spinning before [`Backoff::snooze`] yields: 1 + 2 + 4 + 8 pauses.
/// A pause is tens of cycles, or more than a hundred on some x86-64: this is less than the
/// wake-up that it may save, and little on an oversubscribed machine. What each costs here:
/// `cargo run --release -p benches --bin limits`.
const SPIN_ROUNDS: u32 = 4;

/// Rounds after which [`Backoff::is_completed`] advises to sleep instead.
const YIELD_ROUNDS: u32 = 8;

/// Waits a little longer each time, first by spinning and then by giving the
/// processor away.
///
/// Two kinds of waiting differ: after a **lost race** somebody else has made
/// progress, so [`spin`](Self::spin) and try again; while **another thread must
/// act first** spinning cannot help it run, so [`snooze`](Self::snooze).
///
/// The names are those of `crossbeam_utils::Backoff`. Unlike it, the rounds are
/// fewer, one usable processor means no spinning at all, and
/// [`rounds`](Self::rounds) says how often waiting was needed, which is what a
/// data structure feeds to [`Contention`](crate::Contention).
///
/// # Example
///
/// ```
/// use engine_atomic::Backoff;
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// fn double(value: &AtomicUsize) -> usize {
///     let backoff = Backoff::new();
///     let mut seen = value.load(Relaxed);
///     while let Err(now) = value.compare_exchange_weak(seen, seen * 2, Relaxed, Relaxed) {
///         seen = now;
///         backoff.spin();
///     }
///     seen * 2
/// }
/// # assert_eq!(double(&AtomicUsize::new(21)), 42);
/// ```
///
/// # Guarantees
///
/// Never blocks and never allocates. One call spins at most 8 pauses. Without
/// the feature `std` there is no processor to give away, and `snooze` goes on
/// spinning. Under loom and shuttle each call is a yield.
///
/// # When not to use
///
/// When the wait may be long: use a [`futex`](crate::futex), or park the thread,
/// once [`is_completed`](Self::is_completed) says so.
pub struct Backoff {
    rounds: Cell<u32>,
}

impl Backoff {
    /// A backoff that has not waited yet.
    #[inline]
    pub const fn new() -> Self {
        Self {
            rounds: Cell::new(0),
        }
    }

    /// Starts over, after progress.
    #[inline]
    pub fn reset(&self) {
        self.rounds.set(0);
    }

    /// Waits after a lost race: 1, 2, 4, then 8 pauses.
    #[inline]
    pub fn spin(&self) {
        let round = self.next();
        if !crate::sync::MODEL && single_processor() {
            // Whoever won the race is not running now; a pause would only
            // prolong our time slice.
            return;
        }
        pause(round.min(SPIN_ROUNDS - 1));
    }

    /// Waits for another thread: spins at first, then yields the processor.
    #[inline]
    pub fn snooze(&self) {
        let round = self.next();
        if crate::sync::MODEL || (round < SPIN_ROUNDS && !single_processor()) {
            pause(round.min(SPIN_ROUNDS - 1));
        } else {
            yield_now();
        }
    }

    /// Whether waiting any longer should be done asleep.
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.rounds.get() >= YIELD_ROUNDS
    }

    /// How often this backoff has waited since it was made or reset.
    #[inline]
    pub fn rounds(&self) -> u32 {
        self.rounds.get()
    }

    /// Counts one more round and returns the number of those before it.
    #[inline]
    fn next(&self) -> u32 {
        let round = self.rounds.get();
        self.rounds.set(round.saturating_add(1));
        round
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("rounds", &self.rounds())
            .field("is_completed", &self.is_completed())
            .finish()
    }
}

/// Two to the power of `round` pauses; one under a model.
#[inline]
fn pause(round: u32) {
    let pauses = if crate::sync::MODEL { 1 } else { 1 << round };
    for _ in 0..pauses {
        hint::spin_loop();
    }
}

#[cold]
fn yield_now() {
    #[cfg(feature = "std")]
    crate::sync::thread::yield_now();
    #[cfg(not(feature = "std"))]
    pause(SPIN_ROUNDS - 1);
}

/// Whether this process may use one processor only.
#[inline]
fn single_processor() -> bool {
    #[cfg(feature = "std")]
    {
        crate::sync::processors() == 1
    }
    #[cfg(not(feature = "std"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_count_both_kinds_of_waiting() {
        let backoff = Backoff::new();
        assert!(!backoff.is_completed());
        for n in 1..=YIELD_ROUNDS {
            if n % 2 == 0 {
                backoff.spin();
            } else {
                backoff.snooze();
            }
            assert_eq!(backoff.rounds(), n);
        }
        assert!(backoff.is_completed());
        backoff.reset();
        assert_eq!(backoff.rounds(), 0);
        assert!(!backoff.is_completed());
    }

    #[test]
    fn rounds_saturate() {
        let backoff = Backoff {
            rounds: Cell::new(u32::MAX),
        };
        backoff.spin();
        backoff.snooze();
        assert_eq!(backoff.rounds(), u32::MAX);
    }

    #[test]
    fn debug_decodes() {
        let backoff = Backoff::default();
        backoff.spin();
        assert_eq!(
            format!("{backoff:?}"),
            "Backoff { rounds: 1, is_completed: false }"
        );
    }
}
