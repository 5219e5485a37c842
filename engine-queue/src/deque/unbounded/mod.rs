//! The deque without a bound: positions in a ring that is replaced by a larger or a
//! smaller one.
//!
//! | word | written by | says |
//! |---|---|---|
//! | head: `{generation, front}` | claims and the owner, by RMWs | what is taken, and which buffer claims are about |
//! | tail | the owner | what is published |
//! | the front of the `Bias` | the owner | what is taken, when the head says that this is to be asked |
//! | buffer | the owner, under an odd generation | where the items are |
//! | a slot's `occupied` | the owner: yes; whoever took the item: no | when the slot, and in the end the buffer, is free |
//!
//! The two ends are those of Chase and Lev's deque, with the fences where Lê et al.
//! put them: an item below the newest is taken by moving the front, by a CAS; the newest
//! one of a LIFO owner by moving the tail back, and by a CAS only when it is the last. An
//! owner that is left alone needs neither the CAS nor the fence: see
//! [`bias`](crate::deque::bias).
//!
//! What differs is the order of claim and read. There a thief reads the item first and
//! then claims it, so the read may meet a write of the next item, and what was read must
//! be a copy that can be thrown away. For that an item must be a word that atomics can
//! hold: no padding, nothing uninitialised; for other types the language has no such
//! read. Here the claim comes first, and the slot's flag keeps the owner from the slot
//! until the item is out. The owner looks at the flag instead of the front: one load, of
//! the line it is about to write.
//!
//! # Source
//!
//! D. Chase and Y. Lev, *Dynamic Circular Work-Stealing Deque*, SPAA 2005; N. M. Lê,
//! A. Pop, A. Cohen and F. Zappa Nardelli, *Correct and Efficient Work-Stealing for Weak
//! Memory Models*, PPoPP 2013. The flavours, batch sizes and orders are those of
//! crossbeam-deque.

mod appending;
mod buffer;
mod head;
mod shared;
mod stealer;
mod worker;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

pub use stealer::Stealer;
pub use worker::Worker;
