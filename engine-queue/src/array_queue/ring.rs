//! Slots with stamps, and two indices that are claimed.

use alloc::alloc::Layout;
use alloc::boxed::Box;
use core::mem::{self, MaybeUninit};

use engine_atomic::sync::atomic::{Ordering::*, fence};
use engine_atomic::{CachePadded, Contention};

use super::course::Course;
use super::patience::{Patience, Waited};
use super::slot::Slot;
use crate::drop_all::drop_all;
use crate::lost_race::LostRaces;
use crate::word::{AtomicIndex, Word};
use crate::{PushError, QueueStats};

/// One end: the stamp of the slot to claim next. The tail's has the mark as well, once the
/// queue is closed.
pub(super) struct End {
    pub(super) stamp: AtomicIndex,
    /// On the same line, for whoever has just won it.
    contention: Contention,
    pub(super) patience: Patience,
}

impl End {
    fn new(stamp: Word) -> CachePadded<Self> {
        CachePadded::new(Self {
            stamp: AtomicIndex::new(stamp),
            contention: Contention::new(),
            patience: Patience::new(stamp),
        })
    }

    /// This end was claimed, at `at`: what the operation has seen goes to the line that has
    /// come with it.
    #[inline]
    pub(super) fn won(&self, at: Word, races: &LostRaces, waited: Waited) {
        races.record(&self.contention);
        self.patience.claimed(at, waited);
    }
}

pub(super) struct Ring<T> {
    pub(super) head: CachePadded<End>,
    pub(super) tail: CachePadded<End>,
    slots: Box<[Slot<T>]>,
    pub(super) course: Course,
}

// SAFETY: items are handed from thread to thread by value and never shared, so
// `T: Send` is enough. A slot has one thread at a time: see the table on `Slot`.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize, first_lap: Word) -> Self {
        assert!(capacity != 0, "capacity must be non-zero");
        let course = Course::new(capacity)
            .filter(|_| Layout::array::<Slot<T>>(capacity).is_ok())
            .expect("queue capacity is too large");
        let start = first_lap.wrapping_mul(course.lap());
        Self {
            head: End::new(start),
            tail: End::new(start),
            slots: (0..capacity)
                .map(|index| Slot::new(start.wrapping_add(index as Word)))
                .collect(),
            course,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.course.capacity()
    }

    pub(super) fn stats(&self) -> QueueStats {
        QueueStats {
            push_races_lost: self.tail.contention.lost(),
            pop_races_lost: self.head.contention.lost(),
        }
    }

    /// The slot of an end that stands at `at`.
    ///
    /// # Safety
    ///
    /// One of this ring's ends stands there, or will or did.
    #[inline]
    unsafe fn slot(&self, at: Word) -> &Slot<T> {
        let index = self.course.index(at);
        debug_assert!(index < self.slots.len(), "not the stamp of a slot");
        // Without a check: the optimizer does not know what an end can be.
        // SAFETY: an end starts at index 0 and is moved by `course` only, which passes over
        // the stamps that have no slot; the mark is not part of the index.
        unsafe { self.slots.get_unchecked(index) }
    }

    /// Where the tail stands, and the slot there.
    #[inline]
    pub(super) fn at_tail(&self) -> (Word, &Slot<T>) {
        // Relaxed: where to look. The CAS verifies it. A marked one is nobody's stamp.
        let tail = self.tail.stamp.load(Relaxed);
        // SAFETY: the tail stands there.
        (tail, unsafe { self.slot(tail) })
    }

    /// Where the head stands, and the slot there.
    #[inline]
    pub(super) fn at_head(&self) -> (Word, &Slot<T>) {
        // Relaxed: as in `at_tail`.
        let head = self.head.stamp.load(Relaxed);
        // SAFETY: the head stands there.
        (head, unsafe { self.slot(head) })
    }

    pub(super) fn is_marked(&self, tail: Word) -> bool {
        tail & self.course.mark() != 0
    }

    /// Moves `end` from `from` to `to`, unless another thread moved it.
    #[inline]
    pub(super) fn claim(&self, end: &End, from: Word, to: Word) -> Result<Word, Word> {
        // { lap, index } -> the stamp one or more slots on
        // Release: who sees this end sees the other one as we did; pairs with the
        // Acquire loads in `len`. The slots themselves are handed over by their stamps.
        // Relaxed on failure: a number to look at.
        end.stamp.compare_exchange_weak(from, to, Release, Relaxed)
    }

    #[inline]
    pub(super) fn push(&self, item: T) -> Result<(), PushError<T>> {
        self.push_or_else(item, |item, tail, _| match self.is_full_at(tail) {
            true => Err(PushError::Full(item)),
            false => Ok(item),
        })
    }

    /// Appends `item`; the oldest makes room for it, and comes back. Closed, the item itself
    /// comes back.
    pub(super) fn force_push(&self, item: T) -> Option<T> {
        let pushed = self.push_or_else(item, |item, tail, stamp| {
            if stamp != self.item_before(tail) {
                // Its push or pop is not over: there is no item to take.
                return Ok(item);
            }
            let head = tail.wrapping_sub(self.course.lap());
            let next = self.course.next(tail);
            // { lap, index } -> the next slot's, if the queue is full: head and tail
            // are on one slot. That claims its item, as a pop does.
            // Release: as in `claim`. Relaxed on failure: the queue is not full, try to push.
            let claimed =
                self.head
                    .stamp
                    .compare_exchange(head, self.course.next(head), Release, Relaxed);
            if claimed.is_err() {
                return Ok(item);
            }
            // And this, as a push does, the same slot one lap on. Nobody else moves the
            // tail while the slot has its old stamp; but it may be closed just now: the push
            // came first then, and the mark stays.
            // { lap, index } -> the next slot's
            // Release: as in `claim`.
            self.tail.stamp.fetch_add(next.wrapping_sub(tail), Release);
            // SAFETY: the tail stood there.
            let slot = unsafe { self.slot(tail) };
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
            // Release: publishes the item; pairs with the Acquire load in `Slot::stamp`.
            slot.stamp.store(tail.wrapping_add(1), Release);
            Err(PushError::Full(oldest))
        });
        pushed.err().map(PushError::into_inner)
    }

    /// Whether the head stands one lap behind this `tail`, whose slot is not empty.
    ///
    /// Pushes and pops that are not over count, whatever state their slots are in. An old
    /// `tail` does no harm: if its slot has had its item, who brought that came after the
    /// head's move past the one before, and we came after both by the stamp.
    pub(super) fn is_full_at(&self, tail: Word) -> bool {
        // "Full" is an answer about other threads' pops, so it must not come from an old
        // value. Of two SeqCst fences, this one and the one that a thread runs after its pop,
        // one is first: if theirs, the load after this sees their pop; if ours, whatever they
        // load after their fence sees what we did before. (`two_queues_are_not_both_full`)
        fence(SeqCst);
        // Relaxed: ordered by the fence.
        let head = self.head.stamp.load(Relaxed);
        head.wrapping_add(self.course.lap()) == tail
    }

    /// Whether the tail stands at this `head`, whose slot waits for the item of this lap. With
    /// the item of the lap before it would say nothing: a `force_push` has moved the head and
    /// not yet the tail, and with one slot they meet. (`force_push_against_pop`)
    pub(super) fn is_empty_at(&self, head: Word) -> bool {
        // SeqCst: `None` must not come from an old value: as in `is_full_at`, with their
        // push. (`two_queues_are_not_both_empty`)
        fence(SeqCst);
        // Relaxed: ordered by the fence.
        self.tail.stamp.load(Relaxed) & !self.course.mark() == head
    }

    /// The stamp of the slot at `tail` while it has the item of the lap before.
    fn item_before(&self, tail: Word) -> Word {
        tail.wrapping_sub(self.course.lap()).wrapping_add(1)
    }

    /// Appends `item`. When the slot at the tail is not empty, `full(item, tail, stamp)`
    /// decides: `Ok` gives the item back to try again, and `Err` ends it.
    #[inline]
    fn push_or_else(
        &self,
        item: T,
        full: impl Fn(T, Word, Word) -> Result<T, PushError<T>>,
    ) -> Result<(), PushError<T>> {
        // Read once: what is read after the CAS the compiler would read again.
        let course = self.course;
        let (tail, slot) = self.at_tail();
        let mut now = tail;
        if slot.stamp() == tail {
            match self.claim(&self.tail, tail, course.next(tail)) {
                Ok(_) => {
                    slot.prefetch_after(course, tail);
                    // SAFETY: the stamp said empty, and the CAS gave us the slot.
                    unsafe { slot.fill(tail, item) };
                    return Ok(());
                }
                Err(other) => now = other,
            }
        }
        self.push_contended(item, (tail, now), full)
    }

    /// The rest of `push_or_else`: the first look or the first CAS did not do. It went from one
    /// stamp and found the other.
    #[cold]
    fn push_contended(
        &self,
        mut item: T,
        first: (Word, Word),
        full: impl Fn(T, Word, Word) -> Result<T, PushError<T>>,
    ) -> Result<(), PushError<T>> {
        let mut races = LostRaces::new();
        races.lost(first.0, first.1);
        let mut waited = Waited::NotYet;
        loop {
            let (tail, slot) = self.at_tail();
            if self.is_marked(tail) {
                return Err(PushError::Closed(item));
            }
            let stamp = slot.stamp();
            if stamp == tail {
                match self.claim(&self.tail, tail, self.course.next(tail)) {
                    Ok(_) => {
                        self.tail.won(tail, &races, waited);
                        // SAFETY: the stamp said empty, and the CAS gave us the slot.
                        unsafe { slot.fill(tail, item) };
                        return Ok(());
                    }
                    Err(now) => {
                        races.lost(tail, now);
                        races.wait(&self.tail.stamp);
                    }
                }
            } else {
                // The slot has the item of the lap before, and the queue is full or the item is
                // being popped; or that item is not even pushed yet; or our tail is old.
                if stamp == self.item_before(tail) && self.tail.patience.again(tail, &mut waited) {
                    continue;
                }
                item = full(item, tail, stamp)?;
                // Another thread has claimed this slot and must finish, or our tail is old.
                races.wait_for_other();
            }
        }
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        // Read once: as in `push_or_else`.
        let course = self.course;
        let (head, slot) = self.at_head();
        let mut now = head;
        if slot.stamp() == head.wrapping_add(1) {
            match self.claim(&self.head, head, course.next(head)) {
                Ok(_) => {
                    slot.prefetch_after(course, head);
                    // SAFETY: the stamp said that there is an item, and the CAS gave us the
                    // slot.
                    return Some(unsafe { slot.empty(head, course) });
                }
                Err(other) => now = other,
            }
        } else if self.is_empty_now(head, slot) {
            return None;
        }
        self.pop_contended((head, now))
    }

    /// Whether the head, which stands at this slot, has nothing there to wait for: the short
    /// way to `None`.
    #[inline(never)]
    fn is_empty_now(&self, head: Word, slot: &Slot<T>) -> bool {
        if slot.stamp() != head || self.head.patience.allows(head) {
            return false;
        }
        self.is_empty_at(head)
    }

    /// The rest of `pop`: the first look or the first CAS did not do. It went from one stamp and
    /// found the other.
    #[cold]
    fn pop_contended(&self, first: (Word, Word)) -> Option<T> {
        let mut races = LostRaces::new();
        races.lost(first.0, first.1);
        let mut waited = Waited::NotYet;
        loop {
            let (head, slot) = self.at_head();
            let stamp = slot.stamp();
            if stamp == head.wrapping_add(1) {
                match self.claim(&self.head, head, self.course.next(head)) {
                    Ok(_) => {
                        self.head.won(head, &races, waited);
                        // SAFETY: the stamp said that there is an item, and the CAS gave us
                        // the slot.
                        return Some(unsafe { slot.empty(head, self.course) });
                    }
                    Err(now) => {
                        races.lost(head, now);
                        races.wait(&self.head.stamp);
                    }
                }
            } else {
                if stamp == head {
                    // The slot waits for this lap's item: empty, or being pushed.
                    if self.head.patience.again(head, &mut waited) {
                        continue;
                    }
                    if self.is_empty_at(head) {
                        return None;
                    }
                }
                // Another thread has claimed this slot and must finish, or our head is old.
                races.wait_for_other();
            }
        }
    }

    /// The slots from `at` on, `count` of them or those to the end of the ring.
    #[inline]
    pub(super) fn run(&self, at: Word, count: usize) -> &[Slot<T>] {
        let run = &self.slots[self.course.index(at)..];
        &run[..count.min(run.len())]
    }

    /// Closes the queue; whether this call did it.
    pub(super) fn close(&self) -> bool {
        // { lap, index } -> { lap, mark, index }
        // Release: who sees the queue closed sees what the closer did before; pairs with the
        // Acquire load in `is_closed`. As an RMW it keeps the release sequences of the claims
        // alive.
        !self.is_marked(self.tail.stamp.fetch_or(self.course.mark(), Release))
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.is_marked(self.tail.stamp.load(Acquire))
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
                return self.course.distance(head, tail & !self.course.mark());
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        // Acquire: the tail below is not older than the pushes that this head's pop came
        // after; pairs with the Release in `claim`. (`empty_is_not_said_between`)
        let head = self.head.stamp.load(Acquire);
        // Relaxed: only compared. The head is never past the tail: if they are equal, the
        // head was still there.
        self.tail.stamp.load(Relaxed) & !self.course.mark() == head
    }

    pub(super) fn is_full(&self) -> bool {
        // Acquire: the head below is not older than the pops that this tail's push came
        // after; pairs with the Release in `claim`. (`full_is_not_said_between`)
        let tail = self.tail.stamp.load(Acquire) & !self.course.mark();
        // Relaxed: only compared. The tail is never more than a lap ahead: if it is so much,
        // it was still there.
        let head = self.head.stamp.load(Relaxed);
        head.wrapping_add(self.course.lap()) == tail
    }

    /// `push` for who is alone.
    pub(super) fn push_mut(&mut self, item: T) -> Result<(), PushError<T>> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let (tail, slot) = self.at_tail();
        if self.is_marked(tail) {
            return Err(PushError::Closed(item));
        }
        if slot.stamp.load(Relaxed) != tail {
            return Err(PushError::Full(item));
        }
        slot.item.with_mut(|slot| {
            // SAFETY: `&mut self`, and the slot is empty by its stamp.
            unsafe { (*slot).write(item) };
        });
        slot.stamp.store(tail.wrapping_add(1), Relaxed);
        self.tail.stamp.store(self.course.next(tail), Relaxed);
        Ok(())
    }

    /// `pop` for who is alone.
    pub(super) fn pop_mut(&mut self) -> Option<T> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let (head, slot) = self.at_head();
        if slot.stamp.load(Relaxed) != head.wrapping_add(1) {
            return None;
        }
        let item = slot.item.with(|slot| {
            // SAFETY: `&mut self`; initialised, by the stamp, which changes below.
            unsafe { slot.cast::<T>().read() }
        });
        slot.stamp
            .store(head.wrapping_add(self.course.lap()), Relaxed);
        self.head.stamp.store(self.course.next(head), Relaxed);
        Some(item)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        drop_all(core::iter::from_fn(|| self.pop_mut()));
    }
}
