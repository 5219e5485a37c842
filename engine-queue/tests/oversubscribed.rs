//! Eight threads for each processor, of the queues that have no bound: each item once, and those
//! of a producer in order, wherever a thread is stopped.
#![cfg(target_has_atomic = "64")]

use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::deque::{self, Injector, Steal, bounded};
use engine_queue::{LaneQueue, SegQueue};

const ITEMS: usize = if cfg!(miri) { 30 } else { 1_000 };

/// As many pushers as poppers.
fn pairs() -> usize {
    match cfg!(miri) {
        true => 3,
        false => 4 * thread::available_parallelism().map_or(1, usize::from),
    }
}

/// `push(producer)` gives what pushes an item, `pop(consumer)` what pops into a vector.
fn exchange<P, C>(push: impl Fn(usize) -> P + Sync, pop: impl Fn(usize) -> C + Sync)
where
    P: FnMut(Box<(usize, usize)>),
    C: FnMut(&mut Vec<Box<(usize, usize)>>),
{
    let pairs = pairs();
    let working = AtomicUsize::new(pairs);
    let (push, pop, working) = (&push, &pop, &working);
    let mut all: Vec<_> = thread::scope(|scope| {
        let consumers: Vec<_> = (0..pairs)
            .map(|consumer| {
                scope.spawn(move || {
                    let (mut pop, mut taken) = (pop(consumer), Vec::new());
                    loop {
                        // Before the pop: nothing then means nothing any more.
                        let last = working.load(Acquire) == 0;
                        let before = taken.len();
                        pop(&mut taken);
                        match taken.len() == before {
                            true if last => break,
                            true => thread::yield_now(),
                            false => {}
                        }
                    }
                    for producer in 0..pairs {
                        let own = taken.iter().filter(|item| item.0 == producer);
                        assert!(own.is_sorted(), "out of order");
                    }
                    taken
                })
            })
            .collect();
        for producer in 0..pairs {
            scope.spawn(move || {
                let mut push = push(producer);
                (0..ITEMS).for_each(|n| push(Box::new((producer, n))));
                drop(push);
                working.fetch_sub(1, Release);
            });
        }
        let taken = consumers
            .into_iter()
            .map(|consumer| consumer.join().unwrap());
        taken.flatten().map(|item| *item).collect()
    });
    all.sort_unstable();
    let expected = (0..pairs).flat_map(|producer| (0..ITEMS).map(move |n| (producer, n)));
    assert!(all.into_iter().eq(expected), "not each once");
}

#[test]
fn seg_queue() {
    let queue = SegQueue::new();
    exchange(
        |producer| {
            let (queue, mut batch) = (&queue, Vec::new());
            move |item| match producer % 2 {
                0 => queue.push(item),
                // In twos: the number of items is even.
                _ => {
                    batch.push(item);
                    if batch.len() == 2 {
                        queue.push_batch(&mut batch).unwrap();
                    }
                }
            }
        },
        |consumer| {
            let queue = &queue;
            move |taken: &mut Vec<_>| match consumer % 2 {
                0 => taken.extend(queue.pop()),
                _ => drop(queue.pop_batch(taken, 5)),
            }
        },
    );
}

#[test]
fn lane_queue() {
    let queue = LaneQueue::new();
    exchange(
        |_| {
            let mut producer = queue.producer();
            move |item| producer.push(item)
        },
        |number| {
            let mut consumer = queue.consumer();
            move |taken: &mut Vec<_>| match number % 2 {
                0 => taken.extend(consumer.pop()),
                _ => drop(consumer.pop_batch(taken, 5)),
            }
        },
    );
}

/// Takes from `steal` until that is certain of its answer.
fn certain<T>(mut steal: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match steal() {
            Steal::Success(item) => return Some(item),
            Steal::Empty => return None,
            Steal::Retry => thread::yield_now(),
        }
    }
}

#[test]
fn injector() {
    let injector = Injector::new();
    exchange(
        |_| |item| injector.push(item),
        |consumer| {
            let (injector, mine) = (&injector, deque::Worker::new_fifo());
            move |taken: &mut Vec<_>| match consumer % 2 {
                0 => taken.extend(certain(|| injector.steal())),
                _ => {
                    taken.extend(certain(|| injector.steal_batch_and_pop(&mine)));
                    taken.extend(std::iter::from_fn(|| mine.pop()));
                }
            }
        },
    );
}

/// Thieves alone: the owners push and go on.
#[test]
fn deques() {
    let owners: Vec<_> = (0..pairs())
        .map(|_| (deque::Worker::new_fifo(), bounded::Worker::new_fifo(ITEMS)))
        .collect();
    let thieves: Vec<_> = owners
        .iter()
        .map(|(unbounded, bounded)| (unbounded.stealer(), bounded.stealer()))
        .collect();
    let owners = std::sync::Mutex::new(owners);
    exchange(
        |producer| {
            let (unbounded, bounded) = owners.lock().unwrap().pop().unwrap();
            move |item| match producer % 2 {
                0 => unbounded.push(item),
                _ => bounded.push(item).unwrap(),
            }
        },
        |_| {
            |taken: &mut Vec<_>| {
                for (unbounded, bounded) in &thieves {
                    taken.extend(certain(|| unbounded.steal()));
                    taken.extend(certain(|| bounded.steal()));
                }
            }
        },
    );
}
