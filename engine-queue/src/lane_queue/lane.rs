//! One lane of a segment: an array of slots that is filled once and emptied once.

use core::fmt;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::{Backoff, CachePadded, Contention, separate_lines};

use super::slot::{Generation, Slot, State};

/// The widest segment there may be.
pub(super) const MAX_WIDTH: usize = 64;

/// The most slots that a lane may have.
pub(super) const MAX_SLOTS: usize = 1 << 16;

/// Set in a tail: no ticket is given out any more.
const CLOSED: usize = 1 << (usize::BITS - 8);

// The sum of all tails of a segment does not overflow, and tickets do not reach the
// mark: so the sum changes whenever one of them does.
const _: () = assert!(MAX_WIDTH * MAX_SLOTS < CLOSED);
const _: () = assert!(MAX_WIDTH <= usize::MAX / (2 * CLOSED));

/// `{ ticket, closed }`.
///
/// | value | meaning | who may leave it, how |
/// |---|---|---|
/// | `t < slots` | the next ticket | a producer, to `t + n`; a closer, `+ CLOSED` |
/// | `t = slots` | used up | a closer, `+ CLOSED` |
/// | with CLOSED | closed at that ticket | nobody, until the segment is recycled |
///
/// A tail never goes back and the mark is never taken away, so a value seen twice
/// was there all the time in between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail(usize);

impl Tail {
    /// Tickets given out.
    #[inline]
    pub(super) fn tickets(self) -> usize {
        self.0 & !CLOSED
    }

    #[inline]
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// What is added up for the comparison of two collects.
    #[inline]
    pub(super) fn weight(self) -> usize {
        self.0
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tail")
            .field("tickets", &self.tickets())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// A word of tickets, and what happened on its way: on one line on purpose, see
/// [`Contention`].
struct End {
    word: AtomicUsize,
    /// Races lost here.
    lost: Contention,
    /// At the head: slots given up.
    burned: Contention,
}

impl End {
    fn new() -> Self {
        Self {
            word: AtomicUsize::new(0),
            lost: Contention::new(),
            burned: Contention::new(),
        }
    }

    fn reset(&self) {
        // Relaxed: the caller has the lane alone, and publishes it later.
        self.word.store(0, Relaxed);
        self.lost.record(self.lost.lost().wrapping_neg());
        self.burned.record(self.burned.lost().wrapping_neg());
    }
}

/// The two ends.
pub(super) struct Ends {
    tail: CachePadded<End>,
    head: CachePadded<End>,
}

separate_lines!(Ends { tail, head });

impl Ends {
    pub(super) fn new() -> Self {
        Self {
            tail: CachePadded::new(End::new()),
            head: CachePadded::new(End::new()),
        }
    }

    /// Both ends to the first slot. Only who has the segment alone may do this.
    pub(super) fn reset(&self) {
        self.tail.reset();
        self.head.reset();
    }

    #[inline]
    pub(super) fn tail(&self) -> Tail {
        // Relaxed: a ticket orders nothing; items are published by their slots. What a
        // verdict about emptiness needs is in `Segment::verdict`.
        Tail(self.tail.word.load(Relaxed))
    }

    #[inline]
    pub(super) fn head(&self) -> usize {
        // Relaxed: the head only grows, so what was passed is passed; the items are
        // taken by the winner of the exchange alone.
        self.head.word.load(Relaxed)
    }

    /// Closes the lane; the tickets that it has given out are final.
    pub(super) fn close(&self) -> Tail {
        // t -> t + CLOSED
        // Relaxed: an RMW sees every claim before it, and none succeeds after it. The
        // Release of the `next` that a closer installs publishes it.
        Tail(self.tail.word.fetch_or(CLOSED, Relaxed) | CLOSED)
    }

    /// Races lost by producers, and by consumers.
    pub(super) fn lost(&self) -> (usize, usize) {
        (self.tail.lost.lost(), self.head.lost.lost())
    }

    /// Slots given up.
    pub(super) fn burned(&self) -> usize {
        self.head.burned.lost()
    }
}

/// What a look at the head of a lane found.
#[must_use]
pub(super) enum Look<R> {
    /// Items, taken.
    Taken(R),
    /// Another consumer was faster.
    Lost,
    /// A push has claimed this slot and not finished.
    Pending(usize),
    /// Every ticket up to this tail is popped or burned.
    Drained(Tail),
}

/// A lane that is pinned.
pub(super) struct Lane<'a, T> {
    pub(super) ends: &'a Ends,
    pub(super) slots: &'a [Slot<T>],
    pub(super) generation: Generation,
}

impl<T> Lane<'_, T> {
    /// Appends `item`, or gives it back when the lane takes no more. `race` runs
    /// before the first claim: tests lose races with it.
    #[inline]
    pub(super) fn push(&self, mut item: T, race: impl FnOnce()) -> Result<(), T> {
        let backoff = Backoff::new();
        let mut race = Some(race);
        loop {
            let tail = self.ends.tail();
            // A closed tail is above every number of slots.
            let Some(slot) = self.slots.get(tail.0) else {
                self.ends.tail.lost.record(backoff.rounds() as usize);
                return Err(item);
            };
            if let Some(race) = race.take() {
                race();
            }
            if !self.claim(tail, 1) {
                backoff.spin();
                continue;
            }
            self.ends.tail.lost.record(backoff.rounds() as usize);
            // SAFETY: the claim gave us this slot, once.
            match unsafe { slot.put(self.generation, item) } {
                Ok(()) => return Ok(()),
                // Burned: the next ticket, in the same lane, before any other item of
                // this producer.
                Err(back) => item = back,
            }
            backoff.reset();
        }
    }

    /// Appends from `items`, in their order, until there are none or the lane takes no
    /// more.
    pub(super) fn push_all(&self, items: &mut VecDeque<T>) {
        let backoff = Backoff::new();
        loop {
            let tail = self.ends.tail();
            // A closed tail is above every number of slots.
            let room = self.slots.get(tail.0..).unwrap_or(&[]);
            let count = items.len().min(room.len());
            if count == 0 {
                self.ends.tail.lost.record(backoff.rounds() as usize);
                return;
            }
            if !self.claim(tail, count) {
                backoff.spin();
                continue;
            }
            self.ends.tail.lost.record(backoff.rounds() as usize);
            backoff.reset();
            for slot in &room[..count] {
                let Some(item) = items.pop_front() else {
                    break;
                };
                // SAFETY: the claim gave us these slots, each once.
                if let Err(back) = unsafe { slot.put(self.generation, item) } {
                    // Burned: the item takes the next of our slots, so the order stays; one
                    // that finds no slot claims again. Does not allocate: it came from here.
                    items.push_front(back);
                }
            }
        }
    }

    /// Puts the first item into a lane that is not installed.
    ///
    /// # Safety
    ///
    /// Nobody else has access to the segment, and the lane is as new.
    pub(super) unsafe fn seed(&self, item: T) {
        // Relaxed: installed later, with a Release.
        self.ends.tail.word.store(1, Relaxed);
        // SAFETY: nobody else has access.
        unsafe { self.slots[0].fill(self.generation, item) };
    }

    /// Takes back what `seed` put there.
    ///
    /// # Safety
    ///
    /// Nobody else has had access since, and the segment is recycled or freed next.
    pub(super) unsafe fn unseed(&self) -> T {
        // SAFETY: filled by `seed`; not read by anybody else.
        unsafe { self.slots[0].take() }
    }

    /// Takes `count` tickets from `tail` on, which are there.
    #[inline]
    pub(super) fn claim(&self, tail: Tail, count: usize) -> bool {
        // t -> t + count
        // Relaxed: see `Ends::tail`. Not weak: a failure counts as a lost race.
        self.ends
            .tail
            .word
            .compare_exchange(tail.0, tail.0 + count, Relaxed, Relaxed)
            .is_ok()
    }

    /// Takes the first item. `lost` counts races lost before.
    #[inline]
    pub(super) fn pop(&self, lost: &mut usize) -> Look<T> {
        loop {
            let head = self.ends.head();
            if let Some(slot) = self.slots.get(head) {
                match slot.state(self.generation) {
                    State::Full => {
                        if !self.pass(head, 1) {
                            *lost += 1;
                            return Look::Lost;
                        }
                        self.ends.head.lost.record(core::mem::take(lost));
                        // SAFETY: we saw it full and moved the head past it.
                        return Look::Taken(unsafe { slot.take() });
                    }
                    State::Burned => {
                        self.pass_burned(head);
                        continue;
                    }
                    State::Empty => {}
                }
            }
            return self.none_at(head);
        }
    }

    /// Takes up to `most` items from the front into `out`, which need not have room.
    pub(super) fn pop_some(&self, most: usize, out: &mut Vec<T>, lost: &mut usize) -> Look<usize> {
        loop {
            let head = self.ends.head();
            let rest = self.slots.get(head..).unwrap_or(&[]);
            let count = rest
                .iter()
                .take(most)
                .take_while(|slot| slot.state(self.generation) == State::Full)
                .count();
            if count == 0 {
                if let Some(slot) = rest.first()
                    && slot.state(self.generation) == State::Burned
                {
                    self.pass_burned(head);
                    continue;
                }
                return self.none_at(head);
            }
            // Unwind: nothing is claimed yet.
            out.reserve(count);
            if !self.pass(head, count) {
                *lost += 1;
                return Look::Lost;
            }
            self.ends.head.lost.record(core::mem::take(lost));
            for slot in &rest[..count] {
                // SAFETY: we saw it full and moved the head past it.
                out.push(unsafe { slot.take() });
            }
            return Look::Taken(count);
        }
    }

    /// What it means that the slot at `head` was empty.
    #[inline]
    fn none_at<R>(&self, head: usize) -> Look<R> {
        let tail = self.ends.tail();
        if head >= tail.tickets() {
            Look::Drained(tail)
        } else {
            Look::Pending(head)
        }
    }

    /// Moves the head over `count` slots that are full or burned.
    #[inline]
    fn pass(&self, head: usize, count: usize) -> bool {
        // h -> h + count
        // Relaxed: the items came with the states of their slots, and the memory is not
        // used again before our hazard has left it.
        self.ends
            .head
            .word
            .compare_exchange(head, head + count, Relaxed, Relaxed)
            .is_ok()
    }

    fn pass_burned(&self, head: usize) {
        if self.pass(head, 1) {
            self.ends.head.burned.record(1);
        }
    }

    /// Gives up on the push that holds slot `at`, unless it has just finished.
    pub(super) fn burn(&self, at: usize) {
        if let Some(slot) = self.slots.get(at) {
            slot.burn(self.generation);
        }
    }
}
