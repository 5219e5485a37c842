//! `ArrayQueue` from outside: auto traits, the names of crossbeam's, a sequential
//! model, many threads.

mod exchange;

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::ArrayQueue;
use proptest::prelude::*;

const ITEMS: usize = if cfg!(miri) { 50 } else { 4_000 };

#[test]
fn auto_traits() {
    fn all<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}

    // An item that is `Send` only: it is handed over, never shared.
    all::<ArrayQueue<Cell<u8>>>();
    testkit::not_impl!(ArrayQueue<Rc<u8>>: Send);
    testkit::not_impl!(ArrayQueue<Rc<u8>>: Sync);
}

#[test]
fn the_names_of_crossbeam() {
    let mut queue: ArrayQueue<u8> = ArrayQueue::new(3);
    assert_eq!(queue.capacity(), 3);
    assert!(queue.is_empty() && !queue.is_full());
    assert_eq!(queue.push(1), Ok(()));
    assert_eq!(queue.push_mut(2), Ok(()));
    assert_eq!(queue.force_push(3), None);
    assert!(queue.is_full() && !queue.is_empty());
    assert_eq!(queue.push(4), Err(4));
    assert_eq!(queue.push_mut(4), Err(4));
    assert_eq!(queue.force_push(4), Some(1));
    assert_eq!(queue.pop(), Some(2));
    assert_eq!(queue.pop_mut(), Some(3));
    assert_eq!(queue.len(), 1);
    let items: engine_queue::array_queue::IntoIter<u8> = queue.into_iter();
    assert_eq!(items.collect::<Vec<_>>(), [4]);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    PushMut,
    ForcePush,
    Pop,
    PopMut,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Push),
        1 => Just(Op::PushMut),
        1 => Just(Op::ForcePush),
        3 => Just(Op::Pop),
        1 => Just(Op::PopMut),
    ]
}

proptest! {
    /// Alone, it is a `VecDeque` with a bound.
    #[test]
    fn behaves_as_a_bounded_vecdeque(
        capacity in 1..9_usize,
        ops in proptest::collection::vec(op(), 0..200),
    ) {
        let mut queue = ArrayQueue::new(capacity);
        let mut model = VecDeque::new();
        for (n, op) in ops.into_iter().enumerate() {
            let full = model.len() == capacity;
            match op {
                Op::Push | Op::PushMut => {
                    let pushed = match op {
                        Op::Push => queue.push(n),
                        _ => queue.push_mut(n),
                    };
                    prop_assert_eq!(pushed, if full { Err(n) } else { Ok(()) });
                    if !full {
                        model.push_back(n);
                    }
                }
                Op::ForcePush => {
                    let oldest = if full { model.pop_front() } else { None };
                    prop_assert_eq!(queue.force_push(n), oldest);
                    model.push_back(n);
                }
                Op::Pop => prop_assert_eq!(queue.pop(), model.pop_front()),
                Op::PopMut => prop_assert_eq!(queue.pop_mut(), model.pop_front()),
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(queue.is_full(), model.len() == capacity);
        }
        prop_assert!(queue.into_iter().eq(model));
    }
}

#[test]
fn each_item_once_and_in_order() {
    for capacity in [1, 2, 3, 64] {
        let queue = ArrayQueue::new(capacity);
        let produce = |producer| {
            for n in 0..ITEMS {
                let mut item = Box::new((producer, n));
                while let Err(back) = queue.push(item) {
                    item = back;
                    thread::yield_now();
                }
            }
        };
        exchange::each_once_and_in_order(ITEMS, produce, || {
            let len = queue.len();
            assert!(len <= capacity, "{len}");
            queue.pop()
        });
        assert!(queue.is_empty());
    }
}

/// Each thread pops after its own push, so there is room and there are items.
#[test]
fn neither_full_nor_empty_by_mistake() {
    let queue = ArrayQueue::new(4);
    thread::scope(|scope| {
        for thread in 0..4 {
            let queue = &queue;
            scope.spawn(move || {
                for n in 0..ITEMS {
                    if (thread + n) % 2 == 0 {
                        queue.push(n).unwrap();
                    } else {
                        assert_eq!(queue.force_push(n), None);
                    }
                    queue.pop().unwrap();
                }
            });
        }
    });
    assert!(queue.is_empty());
}

/// As a buffer of the newest: what is turned out, popped and left is all there was.
#[test]
fn force_push_loses_nothing() {
    const THREADS: usize = 3;

    for capacity in [1, 3] {
        let queue = ArrayQueue::new(capacity);
        let seen: Vec<AtomicUsize> = (0..THREADS * ITEMS).map(|_| AtomicUsize::new(0)).collect();
        let see = |item: Option<Box<usize>>| {
            if let Some(item) = item {
                seen[*item].fetch_add(1, Relaxed);
            }
        };
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (queue, see) = (&queue, &see);
                scope.spawn(move || {
                    for n in thread * ITEMS..(thread + 1) * ITEMS {
                        see(queue.force_push(Box::new(n)));
                        if n % 5 == 0 {
                            see(queue.pop());
                        }
                    }
                });
            }
        });
        for item in queue {
            see(Some(item));
        }
        assert!(seen.iter().all(|count| count.load(Relaxed) == 1));
    }
}

/// Eight threads for each processor, so that most are off it at any time, also between a
/// claim and its end.
#[test]
fn oversubscribed() {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let (producers, consumers, items) = match cfg!(miri) {
        true => (3, 3, 30),
        false => (4 * processors, 4 * processors, ITEMS / 4),
    };
    for capacity in [1, 3, 64] {
        let queue = ArrayQueue::new(capacity);
        let working = AtomicUsize::new(producers);
        let produce = |producer: usize| {
            let mut items: Vec<_> = (0..items).map(|n| Box::new((producer, n))).collect();
            if producer.is_multiple_of(2) {
                while queue.push_batch(&mut items).is_err() {
                    thread::yield_now();
                }
            } else {
                for mut item in items {
                    while let Err(back) = queue.push(item) {
                        item = back;
                        thread::yield_now();
                    }
                }
            }
            working.fetch_sub(1, Release);
        };
        let consume = |consumer: usize| {
            let (mut taken, mut batch) = (Vec::new(), Vec::new());
            loop {
                // Before the pop: nothing then means nothing any more.
                let last = working.load(Acquire) == 0;
                if consumer.is_multiple_of(2) {
                    queue.pop_batch(&mut batch, 5);
                } else {
                    batch.extend(queue.pop());
                }
                match batch.is_empty() {
                    true if last => return taken,
                    true => thread::yield_now(),
                    false => taken.extend(batch.drain(..).map(|item| *item)),
                }
            }
        };
        let taken: Vec<Vec<(usize, usize)>> = thread::scope(|scope| {
            let (produce, consume) = (&produce, &consume);
            (0..producers).for_each(|n| drop(scope.spawn(move || produce(n))));
            let consumers: Vec<_> = (0..consumers)
                .map(|n| scope.spawn(move || consume(n)))
                .collect();
            let taken = consumers.into_iter().map(|thread| thread.join().unwrap());
            taken.collect()
        });
        for taken in &taken {
            for producer in 0..producers {
                let mine = taken.iter().filter(|item| item.0 == producer);
                assert!(mine.is_sorted(), "items of one producer out of order");
            }
        }
        let mut all = taken.concat();
        all.sort_unstable();
        let pushed = (0..producers).flat_map(|producer| (0..items).map(move |n| (producer, n)));
        assert!(all.into_iter().eq(pushed), "not each item once");
    }
}
