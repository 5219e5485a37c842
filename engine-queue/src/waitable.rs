//! Waiting for a queue, as a thread or as a task.
//!
//! | queue | what waits | by |
//! |---|---|---|
//! | [`ArrayQueue`](crate::ArrayQueue), [`SegQueue`](crate::SegQueue), any other [`Queue`] | everybody, by `&self` | [`Waitable<Q>`](Waitable) |
//! | [`LaneQueue`] | handles, any number | [`Waitable<LaneQueue<T>>`](Waitable::producer): [`Producer`], [`Consumer`] |
//! | [`spsc`](mod@crate::spsc) | its two ends | [`spsc`](spsc()): [`Producer`], [`Consumer`] |
//! | [`deque`](crate::deque) | not waited for: see below | |
//!
//! # One scheme
//!
//! What waits is always an *end*: [`PushEnd`] and [`PopEnd`] are what pushes and what pops.
//! An `spsc` or `LaneQueue` handle is one; of a queue that is shared, `&Q` is both.
//! [`Producer`] and [`Consumer`] are an end and a share of the two lists of those who wait;
//! a [`Waitable`] of a shared queue makes such an end for each call, so it needs no
//! handles. The methods, their names, the futures and the guarantees are the same
//! everywhere.
//!
//! A trait of the queue with associated handles would say less: `spsc` has no queue
//! beside its ends, and a shared one no handles. And an adapter of `LaneQueue` with `&self`
//! methods would need a handle for each call, which loses what handles are for: the order
//! of the items of one producer, and the lane that it stays on.
//!
//! # Closing
//!
//! | queue | is closed by | pushes then | pops then |
//! |---|---|---|---|
//! | shared, or `LaneQueue` | `close`, of the queue or any handle | fail | take what is left, and end |
//! | `spsc` | dropping an end | fail (with the consumer gone) | take what is left, and end (with the producer gone) |
//!
//! Dropping handles of a `LaneQueue` closes nothing: there can be more at any time.
//!
//! # Deques
//!
//! [`deque::Worker`](crate::deque::Worker), its stealers and the
//! [`Injector`](crate::deque::Injector) are not waited for one by one. A worker without
//! work waits for *any* of them, its own, the injector and all the others', and is to be
//! woken once, by whichever has work first: that takes one list of sleepers for all of
//! them, with a rule for who is woken, and this is the scheduler's. `push_was_empty` of
//! the workers is made for it, and `engine-sched` does it so. Where an injector would be used by
//! itself, as a queue, [`SegQueue`](crate::SegQueue) has the same core and can be waited for.
//!
//! # Panics of wakers
//!
//! A waker is called by whoever makes the event, who has no part in it. It should not panic; if
//! it does, the panic hook reports it there, and then:
//!
//! | it was called by | the panic |
//! |---|---|
//! | a push, `close` | goes on out of the call, when all is done; not during another panic |
//! | a pop, also of a batch; a wait that ends and hands on; the drop of a future or handle | ends there |
//!
//! A push has nothing in its hands when it calls wakers: nothing is lost by a panic that goes
//! on, and so it is not hidden. A pop has an item, which the unwinding would drop: it cannot
//! return both, and the item comes first. The ways to have both are worse. Woken before
//! the item is taken, a waiter looks for room that is not there yet. A panic that is kept for a
//! later call unwinds out of one that has even less to do with it. And an abort loses all items.
//! A drop is like a pop: whoever drops a future may hold an item of another one, as a `select`
//! does.
//!
//! # Leaked futures
//!
//! A future that was given to `mem::forget` looks like one whose task is slow. That of a
//! [`Producer`] or [`Consumer`] gives its place up, and hands on what it was woken for, at the
//! next call of its handle, or with the handle. That of a [`Waitable`] never does: *one*
//! wake-up, for one item or one room, may go to it and be lost for those who sleep. The
//! item is there all the same: later wake-ups, whoever looks without sleeping, and
//! closing are not affected.

mod consumer;
mod ends;
mod future;
mod link;
mod list;
mod panics;
mod parker;
mod producer;
mod waiters;
mod waits;

use core::fmt;
use std::time::{Duration, Instant};
use std::vec::Vec;

use engine_atomic::sync::Arc;

pub use self::consumer::Consumer;
pub use self::ends::{PopEnd, PushEnd};
pub use self::future::{Pop, Push};
pub use self::producer::Producer;

use self::future::Place;
use self::link::{Link, deadline_of};
use self::waits::Waits;
use crate::{LaneQueue, PopError, PushError, Queue, lane_queue, spsc};

#[cfg(test)]
mod model;

/// [`spsc::channel`] with ends that can be waited for: of one producer and one consumer, with
/// room for `capacity` items.
///
/// # Panics
///
/// As [`spsc::channel`].
///
/// # Example
///
/// ```
/// use engine_queue::waitable;
///
/// let (mut producer, mut consumer) = waitable::spsc(4);
/// let sum = std::thread::spawn(move || {
///     let mut sum = 0;
///     while let Some(n) = consumer.pop_wait() {
///         sum += n;
///     }
///     sum
/// });
/// for n in 1..=100 {
///     producer.push_wait(n).unwrap();
/// }
/// // This closes it.
/// drop(producer);
/// assert_eq!(sum.join().unwrap(), 5_050);
/// ```
#[must_use]
pub fn spsc<T>(capacity: usize) -> (Producer<spsc::Producer<T>>, Consumer<spsc::Consumer<T>>) {
    let (producer, consumer) = spsc::channel(capacity);
    let waits = Arc::new(Waits::new());
    (
        Producer::new(producer, waits.clone()),
        Consumer::new(consumer, waits),
    )
}

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
/// A [`Queue`] has these methods itself; a [`LaneQueue`] has them on the handles that
/// [`producer`](Self::producer) and [`consumer`](Self::consumer) make. The
/// [module](self) has an overview.
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
///   pop; and another one of its line before a push of `spsc`. The fence that this needs is the light side of
///   [`engine_atomic::fence`]: where the system has membarrier no instruction at all, and else
///   a full fence. Who is about to wait pays the heavy side.
/// - **Order**: waiters are woken in the order in which they began to wait; each push wakes
///   one, and each pop one that waits for room. In a `LaneQueue` with a limit there is room
///   when a segment is used up, and then for all: they are all woken then. A woken waiter takes its item like any other popper: one that comes just then may be
///   faster, and the waiter waits again, as the last. Nobody is passed over without an item
///   being popped.
/// - **Cancelling**: dropping [`Pop`] or giving up at a deadline loses no item and no
///   wake-up: one that had been for it goes to the next. Dropping [`Push`] drops its item, which
///   has not been pushed.
/// - **Allocation**: a wait allocates only when more wait at the same time than ever
///   before: room in the list, which is kept. Beyond that a thread allocates nothing, and a
///   task what the clone of its waker does. The list is behind a mutex, which only waiters and
///   those who wake them take.
/// - **Unwinding**: when a waker panics, the other waiters are woken all the same, and one more
///   is, in the place of the one whose waker has failed. The panic goes on out of a push or
///   `close`, when all is done: the item, or what there was room for of a batch, has been
///   pushed. It ends in a pop, which returns its items, in a wait that ends, and in a drop; see
///   [panics of wakers](self#panics-of-wakers). When the queue panics while a waiter looks
///   (a [`Queue`] of yours), what that one was woken for goes to the next.
/// - **Size**: the queue and a pointer; what is behind it is allocated once.
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
    waits: Arc<Waits>,
}

impl<Q> Waitable<Q> {
    /// Makes `queue` one that can be waited for.
    pub fn new(queue: Q) -> Self {
        Self {
            queue,
            waits: Arc::new(Waits::new()),
        }
    }

    /// The queue. Items that are pushed or popped through it wake nobody, and neither does
    /// closing it so: [`close`](Self::close) does, also after that.
    pub fn get_ref(&self) -> &Q {
        &self.queue
    }

    /// The queue.
    pub fn into_inner(self) -> Q {
        self.queue
    }
}

impl<Q: Queue> Waitable<Q> {
    /// Appends `item` if there is room.
    ///
    /// # Errors
    ///
    /// Hands the item back when the queue is full, or closed.
    #[inline]
    pub fn try_push(&self, item: Q::Item) -> Result<(), PushError<Q::Item>> {
        self.waits.try_push(&mut &self.queue, item)
    }

    /// Appends the items of the vector, in their order, as far as there is room, and takes
    /// these out of it.
    ///
    /// # Errors
    ///
    /// When items are left in the vector, because the queue was full, or closed.
    pub fn push_batch(&self, items: &mut Vec<Q::Item>) -> Result<(), PushError<()>> {
        self.waits.push_batch(&mut &self.queue, items)
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// When there is none; [`PopError::Closed`] if there will be none.
    #[inline]
    pub fn try_pop(&self) -> Result<Q::Item, PopError> {
        self.waits.try_pop(&mut &self.queue)
    }

    /// Takes up to `max` items to the end of `into`, in their order; how many.
    pub fn pop_batch(&self, into: &mut Vec<Q::Item>, max: usize) -> usize {
        self.waits.pop_batch(&mut &self.queue, into, max)
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
    pub fn pop_until(&self, deadline: Instant) -> Result<Q::Item, PopError> {
        self.pop_by(Some(deadline))
    }

    /// Appends `item`, for a task: the future is ready when there was room, or with the item
    /// when the queue is closed.
    pub fn push(&self, item: Q::Item) -> Push<'_, &Q> {
        Push::new(&self.queue, &self.waits, Place::own(&self.waits.room), item)
    }

    /// Takes an item, for a task: the future is ready when there was one, or with `None` once
    /// the queue is closed and empty.
    pub fn pop(&self) -> Pop<'_, &Q> {
        Pop::new(&self.queue, &self.waits, Place::own(&self.waits.items))
    }

    /// Closes the queue, and ends all waiting: pushes fail, and pops take what is left.
    /// Returns whether this call has closed it; whoever waits is woken also if it was closed.
    pub fn close(&self) -> bool {
        self.waits.closed(self.queue.close())
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    fn push_by(&self, item: Q::Item, deadline: Option<Instant>) -> Result<(), PushError<Q::Item>> {
        self.waits.push_by(&mut &self.queue, item, deadline)
    }

    fn pop_by(&self, deadline: Option<Instant>) -> Result<Q::Item, PopError> {
        self.waits.pop_by(&mut &self.queue, deadline)
    }
}

/// The handles have what waits.
///
/// ```
/// use engine_queue::{LaneQueue, Waitable};
///
/// let queue = Waitable::new(LaneQueue::new());
/// let workers: Vec<_> = (0..2)
///     .map(|_| {
///         let mut consumer = queue.consumer();
///         std::thread::spawn(move || {
///             let mut sum = 0;
///             while let Some(n) = consumer.pop_wait() {
///                 sum += n;
///             }
///             sum
///         })
///     })
///     .collect();
/// let mut producer = queue.producer();
/// for n in 1..=100 {
///     producer.push_wait(n).unwrap();
/// }
/// queue.close();
/// let sum: u32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
/// assert_eq!(sum, 5_050);
/// ```
impl<T> Waitable<LaneQueue<T>> {
    /// A handle that pushes, and waits for room where the queue has a limit.
    pub fn producer(&self) -> Producer<lane_queue::Producer<T>> {
        Producer::new(self.queue.producer(), self.waits.clone())
    }

    /// A handle that pops, and waits for items.
    pub fn consumer(&self) -> Consumer<lane_queue::Consumer<T>> {
        Consumer::new(self.queue.consumer(), self.waits.clone())
    }

    /// Closes the queue, and ends all waiting: pushes fail, and pops take what is left.
    /// Returns whether this call has closed it; whoever waits is woken also if it was closed.
    pub fn close(&self) -> bool {
        self.waits.closed(self.queue.close())
    }

    /// Whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl<Q: fmt::Debug> fmt::Debug for Waitable<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waitable")
            .field("queue", &self.queue)
            .field("wait_for_items", &self.waits.items.len())
            .field("wait_for_room", &self.waits.room.len())
            .finish()
    }
}
