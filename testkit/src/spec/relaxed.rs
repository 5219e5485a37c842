//! First in, first out, but not strictly.

use super::contents::{changed_if, unchanged_if};
use super::lives::Lives;
use super::{Contents, History, Item, Op, Ret, Undo, unknown};
use crate::linearizability::{Spec, Step, Window};

/// A queue whose pops pass over at most k older items, and none of the same producer.
///
/// That is: a pop takes one of the k + 1 oldest items, and the oldest of those that
/// its thread has pushed. "Empty" is right. With k = 0 this is [`Fifo`](super::Fifo),
/// unbounded. The producer of an item is told by a function, so that what one thread
/// pushes through two handles can be two producers.
///
/// The windows are narrowed by the order of each producer and by "empty"; what pops
/// passed over is left to the search, which may be long where many items of many
/// producers wait together.
#[derive(Clone, Copy, Debug)]
pub struct Relaxed {
    k: usize,
    producer: fn(Item) -> u64,
}

impl Relaxed {
    /// A queue whose pops pass over at most `k` items, where `producer` tells who pushed
    /// an item.
    #[must_use]
    pub fn new(k: usize, producer: fn(Item) -> u64) -> Self {
        Self { k, producer }
    }
}

impl Spec for Relaxed {
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
            (Op::Pop, Ret::Empty) => unchanged_if(state.items.is_empty()),
            (Op::Pop, Ret::Item(item)) => {
                let oldest = state.items.iter().take(self.k.saturating_add(1));
                let own = |other: &Item| (self.producer)(*other) == (self.producer)(*item);
                let Some(at) = oldest.clone().position(own) else {
                    return Step::Impossible;
                };
                state.take(at, *item)
            }
            _ => unknown("a relaxed queue", op, ret),
        }
    }

    fn undo(&self, state: &mut Contents, undo: Undo) {
        state.undo(undo);
    }

    fn narrow(&self, history: &History, windows: &mut [Window]) {
        let Some(lives) = Lives::of(history, windows) else {
            return;
        };
        for _ in 0..64 {
            let before = windows.to_vec();
            lives.pushed_before_popped(windows);
            lives.in_order_of_producer(history, self.producer, windows);
            lives.emptiness(history, windows);
            lives.passes_at_most(windows, self.k);
            if windows.iter().any(Window::is_closed) {
                return;
            }
            if windows == before {
                break;
            }
        }
        lives.rank(windows);
    }

    fn is_only_state(&self, state: &Contents) -> bool {
        state.items.len() <= 1
    }
}
