//! `SegQueue` from outside: auto traits, the names of crossbeam's, a sequential
//! model, many threads.

mod exchange;

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::SegQueue;
use proptest::prelude::*;

const ITEMS: usize = if cfg!(miri) { 50 } else { 8_000 };

#[test]
fn auto_traits() {
    fn all<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}

    // An item that is `Send` only: it is handed over, never shared.
    all::<SegQueue<Cell<u8>>>();
    testkit::not_impl!(SegQueue<Rc<u8>>: Send);
    testkit::not_impl!(SegQueue<Rc<u8>>: Sync);
}

#[test]
fn the_names_of_crossbeam() {
    static QUEUE: SegQueue<u8> = SegQueue::new();
    QUEUE.push(1);
    assert_eq!(QUEUE.pop(), Some(1));

    let mut queue: SegQueue<u8> = SegQueue::default();
    assert!(queue.is_empty());
    queue.push(1);
    queue.push_mut(2);
    queue.push(3);
    assert_eq!(queue.len(), 3);
    assert_eq!(queue.pop(), Some(1));
    assert_eq!(queue.pop_mut(), Some(2));
    let items: engine_queue::seg_queue::IntoIter<u8> = queue.into_iter();
    assert_eq!(items.collect::<Vec<_>>(), [3]);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    PushMut,
    PushBatch(usize),
    Pop,
    PopMut,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Push),
        4 => Just(Op::PushMut),
        1 => (0..70_usize).prop_map(Op::PushBatch),
        10 => Just(Op::Pop),
        10 => Just(Op::PopMut),
    ]
}

proptest! {
    /// Alone, it is a `VecDeque`.
    #[test]
    fn behaves_as_a_vecdeque(ops in proptest::collection::vec(op(), 0..400)) {
        let mut queue = SegQueue::new();
        let mut model = VecDeque::new();
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Push => {
                    queue.push(n);
                    model.push_back(n);
                }
                Op::PushMut => {
                    queue.push_mut(n);
                    model.push_back(n);
                }
                Op::PushBatch(len) => {
                    queue.push_batch(&mut vec![n; len]).unwrap();
                    model.extend(vec![n; len]);
                }
                Op::Pop => prop_assert_eq!(queue.pop(), model.pop_front()),
                Op::PopMut => prop_assert_eq!(queue.pop_mut(), model.pop_front()),
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
        }
        prop_assert!(queue.into_iter().eq(model));
    }
}

/// One producer pushes batches.
#[test]
fn each_item_once_and_in_order() {
    let queue = SegQueue::new();
    let produce = |producer| {
        let mut n = 0;
        while n < ITEMS {
            if producer == 0 {
                let end = (n + n % 50 + 1).min(ITEMS);
                let mut items = (n..end).map(|n| Box::new((producer, n))).collect();
                queue.push_batch(&mut items).unwrap();
                n = end;
            } else {
                queue.push(Box::new((producer, n)));
                n += 1;
            }
        }
    };
    exchange::each_once_and_in_order(ITEMS, produce, || queue.pop());
    assert!(queue.is_empty());
}

/// Each thread pops after its own push: then something is there, whoever pushed it.
#[test]
fn a_push_is_seen_by_the_next_pop() {
    let queue = SegQueue::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..ITEMS {
                    queue.push(n);
                    queue.pop().unwrap();
                }
            });
        }
    });
    assert!(queue.is_empty());
}

#[test]
fn every_item_is_dropped() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    let dropped = AtomicUsize::new(0);
    let queue = SegQueue::new();
    thread::scope(|scope| {
        scope.spawn(|| (0..ITEMS).for_each(|_| queue.push(Counted(&dropped))));
        scope.spawn(|| (0..ITEMS).for_each(|_| drop(queue.pop())));
    });
    drop(queue);
    assert_eq!(dropped.load(Relaxed), ITEMS);
}
