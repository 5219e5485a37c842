//! The thieves' end.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use engine_atomic::sync::Arc;

use super::Worker;
use super::ring::Ring;
use crate::deque::flavor::Flavor;
use crate::deque::{MAX_BATCH, Steal};

/// A thief's end of a bounded deque: it takes the oldest items.
///
/// `Clone`, `Send` and `Sync`. See the [module](super) for example and
/// guarantees.
///
/// One thief at a time is at work: the others answer [`Steal::Retry`] meanwhile. So a
/// batch without a limit is no more than 32 items.
///
/// A batch arrives so that the owner of the destination pops its items in the order in
/// which the owner of the source would have.
pub struct Stealer<T> {
    ring: Arc<Ring<T>>,
    flavor: Flavor,
}

// No code of the user runs in here, so no panic can leave a deque half changed.
impl<T> UnwindSafe for Stealer<T> {}
impl<T> RefUnwindSafe for Stealer<T> {}

impl<T> Stealer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>, flavor: Flavor) -> Self {
        Self { ring, flavor }
    }

    /// Takes the oldest item.
    #[inline]
    pub fn steal(&self) -> Steal<T> {
        self.ring.book(self.flavor, 1).map(|booking| {
            // SAFETY: a booking has at least one item; it is taken once.
            unsafe { booking.take(0) }
        })
    }

    /// Moves the older half of the items, rounded up, to `dest`: at most 32, and as many
    /// as `dest` has room for.
    ///
    /// `Empty` also when `dest` is full: then nothing can be moved, and trying
    /// again does not help. Stealing from oneself moves nothing; it is a `Success`
    /// unless the deque is empty.
    pub fn steal_batch(&self, dest: &Worker<T>) -> Steal<()> {
        self.batch(dest, self.clamp(MAX_BATCH))
    }

    /// As [`steal_batch`](Self::steal_batch), but at most `limit` items, which may be
    /// more than 32.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    pub fn steal_batch_with_limit(&self, dest: &Worker<T>, limit: usize) -> Steal<()> {
        self.batch(dest, self.clamp(limit))
    }

    /// Takes one item and moves the rest of the older half, rounded up, to `dest`: at most
    /// 32 together, and as many as `dest` has room for.
    ///
    /// The one that is returned is the one that the owner of `dest` would have popped
    /// first: the oldest item, or from a LIFO worker the newest of the batch. Stealing from
    /// oneself is a `pop`.
    pub fn steal_batch_and_pop(&self, dest: &Worker<T>) -> Steal<T> {
        self.batch_and_pop(dest, self.clamp(MAX_BATCH))
    }

    /// As [`steal_batch_and_pop`](Self::steal_batch_and_pop), but at most `limit`
    /// items together with the one that is returned, which may be more than 32.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    pub fn steal_batch_with_limit_and_pop(&self, dest: &Worker<T>, limit: usize) -> Steal<T> {
        self.batch_and_pop(dest, self.clamp(limit))
    }

    /// How many items nobody has taken; others may be changing it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len() as usize
    }

    /// Whether there is nothing to take: every item whose push happened before
    /// this call is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn clamp(&self, limit: usize) -> u32 {
        assert!(limit > 0, "limit must be non-zero");
        limit.min(self.ring.capacity() as usize) as u32
    }

    fn batch(&self, dest: &Worker<T>, limit: u32) -> Steal<()> {
        if dest.owns(&self.ring) {
            return match self.is_empty() {
                true => Steal::Empty,
                false => Steal::Success(()),
            };
        }
        // Before the claim: nothing is booked that has no place to go.
        let room = dest.room_for(limit);
        if room == 0 {
            return Steal::Empty;
        }
        self.ring.book(self.flavor, room).map(|booking| {
            dest.append(booking.count, |n| {
                // SAFETY: `append` asks once for each of `0..count`.
                unsafe { booking.take(self.in_order(n, booking.count)) }
            });
        })
    }

    fn batch_and_pop(&self, dest: &Worker<T>, limit: u32) -> Steal<T> {
        if dest.owns(&self.ring) {
            return dest.pop().map_or(Steal::Empty, Steal::Success);
        }
        let room = dest.room_for(limit - 1);
        self.ring.book(self.flavor, room + 1).map(|booking| {
            let nth = |n| self.in_order(n, booking.count);
            // SAFETY: a booking has at least one item; this one is taken once.
            let first = unsafe { booking.take(nth(0)) };
            dest.append(booking.count - 1, |n| {
                // SAFETY: `append` asks once for each of `0..count - 1`.
                unsafe { booking.take(nth(n + 1)) }
            });
            first
        })
    }
}

impl<T> Stealer<T> {
    /// Which of `count` booked items this deque's owner would have popped as the `n`th.
    fn in_order(&self, n: u32, count: u32) -> u32 {
        match self.flavor {
            Flavor::Fifo => n,
            Flavor::Lifo => count - 1 - n,
        }
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self::new(self.ring.clone(), self.flavor)
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer")
            .field("flavor", &self.flavor)
            .field("len", &self.len())
            .field("capacity", &self.ring.capacity())
            .field("thief_at_work", &self.ring.is_booked())
            .finish()
    }
}
