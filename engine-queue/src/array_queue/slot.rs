//! A place for one item.

use core::mem::{MaybeUninit, size_of};

use engine_atomic::CACHE_LINE;
use engine_atomic::sync::atomic::Ordering::*;
use engine_atomic::sync::cell::UnsafeCell;

use super::course::Course;
use super::prefetch;
use crate::word::{AtomicIndex, Word};

/// A place for one item. With `i` the slot's index, and `{ lap, i }` the stamp of
/// that place in round `lap`:
///
/// | stamp | meaning | who may leave it, how |
/// |---|---|---|
/// | `{ lap, i }` | empty, to be pushed to in this round | the push that moved the tail from here: writes the item, then `+ 1` |
/// | `{ lap, i } + 1` | holds the item of this round | the pop that moved the head from here: moves the item out, then `{ lap + 1, i }`; a `force_push` one lap on, which moved both: exchanges the items, then `{ lap + 1, i } + 1` |
///
/// The thread that moved an index past a slot is the only one to touch it until it
/// has stored the next stamp. A round is longer than the capacity, so the two
/// kinds of stamp never meet, at a capacity of one neither.
pub(super) struct Slot<T> {
    pub(super) stamp: AtomicIndex,
    pub(super) item: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    /// An empty slot with this stamp.
    pub(super) fn new(stamp: Word) -> Self {
        Self {
            stamp: AtomicIndex::new(stamp),
            item: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// So many slots on, two lines away, is what the next operations will need.
    const AHEAD: usize = 2 * CACHE_LINE / size_of::<Self>() + 1;

    /// Asks for the slot that an end, which stands here at `at`, will come to soon.
    #[inline]
    pub(super) fn prefetch_after(&self, course: Course, at: Word) {
        // Not over the end of the ring: once a round two lines come late.
        if course.index(at) + Self::AHEAD <= course.last() {
            prefetch::for_writing((&raw const *self).wrapping_add(Self::AHEAD));
        }
    }

    #[inline]
    pub(super) fn stamp(&self) -> Word {
        // Acquire: a popper receives the item, and a pusher the end of the last read;
        // pairs with the Release stores in `fill`, `force_push` and `empty`.
        self.stamp.load(Acquire)
    }

    /// Puts the item into a slot that the tail was moved past.
    ///
    /// # Safety
    ///
    /// The stamp was `tail`, and then the caller moved the tail past it.
    #[inline]
    pub(super) unsafe fn fill(&self, tail: Word, item: T) {
        self.item.with_mut(|slot| {
            // SAFETY: by the stamp the slot is empty, and whoever emptied it is done; by
            // the claim nobody else touches it.
            unsafe { (*slot).write(item) };
        });
        // { lap, i } -> { lap, i } + 1
        // Release: publishes the item; pairs with the Acquire load in `stamp`.
        self.stamp.store(tail.wrapping_add(1), Release);
    }

    /// Takes the item out of a slot that the head was moved past.
    ///
    /// # Safety
    ///
    /// The stamp was `head + 1`, and then the caller moved the head past it.
    #[inline]
    pub(super) unsafe fn empty(&self, head: Word, course: Course) -> T {
        let item = self.item.with(|slot| {
            // SAFETY: by the stamp the slot is initialised, and that happened before; by
            // the claim this is the only read of its item.
            unsafe { slot.cast::<T>().read() }
        });
        // { lap, i } + 1 -> { lap + 1, i }
        // Release: our read is over; pairs with the Acquire load in `stamp`.
        self.stamp.store(head.wrapping_add(course.lap()), Release);
        item
    }
}
