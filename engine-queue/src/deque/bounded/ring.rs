//! The ring that a worker and its stealers share.

use alloc::alloc::Layout;
use alloc::boxed::Box;
use core::cell::Cell;
use core::iter;
use core::mem::MaybeUninit;

use engine_atomic::CachePadded;
use engine_atomic::sync::atomic::{AtomicU32, AtomicU64, Ordering::*, fence};
use engine_atomic::sync::cell::UnsafeCell;

use super::head::Head;
use crate::deque::Steal;
use crate::deque::bias::{Bias, HeadWord};
use crate::deque::flavor::Flavor;
use crate::drop_all::drop_all;

/// The largest capacity.
pub const MAX_CAPACITY: usize = 1 << 19;
const MAX_LEN: u32 = MAX_CAPACITY as u32;

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// What claims are about: one line for both.
struct Claims {
    /// A [`Head`]: changed by RMWs only.
    head: AtomicU64,
    /// The first position of the last booking of which all items are moved out; written by
    /// the thief that is at work, so by one at a time.
    done: AtomicU64,
}

/// What the owner writes and thieves read: one line for both.
struct OwnerEnd {
    /// The position of the next push, modulo 2^32: stored by the owner only.
    tail: AtomicU32,
    bias: Bias,
}

/// Slots, and two counters that say whose they are.
///
/// | positions | slot holds | who may touch it |
/// |---|---|---|
/// | `steal..real` | an item that is being moved out, or nothing any more | whoever claimed it, once; the owner may not write |
/// | `real..tail` | an item | nobody, before claiming it by a CAS on `head` |
/// | `tail..steal + capacity` | nothing | the owner, to write |
///
/// Under a [`bias`](crate::deque::bias) `steal` and `real` are the front, and the head does not
/// say where that is.
///
/// The owner of a LIFO ring moves the tail back, below the newest item, to pop that: then
/// it claims nothing, unless the item is the last.
pub(super) struct Ring<T> {
    claims: CachePadded<Claims>,
    owner: CachePadded<OwnerEnd>,
    /// A power of two, at most [`MAX_CAPACITY`].
    slots: Box<[Slot<T>]>,
}

// SAFETY: a ring hands items from thread to thread by value and never shares one,
// so `T: Send` is enough. A slot is accessed by one thread at a time: see the
// table on the type.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above; the methods that only the owner may call are `unsafe`.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// An empty ring whose first position is `start`.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero or too large, before allocating.
    pub(super) fn new(capacity: usize, start: u64) -> Self {
        assert!(capacity != 0, "capacity must be non-zero");
        assert!(capacity <= MAX_CAPACITY, "capacity too large");
        let capacity = capacity.next_power_of_two();
        assert!(
            Layout::array::<Slot<T>>(capacity).is_ok(),
            "capacity too large"
        );
        let head = Head::new(start);
        Self {
            claims: CachePadded::new(Claims {
                head: AtomicU64::new(head.0),
                // No position.
                done: AtomicU64::new(u64::MAX),
            }),
            owner: CachePadded::new(OwnerEnd {
                tail: AtomicU32::new(head.real()),
                bias: Bias::new(),
            }),
            slots: iter::repeat_with(|| UnsafeCell::new(MaybeUninit::uninit()))
                .take(capacity)
                .collect(),
        }
    }

    pub(super) fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    #[inline]
    fn slot(&self, position: u32) -> &Slot<T> {
        let index = position as usize & (self.slots.len() - 1);
        // SAFETY: in bounds by the mask, because the capacity is not zero.
        unsafe { self.slots.get_unchecked(index) }
    }

    /// Items that nobody has claimed; a snapshot, for any thread.
    pub(super) fn len(&self) -> u32 {
        // Acquire: the tail below is not older than the owner's last claim in this head, so
        // that what was pushed before that claim is not overlooked; pairs with the Release
        // in `claim`.
        let mut head = Head(self.claims.head.load(Acquire));
        while !head.is_open() {
            match self.owner.bias.count(&self.claims.head, head, |front| {
                self.len_from(front as u32).into()
            }) {
                Ok(len) => return len as u32,
                Err(now) => head = now,
            }
        }
        self.len_from(head.real())
    }

    /// How many items there are from `front` on.
    fn len_from(&self, front: u32) -> u32 {
        // Acquire: for a thief that goes on to steal, as in `fenced_len`. The loads may
        // disagree, hence the clamp.
        let len = self.owner.tail.load(Acquire).wrapping_sub(front);
        match len.cast_signed() {
            ..0 => 0,
            _ => len.min(self.capacity()),
        }
    }

    /// Whether a thief is at work; a snapshot, for any thread.
    pub(super) fn is_booked(&self) -> bool {
        // Relaxed: for `Debug` only.
        let head = Head(self.claims.head.load(Relaxed));
        self.settled(head).is_booked()
    }

    // ------------------------------------------------------------------ owner

    /// The head now, for the owner.
    #[inline]
    pub(super) fn head(&self) -> Head {
        // Acquire: when a booking is in it, the thieves' reads of the slots before that are
        // over; pairs with the Release in `book`. Of that booking itself, see `settled`.
        Head(self.claims.head.load(Acquire))
    }

    /// `head` without its booking if that is over and the last one that is: everything before
    /// its `steal` then, plus one capacity, may be written by the owner. If another booking
    /// is over by now, `head` is not the head any more.
    #[inline]
    pub(super) fn settled(&self, head: Head) -> Head {
        if !head.is_booked() {
            return head;
        }
        // Acquire: that thief's reads of the slots are over; pairs with the Release in
        // `Booking::drop`.
        head.settled(self.claims.done.load(Acquire))
    }

    /// Writes one item, unpublished.
    ///
    /// # Safety
    ///
    /// (1) The caller is the owner; (2) `tail <= position < steal + capacity` for some
    /// head that it has seen.
    #[inline]
    pub(super) unsafe fn write(&self, position: u32, item: T) {
        self.slot(position).with_mut(|slot| {
            // SAFETY: (1) the owner is the only writer; (2) by the bound the slot's
            // last item was moved out, and by the Acquire with which the head was seen that
            // happened before; (3) nobody reads it before `publish`.
            unsafe { (*slot).write(item) };
        });
    }

    /// Makes everything before `tail` visible.
    ///
    /// # Safety
    ///
    /// (1) The caller is the owner; (2) it has written every position from the old
    /// tail to this one.
    #[inline]
    pub(super) unsafe fn publish(&self, tail: u32) {
        // Release: publishes the slots; pairs with the Acquire load in `book`.
        self.owner.tail.store(tail, Release);
    }

    /// Claims the oldest items, at most `max_of(how many there are)`, for the owner of an
    /// open front: the first position and how many. `None` when there is none.
    ///
    /// `seen` is a head that the owner has seen, from where it tries first: a load
    /// would only bring in a line that the CAS needs anyway. An old head is harmless.
    /// It lets the CAS fail; and as `real` only grows, nothing to claim from there is
    /// nothing to claim.
    ///
    /// # Safety
    ///
    /// (1) The caller is the owner, and `tail` is its last; (2) it takes each position of
    /// the answer before it writes again.
    pub(super) unsafe fn claim(
        &self,
        seen: &Cell<Head>,
        tail: u32,
        max_of: impl Fn(u32) -> u32,
    ) -> Option<(u32, u32)> {
        loop {
            let head = seen.get();
            let len = tail.wrapping_sub(head.real());
            // The owner writes at most one capacity beyond the `steal` of `seen`.
            debug_assert!(len <= self.capacity());
            if len == 0 {
                return None;
            }
            let count = max_of(len).min(len);
            let next = self.settled(head).popped(count);
            // {real, lag} -> {real + count, 0 if nobody is at work, or lag + count}
            // Release on success: who sees the claim sees the pushes before it; pairs with
            // the Acquire load in `len`. (`a_pop_shows_the_pushes_before_it`) The slots were
            // written by this thread, hence no Acquire. As an RMW it keeps the release
            // sequence of `book` alive.
            // Acquire on failure: as in `head`.
            match self
                .claims
                .head
                .compare_exchange_weak(head.0, next.0, Release, Acquire)
            {
                Ok(_) => {
                    seen.set(next);
                    return Some((head.real(), count));
                }
                // A thief was faster, or has finished.
                Err(now) => seen.set(Head(now)),
            }
        }
    }

    /// Claims the item at the front of `head`, for the owner, and begins a bias: the head
    /// after that, unless `head` is not the head any more.
    pub(super) fn claim_and_bias(&self, head: Head) -> Option<Head> {
        self.owner
            .bias
            .begin(&self.claims.head, head, head.front().wrapping_add(1))
    }

    /// Takes what is before `front`, for the owner under a bias; whether that still holds.
    #[inline]
    pub(super) fn take_to(&self, biased: Head, front: u64) -> bool {
        self.owner.bias.take_to(&self.claims.head, biased, front)
    }

    /// Whether a bias still holds, for an owner that has moved the tail back.
    #[inline]
    pub(super) fn still_holds(&self, biased: Head) -> bool {
        self.owner.bias.still_holds(&self.claims.head, biased)
    }

    /// Ends a bias at `front`, for the owner, unless a thief has; the head after that.
    pub(super) fn end_bias(&self, front: u64) -> Head {
        self.owner.bias.end(&self.claims.head, front)
    }

    /// The head, after the owner of a LIFO ring with an open front has moved the tail back.
    pub(super) fn head_after_moving_back(&self) -> Head {
        // Dekker, with the fence in `fenced_len`: see there.
        fence(SeqCst);
        self.head()
    }

    /// Claims the last item, at `last`, for the owner of a LIFO ring.
    pub(super) fn claim_last(&self, seen: &Cell<Head>, mut head: Head, last: u32) -> bool {
        // Again only when a thief has finished meanwhile: that leaves the front alone.
        while head.real() == last {
            let next = self.settled(head).popped(1);
            // {real, lag} -> {real + 1, 0 if nobody is at work, or lag + 1}
            // Release, and Acquire on failure: as in `claim`.
            match self
                .claims
                .head
                .compare_exchange_weak(head.0, next.0, Release, Acquire)
            {
                Ok(_) => {
                    seen.set(next);
                    return true;
                }
                Err(now) => head = Head(now),
            }
        }
        false
    }

    /// Moves out one item.
    ///
    /// # Safety
    ///
    /// (1) The caller has claimed `position`, (2) and takes it once, (3) and the
    /// owner does not write it meanwhile.
    #[inline]
    pub(super) unsafe fn take(&self, position: u32) -> T {
        self.slot(position).with(|slot| {
            // SAFETY: (1) positions from head to tail are initialised, and the write
            // happened before: the owner wrote it, or the Acquire load of the tail in
            // `book` saw it published; (2) the claim gives it to one thread, which
            // reads it once; (3) it is not written before the claim has ended.
            unsafe { slot.cast::<T>().read() }
        })
    }

    // ----------------------------------------------------------------- thieves

    /// Claims the older half of the items, rounded up, at most `max`, for a thief.
    #[inline]
    pub(super) fn book(&self, flavor: Flavor, max: u32) -> Steal<Booking<'_, T>> {
        debug_assert!(max != 0);
        // Acquire: of one that is not open, as `Bias::look` asks. Of others the CAS verifies
        // it, and a tail that is older or newer is recognised below; but a bias that has ended
        // must have done so before we look at the tail: pairs with the Release in `revoke`
        // and `end`.
        let mut head = Head(self.claims.head.load(Acquire));
        while !head.is_open() {
            match self.owner.bias.look(&self.claims.head, head, |front| {
                self.len_from(front as u32).into()
            }) {
                Some(now) => head = now,
                None => return Steal::Empty,
            }
        }
        let len = match flavor {
            Flavor::Lifo => self.fenced_len(head),
            // Without a fence: the tail never goes back, so what it shows is there. Only
            // "empty" needs to be new.
            // Acquire: as in `fenced_len`.
            Flavor::Fifo => match self.owner.tail.load(Acquire).wrapping_sub(head.real()) {
                0 => self.fenced_len(head),
                len => len,
            },
        };
        if len == 0 {
            return Steal::Empty;
        }
        let settled = self.settled(head);
        // Another thief is at work; or the two loads do not belong together, and then the
        // head has moved; or the owner of a LIFO ring finds that its last item is taken.
        if settled.is_booked() || len > self.capacity() {
            return Steal::Retry;
        }
        let wanted = (len - len / 2).min(max);
        let count = match flavor {
            Flavor::Fifo => wanted,
            Flavor::Lifo => 1,
        };
        let mut booked = settled.booked(count);
        // {real, 0 or of a booking that is over} -> {real + count, count}
        // Release: the reads of the booking before, of which we have seen that they are over,
        // are so for the owner that sees this one; pairs with the Acquire in `head`.
        // (`two_thieves_and_a_pushing_owner`)
        // No Acquire: what is in the slots came with the tail. They have not been
        // written since: that takes a pop, which changes the head for good, or moves the
        // tail back, which the fence is about.
        if self
            .claims
            .head
            .compare_exchange(head.0, booked.0, Release, Relaxed)
            .is_err()
        {
            return Steal::Retry;
        }
        if flavor == Flavor::Lifo {
            // One claim for each: the owner takes the newest without one, so between our
            // look and our claim there may be any number fewer.
            while booked.lag() < wanted {
                // The owner moves only the front now, and that by taking the last item.
                if !matches!(self.fenced_len(booked), 1..=MAX_LEN) {
                    break;
                }
                let next = booked.popped(1);
                // {real, n} -> {real + 1, n + 1}
                // Relaxed: nothing else is over now; and as an RMW it keeps the release
                // sequence of the first one alive.
                if self
                    .claims
                    .head
                    .compare_exchange(booked.0, next.0, Relaxed, Relaxed)
                    .is_err()
                {
                    break;
                }
                booked = next;
            }
        }
        Steal::Success(Booking {
            ring: self,
            first: head.front(),
            count: booked.lag(),
        })
    }

    /// How many items there are from the front of `head` on, which the caller has loaded or
    /// stored; more than the capacity if the two do not belong together.
    #[inline]
    fn fenced_len(&self, head: Head) -> u32 {
        // In a LIFO ring Dekker, with the fence in `head_after_moving_back`. The owner moves the
        // tail back to p, fences, loads the head; a thief has the front at p, fences, loads
        // the tail. If the owner's fence is first, the tail below is p or what was pushed
        // after, and the thief does not take what the owner has popped. If ours is first,
        // the owner sees the front at p, and takes p by a claim of its own.
        // (`the_last_item_is_taken_once`)
        //
        // In all rings, so that "empty" is not an old value: of this fence and the one
        // that a thread runs after its push, one is first: if theirs, we see the push; if
        // ours, whatever they load after their fence sees what we did before.
        // (`push_was_empty_misses_nobody`)
        fence(SeqCst);
        // Acquire: the items before this tail are written; pairs with the Release
        // store in `publish`.
        self.owner.tail.load(Acquire).wrapping_sub(head.real())
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self`; whoever dropped the other handles did so before.
        let mut head = Head(self.claims.head.load(Relaxed));
        if !head.is_open() {
            head = head.open_at(self.owner.bias.front());
        }
        debug_assert!(
            !self.settled(head).is_booked(),
            "a booking borrows the ring"
        );
        let tail = self.owner.tail.load(Relaxed);
        let count = tail.wrapping_sub(head.real());
        drop_all((0..count).map(|n| {
            // SAFETY: (1) nobody else has a handle, so all that is left is ours;
            // (2) each position comes once; (3) there is no owner any more.
            unsafe { self.take(head.real().wrapping_add(n)) }
        }));
    }
}

/// A thief's claim: `count` items from `first` on, all of which it takes before it
/// drops this, which gives the slots back.
#[must_use]
pub(super) struct Booking<'a, T> {
    ring: &'a Ring<T>,
    /// With all the bits that a head has.
    first: u64,
    pub(super) count: u32,
}

impl<T> Booking<'_, T> {
    /// Moves out the `n`th item.
    ///
    /// # Safety
    ///
    /// `n < count`, and each `n` once.
    #[inline]
    pub(super) unsafe fn take(&self, n: u32) -> T {
        debug_assert!(n < self.count);
        // SAFETY: (1) the booking claims `first..first + count`; (2) by contract;
        // (3) `steal` does not pass `first` before the booking is dropped.
        unsafe { self.ring.take((self.first as u32).wrapping_add(n)) }
    }
}

impl<T> Drop for Booking<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: our reads of the slots are over; pairs with the Acquire in `settled`.
        self.ring.claims.done.store(self.first, Release);
    }
}
