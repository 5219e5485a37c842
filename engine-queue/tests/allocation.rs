//! What is allocated, and when.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use engine_queue::deque::{self, Injector, Steal, bounded};
use engine_queue::waitable::{self, Consumer, PopEnd};
use engine_queue::{ArrayQueue, LaneOptions, LaneQueue, PopError, SegQueue, Waitable, spsc};
use testkit::allocation::{Counting, allocations, bytes};

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn queues_allocate_blocks_and_nothing_in_steady_state() {
    let before = bytes();

    let mut queue = SegQueue::new();
    assert_eq!(allocations(|| drop(SegQueue::<u64>::new())), 0);
    // The first block, and the second with the last slot of the first.
    assert_eq!(allocations(|| (0..31_u64).for_each(|n| queue.push(n))), 2);
    assert_eq!(
        allocations(|| (0..31).for_each(|n| assert_eq!(queue.pop(), Some(n)))),
        0
    );

    // A steady number of items, on either side of a block's end.
    for held in [0, 1, 30, 31, 32, 62, 500] {
        (0..held).for_each(|n| queue.push(n));
        // Until the cache has its block.
        let step = || {
            queue.push(7);
            queue.pop().unwrap();
        };
        (0..200).for_each(|_| step());
        assert_eq!(
            allocations(|| (0..10_000).for_each(|_| step())),
            0,
            "{held}"
        );
        let mut step = || {
            queue.push_mut(7);
            queue.pop_mut().unwrap();
        };
        (0..200).for_each(|_| step());
        assert_eq!(
            allocations(|| (0..10_000).for_each(|_| step())),
            0,
            "{held}"
        );
        while queue.pop().is_some() {}
    }
    // A batch makes room for what there is, and for nothing if there is nothing.
    let mut out = Vec::new();
    assert_eq!(
        allocations(|| assert_eq!(queue.pop_batch(&mut out, 16), 0)),
        0
    );
    drop(queue);

    let array = ArrayQueue::<u64>::new(4);
    assert_eq!(
        allocations(|| assert_eq!(array.pop_batch(&mut out, 16), 0)),
        0
    );
    drop(array);

    let injector = Injector::new();
    let step = || {
        injector.push(7_u64);
        assert!(injector.steal().is_success());
    };
    (0..200).for_each(|_| step());
    assert_eq!(allocations(|| (0..10_000).for_each(|_| step())), 0);
    drop(injector);

    assert_eq!(bytes(), before, "everything is freed");
}

/// No allocation in 10,000 of these steps, after some for the caches to fill.
#[track_caller]
fn allocates_nothing(mut step: impl FnMut()) {
    (0..2_000).for_each(|_| step());
    assert_eq!(allocations(|| (0..10_000).for_each(|_| step())), 0);
}

/// Single items, batches and draining, with a vector that has room.
#[test]
fn a_steady_number_of_items_allocates_nothing() {
    let mut batch = Vec::with_capacity(16);
    let before = bytes();

    let array = ArrayQueue::new(8);
    allocates_nothing(|| {
        array.push(1_u64).unwrap();
        array.pop().unwrap();
        batch.extend(0..8);
        array.push_batch(&mut batch).unwrap();
        assert_eq!(array.pop_batch(&mut batch, 4), 4);
        batch.clear();
        assert_eq!(array.drain().count(), 4);
    });
    drop(array);

    let seg = SegQueue::new();
    allocates_nothing(|| {
        batch.extend(0..8_u64);
        seg.push_batch(&mut batch).unwrap();
        assert_eq!(seg.pop_batch(&mut batch, 4), 4);
        batch.clear();
        assert_eq!(seg.drain().count(), 4);
    });
    drop(seg);

    // Of few slots, so that segments come and go; with and without a limit.
    for options in [
        LaneOptions::new().max_width(1).lane_slots(4),
        LaneOptions::new().min_width(2).max_width(2).lane_slots(4),
        LaneOptions::new()
            .max_width(1)
            .lane_slots(4)
            .max_segments(4),
    ] {
        let lanes = options.build();
        let (mut producer, mut consumer) = (lanes.producer(), lanes.consumer());
        allocates_nothing(|| {
            producer.push(1_u64);
            consumer.pop().unwrap();
            batch.extend(0..8);
            producer.push_batch(&mut batch).unwrap();
            while consumer.pop_batch(&mut batch, 3) != 0 {}
            assert_eq!(batch.len(), 8);
            batch.clear();
            assert!(lanes.is_empty() && consumer.pop().is_none());
        });
        // A handle for a short time uses a record again.
        allocates_nothing(|| {
            lanes.producer().push(1);
            lanes.consumer().pop().unwrap();
        });
    }

    let (mut producer, mut consumer) = spsc::channel(8);
    allocates_nothing(|| {
        producer.push(1_u64).unwrap();
        consumer.pop().unwrap();
        batch.extend(0..4);
        producer.push_batch(&mut batch).unwrap();
        assert_eq!(producer.push_iter(0..4), 4);
        assert_eq!(consumer.pop_batch(&mut batch, 8), 8);
        batch.clear();
    });
    drop((producer, consumer));

    drop(batch);
    assert!(bytes() <= before, "everything is freed");
}

#[test]
fn deques_of_a_steady_length_allocate_nothing() {
    let before = bytes();
    for worker in [deque::Worker::new_fifo(), deque::Worker::new_lifo()] {
        let stealer = worker.stealer();
        let dest = deque::Worker::new_fifo();
        let injector = Injector::new();
        let mut batch = Vec::with_capacity(16);
        allocates_nothing(|| {
            (0..6_u64).for_each(|n| worker.push(n));
            worker.pop().unwrap();
            assert!(stealer.steal().is_success());
            assert!(stealer.steal_batch(&dest).is_success());
            while worker.pop().is_some() {}
            while dest.pop().is_some() {}
            batch.extend(0..6);
            injector.push_batch(&mut batch);
            while injector.steal_batch_and_pop(&dest) != Steal::Empty {}
            while dest.pop().is_some() {}
        });
    }
    for worker in [bounded::Worker::new_fifo(16), bounded::Worker::new_lifo(16)] {
        let stealer = worker.stealer();
        let mut batch = Vec::with_capacity(16);
        allocates_nothing(|| {
            batch.extend(0..6_u64);
            assert_eq!(worker.push_batch(&mut batch), 6);
            worker.push(6).unwrap();
            worker.pop().unwrap();
            assert!(stealer.steal().is_success());
            assert_eq!(worker.pop_batch(&mut batch, 2), 2);
            worker.pop_half(&mut batch);
            worker.pop_batch(&mut batch, 16);
            batch.clear();
        });
    }
    assert_eq!(bytes(), before, "everything is freed");
}

/// A waker that is made once: a task waits over and over.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A consumer that waits by deadline, and as a task that is dropped, polled twice, or served.
fn waits_for_nothing<C: PopEnd<Item = u64>>(
    consumer: &mut Consumer<C>,
    waker: &Waker,
    mut push: impl FnMut(),
) {
    let cx = &mut Context::from_waker(waker);
    assert_eq!(
        consumer.pop_timeout(Duration::from_nanos(1)),
        Err(PopError::Empty)
    );
    assert!(pin!(consumer.pop()).poll(cx).is_pending());
    let mut pop = pin!(consumer.pop());
    assert!(pop.as_mut().poll(cx).is_pending());
    assert!(pop.as_mut().poll(cx).is_pending());
    push();
    assert_eq!(pop.poll(cx), Poll::Ready(Some(7)));
}

#[test]
fn waiting_allocates_nothing_once_there_is_room_in_the_list() {
    let before = bytes();
    let waker = Waker::from(Arc::new(Woken::default()));

    let queue = Waitable::new(ArrayQueue::new(1));
    let cx = &mut Context::from_waker(&waker);
    let mut step = || {
        let timeout = Duration::from_nanos(1);
        assert_eq!(queue.pop_timeout(timeout), Err(PopError::Empty));
        let mut pop = pin!(queue.pop());
        assert!(pop.as_mut().poll(cx).is_pending());
        queue.try_push(7_u64).unwrap();
        assert!(queue.push_timeout(8, timeout).is_err());
        let mut push = pin!(queue.push(8));
        assert!(push.as_mut().poll(cx).is_pending());
        assert_eq!(pop.poll(cx), Poll::Ready(Some(7)));
        assert!(push.poll(cx).is_ready());
        assert_eq!(queue.try_pop(), Ok(8));
    };
    (0..3).for_each(|_| step());
    assert_eq!(allocations(|| (0..100).for_each(|_| step())), 0);
    drop(queue);

    let (mut producer, mut consumer) = waitable::spsc(1);
    let mut step = || waits_for_nothing(&mut consumer, &waker, || producer.try_push(7).unwrap());
    (0..3).for_each(|_| step());
    assert_eq!(allocations(|| (0..100).for_each(|_| step())), 0);
    drop((producer, consumer));

    let queue = Waitable::new(LaneQueue::new());
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    let mut step = || waits_for_nothing(&mut consumer, &waker, || producer.try_push(7).unwrap());
    (0..3).for_each(|_| step());
    assert_eq!(allocations(|| (0..100).for_each(|_| step())), 0);
    drop((producer, consumer, queue, waker));

    assert_eq!(bytes(), before, "everything is freed");
}

/// Two threads that sleep for each other, and are woken.
#[test]
fn a_thread_that_sleeps_and_is_woken_allocates_nothing() {
    let (mut to_there, mut there) = waitable::spsc(1);
    let (mut to_here, mut here) = waitable::spsc(1);
    // The first wait makes room in a list. Nobody waits for room here.
    for consumer in [&mut there, &mut here] {
        let timeout = Duration::from_nanos(1);
        assert_eq!(consumer.pop_timeout(timeout), Err(PopError::Empty));
    }
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut echo = || to_here.push_wait(there.pop_wait()?).ok();
            (0..100).for_each(|_| echo().unwrap());
            assert_eq!(allocations(|| while echo().is_some() {}), 0);
        });
        let mut ping = || {
            to_there.push_wait(7).unwrap();
            assert_eq!(here.pop_wait(), Some(7));
        };
        (0..100).for_each(|_| ping());
        assert_eq!(allocations(|| (0..2_000).for_each(|_| ping())), 0);
        drop(to_there);
    });
}
