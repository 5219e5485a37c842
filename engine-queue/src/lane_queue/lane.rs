//! One lane of a segment: an array of slots that is filled once and emptied once.

use core::fmt;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use engine_atomic::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use engine_atomic::{CachePadded, Contention, separate_lines};

use super::slot::{Generation, Mark, Value};
use crate::word::{AtomicIndex, Word};

mod gate;
mod memo;
mod owned;
mod shared;

use self::gate::Gate;
pub(super) use self::memo::Memo;

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

/// Who pushes into the lanes of a segment. Fixed with its width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tenure {
    /// One producer for each lane, the one that took it first: `lane/owned.rs`.
    Owned,
    /// Any number of producers for each lane: `lane/shared.rs`.
    Shared,
}

/// `{ ticket, closed }`.
///
/// In a shared lane this is the tail's word:
///
/// | value | meaning | who may leave it, how |
/// |---|---|---|
/// | `t < slots` | the next ticket | a producer, to `t + n`; a closer, `+ CLOSED` |
/// | `t = slots` | used up | a closer, `+ CLOSED` |
/// | with CLOSED | closed at that ticket | nobody, until the segment is recycled |
///
/// In an owned lane it is what the word and the [`Gate`] say together. The word has what its owner
/// has announced: only the owner writes it, each time to a later ticket. It means `t`
/// while the gate is open, and what the gate says when it is closed.
///
/// A tail never goes back and the mark is never taken away, so a value seen twice
/// was there all the time in between.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail(usize);

impl Tail {
    #[inline]
    fn open(tickets: usize) -> Self {
        Self(tickets)
    }

    #[inline]
    fn closed(tickets: usize) -> Self {
        Self(tickets | CLOSED)
    }

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

/// Where pushes come in: all on one line on purpose. A consumer gets what it asks for in
/// one transfer, and an owner has it to itself until one asks.
struct In {
    word: AtomicUsize,
    /// Of an owned lane.
    gate: Gate,
    /// Of an owned lane: whether it has an owner. Who closes it may be that.
    owned: AtomicBool,
    /// How many tickets there are.
    slots: usize,
    /// Races lost here.
    lost: Contention,
}

/// Where pops take out.
struct Out {
    word: AtomicIndex,
    /// Races lost here.
    lost: Contention,
    /// Slots given up.
    burned: Contention,
}

/// The two ends.
pub(super) struct Ends {
    tail: CachePadded<In>,
    head: CachePadded<Out>,
}

separate_lines!(Ends { tail, head });

impl Ends {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            tail: CachePadded::new(In {
                word: AtomicUsize::new(0),
                gate: Gate::new(),
                owned: AtomicBool::new(false),
                slots,
                lost: Contention::new(),
            }),
            head: CachePadded::new(Out {
                word: AtomicIndex::new(0),
                lost: Contention::new(),
                burned: Contention::new(),
            }),
        }
    }

    /// Both ends to the first slot. Only who has the segment alone may do this.
    pub(super) fn reset(&self) {
        let forget = |count: &Contention| count.record(count.lost().wrapping_neg());
        // Relaxed, all: the caller has the lane alone, and publishes it later.
        self.tail.word.store(0, Relaxed);
        self.tail.gate.reset();
        self.tail.owned.store(false, Relaxed);
        forget(&self.tail.lost);
        self.head.word.store(0, Relaxed);
        forget(&self.head.lost);
        forget(&self.head.burned);
    }

    #[inline]
    pub(super) fn tail(&self, tenure: Tenure) -> Tail {
        match tenure {
            Tenure::Owned => self.owned_tail(),
            Tenure::Shared => self.shared_tail(),
        }
    }

    /// A consumer's look at the tail, from `head`.
    #[inline]
    fn look(&self, head: usize, tenure: Tenure, memo: &mut Memo) -> Tail {
        memo.wait();
        let tail = self.tail(tenure);
        memo.learn(head, tail);
        tail
    }

    #[inline]
    pub(super) fn head(&self) -> usize {
        // Relaxed: the head only grows, so what was passed is passed; the items are
        // taken by the winner of the exchange alone.
        self.head.word.load(Relaxed) as usize
    }

    /// The word of the head, to look at while others have the better of it.
    pub(super) fn head_word(&self) -> &AtomicIndex {
        &self.head.word
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
    /// A push has claimed this slot and not finished. Not in an owned lane.
    Pending(usize),
    /// Every ticket up to this tail is popped or burned.
    Drained(Tail),
}

/// A lane that is pinned.
pub(super) struct Lane<'a, T> {
    pub(super) ends: &'a Ends,
    pub(super) values: &'a [Value<T>],
    /// Beside each value of a shared lane.
    pub(super) marks: &'a [Mark],
    pub(super) generation: Generation,
    pub(super) tenure: Tenure,
}

impl<T> Lane<'_, T> {
    /// Appends from `items`, in their order, until there are none or the lane takes no
    /// more. `ticket`: the owner's next.
    pub(super) fn push_all(&self, items: &mut VecDeque<T>, ticket: &mut usize) {
        match self.tenure {
            Tenure::Owned => self.push_all_owned(items, ticket),
            Tenure::Shared => self.push_all_shared(items),
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
        // SAFETY: nobody else has access, by contract.
        unsafe { self.values[0].write(item) };
        if let Some(mark) = self.marks.first() {
            mark.set_full(self.generation);
        }
    }

    /// Takes back what `seed` put there.
    ///
    /// # Safety
    ///
    /// Nobody else has had access since, and the segment is recycled or freed next.
    pub(super) unsafe fn unseed(&self) -> T {
        // SAFETY: filled by `seed`; not read by anybody else.
        unsafe { self.values[0].take() }
    }

    /// The head, and how many slots from there on have been given out, as far as `memo`
    /// knows, or all of them; at least one, or what it means that there is none.
    ///
    /// The tail is looked at only when what was known of it is used up: its line belongs to
    /// the producers, and so does that of the next slot, which is not touched before it was
    /// given out. So a consumer that keeps up takes what has come meanwhile in one go, and
    /// leaves them alone until then.
    #[inline]
    fn announced(&self, memo: &mut Memo) -> Result<(usize, usize), Tail> {
        let head = self.ends.head();
        if head >= memo.tickets {
            let tail = self.ends.look(head, self.tenure, memo);
            if head >= memo.tickets {
                return Err(tail);
            }
        }
        Ok((head, memo.tickets - head))
    }

    /// Takes the first item.
    #[inline]
    pub(super) fn pop(&self, memo: &mut Memo) -> Look<T> {
        match self.tenure {
            Tenure::Owned => self.pop_owned(memo),
            Tenure::Shared => self.pop_shared(memo),
        }
    }

    /// Takes up to `most` items from the front into `out`, which need not have room.
    pub(super) fn pop_some(&self, most: usize, out: &mut Vec<T>, memo: &mut Memo) -> Look<usize> {
        match self.tenure {
            Tenure::Owned => self.pop_some_owned(most, out, memo),
            Tenure::Shared => self.pop_some_shared(most, out, memo),
        }
    }

    /// Moves the head over `count` slots, for a consumer that then has what is in them.
    #[inline]
    fn pass(&self, head: usize, count: usize, memo: &mut Memo) -> bool {
        if !self.move_head(head, count) {
            memo.lost += 1;
            return false;
        }
        self.ends.head.lost.record(core::mem::take(&mut memo.lost));
        true
    }

    #[inline]
    fn move_head(&self, head: usize, count: usize) -> bool {
        // h -> h + count
        // Relaxed: the items came with the tail or the marks of their slots, and the
        // memory is not used again before our hazard has left it.
        self.ends
            .head
            .word
            .compare_exchange(head as Word, (head + count) as Word, Relaxed, Relaxed)
            .is_ok()
    }
}
