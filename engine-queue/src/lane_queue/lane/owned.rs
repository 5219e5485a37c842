//! A lane with one producer at most: no read-modify-write to push, and nothing to burn.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use engine_atomic::fence;
use engine_atomic::sync::atomic::Ordering::*;

use super::gate::State;
use super::{Ends, Lane, Look, Memo, Tail};

impl Ends {
    /// Makes the caller the owner, if there is none: the only one who may push here.
    pub(in super::super) fn own(&self) -> bool {
        // Relaxed: a look, to spare the RMW.
        // false -> true
        // Acquire: receives what the owner before has announced; pairs with the Release
        // in `disown`.
        !self.tail.owned.load(Relaxed) && !self.tail.owned.swap(true, Acquire)
    }

    /// Lets another producer be the owner.
    pub(in super::super) fn disown(&self) {
        // true -> false
        // Release: hands over what we have announced; pairs with the Acquire in `own`. (No model
        // misses it: there the light fence of the last push is one of the language, and releases.)
        self.tail.owned.swap(false, Release);
    }

    /// For the owner: the next ticket.
    pub(in super::super) fn own_ticket(&self) -> usize {
        // Relaxed: written by us, or received with the lane.
        self.tail.word.load(Relaxed)
    }

    /// Announces all tickets below `next`; whether those count that did not before.
    #[inline]
    fn announce(&self, next: usize) -> bool {
        // Release: publishes the items; pairs with the Acquire in `owned_tail`.
        self.tail.word.store(next, Release);
        // Light: either this is before the heavy fence of who closes the lane: then it sees
        // our ticket and counts it; or theirs is before this: then we see that they close.
        fence::light();
        self.tail.gate.is_open() || self.announced_late(next)
    }

    /// Somebody closes the lane.
    #[cold]
    fn announced_late(&self, next: usize) -> bool {
        let counted = match self.tail.gate.look() {
            State::Closed(tickets) => tickets,
            // We know better than anybody how many tickets there are.
            State::Closing | State::Open => self.tail.gate.decide(next),
        };
        debug_assert!(counted <= next);
        counted == next
    }

    /// The tickets that count. Those below are there to be taken.
    #[inline]
    pub(super) fn owned_tail(&self) -> Tail {
        // Acquire: receives the items; pairs with the Release in `announce`. (No model misses it:
        // there the fence below is one of the language, and acquires as well.)
        let tail = self.tail.word.load(Acquire);
        // Light: either this is before the heavy fence of who closes the lane: then it
        // sees what we have seen, and counts it; or theirs is before this: then we see
        // that they close, and ask what counts.
        fence::light();
        match self.tail.gate.look() {
            State::Open => Tail::open(tail),
            State::Closed(tickets) => Tail::closed(tickets),
            State::Closing => self.help_close(),
        }
    }

    #[cold]
    fn help_close(&self) -> Tail {
        if self.begin_closing() {
            fence::heavy();
        }
        Tail::closed(self.finish_closing())
    }

    /// The first step of closing. `true`: there must be a `fence::heavy` before the last
    /// one, because the owner may be about to announce a ticket.
    pub(in super::super) fn begin_closing(&self) -> bool {
        if !self.tail.gate.begin() {
            return false;
        }
        // Acquire: receives the items; pairs with the Release in `announce`.
        let is_full = self.tail.word.load(Acquire) == self.tail.slots;
        if !is_full && !self.own() {
            return true;
        }
        // It is full, or ours: there can be no other ticket.
        self.tail.gate.decide(self.own_ticket());
        false
    }

    /// Whether there is nothing left to do for who closes the lane.
    pub(in super::super) fn is_decided(&self) -> bool {
        matches!(self.tail.gate.look(), State::Closed(_))
    }

    /// The last step: the tickets that count.
    pub(in super::super) fn finish_closing(&self) -> usize {
        match self.tail.gate.look() {
            State::Closed(tickets) => tickets,
            State::Closing | State::Open => {
                // Acquire: receives the items; pairs with the Release in `announce`.
                let tail = self.tail.word.load(Acquire);
                self.tail.gate.decide(tail)
            }
        }
    }
}

impl<T> Lane<'_, T> {
    /// Appends `item` as the owner, with the next ticket; or gives it back when the lane takes
    /// no more.
    #[inline]
    pub(in super::super) fn push_owned(&self, item: T, ticket: &mut usize) -> Result<(), T> {
        let at = *ticket;
        let Some(value) = self.values.get(at) else {
            return Err(item);
        };
        // SAFETY: the owner's, as long as it is not announced; who used the memory
        // before was done when the segment was recycled.
        unsafe { value.write(item) };
        if self.ends.announce(at + 1) {
            *ticket = at + 1;
            return Ok(());
        }
        // SAFETY: written above, and nobody else has it: the ticket does not count.
        Err(unsafe { value.take() })
    }

    /// Appends from `items`, in their order, until there are none or the lane takes no
    /// more.
    pub(super) fn push_all_owned(&self, items: &mut VecDeque<T>, ticket: &mut usize) {
        let at = *ticket;
        let room = self.values.get(at..).unwrap_or(&[]);
        let count = items.len().min(room.len());
        if count == 0 {
            return;
        }
        for (value, item) in room.iter().zip(items.drain(..count)) {
            // SAFETY: as in `push_owned`.
            unsafe { value.write(item) };
        }
        if self.ends.announce(at + count) {
            *ticket = at + count;
            return;
        }
        for value in room[..count].iter().rev() {
            // Does not allocate: it came from here.
            // SAFETY: written above, and nobody else has it: the tickets do not count.
            items.push_front(unsafe { value.take() });
        }
    }

    /// Takes the first item.
    #[inline]
    pub(super) fn pop_owned(&self, memo: &mut Memo) -> Look<T> {
        let (head, count) = match self.announced(memo) {
            Ok(announced) => announced,
            Err(tail) => return Look::Drained(tail),
        };
        debug_assert!(count > 0);
        if !self.pass(head, 1, memo) {
            return Look::Lost;
        }
        // SAFETY: its ticket counts, and we moved the head past it.
        Look::Taken(unsafe { self.values[head].take() })
    }

    /// Takes up to `most` items from the front into `out`, which need not have room.
    pub(super) fn pop_some_owned(
        &self,
        most: usize,
        out: &mut Vec<T>,
        memo: &mut Memo,
    ) -> Look<usize> {
        let (head, count) = match self.announced(memo) {
            Ok(announced) => announced,
            Err(tail) => return Look::Drained(tail),
        };
        let count = count.min(most);
        // Unwind: nothing is claimed yet.
        out.reserve(count);
        if !self.pass(head, count, memo) {
            return Look::Lost;
        }
        for value in &self.values[head..head + count] {
            // SAFETY: their tickets count, and we moved the head past them.
            out.push(unsafe { value.take() });
        }
        Look::Taken(count)
    }
}
