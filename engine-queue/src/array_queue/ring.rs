//! Slots with stamps, and two indices that are claimed.

use alloc::alloc::Layout;
use alloc::boxed::Box;
use core::mem::{self, MaybeUninit};

use engine_atomic::sync::atomic::{Ordering::*, fence};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::{Backoff, CachePadded, Contention};

use crate::drop_all::drop_all;
use crate::word::{AtomicIndex, Word};

/// A place for one item. With `i` the slot's index, and `{ lap, i }` the stamp of
/// that place in round `lap`:
///
/// | stamp | meaning | who may leave it, how |
/// |---|---|---|
/// | `{ lap, i }` | empty, to be pushed to in this round | the push that moved the tail from here: writes the item, then `+ 1` |
/// | `{ lap, i } + 1` | holds the item of this round | the pop that moved the head from here: moves the item out, then `{ lap + 1, i }`; a `force_push` one lap on, which moved both: exchanges the items, then `{ lap + 1, i } + 1` |
///
/// The thread that moved an index past a slot is the only one to touch it until it
/// has stored the next stamp. A round is longer than the capacity, so the two
/// kinds of stamp never meet, at a capacity of one neither.
struct Slot<T> {
    stamp: AtomicIndex,
    item: UnsafeCell<MaybeUninit<T>>,
}

/// One end: the stamp of the slot to claim next.
struct End {
    stamp: AtomicIndex,
    /// On the same line, for whoever has just won it.
    contention: Contention,
}

impl End {
    fn new(stamp: Word) -> CachePadded<Self> {
        CachePadded::new(Self {
            stamp: AtomicIndex::new(stamp),
            contention: Contention::new(),
        })
    }
}

pub(super) struct Ring<T> {
    head: CachePadded<End>,
    tail: CachePadded<End>,
    slots: Box<[Slot<T>]>,
    /// Stamps of one round: a power of two above the capacity.
    lap: Word,
}

// SAFETY: items are handed from thread to thread by value and never shared, so
// `T: Send` is enough. A slot has one thread at a time: see the table on `Slot`.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

/// What a claim that did not succeed learned.
enum Claim {
    Won,
    /// Another thread was faster; the end now stands here.
    Lost(Word),
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize, first_lap: Word) -> Self {
        assert!(capacity != 0, "capacity must be non-zero");
        let lap = capacity
            .checked_add(1)
            .and_then(usize::checked_next_power_of_two)
            .filter(|_| Layout::array::<Slot<T>>(capacity).is_ok())
            .expect("capacity too large") as Word;
        let start = first_lap.wrapping_mul(lap);
        Self {
            head: End::new(start),
            tail: End::new(start),
            slots: (0..capacity)
                .map(|index| Slot {
                    stamp: AtomicIndex::new(start.wrapping_add(index as Word)),
                    item: UnsafeCell::new(MaybeUninit::uninit()),
                })
                .collect(),
            lap,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Races lost by pushes and by pops.
    pub(super) fn lost_races(&self) -> (usize, usize) {
        (self.tail.contention.lost(), self.head.contention.lost())
    }

    fn slot(&self, stamp: Word) -> &Slot<T> {
        &self.slots[(stamp & (self.lap - 1)) as usize]
    }

    /// The stamp of the slot after that of `stamp`.
    fn after(&self, stamp: Word) -> Word {
        let index = stamp & (self.lap - 1);
        if index as usize + 1 < self.capacity() {
            // { lap, index } -> { lap, index + 1 }
            stamp.wrapping_add(1)
        } else {
            // { lap, index } -> { lap + 1, 0 }
            stamp.wrapping_sub(index).wrapping_add(self.lap)
        }
    }

    /// Moves `end` from `from` to the next slot, and counts the races lost before.
    #[inline]
    fn claim(&self, end: &End, from: Word, lost: &mut usize) -> Claim {
        // { lap, index } -> the next slot's
        // Release: who sees this end sees the other one as we did; pairs with the
        // Acquire loads in `len`. The slot itself is handed over by its stamp.
        // Relaxed on failure: only a stamp to look at next.
        match end
            .stamp
            .compare_exchange_weak(from, self.after(from), Release, Relaxed)
        {
            Ok(_) => {
                end.contention.record(*lost);
                Claim::Won
            }
            Err(now) => {
                // A weak CAS may fail with nobody there: that is not contention.
                *lost += usize::from(now != from);
                Claim::Lost(now)
            }
        }
    }

    #[inline]
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        self.push_or_else(item, |item, tail| {
            // Relaxed: ordered by the fence in `push_contended`.
            let head = self.head.stamp.load(Relaxed);
            match head.wrapping_add(self.lap) == tail {
                true => Err(item),
                false => Ok(item),
            }
        })
    }

    pub(super) fn force_push(&self, item: T) -> Option<T> {
        let pushed = self.push_or_else(item, |item, tail| {
            let head = tail.wrapping_sub(self.lap);
            // { lap, index } -> the next slot's, if the queue is full: head and tail
            // are on one slot. That claims its item, as a pop does.
            // Relaxed: the fence in `push_contended`, just before, is the release that `claim`
            // needs here. On failure the queue is not full: try to push.
            let claimed =
                self.head
                    .stamp
                    .compare_exchange(head, self.after(head), Relaxed, Relaxed);
            if claimed.is_err() {
                return Ok(item);
            }
            // And this, as a push does, the same slot one lap on. Nobody else moves the
            // tail while the slot has its old stamp.
            // Release: as in `claim`. A swap where a store would do, because the
            // checkers ask for it where other threads compare-and-swap.
            self.tail.stamp.swap(self.after(tail), Release);
            let slot = self.slot(tail);
            let oldest = slot.item.with_mut(|slot| {
                // SAFETY: (1) initialised, and that happened before: `push_contended` has
                // loaded the stamp that says so with Acquire, and only who claims the
                // slot changes it; (2) that is us: the CAS moved the head past it.
                let slot = unsafe { &mut *slot };
                let oldest = mem::replace(slot, MaybeUninit::new(item));
                // SAFETY: (1) above.
                unsafe { oldest.assume_init() }
            });
            // { lap, i } + 1 -> { lap + 1, i } + 1
            // Release: publishes the item; pairs with the Acquire load in `stamp`.
            slot.stamp.store(tail.wrapping_add(1), Release);
            Err(oldest)
        });
        pushed.err()
    }

    /// Appends `item`. When the queue looks full, `full(item, tail)` decides: `Ok`
    /// gives the item back to try again, and `Err` ends it.
    #[inline]
    fn push_or_else(&self, item: T, full: impl Fn(T, Word) -> Result<T, T>) -> Result<(), T> {
        let mut lost = 0;
        // Relaxed: where to look. The CAS verifies it.
        let tail = self.tail.stamp.load(Relaxed);
        if self.stamp(tail) == tail
            && let Claim::Won = self.claim(&self.tail, tail, &mut lost)
        {
            // SAFETY: the stamp said empty, and the CAS gave us the slot.
            unsafe { self.fill(tail, item) };
            return Ok(());
        }
        self.push_contended(item, lost, full)
    }

    /// The rest of `push_or_else`: the first look or the first CAS did not do.
    #[cold]
    fn push_contended(
        &self,
        mut item: T,
        mut lost: usize,
        full: impl Fn(T, Word) -> Result<T, T>,
    ) -> Result<(), T> {
        let backoff = Backoff::new();
        // Relaxed, also below: as above.
        let mut tail = self.tail.stamp.load(Relaxed);
        loop {
            let stamp = self.stamp(tail);
            if stamp == tail {
                match self.claim(&self.tail, tail, &mut lost) {
                    Claim::Won => {
                        // SAFETY: the stamp said empty, and the CAS gave us the slot.
                        unsafe { self.fill(tail, item) };
                        return Ok(());
                    }
                    Claim::Lost(now) => {
                        tail = now;
                        backoff.spin();
                    }
                }
            } else if stamp.wrapping_add(self.lap) == tail.wrapping_add(1) {
                // The slot has the item of the lap before: full, or being popped.
                //
                // "Full" is an answer about other threads' pops, so it must not come
                // from an old value. Of two SeqCst fences, this one and the one that a
                // thread runs after its pop, one is first: if theirs, the load after
                // this sees their pop; if ours, whatever they load after their fence
                // sees what we did before. (`two_queues_are_not_both_full`)
                fence(SeqCst);
                item = full(item, tail)?;
                backoff.spin();
                tail = self.tail.stamp.load(Relaxed);
            } else {
                // Another thread has claimed this slot and must finish, or our tail is
                // old.
                backoff.snooze();
                tail = self.tail.stamp.load(Relaxed);
            }
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        let mut lost = 0;
        // Relaxed: where to look. The CAS verifies it.
        let head = self.head.stamp.load(Relaxed);
        if self.stamp(head) == head.wrapping_add(1)
            && let Claim::Won = self.claim(&self.head, head, &mut lost)
        {
            // SAFETY: the stamp said that there is an item, and the CAS gave us the slot.
            return Some(unsafe { self.empty(head) });
        }
        self.pop_contended(lost)
    }

    /// The rest of `pop`: the first look or the first CAS did not do.
    #[cold]
    fn pop_contended(&self, mut lost: usize) -> Option<T> {
        let backoff = Backoff::new();
        // Relaxed, also below: as above.
        let mut head = self.head.stamp.load(Relaxed);
        loop {
            let stamp = self.stamp(head);
            if stamp == head.wrapping_add(1) {
                match self.claim(&self.head, head, &mut lost) {
                    Claim::Won => {
                        // SAFETY: the stamp said that there is an item, and the CAS gave
                        // us the slot.
                        return Some(unsafe { self.empty(head) });
                    }
                    Claim::Lost(now) => {
                        head = now;
                        backoff.spin();
                    }
                }
            } else if stamp == head {
                // The slot waits for this lap's item: empty, or being pushed.
                //
                // `None` must not come from an old value: as in `push_contended`, with
                // their push. (`two_queues_are_not_both_empty`)
                fence(SeqCst);
                // Relaxed: ordered by the fence.
                if self.tail.stamp.load(Relaxed) == head {
                    return None;
                }
                backoff.spin();
                head = self.head.stamp.load(Relaxed);
            } else {
                // Another thread has claimed this slot and must finish, or our head is
                // old.
                backoff.snooze();
                head = self.head.stamp.load(Relaxed);
            }
        }
    }

    /// The stamp of the slot that an end at `at` stands on.
    #[inline]
    fn stamp(&self, at: Word) -> Word {
        // Acquire: a popper receives the item, and a pusher the end of the last read;
        // pairs with the Release stores in `fill`, `force_push` and `empty`.
        self.slot(at).stamp.load(Acquire)
    }

    /// Puts the item into the slot that the tail was moved past.
    ///
    /// # Safety
    ///
    /// `stamp(tail)` was `tail`, and then the caller moved the tail past it.
    #[inline]
    unsafe fn fill(&self, tail: Word, item: T) {
        let slot = self.slot(tail);
        slot.item.with_mut(|slot| {
            // SAFETY: by the stamp the slot is empty, and whoever emptied it is done; by
            // the claim nobody else touches it.
            unsafe { (*slot).write(item) };
        });
        // { lap, i } -> { lap, i } + 1
        // Release: publishes the item; pairs with the Acquire load in `stamp`.
        slot.stamp.store(tail.wrapping_add(1), Release);
    }

    /// Takes the item out of the slot that the head was moved past.
    ///
    /// # Safety
    ///
    /// `stamp(head)` was `head + 1`, and then the caller moved the head past it.
    #[inline]
    unsafe fn empty(&self, head: Word) -> T {
        let slot = self.slot(head);
        let item = slot.item.with(|slot| {
            // SAFETY: by the stamp the slot is initialised, and that happened before; by
            // the claim this is the only read of its item.
            unsafe { slot.cast::<T>().read() }
        });
        // { lap, i } + 1 -> { lap + 1, i }
        // Release: our read is over; pairs with the Acquire load in `stamp`.
        slot.stamp.store(head.wrapping_add(self.lap), Release);
        item
    }

    pub(super) fn len(&self) -> usize {
        loop {
            // Acquire: the head below is not older than the pops that this tail's push
            // came after; pairs with the Release in `claim`. (`len_is_never_too_long`)
            let tail = self.tail.stamp.load(Acquire);
            // Acquire: the tail below is not older than the pushes that this head's pop
            // came after; pairs with the Release in `claim`. (`len_is_never_too_short`)
            let head = self.head.stamp.load(Acquire);
            // Relaxed: only compared. The tail never returns to a value, so it was this
            // one when the head was loaded.
            if self.tail.stamp.load(Relaxed) == tail {
                return self.distance(head, tail);
            }
        }
    }

    /// Slots from `head` to `tail`.
    fn distance(&self, head: Word, tail: Word) -> usize {
        let index = |stamp| (stamp & (self.lap - 1)) as usize;
        let (from, to) = (index(head), index(tail));
        if head == tail {
            0
        } else if from < to {
            to - from
        } else {
            // The tail is on the next lap. While a `force_push` has moved the head and
            // not yet the tail there is one less.
            self.capacity() - from + to
        }
    }

    /// `push` for who is alone.
    pub(super) fn push_mut(&mut self, item: T) -> Result<(), T> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let tail = self.tail.stamp.load(Relaxed);
        let slot = self.slot(tail);
        if slot.stamp.load(Relaxed) != tail {
            return Err(item);
        }
        slot.item.with_mut(|slot| {
            // SAFETY: `&mut self`, and the slot is empty by its stamp.
            unsafe { (*slot).write(item) };
        });
        slot.stamp.store(tail.wrapping_add(1), Relaxed);
        self.tail.stamp.store(self.after(tail), Relaxed);
        Ok(())
    }

    /// `pop` for who is alone.
    pub(super) fn pop_mut(&mut self) -> Option<T> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let head = self.head.stamp.load(Relaxed);
        let slot = self.slot(head);
        if slot.stamp.load(Relaxed) != head.wrapping_add(1) {
            return None;
        }
        let item = slot.item.with(|slot| {
            // SAFETY: `&mut self`; initialised, by the stamp, which changes below.
            unsafe { slot.cast::<T>().read() }
        });
        slot.stamp.store(head.wrapping_add(self.lap), Relaxed);
        self.head.stamp.store(self.after(head), Relaxed);
        Some(item)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        drop_all(core::iter::from_fn(|| self.pop_mut()));
    }
}
