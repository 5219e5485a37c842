//! The word that claims are made on.

use core::fmt;

const FRONT_BITS: u32 = 48;
const FRONT: u64 = (1 << FRONT_BITS) - 1;

/// The consuming end: `generation` (16 bits) of the buffer, and `front` (48 bits),
/// the first position that nobody has claimed.
///
/// | `generation` | meaning | who may leave it, how |
/// |---|---|---|
/// | even | the buffer holds `front..tail` | anyone, by a claim: `front + n`; the owner, to replace the buffer: `generation + 1` |
/// | odd | the owner stores the new buffer | the owner: `generation + 1`; nobody else may claim |
///
/// So a claim that succeeds under a generation is about the buffer of that
/// generation, and after the owner has left it no claim under it succeeds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Head(pub(super) u64);

impl Head {
    /// What, added to a head, leads to the next generation. Those after the last
    /// start again: the carry leaves the word.
    pub(super) const NEXT_GENERATION: u64 = 1 << FRONT_BITS;
    /// How often the buffer can be replaced before a generation comes again.
    pub(super) const SWAPS: u32 = 1 << (64 - FRONT_BITS - 1);

    /// Generation 0; the higher bits of `front` are cut off.
    pub(super) fn new(front: u64) -> Self {
        Self(front & FRONT)
    }

    /// The first position that nobody has claimed, modulo 2^48.
    pub(super) fn front(self) -> u64 {
        self.0 & FRONT
    }

    /// Whether the owner is between two buffers.
    pub(super) fn is_swapping(self) -> bool {
        self.0 & Self::NEXT_GENERATION != 0
    }

    /// `n` items are claimed.
    #[must_use]
    pub(super) fn claimed(self, n: u64) -> Self {
        let front = self.0.wrapping_add(n) & FRONT;
        Self(self.0 & !FRONT | front)
    }

    /// How many items are before `tail`, a position modulo 2^48 or more. Negative
    /// while the two words do not belong together.
    pub(super) fn items_before(self, tail: u64) -> i64 {
        // The shift up takes the generation out, the one down extends the sign.
        (tail.wrapping_sub(self.0) << (64 - FRONT_BITS)).cast_signed() >> (64 - FRONT_BITS)
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("generation", &(self.0 >> FRONT_BITS))
            .field("front", &self.front())
            .finish()
    }
}
