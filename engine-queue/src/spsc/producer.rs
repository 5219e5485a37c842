//! The end that pushes.

use alloc::vec::Vec;
use core::fmt;

use engine_atomic::sync::Arc;

use super::ring::Ring;
use super::{TooFewSlots, WriteChunk};
use crate::PushError;
use crate::front::Front;

/// The end of a queue that pushes; by [`channel`](super::channel).
///
/// `Send`; its operations take `&mut self`, so one thread at a time pushes. See the
/// [module](super) for example and guarantees.
///
/// What it pushes must live as long as the consumer expects:
///
/// ```compile_fail,E0597
/// use engine_queue::spsc::{self, Producer};
///
/// let (producer, mut consumer) = spsc::channel::<&'static str>(1);
/// {
///     let text = String::from("short");
///     let mut producer: Producer<&str> = producer;
///     producer.push(&text).unwrap();
/// }
/// println!("{:?}", consumer.pop());
/// ```
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// The position of the next push: all before it is published.
    tail: usize,
    /// Where the ring is full: one capacity beyond the head that was seen last. Not
    /// beyond the head now.
    limit: usize,
}

impl<T> Producer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>, start: usize) -> Self {
        let limit = start.wrapping_add(ring.capacity());
        Self {
            ring,
            tail: start,
            limit,
        }
    }

    /// Appends `item`. Does not look whether the consumer is gone while there is room: what
    /// nobody can pop any more is dropped with the queue. See
    /// [`is_abandoned`](Self::is_abandoned).
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        if self.tail == self.limit && self.look() == 0 {
            return Err(item);
        }
        // SAFETY: (1) `&mut self` is the producer; (2) the tail is before the limit.
        unsafe { self.ring.write(self.tail, item) };
        // SAFETY: one more is written.
        unsafe { self.advance(1) };
        Ok(())
    }

    /// Appends the items of the vector, in their order, as far as there is room, publishes
    /// them at once, and takes them out of it.
    ///
    /// # Errors
    ///
    /// When items are left in the vector: [`PushError::Closed`] if the consumer was dropped,
    /// and otherwise [`PushError::Full`].
    #[inline]
    pub fn push_batch(&mut self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        let mut items = Front::new(items);
        let room = self.room(items.left());
        let count = room.min(items.left());
        WriteChunk::new(self, count).fill_from(&mut items);
        match items.left() {
            0 => Ok(()),
            _ if self.is_abandoned() => Err(PushError::Closed(())),
            _ => Err(PushError::Full(())),
        }
    }

    /// Appends items as long as there is room, and publishes them at once; returns how
    /// many.
    ///
    /// No more is taken from the iterator than there is room for: give it by `&mut` to
    /// go on with the rest later. If it panics, what it has given is published. Nobody
    /// waits for a slot here, so unlike in a [batch](crate::Queue#batches) of the other
    /// queues an iterator may take its time.
    #[inline]
    pub fn push_iter(&mut self, items: impl IntoIterator<Item = T>) -> usize {
        let mut items = items.into_iter();
        // So many as the iterator may give, or one, which costs at most one look.
        let wanted = items.size_hint().1.unwrap_or(usize::MAX).max(1);
        let room = self.room(wanted);
        WriteChunk::new(self, room.min(wanted)).fill_from(&mut items)
    }

    /// Appends a copy of as many of `items` as there is room for, and publishes them at
    /// once; returns how many.
    #[inline]
    pub fn push_slice(&mut self, items: &[T]) -> usize
    where
        T: Copy,
    {
        let room = self.room(items.len());
        // Two calls: in the first one the compiler may know the length.
        if room >= items.len() {
            self.copy_in(items);
            return items.len();
        }
        self.copy_in(&items[..room]);
        room
    }

    /// Appends copies of `items`, for which there is room.
    #[inline]
    fn copy_in(&mut self, items: &[T])
    where
        T: Copy,
    {
        let mut chunk = WriteChunk::new(self, items.len());
        let (first, second) = chunk.as_mut_slices();
        if second.is_empty() {
            first.write_copy_of_slice(items);
        } else {
            let (to_first, to_second) = items.split_at(first.len());
            first.write_copy_of_slice(to_first);
            second.write_copy_of_slice(to_second);
        }
        // SAFETY: all of them are written.
        unsafe { chunk.commit(items.len()) };
    }

    /// A view over the next `count` slots, to be written in place.
    ///
    /// # Errors
    ///
    /// If fewer are free, with their number.
    #[inline]
    pub fn write_chunk(&mut self, count: usize) -> Result<WriteChunk<'_, T>, TooFewSlots> {
        match self.room(count) {
            room if room >= count => Ok(WriteChunk::new(self, count)),
            room => Err(TooFewSlots(room)),
        }
    }

    /// How many slots are free: so many pushes succeed from now on. The consumer may be
    /// making it more.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.ring.capacity() - self.ring.len()
    }

    /// Whether no slot is free. If not, this stays so until the next push.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.slots() == 0
    }

    /// How many items the queue can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Whether the consumer was dropped: nobody will take what is pushed.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ring.consumer_is_gone()
    }

    /// How many slots are free; exact when fewer than `wanted`.
    #[inline]
    fn room(&mut self, wanted: usize) -> usize {
        let known = self.limit.wrapping_sub(self.tail);
        if known >= wanted { known } else { self.look() }
    }

    /// Looks how far the consumer is: how many slots are free.
    fn look(&mut self) -> usize {
        self.limit = self.ring.head().wrapping_add(self.ring.capacity());
        self.limit.wrapping_sub(self.tail)
    }

    pub(super) fn ring(&self) -> &Ring<T> {
        &self.ring
    }

    pub(super) fn tail(&self) -> usize {
        self.tail
    }

    /// Publishes the next `count` items.
    ///
    /// # Safety
    ///
    /// They are written, to slots of the producer's.
    #[inline]
    pub(super) unsafe fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.limit.wrapping_sub(self.tail));
        self.tail = self.tail.wrapping_add(count);
        // SAFETY: (1) `&mut self` is the producer; (2) by contract.
        unsafe { self.ring.publish(self.tail) };
    }

    /// How many slots are left in the view of the producer, for `Debug`.
    fn known_slots(&self) -> usize {
        self.limit.wrapping_sub(self.tail)
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.ring.producer_leaves();
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("slots", &self.slots())
            .field("known_slots", &self.known_slots())
            .field("capacity", &self.capacity())
            .field("is_abandoned", &self.is_abandoned())
            .finish()
    }
}
