//! A bounded queue.

mod ring;

use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use self::ring::Ring;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// A queue of fixed capacity, of many producers and many consumers.
///
/// The names and meanings are those of `crossbeam_queue::ArrayQueue`.
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
///   succeeded. But a thread that is stopped between its claim and the end of its
///   call blocks whoever reaches that slot: a pusher one lap later, or the popper of
///   its item; with a capacity of 1 that is the next call. The waiting spins a few
///   rounds and then yields the processor (with the feature `std`).
/// - **Contention**: compare-and-swaps lost to other threads are counted on the line
///   that the next one wins, and each retry waits longer. `{:?}` shows the counts.
/// - **Allocation**: one, at construction: any capacity from 1 on, exactly as asked;
///   a slot is an item and a word.
/// - **Memory order**: what happens before a push happens before the return of the
///   pop that gets its item. `push` is not sequentially consistent with accesses to
///   *other* memory; where that matters, put a `fence(SeqCst)` after it.
/// - **Unwinding**: no code of the user runs inside. When the drop of an item panics
///   while the queue is dropped, the others are still dropped.
///
/// # When not to use
///
/// With one producer and one consumer [`spsc`](crate::spsc) is faster;
/// where a pop must never wait for a stopped push, no queue that claims first will do.
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
    /// fit the address space ("capacity too large"); nothing is allocated then.
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
    /// Hands the item back when the queue is full.
    pub fn push(&self, item: T) -> Result<(), T> {
        self.ring.push(item)
    }

    /// Appends `item`, with no atomic read-modify-write.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full.
    pub fn push_mut(&mut self, item: T) -> Result<(), T> {
        self.ring.push_mut(item)
    }

    /// Appends `item`; when the queue is full, takes the oldest item to make room,
    /// and returns it.
    pub fn force_push(&self, item: T) -> Option<T> {
        self.ring.force_push(item)
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<T> {
        self.ring.pop()
    }

    /// Takes the oldest item, with no atomic read-modify-write.
    pub fn pop_mut(&mut self) -> Option<T> {
        self.ring.pop_mut()
    }

    /// How many items the queue can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Whether the queue was empty at one moment of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the queue was full at one moment of the call.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// How many items the queue held at one moment of the call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }
}

impl<T> fmt::Debug for ArrayQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pushes, pops) = self.ring.lost_races();
        f.debug_struct("ArrayQueue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("lost_pushes", &pushes)
            .field("lost_pops", &pops)
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
