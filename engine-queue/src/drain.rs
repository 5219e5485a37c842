//! Taking out what is in a queue now.

use core::fmt;
use core::iter::FusedIterator;

use crate::Queue;

/// The items that a queue held when the iterator was made, unless others took them; by
/// the queue's `drain`.
///
/// What it does not reach stays in the queue.
#[must_use = "what the iterator does not reach stays in the queue"]
pub struct Drain<'a, Q> {
    queue: &'a Q,
    /// At most so many more.
    left: usize,
}

impl<'a, Q> Drain<'a, Q> {
    pub(crate) fn new(queue: &'a Q, left: usize) -> Self {
        Self { queue, left }
    }
}

impl<Q: Queue> Iterator for Drain<'_, Q> {
    type Item = Q::Item;

    fn next(&mut self) -> Option<Q::Item> {
        self.left = self.left.checked_sub(1)?;
        let item = self.queue.try_pop().ok();
        if item.is_none() {
            self.left = 0;
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl<Q: Queue> FusedIterator for Drain<'_, Q> {}

impl<Q> fmt::Debug for Drain<'_, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
