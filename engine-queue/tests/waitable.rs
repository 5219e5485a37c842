//! Waiting, on real threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use engine_queue::{ArrayQueue, PopError, PushError, Queue, SegQueue, Waitable};

mod wakers;

use wakers::{Woken, as_inside, block_on, poll};

/// Every item gets through, whoever waits in which way.
fn all_get_through(queue: impl Queue<Item = usize> + Sync) {
    const EACH: usize = 2_000;

    let queue = Waitable::new(queue);
    let sum = AtomicUsize::new(0);
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (queue, sum, count) = (&queue, &sum, &count);
        for way in 0..3 {
            scope.spawn(move || {
                while let Some(item) = match way {
                    0 => queue.pop_wait(),
                    1 => block_on(queue.pop()),
                    _ => loop {
                        match queue.pop_timeout(Duration::from_micros(50)) {
                            Ok(item) => break Some(item),
                            Err(PopError::Closed) => break None,
                            Err(PopError::Empty) => {}
                        }
                    },
                } {
                    sum.fetch_add(item, Relaxed);
                    count.fetch_add(1, Relaxed);
                }
            });
        }
        let producers: Vec<_> = (0..3)
            .map(|way| {
                scope.spawn(move || {
                    for mut item in 0..EACH {
                        match way {
                            0 => queue.push_wait(item).unwrap(),
                            1 => block_on(queue.push(item)).unwrap(),
                            _ => {
                                let timeout = Duration::from_micros(50);
                                while let Err(error) = queue.push_timeout(item, timeout) {
                                    assert!(error.is_full());
                                    item = error.into_inner();
                                }
                            }
                        }
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        assert!(queue.close());
    });
    assert_eq!(count.into_inner(), 3 * EACH);
    assert_eq!(sum.into_inner(), 3 * (0..EACH).sum::<usize>());
}

#[test]
fn all_get_through_one_slot() {
    all_get_through(ArrayQueue::new(1));
}

#[test]
fn all_get_through_some_slots() {
    all_get_through(ArrayQueue::new(7));
}

#[test]
fn all_get_through_an_unbounded_queue() {
    all_get_through(SegQueue::new());
}

#[test]
fn timeouts_of_every_length() {
    let queue = Waitable::new(ArrayQueue::new(1));
    let past = Instant::now().checked_sub(Duration::from_secs(1));
    assert_eq!(queue.pop_timeout(Duration::ZERO), Err(PopError::Empty));
    if let Some(past) = past {
        assert_eq!(queue.pop_until(past), Err(PopError::Empty));
    }
    let start = Instant::now();
    let short = Duration::from_millis(5);
    assert_eq!(queue.pop_timeout(short), Err(PopError::Empty));
    assert!(start.elapsed() >= short);

    queue.try_push(1).unwrap();
    assert_eq!(
        queue.push_timeout(2, Duration::ZERO),
        Err(PushError::Full(2))
    );
    if let Some(past) = past {
        assert_eq!(queue.push_until(2, past), Err(PushError::Full(2)));
        // What is there is taken whatever the time.
        assert_eq!(queue.pop_until(past), Ok(1));
        assert_eq!(queue.push_until(1, past), Ok(()));
    }
    // Beyond the clock: no limit.
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(queue.push_timeout(2, Duration::MAX), Ok(())));
        assert_eq!(queue.pop_timeout(Duration::MAX), Ok(1));
    });
    assert_eq!(queue.pop_timeout(Duration::MAX), Ok(2));
}

#[test]
fn what_is_left_comes_before_the_end() {
    let queue = Waitable::new(SegQueue::new());
    queue.push_wait(1).unwrap();
    queue.push_wait(2).unwrap();
    assert!(queue.close() && !queue.close() && queue.is_closed());
    assert_eq!(queue.push_wait(3), Err(3));
    assert_eq!(block_on(queue.push(3)), Err(3));
    assert_eq!(queue.try_push(3), Err(PushError::Closed(3)));
    assert_eq!(queue.pop_wait(), Some(1));
    assert_eq!(block_on(queue.pop()), Some(2));
    assert_eq!(queue.pop_wait(), None);
    assert_eq!(block_on(queue.pop()), None);
    assert_eq!(queue.pop_timeout(Duration::MAX), Err(PopError::Closed));
    assert!(queue.into_inner().is_empty());
}

/// Tasks are woken in their order, one for each item; one that is gone hands on.
#[test]
fn one_item_wakes_one_task() {
    let queue = Waitable::new(ArrayQueue::new(4));
    let woken: [Arc<Woken>; 3] = Default::default();
    let wakers = woken.clone().map(Waker::from);
    let counts = || woken.each_ref().map(|woken| woken.0.load(Relaxed));
    let mut pops: Vec<_> = (0..3).map(|_| queue.pop()).collect();
    for (pop, waker) in pops.iter_mut().zip(&wakers) {
        assert!(poll(pop, waker).is_pending());
        // A second poll does not enter again.
        assert!(poll(pop, waker).is_pending());
    }
    assert!(format!("{queue:?}").contains("wait_for_items: 3"));
    queue.try_push(1).unwrap();
    assert_eq!(counts(), [1, 0, 0]);
    drop(pops.remove(0));
    assert_eq!(counts(), [1, 1, 0]);
    // The third is faster; the second then waits behind it.
    let [_, second, third] = &wakers;
    assert_eq!(poll(&mut pops[1], third), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut pops[0], second), Poll::Pending);
    // Another waker takes the place of the first one.
    assert_eq!(poll(&mut pops[0], third), Poll::Pending);
    queue.try_push(2).unwrap();
    assert_eq!(counts(), [1, 1, 1]);
    assert_eq!(poll(&mut pops[0], third), Poll::Ready(Some(2)));
    drop(pops);
    assert!(format!("{queue:?}").contains("wait_for_items: 0"));
}

/// Who has been woken and gets an item hands nothing on.
#[test]
fn a_wake_up_is_used_once() {
    let queue = Waitable::new(ArrayQueue::new(4));
    let woken = Arc::new(Woken::default());
    let (mut first, mut second) = (queue.pop(), queue.pop());
    assert!(poll(&mut first, Waker::noop()).is_pending());
    assert!(poll(&mut second, &Waker::from(woken.clone())).is_pending());
    queue.try_push(1).unwrap();
    assert_eq!(poll(&mut first, Waker::noop()), Poll::Ready(Some(1)));
    drop(first);
    assert_eq!(woken.0.load(Relaxed), 0);
}

/// A queue that was closed without the adapter, by `get_ref`: nobody was told, until `close`.
#[test]
fn closing_what_is_closed_wakes() {
    let woken: [Arc<Woken>; 2] = Default::default();
    let [for_item, for_room] = woken.clone().map(Waker::from);
    let queue = Waitable::new(ArrayQueue::new(1));
    let mut pop = queue.pop();
    assert!(poll(&mut pop, &for_item).is_pending());
    queue.get_ref().push(2).unwrap();
    let mut push = queue.push(4);
    assert!(poll(&mut push, &for_room).is_pending());
    assert!(queue.get_ref().close());
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(Relaxed)), [0, 0]);
    assert!(!queue.close());
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(Relaxed)), [1, 1]);
    assert_eq!(poll(&mut push, &for_room), Poll::Ready(Err(4)));
    assert_eq!(poll(&mut pop, &for_item), Poll::Ready(Some(2)));
}

/// A dropped `Push` drops its item, which was not pushed.
#[test]
fn a_push_that_is_dropped() {
    let item = Arc::new(());
    let queue = Waitable::new(ArrayQueue::new(1));
    queue.try_push(item.clone()).unwrap();
    let mut push = queue.push(item.clone());
    assert!(poll(&mut push, Waker::noop()).is_pending());
    assert_eq!(Arc::strong_count(&item), 3);
    drop(push);
    assert_eq!(Arc::strong_count(&item), 2);
    assert!(queue.try_pop().is_ok() && queue.try_pop().is_err());
}

/// What the module says of leaked futures of a shared queue: one wake-up goes to it, and
/// nothing else is lost.
#[test]
fn a_leaked_future_of_a_shared_queue() {
    let queue = Waitable::new(ArrayQueue::new(4));
    let leaked = Arc::new(Woken::default());
    let mut pop = queue.pop();
    assert!(poll(&mut pop, &Waker::from(leaked.clone())).is_pending());
    std::mem::forget(pop);
    let woken = Arc::new(Woken::default());
    let mut second = queue.pop();
    assert!(poll(&mut second, &Waker::from(woken.clone())).is_pending());
    queue.try_push(1).unwrap();
    assert_eq!((leaked.0.load(Relaxed), woken.0.load(Relaxed)), (1, 0));
    queue.try_push(2).unwrap();
    assert_eq!(woken.0.load(Relaxed), 1);
    assert_eq!(poll(&mut second, Waker::noop()), Poll::Ready(Some(1)));
    assert_eq!(queue.pop_wait(), Some(2));
    drop(second);
    assert!(queue.close());
    assert_eq!(queue.pop_wait(), None);
}

// ------------------------------------------------------------------------- ends

/// A batch wakes as many as it has items, and makes as much room.
#[test]
fn batches_wake_as_many() {
    let queue = Waitable::new(ArrayQueue::new(2));
    let woken: [Arc<Woken>; 3] = Default::default();
    let wakers = woken.clone().map(Waker::from);
    let count = || {
        woken
            .iter()
            .map(|woken| woken.0.load(Relaxed))
            .sum::<usize>()
    };
    let mut pops: Vec<_> = (0..3).map(|_| queue.pop()).collect();
    for (pop, waker) in pops.iter_mut().zip(&wakers) {
        assert!(poll(pop, waker).is_pending());
    }
    let mut items = vec![1, 2, 3];
    assert_eq!(queue.push_batch(&mut items), Err(PushError::Full(())));
    assert_eq!((items, count()), (vec![3], 2));
    drop(pops);
    assert_eq!(count(), 3, "handed on, and then nobody waits");
    let mut pushes: Vec<_> = (0..3).map(|n| queue.push(n)).collect();
    for (push, waker) in pushes.iter_mut().zip(&wakers) {
        assert!(poll(push, waker).is_pending());
    }
    let mut out = vec![];
    assert_eq!(queue.pop_batch(&mut out, 5), 2);
    assert_eq!((out, count()), (vec![1, 2], 5));
}

/// The batches that `Queue` has for queues without any of their own.
#[test]
fn batches_by_single_items() {
    struct Plain(ArrayQueue<usize>);
    impl Queue for Plain {
        type Item = usize;
        fn try_push(&self, item: usize) -> Result<(), PushError<usize>> {
            assert_ne!(item, 9, "the queue");
            self.0.try_push(item)
        }
        fn try_pop(&self) -> Result<usize, PopError> {
            self.0.try_pop()
        }
        as_inside!();
    }

    let queue = Waitable::new(Plain(ArrayQueue::new(3)));
    let mut items = vec![1, 2, 3, 4, 5];
    assert_eq!(queue.push_batch(&mut items), Err(PushError::Full(())));
    assert_eq!(items, [4, 5]);
    let mut out = vec![0];
    assert_eq!(queue.pop_batch(&mut out, 2), 2);
    assert_eq!(queue.pop_batch(&mut out, 2), 1);
    assert_eq!(out, [0, 1, 2, 3]);
    assert_eq!(queue.push_batch(&mut items), Ok(()));
    assert!(items.is_empty());
    // Unwind: what is left is in its order.
    items.extend([6, 9, 7, 8]);
    assert!(catch_unwind(AssertUnwindSafe(|| queue.push_batch(&mut items))).is_err());
    assert_eq!(items, [7, 8]);
    assert!(queue.close());
    assert_eq!(queue.push_batch(&mut items), Err(PushError::Closed(())));
    assert_eq!(items, [7, 8]);
}
