//! Positions in the list.

use core::fmt;

use crate::word::Signed;
pub(super) use crate::word::{AtomicIndex, Word};

/// `{ position, flag }`, with blocks of `CAP` slots: the flag is the lowest bit. At the head it is set once a block
/// after the head's was seen: then the tail need not be looked at. At the tail it is set
/// when the list is closed, for ever: no more is claimed there.
///
/// | `position % LAP` | meaning | who may leave it, how |
/// |---|---|---|
/// | `0..CAP` | the next slot to claim | anyone, by a CAS that adds what it claims |
/// | `CAP` | the block is used up | whoever claimed its last slot, to the next block |
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Index<const CAP: usize>(pub(super) Word);

/// What was seen of the block after the head's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is one.
    Seen,
    /// None was seen: the head's block may be the last.
    NotSeen,
}

const FLAG: Word = 1;
const SHIFT: u32 = 1;

impl<const CAP: usize> Index<CAP> {
    /// Positions of one block: its slots, and one without a slot, where an end stands
    /// while the next block is installed. Divides the number of all positions, so that
    /// the arithmetic below survives a wrap.
    const LAP: Word = {
        let lap = CAP as Word + 1;
        assert!(lap.is_power_of_two());
        lap
    };

    pub(super) const START: Self = Self(0);

    fn position(self) -> Word {
        self.0 >> SHIFT
    }

    /// The slot in the block, or `CAP`.
    pub(super) fn offset(self) -> usize {
        (self.position() % Self::LAP) as usize
    }

    /// Whether this tail is closed.
    pub(super) fn is_closed(self) -> bool {
        self.0 & FLAG != 0
    }

    /// What turns a tail into a closed one, by an OR.
    pub(super) const CLOSED: Word = FLAG;

    /// What moves a tail from the position without a slot to the next block, by an addition.
    pub(super) const NEXT_BLOCK: Word = 1 << SHIFT;

    /// What this head says.
    pub(super) fn next(self) -> Next {
        match self.0 & FLAG {
            0 => Next::NotSeen,
            _ => Next::Seen,
        }
    }

    pub(super) fn with_next(self, next: Next) -> Self {
        let bit = match next {
            Next::NotSeen => 0,
            Next::Seen => FLAG,
        };
        Self(self.0 & !FLAG | bit)
    }

    /// `count` slots on, with the same bit.
    pub(super) fn advanced(self, count: usize) -> Self {
        debug_assert!(self.offset() + count <= CAP);
        Self(self.0.wrapping_add((count as Word) << SHIFT))
    }

    /// From the position without a slot to the first slot of the next block.
    pub(super) fn next_block(self) -> Self {
        debug_assert_eq!(self.offset(), CAP);
        Self((self.0 & !FLAG).wrapping_add(1 << SHIFT))
    }

    pub(super) fn same_block(self, other: Self) -> bool {
        self.position() / Self::LAP == other.position() / Self::LAP
    }

    /// Whether this position is later than `other`. The two may have been loaded
    /// in any order: a head can be newer than the tail.
    pub(super) fn is_after(self, other: Self) -> bool {
        let distance = (self.0 & !FLAG).wrapping_sub(other.0 & !FLAG);
        (distance as Signed) > 0
    }

    /// Slots from `head` to here; 0 if the head is newer.
    pub(super) fn items_since(self, head: Self) -> usize {
        if !self.is_after(head) {
            return 0;
        }
        let positions = (self.0 & !FLAG).wrapping_sub(head.0 & !FLAG) >> SHIFT;
        // Positions without a slot in `head..self`: one for each block begun since.
        // The head may stand on one itself.
        let blocks = (head.offset() as Word + positions) / Self::LAP;
        (positions - blocks) as usize
    }
}

impl<const CAP: usize> fmt::Debug for Index<CAP> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("block", &(self.position() / Self::LAP))
            .field("offset", &self.offset())
            .field("flag", &(self.0 & FLAG))
            .finish()
    }
}
