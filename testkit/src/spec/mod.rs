//! What queues promise, as [`Spec`](crate::linearizability::Spec)s.
//!
//! | spec | promise |
//! |---|---|
//! | [`Fifo`] | strictly first in, first out; bounded or not |
//! | [`Deque`] | one owner at the back, thieves at the front |
//! | [`Relaxed`] | first in, first out of each producer, and at most k older items passed over |
//!
//! They share their operations and answers. A pair that a spec does not know, as a push
//! that is answered by an item, is a mistake of the test and panics.

mod contents;
mod deque;
mod fifo;
mod lives;
mod relaxed;

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

pub use contents::{Contents, Undo};
pub use deque::{Deque, End};
pub use fifo::Fifo;
pub use relaxed::Relaxed;

/// An item. Each one is pushed once in a history.
pub type Item = u64;

/// A history of a queue.
pub type History = crate::history::History<Op, Ret>;

/// What one thread did to a queue.
pub type Log = crate::history::Log<Op, Ret>;

/// What is asked of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Append an item. [`Ret::Done`], [`Ret::Full`] or [`Ret::Closed`].
    Push(Item),
    /// Append an item, and make room by taking the oldest. [`Ret::Item`], or
    /// [`Ret::Done`] if there was room; [`Ret::Closed`].
    ForcePush(Item),
    /// Append as many of these as there is room for, at one moment. [`Ret::Count`],
    /// [`Ret::Closed`].
    PushBatch(Vec<Item>),
    /// Take an item. [`Ret::Item`] or [`Ret::Empty`].
    Pop,
    /// Take up to so many, at one moment. [`Ret::Items`].
    PopBatch(usize),
    /// Take an item as a thief. [`Ret::Item`], [`Ret::Empty`] or [`Ret::Retry`].
    Steal,
    /// Take some as a thief, at one moment. [`Ret::Items`], [`Ret::Empty`] or
    /// [`Ret::Retry`].
    StealBatch,
    /// Count the items. [`Ret::Count`].
    Len,
    /// Let nothing in any more. [`Ret::Done`].
    Close,
}

/// What a queue answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ret {
    /// It was done.
    Done,
    /// It was full.
    Full,
    /// It was closed.
    Closed,
    /// It was empty.
    Empty,
    /// Another thief was faster. Says nothing.
    Retry,
    /// This item.
    Item(Item),
    /// These items, oldest first.
    Items(Vec<Item>),
    /// So many.
    Count(usize),
}

impl Ret {
    /// The answer of a pop.
    #[must_use]
    pub fn popped(item: Option<Item>) -> Self {
        item.map_or(Self::Empty, Self::Item)
    }

    /// The answer of a push that fails when the queue is full.
    #[must_use]
    pub fn pushed<E>(result: &Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(_) => Self::Full,
        }
    }

    /// The answer of a push that turns out the oldest item.
    #[must_use]
    pub fn forced(oldest: Option<Item>) -> Self {
        oldest.map_or(Self::Done, Self::Item)
    }
}

#[track_caller]
fn unknown(spec: &str, op: &Op, ret: &Ret) -> ! {
    panic!("no operation of {spec}: {op:?} -> {ret:?}")
}
