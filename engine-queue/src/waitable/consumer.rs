//! The handle that pops.

use core::fmt;
use std::time::{Duration, Instant};
use std::vec::Vec;

use engine_atomic::sync::Arc;

use super::ends::PopEnd;
use super::future::{Place, Pop};
use super::list::Key;
use super::waits::Waits;
use super::{Link, deadline_of};
use crate::{PopError, lane_queue};

/// An end that pops, and that waits for items; by [`spsc`](super::spsc()) or
/// [`Waitable::consumer`](super::Waitable::consumer).
///
/// The methods are those of [`Waitable`](super::Waitable), with its guarantees, by `&mut
/// self`. It is `Send` if the end is.
///
/// When it is dropped and was the only one (that of [`spsc`](super::spsc())), the queue
/// is closed, and whoever waits for room is woken.
///
/// A future of it that was leaked (`mem::forget`) gives up its place at the next call.
pub struct Consumer<C: PopEnd> {
    /// Dropped before `link`: who is woken by that is to see it gone.
    end: C,
    /// The place of a future, in `items`; `None` but while there is one, or if it was
    /// leaked.
    place: Option<Key>,
    link: Link,
}

impl<C: PopEnd> Consumer<C> {
    pub(super) fn new(end: C, waits: Arc<Waits>) -> Self {
        Self {
            end,
            place: None,
            link: Link::consumer(waits, C::ALONE),
        }
    }

    /// The end itself. What is popped through a clone of it wakes nobody, nor does closing by
    /// it.
    pub fn get_ref(&self) -> &C {
        &self.end
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// When there is none; [`PopError::Closed`] if there will be none.
    #[inline]
    pub fn try_pop(&mut self) -> Result<C::Item, PopError> {
        self.end_leaked_wait();
        self.link.waits().try_pop(&mut self.end)
    }

    /// Takes up to `max` items to the end of `into`, in their order; how many.
    pub fn pop_batch(&mut self, into: &mut Vec<C::Item>, max: usize) -> usize {
        self.end_leaked_wait();
        self.link.waits().pop_batch(&mut self.end, into, max)
    }

    /// Takes an item; sleeps while there is none. `None` once the queue is closed and empty.
    pub fn pop_wait(&mut self) -> Option<C::Item> {
        self.pop_by(None).ok()
    }

    /// Takes an item; sleeps while there is none, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PopError::Empty`] when the time is over.
    pub fn pop_timeout(&mut self, timeout: Duration) -> Result<C::Item, PopError> {
        if timeout.is_zero() {
            return self.try_pop();
        }
        self.pop_by(deadline_of(timeout))
    }

    /// [`pop_timeout`](Self::pop_timeout) with the time when it is over.
    ///
    /// # Errors
    ///
    /// As [`pop_timeout`](Self::pop_timeout).
    pub fn pop_until(&mut self, deadline: Instant) -> Result<C::Item, PopError> {
        self.pop_by(Some(deadline))
    }

    /// Takes an item, for a task: the future is ready when there was one, or with `None` once
    /// the queue is closed and empty.
    pub fn pop(&mut self) -> Pop<'_, &mut C> {
        self.end_leaked_wait();
        let waits = self.link.waits();
        let place = Place::of_end(&waits.items, &mut self.place);
        Pop::new(&mut self.end, waits, place)
    }

    /// Whether the queue is closed: there will be no more items than those inside.
    pub fn is_closed(&self) -> bool {
        self.end.is_closed()
    }

    fn pop_by(&mut self, deadline: Option<Instant>) -> Result<C::Item, PopError> {
        self.end_leaked_wait();
        self.link.waits().pop_by(&mut self.end, deadline)
    }

    /// What a leaked future was woken for goes to the next.
    #[inline]
    fn end_leaked_wait(&mut self) {
        if self.place.is_some() {
            self.link.waits().items.leave(&mut self.place);
        }
    }
}

impl<T> Consumer<lane_queue::Consumer<T>> {
    /// Closes the queue, as [`Waitable::close`](super::Waitable::close).
    pub fn close(&self) -> bool {
        self.link.waits().closed(self.end.close())
    }
}

impl<C: PopEnd + Clone> Clone for Consumer<C> {
    /// Another consumer of the same queue.
    fn clone(&self) -> Self {
        Self {
            end: self.end.clone(),
            place: None,
            link: Link::consumer(self.link.waits().clone(), C::ALONE),
        }
    }
}

impl<C: PopEnd> Drop for Consumer<C> {
    fn drop(&mut self) {
        self.end_leaked_wait();
    }
}

impl<C: PopEnd + fmt::Debug> fmt::Debug for Consumer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("end", &self.end)
            .field("wait_for_items", &self.link.waits().items.len())
            .finish()
    }
}
