//! Sequences of operations on two bounded deques and an injector, on one thread,
//! against `VecDeque`.
//!
//! Items are boxes: AddressSanitizer sees one that is dropped twice or used after
//! its drop, LeakSanitizer one that is never dropped.

#![no_main]

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use engine_queue::deque::{
    Injector, Steal,
    bounded::{Stealer, Worker},
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Side {
    Left,
    Right,
}

#[derive(Arbitrary, Debug)]
enum Op {
    Push(Side),
    Pop(Side),
    PopHalf(Side),
    Steal(Side),
    StealBatch {
        from: Side,
        to: Side,
        limit: Option<u8>,
    },
    StealBatchAndPop {
        from: Side,
        to: Side,
        limit: Option<u8>,
    },
    Inject(u8),
    StealInjected,
    StealInjectedBatch {
        to: Side,
        limit: Option<u8>,
    },
    StealInjectedBatchAndPop {
        to: Side,
        limit: Option<u8>,
    },
}

#[derive(Arbitrary, Debug)]
struct Input {
    capacities: [u8; 2],
    ops: Vec<Op>,
}

type Item = Box<u32>;

/// A deque, and what must be in it.
struct Pair {
    worker: Worker<Item>,
    stealer: Stealer<Item>,
    model: VecDeque<u32>,
}

impl Pair {
    fn new(capacity: u8) -> Self {
        let worker = Worker::new_fifo(usize::from(capacity % 16) + 1);
        let stealer = worker.stealer();
        let model = VecDeque::new();
        Self {
            worker,
            stealer,
            model,
        }
    }

    fn room(&self) -> usize {
        self.worker.capacity() - self.model.len()
    }

    fn check(&self) {
        assert_eq!(self.worker.len(), self.model.len());
        assert_eq!(self.stealer.len(), self.model.len());
        assert_eq!(self.worker.is_empty(), self.model.is_empty());
        assert_eq!(self.worker.spare_capacity(), self.room());
    }
}

/// The older half, rounded up.
fn half(len: usize) -> usize {
    len - len / 2
}

/// What was stolen; nobody else is here, so `Retry` would be a lie.
fn done<T>(steal: Steal<T>) -> Option<T> {
    assert!(!steal.is_retry(), "retry, with one thread");
    steal.success()
}

fn limit(limit: Option<u8>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::from(limit % 8) + 1)
}

struct Machine {
    pairs: [Pair; 2],
    injector: Injector<Item>,
    injected: VecDeque<u32>,
    next: u32,
}

impl Machine {
    fn item(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn pair(&mut self, side: Side) -> &mut Pair {
        &mut self.pairs[side as usize]
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Push(side) => {
                let item = self.item();
                let pair = self.pair(side);
                match pair.worker.push(Box::new(item)) {
                    Ok(()) => pair.model.push_back(item),
                    Err(back) => {
                        assert_eq!(*back, item);
                        assert_eq!(pair.room(), 0, "refused, with room");
                    }
                }
            }
            Op::Pop(side) => {
                let pair = self.pair(side);
                assert_eq!(pair.worker.pop().map(|item| *item), pair.model.pop_front());
            }
            Op::PopHalf(side) => {
                let pair = self.pair(side);
                let mut taken = Vec::new();
                let count = pair.worker.pop_half(&mut taken);
                assert_eq!(count, half(pair.model.len()));
                assert!(
                    taken
                        .iter()
                        .map(|item| **item)
                        .eq(pair.model.drain(..count))
                );
            }
            Op::Steal(side) => {
                let pair = self.pair(side);
                let stolen = done(pair.stealer.steal());
                assert_eq!(stolen.map(|item| *item), pair.model.pop_front());
            }
            Op::StealBatch { from, to, limit } => self.steal_batch(from, to, limit),
            Op::StealBatchAndPop { from, to, limit } => self.steal_batch_and_pop(from, to, limit),
            Op::Inject(count) => {
                let items: Vec<u32> = (0..count % 40).map(|_| self.item()).collect();
                self.injected.extend(&items);
                let items = items.into_iter().map(Box::new);
                if count % 2 == 0 {
                    self.injector.push_batch(items.collect());
                } else {
                    items.for_each(|item| self.injector.push(item));
                }
            }
            Op::StealInjected => {
                let stolen = done(self.injector.steal());
                assert_eq!(stolen.map(|item| *item), self.injected.pop_front());
            }
            Op::StealInjectedBatch { to, limit } => self.steal_injected_batch(to, limit),
            Op::StealInjectedBatchAndPop { to, limit } => {
                self.steal_injected_batch_and_pop(to, limit);
            }
        }
        self.pairs.iter().for_each(Pair::check);
        assert_eq!(self.injector.len(), self.injected.len());
        assert_eq!(self.injector.is_empty(), self.injected.is_empty());
    }

    fn steal_batch(&mut self, from: Side, to: Side, most: Option<u8>) {
        let (source, target) = (&self.pairs[from as usize], &self.pairs[to as usize]);
        let stolen = done(match most {
            None => source.stealer.steal_batch(&target.worker),
            Some(_) => source
                .stealer
                .steal_batch_with_limit(&target.worker, limit(most)),
        });
        let (had, room) = (source.model.len(), target.room());
        if from as usize == to as usize {
            assert_eq!(stolen.is_some(), had > 0);
            return;
        }
        let count = half(had).min(room).min(limit(most));
        assert_eq!(stolen.is_some(), count > 0);
        self.move_over(from, to, count);
    }

    fn steal_batch_and_pop(&mut self, from: Side, to: Side, most: Option<u8>) {
        let (source, target) = (&self.pairs[from as usize], &self.pairs[to as usize]);
        let stolen = done(match most {
            None => source.stealer.steal_batch_and_pop(&target.worker),
            Some(_) => source
                .stealer
                .steal_batch_with_limit_and_pop(&target.worker, limit(most)),
        });
        let (had, room) = (source.model.len(), target.room());
        assert_eq!(stolen.map(|item| *item), self.pair(from).model.pop_front());
        if had > 0 && from as usize != to as usize {
            let count = (half(had) - 1).min(room).min(limit(most) - 1);
            self.move_over(from, to, count);
        }
    }

    fn move_over(&mut self, from: Side, to: Side, count: usize) {
        let moved: Vec<u32> = self.pair(from).model.drain(..count).collect();
        self.pair(to).model.extend(moved);
    }

    fn steal_injected_batch(&mut self, to: Side, most: Option<u8>) {
        let target = &self.pairs[to as usize];
        let can_move = !self.injected.is_empty() && target.room() > 0;
        let stolen = done(match most {
            None => self.injector.steal_batch(&target.worker),
            Some(_) => self
                .injector
                .steal_batch_with_limit(&target.worker, limit(most)),
        });
        assert_eq!(stolen.is_some(), can_move);
        let moved = self.move_injected(to, limit(most));
        assert_eq!(moved > 0, can_move);
    }

    fn steal_injected_batch_and_pop(&mut self, to: Side, most: Option<u8>) {
        let target = &self.pairs[to as usize];
        let stolen = done(match most {
            None => self.injector.steal_batch_and_pop(&target.worker),
            Some(_) => self
                .injector
                .steal_batch_with_limit_and_pop(&target.worker, limit(most)),
        });
        assert_eq!(stolen.map(|item| *item), self.injected.pop_front());
        self.move_injected(to, limit(most) - 1);
    }

    /// How many went is the injector's choice; that it is the oldest ones, in order,
    /// within the limit and the room, is not.
    fn move_injected(&mut self, to: Side, most: usize) -> usize {
        let pair = &self.pairs[to as usize];
        let moved = pair.worker.len() - pair.model.len();
        assert!(moved <= most, "over the limit");
        let items: Vec<u32> = self.injected.drain(..moved).collect();
        self.pair(to).model.extend(items);
        moved
    }
}

fuzz_target!(|input: Input| {
    let mut machine = Machine {
        pairs: input.capacities.map(Pair::new),
        injector: Injector::new(),
        injected: VecDeque::new(),
        next: 0,
    };
    for op in &input.ops {
        machine.apply(op);
    }
    // The order of what is left; the rest is dropped inside.
    for pair in &mut machine.pairs {
        while pair.model.len() > 2 {
            assert_eq!(pair.worker.pop().map(|item| *item), pair.model.pop_front());
        }
    }
});
