//! Models of the condition variable: no lost notification, with and without
//! deadlines.

use std::time::{Duration, Instant};

use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check, check_large};

use super::Condvar;
use crate::Mutex;

/// Items to take, and who was told.
struct Stock {
    items: Mutex<u32>,
    filled: Condvar,
}

impl Stock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            items: Mutex::new(0),
            filled: Condvar::new(),
        })
    }

    fn take(&self) {
        let mut items = self.items.lock();
        self.filled.wait_while(&mut items, |items| *items == 0);
        *items -= 1;
    }
}

/// The notification may fall anywhere between the waiter's check and its sleep,
/// with the mutex held by the notifier or not.
fn one_waiter(under_the_mutex: bool) {
    let stock = Stock::new();
    let taker = thread::spawn({
        let stock = stock.clone();
        move || stock.take()
    });
    let mut items = stock.items.lock();
    *items += 1;
    if under_the_mutex {
        stock.filled.notify_one();
        drop(items);
    } else {
        drop(items);
        stock.filled.notify_one();
    }
    taker.join().unwrap();
    assert_eq!(*stock.items.lock(), 0);
}

#[test]
fn notify_between_check_and_sleep() {
    check(
        "notify_between_check_and_sleep",
        Budget::exhaustive(),
        || {
            one_waiter(false);
        },
    );
}

#[test]
fn notify_under_the_mutex() {
    check("notify_under_the_mutex", Budget::exhaustive(), || {
        one_waiter(true);
    });
}

#[test]
fn notify_all_reaches_both() {
    check("notify_all_reaches_both", Budget::preemptions(3), || {
        let stock = Stock::new();
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let stock = stock.clone();
                thread::spawn(move || stock.take())
            })
            .collect();
        *stock.items.lock() += 2;
        stock.filled.notify_all();
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(*stock.items.lock(), 0);
    });
}

/// Each of two notifications releases one of two waiters.
#[test]
fn notify_one_twice_reaches_both() {
    check(
        "notify_one_twice_reaches_both",
        Budget::preemptions(3),
        || {
            let stock = Stock::new();
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    let stock = stock.clone();
                    thread::spawn(move || stock.take())
                })
                .collect();
            for _ in 0..2 {
                *stock.items.lock() += 1;
                stock.filled.notify_one();
            }
            for taker in takers {
                taker.join().unwrap();
            }
            assert_eq!(*stock.items.lock(), 0);
        },
    );
}

/// A waiter with a deadline passes on what it was notified of; so the other,
/// which has none, always gets the item.
#[test]
fn a_deadline_swallows_no_notification() {
    check(
        "a_deadline_swallows_no_notification",
        Budget::preemptions(3),
        || {
            let stock = Stock::new();
            let impatient = thread::spawn({
                let stock = stock.clone();
                let deadline = Instant::now() + Duration::from_millis(1);
                move || {
                    let mut items = stock.items.lock();
                    let result =
                        stock
                            .filled
                            .wait_while_until(&mut items, |items| *items == 0, deadline);
                    assert_eq!(result.timed_out(), *items == 0);
                    drop(items);
                    if !result.timed_out() {
                        // Seen and left alone: somebody else is to have it.
                        stock.filled.notify_one();
                    }
                }
            });
            let taker = thread::spawn({
                let stock = stock.clone();
                move || {
                    let mut items = stock.items.lock();
                    stock.filled.wait_while(&mut items, |items| *items == 0);
                }
            });
            *stock.items.lock() += 1;
            stock.filled.notify_one();
            taker.join().unwrap();
            // loom's clock need not move: a wait with a deadline may return
            // early, but only a wake ends it for sure.
            stock.filled.notify_all();
            impatient.join().unwrap();
        },
    );
}

/// A bounded buffer: two condition variables, three producers, three consumers.
#[test]
fn bounded_buffer() {
    check_large("bounded_buffer", Budget::default(), || {
        struct Buffer {
            items: Mutex<Vec<u32>>,
            filled: Condvar,
            emptied: Condvar,
        }
        let buffer = Arc::new(Buffer {
            items: Mutex::new(Vec::new()),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        });
        let producers: Vec<_> = (0..3)
            .map(|me| {
                let buffer = buffer.clone();
                thread::spawn(move || {
                    for item in 0..2 {
                        let mut items = buffer.items.lock();
                        buffer
                            .emptied
                            .wait_while(&mut items, |items| items.len() == 2);
                        items.push(2 * me + item);
                        drop(items);
                        buffer.filled.notify_one();
                    }
                })
            })
            .collect();
        let consumers: Vec<_> = (0..3)
            .map(|_| {
                let buffer = buffer.clone();
                thread::spawn(move || {
                    let mut taken = Vec::new();
                    for _ in 0..2 {
                        let mut items = buffer.items.lock();
                        buffer
                            .filled
                            .wait_while(&mut items, |items| items.is_empty());
                        taken.push(items.remove(0));
                        drop(items);
                        buffer.emptied.notify_one();
                    }
                    taken
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        let mut taken: Vec<_> = consumers
            .into_iter()
            .flat_map(|consumer| consumer.join().unwrap())
            .collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
    });
}
