//! What one thread can see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{format, vec::Vec};

use super::SegQueue;
use crate::{PopError, PushError};

#[test]
fn first_in_first_out_over_many_blocks() {
    let queue = SegQueue::new();
    assert_eq!(queue.pop(), None::<usize>);
    for round in 0..4 {
        for item in 0..100 {
            assert_eq!(queue.len(), item);
            queue.push(round * 100 + item);
        }
        for item in 0..100 {
            assert_eq!(queue.len(), 100 - item);
            assert_eq!(queue.pop(), Some(round * 100 + item));
        }
        assert_eq!(queue.pop(), None);
        assert!(queue.is_empty());
    }
}

/// Each kind of push and pop leaves what the others need, in all combinations.
#[test]
fn shared_and_exclusive_calls_mix() {
    for mask in 0..16 {
        let mut queue = SegQueue::new();
        let mut next = 0;
        for item in 0..200_usize {
            if mask >> (item % 2) & 1 == 0 {
                queue.push(item);
            } else {
                queue.push_mut(item);
            }
            if item % 5 != 0 {
                let popped = if mask >> (2 + item % 2) & 1 == 0 {
                    queue.pop()
                } else {
                    queue.pop_mut()
                };
                assert_eq!(popped, Some(next));
                next += 1;
            }
        }
        assert_eq!(queue.len(), 200 - next);
        assert!(queue.into_iter().eq(next..200));
    }
}

#[test]
fn batches_of_every_size() {
    let queue = SegQueue::new();
    let mut all = Vec::new();
    for size in 0..100 {
        let mut batch: Vec<usize> = (all.len()..all.len() + size).collect();
        all.extend(&batch);
        queue.push_batch(&mut batch).unwrap();
        assert!(batch.is_empty());
        assert_eq!(queue.len(), all.len());
    }
    assert!(queue.into_iter().eq(all));
}

#[test]
fn into_iter_can_stop_anywhere() {
    for stop in [0, 1, 30, 31, 32, 99, 100] {
        let item = Rc::new(());
        let queue = SegQueue::new();
        (0..100).for_each(|_| queue.push(item.clone()));
        let mut items = queue.into_iter();
        assert_eq!(items.by_ref().take(stop).count(), stop);
        assert_eq!(items.len(), 100 - stop);
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
            assert_ne!(self.0, 40, "drop of item 40");
        }
    }

    let before = crate::block_list::live::count();
    let dropped = Arc::new(AtomicUsize::new(0));
    let queue = SegQueue::new();
    (0..100).for_each(|n| queue.push(Bomb(n, dropped.clone())));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(dropped.load(Relaxed), 100);
    assert_eq!(crate::block_list::live::count(), before);
}

#[test]
fn sizes_at_both_ends() {
    let nothing = SegQueue::new();
    (0..100).for_each(|_| nothing.push(()));
    assert_eq!(nothing.into_iter().count(), 100);

    // A block of these is a megabyte: it must not pass over the stack.
    let big = SegQueue::new();
    (0..40_u8).for_each(|n| big.push([n; 32 << 10]));
    assert!((0..40).all(|n| big.pop().is_some_and(|item| item[99] == n)));
}

#[test]
fn debug_says_the_length() {
    let queue = SegQueue::default();
    queue.push(1);
    assert_eq!(
        format!("{queue:?}"),
        "SegQueue { len: 1, closed: false, \
         stats: QueueStats { push_races_lost: 0, pop_races_lost: 0 }, .. }"
    );
}

#[test]
fn batches_are_taken_over_the_ends_of_blocks() {
    let queue = SegQueue::new();
    let mut next = 0;
    let mut out = Vec::new();
    for size in 0..100 {
        let mut batch: Vec<usize> = (next..next + size).collect();
        next += size;
        queue.push_batch(&mut batch).unwrap();
        let (before, wanted) = (queue.len(), (size * 7) % 90);
        assert_eq!(queue.pop_batch(&mut out, wanted), wanted.min(before));
    }
    let rest = queue.len();
    assert_eq!(queue.pop_batch(&mut out, usize::MAX), rest);
    assert!(out.into_iter().eq(0..next));
}

/// Closed on either side of a block's end.
#[test]
fn a_closed_queue_gives_what_it_has() {
    for items in [0, 1, 30, 31, 32, 62] {
        let mut queue = SegQueue::new();
        assert_eq!(queue.try_pop(), Err(PopError::Empty));
        (0..items).for_each(|n| queue.push(n));
        assert!(!queue.is_closed() && queue.close());
        assert!(queue.is_closed() && !queue.close());
        assert_eq!(queue.len(), items);
        assert_eq!(queue.try_push(99), Err(PushError::Closed(99)));
        let mut batch = std::vec![98, 99];
        assert_eq!(queue.push_batch(&mut batch), Err(PushError::Closed(())));
        assert_eq!(batch, [98, 99]);
        let pushed = catch_unwind(AssertUnwindSafe(|| queue.push(99)));
        let message = *pushed.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(message, "push on a closed queue");
        assert!(catch_unwind(AssertUnwindSafe(|| queue.push_mut(99))).is_err());
        for item in 0..items {
            assert_eq!(queue.try_pop(), Ok(item));
        }
        assert_eq!(queue.try_pop(), Err(PopError::Closed));
        assert!(queue.is_empty());
    }
}

#[test]
fn drain_takes_what_is_there_now() {
    let queue = SegQueue::new();
    (0..40).for_each(|n| queue.push(n));
    let mut drain = queue.drain();
    assert_eq!(drain.next(), Some(0));
    queue.push(40);
    assert!(drain.eq(1..40));
    assert_eq!(queue.pop(), Some(40));
}
