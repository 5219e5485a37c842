//! Waiting for a queue.

mod future;
mod list;
mod parker;
mod waiters;

use core::fmt;
use std::time::{Duration, Instant};

pub use self::future::{Pop, Push};
use self::waiters::Waiters;
use crate::{PopError, PushError, Queue};

#[cfg(test)]
mod model;

/// A queue that threads and tasks can wait for.
///
/// | | does not wait | the thread waits | no longer than | the task waits |
/// |---|---|---|---|---|
/// | for an item | [`try_pop`](Self::try_pop) | [`pop_wait`](Self::pop_wait) | [`pop_timeout`](Self::pop_timeout), [`pop_until`](Self::pop_until) | [`pop`](Self::pop) |
/// | for room | [`try_push`](Self::try_push) | [`push_wait`](Self::push_wait) | [`push_timeout`](Self::push_timeout), [`push_until`](Self::push_until) | [`push`](Self::push) |
///
/// All of them work on one queue at the same time. All end when the queue is
/// [closed](Self::close).
///
/// # Example
///
/// ```
/// use engine_queue::{ArrayQueue, Waitable};
///
/// let jobs = Waitable::new(ArrayQueue::new(2));
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         let mut sum = 0;
///         while let Some(job) = jobs.pop_wait() {
///             sum += job;
///         }
///         sum
///     });
///     for job in 1..=100 {
///         jobs.push_wait(job).unwrap();
///     }
///     jobs.close();
///     assert_eq!(worker.join().unwrap(), 5_050);
/// });
/// ```
///
/// # Guarantees
///
/// - **No lost wake-up**: while somebody waits for an item, no state is reachable in which the
///   queue holds one, nobody has been woken for it, and nobody else has come to take it.
///   The same holds for room.
/// - **Cost while nobody waits**: a load of a word that nobody writes, after each push and each
///   pop. The fence that this needs is the light side of
///   [`engine_atomic::fence`]: where the system has membarrier no instruction at all, and else
///   a full fence. Who is about to wait pays the heavy side.
/// - **Order**: waiters are woken in the order in which they began to wait; each push wakes
///   one. A woken waiter takes its item like any other popper: one that comes just then may be
///   faster, and the waiter waits again, as the last. Nobody is passed over without an item
///   being popped.
/// - **Cancelling**: dropping [`Pop`] or giving up at a deadline loses no item and no
///   wake-up: one that had been for it goes to the next. Dropping [`Push`] drops its item, which
///   has not been pushed.
/// - **Allocation**: one by a thread that has to sleep; for tasks, room in the list of
///   waiters, which is kept. The list is behind a mutex, which only waiters and those
///   who wake them take.
/// - **Unwinding**: a waker that panics does so out of the push, pop or close that called it;
///   the item has been pushed, and the other waiters are not affected.
///
/// # When not to use
///
/// Where one thread serves one queue and has other things to wait for: an event loop wants a
/// waker of its own. Where items are so many that nobody ever waits: use the queue itself.
///
/// # Source
///
/// The list with a counter that pushes look at is an event count; the asymmetric fence
/// takes the place of the fence that it has on the side of the push.
pub struct Waitable<Q> {
    queue: Q,
    /// Who waits for an item.
    items: Waiters,
    /// Who waits for room.
    room: Waiters,
}

impl<Q: Queue> Waitable<Q> {
    /// Makes `queue` one that can be waited for.
    pub fn new(queue: Q) -> Self {
        Self {
            queue,
            items: Waiters::new(),
            room: Waiters::new(),
        }
    }

    /// The queue. Items that are pushed or popped through it wake nobody.
    pub fn get_ref(&self) -> &Q {
        &self.queue
    }

    /// The queue.
    pub fn into_inner(self) -> Q {
        self.queue
    }

    /// Appends `item` if there is room.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full, or closed.
    #[inline]
    pub fn try_push(&self, item: Q::Item) -> Result<(), PushError<Q::Item>> {
        self.queue.try_push(item)?;
        self.items.notify_one();
        Ok(())
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// When there is none; [`PopError::Closed`] if there will be none.
    #[inline]
    pub fn try_pop(&self) -> Result<Q::Item, PopError> {
        let item = self.queue.try_pop()?;
        self.room.notify_one();
        Ok(item)
    }

    /// Appends `item`; sleeps while there is no room.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is closed, before or while it waits.
    pub fn push_wait(&self, item: Q::Item) -> Result<(), Q::Item> {
        self.push_by(item, None).map_err(PushError::into_inner)
    }

    /// Appends `item`; sleeps while there is no room, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Hands the item back: [`PushError::Full`] when the time is over.
    pub fn push_timeout(&self, item: Q::Item, timeout: Duration) -> Result<(), PushError<Q::Item>> {
        self.push_by(item, Instant::now().checked_add(timeout))
    }

    /// [`push_timeout`](Self::push_timeout) with the time when it is over.
    ///
    /// # Errors
    ///
    /// As [`push_timeout`](Self::push_timeout).
    pub fn push_until(&self, item: Q::Item, deadline: Instant) -> Result<(), PushError<Q::Item>> {
        self.push_by(item, Some(deadline))
    }

    /// Takes an item; sleeps while there is none. `None` once the queue is closed and empty.
    pub fn pop_wait(&self) -> Option<Q::Item> {
        self.pop_by(None).ok()
    }

    /// Takes an item; sleeps while there is none, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PopError::Empty`] when the time is over.
    pub fn pop_timeout(&self, timeout: Duration) -> Result<Q::Item, PopError> {
        self.pop_by(Instant::now().checked_add(timeout))
    }

    /// [`pop_timeout`](Self::pop_timeout) with the time when it is over.
    ///
    /// # Errors
    ///
    /// As [`pop_timeout`](Self::pop_timeout).
    pub fn pop_until(&self, deadline: Instant) -> Result<Q::Item, PopError> {
        self.pop_by(Some(deadline))
    }

    /// Appends `item`, for a task: the future is ready when there was room, or with the item
    /// when the queue is closed.
    pub fn push(&self, item: Q::Item) -> Push<'_, Q> {
        Push::new(self, item)
    }

    /// Takes an item, for a task: the future is ready when there was one, or with `None` once
    /// the queue is closed and empty.
    pub fn pop(&self) -> Pop<'_, Q> {
        Pop::new(self)
    }

    /// Closes the queue, and ends all waiting: pushes fail, and pops take what is left.
    /// Returns whether this call has closed it.
    pub fn close(&self) -> bool {
        let closed = self.queue.close();
        if closed {
            self.items.notify_all();
            self.room.notify_all();
        }
        closed
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// `None` for a deadline is none.
    fn push_by(&self, item: Q::Item, deadline: Option<Instant>) -> Result<(), PushError<Q::Item>> {
        let mut item = Some(item);
        let pushed = self.room.wait(deadline, || self.attempt_push(&mut item));
        match (pushed, item) {
            (Some(Ok(())), _) => Ok(()),
            (Some(Err(item)), _) => Err(PushError::Closed(item)),
            (None, item) => Err(PushError::Full(item.expect("it was not pushed"))),
        }
    }

    fn pop_by(&self, deadline: Option<Instant>) -> Result<Q::Item, PopError> {
        match self.items.wait(deadline, || self.attempt_pop()) {
            Some(Some(item)) => Ok(item),
            Some(None) => Err(PopError::Closed),
            None => Err(PopError::Empty),
        }
    }

    /// `Some` when there is nothing to wait for; `item` is there as long as it is not.
    fn attempt_push(&self, item: &mut Option<Q::Item>) -> Option<Result<(), Q::Item>> {
        match self.try_push(item.take()?) {
            Ok(()) => Some(Ok(())),
            Err(PushError::Closed(item)) => Some(Err(item)),
            Err(PushError::Full(back)) => {
                *item = Some(back);
                None
            }
        }
    }

    /// `Some` when there is nothing to wait for.
    fn attempt_pop(&self) -> Option<Option<Q::Item>> {
        match self.try_pop() {
            Ok(item) => Some(Some(item)),
            Err(PopError::Closed) => Some(None),
            Err(PopError::Empty) => None,
        }
    }
}

impl<Q: Queue + fmt::Debug> fmt::Debug for Waitable<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waitable")
            .field("queue", &self.queue)
            .field("wait_for_items", &self.items.len())
            .field("wait_for_room", &self.room.len())
            .finish()
    }
}
