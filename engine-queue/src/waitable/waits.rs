//! What the ends of a queue share: who waits, and for what.

use std::time::Instant;
use std::vec::Vec;

use super::ends::{PopEnd, PushEnd, Room};
use super::waiters::Waiters;
use crate::{PopError, PushError};

/// Who waits for a queue. All calls of an end that others may wait for go through here.
pub(super) struct Waits {
    /// Who waits for an item.
    pub(super) items: Waiters,
    /// Who waits for room.
    pub(super) room: Waiters,
}

impl Waits {
    pub(super) fn new() -> Self {
        Self {
            items: Waiters::new(),
            room: Waiters::new(),
        }
    }

    /// The queue is closed: everybody is to see it. Panics as a waker does. Returns what it is
    /// given: whether the caller's call has closed the queue. If not, it may have been closed
    /// underneath, and nobody was told.
    pub(super) fn closed(&self, by_this_call: bool) -> bool {
        self.items
            .notify_all()
            .and(self.room.notify_all())
            .pass_on();
        by_this_call
    }

    #[inline]
    pub(super) fn try_push<P: PushEnd>(
        &self,
        end: &mut P,
        item: P::Item,
    ) -> Result<(), PushError<P::Item>> {
        if P::ALONE && self.items.is_gone() {
            return Err(PushError::Closed(item));
        }
        end.try_push(item)?;
        self.items.notify(1);
        Ok(())
    }

    #[inline]
    pub(super) fn try_pop<C: PopEnd>(&self, end: &mut C) -> Result<C::Item, PopError> {
        let popped = end.try_pop();
        self.popped(end, usize::from(popped.is_ok()));
        popped
    }

    pub(super) fn push_batch<P: PushEnd>(
        &self,
        end: &mut P,
        items: &mut Vec<P::Item>,
    ) -> Result<(), PushError<()>> {
        if P::ALONE && self.items.is_gone() && !items.is_empty() {
            return Err(PushError::Closed(()));
        }
        let before = items.len();
        let pushed = end.push_batch(items);
        self.items.notify(before - items.len());
        pushed
    }

    pub(super) fn pop_batch<C: PopEnd>(
        &self,
        end: &mut C,
        into: &mut Vec<C::Item>,
        max: usize,
    ) -> usize {
        let count = end.pop_batch(into, max);
        self.popped(end, count);
        count
    }

    /// So many items were taken: there may be room. Does not panic as a waker does: the
    /// caller has the items in its hands.
    #[inline]
    fn popped<C: PopEnd>(&self, end: &mut C, taken: usize) {
        if self.room.somebody_waits() {
            self.tell_of_room(end.room(taken));
        }
    }

    #[cold]
    fn tell_of_room(&self, room: Room) {
        let panics = match room {
            Room::For(places) => self.room.wake_first(places),
            Room::ForAll => self.room.notify_all(),
        };
        panics.end_here();
    }

    /// `None` for a deadline is none.
    pub(super) fn push_by<P: PushEnd>(
        &self,
        end: &mut P,
        item: P::Item,
        deadline: Option<Instant>,
    ) -> Result<(), PushError<P::Item>> {
        let mut item = Some(item);
        let pushed = self
            .room
            .wait(deadline, || self.attempt_push(end, &mut item));
        match (pushed, item) {
            (Some(Ok(())), _) => Ok(()),
            (Some(Err(item)), _) => Err(PushError::Closed(item)),
            (None, item) => Err(PushError::Full(item.expect("it was not pushed"))),
        }
    }

    pub(super) fn pop_by<C: PopEnd>(
        &self,
        end: &mut C,
        deadline: Option<Instant>,
    ) -> Result<C::Item, PopError> {
        match self.items.wait(deadline, || self.attempt_pop(end)) {
            Some(Some(item)) => Ok(item),
            Some(None) => Err(PopError::Closed),
            None => Err(PopError::Empty),
        }
    }

    /// `Some` when there is nothing to wait for; `item` is there as long as it is not.
    pub(super) fn attempt_push<P: PushEnd>(
        &self,
        end: &mut P,
        item: &mut Option<P::Item>,
    ) -> Option<Result<(), P::Item>> {
        match self.try_push(end, item.take()?) {
            Ok(()) => Some(Ok(())),
            Err(PushError::Closed(item)) => Some(Err(item)),
            Err(PushError::Full(back)) => {
                *item = Some(back);
                None
            }
        }
    }

    /// `Some` when there is nothing to wait for.
    pub(super) fn attempt_pop<C: PopEnd>(&self, end: &mut C) -> Option<Option<C::Item>> {
        match self.try_pop(end) {
            Ok(item) => Some(Some(item)),
            Err(PopError::Closed) => Some(None),
            Err(PopError::Empty) => None,
        }
    }
}
