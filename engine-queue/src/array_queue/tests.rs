//! What one thread can see.

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::string::String;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::{format, thread, vec::Vec};

use testkit::history::Recorder;
use testkit::linearizability::assert_linearizable;
use testkit::spec::{Fifo, History, Log, Op, Ret};

use super::ArrayQueue;
use crate::word::Word;
use crate::{PopError, PushError};

/// The first lap, and one that ends with the stamps.
const LAPS: [Word; 2] = [0, !0];

#[test]
#[should_panic(expected = "capacity must be non-zero")]
fn capacity_zero() {
    let _ = ArrayQueue::<u8>::new(0);
}

/// What a call panicked with.
fn panic_text<R>(call: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else {
        panic!("it did not panic");
    };
    let text = payload.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| payload.downcast_ref::<&str>().copied().unwrap_or("").into())
}

#[test]
fn capacity_too_large_panics_before_allocating() {
    // Each would exhaust the memory if it were tried first.
    let max = isize::MAX as usize;
    for capacity in [usize::MAX, usize::MAX / 2, max / 16] {
        let text = panic_text(|| ArrayQueue::<[u8; 16]>::new(capacity));
        assert_eq!(text, "queue capacity is too large");
    }
    // Items without a size have slots with one.
    let text = panic_text(|| ArrayQueue::<()>::new(max / 8 + 1));
    assert_eq!(text, "queue capacity is too large");
}

#[test]
fn every_capacity_over_the_wrap() {
    for lap in LAPS {
        for capacity in 1..=17 {
            let queue = ArrayQueue::starting_at(capacity, lap);
            assert_eq!(queue.capacity(), capacity);
            let mut next = 0;
            for round in 0..60 {
                assert_eq!(queue.len(), 0);
                assert_eq!(queue.pop(), None);
                // A different fill each time, so that every slot is the first once.
                let fill = round % capacity + 1;
                for item in next..next + fill {
                    assert_eq!(queue.is_full(), queue.len() == capacity);
                    assert_eq!(queue.push(item), Ok(()));
                    assert_eq!(queue.len(), item + 1 - next);
                    assert!(!queue.is_empty());
                }
                if fill == capacity {
                    assert!(queue.is_full());
                    assert_eq!(queue.push(99), Err(99));
                }
                for item in next..next + fill {
                    assert_eq!(queue.pop(), Some(item));
                }
                next += fill;
            }
        }
    }
}

#[test]
fn force_push_turns_out_the_oldest() {
    for lap in LAPS {
        for capacity in 1..=9 {
            let queue = ArrayQueue::starting_at(capacity, lap);
            for item in 0..100 {
                let oldest = (item >= capacity).then(|| item - capacity);
                assert_eq!(queue.force_push(item), oldest);
                assert_eq!(queue.len(), capacity.min(item + 1));
            }
            assert!(queue.into_iter().eq(100 - capacity..100));
        }
    }
}

/// Each kind of push and pop leaves what the others need, in all combinations.
#[test]
fn shared_and_exclusive_calls_mix() {
    for mask in 0..16 {
        let mut queue = ArrayQueue::starting_at(5, !0);
        let mut next = 0;
        for item in 0..100_usize {
            let pushed = if mask >> (item % 2) & 1 == 0 {
                queue.push(item)
            } else {
                queue.push_mut(item)
            };
            assert_eq!(pushed, Ok(()));
            if queue.len() == 4 {
                assert_eq!(queue.push_mut(item), Ok(()));
                assert_eq!(queue.push_mut(item), Err(item));
                assert_eq!(queue.push(item), Err(item));
                for _ in 0..2 {
                    let popped = if mask >> (2 + item % 2) & 1 == 0 {
                        queue.pop()
                    } else {
                        queue.pop_mut()
                    };
                    assert!(popped.is_some_and(|popped| popped >= next));
                    next = popped.unwrap();
                }
            }
        }
        let rest: Vec<_> = queue.into_iter().collect();
        assert!(rest.is_sorted() && rest.len() <= 5);
    }
}

#[test]
fn into_iter_can_stop_anywhere() {
    for stop in 0..=5 {
        let item = Rc::new(());
        let queue = ArrayQueue::starting_at(5, !0);
        queue.push(item.clone()).unwrap();
        drop(queue.pop());
        (0..5).for_each(|_| queue.push(item.clone()).unwrap());
        let mut items = queue.into_iter();
        assert_eq!(items.by_ref().take(stop).count(), stop);
        assert_eq!(items.len(), 5 - stop);
        drop(items);
        assert_eq!(Rc::strong_count(&item), 1);
    }
}

/// Counts its drop, and panics if it is that of item 1.
struct Bomb(usize, Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.1.fetch_add(1, Relaxed);
        assert!(self.0 != 1, "drop of item 1");
    }
}

#[test]
fn a_panicking_drop_leaks_nothing() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = ArrayQueue::starting_at(3, !0);
    for n in 0..3 {
        assert!(queue.push(Bomb(n, dropped.clone())).is_ok());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(dropped.load(Relaxed), 3);
}

/// The same for what an iterator has not reached.
#[test]
fn a_panicking_drop_of_the_iterator_leaks_nothing() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = ArrayQueue::starting_at(5, !0);
    for n in [9, 0, 1, 2, 3] {
        assert!(queue.push(Bomb(n, dropped.clone())).is_ok());
    }
    let mut items = queue.into_iter();
    drop(items.next());
    assert_eq!(panic_text(|| drop(items)), "drop of item 1");
    assert_eq!(dropped.load(Relaxed), 5);
}

#[test]
#[expect(clippy::forget_non_drop, reason = "should it ever have a drop")]
fn a_leaked_drain_keeps_nothing() {
    let item = Rc::new(());
    let queue = ArrayQueue::starting_at(2, !0);
    queue.push(item.clone()).unwrap();
    queue.push(item.clone()).unwrap();
    let mut drain = queue.drain();
    drop(drain.next());
    forget(drain);
    assert_eq!((queue.len(), Rc::strong_count(&item)), (1, 2));
    queue.push(item.clone()).unwrap();
    assert!(queue.is_full());
    drop(queue);
    assert_eq!(Rc::strong_count(&item), 1);
}

#[test]
fn sizes_at_both_ends() {
    struct Nothing;
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
    let nothing = ArrayQueue::new(3);
    let mut batch: Vec<_> = (0..5).map(|_| Nothing).collect();
    assert_eq!(nothing.push_batch(&mut batch), Err(PushError::Full(())));
    assert_eq!((batch.len(), nothing.len()), (2, 3));
    assert!(nothing.push(Nothing).is_err());
    assert_eq!(DROPPED.swap(0, Relaxed), 1);
    let mut out = Vec::new();
    assert_eq!(nothing.pop_batch(&mut out, 2), 2);
    drop(nothing);
    assert_eq!(DROPPED.load(Relaxed), 1);
    drop((batch, out));
    assert_eq!(DROPPED.load(Relaxed), 5);

    let big = ArrayQueue::new(64);
    (0..60_u8).for_each(|n| assert!(big.push([n; 32 << 10]).is_ok()));
    let mut batch: Vec<_> = (60..64_u8).map(|n| [n; 32 << 10]).collect();
    assert_eq!(big.push_batch(&mut batch), Ok(()));
    assert!((0..32).all(|n| big.pop().is_some_and(|item| item[99] == n)));
    let mut out = Vec::new();
    assert_eq!(big.pop_batch(&mut out, 64), 32);
    assert!(out.iter().zip(32..).all(|(item, n)| item[32_767] == n));
}

/// A push that is stopped for ever between its claim and its end: what goes on, and what
/// does not; as the documentation says.
#[test]
fn a_push_that_never_ends() {
    for lap in LAPS {
        let queue = ArrayQueue::starting_at(4, lap);
        queue.push(0).unwrap();
        let ring = &queue.ring;
        let (tail, slot) = ring.at_tail();
        ring.claim(&ring.tail, tail, ring.course.next(tail))
            .unwrap();
        // Other pushes go on, up to the same slot one lap later, and its item counts.
        queue.push(2).unwrap();
        assert_eq!(
            queue.push_batch(&mut std::vec![3, 4]),
            Err(PushError::Full(()))
        );
        assert_eq!((queue.len(), queue.is_full()), (4, true));
        // Pops go on up to its slot; a batch ends before it and does not wait.
        let mut out = Vec::new();
        assert_eq!(queue.pop_batch(&mut out, 4), 1);
        assert_eq!((queue.len(), queue.is_empty()), (3, false));
        // The slot before it is free again.
        queue.push(4).unwrap();
        assert_eq!(queue.push(5), Err(5));
        assert!(queue.close());
        // The next pop would wait. The push ends after all.
        // SAFETY: the slot had this stamp: the queue was not full; claimed just above.
        unsafe { slot.fill(tail, 1) };
        out.extend(queue.drain());
        assert_eq!(out, [0, 1, 2, 3, 4]);
    }
}

/// A pop that is stopped for ever between its claim and its end.
#[test]
fn a_pop_that_never_ends() {
    for lap in LAPS {
        let queue = ArrayQueue::starting_at(3, lap);
        (0..3).for_each(|n| queue.push(n).unwrap());
        let ring = &queue.ring;
        let (head, slot) = ring.at_head();
        ring.claim(&ring.head, head, ring.course.next(head))
            .unwrap();
        // The other items are there; a batch of pushes that needs its slot does not wait.
        assert_eq!((queue.len(), queue.is_full()), (2, false));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.pop(), Some(2));
        assert!(queue.is_empty());
        // The next push would wait, and so would the next pop. The pop ends after all.
        // SAFETY: the slot had the item of this head: pushed above; claimed just above.
        assert_eq!(unsafe { slot.empty(head, ring.course) }, 0);
        queue.push(3).unwrap();
        assert_eq!(queue.pop(), Some(3));
    }
}

/// Histories of real threads that meet at the edges while the stamps wrap.
#[test]
fn histories_over_the_wrap_are_linearizable() {
    const THREADS: u64 = 4;
    let (rounds, operations) = if cfg!(miri) { (2, 6) } else { (100, 40) };
    for capacity in [1, 2, 3, 7] {
        for round in 0..rounds {
            // The first lap is the last before the wrap, or one of the last.
            let queue = ArrayQueue::starting_at(capacity, (0 as Word).wrapping_sub(1 + round % 3));
            let mut recorder = Recorder::new();
            let start = Barrier::new(THREADS as usize);
            let logs: Vec<Log> = (0..THREADS).map(|_| recorder.log()).collect();
            let logs: Vec<Log> = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .zip(logs)
                    .map(|(thread, mut log)| {
                        let (queue, start) = (&queue, &start);
                        scope.spawn(move || {
                            start.wait();
                            for n in 0..operations {
                                let item = thread * 1_000 + n;
                                match (n * 7 + thread * 3 + round) % 8 {
                                    0..4 => log
                                        .record(Op::Push(item), || Ret::pushed(&queue.push(item))),
                                    4..7 => log.record(Op::Pop, || Ret::popped(queue.pop())),
                                    _ => log.record(Op::Len, || Ret::Count(queue.len())),
                                };
                            }
                            log
                        })
                    })
                    .collect();
                let logs = threads.into_iter().map(|thread| thread.join().unwrap());
                logs.collect()
            });
            let history = History::new(logs);
            assert_eq!(history.operations().len() as u64, THREADS * operations);
            assert_linearizable(&Fifo::bounded(capacity), &history);
        }
    }
}

#[test]
fn debug_decodes() {
    let queue = ArrayQueue::new(2);
    queue.push(1).unwrap();
    assert_eq!(
        format!("{queue:?}"),
        "ArrayQueue { len: 1, capacity: 2, closed: false, \
         stats: QueueStats { push_races_lost: 0, pop_races_lost: 0 }, .. }"
    );
}

#[test]
fn batches_take_what_there_is_room_for() {
    for lap in LAPS {
        for capacity in 1..=9 {
            for size in 0..=12 {
                let queue = ArrayQueue::starting_at(capacity, lap);
                let mut next = 0;
                let mut out = Vec::new();
                for round in 0..20 {
                    let mut batch: Vec<usize> = (next..next + size).collect();
                    let room = capacity - queue.len();
                    let pushed = queue.push_batch(&mut batch);
                    if size <= room {
                        assert_eq!(pushed, Ok(()));
                    } else {
                        assert_eq!(pushed, Err(PushError::Full(())));
                    }
                    next += size.min(room);
                    assert!(
                        batch
                            .iter()
                            .copied()
                            .eq(next..next + size.saturating_sub(room))
                    );
                    let (before, wanted) = (queue.len(), round % (capacity + 2));
                    assert_eq!(queue.pop_batch(&mut out, wanted), wanted.min(before));
                }
                out.extend(queue);
                assert!(out.into_iter().eq(0..next));
            }
        }
    }
}

#[test]
fn a_closed_queue_gives_what_it_has() {
    for lap in LAPS {
        let mut queue = ArrayQueue::starting_at(2, lap);
        assert_eq!(queue.try_pop(), Err(PopError::Empty));
        queue.push(1).unwrap();
        assert!(!queue.is_closed() && queue.close());
        assert!(queue.is_closed() && !queue.close());
        assert_eq!((queue.len(), queue.is_full()), (1, false));
        assert_eq!(queue.push(2), Err(2));
        assert_eq!(queue.push_mut(2), Err(2));
        assert_eq!(queue.try_push(2), Err(PushError::Closed(2)));
        assert_eq!(queue.force_push(2), Some(2));
        let mut batch = std::vec![2, 3];
        assert_eq!(queue.push_batch(&mut batch), Err(PushError::Closed(())));
        assert_eq!(batch, [2, 3]);
        assert_eq!(queue.try_pop(), Ok(1));
        assert_eq!(queue.try_pop(), Err(PopError::Closed));
        assert_eq!((queue.pop(), queue.pop_mut()), (None, None));
        assert!(queue.is_empty());

        let full = ArrayQueue::starting_at(2, lap);
        full.push(1).unwrap();
        full.push(2).unwrap();
        full.close();
        assert!(full.is_full());
        assert_eq!(full.force_push(3), Some(3));
        assert!(full.into_iter().eq([1, 2]));
    }
}

#[test]
fn drain_takes_what_is_there_now() {
    let queue = ArrayQueue::new(4);
    (0..3).for_each(|n| queue.push(n).unwrap());
    let mut drain = queue.drain();
    assert_eq!(drain.size_hint(), (0, Some(3)));
    assert_eq!(drain.next(), Some(0));
    queue.push(3).unwrap();
    assert!(drain.eq(1..3));
    assert_eq!(queue.len(), 1);
    drop(queue.drain());
    assert!(queue.drain().eq([3]));
    assert_eq!(queue.drain().next(), None);
}
