//! Counting lost races without adding one.

use core::fmt;

use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[cfg(test)]
mod model;

/// How often a compare-and-swap was lost, kept next to the word it was lost on.
///
/// A failed CAS is information: somebody else was there. Counting it with a
/// shared read-modify-write would add traffic to the very line that is hot, so
/// the loser counts in a local and writes it down once it has *won*: at that
/// moment the line is in its cache and writable, and [`record`](Self::record) is
/// a plain load and a plain store.
///
/// # Example
///
/// ```
/// use engine_atomic::{CachePadded, Contention};
/// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
///
/// struct Tail {
///     index: AtomicUsize,
///     // On the same line as `index`, on purpose.
///     contention: Contention,
/// }
///
/// fn claim(tail: &CachePadded<Tail>) -> usize {
///     let mut lost = 0;
///     let mut index = tail.index.load(Relaxed);
///     loop {
///         match tail.index.compare_exchange_weak(index, index + 1, Relaxed, Relaxed) {
///             Ok(_) => break,
///             // A weak CAS may fail with nobody there: that is not contention.
///             Err(now) if now != index => (index, lost) = (now, lost + 1),
///             Err(_) => {}
///         }
///     }
///     tail.contention.record(lost);
///     index
/// }
/// # let tail = CachePadded::new(Tail { index: AtomicUsize::new(0), contention: Contention::new() });
/// # assert_eq!((claim(&tail), claim(&tail), tail.contention.lost()), (0, 1, 0));
/// ```
///
/// # Guarantees
///
/// The count is **lossy**: two winners that record at the same time may keep one
/// of the two sums. It never exceeds what was recorded, and never orders
/// anything. `record(0)` touches no memory.
pub struct Contention {
    lost: AtomicUsize,
}

impl Contention {
    crate::const_unless_loom! {
        /// A counter at zero.
        pub const fn new() -> Self {
            Self {
                lost: AtomicUsize::new(0),
            }
        }
    }

    /// Adds `lost` races, right after the race that was won.
    #[inline]
    pub fn record(&self, lost: usize) {
        if lost != 0 {
            // Relaxed, and not one step: a statistic, allowed to lose counts.
            let before = self.lost.load(Relaxed);
            self.lost.store(before.wrapping_add(lost), Relaxed);
        }
    }

    /// The races recorded so far; wraps with `usize`.
    #[inline]
    pub fn lost(&self) -> usize {
        // Relaxed: a statistic, read at any time.
        self.lost.load(Relaxed)
    }
}

impl Default for Contention {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Contention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contention")
            .field("lost", &self.lost())
            .finish()
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn records_add_up_and_wrap() {
        let contention = Contention::default();
        contention.record(0);
        assert_eq!(contention.lost(), 0);
        contention.record(3);
        contention.record(4);
        assert_eq!(contention.lost(), 7);
        assert_eq!(format!("{contention:?}"), "Contention { lost: 7 }");
        contention.record(usize::MAX);
        assert_eq!(contention.lost(), 6);
    }

    /// Counts may be lost, and none is made up.
    #[test]
    fn never_more_than_recorded() {
        let contention = Contention::new();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..1000).for_each(|_| contention.record(2)));
            }
        });
        let lost = contention.lost();
        // The last to store has stored no less than its own.
        assert!(
            (2..=8000).contains(&lost) && lost.is_multiple_of(2),
            "{lost}"
        );
    }
}
