//! One lane of a segment: an array of slots that is filled once and emptied once.

use core::fmt;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::{MODEL, hint};
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

/// What a consumer remembers of the lane that it sits on.
///
/// A consumer that is faster than the producers looks at the tail for every item, and each
/// look takes the line away from a producer: both crawl. So when looks find few items it
/// tries to wait a moment before one. If that look finds many, it goes on so. If not, the
/// producers are slow by themselves, or on this very thread, and it tries again ever
/// more seldom. After a look that found nothing it never waits: then it disturbs nobody,
/// and its caller may have better things to do.
pub(super) struct Memo {
    /// At least so many tickets were given out.
    tickets: usize,
    /// Races lost and not written down yet.
    lost: usize,
    /// Whether the last look found something, and whether it waited.
    found: bool,
    waited: bool,
    /// Looks that find few items before one waits.
    trial_in: u32,
    /// The same, after the next trial that fails.
    next_trial: u32,
}

/// A look that finds fewer items came too early.
const FEW: usize = 16;

/// In time a few line transfers, or some dozens of pushes: `cargo run --release -p benches --bin
/// limits` prints a pause and a transfer.
const PAUSES: usize = 16;

/// Looks between two trials, at first and at most.
const TRIALS: (u32, u32) = (4, 4096);

impl Memo {
    pub(super) fn new() -> Self {
        Self {
            tickets: 0,
            lost: 0,
            found: false,
            waited: false,
            trial_in: TRIALS.0,
            next_trial: TRIALS.0,
        }
    }

    /// For another lane.
    pub(super) fn forget(&mut self) {
        self.tickets = 0;
    }

    /// Before a look at the tail.
    #[inline]
    fn wait(&mut self) {
        self.waited = self.found && self.trial_in == 0;
        if self.waited && !MODEL {
            (0..PAUSES).for_each(|_| hint::spin_loop());
        }
    }

    /// After it.
    #[inline]
    fn learn(&mut self, head: usize, tail: Tail) {
        self.tickets = tail.tickets();
        self.found = head < self.tickets;
        let few = self.tickets < head + FEW;
        if !self.found {
        } else if !self.waited {
            self.trial_in = self.trial_in.saturating_sub(u32::from(few));
        } else if few {
            self.next_trial = (self.next_trial * 2).min(TRIALS.1);
            self.trial_in = self.next_trial;
        } else {
            self.next_trial = TRIALS.0;
        }
    }
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

    /// The slots at the head that pushes have claimed, as far as `memo` knows, or all of
    /// them; at least one, or what it means that there is none.
    ///
    /// The tail is looked at only when what was known of it is used up: its line belongs to
    /// the producers, and so does that of the next slot, which is not touched before it was
    /// claimed. So a consumer that keeps up takes what has come meanwhile in one go, and
    /// leaves them alone until then.
    #[inline]
    fn claimed(&self, memo: &mut Memo) -> Result<(usize, &[Slot<T>]), Tail> {
        let head = self.ends.head();
        if head >= memo.tickets {
            memo.wait();
            let tail = self.ends.tail();
            memo.learn(head, tail);
            if head >= memo.tickets {
                return Err(tail);
            }
        }
        Ok((head, &self.slots[head..memo.tickets]))
    }

    /// Takes the first item.
    #[inline]
    pub(super) fn pop(&self, memo: &mut Memo) -> Look<T> {
        loop {
            let (head, slot) = match self.claimed(memo) {
                Ok((head, slots)) => (head, &slots[0]),
                Err(tail) => return Look::Drained(tail),
            };
            match slot.state(self.generation) {
                State::Full => {
                    if !self.pass(head, 1) {
                        memo.lost += 1;
                        return Look::Lost;
                    }
                    self.ends.head.lost.record(core::mem::take(&mut memo.lost));
                    // SAFETY: we saw it full and moved the head past it.
                    return Look::Taken(unsafe { slot.take() });
                }
                State::Burned => self.pass_burned(head),
                State::Empty => return Look::Pending(head),
            }
        }
    }

    /// Takes up to `most` items from the front into `out`, which need not have room.
    pub(super) fn pop_some(&self, most: usize, out: &mut Vec<T>, memo: &mut Memo) -> Look<usize> {
        loop {
            let (head, slots) = match self.claimed(memo) {
                Ok(claimed) => claimed,
                Err(tail) => return Look::Drained(tail),
            };
            let is_full = |slot: &&Slot<T>| slot.state(self.generation) == State::Full;
            let count = slots.iter().take(most).take_while(is_full).count();
            if count == 0 {
                match slots[0].state(self.generation) {
                    // Since we looked.
                    State::Full => {}
                    State::Burned => self.pass_burned(head),
                    State::Empty => return Look::Pending(head),
                }
                continue;
            }
            // Unwind: nothing is claimed yet.
            out.reserve(count);
            if !self.pass(head, count) {
                memo.lost += 1;
                return Look::Lost;
            }
            self.ends.head.lost.record(core::mem::take(&mut memo.lost));
            for slot in &slots[..count] {
                // SAFETY: we saw it full and moved the head past it.
                out.push(unsafe { slot.take() });
            }
            return Look::Taken(count);
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
