//! What the queues have in common.

/// Items in a batch.
pub const BATCH: usize = 16;

/// What one thread pushes through.
pub trait Push: Send {
    /// Whether there was room.
    fn push(&mut self, item: u64) -> bool;

    /// Pushes a batch: `first` and the numbers after it. How many there was room for.
    ///
    /// As the queue's own call for that, if it has one.
    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        let items = first..first + BATCH as u64;
        items.take_while(|&item| self.push(item)).count()
    }
}

/// What one thread pops from.
pub trait Pop: Send {
    /// The next item, if there is one.
    fn pop(&mut self) -> Option<u64>;

    /// Pops up to a batch, and calls `each` with every item; how many.
    ///
    /// As the queue's own call for that, if it has one. One that knows no limit may give
    /// all that there is.
    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let items = std::iter::from_fn(|| self.pop()).take(BATCH);
        items.map(each).count()
    }
}

/// A queue, for the time of a turn.
pub trait Queue: Sync {
    /// A queue with room for so many items, or without a bound.
    fn new(capacity: Option<usize>) -> Self;

    /// A handle for one of the pushing threads.
    fn producer(&self) -> impl Push + '_;

    /// A handle for one of the popping threads.
    fn consumer(&self) -> impl Pop + '_;

    /// Called when the turn is over.
    fn end(&self) {}
}

/// A queue that needs no handles.
pub(super) trait Shared: Sync {
    /// As [`Queue::new`].
    fn new(capacity: Option<usize>) -> Self;

    /// As [`Push::push`].
    fn push(&self, item: u64) -> bool;

    /// As [`Pop::pop`].
    fn pop(&self) -> Option<u64>;

    /// As [`Push::push_batch`]; `buffer` is empty, and stays with the thread.
    #[inline]
    fn push_batch(&self, first: u64, _buffer: &mut Vec<u64>) -> usize {
        let items = first..first + BATCH as u64;
        items.take_while(|&item| self.push(item)).count()
    }

    /// As [`Pop::pop_batch`]; `buffer` is empty, and stays with the thread.
    #[inline]
    fn pop_batch(&self, _buffer: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        let items = std::iter::from_fn(|| self.pop()).take(BATCH);
        items.map(each).count()
    }
}

/// A thread's use of a queue without handles.
struct Handle<'a, Q> {
    queue: &'a Q,
    buffer: Vec<u64>,
}

impl<'a, Q> Handle<'a, Q> {
    fn new(queue: &'a Q) -> Self {
        let buffer = Vec::with_capacity(BATCH);
        Self { queue, buffer }
    }
}

impl<Q: Shared> Push for Handle<'_, Q> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.queue.push(item)
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        self.queue.push_batch(first, &mut self.buffer)
    }
}

impl<Q: Shared> Pop for Handle<'_, Q> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.queue.pop()
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        self.queue.pop_batch(&mut self.buffer, each)
    }
}

impl<Q: Shared> Queue for Q {
    fn new(capacity: Option<usize>) -> Self {
        Shared::new(capacity)
    }

    fn producer(&self) -> impl Push + '_ {
        Handle::new(self)
    }

    fn consumer(&self) -> impl Pop + '_ {
        Handle::new(self)
    }
}
