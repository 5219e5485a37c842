//! The queue that work enters a scheduler by.

use core::fmt;

use engine_atomic::sync::pick;

use super::{Destination, MAX_BATCH, Steal};

use crate::block_list::{Attempt, BlockList, Next};

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// Slots of a block.
const BLOCK: usize = pick(63, 3);

/// An unbounded queue that any thread pushes to and workers steal from, one item
/// or a batch at a time.
///
/// The names and meanings are those of `crossbeam_deque::Injector`, and
/// [`push_batch`](Self::push_batch).
///
/// # Example
///
/// ```
/// use engine_queue::deque::{Injector, Steal, Worker};
///
/// let injector = Injector::new();
/// for job in 0..6 {
///     injector.push(job);
/// }
/// let worker = Worker::new_fifo();
/// assert_eq!(injector.steal_batch_and_pop(&worker), Steal::Success(0));
/// assert_eq!(worker.pop(), Some(1));
/// assert_eq!(worker.pop(), Some(2));
/// assert_eq!(worker.pop(), None);
/// assert_eq!(injector.steal(), Steal::Success(3));
/// ```
///
/// # Guarantees
///
/// - **Order**: strictly first in, first out, batches included: the owner of the
///   destination pops a batch oldest item first, also when it pops the newest otherwise.
/// - **Batches**: the older half, rounded up, when everything lies in one block of
///   63 items, and otherwise what is left of the oldest block; at most 32 without a limit of
///   the caller's, beside one that is returned, and never more than the destination has room for. Room is asked for, or made, *before* the claim.
/// - **Progress, allocation, memory order, unwinding**: those of
///   [`SegQueue`](crate::SegQueue), which has the same core; but where that tries
///   again, a steal answers [`Steal::Retry`]: after a lost race, and while another
///   thread changes the block. It still waits for a push that has claimed its slot
///   and not finished.
///
/// # When not to use
///
/// Between workers that have deques of their own: there a push costs no
/// read-modify-write.
///
/// # Verified by
///
/// The models of [`SegQueue`](crate::SegQueue), and those of batches
/// (`deque/injector/model.rs`); fuzzing against `VecDeque`; ThreadSanitizer
/// (`examples/tsan_queue.rs`).
pub struct Injector<T> {
    list: BlockList<T, BLOCK>,
}

impl<T> Injector<T> {
    engine_atomic::const_unless_loom! {
        /// An empty injector. Allocates nothing.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                list: BlockList::new(),
            }
        }
    }

    /// Appends `item`.
    pub fn push(&self, item: T) {
        let pushed = self.list.push(item);
        debug_assert!(pushed.is_ok(), "an injector is not closed");
    }

    /// Appends all `items`, in their order, and leaves the vector empty.
    ///
    /// One claim for each block that is touched, where `push` makes one for each
    /// item. Items of other threads may come between those of two claims.
    pub fn push_batch(&self, items: &mut alloc::vec::Vec<T>) {
        let pushed = self.list.push_all(items);
        debug_assert!(pushed.is_ok(), "an injector is not closed");
    }

    /// Takes the oldest item.
    pub fn steal(&self) -> Steal<T> {
        match self.list.claim(0, |_, _| 1) {
            // SAFETY: a claim has at least one item; it is taken once.
            Attempt::Claimed(claim) => Steal::Success(unsafe { claim.take(0) }),
            Attempt::Empty => Steal::Empty,
            Attempt::Lost | Attempt::Changing => Steal::Retry,
        }
    }

    /// Moves a batch to `dest`, a [`Worker`](crate::deque::Worker) or one of fixed capacity.
    ///
    /// `Empty` also when a [`bounded`](crate::deque::bounded) `dest` is full: then nothing can be moved, and trying again
    /// does not help.
    pub fn steal_batch(&self, dest: &impl Destination<T>) -> Steal<()> {
        self.steal_batch_with_limit(dest, MAX_BATCH)
    }

    /// As [`steal_batch`](Self::steal_batch), but at most `limit` items.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    pub fn steal_batch_with_limit(&self, dest: &impl Destination<T>, limit: usize) -> Steal<()> {
        assert!(limit > 0, "limit must be non-zero");
        // Before the claim: nothing is claimed that has no place to go. Room for one is
        // asked for first, because a claim has at least one item.
        if dest.room_for(1) == 0 {
            return Steal::Empty;
        }
        let count = |len, next| dest.room_for(share(len, next).min(limit));
        match self.list.claim(0, count) {
            Attempt::Claimed(claim) => {
                let item = |n| {
                    // SAFETY: `append` asks once for each of `0..count`.
                    unsafe { claim.take(n) }
                };
                // SAFETY: a claim has what `count` said, or one.
                unsafe { dest.append(claim.count(), item) };
                Steal::Success(())
            }
            Attempt::Empty => Steal::Empty,
            Attempt::Lost | Attempt::Changing => Steal::Retry,
        }
    }

    /// Takes the oldest item and moves the rest of a batch to `dest`, in its order.
    pub fn steal_batch_and_pop(&self, dest: &impl Destination<T>) -> Steal<T> {
        // One more, which does not go to `dest`.
        self.steal_batch_with_limit_and_pop(dest, MAX_BATCH + 1)
    }

    /// As [`steal_batch_and_pop`](Self::steal_batch_and_pop), but at most `limit`
    /// items together with the one that is returned.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    pub fn steal_batch_with_limit_and_pop(
        &self,
        dest: &impl Destination<T>,
        limit: usize,
    ) -> Steal<T> {
        assert!(limit > 0, "limit must be non-zero");
        // Before the claim: nothing is claimed that has no place to go.
        let count = |len, next| 1 + dest.room_for(share(len, next).min(limit) - 1);
        match self.list.claim(0, count) {
            Attempt::Claimed(claim) => {
                // SAFETY: a claim has at least one item; this one is taken once.
                let first = unsafe { claim.take(0) };
                let item = |n| {
                    // SAFETY: `append` asks once for each of `0..count - 1`.
                    unsafe { claim.take(n + 1) }
                };
                // SAFETY: a claim has what `count` said.
                unsafe { dest.append(claim.count() - 1, item) };
                Steal::Success(first)
            }
            Attempt::Empty => Steal::Empty,
            Attempt::Lost | Attempt::Changing => Steal::Retry,
        }
    }

    /// Whether the injector was empty at one moment of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many items the injector held at one moment of the call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

/// What one batch takes of `len` items in the oldest block.
fn share(len: usize, next: Next) -> usize {
    match next {
        // The thieves behind us find enough in the blocks that follow.
        Next::Seen => len,
        Next::NotSeen => len - len / 2,
    }
}

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
