//! Slots, and one position a side.

use alloc::alloc::Layout;
use alloc::boxed::Box;
use core::mem::MaybeUninit;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

use engine_atomic::sync::MODEL;
use engine_atomic::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::{CachePadded, separate_lines};

use crate::drop_all::drop_all;

/// What one side writes and the other reads.
struct Side {
    /// The next position that this side will use. Only ever grows, and wraps: slots are a
    /// power of two, and two positions are never further apart than the capacity.
    position: AtomicUsize,
    /// Whether this side was dropped.
    gone: AtomicBool,
}

/// The ring that both sides share.
///
/// | positions | slot holds | who may touch it |
/// |---|---|---|
/// | `head..tail` | an item | the consumer, which then moves the head |
/// | `tail..head + capacity` | nothing | the producer, which then moves the tail |
///
/// A side may touch what it has seen to be its own: the other one can only add to that.
/// A slot changes hands by the Release store of a position and the Acquire load that
/// sees it.
pub(super) struct Ring<T> {
    tail: CachePadded<Side>,
    head: CachePadded<Side>,
    /// Owned, `mask + 1` long. A `*mut`, which makes the ends invariant in `T`: what one
    /// end is given the other one must be allowed to return.
    slots: *mut MaybeUninit<T>,
    mask: usize,
    capacity: usize,
    /// Stand for the slots under a checker: one for each, of size zero otherwise. The
    /// slots themselves must lie side by side for the chunks.
    marks: Box<[UnsafeCell<()>]>,
}

separate_lines!(Ring<u8> { tail, head, slots });

// No panic can leave it half changed: no code of the user runs inside.
impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}

// SAFETY: the slots are owned. Items are handed from thread to thread by value, or lent
// by the one that owns the consumer, so `T: Send` is enough.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above; a slot has one side at a time: see the table.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize, start: usize) -> Self {
        assert!(capacity != 0, "capacity must be non-zero");
        let count = capacity
            .checked_next_power_of_two()
            .filter(|&count| Layout::array::<T>(count).is_ok())
            .expect("capacity too large");
        let side = || {
            CachePadded::new(Side {
                position: AtomicUsize::new(start),
                gone: AtomicBool::new(false),
            })
        };
        let marks = if MODEL { count } else { 0 };
        Self {
            tail: side(),
            head: side(),
            slots: Box::into_raw(Box::<[T]>::new_uninit_slice(count)).cast(),
            mask: count - 1,
            capacity,
            marks: (0..marks).map(|_| UnsafeCell::new(())).collect(),
        }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The slot of `position`; of the slots after it, those up to the end of the ring
    /// lie behind it.
    #[inline]
    fn slot(&self, position: usize) -> *mut MaybeUninit<T> {
        // SAFETY: the slots are `mask + 1`.
        unsafe { self.slots.add(position & self.mask) }
    }

    /// The slots from `position` on, `count` of them: those up to the end of the ring,
    /// and the rest.
    #[inline]
    pub(super) fn slices(
        &self,
        position: usize,
        count: usize,
    ) -> (*mut [MaybeUninit<T>], *mut [MaybeUninit<T>]) {
        debug_assert!(count <= self.mask + 1);
        let first = count.min(self.mask + 1 - (position & self.mask));
        (
            ptr::slice_from_raw_parts_mut(self.slot(position), first),
            ptr::slice_from_raw_parts_mut(self.slots, count - first),
        )
    }

    /// Tells a checker that the slots are written, now.
    #[inline]
    pub(super) fn mark_writes(&self, position: usize, count: usize) {
        if MODEL {
            for n in 0..count {
                self.marks[position.wrapping_add(n) & self.mask].with_mut(|_| ());
            }
        }
    }

    /// Tells a checker that the slots are read, now.
    #[inline]
    pub(super) fn mark_reads(&self, position: usize, count: usize) {
        if MODEL {
            for n in 0..count {
                self.marks[position.wrapping_add(n) & self.mask].with(|_| ());
            }
        }
    }

    // --------------------------------------------------------------- producer

    /// How far the consumer is.
    #[inline]
    pub(super) fn head(&self) -> usize {
        // Acquire: the consumer's reads before this head are over; pairs with the Release
        // in `release`.
        self.head.position.load(Acquire)
    }

    /// Writes an item, unpublished.
    ///
    /// # Safety
    ///
    /// (1) The caller is the producer; (2) the position is its own by the table.
    #[inline]
    pub(super) unsafe fn write(&self, position: usize, item: T) {
        self.mark_writes(position, 1);
        let slot = self.slot(position);
        // SAFETY: (1) nobody else writes; (2) nobody reads it before `publish`, and its
        // last reader is done: by the Acquire in `head`.
        unsafe { (*slot).write(item) };
    }

    /// Gives everything before `tail` to the consumer.
    ///
    /// # Safety
    ///
    /// (1) The caller is the producer; (2) all up to here is written.
    #[inline]
    pub(super) unsafe fn publish(&self, tail: usize) {
        // Release: publishes the items; pairs with the Acquire in `tail`.
        self.tail.position.store(tail, Release);
    }

    // --------------------------------------------------------------- consumer

    /// How far the producer is.
    #[inline]
    pub(super) fn tail(&self) -> usize {
        // Acquire: the items before this tail are written; pairs with the Release in
        // `publish`.
        self.tail.position.load(Acquire)
    }

    /// Moves an item out.
    ///
    /// # Safety
    ///
    /// (1) The caller is the consumer; (2) the position is its own by the table; (3) it
    /// is taken once.
    #[inline]
    pub(super) unsafe fn take(&self, position: usize) -> T {
        self.mark_reads(position, 1);
        let slot = self.slot(position);
        // SAFETY: (2) initialised, and that happened before: by the Acquire in `tail`;
        // (1) nobody writes it before `release`; (3) read once.
        unsafe { slot.cast::<T>().read() }
    }

    /// Gives everything before `head` to the producer.
    ///
    /// # Safety
    ///
    /// (1) The caller is the consumer; (2) all up to here is taken.
    #[inline]
    pub(super) unsafe fn release(&self, head: usize) {
        // Release: our reads are over; pairs with the Acquire in `head`.
        self.head.position.store(head, Release);
    }

    /// Whether this head is that of the last `release`; for the consumer.
    #[inline]
    pub(super) fn is_released(&self, head: usize) -> bool {
        // Relaxed: for the consumer this is its own last store.
        self.head.position.load(Relaxed) == head
    }

    // -------------------------------------------------------------- both sides

    /// How many items there are, for either side: its own position is exact.
    pub(super) fn len(&self) -> usize {
        self.tail().wrapping_sub(self.head())
    }

    pub(super) fn producer_leaves(&self) {
        // Release: who sees it sees all that was pushed; pairs with the Acquire in
        // `producer_is_gone`.
        self.tail.gone.store(true, Release);
    }

    pub(super) fn producer_is_gone(&self) -> bool {
        // Acquire: as above. A tail that is loaded after this is the last one.
        self.tail.gone.load(Acquire)
    }

    pub(super) fn consumer_leaves(&self) {
        // Release: who sees it sees what the consumer did; pairs with the Acquire in
        // `consumer_is_gone`.
        self.head.gone.store(true, Release);
    }

    pub(super) fn consumer_is_gone(&self) -> bool {
        // Acquire: as above.
        self.head.gone.load(Acquire)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        /// Frees the slots, after the items and also when one of them panics.
        struct Slots<'a, T>(&'a Ring<T>);

        impl<T> Drop for Slots<'_, T> {
            fn drop(&mut self) {
                let all = ptr::slice_from_raw_parts_mut(self.0.slots, self.0.mask + 1);
                // SAFETY: made by `into_raw` of a box of this length, and not used again.
                drop(unsafe { Box::from_raw(all) });
            }
        }

        let ring = Slots(self);
        let (head, count) = (ring.0.head(), ring.0.len());
        drop_all((0..count).map(|n| {
            // SAFETY: (1) both sides are gone, so we are the consumer; (2) before the
            // tail; (3) each once.
            unsafe { ring.0.take(head.wrapping_add(n)) }
        }));
    }
}
