//! A bounded queue of one producer and one consumer.
//!
//! A push is two plain stores, a pop a load and a store: no read-modify-write and no
//! fence. Each side remembers how far it has seen the other one, and looks again only
//! when it seems to be full, or empty. Items may go in and out one by one, in batches, or
//! in place: through a [`WriteChunk`] or [`ReadChunk`], a view over the slots themselves.
//!
//! # Example
//!
//! ```
//! use engine_queue::spsc;
//! use std::thread;
//!
//! let (mut producer, mut consumer) = spsc::channel(64);
//! let sum = thread::spawn(move || {
//!     let mut sum = 0;
//!     loop {
//!         // Before the pop: what it does not find then will not come any more.
//!         let last = consumer.is_abandoned();
//!         match consumer.pop() {
//!             Some(n) => sum += n,
//!             None if last => return sum,
//!             None => thread::yield_now(),
//!         }
//!     }
//! });
//! let mut numbers = 1..=1_000_u32;
//! while !numbers.is_empty() {
//!     // Takes from the iterator only what there is room for.
//!     if producer.push_iter(&mut numbers) == 0 {
//!         thread::yield_now();
//!     }
//! }
//! drop(producer);
//! assert_eq!(sum.join().unwrap(), 500_500);
//! ```
//!
//! # Guarantees
//!
//! - **Order**: first in, first out. The items of a batch go in, or out, at one moment. How
//!   many was decided a little earlier: room or items that come between the two are left,
//!   so a batch that is not empty may be shorter than it could be at its end.
//! - **Progress**: every operation is wait-free; neither side ever waits for the other. A
//!   side that is stopped for ever, or leaked, is only never heard of again: what it has not
//!   published stays unseen, what it has is there, and the other side finds the queue empty, or
//!   full, and not abandoned.
//! - **Full and empty** are answers of one moment, between the call and its return, in
//!   the order of what happens before what. They are not sequentially consistent with
//!   accesses to *other* memory: two threads that each push to one queue and then find
//!   the other's empty can both be right. Where that matters put a `fence(SeqCst)`
//!   between the two, on both sides.
//! - **Memory order**: what happens before a push happens before the return of the pop
//!   that gets its item; what happens before a pop, before the push that uses its slot
//!   again. What a side did happens before the other one's `is_abandoned` is true.
//! - **Allocation**: one of the slots, the capacity rounded up to a power of two, and one
//!   of the shared words, at construction. `pop_batch` may grow its `Vec`, and no other
//!   call allocates.
//! - **Dropping** one side leaves the items where they are: the consumer can take them
//!   all when the producer is gone. With the second side, what is left is dropped.
//! - **Unwinding**: code of the user (an iterator, the drop of an item) may panic
//!   anywhere: what was written so far is published, what was taken is gone, and the rest
//!   stays. When the drop of an item panics while several are dropped, the others are
//!   still dropped.
//! - **Leaking** a chunk or its iterator (`mem::forget`) loses nothing: a write chunk is
//!   not published, a read chunk not read. Of an iterator that is leaked, the items that it
//!   gave are taken; their slots go back to the producer when the consumer takes the next
//!   item, or finds none.
//! - **Soundness** for every `T`, also of size zero. Both sides are `Send` if `T` is.
//!
//! # When not to use
//!
//! With more than one thread on a side: [`ArrayQueue`](crate::ArrayQueue). To sleep until
//! there is an item: nothing here blocks, but the ends of
//! [`waitable::spsc`](crate::waitable::spsc()) do.
//!
//! # Source
//!
//! Lamport's ring of one reader and one writer (1977), with the other side's position
//! remembered as in FastForward's successors (MCRingBuffer, B-Queue). Views over the slots
//! are known from the crates `rtrb` and `ringbuf`.

use core::fmt;

use engine_atomic::sync::Arc;

mod consumer;
mod producer;
mod read_chunk;
mod ring;
mod write_chunk;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

pub use consumer::Consumer;
pub use producer::Producer;
pub use read_chunk::{IntoIter, ReadChunk};
pub use write_chunk::WriteChunk;

use ring::Ring;

/// A queue that holds at most `capacity` items: its two ends. See the
/// [module](self) for guarantees.
///
/// # Panics
///
/// If `capacity` is zero ("capacity must be non-zero"), or its slots would not fit the
/// address space ("capacity too large"); nothing is allocated then.
#[must_use]
pub fn channel<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    starting_at(capacity, 0)
}

/// As [`channel`], with the positions at `start`.
fn starting_at<T>(capacity: usize, start: usize) -> (Producer<T>, Consumer<T>) {
    let ring = Arc::new(Ring::new(capacity, start));
    (
        Producer::new(ring.clone(), start),
        Consumer::new(ring, start),
    )
}

/// There are not so many slots as a chunk was asked for; the field says how many there
/// are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewSlots(pub usize);

impl fmt::Display for TooFewSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "only {} slots are available", self.0)
    }
}

impl core::error::Error for TooFewSlots {}
