//! The bounded deque from outside: auto traits, a sequential model, many threads.
#![cfg(target_has_atomic = "64")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::deque::Steal;
use engine_queue::deque::bounded::{Stealer, Worker};
use proptest::prelude::*;

#[test]
fn auto_traits() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}

    // An item that is `Send` only: it is handed over, never shared.
    type Item = std::cell::Cell<u8>;
    send::<Worker<Item>>();
    send::<Stealer<Item>>();
    sync::<Stealer<Item>>();
    testkit::not_impl!(Worker<u8>: Sync);
    testkit::not_impl!(Worker<std::rc::Rc<u8>>: Send);
    testkit::not_impl!(Stealer<std::rc::Rc<u8>>: Send);
    testkit::not_impl!(Stealer<std::rc::Rc<u8>>: Sync);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    PushBatch(usize),
    Pop,
    PopBatch(usize),
    PopHalf,
    Steal,
    Batch { limit: usize },
    BatchAndPop { limit: usize },
    PopDest,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Push),
        1 => (0..6_usize).prop_map(Op::PushBatch),
        1 => Just(Op::Pop),
        1 => (0..6_usize).prop_map(Op::PopBatch),
        1 => Just(Op::PopHalf),
        1 => Just(Op::Steal),
        1 => (1..10_usize).prop_map(|limit| Op::Batch { limit }),
        1 => (1..10_usize).prop_map(|limit| Op::BatchAndPop { limit }),
        2 => Just(Op::PopDest),
    ]
}

proptest! {
    /// Alone, it is a `VecDeque` with a bound, and no steal says `Retry`.
    #[test]
    fn behaves_as_a_bounded_vecdeque(
        lifo in any::<bool>(),
        dest_lifo in any::<bool>(),
        capacity in 1..10_usize,
        dest_capacity in 1..10_usize,
        ops in proptest::collection::vec(op(), 0..200),
    ) {
        let new = |lifo, capacity| match lifo {
            true => Worker::new_lifo(capacity),
            false => Worker::new_fifo(capacity),
        };
        let pop = |lifo, model: &mut VecDeque<usize>| match lifo {
            true => model.pop_back(),
            false => model.pop_front(),
        };
        let worker = new(lifo, capacity);
        let stealer = worker.stealer();
        let dest = new(dest_lifo, dest_capacity);
        let mut model = VecDeque::new();
        let mut dest_model = VecDeque::new();
        for (n, op) in ops.into_iter().enumerate() {
            let half = model.len().div_ceil(2);
            let room = dest.capacity() - dest_model.len();
            match op {
                Op::Push if n % 2 == 0 => match worker.push_was_empty(n) {
                    Ok(was_empty) => {
                        prop_assert_eq!(was_empty, model.is_empty());
                        model.push_back(n);
                    }
                    Err(back) => {
                        prop_assert_eq!(back, n);
                        prop_assert_eq!(model.len(), worker.capacity());
                    }
                },
                Op::Push => match worker.push(n) {
                    Ok(()) => model.push_back(n),
                    Err(back) => {
                        prop_assert_eq!(back, n);
                        prop_assert_eq!(model.len(), worker.capacity());
                    }
                },
                Op::PushBatch(count) => {
                    let items: Vec<_> = (0..count).map(|k| n * 10 + k).collect();
                    let mut rest = items.clone();
                    let moved = count.min(worker.capacity() - model.len());
                    prop_assert_eq!(worker.push_batch(&mut rest), moved);
                    prop_assert_eq!(&rest, &items[moved..]);
                    model.extend(&items[..moved]);
                }
                Op::Pop => prop_assert_eq!(worker.pop(), pop(lifo, &mut model)),
                Op::PopBatch(max) => {
                    let mut into = vec![n];
                    let count = worker.pop_batch(&mut into, max);
                    prop_assert_eq!(count, model.len().min(max));
                    prop_assert_eq!(into.len(), 1 + count);
                    for item in &into[1..] {
                        prop_assert_eq!(Some(*item), pop(lifo, &mut model));
                    }
                }
                Op::PopHalf => {
                    let mut into = Vec::new();
                    prop_assert_eq!(worker.pop_half(&mut into), half);
                    prop_assert_eq!(into, model.drain(..half).collect::<Vec<_>>());
                }
                Op::Steal => {
                    let expected = model.pop_front().map_or(Steal::Empty, Steal::Success);
                    prop_assert_eq!(stealer.steal(), expected);
                }
                Op::Batch { limit } => {
                    let moved = half.min(limit).min(room);
                    let expected = if moved == 0 { Steal::Empty } else { Steal::Success(()) };
                    prop_assert_eq!(stealer.steal_batch_with_limit(&dest, limit), expected);
                    let batch: Vec<_> = model.drain(..moved).collect();
                    // Both owners pop the batch in the same order.
                    match lifo == dest_lifo {
                        true => dest_model.extend(batch),
                        false => dest_model.extend(batch.into_iter().rev()),
                    }
                }
                Op::BatchAndPop { limit } => {
                    let moved = half.min(limit).min(room + 1);
                    let mut batch: VecDeque<_> = model.drain(..moved).collect();
                    let expected = pop(lifo, &mut batch).map_or(Steal::Empty, Steal::Success);
                    prop_assert_eq!(stealer.steal_batch_with_limit_and_pop(&dest, limit), expected);
                    match lifo == dest_lifo {
                        true => dest_model.extend(batch),
                        false => dest_model.extend(batch.into_iter().rev()),
                    }
                }
                Op::PopDest => prop_assert_eq!(dest.pop(), pop(dest_lifo, &mut dest_model)),
            }
            prop_assert_eq!(worker.len(), model.len());
            prop_assert_eq!(stealer.len(), model.len());
            prop_assert_eq!(worker.is_empty(), model.is_empty());
            prop_assert_eq!(stealer.is_empty(), model.is_empty());
            prop_assert_eq!(worker.spare_capacity(), worker.capacity() - model.len());
            prop_assert_eq!(dest.len(), dest_model.len());
        }
    }
}

/// Every item reaches one thread, whatever way it takes.
#[test]
fn each_item_once() {
    each_item_once_from(Worker::new_fifo(16));
}

#[test]
fn each_item_once_lifo() {
    each_item_once_from(Worker::new_lifo(16));
}

fn each_item_once_from(worker: Worker<Box<usize>>) {
    const ITEMS: usize = if cfg!(miri) { 300 } else { 100_000 };
    const THIEVES: usize = 3;

    let taken: Vec<AtomicUsize> = (0..ITEMS).map(|_| AtomicUsize::new(0)).collect();
    let done = AtomicBool::new(false);
    // Boxed, so that a doubled item is a double free for the sanitizers too.
    let count = |item: Box<usize>| {
        taken[*item].fetch_add(1, Relaxed);
    };
    thread::scope(|scope| {
        for n in 0..THIEVES {
            let stealer = worker.stealer();
            let (count, done) = (&count, &done);
            scope.spawn(move || {
                let mine = Worker::new_fifo(8);
                loop {
                    // Read before the attempt: empty afterwards means for good.
                    let last = done.load(Acquire);
                    let got = match n {
                        0 => stealer.steal(),
                        1 => stealer.steal_batch_and_pop(&mine),
                        _ => match stealer.steal_batch(&mine) {
                            Steal::Success(()) => mine.pop().map_or(Steal::Empty, Steal::Success),
                            Steal::Empty => Steal::Empty,
                            Steal::Retry => Steal::Retry,
                        },
                    };
                    match got {
                        Steal::Success(item) => count(item),
                        Steal::Empty if last => break,
                        Steal::Empty | Steal::Retry => thread::yield_now(),
                    }
                    while let Some(item) = mine.pop() {
                        count(item);
                    }
                }
            });
        }
        let mut overflow = Vec::new();
        for n in 0..ITEMS {
            let mut item = Box::new(n);
            while let Err(back) = worker.push(item) {
                item = back;
                worker.pop_half(&mut overflow);
                overflow.drain(..).for_each(&count);
                thread::yield_now();
            }
            if n % 7 == 0 {
                worker.pop().into_iter().for_each(&count);
            }
        }
        done.store(true, Release);
    });
    assert!(worker.pop().is_none());
    for (item, count) in taken.iter().enumerate() {
        assert_eq!(count.load(Relaxed), 1, "item {item}");
    }
}
