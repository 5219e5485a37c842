//! A ring of fixed capacity: one owner pushes and pops, thieves book what they
//! take.
//!
//! Items lie inline in one allocation. A push is a plain store. The owner pops the oldest
//! item by one compare-and-swap, or the newest by a store and a fence; or either by plain
//! stores, while no thief comes (see below). A steal is one compare-and-swap and a store, for
//! any number of items from an owner that pops the oldest; and one compare-and-swap more for
//! each further item from one that pops the newest.
//!
//! # Example
//!
//! ```
//! use engine_queue::deque::{Steal, bounded::Worker};
//! use std::thread;
//!
//! let worker = Worker::new_fifo(256);
//! for job in 0..100 {
//!     worker.push(job).unwrap();
//! }
//! let stealer = worker.stealer();
//! let stolen = thread::spawn(move || {
//!     let mine = Worker::new_fifo(256);
//!     let mut sum = 0;
//!     loop {
//!         match stealer.steal_batch_and_pop(&mine) {
//!             Steal::Success(job) => sum += job,
//!             Steal::Empty => return sum,
//!             Steal::Retry => thread::yield_now(),
//!         }
//!         while let Some(job) = mine.pop() {
//!             sum += job;
//!         }
//!     }
//! });
//! let mut sum = 0;
//! while let Some(job) = worker.pop() {
//!     sum += job;
//! }
//! assert_eq!(sum + stolen.join().unwrap(), 4950);
//! ```
//!
//! # Guarantees
//!
//! - **Order**: thieves take the oldest item; the owner too, or the newest, as the worker
//!   was made. A batch keeps, in the destination, the order of its source's owner.
//! - **Exactly once**: each item is popped or stolen once, or dropped with the
//!   last handle. No item is read while another thread may write its slot, so
//!   this is sound for every `T`.
//! - **Progress**: `push` is wait-free. `pop`, `pop_batch` and `pop_half` retry only when a
//!   thief came, succeeded or finished. A thief never waits: it answers `Retry` when another thief
//!   is at work or was faster. A thief that is stopped in the middle of a steal
//!   makes the other thieves answer `Retry`, and keeps its slots and those popped
//!   since from being pushed to (the ring may look full), until it runs again; it
//!   never stops the owner from popping.
//! - **Allocation**: one, at construction; `pop_batch` and `pop_half` may grow their `Vec`.
//! - **Unwinding**: no code of the user runs inside. When the drop of an item
//!   panics while the ring is dropped, the others are still dropped.
//! - **An owner that is left alone** takes items by plain stores from its 257th undisturbed
//!   pop on; one that pops the newest, from its next pop of a last item. The first thief
//!   that comes for an item then runs one [`fence::heavy`](engine_atomic::fence::heavy),
//!   a system call of a fraction of a microsecond and more, and interrupts the processors
//!   that run this process. So the owner begins again only after twice as many pops
//!   as the last time, in the end 16 385. A thief that finds nothing runs no such fence.
//!   Without membarrier(2) none of this happens.
//! - **Positions** have 43 bits. A thief that is stopped between its look at the
//!   head and its claim while exactly a multiple of 2^43 items pass would take
//!   items that it did not see; at 10 ns an item that is a day. So may the owner write to
//!   slots that a thief is reading, if exactly such a number of items has passed since the last
//!   steal before.
//!
//! # When not to use
//!
//! When the number of items has no bound and there is nowhere to put the
//! overflow. Not available on targets without 64-bit atomics: positions of 16
//! bits would repeat within a millisecond.
//!
//! # Verified by
//!
//! loom and shuttle models (`deque/bounded/model.rs`, `deque/bias/model.rs`), proptest and fuzzing against
//! `VecDeque`, ThreadSanitizer (`examples/tsan_queue.rs`).
//!
//! # Source
//!
//! The booking of a range by a second counter is that of the run queue of tokio's
//! multi-threaded scheduler, also found in the crate `st3`. Packing the distance
//! instead of the second counter leaves the positions more bits; and a booking ends with
//! a store to a word beside it. The owner that pops the newest item is that of Chase and Lev's
//! deque, with the fences of Lê et al. (PPoPP 2013). The owner that is left alone: see
//! `deque/bias.rs`.

mod head;
mod ring;
mod stealer;
mod worker;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

pub use ring::MAX_CAPACITY;
pub use stealer::Stealer;
pub use worker::Worker;
