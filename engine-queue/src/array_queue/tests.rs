//! What one thread can see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{format, vec::Vec};

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

#[test]
fn capacity_too_large_panics_before_allocating() {
    // Each would exhaust the memory if it were tried first.
    for capacity in [usize::MAX, usize::MAX / 2, isize::MAX as usize / 16] {
        assert!(catch_unwind(|| ArrayQueue::<[u8; 16]>::new(capacity)).is_err());
    }
    assert!(catch_unwind(|| ArrayQueue::<()>::new(isize::MAX as usize / 8 + 1)).is_err());
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

#[test]
fn a_panicking_drop_leaks_nothing() {
    struct Bomb(usize, Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            assert_ne!(self.0, 1, "drop of item 1");
        }
    }

    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = ArrayQueue::starting_at(3, !0);
    for n in 0..3 {
        assert!(queue.push(Bomb(n, dropped.clone())).is_ok());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(dropped.load(Relaxed), 3);
}

#[test]
fn sizes_at_both_ends() {
    let nothing = ArrayQueue::new(3);
    (0..3).for_each(|_| nothing.push(()).unwrap());
    assert_eq!(nothing.push(()), Err(()));
    assert_eq!(nothing.into_iter().count(), 3);

    let big = ArrayQueue::new(64);
    (0..64_u8).for_each(|n| assert!(big.push([n; 32 << 10]).is_ok()));
    assert!((0..64).all(|n| big.pop().is_some_and(|item| item[99] == n)));
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
