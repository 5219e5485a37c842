//! A lane for any number of producers: a ticket by compare-and-swap, and a mark beside
//! each slot, so that a push that is too slow loses its slot.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use engine_atomic::Backoff;
use engine_atomic::sync::atomic::Ordering::*;

use super::{CLOSED, Ends, Lane, Look, Memo, Tail};
use crate::lane_queue::slot::State;

impl Ends {
    #[inline]
    pub(in super::super) fn shared_tail(&self) -> Tail {
        // Relaxed: a ticket orders nothing; items are published by their slots. What a
        // verdict about emptiness needs is in `Segment::verdict`.
        Tail(self.tail.word.load(Relaxed))
    }

    /// Closes the lane; the tickets that it has given out are final.
    pub(in super::super) fn close_shared(&self) -> usize {
        // t -> t + CLOSED
        // Relaxed: an RMW sees every claim before it, and none succeeds after it. The
        // Release of the `next` that a closer installs publishes it.
        Tail(self.tail.word.fetch_or(CLOSED, Relaxed)).tickets()
    }
}

impl<T> Lane<'_, T> {
    /// Appends `item`, or gives it back when the lane takes no more. `race` runs
    /// before the first claim: tests lose races with it.
    #[inline(never)]
    pub(in super::super) fn push_shared(&self, mut item: T, race: impl FnOnce()) -> Result<(), T> {
        let backoff = Backoff::new();
        let mut race = Some(race);
        loop {
            let tail = self.ends.shared_tail();
            // A closed tail is above every number of slots.
            if tail.0 >= self.values.len() {
                self.ends.tail.lost.record(backoff.rounds() as usize);
                return Err(item);
            }
            if let Some(race) = race.take() {
                race();
            }
            if !self.claim(tail, 1) {
                backoff.spin();
                continue;
            }
            self.ends.tail.lost.record(backoff.rounds() as usize);
            // SAFETY: the claim gave us this slot, once.
            match unsafe { self.put(tail.0, item) } {
                Ok(()) => return Ok(()),
                // Burned: the next ticket, in the same lane, before any other item of
                // this producer.
                Err(back) => item = back,
            }
            backoff.reset();
        }
    }

    pub(super) fn push_all_shared(&self, items: &mut VecDeque<T>) {
        let backoff = Backoff::new();
        loop {
            let tail = self.ends.shared_tail();
            // A closed tail is above every number of slots.
            let count = items.len().min(self.values.len().saturating_sub(tail.0));
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
            for slot in tail.0..tail.0 + count {
                let Some(item) = items.pop_front() else {
                    break;
                };
                // SAFETY: the claim gave us these slots, each once.
                if let Err(back) = unsafe { self.put(slot, item) } {
                    // Burned: the item takes the next of our slots, so the order stays; one
                    // that finds no slot claims again. Does not allocate: it came from here.
                    items.push_front(back);
                }
            }
        }
    }

    /// Takes `count` tickets from `tail` on, which are there.
    #[inline]
    pub(in super::super) fn claim(&self, tail: Tail, count: usize) -> bool {
        // t -> t + count
        // Relaxed: see `shared_tail`. Not weak: a failure counts as a lost race.
        self.ends
            .tail
            .word
            .compare_exchange(tail.0, tail.0 + count, Relaxed, Relaxed)
            .is_ok()
    }

    /// Gives `item` to the consumers, or back if the slot was burned.
    ///
    /// # Safety
    ///
    /// The caller has claimed the ticket of `slot`, and does this once.
    #[inline]
    pub(in super::super) unsafe fn put(&self, slot: usize, item: T) -> Result<(), T> {
        let value = &self.values[slot];
        // SAFETY: ours by the claim; consumers look after full. Who used the memory
        // before was done when the segment was recycled.
        unsafe { value.write(item) };
        if self.marks[slot].fill(self.generation) {
            return Ok(());
        }
        // SAFETY: written above, and a burned slot is the push's for good.
        Err(unsafe { value.take() })
    }

    #[inline(never)]
    pub(super) fn pop_shared(&self, memo: &mut Memo) -> Look<T> {
        loop {
            let head = match self.announced(memo) {
                Ok((head, _)) => head,
                Err(tail) => return Look::Drained(tail),
            };
            match self.marks[head].state(self.generation) {
                State::Full => {
                    if !self.pass(head, 1, memo) {
                        return Look::Lost;
                    }
                    // SAFETY: we saw it full and moved the head past it.
                    return Look::Taken(unsafe { self.values[head].take() });
                }
                State::Burned => self.pass_burned(head),
                State::Empty => return Look::Pending(head),
            }
        }
    }

    pub(super) fn pop_some_shared(
        &self,
        most: usize,
        out: &mut Vec<T>,
        memo: &mut Memo,
    ) -> Look<usize> {
        loop {
            let (head, count) = match self.announced(memo) {
                Ok(announced) => announced,
                Err(tail) => return Look::Drained(tail),
            };
            let marks = &self.marks[head..head + count.min(most)];
            let count = marks
                .iter()
                .take_while(|mark| mark.state(self.generation) == State::Full)
                .count();
            if count == 0 {
                match marks[0].state(self.generation) {
                    // Since we looked.
                    State::Full => {}
                    State::Burned => self.pass_burned(head),
                    State::Empty => return Look::Pending(head),
                }
                continue;
            }
            // Unwind: nothing is claimed yet.
            out.reserve(count);
            if !self.pass(head, count, memo) {
                return Look::Lost;
            }
            for value in &self.values[head..head + count] {
                // SAFETY: we saw it full and moved the head past it.
                out.push(unsafe { value.take() });
            }
            return Look::Taken(count);
        }
    }

    fn pass_burned(&self, head: usize) {
        if self.move_head(head, 1) {
            self.ends.head.burned.record(1);
        }
    }

    /// Gives up on the push that holds slot `at`, unless it has just finished.
    pub(in super::super) fn burn(&self, at: usize) {
        if let Some(mark) = self.marks.get(at) {
            mark.burn(self.generation);
        }
    }
}
