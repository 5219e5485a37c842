//! The word that owner and thieves compete for.

use core::fmt;

/// Bits of the distance between the two counters.
const LAG_BITS: u32 = 20;
const LAG: u64 = (1 << LAG_BITS) - 1;

/// The consuming end: `real` (44 bits), the first position that nobody has
/// claimed, and `lag` (20 bits), how far `steal = real - lag` is behind it.
/// Positions before `steal` may be written again.
///
/// | `lag` | meaning | who may leave it, how |
/// |---|---|---|
/// | 0 | no thief is at work | the owner: `real + n` ([`popped`](Self::popped)); a thief: `real + n`, `lag = n` ([`booked`](Self::booked)) |
/// | n > 0 | one thief moves items out of `steal..`; what the owner has popped since is included | the owner: `real + n`, `lag + n`; that thief: `lag = 0` by and-ing [`RELEASE`](Self::RELEASE) |
///
/// `lag` never exceeds the capacity: `real` does not pass the tail, and the tail
/// stays within one capacity of `steal`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

// A lag of one full ring must fit.
const _: () = assert!((super::MAX_CAPACITY as u64) < LAG);

impl Head {
    /// The mask that ends a booking.
    pub(super) const RELEASE: u64 = !LAG;

    /// Nothing booked, nothing claimed before `real`; the higher bits of `real`
    /// are cut off.
    pub(super) fn new(real: u64) -> Self {
        Self(real << LAG_BITS)
    }

    /// The first position that nobody has claimed, modulo 2^32 like the tail.
    pub(super) fn real(self) -> u32 {
        (self.0 >> LAG_BITS) as u32
    }

    /// How many positions before `real` may not be written yet.
    pub(super) fn lag(self) -> u32 {
        (self.0 & LAG) as u32
    }

    /// The first position that may not be written yet.
    pub(super) fn steal(self) -> u32 {
        self.real().wrapping_sub(self.lag())
    }

    /// Whether a thief is at work.
    pub(super) fn is_booked(self) -> bool {
        self.lag() != 0
    }

    /// The owner has claimed `n`. While a thief is at work its slots are in front
    /// of these, so these stay occupied until it has finished.
    #[must_use]
    pub(super) fn popped(self, n: u32) -> Self {
        let lag = if self.is_booked() { n } else { 0 };
        self.advanced(n, lag)
    }

    /// A thief has claimed `n`.
    #[must_use]
    pub(super) fn booked(self, n: u32) -> Self {
        debug_assert!(!self.is_booked() && n != 0);
        self.advanced(n, n)
    }

    fn advanced(self, n: u32, lag: u32) -> Self {
        debug_assert!(u64::from(self.lag()) + u64::from(lag) <= LAG);
        // Wraps at 2^44 positions; the lag below is not touched by that.
        let real = self.0.wrapping_add(u64::from(n) << LAG_BITS);
        Self(real.wrapping_add(u64::from(lag)))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("real", &(self.0 >> LAG_BITS))
            .field("lag", &self.lag())
            .finish()
    }
}
