//! The handle that pushes.

use core::fmt;
use std::time::{Duration, Instant};
use std::vec::Vec;

use engine_atomic::sync::Arc;

use super::ends::PushEnd;
use super::future::{Place, Push};
use super::list::Key;
use super::waits::Waits;
use super::{Link, deadline_of};
use crate::{PushError, lane_queue};

/// An end that pushes, and that waits for room; by [`spsc`](super::spsc()) or
/// [`Waitable::producer`](super::Waitable::producer).
///
/// The methods are those of [`Waitable`](super::Waitable), with its guarantees, by `&mut
/// self`. It is `Send` if the end is.
///
/// When it is dropped and was the only one (that of [`spsc`](super::spsc())), the queue
/// is closed, and whoever waits for an item is woken.
///
/// A future of it that was leaked (`mem::forget`) gives up its place at the next call.
pub struct Producer<P: PushEnd> {
    /// Dropped before `link`: who is woken by that is to see it gone.
    end: P,
    /// The place of a future, in `room`; `None` but while there is one, or if it was leaked.
    place: Option<Key>,
    link: Link,
}

impl<P: PushEnd> Producer<P> {
    pub(super) fn new(end: P, waits: Arc<Waits>) -> Self {
        Self {
            end,
            place: None,
            link: Link::producer(waits, P::ALONE),
        }
    }

    /// The end itself. What is pushed through a clone of it wakes nobody, nor does closing by
    /// it.
    pub fn get_ref(&self) -> &P {
        &self.end
    }

    /// Appends `item` if there is room.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full, or closed.
    #[inline]
    pub fn try_push(&mut self, item: P::Item) -> Result<(), PushError<P::Item>> {
        self.end_leaked_wait();
        self.link.waits().try_push(&mut self.end, item)
    }

    /// Appends the items of the vector, in their order, as far as there is room, and takes
    /// these out of it.
    ///
    /// # Errors
    ///
    /// When items are left in the vector, because the queue was full, or closed.
    pub fn push_batch(&mut self, items: &mut Vec<P::Item>) -> Result<(), PushError<()>> {
        self.end_leaked_wait();
        self.link.waits().push_batch(&mut self.end, items)
    }

    /// Appends `item`; sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is closed, before or while it waits.
    pub fn push_wait(&mut self, item: P::Item) -> Result<(), P::Item> {
        self.push_by(item, None).map_err(PushError::into_inner)
    }

    /// Appends `item`; sleeps while there is no room, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Hands the item back: [`PushError::Full`] when the time is over.
    pub fn push_timeout(
        &mut self,
        item: P::Item,
        timeout: Duration,
    ) -> Result<(), PushError<P::Item>> {
        if timeout.is_zero() {
            return self.try_push(item);
        }
        self.push_by(item, deadline_of(timeout))
    }

    /// [`push_timeout`](Self::push_timeout) with the time when it is over.
    ///
    /// # Errors
    ///
    /// As [`push_timeout`](Self::push_timeout).
    pub fn push_until(
        &mut self,
        item: P::Item,
        deadline: Instant,
    ) -> Result<(), PushError<P::Item>> {
        self.push_by(item, Some(deadline))
    }

    /// Appends `item`, for a task: the future is ready when there was room, or with the item
    /// when the queue is closed.
    pub fn push(&mut self, item: P::Item) -> Push<'_, &mut P> {
        self.end_leaked_wait();
        let waits = self.link.waits();
        let place = Place::of_end(&waits.room, &mut self.place);
        Push::new(&mut self.end, waits, place, item)
    }

    /// Whether the queue is closed: pushes are refused.
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    fn push_by(
        &mut self,
        item: P::Item,
        deadline: Option<Instant>,
    ) -> Result<(), PushError<P::Item>> {
        self.end_leaked_wait();
        self.link.waits().push_by(&mut self.end, item, deadline)
    }

    /// What a leaked future was woken for goes to the next.
    #[inline]
    fn end_leaked_wait(&mut self) {
        if self.place.is_some() {
            self.link.waits().room.leave(&mut self.place);
        }
    }
}

impl<T> Producer<lane_queue::Producer<T>> {
    /// Closes the queue, as [`Waitable::close`](super::Waitable::close).
    pub fn close(&self) -> bool {
        self.link.waits().closed(self.end.close())
    }
}

impl<P: PushEnd + Clone> Clone for Producer<P> {
    /// Another producer for the same queue.
    fn clone(&self) -> Self {
        Self {
            end: self.end.clone(),
            place: None,
            link: Link::producer(self.link.waits().clone(), P::ALONE),
        }
    }
}

impl<P: PushEnd> Drop for Producer<P> {
    fn drop(&mut self) {
        self.end_leaked_wait();
    }
}

impl<P: PushEnd + fmt::Debug> fmt::Debug for Producer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("end", &self.end)
            .field("wait_for_room", &self.link.waits().room.len())
            .finish()
    }
}
