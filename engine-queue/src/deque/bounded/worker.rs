//! The owner's end.

use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use engine_atomic::sync::Arc;

use super::Stealer;
use super::head::Head;
use super::ring::Ring;

/// The owner's end of a bounded deque: it pushes and pops.
///
/// `Send`, but not `Sync`: one thread at a time owns it. See the
/// [module](super) for example and guarantees.
///
/// When the worker is dropped, what it holds stays with its stealers, and is
/// dropped with the last of them.
pub struct Worker<T> {
    ring: Arc<Ring<T>>,
    /// The head as last seen, with Acquire, so that a push does not read the line that
    /// thieves write, and a pop writes it at once. What is written lies within one
    /// capacity of its `steal`. Also what makes a worker `!Sync`.
    seen: Cell<Head>,
}

impl<T> Worker<T> {
    /// An empty deque whose owner pops the oldest item first.
    ///
    /// The capacity is rounded up to a power of two.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero ("capacity must be non-zero"), above
    /// [`MAX_CAPACITY`](super::MAX_CAPACITY), or if its slots would not fit the
    /// address space ("capacity too large"); nothing is allocated then.
    #[must_use]
    pub fn new_fifo(capacity: usize) -> Self {
        Self::starting_at(capacity, 0)
    }

    /// As [`new_fifo`](Self::new_fifo), with the counters at `start`.
    pub(crate) fn starting_at(capacity: usize, start: u64) -> Self {
        let ring = Arc::new(Ring::new(capacity, start));
        let seen = Cell::new(ring.head());
        Self { ring, seen }
    }

    /// Appends `item`. A plain store: no read-modify-write, no fence.
    ///
    /// # Errors
    ///
    /// Hands the item back when the deque is full.
    pub fn push(&self, item: T) -> Result<(), T> {
        let tail = self.ring.tail();
        if self.room(tail, 1) == 0 {
            return Err(item);
        }
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) there is room.
        unsafe { self.ring.write(tail, item) };
        // SAFETY: (1) as above; (2) that position is written.
        unsafe { self.ring.publish(tail.wrapping_add(1)) };
        Ok(())
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<T> {
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) it is taken next.
        let (first, _) = unsafe { self.ring.claim(&self.seen, |_| 1) }?;
        // SAFETY: (1) claimed; (2) once; (3) the owner is here.
        Some(unsafe { self.ring.take(first) })
    }

    /// Moves the older half of the items, rounded up, to the end of `into`, in
    /// their order and with one claim; returns how many.
    ///
    /// This is how a full deque makes room: what overflows goes elsewhere in one
    /// piece.
    pub fn pop_half(&self, into: &mut Vec<T>) -> usize {
        let half = |len: u32| len - len / 2;
        // Unwind: nothing is claimed yet, should the vector be unable to grow. The
        // number of items only falls until the claim: thieves take, nobody adds.
        into.reserve(half(self.ring.len()) as usize);
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) all are taken
        // next.
        let Some((first, count)) = (unsafe { self.ring.claim(&self.seen, half) }) else {
            return 0;
        };
        for n in 0..count {
            // SAFETY: (1) claimed; (2) each once; (3) the owner is here.
            let item = unsafe { self.ring.take(first.wrapping_add(n)) };
            into.push(item);
        }
        count as usize
    }

    /// A handle that steals from this deque.
    #[must_use]
    pub fn stealer(&self) -> Stealer<T> {
        Stealer::new(self.ring.clone())
    }

    /// How many items the deque can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.ring.capacity() as usize
    }

    /// How many items nobody has taken; thieves may be making it fewer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len() as usize
    }

    /// Whether there is nothing to take. Stays so until the owner pushes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pushes will succeed from now on; thieves may be making it more.
    ///
    /// While a thief is at work this is less than `capacity - len`.
    #[must_use]
    pub fn spare_capacity(&self) -> usize {
        self.room(self.ring.tail(), self.ring.capacity()) as usize
    }

    /// How many positions from `tail` on may be written: exact when fewer than
    /// `wanted`.
    fn room(&self, tail: u32, wanted: u32) -> u32 {
        let room = |head: Head| self.ring.capacity() - tail.wrapping_sub(head.steal());
        let known = room(self.seen.get());
        if known >= wanted {
            return known;
        }
        self.seen.set(self.ring.head());
        room(self.seen.get())
    }

    /// Appends `count` items, `item(0)` first, and publishes them at once. `item`
    /// is never code of the user.
    ///
    /// # Panics
    ///
    /// If there is no room for them: ask `room_for` before.
    pub(crate) fn append(&self, count: u32, mut item: impl FnMut(u32) -> T) {
        let tail = self.ring.tail();
        assert!(self.room(tail, count) >= count, "appending beyond the room");
        for n in 0..count {
            // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) there is room
            // for `count`.
            unsafe { self.ring.write(tail.wrapping_add(n), item(n)) };
        }
        // SAFETY: (1) as above; (2) all of these are written.
        unsafe { self.ring.publish(tail.wrapping_add(count)) };
    }

    /// How many items may be appended, at most `wanted`. Holds until the owner
    /// pushes.
    pub(crate) fn room_for(&self, wanted: u32) -> u32 {
        self.room(self.ring.tail(), wanted).min(wanted)
    }

    /// Whether `ring` is this deque's.
    pub(super) fn owns(&self, ring: &Arc<Ring<T>>) -> bool {
        Arc::ptr_eq(&self.ring, ring)
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("thief_at_work", &self.ring.is_booked())
            .finish()
    }
}
