//! What a queue holds.

use std::collections::VecDeque;

use super::Item;
use crate::linearizability::Step;

/// The state of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Contents {
    /// The items, oldest first.
    pub items: VecDeque<Item>,
    /// Whether nothing is let in any more.
    pub closed: bool,
}

/// What takes a change of [`Contents`] back.
#[derive(Debug, PartialEq, Eq)]
pub enum Undo {
    /// So many were appended.
    Pushed(usize),
    /// This was taken, from this place.
    Taken(usize, Item),
    /// These were taken from the front.
    TakenBatch(Vec<Item>),
    /// One was appended, and this taken from the front.
    Forced(Item),
    /// It was closed.
    Closed,
}

/// `Changed` only with something to take back.
pub(super) fn changed_if(condition: bool, change: impl FnOnce() -> Undo) -> Step<Undo> {
    if condition {
        Step::Changed(change())
    } else {
        Step::Impossible
    }
}

/// The answer is this, and nothing changes.
pub(super) fn unchanged_if(condition: bool) -> Step<Undo> {
    if condition {
        Step::Unchanged
    } else {
        Step::Impossible
    }
}

impl Contents {
    pub(super) fn push(&mut self, item: Item) -> Undo {
        self.items.push_back(item);
        Undo::Pushed(1)
    }

    /// Takes `item`, if it is at place `at`.
    pub(super) fn take(&mut self, at: usize, item: Item) -> Step<Undo> {
        changed_if(self.items.get(at) == Some(&item), || {
            self.items.remove(at);
            Undo::Taken(at, item)
        })
    }

    /// Takes `items`, if they are the oldest.
    pub(super) fn take_front(&mut self, items: &[Item]) -> Step<Undo> {
        if items.is_empty() {
            return Step::Unchanged;
        }
        let front = self.items.iter().take(items.len());
        changed_if(front.eq(items), || {
            self.items.drain(..items.len());
            Undo::TakenBatch(items.to_vec())
        })
    }

    pub(super) fn close(&mut self) -> Step<Undo> {
        if self.closed {
            return Step::Unchanged;
        }
        self.closed = true;
        Step::Changed(Undo::Closed)
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Pushed(count) => self.items.truncate(self.items.len() - count),
            Undo::Taken(at, item) => self.items.insert(at, item),
            Undo::TakenBatch(items) => {
                for item in items.into_iter().rev() {
                    self.items.push_front(item);
                }
            }
            Undo::Forced(oldest) => {
                self.items.pop_back();
                self.items.push_front(oldest);
            }
            Undo::Closed => self.closed = false,
        }
    }
}
