//! How the owner takes items.

use super::Worker;
use crate::deque::bias::HeadWord;
use crate::deque::bounded::head::Head;
use crate::deque::flavor::Flavor;

impl<T> Worker<T> {
    #[inline(never)]
    pub(super) fn pop_open(&self) -> Option<T> {
        match self.flavor {
            Flavor::Fifo => self.pop_oldest_open(),
            Flavor::Lifo => self.pop_newest_open(),
        }
    }

    /// Under a bias.
    #[inline]
    pub(super) fn pop_oldest(&self) -> Option<T> {
        let front = self.front.get();
        if self.tail.get() == front as u32 {
            return None;
        }
        let next = front.wrapping_add(1);
        if !self.ring.take_to(self.seen.get(), next) {
            return self.pop_oldest_revoked();
        }
        self.front.set(next);
        // SAFETY: (1) the front is ours, and who ends that sees that this one is taken; (2)
        // once; (3) the owner is here.
        Some(unsafe { self.ring.take(front as u32) })
    }

    /// A thief has come while the owner was taking the oldest item.
    #[cold]
    #[inline(never)]
    fn pop_oldest_revoked(&self) -> Option<T> {
        let front = self.front.get();
        let next = front.wrapping_add(1);
        let head = self.ring.end_bias(next);
        self.patience.revoked();
        self.now_open(head);
        if head.was_opened_at_odd() != (next & 1 != 0) {
            // The thief did not see our store: the item was anyone's again.
            return self.pop_oldest_open();
        }
        // SAFETY: (1) the front was opened behind it; (2) once; (3) the owner is here.
        Some(unsafe { self.ring.take(front as u32) })
    }

    #[inline]
    fn pop_oldest_open(&self) -> Option<T> {
        let (seen, tail) = (self.seen.get(), self.tail.get());
        if tail == seen.real() {
            return None;
        }
        if self.patience.take() && self.claim_and_bias(seen) {
            // SAFETY: (1) claimed; (2) once; (3) the owner is here.
            return Some(unsafe { self.ring.take(seen.real()) });
        }
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) it is taken next.
        let (first, _) = unsafe { self.ring.claim(&self.seen, tail, |_| 1) }?;
        if first != seen.real() {
            self.patience.disturbed();
        }
        // SAFETY: (1) claimed; (2) once; (3) the owner is here.
        Some(unsafe { self.ring.take(first) })
    }

    /// Claims the item at the front of `head`, if nobody is at work there, and makes it the
    /// last claim for a while if no thief comes.
    #[cold]
    #[inline(never)]
    fn claim_and_bias(&self, head: Head) -> bool {
        if self.ring.settled(head).is_booked() {
            return false;
        }
        let Some(biased) = self.ring.claim_and_bias(head) else {
            return false;
        };
        self.front.set(head.front().wrapping_add(1));
        self.seen.set(biased);
        self.way.set(self.flavor.biased());
        true
    }

    /// Under a bias.
    #[inline]
    pub(super) fn pop_newest(&self) -> Option<T> {
        let tail = self.tail.get();
        if tail == self.front.get() as u32 {
            return None;
        }
        let newest = tail.wrapping_sub(1);
        self.move_tail_back(newest);
        if !self.ring.still_holds(self.seen.get()) {
            return self.pop_newest_revoked(newest);
        }
        // SAFETY: (1) the front is ours, and who ends that sees the tail below; (2) once: the
        // tail is below; (3) the owner is here.
        Some(unsafe { self.ring.take(newest) })
    }

    /// A thief has come while the owner was taking the newest item, to which it has moved
    /// the tail back.
    #[cold]
    #[inline(never)]
    fn pop_newest_revoked(&self, newest: u32) -> Option<T> {
        self.end_bias();
        self.patience.revoked();
        self.pop_above(newest)
    }

    #[inline]
    fn pop_newest_open(&self) -> Option<T> {
        let tail = self.tail.get();
        // What the owner sees of the front may be too low, but never too high: empty now is
        // empty until it pushes.
        if tail == self.ring.head().real() {
            return None;
        }
        let newest = tail.wrapping_sub(1);
        self.move_tail_back(newest);
        self.pop_above(newest)
    }

    /// Moves the tail back to `tail`, for a LIFO owner.
    #[inline]
    fn move_tail_back(&self, tail: u32) {
        // SAFETY: nothing is between the tails; what is below is written.
        unsafe { self.publish(tail) };
    }

    /// Takes the item at `newest`, to which the tail was moved back, unless a thief does.
    #[inline]
    fn pop_above(&self, newest: u32) -> Option<T> {
        let head = self.ring.head_after_moving_back();
        let is_time = self.patience.take();
        if newest.wrapping_sub(head.real()).cast_signed() > 0 {
            // SAFETY: (1) out of the reach of thieves: one that has the front at `newest`
            // later sees our tail; (2) once: the tail is below it; (3) the owner is here.
            return Some(unsafe { self.ring.take(newest) });
        }
        // The last item, or none.
        if head.real() != self.seen.get().real() {
            self.patience.disturbed();
        }
        let claimed = is_time && head.real() == newest && self.claim_and_bias(head)
            || self.ring.claim_last(&self.seen, head, newest);
        // Whoever has the item, the front is above it now.
        // SAFETY: nothing is in between.
        unsafe { self.publish(newest.wrapping_add(1)) };
        // SAFETY: (1) claimed; (2) once; (3) the owner is here.
        claimed.then(|| unsafe { self.ring.take(newest) })
    }

    /// Takes `count` of the newest items from the reach of thieves at once, for a LIFO owner
    /// of an open front: the first position, unless there are not more than `count`.
    pub(super) fn take_back(&self, count: u32) -> Option<u32> {
        let tail = self.tail.get();
        let first = tail.wrapping_sub(count);
        self.move_tail_back(first);
        let head = self.ring.head_after_moving_back();
        if first.wrapping_sub(head.real()).cast_signed() > 0 {
            return Some(first);
        }
        // Nothing was written meanwhile, and nobody claimed above `first` without having
        // seen the old tail: the items are where they were.
        // SAFETY: so all are written.
        unsafe { self.publish(tail) };
        None
    }
}
