//! Slots to be written in place.

use core::fmt;
use core::mem::MaybeUninit;

use super::Producer;

/// Free slots, to be written and published at once; by
/// [`Producer::write_chunk`](super::Producer::write_chunk).
///
/// Dropped or leaked, it publishes nothing, and the slots stay free. What was written
/// through [`as_mut_slices`](Self::as_mut_slices) and not committed is not dropped.
#[must_use = "it publishes nothing by itself"]
pub struct WriteChunk<'a, T> {
    producer: &'a mut Producer<T>,
    count: usize,
}

impl<'a, T> WriteChunk<'a, T> {
    /// The producer has so many free slots.
    #[inline]
    pub(super) fn new(producer: &'a mut Producer<T>, count: usize) -> Self {
        Self { producer, count }
    }

    /// How many slots these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The slots: those up to the end of the ring, and then those from its beginning.
    /// They hold nothing.
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [MaybeUninit<T>], &mut [MaybeUninit<T>]) {
        let (tail, count) = (self.producer.tail(), self.count);
        self.producer.ring().mark_writes(tail, count);
        let (first, second) = self.producer.ring().slices(tail, count);
        // SAFETY: (1) these slots are the producer's, which is borrowed; (2) the two do
        // not overlap, as there are no more than the ring has.
        let first = unsafe { &mut *first };
        // SAFETY: as above.
        let second = unsafe { &mut *second };
        (first, second)
    }

    /// Publishes the first `count` items; the other slots stay free.
    ///
    /// # Panics
    ///
    /// If the chunk has fewer.
    ///
    /// # Safety
    ///
    /// The first `count` slots, those of the first slice before those of the second, are
    /// initialised.
    #[inline]
    pub unsafe fn commit(self, count: usize) {
        assert!(count <= self.count, "committing more than the chunk has");
        // SAFETY: by contract; and they are the producer's.
        unsafe { self.producer.advance(count) };
    }

    /// Writes items from the iterator until the chunk or the iterator ends, and
    /// publishes them at once; returns how many.
    ///
    /// If the iterator panics, what it has given is published.
    #[inline]
    pub fn fill(self, items: impl IntoIterator<Item = T>) -> usize {
        self.fill_from(&mut items.into_iter())
    }

    #[inline]
    pub(super) fn fill_from(mut self, items: &mut impl Iterator<Item = T>) -> usize {
        /// Publishes what is written, also when the iterator panics.
        struct Written<'a, T> {
            producer: &'a mut Producer<T>,
            count: usize,
        }

        impl<T> Drop for Written<'_, T> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: so many are written, to free slots.
                unsafe { self.producer.advance(self.count) };
            }
        }

        let (first, second) = {
            let (first, second) = self.as_mut_slices();
            (&raw mut *first, &raw mut *second)
        };
        let mut written = Written {
            producer: self.producer,
            count: 0,
        };
        for slots in [first, second] {
            // SAFETY: these are the producer's slots, which only this function uses while
            // it borrows the producer.
            let slots = unsafe { &mut *slots };
            // The slot first: no item is asked for that there is no slot for.
            for (slot, item) in slots.iter_mut().zip(&mut *items) {
                slot.write(item);
                written.count += 1;
            }
            if slots.len() > written.count {
                // The iterator has ended: it is not asked again.
                break;
            }
        }
        written.count
    }
}

impl<T> fmt::Debug for WriteChunk<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteChunk")
            .field("len", &self.count)
            .finish_non_exhaustive()
    }
}
