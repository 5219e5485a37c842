//! The word that owner and thieves compete for.

use core::fmt;

use crate::deque::bias::HeadWord;

/// Bits of the distance between the two counters.
const LAG_BITS: u32 = 20;
const LAG: u64 = (1 << LAG_BITS) - 1;
/// In the place of a lag.
const BIASED: u64 = LAG;
/// In the place of a lag.
const REVOKING: u64 = LAG - 1;
/// How far the front is shifted.
const REAL: u32 = LAG_BITS + 1;

/// The consuming end: `real` (43 bits), the first position that nobody has
/// claimed; a bit for [`bias`](crate::deque::bias); and `lag` (20 bits), how far
/// `steal = real - lag` is behind it. Positions before `steal` may be written again.
///
/// | `lag` | meaning | who may leave it, how |
/// |---|---|---|
/// | 0 | no thief is at work | the owner: `real + n` ([`popped`](Self::popped)), or to `BIASED`; a thief: `real + n`, `lag = n` ([`booked`](Self::booked)) |
/// | n > 0 | one thief moves items out of `steal..`, or has done so: it says so in another word, with `steal` ([`settled`](Self::settled)). What the owner has popped since is included | while it is at work, the owner: `real + n`, `lag + n`; after that, as from 0 |
/// | `BIASED`, `REVOKING` | these modes of a [`HeadWord`]: no thief is at work, and `real` is the front at which that began | see there |
///
/// `lag` never exceeds the capacity: `real` does not pass the tail, and the tail
/// stays within one capacity of `steal`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

// A lag of one full ring must fit.
const _: () = assert!((super::MAX_CAPACITY as u64) < REVOKING);

impl HeadWord for Head {
    const FRONT: u32 = REAL;
    const MODE: u64 = LAG;
    const BIASED: u64 = BIASED;
    const REVOKING: u64 = REVOKING;
    const OPENED_AT_ODD: u64 = 1 << LAG_BITS;
    const KEPT: u64 = 0;

    #[inline]
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    fn bits(self) -> u64 {
        self.0
    }
}

impl Head {
    /// Open, nothing booked, nothing claimed before `real`; the higher bits of `real`
    /// are cut off.
    pub(super) fn new(real: u64) -> Self {
        Self(0).open_at(real)
    }

    /// As [`real`](Self::real), with all the bits that there are.
    pub(super) fn front(self) -> u64 {
        self.0 >> REAL
    }

    /// The first position that nobody has claimed, modulo 2^32 like the tail.
    pub(super) fn real(self) -> u32 {
        self.front() as u32
    }

    /// How many positions before `real` may not be written yet.
    pub(super) fn lag(self) -> u32 {
        debug_assert!(self.is_open());
        (self.0 & LAG) as u32
    }

    /// The first position that may not be written yet.
    pub(super) fn steal(self) -> u32 {
        self.real().wrapping_sub(self.lag())
    }

    /// The first position of the booking in this head, with all the bits that there are.
    pub(super) fn booking(self) -> u64 {
        self.front().wrapping_sub(u64::from(self.lag())) & (u64::MAX >> REAL)
    }

    /// The same head without its booking if that is the one of which all items are moved
    /// out.
    #[must_use]
    pub(super) fn settled(self, done: u64) -> Self {
        match self.booking() == done {
            true => Self(self.0 & !LAG),
            false => self,
        }
    }

    /// Whether a thief is at work, or was and nobody has [`settled`](Self::settled) that.
    #[inline]
    pub(super) fn is_booked(self) -> bool {
        self.is_open() && self.lag() != 0
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
        // Wraps at 2^43 positions; what is below is not touched by that.
        let real = self.0.wrapping_add(u64::from(n) << REAL);
        Self(real.wrapping_add(u64::from(lag)))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("real", &self.front())
            .field("mode", &self.mode())
            .field("opened_at_odd", &self.was_opened_at_odd())
            .field("lag", &self.is_open().then(|| self.lag()))
            .finish()
    }
}
