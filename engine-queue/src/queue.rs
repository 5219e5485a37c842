//! What the queues have in common.

use crate::{PopError, PushError};

#[cfg(test)]
mod model;

/// Pops, and says of a queue without an item whether there may be one later.
pub(crate) fn pop_or_why<T>(
    pop: impl Fn() -> Option<T>,
    is_closed: impl Fn() -> bool,
) -> Result<T, PopError> {
    match pop() {
        Some(item) => Ok(item),
        // What was pushed after the look and before the end is still to come.
        None if is_closed() => pop().ok_or(PopError::Closed),
        None => Err(PopError::Empty),
    }
}

/// A queue that any number of threads push to and pop from, and that can be closed.
///
/// For code that works with any of them, such as an adapter that waits.
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
