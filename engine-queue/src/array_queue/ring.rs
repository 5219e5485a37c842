//! Slots with stamps, and two indices that are claimed.

use alloc::alloc::Layout;
use alloc::boxed::Box;
use core::mem::{self, MaybeUninit};

use engine_atomic::sync::atomic::{Ordering::*, fence};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::{CachePadded, Contention};

use crate::drop_all::drop_all;
use crate::lost_race::LostRaces;
use crate::word::{AtomicIndex, Word};
use crate::{PushError, QueueStats};

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

/// One end: the stamp of the slot to claim next. The tail's has the mark as well, once the
/// queue is closed.
pub(super) struct End {
    pub(super) stamp: AtomicIndex,
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
    pub(super) head: CachePadded<End>,
    pub(super) tail: CachePadded<End>,
    slots: Box<[Slot<T>]>,
    /// The bit between index and lap, which only a closed tail has: a power of two above
    /// the capacity.
    pub(super) mark: Word,
}

// SAFETY: items are handed from thread to thread by value and never shared, so
// `T: Send` is enough. A slot has one thread at a time: see the table on `Slot`.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize, first_lap: Word) -> Self {
        assert!(capacity != 0, "capacity must be non-zero");
        let mark = capacity
            .checked_add(1)
            .and_then(usize::checked_next_power_of_two)
            // A lap is two of it, and there are at least two of these.
            .filter(|&mark| Word::try_from(mark).is_ok_and(|mark| mark <= Word::MAX / 4))
            .filter(|_| Layout::array::<Slot<T>>(capacity).is_ok())
            .expect("capacity too large") as Word;
        let start = first_lap.wrapping_mul(2 * mark);
        Self {
            head: End::new(start),
            tail: End::new(start),
            slots: (0..capacity)
                .map(|index| Slot {
                    stamp: AtomicIndex::new(start.wrapping_add(index as Word)),
                    item: UnsafeCell::new(MaybeUninit::uninit()),
                })
                .collect(),
            mark,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn stats(&self) -> QueueStats {
        QueueStats {
            push_races_lost: self.tail.contention.lost(),
            pop_races_lost: self.head.contention.lost(),
        }
    }

    /// Stamps of one round.
    fn lap(&self) -> Word {
        2 * self.mark
    }

    fn index(&self, stamp: Word) -> usize {
        (stamp & (self.mark - 1)) as usize
    }

    fn slot(&self, stamp: Word) -> &Slot<T> {
        &self.slots[self.index(stamp)]
    }

    /// The stamp `count` slots on; at most one round.
    #[inline]
    pub(super) fn after(&self, stamp: Word, count: usize) -> Word {
        let index = self.index(stamp);
        if index + count < self.capacity() {
            // { lap, index } -> { lap, index + count }
            stamp.wrapping_add(count as Word)
        } else {
            // { lap, index } -> { lap + 1, index + count - capacity }
            stamp
                .wrapping_add(count as Word)
                .wrapping_sub(self.capacity() as Word)
                .wrapping_add(self.lap())
        }
    }

    pub(super) fn is_marked(&self, tail: Word) -> bool {
        tail & self.mark != 0
    }

    /// Moves `end` from `from` past `count` slots, unless another thread moved it.
    #[inline]
    pub(super) fn claim(&self, end: &End, from: Word, count: usize, races: &mut LostRaces) -> bool {
        // { lap, index } -> the stamp `count` slots on
        // Release: who sees this end sees the other one as we did; pairs with the
        // Acquire loads in `len`. The slots themselves are handed over by their stamps.
        // Relaxed on failure: a number to look at.
        let next = self.after(from, count);
        match end
            .stamp
            .compare_exchange_weak(from, next, Release, Relaxed)
        {
            Ok(_) => {
                races.record(&end.contention);
                true
            }
            Err(now) => {
                races.lost(from, now);
                false
            }
        }
    }

    #[inline]
    pub(super) fn push(&self, item: T) -> Result<(), PushError<T>> {
        self.push_or_else(item, |item, tail| match self.is_full_at(tail) {
            true => Err(PushError::Full(item)),
            false => Ok(item),
        })
    }

    /// Appends `item`; the oldest makes room for it, and comes back. Closed, the item itself
    /// comes back.
    pub(super) fn force_push(&self, item: T) -> Option<T> {
        let pushed = self.push_or_else(item, |item, tail| {
            let head = tail.wrapping_sub(self.lap());
            let next = self.after(tail, 1);
            // { lap, index } -> the next slot's, if the queue is full: head and tail
            // are on one slot. That claims its item, as a pop does.
            // Relaxed: the fence in `push_contended`, just before, is the release that `claim`
            // needs here. On failure the queue is not full: try to push.
            let claimed =
                self.head
                    .stamp
                    .compare_exchange(head, self.after(head, 1), Relaxed, Relaxed);
            if claimed.is_err() {
                return Ok(item);
            }
            // And this, as a push does, the same slot one lap on. Nobody else moves the
            // tail while the slot has its old stamp; but it may be closed just now: the push
            // came first then, and the mark stays.
            // { lap, index } -> the next slot's
            // Release: as in `claim`.
            self.tail.stamp.fetch_add(next.wrapping_sub(tail), Release);
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
            Err(PushError::Full(oldest))
        });
        pushed.err().map(PushError::into_inner)
    }

    /// Whether the head stands one lap behind this `tail`. After a SeqCst fence: see
    /// `push_contended`.
    pub(super) fn is_full_at(&self, tail: Word) -> bool {
        // Relaxed: ordered by the fence.
        self.head.stamp.load(Relaxed).wrapping_add(self.lap()) == tail
    }

    /// Whether the tail stands at `head`. After a SeqCst fence: see `pop_contended`.
    pub(super) fn is_empty_at(&self, head: Word) -> bool {
        // Relaxed: ordered by the fence.
        self.tail.stamp.load(Relaxed) & !self.mark == head
    }

    /// Appends `item`. When the queue looks full, `full(item, tail)` decides: `Ok`
    /// gives the item back to try again, and `Err` ends it.
    #[inline]
    fn push_or_else(
        &self,
        item: T,
        full: impl Fn(T, Word) -> Result<T, PushError<T>>,
    ) -> Result<(), PushError<T>> {
        let mut races = LostRaces::new();
        // Relaxed: where to look. The CAS verifies it. A marked one is nobody's stamp.
        let tail = self.tail.stamp.load(Relaxed);
        if self.stamp(tail) == tail && self.claim(&self.tail, tail, 1, &mut races) {
            // SAFETY: the stamp said empty, and the CAS gave us the slot.
            unsafe { self.fill(tail, item) };
            return Ok(());
        }
        self.push_contended(item, races, full)
    }

    /// The rest of `push_or_else`: the first look or the first CAS did not do.
    #[cold]
    fn push_contended(
        &self,
        mut item: T,
        mut races: LostRaces,
        full: impl Fn(T, Word) -> Result<T, PushError<T>>,
    ) -> Result<(), PushError<T>> {
        loop {
            // Relaxed: as above.
            let tail = self.tail.stamp.load(Relaxed);
            if self.is_marked(tail) {
                return Err(PushError::Closed(item));
            }
            let stamp = self.stamp(tail);
            if stamp == tail {
                if self.claim(&self.tail, tail, 1, &mut races) {
                    // SAFETY: the stamp said empty, and the CAS gave us the slot.
                    unsafe { self.fill(tail, item) };
                    return Ok(());
                }
                races.wait(&self.tail.stamp);
            } else {
                if stamp.wrapping_add(self.lap()) == tail.wrapping_add(1) {
                    // The slot has the item of the lap before: full, or being popped.
                    //
                    // "Full" is an answer about other threads' pops, so it must not come
                    // from an old value. Of two SeqCst fences, this one and the one that a
                    // thread runs after its pop, one is first: if theirs, the load after
                    // this sees their pop; if ours, whatever they load after their fence
                    // sees what we did before. (`two_queues_are_not_both_full`)
                    fence(SeqCst);
                    item = full(item, tail)?;
                }
                // Another thread has claimed this slot and must finish, or our tail is old.
                races.wait_for_other();
            }
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        let mut races = LostRaces::new();
        // Relaxed: where to look. The CAS verifies it.
        let head = self.head.stamp.load(Relaxed);
        if self.stamp(head) == head.wrapping_add(1) && self.claim(&self.head, head, 1, &mut races) {
            // SAFETY: the stamp said that there is an item, and the CAS gave us the slot.
            return Some(unsafe { self.empty(head) });
        }
        self.pop_contended(races)
    }

    /// The rest of `pop`: the first look or the first CAS did not do.
    #[cold]
    fn pop_contended(&self, mut races: LostRaces) -> Option<T> {
        loop {
            // Relaxed: as above.
            let head = self.head.stamp.load(Relaxed);
            let stamp = self.stamp(head);
            if stamp == head.wrapping_add(1) {
                if self.claim(&self.head, head, 1, &mut races) {
                    // SAFETY: the stamp said that there is an item, and the CAS gave us the
                    // slot.
                    return Some(unsafe { self.empty(head) });
                }
                races.wait(&self.head.stamp);
            } else {
                if stamp == head {
                    // The slot waits for this lap's item: empty, or being pushed.
                    //
                    // `None` must not come from an old value: as in `push_contended`, with
                    // their push. (`two_queues_are_not_both_empty`)
                    fence(SeqCst);
                    if self.is_empty_at(head) {
                        return None;
                    }
                }
                // Another thread has claimed this slot and must finish, or our head is old.
                races.wait_for_other();
            }
        }
    }

    /// Closes the queue; whether this call did it.
    pub(super) fn close(&self) -> bool {
        // { lap, index } -> { lap, mark, index }
        // Release: who sees the queue closed sees what the closer did before; pairs with the
        // Acquire load in `is_closed`. As an RMW it keeps the release sequences of the claims
        // alive.
        !self.is_marked(self.tail.stamp.fetch_or(self.mark, Release))
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.is_marked(self.tail.stamp.load(Acquire))
    }

    /// The stamp of the slot that an end at `at` stands on.
    #[inline]
    pub(super) fn stamp(&self, at: Word) -> Word {
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
    pub(super) unsafe fn fill(&self, tail: Word, item: T) {
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
    pub(super) unsafe fn empty(&self, head: Word) -> T {
        let slot = self.slot(head);
        let item = slot.item.with(|slot| {
            // SAFETY: by the stamp the slot is initialised, and that happened before; by
            // the claim this is the only read of its item.
            unsafe { slot.cast::<T>().read() }
        });
        // { lap, i } + 1 -> { lap + 1, i }
        // Release: our read is over; pairs with the Acquire load in `stamp`.
        slot.stamp.store(head.wrapping_add(self.lap()), Release);
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
                return self.distance(head, tail & !self.mark);
            }
        }
    }

    /// Slots from `head` to `tail`.
    fn distance(&self, head: Word, tail: Word) -> usize {
        let (from, to) = (self.index(head), self.index(tail));
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
    pub(super) fn push_mut(&mut self, item: T) -> Result<(), PushError<T>> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let tail = self.tail.stamp.load(Relaxed);
        if self.is_marked(tail) {
            return Err(PushError::Closed(item));
        }
        let slot = self.slot(tail);
        if slot.stamp.load(Relaxed) != tail {
            return Err(PushError::Full(item));
        }
        slot.item.with_mut(|slot| {
            // SAFETY: `&mut self`, and the slot is empty by its stamp.
            unsafe { (*slot).write(item) };
        });
        slot.stamp.store(tail.wrapping_add(1), Relaxed);
        self.tail.stamp.store(self.after(tail, 1), Relaxed);
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
        slot.stamp.store(head.wrapping_add(self.lap()), Relaxed);
        self.head.stamp.store(self.after(head, 1), Relaxed);
        Some(item)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        drop_all(core::iter::from_fn(|| self.pop_mut()));
    }
}
