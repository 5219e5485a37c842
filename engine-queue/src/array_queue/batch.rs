//! Claims of more than one slot.
//!
//! The slots that a batch takes are looked at before the claim, and only those that are
//! ready are claimed: nobody waits for another thread with a claim in hand. At a slot where
//! another thread is at work a batch of pops that has something ends, and a batch of pushes
//! waits: there is room, so "full" would be no answer.

use alloc::vec::Vec;

use super::patience::Waited;
use super::ring::Ring;
use super::slot::Slot;
use crate::PushError;
use crate::front::Front;
use crate::lost_race::LostRaces;
use crate::word::Word;

impl<T> Ring<T> {
    /// Appends items of the vector, in their order, and takes them out of it.
    ///
    /// # Errors
    ///
    /// If some are left: because the queue was full, or closed.
    pub(super) fn push_batch(&self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        let mut items = Front::new(items);
        let mut races = LostRaces::new();
        let mut waited = Waited::NotYet;
        while items.left() != 0 {
            let (tail, _) = self.at_tail();
            if self.is_marked(tail) {
                return Err(PushError::Closed(()));
            }
            let ready = self.ready(tail, items.left(), 0);
            if ready == 0 {
                if self.tail.patience.again(tail, &mut waited) {
                    continue;
                }
                if self.is_full_at(tail) {
                    return Err(PushError::Full(()));
                }
                races.wait_for_other();
                continue;
            }
            match self.claim(&self.tail, tail, self.course.after(tail, ready)) {
                Ok(_) => {
                    self.tail.won(tail, &races, waited);
                    let mut item = items.take_out(ready);
                    self.each(tail, ready, |at, slot| {
                        // SAFETY: one of the `ready` ones, each read once.
                        let next = unsafe { item.read() };
                        // SAFETY: within them, or one past the last.
                        item = unsafe { item.add(1) };
                        // SAFETY: `ready` saw the stamp that says empty, and the CAS gave us
                        // the slot. No code of the user's runs here.
                        unsafe { slot.fill(at, next) };
                    });
                }
                Err(now) => {
                    races.lost(tail, now);
                    races.wait(&self.tail.stamp);
                }
            }
        }
        Ok(())
    }

    /// Moves up to `max` of the oldest items to the end of `into`; how many.
    pub(super) fn pop_batch(&self, into: &mut Vec<T>, max: usize) -> usize {
        let mut races = LostRaces::new();
        let mut waited = Waited::NotYet;
        let mut popped = 0;
        while popped < max {
            let (head, slot) = self.at_head();
            let ready = self.ready(head, max - popped, 1);
            if ready == 0 {
                // Some items are an answer as well: then nobody is waited for.
                if popped != 0 {
                    break;
                }
                if self.head.patience.again(head, &mut waited) {
                    continue;
                }
                // The stamp: as in `pop_contended`. (`force_push_against_a_batch`)
                if slot.stamp() == head && self.is_empty_at(head) {
                    break;
                }
                races.wait_for_other();
                continue;
            }
            // Before the claim: it may fail, and the allocator is the user's.
            into.reserve(ready);
            match self.claim(&self.head, head, self.course.after(head, ready)) {
                Ok(_) => {
                    self.head.won(head, &races, waited);
                    let len = into.len();
                    let mut place = into.spare_capacity_mut().as_mut_ptr();
                    self.each(head, ready, |at, slot| {
                        // SAFETY: `ready` saw the stamp that says that there is an item, and
                        // the CAS gave us the slot.
                        let item = unsafe { slot.empty(at, self.course) };
                        // SAFETY: within the capacity, by `reserve`.
                        unsafe { (*place).write(item) };
                        // SAFETY: as above, or one past the last.
                        place = unsafe { place.add(1) };
                    });
                    // SAFETY: (1) within the capacity; (2) initialised just now.
                    unsafe { into.set_len(len + ready) };
                    popped += ready;
                }
                Err(now) => {
                    races.lost(head, now);
                    races.wait(&self.head.stamp);
                }
            }
        }
        popped
    }

    /// How many slots from `at` on, up to `wanted`, have their stamp in this round, plus
    /// `written`: 0 looks for empty slots, 1 for items.
    #[inline(always)]
    fn ready(&self, mut at: Word, wanted: usize, written: Word) -> usize {
        let wanted = wanted.min(self.capacity());
        let mut ready = 0;
        loop {
            let run = self.run(at, wanted - ready);
            let leading = leading(run, at.wrapping_add(written));
            ready += leading;
            if leading < run.len() || ready == wanted {
                return ready;
            }
            // Over the end of the ring.
            at = self.course.after(at, leading);
        }
    }

    /// Each of the `count` slots from `at` on, with its stamp in this round.
    #[inline(always)]
    fn each(&self, mut at: Word, count: usize, mut each: impl FnMut(Word, &Slot<T>)) {
        let mut left = count;
        loop {
            let run = self.run(at, left);
            let mut stamp = at;
            for slot in run {
                each(stamp, slot);
                stamp = stamp.wrapping_add(1);
            }
            left -= run.len();
            if left == 0 {
                return;
            }
            // Over the end of the ring.
            at = self.course.after(at, run.len());
        }
    }
}

/// How many of the first slots of `run` have the stamps from this one on.
#[inline]
fn leading<T>(run: &[Slot<T>], first: Word) -> usize {
    let is = |slot: &Slot<T>, stamp: Word, n: Word| slot.stamp() == stamp.wrapping_add(n);
    let (mut leading, mut stamp) = (0, first);
    // Four at a time: the loop costs more than the look.
    for [a, b, c, d] in run.as_chunks().0 {
        if !(is(a, stamp, 0) && is(b, stamp, 1) && is(c, stamp, 2) && is(d, stamp, 3)) {
            break;
        }
        stamp = stamp.wrapping_add(4);
        leading += 4;
    }
    let rest = run[leading..].iter().zip(0..);
    leading + rest.take_while(|&(slot, n)| is(slot, stamp, n)).count()
}
