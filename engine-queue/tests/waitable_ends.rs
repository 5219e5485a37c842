//! Waiting with the handles of `spsc` and `LaneQueue`, on real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use engine_queue::waitable::{self, Consumer, PopEnd, Producer, PushEnd};
use engine_queue::{LaneOptions, LaneQueue, PopError, PushError, Waitable};

mod wakers;

use wakers::{Woken, block_on, poll};

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

/// A `LaneQueue` that was closed without the adapter, then by it and by either handle.
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
