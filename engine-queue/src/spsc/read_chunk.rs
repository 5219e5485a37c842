//! Items to be read in place.

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::mem;

use super::Consumer;
use crate::drop_all::drop_all;

/// The oldest items, to be looked at and taken; by
/// [`Consumer::read_chunk`](super::Consumer::read_chunk).
///
/// Dropped or leaked, it takes nothing: the items stay in the queue. As an iterator it
/// moves the items out.
#[must_use = "it takes nothing by itself"]
pub struct ReadChunk<'a, T> {
    consumer: &'a mut Consumer<T>,
    count: usize,
    /// It lends items: `Sync` only if they are.
    items: PhantomData<&'a mut [T]>,
}

impl<'a, T> ReadChunk<'a, T> {
    /// The consumer has so many items before its limit.
    #[inline]
    pub(super) fn new(consumer: &'a mut Consumer<T>, count: usize) -> Self {
        Self {
            consumer,
            count,
            items: PhantomData,
        }
    }

    /// How many items these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items, oldest first: those up to the end of the ring, and then those from its
    /// beginning.
    #[must_use]
    #[inline]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        let (head, count) = (self.consumer.head(), self.count);
        self.consumer.ring().mark_reads(head, count);
        let (first, second) = self.consumer.ring().slices(head, count);
        // SAFETY: (1) initialised, and that happened before: they are before the limit;
        // (2) nobody takes or overwrites them before the consumer does, which is
        // borrowed.
        let first = unsafe { &*(first as *const [T]) };
        // SAFETY: as above.
        let second = unsafe { &*(second as *const [T]) };
        (first, second)
    }

    /// The same, to be changed in place.
    #[must_use]
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        let (head, count) = (self.consumer.head(), self.count);
        self.consumer.ring().mark_writes(head, count);
        let (first, second) = self.consumer.ring().slices(head, count);
        // SAFETY: as in `as_slices`, and (3) they do not overlap, as there are no more
        // than the ring has.
        let first = unsafe { &mut *(first as *mut [T]) };
        // SAFETY: as above.
        let second = unsafe { &mut *(second as *mut [T]) };
        (first, second)
    }

    /// Drops the `count` oldest items and gives their slots back; the others stay.
    ///
    /// When the drop of one panics, the others are still dropped.
    ///
    /// # Panics
    ///
    /// If the chunk has fewer.
    #[inline]
    pub fn commit(self, count: usize) {
        assert!(count <= self.count, "committing more than the chunk has");
        if !mem::needs_drop::<T>() {
            // SAFETY: a chunk's items are before the limit.
            unsafe { self.consumer.forget(count) };
            self.consumer.give_back();
            return;
        }
        // Unwind: the iterator gives back the slots.
        drop_all(self.into_iter().take(count));
    }
}

impl<'a, T> IntoIterator for ReadChunk<'a, T> {
    type Item = T;
    type IntoIter = IntoIter<'a, T>;

    #[inline]
    fn into_iter(self) -> IntoIter<'a, T> {
        IntoIter { chunk: self }
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.as_slices();
        f.debug_list().entries(first).entries(second).finish()
    }
}

/// Moves the items of a [`ReadChunk`] out, oldest first.
///
/// When it is dropped, the slots of those that it gave go back to the producer at once,
/// and the others stay in the queue. When it is leaked, that happens with the consumer's
/// next operation.
pub struct IntoIter<'a, T> {
    chunk: ReadChunk<'a, T>,
}

impl<T> Iterator for IntoIter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.chunk.count = self.chunk.count.checked_sub(1)?;
        // SAFETY: a chunk's items are before the limit; there is one.
        Some(unsafe { self.chunk.consumer.take() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.chunk.count, Some(self.chunk.count))
    }
}

impl<T> ExactSizeIterator for IntoIter<'_, T> {}
impl<T> FusedIterator for IntoIter<'_, T> {}

impl<T> Drop for IntoIter<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.chunk.consumer.give_back();
    }
}

impl<T: fmt::Debug> fmt::Debug for IntoIter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.chunk).finish()
    }
}
