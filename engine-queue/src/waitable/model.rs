//! Models of waiting.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use engine_atomic::futex;
use engine_atomic::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::*};
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check, check_large};

mod ends;

use super::Waitable;
use crate::{ArrayQueue, PopError, PushError, Queue, SegQueue};

/// A queue of one slot with no fence and no more ordering than it must have: what it lacks,
/// the waiting has to have.
struct Slot {
    item: AtomicUsize,
    closed: AtomicBool,
}

const EMPTY: usize = 0;

impl Queue for Slot {
    type Item = usize;

    fn try_push(&self, item: usize) -> Result<(), PushError<usize>> {
        if self.closed.load(Relaxed) {
            return Err(PushError::Closed(item));
        }
        // A load first: unlike a failed compare-and-swap, it may see an old value.
        if self.item.load(Relaxed) != EMPTY {
            return Err(PushError::Full(item));
        }
        self.item
            .compare_exchange(EMPTY, item, Relaxed, Relaxed)
            .map_err(|_| PushError::Full(item))?;
        Ok(())
    }

    fn try_pop(&self) -> Result<usize, PopError> {
        if self.item.load(Relaxed) != EMPTY {
            let item = self.item.swap(EMPTY, Relaxed);
            if item != EMPTY {
                return Ok(item);
            }
        }
        match self.closed.load(Relaxed) {
            true => Err(PopError::Closed),
            false => Err(PopError::Empty),
        }
    }

    fn close(&self) -> bool {
        !self.closed.swap(true, Relaxed)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    fn is_empty(&self) -> bool {
        self.item.load(Relaxed) == EMPTY
    }

    fn is_full(&self) -> bool {
        !self.is_empty()
    }
}

type Shared<Q> = Arc<Waitable<Q>>;

fn slot(item: usize) -> Shared<Slot> {
    Arc::new(Waitable::new(Slot {
        item: AtomicUsize::new(item),
        closed: AtomicBool::new(false),
    }))
}

/// A waker that wakes a thread which polls; std's `Arc`, because `Wake` asks for it.
struct Thread(AtomicU32);

impl Wake for Thread {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Release);
        futex::wake_one(&self.0);
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let me = StdArc::new(Thread(AtomicU32::new(0)));
    let waker = Waker::from(me.clone());
    let mut future = pin!(future);
    loop {
        let seen = me.0.load(Acquire);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while me.0.load(Acquire) == seen {
            futex::wait(&me.0, seen);
        }
    }
}

/// Polls once, with a waker that wakes nobody, and drops the future.
fn poll_and_drop<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn spawn<Q: Queue + Send + Sync + 'static, R: Send + 'static>(
    queue: &Shared<Q>,
    f: impl FnOnce(&Waitable<Q>) -> R + Send + 'static,
) -> thread::JoinHandle<R>
where
    Q::Item: Send,
{
    let queue = queue.clone();
    thread::spawn(move || f(&queue))
}

#[test]
fn a_push_between_look_and_sleep() {
    check(
        "a_push_between_look_and_sleep",
        Budget::exhaustive(),
        || {
            let queue = slot(EMPTY);
            let waiter = spawn(&queue, |queue| queue.pop_wait());
            queue.try_push(1).unwrap();
            assert_eq!(waiter.join().unwrap(), Some(1));
        },
    );
}

#[test]
fn a_pop_between_look_and_sleep() {
    check("a_pop_between_look_and_sleep", Budget::exhaustive(), || {
        let queue = slot(1);
        let waiter = spawn(&queue, |queue| queue.push_wait(2));
        assert_eq!(queue.try_pop(), Ok(1));
        assert_eq!(waiter.join().unwrap(), Ok(()));
        assert_eq!(queue.try_pop(), Ok(2));
    });
}

#[test]
fn a_task_waits_for_a_push() {
    check("a_task_waits_for_a_push", Budget::exhaustive(), || {
        let queue = slot(EMPTY);
        let waiter = spawn(&queue, |queue| block_on(queue.pop()));
        queue.try_push(1).unwrap();
        assert_eq!(waiter.join().unwrap(), Some(1));
    });
}

#[test]
fn a_task_waits_for_room() {
    check("a_task_waits_for_room", Budget::exhaustive(), || {
        let queue = slot(1);
        let waiter = spawn(&queue, |queue| block_on(queue.push(2)));
        assert_eq!(queue.try_pop(), Ok(1));
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}

#[test]
fn two_waiters_two_pushes() {
    check("two_waiters_two_pushes", Budget::preemptions(2), || {
        let queue = slot(EMPTY);
        let waiters = [
            spawn(&queue, |queue| queue.pop_wait()),
            spawn(&queue, |queue| queue.pop_wait()),
        ];
        queue.push_wait(1).unwrap();
        queue.push_wait(2).unwrap();
        let mut taken = waiters.map(|waiter| waiter.join().unwrap());
        taken.sort_unstable();
        assert_eq!(taken, [Some(1), Some(2)]);
    });
}

#[test]
fn two_tasks_two_pushes() {
    check("two_tasks_two_pushes", Budget::preemptions(2), || {
        let queue = slot(EMPTY);
        let waiters = [
            spawn(&queue, |queue| block_on(queue.pop())),
            spawn(&queue, |queue| block_on(queue.pop())),
        ];
        queue.push_wait(1).unwrap();
        queue.push_wait(2).unwrap();
        let mut taken = waiters.map(|waiter| waiter.join().unwrap());
        taken.sort_unstable();
        assert_eq!(taken, [Some(1), Some(2)]);
    });
}

#[test]
fn close_wakes_all() {
    check("close_wakes_all", Budget::preemptions(3), || {
        let queue = slot(EMPTY);
        let waiters = [
            spawn(&queue, |queue| queue.pop_wait()),
            spawn(&queue, |queue| block_on(queue.pop())),
        ];
        assert!(queue.close());
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), None);
        }
    });
}

/// One that does not stay, and one that does, wait for one item; whatever the first one does
/// with the wake-up, the other gets an item. The main thread only joins, so that no switch
/// to the others counts.
fn the_other_is_woken(fickle: impl FnOnce(&Waitable<Slot>) -> Option<usize> + Send + 'static) {
    let queue = slot(EMPTY);
    let fickle = spawn(&queue, fickle);
    let patient = spawn(&queue, |queue| queue.pop_wait());
    let pusher = spawn(&queue, |queue| queue.try_push(1));
    if fickle.join().unwrap().is_some() {
        queue.push_wait(1).unwrap();
    }
    assert_eq!(patient.join().unwrap(), Some(1));
    pusher.join().unwrap().unwrap();
}

/// The deadline comes together with the push.
#[test]
fn a_deadline_swallows_no_wake_up() {
    check(
        "a_deadline_swallows_no_wake_up",
        Budget::preemptions(2),
        || the_other_is_woken(|queue| queue.pop_timeout(Duration::from_millis(1)).ok()),
    );
}

/// A task is woken for an item and dropped before it is polled again.
#[test]
fn a_dropped_task_swallows_no_wake_up() {
    check(
        "a_dropped_task_swallows_no_wake_up",
        Budget::preemptions(2),
        || the_other_is_woken(|queue| poll_and_drop(queue.pop()).flatten()),
    );
}

#[test]
fn everybody_waits() {
    check_large(
        "everybody_waits",
        Budget::default().schedules(2_000),
        || {
            let queue = Arc::new(Waitable::new(ArrayQueue::new(1)));
            let mut producers = vec![];
            for n in 0..3 {
                producers.push(spawn(&queue, move |queue| {
                    for item in n * 10..n * 10 + 4 {
                        match n {
                            0 => queue.push_wait(item).unwrap(),
                            1 => block_on(queue.push(item)).unwrap(),
                            _ => {
                                let mut item = item;
                                while let Err(error) =
                                    queue.push_timeout(item, Duration::from_micros(1))
                                {
                                    assert!(error.is_full());
                                    item = error.into_inner();
                                }
                            }
                        }
                    }
                }));
            }
            let consumers: Vec<_> = (0..3)
                .map(|n| {
                    spawn(&queue, move |queue| {
                        let mut taken = vec![];
                        loop {
                            poll_and_drop(queue.pop())
                                .flatten()
                                .into_iter()
                                .for_each(|item| taken.push(item));
                            let item = match n {
                                0 => queue.pop_wait(),
                                1 => block_on(queue.pop()),
                                _ => match queue.pop_timeout(Duration::from_micros(1)) {
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
            queue.close();
            let taken = consumers
                .into_iter()
                .map(|consumer| consumer.join().unwrap());
            let mut taken = taken.collect::<Vec<_>>().concat();
            taken.sort_unstable();
            let all: Vec<_> = (0..3).flat_map(|n| n * 10..n * 10 + 4).collect();
            assert_eq!(taken, all);
            assert_eq!(queue.try_push(1), Err(PushError::Closed(1)));
        },
    );
}

#[test]
fn an_unbounded_queue_waits_for_items_only() {
    check(
        "an_unbounded_queue_waits_for_items_only",
        Budget::preemptions(2),
        || {
            let queue = Arc::new(Waitable::new(SegQueue::new()));
            let waiter = spawn(&queue, |queue| (queue.pop_wait(), queue.pop_wait()));
            queue.push_wait(1).unwrap();
            queue.close();
            assert_eq!(waiter.join().unwrap(), (Some(1), None));
        },
    );
}
