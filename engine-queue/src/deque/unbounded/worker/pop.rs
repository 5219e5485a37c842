//! How the owner takes items.

use engine_atomic::sync::atomic::{Ordering::*, fence};

use super::Worker;
use crate::deque::bias::HeadWord;
use crate::deque::flavor::Flavor;
use crate::deque::unbounded::head::Head;

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
        let (tail, front) = (self.tail.get(), self.front.get());
        if tail == front {
            return None;
        }
        let next = front.wrapping_add(1);
        if !self.shared.take_to(self.seen.get(), next) {
            return self.pop_oldest_revoked();
        }
        // SAFETY: (1) the front is ours, and who ends that sees that this one is taken; (2)
        // once; (3) the owner has written it.
        let item = unsafe { self.slots.get().take(front) };
        self.front.set(next);
        self.popped(tail.wrapping_sub(next).cast_signed());
        Some(item)
    }

    #[inline]
    fn pop_oldest_open(&self) -> Option<T> {
        let (tail, front) = (self.tail.get(), self.front.get());
        // An old front is harmless: it lets the claim fail; and nothing after it is nothing
        // at all. A load would only bring in a line that the claim needs anyway, and hold
        // up the use of the slot.
        if tail == front {
            return None;
        }
        if !self.claim_front(self.seen.get().at(front)) {
            return self.pop_oldest_contended();
        }
        Some(self.take_claimed(front, tail))
    }

    /// A thief was faster.
    #[cold]
    #[inline(never)]
    fn pop_oldest_contended(&self) -> Option<T> {
        let tail = self.tail.get();
        self.patience.disturbed();
        loop {
            let head = self.shared.head();
            self.saw(head);
            if self.front.get() == tail {
                return None;
            }
            if self.shared.claim(head, 1).is_some() {
                return Some(self.take_claimed(self.front.get(), tail));
            }
        }
    }

    /// A thief has come while the owner was taking the oldest item.
    #[cold]
    #[inline(never)]
    fn pop_oldest_revoked(&self) -> Option<T> {
        let front = self.front.get();
        let next = front.wrapping_add(1);
        let head = self.shared.end_bias(next);
        self.patience.revoked();
        self.now_open(head);
        if head.was_opened_at_odd() != (next & 1 != 0) {
            // The thief did not see our store: the item was anyone's again.
            return self.pop_oldest_contended();
        }
        // SAFETY: (1) the front was opened behind it; (2) once; (3) the owner has written it.
        let item = unsafe { self.slots.get().take(front) };
        self.front.set(next);
        self.saw(head);
        Some(item)
    }

    /// Claims the item at the front, which is that of `head`, and makes it the last claim
    /// for a while if no thief comes.
    #[inline]
    fn claim_front(&self, head: Head) -> bool {
        // Under a bias no slot before the front is being read.
        if !self.patience.take() || self.pending.get() != 0 {
            return self.shared.claim(head, 1).is_some();
        }
        self.claim_front_and_bias(head)
    }

    #[cold]
    #[inline(never)]
    fn claim_front_and_bias(&self, head: Head) -> bool {
        let next = self.front.get().wrapping_add(1);
        match self.shared.claim_and_bias(head, next) {
            Some(biased) => {
                self.seen.set(biased);
                self.way.set(self.flavor.biased());
                true
            }
            None => false,
        }
    }

    /// Under a bias.
    #[inline]
    pub(super) fn pop_newest(&self) -> Option<T> {
        let (tail, front) = (self.tail.get(), self.front.get());
        if tail == front {
            return None;
        }
        let newest = tail.wrapping_sub(1);
        self.publish(newest);
        if !self.shared.still_holds(self.seen.get()) {
            return self.pop_newest_revoked(newest);
        }
        // SAFETY: (1) the front is ours, and who ends that sees the tail below; (2) once: the
        // tail is below; (3) the owner has written it.
        let item = unsafe { self.slots.get().take(newest) };
        self.popped(newest.wrapping_sub(front).cast_signed());
        Some(item)
    }

    /// A thief has come while the owner was taking the newest item, to which it has moved
    /// the tail back.
    #[cold]
    #[inline(never)]
    fn pop_newest_revoked(&self, newest: u64) -> Option<T> {
        self.end_bias();
        self.patience.revoked();
        self.pop_above(newest)
    }

    #[inline]
    fn pop_newest_open(&self) -> Option<T> {
        let tail = self.tail.get();
        // What the owner sees of the front may be too low, but never too high: empty now is
        // empty until it pushes.
        if self.shared.head().items_before(tail) <= 0 {
            return None;
        }
        let newest = tail.wrapping_sub(1);
        // From here on thieves do not claim `newest`, unless they have seen the old tail.
        self.publish(newest);
        self.pop_above(newest)
    }

    /// Takes the item at `newest`, to which the tail was moved back, unless a thief does.
    #[inline]
    fn pop_above(&self, newest: u64) -> Option<T> {
        // Dekker, with the fence in `Shared::fenced_len`: see there.
        fence(SeqCst);
        let head = self.shared.head();
        let left = head.items_before(newest);
        if left <= 0 {
            return self.pop_last(head, newest);
        }
        self.patience.take();
        // The front is below: a thief that has it at `newest` later sees our tail.
        // SAFETY: (1) out of the reach of thieves; (2) once: the tail is below it; (3) the
        // owner has written it.
        let item = unsafe { self.slots.get().take(newest) };
        self.popped(left);
        Some(item)
    }

    /// Takes the item at `newest`, to which the tail was moved back, if nobody has it: the
    /// front of `head` is there, or above it.
    #[inline]
    fn pop_last(&self, head: Head, newest: u64) -> Option<T> {
        let tail = newest.wrapping_add(1);
        if newest != self.front.get() {
            self.patience.disturbed();
            self.saw(head);
        }
        let is_front = head.items_before(newest) == 0;
        let claimed = is_front && self.claim_front(head);
        // Whoever has it, the front is above it now.
        self.publish(tail);
        claimed.then(|| self.take_claimed(newest, tail))
    }

    /// Takes the item at `front`, which the owner has claimed, and has seen there.
    #[inline]
    fn take_claimed(&self, front: u64, tail: u64) -> T {
        debug_assert_eq!(front, self.front.get());
        // SAFETY: (1) claimed; (2) once; (3) the owner has written it.
        let item = unsafe { self.slots.get().take(front) };
        let next = front.wrapping_add(1);
        self.front.set(next);
        if self.pending.get() != 0 {
            self.claimed_behind_thieves(front);
        }
        self.popped(tail.wrapping_sub(next).cast_signed());
        item
    }
}
