//! Waiting as a task.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Waitable;
use super::list::{Key, State, Waiter};
use super::waiters::Waiters;
use crate::Queue;

/// The place of a task in a list of waiters, if it has one.
struct Place<'a> {
    waiters: &'a Waiters,
    key: Option<Key>,
}

impl Place<'_> {
    /// Tries, and sees to it that the task is woken when it is worth another try.
    fn poll<R>(&mut self, cx: &Context<'_>, mut attempt: impl FnMut() -> Option<R>) -> Poll<R> {
        loop {
            if let Some(key) = self.key {
                // Before the attempt: what it was woken for is used by that.
                if self.waiters.keep_waiting(key, cx.waker()) == State::Notified {
                    self.key = None;
                    let _used = self.waiters.end(key);
                    if let Some(result) = attempt() {
                        return Poll::Ready(result);
                    }
                } else if let Some(result) = attempt() {
                    self.leave();
                    return Poll::Ready(result);
                } else {
                    return Poll::Pending;
                }
            } else if let Some(result) = attempt() {
                return Poll::Ready(result);
            }
            self.key = Some(self.waiters.enter(Waiter::Task(cx.waker().clone())));
        }
    }

    fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            self.waiters.leave(key);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Waits for an item; by [`Waitable::pop`].
///
/// Dropping it loses nothing.
#[must_use = "futures do nothing unless awaited"]
pub struct Pop<'a, Q: Queue> {
    waitable: &'a Waitable<Q>,
    place: Place<'a>,
}

impl<'a, Q: Queue> Pop<'a, Q> {
    pub(super) fn new(waitable: &'a Waitable<Q>) -> Self {
        let place = Place {
            waiters: &waitable.items,
            key: None,
        };
        Self { waitable, place }
    }
}

impl<Q: Queue> Future for Pop<'_, Q> {
    /// `None` once the queue is closed and empty.
    type Output = Option<Q::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waitable = self.waitable;
        self.place.poll(cx, || waitable.attempt_pop())
    }
}

impl<Q: Queue> fmt::Debug for Pop<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pop")
            .field("waits", &self.place.key.is_some())
            .finish_non_exhaustive()
    }
}

/// Waits for room for an item; by [`Waitable::push`].
///
/// Dropping it drops the item, if it has not been pushed.
#[must_use = "futures do nothing unless awaited"]
pub struct Push<'a, Q: Queue> {
    waitable: &'a Waitable<Q>,
    place: Place<'a>,
    /// `None` once pushed, or handed back.
    item: Option<Q::Item>,
}

// The item is moved in and out, and never pinned.
impl<Q: Queue> Unpin for Push<'_, Q> {}

impl<'a, Q: Queue> Push<'a, Q> {
    pub(super) fn new(waitable: &'a Waitable<Q>, item: Q::Item) -> Self {
        let place = Place {
            waiters: &waitable.room,
            key: None,
        };
        Self {
            waitable,
            place,
            item: Some(item),
        }
    }
}

impl<Q: Queue> Future for Push<'_, Q> {
    /// The item, if the queue is closed.
    type Output = Result<(), Q::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(this.item.is_some(), "polled after it was ready");
        this.place
            .poll(cx, || this.waitable.attempt_push(&mut this.item))
    }
}

impl<Q: Queue> fmt::Debug for Push<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push")
            .field("waits", &self.place.key.is_some())
            .finish_non_exhaustive()
    }
}
