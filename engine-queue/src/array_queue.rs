//! A bounded queue.

mod batch;
mod course;
mod patience;
mod prefetch;
mod ring;
mod slot;

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use self::ring::Ring;
use crate::queue::pop_or_why;
use crate::{Drain, PopError, PushError, QueueStats};

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// A queue of fixed capacity, of many producers and many consumers.
///
/// The names and meanings are those of `crossbeam_queue::ArrayQueue`. Beside them there are
/// batches ([`push_batch`](Self::push_batch), [`pop_batch`](Self::pop_batch)),
/// [`close`](Self::close), [`drain`](Self::drain) and [`stats`](Self::stats).
///
/// # Example
///
/// ```
/// use engine_queue::ArrayQueue;
///
/// let queue = ArrayQueue::new(2);
/// assert_eq!(queue.push('a'), Ok(()));
/// assert_eq!(queue.push('b'), Ok(()));
/// // Full: the item comes back, or the oldest makes room for it.
/// assert_eq!(queue.push('c'), Err('c'));
/// assert_eq!(queue.force_push('c'), Some('a'));
/// assert_eq!(queue.pop(), Some('b'));
/// ```
///
/// # Guarantees
///
/// - **Order**: strictly first in, first out, by the order in which the pushes
///   claim their slots. "Full" and `None` are answers of one moment: the queue was
///   full, or empty, then.
/// - **Progress**: not lock-free. Claims are: one fails only because another
///   succeeded. But a thread that is stopped between its claim and the end of its call
///   keeps its slot. Stopped for ever in a *push*, it lets other pushes go on until the queue is
///   full, which they say, and pops until they come to its item: the next pop waits, and so
///   does a `force_push` that would have to take that item. Stopped in a *pop*, it lets pushes
///   and pops go on until they come to its slot, one lap later: they wait there. A batch of
///   pops ends before such a slot, and waits only if it starts there; a batch of pushes waits. `close`, `len`,
///   `is_empty` and `is_full` wait for nobody, and count what was claimed. No code of
///   the user runs in between, so only what stops the thread from outside does this. The
///   waiting spins a few rounds and then yields the processor (with the feature `std`).
/// - **Contention**: compare-and-swaps lost to other threads are counted, on the line
///   that the next one wins; see [`stats`](Self::stats). Who loses stays away while the others
///   go on claiming, for up to nearly 8,000 spin hints: that is unfair for so long, and lets the line stay where it is used.
/// - **A moment's patience**: a call that finds the queue empty, or full, may wait seven
///   spin hints once and look again before it says so, as long as such waits find something. It
///   keeps a consumer from running on a producer's heels, where each takes the line of
///   the next slot away from the other. While they find nothing there is one in a thousand items, and none on a queue that
///   stands still.
/// - **Batches**: a claim for as many slots as are ready before it; one for all, where no other
///   thread is at work and no race is lost.
/// - **Closing**: no push succeeds that begins after `close` has returned. What was pushed can
///   be popped; [`PopError::Closed`] comes after the last.
/// - **Allocation**: one, at construction: any capacity from 1 on, exactly as asked;
///   a slot is an item and a word.
/// - **Memory order**: what happens before a push happens before the return of the
///   pop that gets its item. `push` is not sequentially consistent with accesses to
///   *other* memory; where that matters, put a `fence(SeqCst)` after it.
/// - **Unwinding**: no code of the user runs inside. When the drop of an item panics
///   while the queue, or what is left of its iterator, is dropped, the others are still dropped.
/// - **Leaking** a [`Drain`] (`mem::forget`) keeps nothing: what it has not given is in the
///   queue.
///
/// # When not to use
///
/// With one producer and one consumer [`spsc`](crate::spsc) is faster;
/// where a pop must never wait for a stopped push, no queue that claims first will do.
///
/// # Verified by
///
/// loom and shuttle models (`array_queue/model.rs`), proptest and fuzzing against
/// `VecDeque`, histories of real threads over the wrap of the stamps, ThreadSanitizer
/// (`examples/tsan_queue.rs`).
///
/// # Source
///
/// Dmitry Vyukov's bounded MPMC queue, with stamps of `{ lap, index }` as crossbeam's
/// `ArrayQueue` has them, so that the capacity need not be a power of two.
pub struct ArrayQueue<T> {
    ring: Ring<T>,
}

// No panic can leave the queue half changed: no code of the user runs inside.
impl<T> UnwindSafe for ArrayQueue<T> {}
impl<T> RefUnwindSafe for ArrayQueue<T> {}

impl<T> ArrayQueue<T> {
    /// An empty queue that holds at most `capacity` items.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero ("capacity must be non-zero"), or its slots would not
    /// fit the address space ("queue capacity is too large"); nothing is allocated then.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::starting_at(capacity, 0)
    }

    /// As [`new`](Self::new), `lap` rounds later.
    fn starting_at(capacity: usize, lap: crate::word::Word) -> Self {
        Self {
            ring: Ring::new(capacity, lap),
        }
    }

    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full, or closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        self.ring.push(item).map_err(PushError::into_inner)
    }

    /// Appends `item`, or says why not.
    ///
    /// # Errors
    ///
    /// Hands the item back, in [`PushError::Full`] or [`PushError::Closed`].
    pub fn try_push(&self, item: T) -> Result<(), PushError<T>> {
        self.ring.push(item)
    }

    /// Appends `item`, with no atomic read-modify-write.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full, or closed.
    pub fn push_mut(&mut self, item: T) -> Result<(), T> {
        self.ring.push_mut(item).map_err(PushError::into_inner)
    }

    /// Appends `item`; when the queue is full, takes the oldest item to make room,
    /// and returns it. When the queue is closed, returns `item` itself.
    pub fn force_push(&self, item: T) -> Option<T> {
        self.ring.force_push(item)
    }

    /// Appends the items of the vector, in their order, as far as there is room, and takes
    /// these out of it.
    ///
    /// One claim for as many as there is room for when it is made; items of other threads
    /// may come between those of two claims.
    ///
    /// # Errors
    ///
    /// When items are left in the vector, because the queue was full, or closed.
    ///
    /// # Example
    ///
    /// ```
    /// use engine_queue::{ArrayQueue, PushError};
    ///
    /// let queue = ArrayQueue::new(2);
    /// let mut items = vec![1, 2, 3];
    /// assert_eq!(queue.push_batch(&mut items), Err(PushError::Full(())));
    /// assert_eq!(items, [3]);
    ///
    /// let mut out = Vec::new();
    /// assert_eq!(queue.pop_batch(&mut out, 16), 2);
    /// assert_eq!(out, [1, 2]);
    /// ```
    pub fn push_batch(&self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        self.ring.push_batch(items)
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<T> {
        self.ring.pop()
    }

    /// Takes the oldest item, or says whether there may be one later.
    ///
    /// # Errors
    ///
    /// [`PopError::Closed`] once the queue is closed and empty: there will be no more.
    pub fn try_pop(&self) -> Result<T, PopError> {
        pop_or_why(|| self.pop(), || self.is_closed())
    }

    /// Takes the oldest item, with no atomic read-modify-write.
    pub fn pop_mut(&mut self) -> Option<T> {
        self.ring.pop_mut()
    }

    /// Takes up to `max` of the oldest items to the end of `into`, in their order; how many.
    ///
    /// One claim for as many as are there when it is made: no other pop comes between them.
    pub fn pop_batch(&self, into: &mut Vec<T>, max: usize) -> usize {
        self.ring.pop_batch(into, max)
    }

    /// Takes the items that the queue holds now, one after the other, and not those that
    /// are pushed meanwhile.
    ///
    /// What the iterator does not reach stays in the queue. Other threads may pop in
    /// between; it then ends early, or meets later items.
    pub fn drain(&self) -> Drain<'_, Self> {
        Drain::new(self, self.len())
    }

    /// Closes the queue: pushes fail from now on, and pops take what is left. Returns
    /// whether this call has closed it.
    pub fn close(&self) -> bool {
        self.ring.close()
    }

    /// Whether the queue is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    /// What the queue has noticed of contention.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        self.ring.stats()
    }

    /// How many items the queue can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Whether the queue was empty at one moment of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Whether the queue was full at one moment of the call.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ring.is_full()
    }

    /// How many items the queue held at one moment of the call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }
}

impl<T> fmt::Debug for ArrayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayQueue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<T> IntoIterator for ArrayQueue<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { queue: self }
    }
}

/// The items of an [`ArrayQueue`], oldest first; by [`ArrayQueue::into_iter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    queue: ArrayQueue<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop_mut()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.queue.len();
        (len, Some(len))
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}
impl<T> FusedIterator for IntoIter<T> {}
