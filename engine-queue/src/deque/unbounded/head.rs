//! The word that claims are made on.

use core::fmt;

use crate::deque::bias::HeadWord;

/// How far the front is shifted.
const FRONT: u32 = 16;
const LOW: u64 = (1 << FRONT) - 1;
const GENERATION: u64 = (1 << 13) - 1;

/// The consuming end: `front` (48 bits), the first position that nobody has claimed; a
/// bit and a [`Mode`] (2 bits), which say whether it is (see
/// [`bias`](crate::deque::bias)); and `generation` (13 bits) of the buffer.
///
/// | `generation` | meaning | who may leave it, how |
/// |---|---|---|
/// | even | the buffer holds `front..tail` | anyone, by a claim: `front + n`; the owner, to replace the buffer: `generation + 1` |
/// | odd | the owner stores the new buffer | the owner: `generation + 1`; nobody else may claim |
///
/// So a claim that succeeds under a generation is about the buffer of that
/// generation, and after the owner has left it no claim under it succeeds.
///
/// `generation` is even and stays what it is while the mode is not `Open`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

impl HeadWord for Head {
    const FRONT: u32 = FRONT;
    const MODE: u64 = 0b11 << 13;
    const BIASED: u64 = 0b01 << 13;
    const REVOKING: u64 = 0b10 << 13;
    const OPENED_AT_ODD: u64 = 1 << 15;
    const KEPT: u64 = GENERATION;

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
    /// How often the buffer can be replaced before a generation comes again.
    pub(super) const SWAPS: u32 = (GENERATION / 2) as u32 + 1;

    /// Open, of generation 0; the higher bits of `front` are cut off.
    pub(super) fn new(front: u64) -> Self {
        Self(0).open_at(front)
    }

    /// The same in all but the front.
    #[must_use]
    pub(super) fn at(self, front: u64) -> Self {
        Self(front << FRONT | self.0 & LOW)
    }

    /// The first position that nobody has claimed, modulo 2^48.
    pub(super) fn front(self) -> u64 {
        self.0 >> FRONT
    }

    /// Whether the owner is between two buffers.
    pub(super) fn is_swapping(self) -> bool {
        self.0 & 1 != 0
    }

    /// What, added to this head, leads to the next generation; those after the last
    /// start again.
    pub(super) fn to_next_generation(self) -> u64 {
        match self.0 & GENERATION {
            GENERATION => 0_u64.wrapping_sub(GENERATION),
            _ => 1,
        }
    }

    /// `n` items are claimed. The carry of the last position leaves the word.
    #[must_use]
    pub(super) fn claimed(self, n: u64) -> Self {
        Self(self.0.wrapping_add(n << FRONT))
    }

    /// How many items are before `tail`, a position modulo 2^48 or more. Negative
    /// while the two words do not belong together.
    pub(super) fn items_before(self, tail: u64) -> i64 {
        // The ones below the tail are not less than anything there, so it borrows nothing;
        // the shift down cuts off what is left of it and extends the sign.
        let tail = tail << FRONT | LOW;
        tail.wrapping_sub(self.0).cast_signed() >> FRONT
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("front", &self.front())
            .field("mode", &self.mode())
            .field("opened_at_odd", &self.was_opened_at_odd())
            .field("generation", &(self.0 & GENERATION))
            .finish()
    }
}
