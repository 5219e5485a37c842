//! An unbounded queue.

use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::block_list::BlockList;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// An unbounded queue of many producers and many consumers.
///
/// The names and meanings are those of `crossbeam_queue::SegQueue`, and
/// [`push_batch`](Self::push_batch).
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
/// - **Allocation**: none before the first push. Blocks of 31 slots are freed by the
///   last pop from them; one is kept, so a queue that holds a steady number of
///   items stops allocating. A queue that is filled and drained by more than a block
///   each time goes on allocating the others.
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
/// Blocks with WRITE, READ and DESTROY marks, which hand over who frees a block, are
/// those of crossbeam's `SegQueue`. The block cache and claims of more than one
/// slot are additions.
pub struct SegQueue<T> {
    list: BlockList<T>,
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
    pub fn push(&self, item: T) {
        self.list.push(item);
    }

    /// Appends all `items`, in their order.
    ///
    /// One claim for each block that is touched, where `push` makes one for each
    /// item. Items of other threads may come between those of two claims.
    pub fn push_batch(&self, items: alloc::vec::Vec<T>) {
        self.list.push_all(items);
    }

    /// Appends `item`, with no atomic read-modify-write.
    pub fn push_mut(&mut self, item: T) {
        self.list.push_mut(item);
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<T> {
        self.list.pop()
    }

    /// Takes the oldest item, with no atomic read-modify-write.
    pub fn pop_mut(&mut self) -> Option<T> {
        self.list.pop_mut()
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

impl<T> Default for SegQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for SegQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegQueue")
            .field("len", &self.len())
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
