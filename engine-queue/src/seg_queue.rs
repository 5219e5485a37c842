//! An unbounded queue.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use engine_atomic::sync::pick;

use crate::block_list::{BlockList, Closed};
use crate::queue::pop_or_why;
use crate::{Drain, PopError, PushError, QueueStats};

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// Slots of a block.
const BLOCK: usize = pick(31, 3);

/// An unbounded queue of many producers and many consumers.
///
/// The names and meanings are those of `crossbeam_queue::SegQueue`. Beside them there are
/// batches ([`push_batch`](Self::push_batch), [`pop_batch`](Self::pop_batch)),
/// [`close`](Self::close), [`drain`](Self::drain) and [`stats`](Self::stats).
///
/// # Example
///
/// ```
/// use engine_queue::SegQueue;
/// use std::thread;
///
/// static JOBS: SegQueue<u32> = SegQueue::new();
///
/// thread::scope(|scope| {
///     for n in 0..3 {
///         scope.spawn(move || JOBS.push(n));
///     }
/// });
/// let mut jobs: Vec<_> = std::iter::from_fn(|| JOBS.pop()).collect();
/// jobs.sort();
/// assert_eq!(jobs, [0, 1, 2]);
/// ```
///
/// # Guarantees
///
/// - **Order**: strictly first in, first out, by the order in which the pushes
///   claim their slots. `None` is an answer of one moment: the queue was empty then.
/// - **Progress**: not lock-free. Claims are: one fails only because another
///   succeeded. But a thread that is stopped between its claim and the end of its
///   push blocks whoever pops that slot, and the queue behind it goes on; one that
///   is stopped while it changes the block (every 31st push, and every 31st pop)
///   blocks all pushes, or all pops. The waiting spins a few rounds and then yields
///   the processor (with the feature `std`).
/// - **Contention**: as with [`ArrayQueue`](crate::ArrayQueue): lost races are counted, and
///   who loses stays away for up to nearly 8,000 spin hints while the others go on.
/// - **Closing**: no push succeeds that begins after `close` has returned. What was pushed can
///   be popped; [`PopError::Closed`] comes after the last.
/// - **Allocation**: none before the first push. Blocks of 31 slots are freed when all their
///   items are popped; one is kept, so a queue that holds a steady number of items stops
///   allocating. A queue that is filled and drained by more than a block each time goes on
///   allocating the others. A pop that is stopped half-way holds its block, or blocks in which others
///   were stopped: these are freed when it has gone on and the block changes again, or with the
///   queue. How many there can be depends on the number of threads alone: less than its square.
/// - **Memory order**: what happens before a push happens before the return of the
///   pop that gets its item. `push` is not sequentially consistent with accesses to
///   *other* memory; where that matters, put a `fence(SeqCst)` after it.
/// - **Unwinding**: no code of the user runs inside. When the drop of an item panics
///   while the queue is dropped, the others are still dropped.
///
/// # When not to use
///
/// When the producers can outrun the consumers for long: nothing limits the memory.
///
/// # Verified by
///
/// loom and shuttle models (`seg_queue/model.rs`), which also count the blocks that are
/// freed; proptest and fuzzing against `VecDeque`; ThreadSanitizer
/// (`examples/tsan_queue.rs`).
///
/// # Source
///
/// Linked blocks behind two indices are those of crossbeam's `SegQueue`. How a block is freed
/// differs: there, marks in the slots hand the job from pop to pop, by a second
/// read-modify-write in each. Here a pop ends with a plain store into a line that no push
/// writes, and whoever changes the block looks whether all have left. The block cache and
/// claims of more than one slot are additions.
pub struct SegQueue<T> {
    list: BlockList<T, BLOCK>,
}

// No panic can leave the queue half changed: no code of the user runs inside.
impl<T> UnwindSafe for SegQueue<T> {}
impl<T> RefUnwindSafe for SegQueue<T> {}

impl<T> SegQueue<T> {
    engine_atomic::const_unless_loom! {
        /// An empty queue. Allocates nothing.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                list: BlockList::new(),
            }
        }
    }

    /// Appends `item`.
    ///
    /// # Panics
    ///
    /// If the queue is closed, with the item dropped: use [`try_push`](Self::try_push) where
    /// that may be.
    #[inline]
    #[track_caller]
    pub fn push(&self, item: T) {
        if self.list.push(item).is_err() {
            pushed_on_closed();
        }
    }

    /// Appends `item`, unless the queue is closed.
    ///
    /// # Errors
    ///
    /// [`PushError::Closed`], with the item.
    #[inline]
    pub fn try_push(&self, item: T) -> Result<(), PushError<T>> {
        self.list.push(item).map_err(PushError::Closed)
    }

    /// Appends the items of the vector, in their order, and leaves it empty.
    ///
    /// One claim for each block that is touched, where `push` makes one for each
    /// item. Items of other threads may come between those of two claims.
    ///
    /// # Errors
    ///
    /// If the queue is closed, maybe after some items: the others are left in the vector.
    ///
    /// # Example
    ///
    /// ```
    /// let queue = engine_queue::SegQueue::new();
    /// let mut items = vec![1, 2, 3];
    /// queue.push_batch(&mut items).unwrap();
    /// assert!(items.is_empty());
    ///
    /// let mut out = vec![0];
    /// assert_eq!(queue.pop_batch(&mut out, 2), 2);
    /// assert_eq!(out, [0, 1, 2]);
    /// ```
    pub fn push_batch(&self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        self.list
            .push_all(items)
            .map_err(|Closed| PushError::Closed(()))
    }

    /// Appends `item`, with no atomic read-modify-write.
    ///
    /// # Panics
    ///
    /// As [`push`](Self::push).
    #[track_caller]
    pub fn push_mut(&mut self, item: T) {
        if self.list.push_mut(item).is_err() {
            pushed_on_closed();
        }
    }

    /// Takes the oldest item.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.list.pop()
    }

    /// Takes the oldest item, or says whether there may be one later.
    ///
    /// # Errors
    ///
    /// [`PopError::Closed`] once the queue is closed and empty: there will be no more.
    pub fn try_pop(&self) -> Result<T, PopError> {
        pop_or_why(|| self.pop(), || self.is_closed())
    }

    /// Takes up to `max` of the oldest items to the end of `into`, in their order; how many.
    ///
    /// One claim for each block that they lie in. Items of one block leave together: no
    /// other pop comes between them.
    pub fn pop_batch(&self, into: &mut Vec<T>, max: usize) -> usize {
        self.list.pop_all(into, max)
    }

    /// Takes the items that the queue holds now, one after the other, and not those that
    /// are pushed meanwhile.
    ///
    /// What the iterator does not reach stays in the queue. Other threads may pop in
    /// between; it then ends early, or meets later items.
    pub fn drain(&self) -> Drain<'_, Self> {
        Drain::new(self, self.len())
    }

    /// Takes the oldest item, with no atomic read-modify-write.
    pub fn pop_mut(&mut self) -> Option<T> {
        self.list.pop_mut()
    }

    /// Closes the queue: pushes fail from now on, and pops take what is left. Returns
    /// whether this call has closed it.
    pub fn close(&self) -> bool {
        self.list.close()
    }

    /// Whether the queue is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.list.is_closed()
    }

    /// What the queue has noticed of contention.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        self.list.stats()
    }

    /// Whether the queue was empty at one moment of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many items the queue held at one moment of the call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

#[cold]
#[track_caller]
fn pushed_on_closed() -> ! {
    panic!("push on a closed queue")
}

impl<T> Default for SegQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for SegQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegQueue")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<T> IntoIterator for SegQueue<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { queue: self }
    }
}

/// The items of a [`SegQueue`], oldest first; by [`SegQueue::into_iter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    queue: SegQueue<T>,
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
