//! What is asked of a queue.

use std::fmt;

use super::BATCH;

/// The most items that an unbounded queue holds here: producers that outrun the consumers
/// would measure the allocator.
pub const BACKLOG: u64 = 64 * 1_024;

/// Items in a burst.
pub const BURST: u64 = 256;

/// Which threads there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One, which pushes and pops.
    One,
    /// So many that push, and so many others that pop.
    Each([usize; 2]),
    /// As `Each`, all on the same processor.
    Pinned([usize; 2]),
}

/// What the threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One item after the other; a full or empty queue is tried again after a `snooze`.
    Singly,
    /// The same, [`BATCH`] items to a call where the queue has one for that.
    Batches,
    /// [`BURST`] items are pushed one by one; when all are popped, there is a pause, which
    /// is not counted.
    Bursts,
}

/// What is asked of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Which threads.
    pub threads: Threads,
    /// What they do.
    pub work: Work,
    /// The most items in the queue, if it is bounded.
    pub capacity: Option<usize>,
}

impl Shape {
    /// Producers and consumers; none of both if one thread does it all.
    pub fn counts(&self) -> [usize; 2] {
        match self.threads {
            Threads::One => [0, 0],
            Threads::Each(counts) | Threads::Pinned(counts) => counts,
        }
    }

    /// Whether all threads are on one processor.
    pub fn is_pinned(&self) -> bool {
        matches!(self.threads, Threads::Pinned(_))
    }

    /// Whether there is room for what one thread pushes before it pops.
    pub fn fits(&self) -> bool {
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity as u64);
        match (self.threads, self.work) {
            (Threads::One, Work::Bursts) => room >= BURST,
            (Threads::One, Work::Batches) => room >= BATCH as u64,
            _ => true,
        }
    }

    /// The same, one item after the other.
    #[must_use]
    pub fn singly(self) -> Self {
        let work = Work::Singly;
        Self { work, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads {
            Threads::One => write!(f, "1 thread")?,
            Threads::Each([p, c]) => write!(f, "{p}p{c}c")?,
            Threads::Pinned([p, c]) => write!(f, "{p}p{c}c pinned")?,
        }
        match self.work {
            Work::Singly => Ok(()),
            Work::Batches => write!(f, ", batches of {BATCH}"),
            Work::Bursts => write!(f, ", bursts of {BURST}"),
        }
    }
}
