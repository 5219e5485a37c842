//! Models of the ends that wait: of `spsc`, and of `LaneQueue`.

use std::mem;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use engine_atomic::sync::thread;
use testkit::model::{Budget, check, check_large};

use super::{block_on, poll_and_drop};
use crate::waitable::{Consumer, Producer, Waitable, spsc};
use crate::{LaneOptions, LaneQueue, PopError, PushError, lane_queue};

type SpscConsumer = Consumer<crate::spsc::Consumer<usize>>;
type SpscProducer = Producer<crate::spsc::Producer<usize>>;
type LaneConsumer = Consumer<lane_queue::Consumer<usize>>;
type LaneProducer = Producer<lane_queue::Producer<usize>>;

// ------------------------------------------------------------------------- spsc

/// A consumer waits, by `wait`, for an item that is pushed meanwhile, and then for the end.
fn spsc_item(name: &str, wait: fn(&mut SpscConsumer) -> Option<usize>) {
    check(name, Budget::preemptions(3), move || {
        let (mut producer, mut consumer) = spsc(1);
        let waiter = thread::spawn(move || (wait(&mut consumer), consumer));
        producer.try_push(1).unwrap();
        let (item, mut consumer) = waiter.join().unwrap();
        assert_eq!(item, Some(1));
        let waiter = thread::spawn(move || wait(&mut consumer));
        drop(producer);
        assert_eq!(waiter.join().unwrap(), None);
    });
}

#[test]
fn spsc_push_meets_sleep() {
    spsc_item("spsc_push_meets_sleep", Consumer::pop_wait);
}

#[test]
fn spsc_push_meets_task() {
    spsc_item("spsc_push_meets_task", |consumer| block_on(consumer.pop()));
}

/// A deadline, and then without one: what it was woken for is not lost.
#[test]
fn spsc_push_meets_deadline() {
    spsc_item("spsc_push_meets_deadline", |consumer| {
        match consumer.pop_timeout(Duration::from_millis(1)) {
            Ok(item) => Some(item),
            Err(PopError::Closed) => None,
            Err(PopError::Empty) => consumer.pop_wait(),
        }
    });
}

/// A future that is dropped, or leaked, while it waits; the end waits once more.
#[test]
fn spsc_push_meets_dropped_task() {
    spsc_item(
        "spsc_push_meets_dropped_task",
        |consumer| match poll_and_drop(consumer.pop()) {
            Some(item) => item,
            None => consumer.pop_wait(),
        },
    );
}

#[test]
fn spsc_push_meets_leaked_task() {
    spsc_item("spsc_push_meets_leaked_task", |consumer| {
        let mut future = consumer.pop();
        match pin!(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(item) => item,
            std::task::Poll::Pending => {
                mem::forget(future);
                consumer.pop_wait()
            }
        }
    });
}

/// A producer waits, by `wait`, for room that is made meanwhile, and then until nobody is
/// there to make some.
fn spsc_room(name: &str, wait: fn(&mut SpscProducer, usize) -> Result<(), usize>) {
    check(name, Budget::preemptions(3), move || {
        let (mut producer, mut consumer) = spsc(1);
        producer.try_push(1).unwrap();
        let waiter = thread::spawn(move || (wait(&mut producer, 2), producer));
        assert_eq!(consumer.try_pop(), Ok(1));
        let (pushed, mut producer) = waiter.join().unwrap();
        assert_eq!(pushed, Ok(()));
        let waiter = thread::spawn(move || wait(&mut producer, 3));
        drop(consumer);
        assert_eq!(waiter.join().unwrap(), Err(3));
    });
}

#[test]
fn spsc_pop_meets_sleep() {
    spsc_room("spsc_pop_meets_sleep", Producer::push_wait);
}

#[test]
fn spsc_pop_meets_task() {
    spsc_room("spsc_pop_meets_task", |producer, item| {
        block_on(producer.push(item))
    });
}

/// The items that were pushed before the producer left come before the end.
#[test]
fn spsc_last_item_meets_sleep() {
    check("spsc_last_item_meets_sleep", Budget::preemptions(3), || {
        let (mut producer, mut consumer) = spsc(1);
        let waiter = thread::spawn(move || (consumer.pop_wait(), consumer.pop_wait()));
        producer.try_push(1).unwrap();
        drop(producer);
        assert_eq!(waiter.join().unwrap(), (Some(1), None));
    });
}

// -------------------------------------------------------------------- LaneQueue

/// Of one lane and one segment that is large enough.
fn lane() -> Waitable<LaneQueue<usize>> {
    Waitable::new(LaneOptions::new().max_width(1).lane_slots(2).build())
}

/// Of two segments, with one slot a lane.
fn limited(width: usize) -> Waitable<LaneQueue<usize>> {
    let options = LaneOptions::new().min_width(width).max_width(width);
    Waitable::new(options.lane_slots(1).max_segments(2).build())
}

fn waits<R: Send + 'static>(
    queue: &Waitable<LaneQueue<usize>>,
    wait: impl FnOnce(&mut LaneConsumer) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let mut consumer = queue.consumer();
    thread::spawn(move || wait(&mut consumer))
}

fn lane_item(name: &str, wait: fn(&mut LaneConsumer) -> Option<usize>) {
    check(name, Budget::preemptions(4), move || {
        let queue = lane();
        let waiter = waits(&queue, wait);
        queue.producer().try_push(1).unwrap();
        assert_eq!(waiter.join().unwrap(), Some(1));
    });
}

#[test]
fn lane_push_meets_sleep() {
    lane_item("lane_push_meets_sleep", Consumer::pop_wait);
}

#[test]
fn lane_push_meets_task() {
    lane_item("lane_push_meets_task", |consumer| block_on(consumer.pop()));
}

#[test]
fn lane_close_meets_sleep() {
    check("lane_close_meets_sleep", Budget::preemptions(3), || {
        let queue = lane();
        let waiter = waits(&queue, Consumer::pop_wait);
        assert!(queue.producer().close() && queue.is_closed());
        assert_eq!(waiter.join().unwrap(), None);
    });
}

#[test]
fn lane_close_wakes_two() {
    check("lane_close_wakes_two", Budget::preemptions(1), || {
        let queue = lane();
        let waiters = [
            waits(&queue, Consumer::pop_wait),
            waits(&queue, |consumer| block_on(consumer.pop())),
        ];
        assert!(queue.close());
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), None);
        }
    });
}

/// One consumer does not stay, and one does, for one item: see `the_other_is_woken`.
#[test]
fn lane_deadline_swallows_no_wake_up() {
    check(
        "lane_deadline_swallows_no_wake_up",
        Budget::preemptions(1).schedules(3_000),
        || {
            let queue = lane();
            let fickle = waits(&queue, |consumer| {
                consumer.pop_timeout(Duration::from_millis(1)).ok()
            });
            let patient = waits(&queue, Consumer::pop_wait);
            let mut producer = queue.producer();
            let pusher = thread::spawn(move || {
                producer.try_push(1).unwrap();
                producer
            });
            let taken = fickle.join().unwrap();
            let mut producer = pusher.join().unwrap();
            if taken.is_some() {
                producer.try_push(1).unwrap();
            }
            assert_eq!(patient.join().unwrap(), Some(1));
        },
    );
}

/// A task is the first in the list, and a consumer waits behind it for the one item. The task
/// ends; or it is leaked, and then its handle goes.
fn the_next_is_woken(name: &str, leaked: bool) {
    check(name, Budget::preemptions(2), move || {
        let queue = lane();
        let mut first = queue.consumer();
        let mut future = first.pop();
        let polled = pin!(&mut future).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let patient = waits(&queue, Consumer::pop_wait);
        let mut producer = queue.producer();
        let pusher = thread::spawn(move || producer.try_push(1));
        if leaked {
            mem::forget(future);
            drop(first);
        } else {
            drop(future);
        }
        assert_eq!(patient.join().unwrap(), Some(1));
        pusher.join().unwrap().unwrap();
    });
}

#[test]
fn lane_dropped_task_swallows_no_wake_up() {
    the_next_is_woken("lane_dropped_task_swallows_no_wake_up", false);
}

#[test]
fn lane_leaked_task_swallows_no_wake_up() {
    the_next_is_woken("lane_leaked_task_swallows_no_wake_up", true);
}

/// A producer waits until the first of two segments is used up.
fn lane_room(name: &str, wait: fn(&mut LaneProducer, usize) -> Result<(), usize>) {
    check(name, Budget::preemptions(4), move || {
        let queue = limited(1);
        let mut producer = queue.producer();
        producer.try_push(1).unwrap();
        producer.try_push(2).unwrap();
        assert_eq!(producer.try_push(3), Err(PushError::Full(3)));
        let mut consumer = queue.consumer();
        let waiter = thread::spawn(move || wait(&mut producer, 3));
        assert_eq!(consumer.try_pop(), Ok(1));
        assert_eq!(waiter.join().unwrap(), Ok(()));
        assert_eq!(consumer.try_pop(), Ok(2));
        assert_eq!(consumer.try_pop(), Ok(3));
    });
}

#[test]
fn lane_pop_meets_sleep() {
    lane_room("lane_pop_meets_sleep", Producer::push_wait);
}

#[test]
fn lane_pop_meets_task() {
    lane_room("lane_pop_meets_task", |producer, item| {
        block_on(producer.push(item))
    });
}

/// A full queue of two lanes: two producers, one on each.
fn two_full_lanes() -> (Waitable<LaneQueue<usize>>, [LaneProducer; 2]) {
    let queue = limited(2);
    let mut producers = [queue.producer(), queue.producer()];
    for item in [1, 2] {
        for producer in &mut producers {
            producer.try_push(item).unwrap();
        }
    }
    for producer in &mut producers {
        assert!(producer.try_push(3).is_err());
    }
    (queue, producers)
}

/// One segment makes room for more than one producer.
#[test]
fn lane_room_for_two() {
    check("lane_room_for_two", Budget::preemptions(2), || {
        let (queue, producers) = two_full_lanes();
        let waiters =
            producers.map(|mut producer| thread::spawn(move || (producer.push_wait(3), producer)));
        let mut consumer = queue.consumer();
        assert_eq!(consumer.try_pop(), Ok(1));
        assert_eq!(consumer.try_pop(), Ok(1));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().0, Ok(()));
        }
    });
}

/// A pop that gives up on the slot of a push under way, and so on a whole segment, makes
/// room, though it takes an item of the next one.
#[test]
fn lane_room_by_giving_up_a_slot() {
    check(
        "lane_room_by_giving_up_a_slot",
        Budget::preemptions(1),
        || {
            let queue = limited(1);
            let producers = [vec![1], vec![2, 3]].map(|items| {
                let mut producer = queue.producer();
                thread::spawn(move || {
                    for item in items {
                        producer.push_wait(item).unwrap();
                    }
                })
            });
            let mut consumer = queue.consumer();
            assert!(consumer.pop_wait().is_some());
            for producer in producers {
                producer.join().unwrap();
            }
            assert!(consumer.try_pop().is_ok() && consumer.try_pop().is_ok());
        },
    );
}

/// Two consumers take the last items of the two lanes of a segment, at the same time: one
/// of them sees that it is used up.
#[test]
fn lane_last_items_of_two_lanes() {
    check(
        "lane_last_items_of_two_lanes",
        Budget::preemptions(3),
        || {
            let (queue, [mut producer, _other]) = two_full_lanes();
            let poppers = [queue.consumer(), queue.consumer()].map(|mut consumer| {
                thread::spawn(move || {
                    assert_eq!(consumer.try_pop(), Ok(1));
                    consumer
                })
            });
            let waiter = thread::spawn(move || producer.push_wait(3));
            let _consumers = poppers.map(|popper| popper.join().unwrap());
            assert_eq!(waiter.join().unwrap(), Ok(()));
        },
    );
}

// -------------------------------------------------------------------- all at once

#[test]
fn everybody_waits_for_lanes() {
    check_large(
        "everybody_waits_for_lanes",
        Budget::default().schedules(2_000),
        || {
            let queue = limited(2);
            let producers: Vec<_> = (0..3)
                .map(|n| {
                    let mut producer = queue.producer();
                    thread::spawn(move || {
                        for item in n * 10..n * 10 + 4 {
                            match n {
                                0 => producer.push_wait(item).unwrap(),
                                1 => block_on(producer.push(item)).unwrap(),
                                _ => {
                                    let mut item = item;
                                    while let Err(error) =
                                        producer.push_timeout(item, Duration::from_micros(1))
                                    {
                                        assert!(error.is_full());
                                        item = error.into_inner();
                                    }
                                }
                            }
                        }
                    })
                })
                .collect();
            let consumers: Vec<_> = (0..3)
                .map(|n| {
                    waits(&queue, move |consumer| {
                        let mut taken = vec![];
                        loop {
                            if n == 2 {
                                consumer.pop_batch(&mut taken, 2);
                            }
                            taken.extend(poll_and_drop(consumer.pop()).flatten());
                            let item = match n {
                                0 => consumer.pop_wait(),
                                1 => block_on(consumer.pop()),
                                _ => match consumer.pop_timeout(Duration::from_micros(1)) {
                                    Ok(item) => Some(item),
                                    Err(PopError::Empty) => continue,
                                    Err(PopError::Closed) => None,
                                },
                            };
                            match item {
                                Some(item) => taken.push(item),
                                None => return taken,
                            }
                        }
                    })
                })
                .collect();
            for producer in producers {
                producer.join().unwrap();
            }
            assert!(queue.close());
            let taken = consumers.into_iter().map(|taker| taker.join().unwrap());
            let items = (0..3).flat_map(|n| n * 10..n * 10 + 4).collect();
            crate::testing::assert_fifo(&taken.collect::<Vec<_>>(), items);
        },
    );
}

#[test]
fn an_spsc_that_waits_on_both_sides() {
    check_large(
        "an_spsc_that_waits_on_both_sides",
        Budget::default().schedules(2_000),
        || {
            let (mut producer, mut consumer) = spsc(2);
            let pusher = thread::spawn(move || {
                for item in 0..4 {
                    producer.push_wait(item).unwrap();
                }
                let mut batch = vec![4, 5, 6, 7, 8];
                while producer.push_batch(&mut batch).is_err() {
                    block_on(producer.push(batch.remove(0))).unwrap();
                }
            });
            let mut taken = vec![];
            while let Some(item) = match taken.len() % 3 {
                0 => block_on(consumer.pop()),
                _ => consumer.pop_wait(),
            } {
                taken.push(item);
                consumer.pop_batch(&mut taken, 1);
            }
            assert_eq!(taken, (0..9).collect::<Vec<_>>());
            pusher.join().unwrap();
        },
    );
}
