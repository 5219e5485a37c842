//! An unbounded queue whose topology adapts to the contention it meets.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use engine_atomic::sync::Arc;

mod consumer;
mod handle;
mod hazard;
mod lane;
mod law;
mod options;
mod producer;
mod segment;
mod shared;
mod slot;
mod stats;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

pub use self::consumer::Consumer;
pub use self::options::LaneOptions;
pub use self::producer::Producer;
pub use self::stats::LaneStats;

use self::handle::Handle;
use self::shared::Shared;

/// An unbounded queue of many producers and many consumers that spreads over lanes
/// while they get in each other's way, and is one strict queue while they do not.
///
/// A failed compare-and-swap says that somebody else was there. Here such races are
/// counted, and answered by the shape of the queue: it is a list of *segments*, each of
/// a fixed number of *lanes*, and each segment is as wide as the races, the producers
/// and the fill of the one before it ask for. The width of a segment never changes, so
/// nobody can act on a stale one. A lane that has only one producer is pushed to by plain stores; so
/// is the one lane of a queue that has one.
///
/// # Example
///
/// ```
/// use engine_queue::LaneQueue;
/// use std::thread;
///
/// let queue = LaneQueue::new();
/// thread::scope(|scope| {
///     for first in [0, 100, 200] {
///         let mut producer = queue.producer();
///         scope.spawn(move || (first..first + 100).for_each(|n| producer.push(n)));
///     }
/// });
/// let mut consumer = queue.consumer();
/// let mut next = [0, 100, 200];
/// while let Some(n) = consumer.pop() {
///     // The items of one producer come in their order.
///     assert_eq!(n, next[n / 100]);
///     next[n / 100] += 1;
/// }
/// assert_eq!(next, [100, 200, 300]);
/// assert_eq!(queue.stats().pushes, 300);
/// ```
///
/// # Guarantees
///
/// *w* is the width of the segment that an item is in, *S* the slots of a lane
/// ([`LaneOptions::lane_slots`]).
///
/// - **G1, exactly once.** Every pushed item is popped at most once and nothing is
///   invented; after the producers stop and the consumers drain, all are popped.
/// - **G2, first in, first out for each producer**, unconditionally, across all width
///   changes: if one [`Producer`] pushes a, then b, the pop of a is ordered before the
///   pop of b.
/// - **G3, bounded disorder.** A pop returns an item with at most (w - 1) * S older
///   items still queued. With w = 1 the queue is strictly first in, first out and
///   linearizable. Every item pushed before a segment boundary is popped before any item
///   pushed after it.
/// - **G4, `None` is linearizable.** There was a moment during the call when the queue was
///   empty.
/// - **G5, progress.** `push` and `pop` are lock-free but for the allocator: among any
///   threads that take steps, one finishes its call. No thread waits for one particular
///   other thread: a consumer that finds nothing but a push under way looks again a few
///   times, yielding the processor (with the feature `std`), and then gives that push's
///   slot up; the push takes a later one. A single call can be overtaken any number of
///   times. A consumer that keeps finding a few items only pauses for 16 spin hints
///   before it looks for more, if that makes it find more.
///
/// Not promised: an order between the items of two producers while w > 1; fairness
/// among consumers (one that has lost a race stays away for up to some 8,000 spin hints while it sees
/// that others go on); how long an item may stay.
///
/// - **System calls**: where [`fence::heavy`](engine_atomic::fence) makes one, so may a push
///   that finds its lane used up, or none for itself, and `close`: to learn what the producers of the
///   other lanes have done. It interrupts the processors that run them, and waits for no thread.
/// - **Allocation**: the first segment when the queue is made, a record for each
///   handle (reused), and a segment where none is kept: four are. A steady number of items
///   no longer allocates.
/// - **Memory**: a segment that was emptied is used again or freed as soon as no handle
///   stands on it. A handle that rests or was leaked keeps one. So there are never more
///   than those in the list, one for each handle (two while it is inside a call), and
///   those four; but a thread that is stopped while it frees some holds those up. A
///   leaked handle also keeps the queue itself.
/// - **Memory order**: what happens before a push happens before the return of the pop
///   that gets its item.
/// - **Unwinding**: no code of the user runs inside. When the drop of an item panics while
///   the queue is dropped, the others are still dropped.
/// - **Size**: 384 bytes and a few words for the queue, 128 for a handle's record, and for
///   each segment 256 for a lane, the items, and a word beside each of them if lanes are shared.
///
/// # When not to use
///
/// - When items of different producers must come in the order of their pushes: use
///   [`SegQueue`](crate::SegQueue), or `max_width(1)`.
/// - When the producers can outrun the consumers for long: nothing limits the memory
///   but [`LaneOptions::max_segments`].
/// - For few items in many queues: the first segment has 16 KiB by default.
/// - To sleep until there is an item, by itself: see [`Waitable`](crate::Waitable).
///
/// # Source
///
/// Segments as in the k-segment queue (Kirsch, Lippautz, Payer: *Fast and Scalable,
/// Lock-free k-FIFO Queues*, 2013), whose width changes by window as in the elastic 2D
/// queue (von Geijer, Tsigas: *How to Relax Instantly*, 2024); slots used once, which
/// a consumer may burn where lanes are shared, as in Ramalhete's and Correia's FAAArrayQueue (2016); the double
/// collect of d-CBO (2025); hazard pointers (Michael, 2004); an
/// owner's lane is taken from it as a biased lock is revoked, by an asymmetric fence. `PROTOCOL.md`, beside the
/// source, has the argument.
pub struct LaneQueue<T> {
    shared: Arc<Shared<T>>,
}

// No panic can leave the queue half changed: no code of the user runs inside.
impl<T> UnwindSafe for LaneQueue<T> {}
impl<T> RefUnwindSafe for LaneQueue<T> {}

impl<T> LaneQueue<T> {
    /// An empty queue, of one lane at first. Allocates its first segment.
    #[must_use]
    pub fn new() -> Self {
        LaneOptions::new().build()
    }

    /// An empty queue that never has more than `lanes` lanes.
    ///
    /// # Panics
    ///
    /// If `lanes` is 0 or more than 64.
    #[must_use]
    #[track_caller]
    pub fn with_max_width(lanes: usize) -> Self {
        LaneOptions::new().max_width(lanes).build()
    }

    /// A handle that pushes.
    #[must_use]
    pub fn producer(&self) -> Producer<T> {
        Producer::new(&self.shared)
    }

    /// A handle that pops.
    #[must_use]
    pub fn consumer(&self) -> Consumer<T> {
        Consumer::new(&self.shared)
    }

    /// Lets no item in any more. Those inside can still be popped.
    ///
    /// A push that runs at the same time comes before this or is refused. When this
    /// has returned, a `None` is for good. Returns whether this call has closed it.
    pub fn close(&self) -> bool {
        self.shared.close(self.handle().record())
    }

    /// Whether the queue is closed. If it is, a `None` from a pop after this is for
    /// good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// How many items there are.
    ///
    /// Exact while nobody pushes or pops. Otherwise it counts the places that pushes have
    /// claimed and pops have not passed, the latter looked at first: never less than
    /// the items that were there all the time, and maybe some that were popped meanwhile.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len(self.handle().record())
    }

    /// Whether the queue was empty at one moment of the call. `false` may be due to a
    /// push that was under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty(self.handle().record())
    }

    /// How the queue has adapted so far.
    #[must_use]
    pub fn stats(&self) -> LaneStats {
        self.shared.stats(self.handle().record())
    }

    /// A handle for one call.
    fn handle(&self) -> Handle<T> {
        Handle::new(&self.shared)
    }
}

impl<T> Default for LaneQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for LaneQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.stats();
        f.debug_struct("LaneQueue")
            .field("len", &self.len())
            .field("width", &stats.width)
            .field("segments", &stats.segments)
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> IntoIterator for LaneQueue<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter {
            consumer: self.consumer(),
        }
    }
}

/// The items of a [`LaneQueue`], by `into_iter`: a consumer of it, which ends when it
/// finds the queue empty. Producers that are still there can refill it.
#[derive(Debug)]
pub struct IntoIter<T> {
    consumer: Consumer<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.consumer.pop()
    }
}
