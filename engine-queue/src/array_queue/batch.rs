//! Claims of more than one slot.
//!
//! The slots that a batch takes are looked at before the claim, and only those that are
//! ready are claimed: nobody waits for another thread with a claim in hand, and a batch
//! stops short at a slot where another thread is at work.

use alloc::vec::Vec;

use engine_atomic::sync::atomic::{Ordering::*, fence};

use super::ring::Ring;
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
        while items.left() != 0 {
            // Relaxed: where to look. The CAS verifies it.
            let tail = self.tail.stamp.load(Relaxed);
            if self.is_marked(tail) {
                return Err(PushError::Closed(()));
            }
            let ready = self.ready(tail, items.left(), 0);
            if ready == 0 {
                // SeqCst: "full" must not come from an old value; as in `push_contended`.
                fence(SeqCst);
                if self.is_full_at(tail) {
                    return Err(PushError::Full(()));
                }
                races.wait_for_other();
            } else if self.claim(&self.tail, tail, ready, &mut races) {
                for (n, item) in items.by_ref().take(ready).enumerate() {
                    // SAFETY: `ready` saw the stamp that says empty, and the CAS gave us
                    // the slot. No code of the user's runs here.
                    unsafe { self.fill(self.after(tail, n), item) };
                }
            } else {
                races.wait(&self.tail.stamp);
            }
        }
        Ok(())
    }

    /// Moves up to `max` of the oldest items to the end of `into`; how many.
    pub(super) fn pop_batch(&self, into: &mut Vec<T>, max: usize) -> usize {
        let mut races = LostRaces::new();
        let mut popped = 0;
        while popped < max {
            // Relaxed: where to look. The CAS verifies it.
            let head = self.head.stamp.load(Relaxed);
            let ready = self.ready(head, max - popped, 1);
            if ready == 0 {
                // SeqCst: "empty" must not come from an old value; as in `pop_contended`.
                fence(SeqCst);
                // Some items are an answer as well: then nobody is waited for.
                if popped != 0 || self.is_empty_at(head) {
                    break;
                }
                races.wait_for_other();
                continue;
            }
            // Before the claim: it may fail, and the allocator is the user's.
            into.reserve(ready);
            if self.claim(&self.head, head, ready, &mut races) {
                let len = into.len();
                for n in 0..ready {
                    // SAFETY: `ready` saw the stamp that says that there is an item, and
                    // the CAS gave us the slot.
                    let item = unsafe { self.empty(self.after(head, n)) };
                    // SAFETY: within the capacity, by `reserve`.
                    let place = unsafe { into.as_mut_ptr().add(len + n) };
                    // SAFETY: in the vector's allocation, and past its length: nobody else's.
                    unsafe { place.write(item) };
                }
                // SAFETY: (1) within the capacity; (2) initialised just now.
                unsafe { into.set_len(len + ready) };
                popped += ready;
            } else {
                races.wait(&self.head.stamp);
            }
        }
        popped
    }

    /// How many slots from `at` on, up to `wanted`, have their stamp in this round, plus
    /// `written`: 0 looks for empty slots, 1 for items.
    fn ready(&self, at: Word, wanted: usize, written: Word) -> usize {
        let wanted = wanted.min(self.capacity());
        (0..wanted)
            .take_while(|&n| {
                let at = self.after(at, n);
                self.stamp(at) == at.wrapping_add(written)
            })
            .count()
    }
}
