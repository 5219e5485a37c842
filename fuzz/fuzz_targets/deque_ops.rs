//! Sequences of operations on two bounded deques, two unbounded ones and an injector, on
//! one thread, against `VecDeque`.
//!
//! Items are boxes: AddressSanitizer sees one that is dropped twice or used after
//! its drop, LeakSanitizer one that is never dropped.

#![no_main]

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use engine_queue::deque::{
    self, Injector, Steal,
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
    PushBatch(Side, u8),
    Pop(Side),
    PopBatch(Side, u8),
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
    Unbounded(Side, UnboundedOp),
}

/// What is done to one of the unbounded deques; the other is the destination.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum UnboundedOp {
    Push(u8),
    Pop(u8),
    Steal,
    StealBatch {
        limit: Option<u8>,
    },
    StealBatchAndPop {
        limit: Option<u8>,
    },
    StealInjected {
        and_pop: bool,
    },
    /// Its handles but a stealer go; the rest of the items are stolen.
    Orphan,
}

#[derive(Arbitrary, Debug)]
struct Input {
    capacities: [u8; 2],
    lifo: [bool; 4],
    ops: Vec<Op>,
}

type Item = Box<u32>;

/// A deque, and what must be in it.
struct Pair {
    worker: Worker<Item>,
    stealer: Stealer<Item>,
    model: VecDeque<u32>,
    lifo: bool,
}

/// What an owner pops.
fn pop(model: &mut VecDeque<u32>, lifo: bool) -> Option<u32> {
    match lifo {
        true => model.pop_back(),
        false => model.pop_front(),
    }
}

/// Puts a batch that came from the other end, so that both owners pop it in one order.
fn put(model: &mut VecDeque<u32>, batch: impl DoubleEndedIterator<Item = u32>, same: bool) {
    match same {
        true => model.extend(batch),
        false => model.extend(batch.rev()),
    }
}

impl Pair {
    fn new(capacity: u8, lifo: bool) -> Self {
        let capacity = usize::from(capacity % 16) + 1;
        let worker = match lifo {
            true => Worker::new_lifo(capacity),
            false => Worker::new_fifo(capacity),
        };
        let stealer = worker.stealer();
        let model = VecDeque::new();
        Self {
            worker,
            stealer,
            model,
            lifo,
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

/// An unbounded deque, and what must be in it.
struct Unbounded {
    worker: deque::Worker<Item>,
    stealer: deque::Stealer<Item>,
    model: VecDeque<u32>,
    lifo: bool,
}

impl Unbounded {
    fn new(lifo: bool) -> Self {
        let worker = match lifo {
            true => deque::Worker::new_lifo(),
            false => deque::Worker::new_fifo(),
        };
        Self {
            stealer: worker.stealer(),
            worker,
            model: VecDeque::new(),
            lifo,
        }
    }
}

struct Machine {
    pairs: [Pair; 2],
    unbounded: [Unbounded; 2],
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
            Op::PushBatch(side, count) => {
                let items: Vec<u32> = (0..count % 20).map(|_| self.item()).collect();
                let pair = self.pair(side);
                let moved = items.len().min(pair.room());
                let mut boxes: Vec<Item> = items.iter().copied().map(Box::new).collect();
                assert_eq!(pair.worker.push_batch(&mut boxes), moved);
                assert!(
                    boxes
                        .iter()
                        .map(|item| **item)
                        .eq(items[moved..].iter().copied())
                );
                pair.model.extend(&items[..moved]);
            }
            Op::Pop(side) => {
                let pair = self.pair(side);
                let expected = pop(&mut pair.model, pair.lifo);
                assert_eq!(pair.worker.pop().map(|item| *item), expected);
            }
            Op::PopBatch(side, max) => {
                let pair = self.pair(side);
                let mut taken = Vec::new();
                let count = pair.worker.pop_batch(&mut taken, usize::from(max % 20));
                assert_eq!(count, pair.model.len().min(usize::from(max % 20)));
                assert_eq!(taken.len(), count);
                for item in taken {
                    assert_eq!(Some(*item), pop(&mut pair.model, pair.lifo));
                }
            }
            Op::Unbounded(side, op) => self.unbounded(side, op),
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
                    self.injector.push_batch(&mut items.collect());
                } else {
                    items.for_each(|item| self.injector.push(item));
                }
            }
            Op::StealInjected => {
                let stolen = done(self.injector.steal());
                assert_eq!(stolen.map(|item| *item), self.injected.pop_front());
            }
            Op::StealInjectedBatch { to, limit } => self.steal_injected(to, limit, false),
            Op::StealInjectedBatchAndPop { to, limit } => self.steal_injected(to, limit, true),
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
        let lifo = source.lifo;
        if from as usize == to as usize {
            let expected = pop(&mut self.pair(from).model, lifo);
            assert_eq!(stolen.map(|item| *item), expected);
            return;
        }
        let count = half(had).min(room + 1).min(limit(most));
        // A LIFO owner's batch gives the newest of it, which is the last claimed.
        let mut batch: VecDeque<u32> = self.pair(from).model.drain(..count).collect();
        assert_eq!(stolen.map(|item| *item), pop(&mut batch, lifo));
        let to = self.pair(to);
        put(&mut to.model, batch.into_iter(), to.lifo == lifo);
    }

    fn move_over(&mut self, from: Side, to: Side, count: usize) {
        let moved: Vec<u32> = self.pair(from).model.drain(..count).collect();
        let lifo = self.pair(from).lifo;
        let to = self.pair(to);
        put(&mut to.model, moved.into_iter(), to.lifo == lifo);
    }

    fn unbounded(&mut self, side: Side, op: UnboundedOp) {
        let [left, right] = &mut self.unbounded;
        let (this, dest) = match side {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        match op {
            UnboundedOp::Push(count) => {
                for _ in 0..count {
                    self.next += 1;
                    this.worker.push(Box::new(self.next));
                    this.model.push_back(self.next);
                }
            }
            UnboundedOp::Pop(count) => {
                for _ in 0..count {
                    let expected = pop(&mut this.model, this.lifo);
                    assert_eq!(this.worker.pop().map(|item| *item), expected);
                }
            }
            UnboundedOp::Steal => {
                let stolen = done(this.stealer.steal());
                assert_eq!(stolen.map(|item| *item), this.model.pop_front());
            }
            UnboundedOp::StealBatch { limit: most } => {
                let stolen = done(match most {
                    None => this.stealer.steal_batch(&dest.worker),
                    Some(_) => this
                        .stealer
                        .steal_batch_with_limit(&dest.worker, limit(most)),
                });
                let count = half(this.model.len()).min(most.map_or(32, |_| limit(most)));
                assert_eq!(stolen.is_some(), count > 0);
                put(
                    &mut dest.model,
                    this.model.drain(..count),
                    this.lifo == dest.lifo,
                );
            }
            UnboundedOp::StealBatchAndPop { limit: most } => {
                let stolen = done(match most {
                    None => this.stealer.steal_batch_and_pop(&dest.worker),
                    Some(_) => this
                        .stealer
                        .steal_batch_with_limit_and_pop(&dest.worker, limit(most)),
                });
                let count = half(this.model.len()).min(most.map_or(32, |_| limit(most)));
                let mut batch: VecDeque<u32> = this.model.drain(..count).collect();
                assert_eq!(stolen.map(|item| *item), pop(&mut batch, this.lifo));
                put(&mut dest.model, batch.into_iter(), this.lifo == dest.lifo);
            }
            UnboundedOp::StealInjected { and_pop } => {
                let before = this.worker.len();
                match and_pop {
                    true => {
                        let stolen = done(self.injector.steal_batch_and_pop(&this.worker));
                        assert_eq!(stolen.map(|item| *item), self.injected.pop_front());
                    }
                    false => {
                        let stolen = done(self.injector.steal_batch(&this.worker));
                        assert_eq!(stolen.is_some(), !self.injected.is_empty());
                    }
                }
                let moved = this.worker.len() - before;
                put(&mut this.model, self.injected.drain(..moved), !this.lifo);
            }
            UnboundedOp::Orphan => {
                let old = std::mem::replace(this, Unbounded::new(this.lifo));
                drop(old.worker);
                for item in old.model {
                    assert_eq!(done(old.stealer.steal()).map(|item| *item), Some(item));
                    if item % 8 == 0 {
                        // The rest is dropped with the last handle.
                        return;
                    }
                }
                assert!(old.stealer.is_empty());
            }
        }
        for deque in &self.unbounded {
            assert_eq!(deque.worker.len(), deque.model.len());
            assert_eq!(deque.stealer.len(), deque.model.len());
            assert_eq!(deque.stealer.is_empty(), deque.model.is_empty());
        }
    }

    /// How many go is the injector's choice; that it is the oldest ones, in order,
    /// within the limit and the room, is not.
    fn steal_injected(&mut self, to: Side, most: Option<u8>, and_pop: bool) {
        let target = &self.pairs[to as usize];
        let (had, before, room) = (self.injected.len(), target.model.len(), target.room());
        let mut returned = 0;
        if and_pop {
            let stolen = done(match most {
                None => self.injector.steal_batch_and_pop(&target.worker),
                Some(_) => self
                    .injector
                    .steal_batch_with_limit_and_pop(&target.worker, limit(most)),
            });
            assert_eq!(stolen.map(|item| *item), self.injected.pop_front());
            returned = usize::from(had > 0);
        } else {
            let stolen = done(match most {
                None => self.injector.steal_batch(&target.worker),
                Some(_) => self
                    .injector
                    .steal_batch_with_limit(&target.worker, limit(most)),
            });
            assert_eq!(stolen.is_some(), had > 0 && room > 0);
        }
        let moved = target.worker.len() - before;
        assert!(moved + returned <= limit(most), "over the limit");
        assert!(and_pop || moved > 0 || had == 0 || room == 0);
        let moved: Vec<u32> = self.injected.drain(..moved).collect();
        let to = self.pair(to);
        put(&mut to.model, moved.into_iter(), !to.lifo);
    }
}

fuzz_target!(|input: Input| {
    let mut machine = Machine {
        pairs: [0, 1].map(|n| Pair::new(input.capacities[n], input.lifo[n])),
        unbounded: [2, 3].map(|n| Unbounded::new(input.lifo[n])),
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
            let expected = pop(&mut pair.model, pair.lifo);
            assert_eq!(pair.worker.pop().map(|item| *item), expected);
        }
    }
});
