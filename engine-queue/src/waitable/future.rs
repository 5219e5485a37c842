//! Waiting as a task.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::ends::{PopEnd, PushEnd};
use super::list::Key;
use super::waiters::Waiters;
use super::waits::Waits;

/// The place of a task in a list of waiters, if it has one.
pub(super) struct Place<'a> {
    waiters: &'a Waiters,
    slot: Slot<'a>,
}

/// Where the key of a place is kept.
enum Slot<'a> {
    Own(Option<Key>),
    /// With the end, which can give the place up also when the future was leaked.
    OfEnd(&'a mut Option<Key>),
}

impl<'a> Place<'a> {
    pub(super) fn own(waiters: &'a Waiters) -> Self {
        Self {
            waiters,
            slot: Slot::Own(None),
        }
    }

    pub(super) fn of_end(waiters: &'a Waiters, key: &'a mut Option<Key>) -> Self {
        Self {
            waiters,
            slot: Slot::OfEnd(key),
        }
    }

    fn key(&mut self) -> &mut Option<Key> {
        match &mut self.slot {
            Slot::Own(key) => key,
            Slot::OfEnd(key) => key,
        }
    }

    fn waits(&self) -> bool {
        match &self.slot {
            Slot::Own(key) => key.is_some(),
            Slot::OfEnd(key) => key.is_some(),
        }
    }

    fn poll<R>(&mut self, cx: &Context<'_>, attempt: impl FnMut() -> Option<R>) -> Poll<R> {
        let waiters = self.waiters;
        waiters.poll(self.key(), cx, attempt)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waiters = self.waiters;
        waiters.leave(self.key());
    }
}

/// Waits for an item; by `pop` of a [`Waitable`](super::Waitable) or a
/// [`Consumer`](super::Consumer).
///
/// Dropping it loses nothing.
#[must_use = "futures do nothing unless awaited"]
pub struct Pop<'a, C: PopEnd> {
    end: C,
    waits: &'a Waits,
    place: Place<'a>,
}

// Nothing in it is pinned.
impl<C: PopEnd> Unpin for Pop<'_, C> {}

impl<'a, C: PopEnd> Pop<'a, C> {
    pub(super) fn new(end: C, waits: &'a Waits, place: Place<'a>) -> Self {
        Self { end, waits, place }
    }
}

impl<C: PopEnd> Future for Pop<'_, C> {
    /// `None` once the queue is closed and empty.
    type Output = Option<C::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { end, waits, place } = &mut *self;
        place.poll(cx, || waits.attempt_pop(end))
    }
}

impl<C: PopEnd> fmt::Debug for Pop<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pop")
            .field("waits", &self.place.waits())
            .finish_non_exhaustive()
    }
}

/// Waits for room for an item; by `push` of a [`Waitable`](super::Waitable) or a
/// [`Producer`](super::Producer).
///
/// Dropping it drops the item, if it has not been pushed.
#[must_use = "futures do nothing unless awaited"]
pub struct Push<'a, P: PushEnd> {
    end: P,
    waits: &'a Waits,
    place: Place<'a>,
    /// `None` once pushed, or handed back.
    item: Option<P::Item>,
}

// The item is moved in and out, and never pinned.
impl<P: PushEnd> Unpin for Push<'_, P> {}

impl<'a, P: PushEnd> Push<'a, P> {
    pub(super) fn new(end: P, waits: &'a Waits, place: Place<'a>, item: P::Item) -> Self {
        Self {
            end,
            waits,
            place,
            item: Some(item),
        }
    }
}

impl<P: PushEnd> Future for Push<'_, P> {
    /// The item, if the queue is closed.
    type Output = Result<(), P::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            end,
            waits,
            place,
            item,
        } = &mut *self;
        assert!(item.is_some(), "polled after it was ready");
        place.poll(cx, || waits.attempt_push(end, item))
    }
}

impl<P: PushEnd> fmt::Debug for Push<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push")
            .field("waits", &self.place.waits())
            .finish_non_exhaustive()
    }
}
