//! How the stamps of a ring follow one another.

use core::hint::cold_path;

use crate::word::Word;

/// A stamp is `{ lap, mark, index }`: the index is that of a slot, the mark is set in the tail
/// of a closed queue only, and a lap is one round through the slots. The capacity need not be
/// a power of two: a lap is longer than the round, and the rest of its stamps is passed over.
#[derive(Clone, Copy)]
pub(super) struct Course {
    /// The index of the last slot.
    last: Word,
    /// The bits of the index. More than the last index needs: `{ lap, last } + 1`, which
    /// a slot holds, is not a stamp of an end.
    index: Word,
    /// From the last stamp of a lap to the first one of the next.
    turn: Word,
}

impl Course {
    /// That of so many slots, unless the word is too narrow for two laps.
    pub(super) fn new(capacity: usize) -> Option<Self> {
        let mark = Word::try_from(capacity)
            .ok()?
            .checked_add(1)?
            .checked_next_power_of_two()
            .filter(|&mark| mark <= Word::MAX / 4)?;
        let last = (capacity as Word).checked_sub(1)?;
        Some(Self {
            last,
            index: mark - 1,
            turn: 2 * mark - last,
        })
    }

    /// How many slots there are.
    #[inline]
    pub(super) fn capacity(self) -> usize {
        self.last as usize + 1
    }

    /// The index of the last slot.
    #[inline]
    pub(super) fn last(self) -> usize {
        self.last as usize
    }

    /// The bit between index and lap.
    #[inline]
    pub(super) fn mark(self) -> Word {
        self.index + 1
    }

    /// Stamps of one round.
    #[inline]
    pub(super) fn lap(self) -> Word {
        2 * self.mark()
    }

    /// The slot of a stamp, marked or not.
    #[inline]
    pub(super) fn index(self, stamp: Word) -> usize {
        (stamp & self.index) as usize
    }

    /// The stamp of the next slot.
    #[inline]
    pub(super) fn next(self, stamp: Word) -> Word {
        if stamp & self.index == self.last {
            // Once a round. A branch, as the processor goes on with what it expects and does
            // not wait for the comparison: a claim waits for nothing else.
            cold_path();
            // { lap, last } -> { lap + 1, 0 }
            stamp.wrapping_add(self.turn)
        } else {
            // { lap, index } -> { lap, index + 1 }
            stamp.wrapping_add(1)
        }
    }

    /// The stamp `count` slots on; at most one round.
    #[inline]
    pub(super) fn after(self, stamp: Word, count: usize) -> Word {
        let to = (stamp & self.index) + count as Word;
        let step = if to > self.last {
            // { lap, index } -> { lap + 1, index + count - capacity }
            self.turn - 1
        } else {
            // { lap, index } -> { lap, index + count }
            0
        };
        stamp.wrapping_add(count as Word).wrapping_add(step)
    }

    /// Slots from `head` to the unmarked `tail`.
    pub(super) fn distance(self, head: Word, tail: Word) -> usize {
        let (from, to) = (self.index(head), self.index(tail));
        if head == tail {
            0
        } else if from < to {
            to - from
        } else {
            // The tail is on the next lap. While a `force_push` has moved the head and
            // not yet the tail there is one less.
            self.capacity() - from + to
        }
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    /// One by one or at once, over the end of a lap and that of the word.
    #[test]
    fn the_ways_agree() {
        for capacity in 1..=9 {
            let course = Course::new(capacity).unwrap();
            let mut from = (0 as Word).wrapping_sub(2 * course.lap());
            for _ in 0..4 * capacity {
                let mut stamp = from;
                for count in 0..=capacity {
                    assert_eq!(course.after(from, count), stamp);
                    assert_eq!(course.distance(from, stamp), count);
                    assert!(course.index(stamp) < capacity);
                    assert_eq!(stamp & course.mark(), 0);
                    // What the slot holds in between is nobody's stamp.
                    assert_ne!(course.index(stamp.wrapping_add(1)), 0);
                    stamp = course.next(stamp);
                }
                from = course.next(from);
            }
        }
    }

    #[test]
    fn what_a_word_holds() {
        assert!(Course::new(0).is_none());
        // The longest laps of which there are more than one, where a `usize` can say it.
        if let Ok(most) = usize::try_from(Word::MAX / 8) {
            assert!(Course::new(most).is_some());
            assert!(Course::new(most + 1).is_none());
            assert!(Course::new(usize::MAX).is_none());
        }
    }
}
