//! Strictly first in, first out.

use super::contents::{changed_if, unchanged_if};
use super::lives::Lives;
use super::{Contents, History, Op, Ret, Undo, unknown};
use crate::linearizability::{Spec, Step, Window};

/// A FIFO queue: each operation is one moment, batches too, and "full", "empty" and
/// the count are right at that moment.
///
/// A batch takes, or is taken, as far as there is room or there are items; no less, but
/// [with short batches](Self::with_short_batches).
/// A thief's batch is the oldest items, as many as it likes, and a thief may be told to
/// try again at any time. A closed queue refuses pushes, also when it is full, and lets pops go on.
///
/// # Narrowing
///
/// What must come before what follows from the whole history, as Henzinger, Sezgin and
/// Vafeiadis have shown ("Aspect-oriented linearizability proofs", 2013): items that are
/// certainly pushed in one order are popped in it, items that are certainly popped in
/// one order are pushed in it, and "empty" is not an answer of a time at which some
/// item is certainly inside. By this the windows are narrowed until nothing changes.
/// For an unbounded queue a contradiction shows here, if there is one; and pushing
/// what is popped first, among pushes that are concurrent, is then right at the first
/// try.
#[derive(Clone, Copy, Debug)]
pub struct Fifo {
    capacity: Option<usize>,
    short_batches: bool,
}

impl Fifo {
    /// A queue of this capacity.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        Self {
            capacity: Some(capacity),
            short_batches: false,
        }
    }

    /// A queue that is never full.
    #[must_use]
    pub fn unbounded() -> Self {
        Self {
            capacity: None,
            short_batches: false,
        }
    }

    /// This queue with batches that may be shorter than they could be, but not empty: as
    /// where room, or items, that come between the look and the deed are left.
    #[must_use]
    pub fn with_short_batches(self) -> Self {
        Self {
            short_batches: true,
            ..self
        }
    }

    /// Whether a batch may be of `count` where `most` are possible.
    fn may_be(&self, count: usize, most: usize) -> bool {
        count == most || (self.short_batches && 0 < count && count < most)
    }

    fn room(&self, state: &Contents) -> usize {
        self.capacity
            .map_or(usize::MAX, |capacity| capacity - state.items.len())
    }
}

impl Spec for Fifo {
    type State = Contents;
    type Op = Op;
    type Ret = Ret;
    type Undo = Undo;

    fn initial(&self) -> Contents {
        Contents::default()
    }

    fn apply(&self, state: &mut Contents, op: &Op, ret: &Ret) -> Step<Undo> {
        let room = self.room(state);
        match (op, ret) {
            (Op::Push(_) | Op::ForcePush(_) | Op::PushBatch(_), Ret::Closed) => {
                unchanged_if(state.closed)
            }
            (Op::Push(item) | Op::ForcePush(item), Ret::Done) => {
                changed_if(room > 0 && !state.closed, || state.push(*item))
            }
            (Op::Push(_), Ret::Full) => unchanged_if(room == 0 && !state.closed),
            (Op::ForcePush(item), Ret::Item(oldest)) => {
                let is_it = state.items.front() == Some(oldest);
                changed_if(room == 0 && is_it && !state.closed, || {
                    state.items.pop_front();
                    state.items.push_back(*item);
                    Undo::Forced(*oldest)
                })
            }
            (Op::PushBatch(items), Ret::Count(count)) => {
                if !self.may_be(*count, items.len().min(room)) || state.closed {
                    return Step::Impossible;
                }
                if *count == 0 {
                    return Step::Unchanged;
                }
                state.items.extend(&items[..*count]);
                Step::Changed(Undo::Pushed(*count))
            }
            (Op::Pop | Op::Steal | Op::StealBatch, Ret::Empty) => {
                unchanged_if(state.items.is_empty())
            }
            (Op::Pop | Op::Steal, Ret::Item(item)) => state.take(0, *item),
            (Op::Steal | Op::StealBatch, Ret::Retry) => Step::Unchanged,
            (Op::StealBatch, Ret::Items(items)) => state.take_front(items),
            (Op::PopBatch(most), Ret::Items(items)) => {
                if !self.may_be(items.len(), state.items.len().min(*most)) {
                    return Step::Impossible;
                }
                state.take_front(items)
            }
            (Op::Len, Ret::Count(count)) => unchanged_if(state.items.len() == *count),
            (Op::Close, Ret::Done) => state.close(),
            _ => unknown("a FIFO queue", op, ret),
        }
    }

    fn undo(&self, state: &mut Contents, undo: Undo) {
        state.undo(undo);
    }

    fn narrow(&self, history: &History, windows: &mut [Window]) {
        let Some(lives) = Lives::of(history, windows) else {
            return;
        };
        // Each round uses what the last one found. It is right to stop at any time.
        for _ in 0..64 {
            let before = windows.to_vec();
            lives.pushed_before_popped(windows);
            lives.first_in_first_out(windows);
            lives.emptiness(history, windows);
            if windows.iter().any(Window::is_closed) {
                return;
            }
            if windows == before {
                break;
            }
        }
        if let Some(capacity) = self.capacity {
            lives.fullness(history, windows, capacity);
        }
        lives.rank(windows);
    }

    fn is_only_state(&self, state: &Contents) -> bool {
        // What is inside does not depend on the order; how it is ordered may.
        state.items.len() <= 1
    }
}
