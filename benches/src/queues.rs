//! Queues side by side: the shapes of the work, and what each queue does in them.
//!
//! A [`Shape`] says how many threads push and pop, how, and with how much room. An
//! [`Entry`] is a queue that can take a turn at any shape; a [`Set`] lets several of them do
//! so, shape by shape, beside the [limit](Costs) that the hardware sets.

mod account;
mod blocking;
mod channels;
mod contestants;
mod costs;
mod engine;
mod entry;
mod moodycamel;
mod peers;
mod queue;
mod rings;
mod shape;
mod work;

pub use contestants::{blocking, bounded, lanes, spsc, unbounded};
pub use costs::{Claims, Costs};
pub use entry::{Entry, Set};
pub use queue::{BATCH, Pop, Push, Queue};
pub use shape::{BACKLOG, BURST, Shape, Threads, Work};
