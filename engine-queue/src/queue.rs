//! What the queues have in common.

use alloc::vec::Vec;

use crate::{ArrayQueue, PopError, PushError, SegQueue};

#[cfg(test)]
mod model;

/// Pops, and says of a queue without an item whether there may be one later.
pub(crate) fn pop_or_why<T>(
    pop: impl Fn() -> Option<T>,
    is_closed: impl Fn() -> bool,
) -> Result<T, PopError> {
    drain_or_why(&mut (), |()| pop(), |()| is_closed())
}

/// [`pop_or_why`] of an end that pops by `&mut self`.
#[inline]
pub(crate) fn drain_or_why<E, T>(
    end: &mut E,
    pop: impl Fn(&mut E) -> Option<T>,
    is_closed: impl Fn(&E) -> bool,
) -> Result<T, PopError> {
    match pop(end) {
        Some(item) => Ok(item),
        // What was pushed after the look and before the end is still to come.
        None if is_closed(end) => pop(end).ok_or(PopError::Closed),
        None => Err(PopError::Empty),
    }
}

/// A queue that any number of threads push to and pop from, and that can be closed.
///
/// For code that works with any of them, such as an adapter that waits.
///
/// # Batches
///
/// All queues of this crate take and give batches in one shape, here and in the methods
/// of their own: a batch to be pushed is a `&mut Vec`, and what has been pushed is
/// taken out of its front; a batch that was popped is put at the end of a `&mut Vec`.
///
/// - What there was no room for is left where it was, in its order, and needs no
///   allocation to be handed back; the vector is used again for the next batch.
/// - The number of items is known before a claim, and none of the user's code runs
///   between the claim and the publication of what was claimed. An iterator could
///   panic there, or stop for long while others wait for the slots.
/// - Room for what is popped is made before it is claimed.
///
/// Only [`spsc`](crate::spsc), where nobody waits for a slot, also takes items from an
/// iterator, as [`push_iter`](crate::spsc::Producer::push_iter).
pub trait Queue {
    /// What it holds.
    type Item;

    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// Hands the item back when there is no room, or the queue is closed.
    fn try_push(&self, item: Self::Item) -> Result<(), PushError<Self::Item>>;

    /// Takes an item.
    ///
    /// # Errors
    ///
    /// When there is none. [`PopError::Closed`] is said only if there will be none: it
    /// comes after all items whose push has succeeded.
    fn try_pop(&self) -> Result<Self::Item, PopError>;

    /// Appends the items of the vector, in their order, as far as there is room, and takes
    /// these out of it.
    ///
    /// # Errors
    ///
    /// When items are left in the vector, because the queue was full, or closed.
    fn push_batch(&self, items: &mut Vec<Self::Item>) -> Result<(), PushError<()>> {
        /// A vector whose first item is its last one meanwhile.
        struct Reversed<'a, T>(&'a mut Vec<T>);
        impl<T> Drop for Reversed<'_, T> {
            fn drop(&mut self) {
                self.0.reverse();
            }
        }
        items.reverse();
        let items = Reversed(items);
        while let Some(item) = items.0.pop() {
            // Does not allocate: it came from there.
            self.try_push(item)
                .map_err(|refused| refused.map(|item| items.0.push(item)))?;
        }
        Ok(())
    }

    /// Takes up to `max` items to the end of `into`, in their order; how many.
    fn pop_batch(&self, into: &mut Vec<Self::Item>, max: usize) -> usize {
        let before = into.len();
        while into.len() - before < max {
            // Unwind: nothing is taken yet, should the vector be unable to grow.
            into.reserve(1);
            match self.try_pop() {
                Ok(item) => into.push(item),
                Err(_) => break,
            }
        }
        into.len() - before
    }

    /// Closes the queue: pushes fail from now on, and pops take what is left. Returns
    /// whether this call has closed it.
    fn close(&self) -> bool;

    /// Whether the queue is closed.
    fn is_closed(&self) -> bool;

    /// Whether there was no item at one moment of the call.
    fn is_empty(&self) -> bool;

    /// Whether there was no room at one moment of the call.
    fn is_full(&self) -> bool;
}

/// By the methods of the same names.
macro_rules! is_queue {
    ($queue:ident, full: $is_full:expr) => {
        impl<T> Queue for $queue<T> {
            type Item = T;

            #[inline]
            fn try_push(&self, item: T) -> Result<(), PushError<T>> {
                self.try_push(item)
            }

            #[inline]
            fn try_pop(&self) -> Result<T, PopError> {
                self.try_pop()
            }

            fn push_batch(&self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
                self.push_batch(items)
            }

            fn pop_batch(&self, into: &mut Vec<T>, max: usize) -> usize {
                self.pop_batch(into, max)
            }

            fn close(&self) -> bool {
                self.close()
            }

            fn is_closed(&self) -> bool {
                self.is_closed()
            }

            fn is_empty(&self) -> bool {
                self.is_empty()
            }

            fn is_full(&self) -> bool {
                $is_full(self)
            }
        }
    };
}

is_queue!(ArrayQueue, full: ArrayQueue::is_full);
is_queue!(SegQueue, full: |_: &Self| false);
