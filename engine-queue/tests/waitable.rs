//! Waiting, on real threads.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use engine_queue::waitable::{self, Consumer, PopEnd, Producer, PushEnd};
use engine_queue::{
    ArrayQueue, LaneOptions, LaneQueue, PopError, PushError, Queue, SegQueue, Waitable,
};

mod wakers;

use wakers::{Woken, poll};

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

/// The same by the adapter and by either handle of a `LaneQueue`.
#[test]
fn closing_lanes_that_are_closed_wakes() {
    for way in 0..3 {
        let queue = Waitable::new(LaneQueue::<usize>::new());
        let mut consumer = queue.consumer();
        let woken = Arc::new(Woken::default());
        let mut pop = consumer.pop();
        assert!(poll(&mut pop, &Waker::from(woken.clone())).is_pending());
        assert!(queue.get_ref().close());
        assert_eq!(woken.0.load(Relaxed), 0);
        assert!(!match way {
            0 => queue.close(),
            1 => queue.producer().close(),
            _ => queue.consumer().close(),
        });
        assert_eq!(woken.0.load(Relaxed), 1, "way {way}");
        assert_eq!(poll(&mut pop, Waker::noop()), Poll::Ready(None));
    }
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

/// The last task that polled is woken, and only that.
fn polled_by_two<C: PopEnd<Item = usize>>(consumer: &mut Consumer<C>, push: impl FnOnce()) {
    let woken: [Arc<Woken>; 2] = Default::default();
    let [first, second] = woken.clone().map(Waker::from);
    let mut pop = consumer.pop();
    assert!(poll(&mut pop, &first).is_pending());
    assert!(poll(&mut pop, &second).is_pending());
    assert!(poll(&mut pop, &first).is_pending());
    assert!(poll(&mut pop, &second).is_pending());
    push();
    assert_eq!(woken.map(|woken| woken.0.load(Relaxed)), [0, 1]);
    assert_eq!(poll(&mut pop, &first), Poll::Ready(Some(1)));
}

/// A future that was leaked before it was woken, and one after; the end goes on.
fn leaked<C: PopEnd<Item = usize> + std::fmt::Debug + Send>(
    consumer: &mut Consumer<C>,
    mut push: impl FnMut(usize),
) {
    let mut pop = consumer.pop();
    assert!(poll(&mut pop, Waker::noop()).is_pending());
    std::mem::forget(pop);
    let timeout = Duration::from_micros(1);
    assert_eq!(consumer.pop_timeout(timeout), Err(PopError::Empty));
    assert!(format!("{consumer:?}").contains("wait_for_items: 0"));
    let mut pop = consumer.pop();
    assert!(poll(&mut pop, Waker::noop()).is_pending());
    std::mem::forget(pop);
    push(2);
    assert_eq!(consumer.pop_wait(), Some(2));
    let mut pop = consumer.pop();
    assert!(poll(&mut pop, Waker::noop()).is_pending());
    std::mem::forget(pop);
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(consumer.pop_wait(), Some(3)));
        push(3);
    });
}

#[test]
fn ends_that_are_polled_by_two_tasks_or_leak_futures() {
    let (mut producer, mut consumer) = waitable::spsc(2);
    polled_by_two(&mut consumer, || producer.try_push(1).unwrap());
    leaked(&mut consumer, |item| producer.try_push(item).unwrap());
    drop(producer);
    assert_eq!(consumer.try_pop(), Err(PopError::Closed));

    let queue = Waitable::new(LaneQueue::new());
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    polled_by_two(&mut consumer, || producer.try_push(1).unwrap());
    leaked(&mut consumer, |item| producer.try_push(item).unwrap());
    // One that is dropped with a leaked future hands on.
    let mut other = queue.consumer();
    let mut pop = consumer.pop();
    assert!(poll(&mut pop, Waker::noop()).is_pending());
    std::mem::forget(pop);
    let woken = Arc::new(Woken::default());
    let mut pop = other.pop();
    assert!(poll(&mut pop, &Waker::from(woken.clone())).is_pending());
    producer.try_push(4).unwrap();
    assert_eq!(woken.0.load(Relaxed), 0);
    drop(consumer);
    assert_eq!(woken.0.load(Relaxed), 1);
    assert_eq!(poll(&mut pop, Waker::noop()), Poll::Ready(Some(4)));
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

fn end_to_end<P, C>(producers: Vec<Producer<P>>, consumers: Vec<Consumer<C>>, close: impl FnOnce())
where
    P: PushEnd<Item = usize> + Send,
    C: PopEnd<Item = usize> + Send,
{
    const EACH: usize = 3_000;
    let count = producers.len();
    let (sum, popped) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
    thread::scope(|scope| {
        for (way, mut consumer) in consumers.into_iter().enumerate() {
            scope.spawn(move || {
                let mut batch = vec![];
                while let Some(item) = match way {
                    0 => consumer.pop_wait(),
                    1 => block_on(consumer.pop()),
                    _ => loop {
                        match consumer.pop_timeout(Duration::from_micros(50)) {
                            Ok(item) => break Some(item),
                            Err(PopError::Closed) => break None,
                            Err(PopError::Empty) => {}
                        }
                    },
                } {
                    batch.push(item);
                    consumer.pop_batch(&mut batch, 3);
                    popped.fetch_add(batch.len(), Relaxed);
                    sum.fetch_add(batch.drain(..).sum(), Relaxed);
                }
                assert!(consumer.is_closed());
            });
        }
        let producers: Vec<_> = producers
            .into_iter()
            .enumerate()
            .map(|(way, mut producer)| {
                scope.spawn(move || {
                    let mut items: Vec<_> = (0..EACH).rev().collect();
                    while let Some(mut item) = items.pop() {
                        match way {
                            0 => producer.push_wait(item).unwrap(),
                            1 => block_on(producer.push(item)).unwrap(),
                            _ => {
                                let timeout = Duration::from_micros(50);
                                while let Err(error) = producer.push_timeout(item, timeout) {
                                    assert!(error.is_full());
                                    item = error.into_inner();
                                }
                            }
                        }
                        if items.len() % 7 == 0 {
                            _ = producer.push_batch(&mut items);
                        }
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        close();
    });
    assert_eq!(popped.load(Relaxed), count * EACH);
    assert_eq!(sum.load(Relaxed), count * (0..EACH).sum::<usize>());
}

#[test]
fn all_get_through_an_spsc() {
    for capacity in [1, 5, 64] {
        let (producer, consumer) = waitable::spsc(capacity);
        end_to_end(vec![producer], vec![consumer], || ());
    }
}

#[test]
fn all_get_through_lanes() {
    for options in [
        LaneOptions::new(),
        LaneOptions::new()
            .max_width(1)
            .lane_slots(1)
            .max_segments(2),
        LaneOptions::new()
            .min_width(2)
            .max_width(4)
            .lane_slots(2)
            .max_segments(3),
    ] {
        let queue = Waitable::new(options.build());
        let producers = (0..3).map(|_| queue.producer()).collect();
        let consumers = (0..3).map(|_| queue.consumer()).collect();
        end_to_end(producers, consumers, || assert!(queue.close()));
        assert!(queue.get_ref().is_empty());
    }
}

/// Timeouts of ends: zero, past, beyond the clock; and the end.
fn ends_and_time<P, C>(mut producer: Producer<P>, mut consumer: Consumer<C>, close: fn(Producer<P>))
where
    P: PushEnd<Item = usize> + Send,
    C: PopEnd<Item = usize> + Send,
{
    let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(consumer.pop_timeout(Duration::ZERO), Err(PopError::Empty));
    assert_eq!(consumer.pop_until(past), Err(PopError::Empty));
    producer.push_until(1, past).unwrap();
    producer.push_timeout(2, Duration::MAX).unwrap();
    assert_eq!(
        producer.push_timeout(3, Duration::ZERO),
        Err(PushError::Full(3))
    );
    assert_eq!(producer.push_until(3, past), Err(PushError::Full(3)));
    let short = Duration::from_millis(5);
    let start = Instant::now();
    assert_eq!(producer.push_timeout(3, short), Err(PushError::Full(3)));
    assert!(start.elapsed() >= short);
    let producer = thread::scope(|scope| {
        let pusher = scope.spawn(move || {
            producer.push_timeout(3, Duration::MAX).unwrap();
            producer
        });
        assert_eq!(consumer.pop_timeout(Duration::MAX), Ok(1));
        pusher.join().unwrap()
    });
    assert!(!producer.is_closed() && !consumer.is_closed());
    close(producer);
    assert_eq!(consumer.pop_until(past), Ok(2));
    assert_eq!(consumer.pop_timeout(Duration::ZERO), Ok(3));
    assert_eq!(consumer.pop_timeout(Duration::MAX), Err(PopError::Closed));
    assert_eq!(consumer.pop_wait(), None);
    assert_eq!(block_on(consumer.pop()), None);
}

#[test]
fn ends_and_timeouts_of_every_length() {
    let (producer, consumer) = waitable::spsc(2);
    ends_and_time(producer, consumer, drop);
    let options = LaneOptions::new()
        .max_width(1)
        .lane_slots(1)
        .max_segments(2);
    let queue = Waitable::new(options.build());
    ends_and_time(queue.producer(), queue.consumer(), |producer| {
        assert!(producer.close() && !producer.close() && producer.is_closed());
    });
    let mut producer = queue.producer();
    assert_eq!(producer.try_push(1), Err(PushError::Closed(1)));
    assert_eq!(producer.push_wait(1), Err(1));
    assert_eq!(block_on(producer.push(1)), Err(1));
    assert!(!queue.consumer().close() && queue.is_closed());
}

/// Whoever pushes for nobody is told so at once, and gets the items back.
#[test]
fn an_spsc_without_a_consumer() {
    let (mut producer, consumer) = waitable::spsc(8);
    producer.try_push(1).unwrap();
    drop(consumer);
    assert!(producer.is_closed());
    assert_eq!(producer.try_push(2), Err(PushError::Closed(2)));
    assert_eq!(producer.push_wait(2), Err(2));
    assert_eq!(
        producer.push_timeout(2, Duration::MAX),
        Err(PushError::Closed(2))
    );
    assert_eq!(block_on(producer.push(2)), Err(2));
    let mut batch = vec![2, 3];
    assert_eq!(producer.push_batch(&mut batch), Err(PushError::Closed(())));
    assert_eq!(batch, [2, 3]);
    batch.clear();
    assert_eq!(producer.push_batch(&mut batch), Ok(()));
}

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
        fn close(&self) -> bool {
            self.0.close()
        }
        fn is_closed(&self) -> bool {
            self.0.is_closed()
        }
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
        fn is_full(&self) -> bool {
            self.0.is_full()
        }
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
