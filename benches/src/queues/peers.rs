//! The peers that are queues, and what anybody would write first.

use std::collections::VecDeque;

use concurrent_queue::ConcurrentQueue;

use super::queue::Shared;

impl Shared for crossbeam_queue::ArrayQueue<u64> {
    fn new(capacity: Option<usize>) -> Self {
        Self::new(capacity.expect("it has a bound"))
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        self.push(item).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }
}

impl Shared for crossbeam_queue::SegQueue<u64> {
    fn new(capacity: Option<usize>) -> Self {
        assert_eq!(capacity, None, "it has no bound");
        Self::new()
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        self.push(item);
        true
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop()
    }
}

impl Shared for ConcurrentQueue<u64> {
    fn new(capacity: Option<usize>) -> Self {
        capacity.map_or_else(Self::unbounded, Self::bounded)
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        self.push(item).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.pop().ok()
    }
}

/// A `VecDeque` under the mutex of this family: what anybody would write first. A yardstick
/// and no peer, for the lock is ours.
pub(super) struct Locked {
    items: engine_lock::Mutex<VecDeque<u64>>,
    capacity: usize,
}

impl Shared for Locked {
    fn new(capacity: Option<usize>) -> Self {
        Self {
            items: engine_lock::Mutex::new(VecDeque::with_capacity(capacity.unwrap_or(0))),
            capacity: capacity.unwrap_or(usize::MAX),
        }
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        let mut items = self.items.lock();
        let room = items.len() < self.capacity;
        if room {
            items.push_back(item);
        }
        room
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.items.lock().pop_front()
    }

    fn push_batch(&self, first: u64, _buffer: &mut Vec<u64>) -> usize {
        let mut items = self.items.lock();
        let room = (self.capacity - items.len()).min(super::BATCH);
        items.extend(first..first + room as u64);
        room
    }

    fn pop_batch(&self, buffer: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        let mut items = self.items.lock();
        let count = items.len().min(super::BATCH);
        buffer.extend(items.drain(..count));
        drop(items);
        buffer.drain(..).for_each(each);
        count
    }
}
