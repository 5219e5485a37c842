//! The pool.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use engine_queue::ArrayQueue;

use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Lends out up to a fixed number of values, made when first needed.
///
/// # Example
///
/// ```
/// let pool = downstream::Pool::new(2, || Vec::with_capacity(4096));
/// let mut buffer = pool.take().expect("two are free");
/// buffer.extend_from_slice(b"hello");
/// drop(buffer);
/// // The next one to take it finds it as it was left.
/// assert_eq!(*pool.take().unwrap(), b"hello");
/// ```
///
/// # Guarantees
///
/// - No more than `limit` values exist, and each is lent to one at a time.
/// - What was done to a value before it came back is visible to the next taker:
///   a push to the queue happens before the pop that returns the item.
pub struct Pool<T> {
    /// Values that were made and are not lent.
    free: ArrayQueue<T>,
    /// How many were made, lent ones included; at most the queue's capacity.
    made: AtomicUsize,
    make: fn() -> T,
}

impl<T> Pool<T> {
    /// A pool of up to `limit` values.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn new(limit: usize, make: fn() -> T) -> Self {
        Self {
            free: ArrayQueue::new(limit),
            made: AtomicUsize::new(0),
            make,
        }
    }

    /// A free value, or a new one, or `None` when all are lent.
    pub fn take(&self) -> Option<Lent<'_, T>> {
        let value = self.free.pop().or_else(|| self.make())?;
        Some(Lent {
            value: Some(value),
            pool: self,
        })
    }

    /// How many values were made so far.
    pub fn made(&self) -> usize {
        // Relaxed: a figure, nothing is read because of it.
        self.made.load(Relaxed)
    }

    fn make(&self) -> Option<T> {
        let limit = self.free.capacity();
        // n -> n + 1, while n < limit. Relaxed: it counts, and publishes nothing;
        // the new value is handed to this thread alone.
        self.made
            .fetch_update(Relaxed, Relaxed, |n| (n < limit).then_some(n + 1))
            .ok()?;
        Some((self.make)())
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("made", &self.made())
            .field("free", &self.free.len())
            .field("limit", &self.free.capacity())
            .finish()
    }
}

/// A value of a [`Pool`]; goes back when dropped.
#[derive(Debug)]
pub struct Lent<'a, T> {
    /// `None` only while it is dropped.
    value: Option<T>,
    pool: &'a Pool<T>,
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is here until the drop")
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is here until the drop")
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let back = self.value.take().map(|value| self.pool.free.push(value));
        // `made` never passes the capacity, so there is room for each value.
        assert!(matches!(back, Some(Ok(()))), "more values than the limit");
    }
}
