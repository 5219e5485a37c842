//! The owner's end.

use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use engine_atomic::sync::Arc;
use engine_atomic::sync::atomic::{Ordering::*, fence};

use super::Stealer;
use super::head::Head;
use super::ring::Ring;
use crate::deque::bias::{HeadWord, Patience};
use crate::deque::flavor::{Flavor, Way};

mod pop;

/// The owner's end of a bounded deque: it pushes and pops.
///
/// `Send`, but not `Sync`: one thread at a time owns it. See the
/// [module](super) for example and guarantees.
///
/// When the worker is dropped, what it holds stays with its stealers, and is
/// dropped with the last of them.
pub struct Worker<T> {
    pub(super) ring: Arc<Ring<T>>,
    /// The position of the next push, as the thieves see it. Also what makes a worker
    /// `!Sync`.
    tail: Cell<u32>,
    /// The first position that may not be written, as far as the owner has seen, so that a
    /// push does not read the line that thieves write.
    limit: Cell<u32>,
    /// The front, under a bias.
    front: Cell<u64>,
    /// The head as last seen, with Acquire, so that a pop with a claim writes that line at
    /// once. What is written lies within one capacity of its `steal`, or of `front`. Under a
    /// bias it is the head, until a thief comes.
    seen: Cell<Head>,
    way: Cell<Way>,
    flavor: Flavor,
    pub(in crate::deque) patience: Patience,
}

// No code of the user runs in here, so no panic can leave a deque half changed.
impl<T> UnwindSafe for Worker<T> {}
impl<T> RefUnwindSafe for Worker<T> {}

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

    /// An empty deque whose owner pops the newest item first; thieves take the oldest.
    ///
    /// # Panics
    ///
    /// As [`new_fifo`](Self::new_fifo).
    #[must_use]
    pub fn new_lifo(capacity: usize) -> Self {
        Self::with(Flavor::Lifo, capacity, 0)
    }

    /// As [`new_fifo`](Self::new_fifo), with the counters at `start`.
    pub(crate) fn starting_at(capacity: usize, start: u64) -> Self {
        Self::with(Flavor::Fifo, capacity, start)
    }

    /// An empty deque with the counters at `start`.
    pub(in crate::deque) fn with(flavor: Flavor, capacity: usize, start: u64) -> Self {
        let ring = Arc::new(Ring::new(capacity, start));
        let seen = ring.head();
        Self {
            tail: Cell::new(seen.real()),
            limit: Cell::new(seen.real().wrapping_add(ring.capacity())),
            front: Cell::new(seen.front()),
            seen: Cell::new(seen),
            way: Cell::new(Way::Open),
            flavor,
            patience: Patience::new(),
            ring,
        }
    }

    /// Appends `item`. A plain store: no read-modify-write, no fence.
    ///
    /// # Errors
    ///
    /// Hands the item back when the deque is full.
    #[inline]
    pub fn push(&self, item: T) -> Result<(), T> {
        let tail = self.tail.get();
        if tail == self.limit.get() && self.look_for_room() == 0 {
            return Err(item);
        }
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) there is room.
        unsafe { self.ring.write(tail, item) };
        // SAFETY: that position is written.
        unsafe { self.publish(tail.wrapping_add(1)) };
        Ok(())
    }

    /// Moves the tail, to make everything before it visible.
    ///
    /// # Safety
    ///
    /// The owner has written every position from the old tail to this one.
    #[inline]
    unsafe fn publish(&self, tail: u32) {
        self.tail.set(tail);
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) by contract.
        unsafe { self.ring.publish(tail) };
    }

    /// As [`push`](Self::push); says whether the deque was empty. Costs a fence.
    ///
    /// This is for waking thieves that sleep. `false` means: when this item could
    /// already be stolen, an older one was still there. Whoever takes that one finds
    /// this one at its next look. So if thieves look until there is nothing before they
    /// sleep, an answer of `false` needs no wake-up. `true` means that no older item
    /// was there at that time; this one may be taken by then.
    ///
    /// # Errors
    ///
    /// Hands the item back when the deque is full.
    pub fn push_was_empty(&self, item: T) -> Result<bool, T> {
        self.push(item)?;
        // Dekker, with the fence in `Ring::fenced_len`. Either our fence is first, and a
        // thief that fences later sees the tail; or the thief's is, and we see the claim it
        // made before. (`push_was_empty_misses_nobody`)
        fence(SeqCst);
        self.look();
        let front = match self.way.get() {
            Way::Open => self.seen.get().real(),
            Way::BiasedOldest | Way::BiasedNewest => self.front.get() as u32,
        };
        Ok(self.tail.get().wrapping_sub(front) <= 1)
    }

    /// Appends items from the front of `items`, as many as there is room for, as if each
    /// was pushed in turn but published at once; returns how many. The rest stays.
    pub fn push_batch(&self, items: &mut Vec<T>) -> usize {
        let tail = self.tail.get();
        let wanted = items.len().min(self.capacity()) as u32;
        let count = self.room_for(wanted);
        for (n, item) in (0..count).zip(items.drain(..count as usize)) {
            // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) there is room
            // for `count`.
            unsafe { self.ring.write(tail.wrapping_add(n), item) };
        }
        // SAFETY: all of these are written.
        unsafe { self.publish(tail.wrapping_add(count)) };
        count as usize
    }

    /// Takes the oldest item, or the newest of a [`new_lifo`](Self::new_lifo) owner.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        match self.way.get() {
            Way::BiasedOldest => self.pop_oldest(),
            Way::BiasedNewest => self.pop_newest(),
            Way::Open => self.pop_open(),
        }
    }

    #[cfg(test)]
    pub(in crate::deque) fn is_biased(&self) -> bool {
        self.way.get() != Way::Open
    }

    /// A bias has ended, and this is a head after that.
    fn now_open(&self, head: Head) {
        self.seen.set(head);
        self.way.set(Way::Open);
    }

    /// Makes the front open.
    fn end_bias(&self) {
        if self.way.get() != Way::Open {
            self.now_open(self.ring.end_bias(self.front.get()));
            self.patience.interrupted();
        }
    }

    /// Sees the head as it is now.
    fn look(&self) {
        let head = self.ring.head();
        // Otherwise the front is where the owner left it.
        if head.is_open() {
            if self.way.get() != Way::Open {
                self.patience.revoked();
            }
            self.now_open(head);
        }
    }

    /// Takes up to `max` items, in the order of as many pops, to the end of `into`;
    /// returns how many.
    ///
    /// A [`new_fifo`](Self::new_fifo) owner makes one claim for them, a
    /// [`new_lifo`](Self::new_lifo) owner one fence, and one more for each when no more
    /// than `max` are there; an owner that is left alone, neither, but one by one.
    pub fn pop_batch(&self, into: &mut Vec<T>, max: usize) -> usize {
        let max = max.min(self.len()) as u32;
        // Unwind: nothing is claimed yet, should the vector be unable to grow.
        into.reserve(max as usize);
        if self.way.get() != Way::Open {
            return self.pop_each(into, max);
        }
        if self.flavor == Flavor::Fifo {
            return self.take_oldest(into, |len| len.min(max));
        }
        if let Some(first) = self.take_back(max) {
            for n in (0..max).rev() {
                // SAFETY: (1) out of the reach of thieves; (2) each once; (3) the owner is
                // here.
                let item = unsafe { self.ring.take(first.wrapping_add(n)) };
                into.push(item);
            }
            return max as usize;
        }
        self.pop_each(into, max)
    }

    /// Takes up to `max` items, one after the other, to the end of `into`.
    fn pop_each(&self, into: &mut Vec<T>, max: u32) -> usize {
        let before = into.len();
        into.extend((0..max).map_while(|_| self.pop()));
        into.len() - before
    }

    /// Moves the older half of the items, rounded up, to the end of `into`, the oldest
    /// first and with one claim; returns how many.
    ///
    /// This is how a full deque makes room: what overflows goes elsewhere in one
    /// piece.
    pub fn pop_half(&self, into: &mut Vec<T>) -> usize {
        let half = |len: u32| len - len / 2;
        // Unwind: nothing is claimed yet, should the vector be unable to grow. The
        // number of items only falls until the claim: thieves take, nobody adds.
        into.reserve(half(self.ring.len()) as usize);
        self.take_oldest(into, half)
    }

    /// Moves the oldest items to the end of `into`, with one claim for as many as `count_of`
    /// says, of those that there are; `into` has room for them.
    fn take_oldest(&self, into: &mut Vec<T>, count_of: impl Fn(u32) -> u32) -> usize {
        self.end_bias();
        let tail = self.tail.get();
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) all are taken
        // next.
        let Some((first, count)) = (unsafe { self.ring.claim(&self.seen, tail, count_of) }) else {
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
        Stealer::new(self.ring.clone(), self.flavor)
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
        self.room_for(self.ring.capacity()) as usize
    }

    /// Looks how many positions from the tail on may be written.
    #[cold]
    #[inline(never)]
    fn look_for_room(&self) -> u32 {
        let steal = loop {
            self.look();
            if self.way.get() != Way::Open {
                break self.front.get() as u32;
            }
            let settled = self.ring.settled(self.seen.get());
            // A booking that does not seem to be over may have been followed by one that is:
            // then the head has changed. Otherwise what was free would seem not to be.
            // (`chain_of_thieves`)
            if !settled.is_booked() || self.ring.head() == self.seen.get() {
                break settled.steal();
            }
        };
        let limit = steal.wrapping_add(self.ring.capacity());
        debug_assert!(limit.wrapping_sub(self.limit.get()).cast_signed() >= 0);
        self.limit.set(limit);
        self.limit.get().wrapping_sub(self.tail.get())
    }

    /// Appends `count` items and publishes them at once, so that the owner pops `item(0)`
    /// first. `item` is never code of the user.
    ///
    /// # Panics
    ///
    /// If there is no room for them: ask `room_for` before.
    pub(crate) fn append(&self, count: u32, mut item: impl FnMut(u32) -> T) {
        let tail = self.tail.get();
        assert!(self.room_for(count) >= count, "appending beyond the room");
        for n in 0..count {
            let behind = match self.flavor {
                Flavor::Fifo => n,
                Flavor::Lifo => count - 1 - n,
            };
            // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) there is room
            // for `count`.
            unsafe { self.ring.write(tail.wrapping_add(behind), item(n)) };
        }
        // SAFETY: all of these are written.
        unsafe { self.publish(tail.wrapping_add(count)) };
    }

    /// How many items may be appended, at most `wanted`. Holds until the owner
    /// pushes.
    pub(crate) fn room_for(&self, wanted: u32) -> u32 {
        let known = self.limit.get().wrapping_sub(self.tail.get());
        match known >= wanted {
            true => wanted,
            false => self.look_for_room().min(wanted),
        }
    }

    /// Whether `ring` is this deque's.
    pub(super) fn owns(&self, ring: &Arc<Ring<T>>) -> bool {
        Arc::ptr_eq(&self.ring, ring)
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("flavor", &self.flavor)
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("thief_at_work", &self.ring.is_booked())
            .finish()
    }
}
