//! The end that pops.

use alloc::vec::Vec;
use core::fmt;
use core::mem::MaybeUninit;

use engine_atomic::sync::Arc;

use super::ring::Ring;
use super::{ReadChunk, TooFewSlots};

/// The end of a queue that pops; by [`channel`](super::channel).
///
/// `Send`; its operations take `&mut self`, so one thread at a time pops. See the
/// [module](super) for example and guarantees.
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// The position of the next pop: all before it is taken, and given back to the
    /// producer but while an [`IntoIter`](super::IntoIter) is at work, or was leaked.
    head: usize,
    /// The tail that was seen last. Not beyond the tail now.
    limit: usize,
}

impl<T> Consumer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>, start: usize) -> Self {
        Self {
            ring,
            head: start,
            limit: start,
        }
    }

    /// Takes the oldest item.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.limit && self.look() == 0 {
            return None;
        }
        // SAFETY: it is before the limit.
        let item = unsafe { self.take() };
        self.give_back();
        Some(item)
    }

    /// Moves the oldest items, at most `max`, to the end of `into`; returns how many.
    /// Their slots are given back at once.
    #[inline]
    pub fn pop_batch(&mut self, into: &mut Vec<T>, max: usize) -> usize {
        let available = self.available(max);
        // Two calls: in the first one the compiler may know the length.
        if available >= max {
            self.append_to(into, max);
            return max;
        }
        self.append_to(into, available);
        available
    }

    /// Moves the oldest items, of which there are so many, to the end of `into`.
    #[inline]
    fn append_to(&mut self, into: &mut Vec<T>, count: usize) {
        // Unwind: nothing is taken yet, should the vector be unable to grow.
        into.reserve(count);
        let to = &mut into.spare_capacity_mut()[..count];
        // SAFETY: there are so many.
        unsafe { self.move_out(to) };
        let len = into.len() + count;
        // SAFETY: they are initialised: moved there, and given up here.
        unsafe { into.set_len(len) };
        self.give_back();
    }

    /// Fills `items` with the oldest items as far as there are any; returns how many.
    #[inline]
    pub fn pop_slice(&mut self, items: &mut [T]) -> usize
    where
        T: Copy,
    {
        let available = self.available(items.len());
        let to = (&raw mut *items) as *mut [MaybeUninit<T>];
        // SAFETY: the same memory, and what is written to it below are valid items.
        let to = unsafe { &mut *to };
        // Two calls: in the first one the compiler may know the length.
        let count = if available >= to.len() {
            // SAFETY: there are so many.
            unsafe { self.move_out(to) };
            to.len()
        } else {
            // SAFETY: there are so many.
            unsafe { self.move_out(&mut to[..available]) };
            available
        };
        self.give_back();
        count
    }

    /// The oldest item, which stays where it is.
    #[inline]
    pub fn peek(&mut self) -> Option<&T> {
        if self.head == self.limit && self.look() == 0 {
            return None;
        }
        self.ring.mark_reads(self.head, 1);
        let (first, _) = self.ring.slices(self.head, 1);
        // SAFETY: (1) initialised, and that happened before, as it is before the limit;
        // (2) nobody takes or overwrites it before the consumer does, which is borrowed.
        Some(unsafe { &*first.cast::<T>() })
    }

    /// A view over the `count` oldest items, which stay until it is told to take them.
    ///
    /// # Errors
    ///
    /// If there are fewer, with their number.
    #[inline]
    pub fn read_chunk(&mut self, count: usize) -> Result<ReadChunk<'_, T>, TooFewSlots> {
        match self.available(count) {
            available if available >= count => Ok(ReadChunk::new(self, count)),
            available => Err(TooFewSlots(available)),
        }
    }

    /// How many items there are: so many pops succeed from now on. The producer may be
    /// making it more.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.ring.tail().wrapping_sub(self.head)
    }

    /// Whether there is no item. If not, this stays so until the next pop.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots() == 0
    }

    /// How many items the queue can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Whether the producer was dropped: nothing will be pushed any more. What it has
    /// pushed is still there; a pop that finds nothing *after* this was true is final.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ring.producer_is_gone()
    }

    /// How many items there are; exact when fewer than `wanted`.
    #[inline]
    fn available(&mut self, wanted: usize) -> usize {
        let known = self.limit.wrapping_sub(self.head);
        if known >= wanted { known } else { self.look() }
    }

    /// Looks how far the producer is: how many items there are.
    fn look(&mut self) -> usize {
        if !self.ring.is_released(self.head) {
            // An iterator was leaked. Whoever waits for an item must not keep the slots
            // that the producer waits for.
            self.give_back();
        }
        self.limit = self.ring.tail();
        self.limit.wrapping_sub(self.head)
    }

    pub(super) fn ring(&self) -> &Ring<T> {
        &self.ring
    }

    pub(super) fn head(&self) -> usize {
        self.head
    }

    /// Takes the `count` oldest items and forgets them; their slots are not yet given back.
    ///
    /// # Safety
    ///
    /// There are so many before the limit.
    #[inline]
    pub(super) unsafe fn forget(&mut self, count: usize) {
        debug_assert!(count <= self.limit.wrapping_sub(self.head));
        self.head = self.head.wrapping_add(count);
    }

    /// Takes the oldest item; its slot is not yet given back.
    ///
    /// # Safety
    ///
    /// The head is before the limit.
    #[inline]
    pub(super) unsafe fn take(&mut self) -> T {
        debug_assert!(self.head != self.limit);
        // SAFETY: (1) `&mut self` is the consumer; (2) by contract; (3) the head moves on
        // at once.
        let item = unsafe { self.ring.take(self.head) };
        self.head = self.head.wrapping_add(1);
        item
    }

    /// Moves the oldest items to `to`; their slots are not yet given back.
    ///
    /// # Safety
    ///
    /// There are so many before the limit.
    #[inline]
    unsafe fn move_out(&mut self, to: &mut [MaybeUninit<T>]) {
        debug_assert!(to.len() <= self.limit.wrapping_sub(self.head));
        self.ring.mark_reads(self.head, to.len());
        let (first, second) = self.ring.slices(self.head, to.len());
        // (1) `&mut self` is the consumer, and nobody writes its slots; (2) they are
        // initialised as far as these slices go, by contract; (3) they do not overlap what
        // is lent to us.
        if second.is_empty() {
            // SAFETY: the above; the first slice is as long as `to`.
            unsafe { copy(first.cast(), to) };
        } else {
            let (to_first, to_second) = to.split_at_mut(first.len());
            // SAFETY: the above; as long as the first slice.
            unsafe { copy(first.cast(), to_first) };
            // SAFETY: the above; as long as the second slice.
            unsafe { copy(second.cast(), to_second) };
        }
        // They are taken: each once, as the head moves on.
        self.head = self.head.wrapping_add(to.len());
    }

    /// Gives the slots of what was taken back to the producer.
    #[inline]
    pub(super) fn give_back(&self) {
        // SAFETY: (1) who calls has the consumer; (2) all before the head is taken.
        unsafe { self.ring.release(self.head) };
    }
}

/// Fills `to` with what is at `from`.
///
/// # Safety
///
/// There are so many, initialised, and they do not overlap.
#[inline]
unsafe fn copy<T>(from: *const MaybeUninit<T>, to: &mut [MaybeUninit<T>]) {
    // SAFETY: by contract.
    unsafe { from.copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        // An iterator that was leaked has taken items, and not given back their slots.
        self.give_back();
        self.ring.consumer_leaves();
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("slots", &self.slots())
            .field("known_slots", &self.limit.wrapping_sub(self.head))
            .field("capacity", &self.capacity())
            .field("is_abandoned", &self.is_abandoned())
            .finish()
    }
}
