//! Appending items of which the number is not known before.

use super::Worker;
use super::buffer::Slots;
use crate::deque::flavor::Flavor;

/// Items behind the tail, not published.
#[must_use]
pub(super) struct Appending<'a, T> {
    worker: &'a Worker<T>,
    slots: Slots<T>,
    tail: u64,
    count: u64,
}

impl<'a, T> Appending<'a, T> {
    /// By the owner.
    pub(super) fn new(worker: &'a Worker<T>) -> Self {
        Self {
            worker,
            slots: worker.slots.get(),
            tail: worker.tail.get(),
            count: 0,
        }
    }

    /// Adds an item.
    ///
    /// # Safety
    ///
    /// It is one of those that were reserved.
    pub(super) unsafe fn put(&mut self, item: T) {
        // SAFETY: (1) the worker's owner is here; (2) free by contract.
        unsafe { self.slots.put(self.tail.wrapping_add(self.count), item) };
        self.count += 1;
    }

    /// Publishes the items, so that the owner pops the last that was added first.
    pub(super) fn publish_newest_first(self) {
        let position = |n| self.tail.wrapping_add(n);
        if self.worker.flavor == Flavor::Fifo {
            for n in 0..self.count / 2 {
                // SAFETY: written by `put`, not published, and two different ones.
                unsafe { self.slots.swap(position(n), position(self.count - 1 - n)) };
            }
        }
        self.worker.publish(position(self.count));
    }
}
