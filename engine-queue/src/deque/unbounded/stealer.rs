//! The thieves' end.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use engine_atomic::sync::Arc;

use super::Worker;
use super::buffer::{Buffer, Slots};
use super::head::Head;
use super::shared::{Shared, View};
use crate::deque::flavor::Flavor;
use crate::deque::{MAX_BATCH, Steal};

/// A thief's end of an unbounded deque: it takes the oldest items.
///
/// The names and meanings are those of `crossbeam_deque::Stealer`. `Clone`, `Send` and
/// `Sync`. See [`Worker`] for example and guarantees.
///
/// # Guarantees
///
/// - **Progress**: a thief never waits for another thread; but it may make a system call (see
///   [`Worker`] on owners that are left alone). It answers [`Steal::Retry`] when another thread
///   has taken the item that it was about to take, or when the owner is between two
///   buffers, which is two stores: an owner that is stopped right there makes thieves
///   answer `Retry` until it runs again.
/// - **Batches** take the older half of the items, rounded up, and 32 at most without a
///   limit. From a [`new_fifo`](Worker::new_fifo) worker that is one claim; from a
///   [`new_lifo`](Worker::new_lifo) worker one for each item, because its owner takes
///   items without a claim, and the batch ends early when somebody else takes one.
/// - **Order of a batch**: the owner of the destination pops the items in the order in
///   which the owner of the source would have.
pub struct Stealer<T> {
    shared: Arc<Shared<T>>,
    flavor: Flavor,
}

// No code of the user runs in here, so no panic can leave a deque half changed.
impl<T> UnwindSafe for Stealer<T> {}
impl<T> RefUnwindSafe for Stealer<T> {}

impl<T> Stealer<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, flavor: Flavor) -> Self {
        Self { shared, flavor }
    }

    /// Whether there is nothing to take: every item whose push happened before this
    /// call is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items nobody has taken; others may be changing it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len() as usize
    }

    /// Takes the oldest item.
    #[inline]
    pub fn steal(&self) -> Steal<T> {
        self.shared.look(self.flavor).and_then(|view| {
            let Some(slots) = self.claim(&view, 1) else {
                return Steal::Retry;
            };
            Steal::Success(taken(slots, view.head, 0))
        })
    }

    /// Moves the older half of the items, rounded up and at most 32, to `dest`.
    ///
    /// Stealing from oneself moves nothing; it is a `Success` unless the deque is empty.
    pub fn steal_batch(&self, dest: &Worker<T>) -> Steal<()> {
        self.steal_batch_with_limit(dest, MAX_BATCH)
    }

    /// As [`steal_batch`](Self::steal_batch), but at most `limit` items, which may be
    /// more than 32.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    pub fn steal_batch_with_limit(&self, dest: &Worker<T>, limit: usize) -> Steal<()> {
        assert!(limit > 0, "limit must be non-zero");
        if Arc::ptr_eq(&self.shared, &dest.shared) {
            return match dest.is_empty() {
                true => Steal::Empty,
                false => Steal::Success(()),
            };
        }
        let (view, count) = match self.look_for_batch(limit) {
            Steal::Success(batch) => batch,
            Steal::Empty => return Steal::Empty,
            Steal::Retry => return Steal::Retry,
        };
        // Before the claim: nothing is claimed that has no place to go.
        dest.reserve(count);
        match self.flavor {
            Flavor::Fifo => {
                let Some(slots) = self.claim(&view, count as u64) else {
                    return Steal::Retry;
                };
                // SAFETY: reserved above.
                unsafe { dest.append(count as u64, |n| taken(slots, view.head, n)) };
            }
            Flavor::Lifo => {
                let mut batch = dest.appending();
                let Some((mut item, mut head)) = self.take_first(&view) else {
                    return Steal::Retry;
                };
                for _ in 1..count {
                    let Some((next_item, next_head)) = self.take_next(&view, head) else {
                        break;
                    };
                    // SAFETY: fewer than `count` before it.
                    unsafe { batch.put(item) };
                    (item, head) = (next_item, next_head);
                }
                // SAFETY: the last of at most `count`.
                unsafe { batch.put(item) };
                batch.publish_newest_first();
            }
        }
        Steal::Success(())
    }

    /// Takes one item, and moves the rest of the older half of the items, rounded up and
    /// at most 32 together, to `dest`.
    ///
    /// The one that is returned is the one that the owner of `dest` would have popped
    /// first: the oldest item, or from a [`new_lifo`](Worker::new_lifo) worker the newest
    /// of the batch. Stealing from oneself is a `pop`.
    pub fn steal_batch_and_pop(&self, dest: &Worker<T>) -> Steal<T> {
        self.steal_batch_with_limit_and_pop(dest, MAX_BATCH)
    }

    /// As [`steal_batch_and_pop`](Self::steal_batch_and_pop), but at most `limit` items
    /// together with the one that is returned, which may be more than 32.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    pub fn steal_batch_with_limit_and_pop(&self, dest: &Worker<T>, limit: usize) -> Steal<T> {
        assert!(limit > 0, "limit must be non-zero");
        if Arc::ptr_eq(&self.shared, &dest.shared) {
            return dest.pop().map_or(Steal::Empty, Steal::Success);
        }
        let (view, count) = match self.look_for_batch(limit) {
            Steal::Success(batch) => batch,
            Steal::Empty => return Steal::Empty,
            Steal::Retry => return Steal::Retry,
        };
        // Before the claim: nothing is claimed that has no place to go.
        dest.reserve(count - 1);
        match self.flavor {
            Flavor::Fifo => {
                let Some(slots) = self.claim(&view, count as u64) else {
                    return Steal::Retry;
                };
                let first = taken(slots, view.head, 0);
                // SAFETY: reserved above.
                unsafe { dest.append(count as u64 - 1, |n| taken(slots, view.head, n + 1)) };
                Steal::Success(first)
            }
            Flavor::Lifo => {
                let mut batch = dest.appending();
                let Some((mut item, mut head)) = self.take_first(&view) else {
                    return Steal::Retry;
                };
                for _ in 1..count {
                    let Some((next_item, next_head)) = self.take_next(&view, head) else {
                        break;
                    };
                    // SAFETY: fewer than `count - 1` before it.
                    unsafe { batch.put(item) };
                    (item, head) = (next_item, next_head);
                }
                batch.publish_newest_first();
                Steal::Success(item)
            }
        }
    }

    /// A view, and how many items a batch of it has.
    fn look_for_batch(&self, limit: usize) -> Steal<(View<T>, usize)> {
        self.shared.look(self.flavor).and_then(|view| {
            let half = view.len - view.len / 2;
            let count = usize::try_from(half).unwrap_or(usize::MAX).min(limit);
            // With an old head the length is too large, by as much as was pushed and taken
            // while we were stopped. No room is made for that.
            if count > MAX_BATCH && self.shared.has_moved(view.head) {
                return Steal::Retry;
            }
            Steal::Success((view, count))
        })
    }

    /// Claims `count` items from the front of `view`, and gives the slots they are in.
    #[inline]
    fn claim(&self, view: &View<T>, count: u64) -> Option<Slots<T>> {
        self.shared.claim(view.head, count)?;
        // SAFETY: the claim was made under the generation of this buffer, and is pending
        // in it: the buffer is not freed until the items are read.
        Some(unsafe { Buffer::slots(view.buffer) })
    }

    /// Takes the item at the front of `view`; also the head after that.
    fn take_first(&self, view: &View<T>) -> Option<(T, Head)> {
        let head = self.shared.claim(view.head, 1)?;
        // SAFETY: as in `claim`.
        let slots = unsafe { Buffer::slots(view.buffer) };
        // SAFETY: (1) claimed; (2) once; (3) it came with the tail that was seen.
        Some((unsafe { slots.steal(view.head.front()) }, head))
    }

    /// Takes the item at `head`, the head after the claim before, in the buffer of
    /// `view`; also the head after that.
    fn take_next(&self, view: &View<T>, head: Head) -> Option<(T, Head)> {
        // The owner may have popped it: the look at the tail is as for the first.
        if self.shared.fenced_len(head) <= 0 {
            return None;
        }
        // Fails also when the owner has left the buffer.
        let next = self.shared.claim(head, 1)?;
        // SAFETY: as in `claim`.
        let slots = unsafe { Buffer::slots(view.buffer) };
        // SAFETY: (1) claimed; (2) once; (3) it came with the tail that was seen.
        Some((unsafe { slots.steal(head.front()) }, next))
    }
}

/// Takes the `n`th of a batch that was claimed at `head`.
fn taken<T>(slots: Slots<T>, head: Head, n: u64) -> T {
    // SAFETY: the callers have claimed it, with a tail that it came with, and ask once.
    unsafe { slots.steal(head.front().wrapping_add(n)) }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone(), self.flavor)
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer")
            .field("flavor", &self.flavor)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
