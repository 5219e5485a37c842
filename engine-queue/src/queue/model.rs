//! Models of closing, of each queue.
//!
//! Where a queue changes a block, or a `force_push` moves both ends, the state before is
//! such that the last push does it.

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check, check_large};

use super::Queue;
use crate::{ArrayQueue, PopError, PushError, SegQueue};

type Item = usize;

/// Pops until there will be no more.
fn take_all(queue: &impl Queue<Item = Item>) -> Vec<Item> {
    let mut taken = Vec::new();
    loop {
        match queue.try_pop() {
            Ok(item) => taken.push(item),
            Err(PopError::Closed) => return taken,
            Err(PopError::Empty) => thread::yield_now(),
        }
    }
}

/// One pushes, one closes, one takes all that there ever is: what was pushed, and no more.
fn close_meets_push<Q>(queue: Q, before: &[Item])
where
    Q: Queue<Item = Item> + Send + Sync + 'static,
{
    let queue = Arc::new(queue);
    let pusher = {
        let queue = queue.clone();
        thread::spawn(move || queue.try_push(7))
    };
    let taker = {
        let queue = queue.clone();
        thread::spawn(move || take_all(&*queue))
    };
    assert!(queue.close());
    let mut all = before.to_vec();
    match pusher.join().unwrap() {
        Ok(()) => all.push(7),
        Err(PushError::Closed(7)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(taker.join().unwrap(), all);
    assert!(queue.is_closed() && !queue.close());
    assert_eq!(queue.try_push(8), Err(PushError::Closed(8)));
    assert_eq!(queue.try_pop(), Err(PopError::Closed));
}

#[test]
fn close_meets_array_push() {
    check("close_meets_array_push", Budget::preemptions(3), || {
        close_meets_push(ArrayQueue::new(1), &[]);
    });
}

#[test]
fn close_meets_first_seg_push() {
    check("close_meets_first_seg_push", Budget::preemptions(2), || {
        close_meets_push(SegQueue::new(), &[]);
    });
}

/// The push takes the last slot of a block, and installs the next one.
#[test]
fn close_meets_a_change_of_block() {
    check(
        "close_meets_a_change_of_block",
        Budget::preemptions(2),
        || {
            let queue = SegQueue::new();
            queue.push(0);
            queue.push(1);
            close_meets_push(queue, &[0, 1]);
        },
    );
}

/// The queue is full: a `force_push` moves the head first, and then the tail.
#[test]
fn close_meets_force_push() {
    check("close_meets_force_push", Budget::preemptions(3), || {
        let queue = Arc::new(ArrayQueue::new(1));
        queue.push(0).unwrap();
        let forcer = {
            let queue = queue.clone();
            thread::spawn(move || queue.force_push(7))
        };
        let taker = {
            let queue = queue.clone();
            thread::spawn(move || take_all(&*queue))
        };
        assert!(queue.close());
        let (forced, taken) = (forcer.join().unwrap(), taker.join().unwrap());
        match forced {
            // It came too late, and hands its own item back.
            Some(7) => assert_eq!(taken, [0]),
            Some(0) => assert_eq!(taken, [7]),
            None => assert_eq!(taken, [0, 7]),
            Some(other) => panic!("{other}"),
        }
    });
}

/// Who sees a queue closed sees what the closer did before.
fn close_publishes<Q: Queue<Item = Item> + Send + Sync + 'static>(queue: Q) {
    struct World<Q>(Q, UnsafeCell<usize>);

    // SAFETY: the cell is written before the close and read after it was seen; the checkers
    // verify it.
    unsafe impl<Q: Sync> Sync for World<Q> {}
    // SAFETY: plain data.
    unsafe impl<Q: Send> Send for World<Q> {}

    let world = Arc::new(World(queue, UnsafeCell::new(0)));
    let other = {
        let world = world.clone();
        thread::spawn(move || {
            if world.0.is_closed() {
                // SAFETY: written before the close.
                assert_eq!(world.1.with(|cell| unsafe { *cell }), 1);
            }
        })
    };
    // SAFETY: nobody reads before the close.
    world.1.with_mut(|cell| unsafe { *cell = 1 });
    world.0.close();
    other.join().unwrap();
}

#[test]
fn array_close_publishes() {
    check("array_close_publishes", Budget::exhaustive(), || {
        close_publishes(ArrayQueue::new(1));
    });
}

#[test]
fn seg_close_publishes() {
    check("seg_close_publishes", Budget::exhaustive(), || {
        close_publishes(SegQueue::new());
    });
}

/// Several push, one closes in the middle, several take.
fn many_and_a_close<Q: Queue<Item = Item> + Send + Sync + 'static>(queue: Q) {
    let queue = Arc::new(queue);
    let pushers: Vec<_> = (0..3)
        .map(|n| {
            let queue = queue.clone();
            thread::spawn(move || {
                let mut pushed = vec![];
                for item in n * 10..n * 10 + 5 {
                    loop {
                        match queue.try_push(item) {
                            Ok(()) => break pushed.push(item),
                            Err(PushError::Full(_)) => thread::yield_now(),
                            Err(PushError::Closed(_)) => return pushed,
                        }
                    }
                }
                pushed
            })
        })
        .collect();
    let takers: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            thread::spawn(move || take_all(&*queue))
        })
        .collect();
    let closer = thread::spawn({
        let queue = queue.clone();
        move || {
            thread::yield_now();
            assert!(queue.close());
        }
    });
    let join = |threads: Vec<thread::JoinHandle<Vec<Item>>>| {
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        let mut all = results.collect::<Vec<_>>().concat();
        all.sort_unstable();
        all
    };
    assert_eq!(join(pushers), join(takers));
    closer.join().unwrap();
}

#[test]
fn many_and_an_array_close() {
    check_large("many_and_an_array_close", Budget::default(), || {
        many_and_a_close(ArrayQueue::new(2));
    });
}

#[test]
fn many_and_a_seg_close() {
    check_large("many_and_a_seg_close", Budget::default(), || {
        many_and_a_close(SegQueue::new());
    });
}
