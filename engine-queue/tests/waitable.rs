//! Waiting, on real threads.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use engine_queue::{ArrayQueue, PopError, PushError, Queue, SegQueue, Waitable};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Counts its wake-ups.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

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

/// A waker that panics leaves through the push that called it, with the item pushed.
#[test]
fn a_waker_that_panics() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }

    let queue = Waitable::new(ArrayQueue::new(4));
    let bomb = Waker::from(Arc::new(Bomb));
    let good = Arc::new(Woken::default());
    let (mut first, mut second) = (queue.pop(), queue.pop());
    assert_eq!(poll(&mut first, &bomb), Poll::Pending);
    assert_eq!(poll(&mut second, &Waker::from(good.clone())), Poll::Pending);
    assert!(catch_unwind(AssertUnwindSafe(|| queue.try_push(1))).is_err());
    assert_eq!(poll(&mut first, &bomb), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut first, &bomb), Poll::Pending);
    // The end reaches everybody all the same.
    assert!(catch_unwind(AssertUnwindSafe(|| queue.close())).is_err());
    assert_eq!(good.0.load(Relaxed), 1);
    assert_eq!(poll(&mut second, &bomb), Poll::Ready(None));
    assert_eq!(poll(&mut first, &bomb), Poll::Ready(None));
}
