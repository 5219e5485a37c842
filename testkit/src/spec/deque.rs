//! The deque of a worker and its thieves.

use super::contents::{changed_if, unchanged_if};
use super::lives::Lives;
use super::{Contents, History, Op, Ret, Undo, unknown};
use crate::linearizability::{Spec, Step, Window};

/// Where the owner of a [`Deque`] pops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The oldest item, as thieves do.
    Front,
    /// The newest.
    Back,
}

/// A work-stealing deque: the owner, one thread, pushes at the back and pops where it
/// says; thieves take the oldest.
///
/// A thief may be told to try again at any time. "Full" is not checked: whether there
/// is room may depend on thieves that are still at work. A batch, of a thief or by
/// [`Op::PopBatch`] of the owner, is the oldest items, one or more; how many is not
/// prescribed.
#[derive(Clone, Copy, Debug)]
pub struct Deque {
    owner_pops: End,
}

impl Deque {
    /// A deque whose owner pops here.
    #[must_use]
    pub fn new(owner_pops: End) -> Self {
        Self { owner_pops }
    }
}

impl Spec for Deque {
    type State = Contents;
    type Op = Op;
    type Ret = Ret;
    type Undo = Undo;

    fn initial(&self) -> Contents {
        Contents::default()
    }

    fn apply(&self, state: &mut Contents, op: &Op, ret: &Ret) -> Step<Undo> {
        match (op, ret) {
            (Op::Push(item), Ret::Done) => changed_if(true, || state.push(*item)),
            (Op::Push(_), Ret::Full) => Step::Unchanged,
            (Op::Pop | Op::Steal | Op::StealBatch, Ret::Empty) => {
                unchanged_if(state.items.is_empty())
            }
            (Op::Steal | Op::StealBatch, Ret::Retry) => Step::Unchanged,
            (Op::Pop, Ret::Item(item)) => match self.owner_pops {
                End::Front => state.take(0, *item),
                End::Back => {
                    let last = state.items.len().wrapping_sub(1);
                    state.take(last, *item)
                }
            },
            (Op::Steal, Ret::Item(item)) => state.take(0, *item),
            (Op::StealBatch | Op::PopBatch(_), Ret::Items(items)) => {
                if items.is_empty() {
                    return unchanged_if(state.items.is_empty());
                }
                state.take_front(items)
            }
            _ => unknown("a deque", op, ret),
        }
    }

    fn undo(&self, state: &mut Contents, undo: Undo) {
        state.undo(undo);
    }

    fn narrow(&self, history: &History, windows: &mut [Window]) {
        if let Some(lives) = Lives::of(history, windows) {
            lives.pushed_before_popped(windows);
            lives.emptiness(history, windows);
        }
    }

    fn is_only_state(&self, _: &Contents) -> bool {
        // One thread pushes, so what is inside is inside in the order of its pushes.
        true
    }
}
