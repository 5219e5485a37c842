//! What one thread can see.
#![cfg(target_has_atomic = "64")]

use std::vec::Vec;
use std::{format, iter};

use super::{BLOCK, Injector};
use crate::deque::Steal;
use crate::deque::bounded::Worker;

fn filled(items: usize) -> Injector<usize> {
    let injector = Injector::new();
    injector.push_batch(&mut (0..items).collect());
    injector
}

fn drain(worker: &Worker<usize>) -> Vec<usize> {
    iter::from_fn(|| worker.pop()).collect()
}

#[test]
fn steals_in_order() {
    let injector = filled(100);
    assert_eq!(injector.len(), 100);
    for item in 0..100 {
        assert_eq!(injector.steal(), Steal::Success(item));
    }
    assert_eq!(injector.steal(), Steal::Empty);
    assert!(injector.is_empty());
}

#[test]
fn batches_are_the_older_half_rounded_up() {
    for len in 1..BLOCK {
        let half = len.div_ceil(2);
        let (injector, worker) = (filled(len), Worker::new_fifo(64));
        assert_eq!(injector.steal_batch(&worker), Steal::Success(()));
        assert_eq!(drain(&worker), (0..half).collect::<Vec<_>>());
        assert_eq!(injector.len(), len - half);

        let (injector, worker) = (filled(len), Worker::new_fifo(64));
        assert_eq!(injector.steal_batch_and_pop(&worker), Steal::Success(0));
        assert_eq!(drain(&worker), (1..half).collect::<Vec<_>>());
        assert_eq!(injector.len(), len - half);
    }
}

#[test]
fn a_batch_is_the_rest_of_a_block_that_is_not_the_last() {
    let (injector, worker) = (filled(2 * BLOCK), Worker::new_fifo(64));
    for item in 0..4 {
        assert_eq!(injector.steal(), Steal::Success(item));
    }
    // 32 at most, and one more if that is returned.
    assert_eq!(injector.steal_batch(&worker), Steal::Success(()));
    assert_eq!(drain(&worker), (4..36).collect::<Vec<_>>());
    assert_eq!(injector.steal_batch_and_pop(&worker), Steal::Success(36));
    assert_eq!(drain(&worker), (37..BLOCK).collect::<Vec<_>>());
    assert_eq!(injector.steal_batch_and_pop(&worker), Steal::Success(63));
    assert_eq!(drain(&worker), (64..96).collect::<Vec<_>>());
    // A limit of the caller's may be higher.
    let all = injector.steal_batch_with_limit(&worker, 100);
    assert_eq!((all, injector.len()), (Steal::Success(()), 0));
    assert_eq!(drain(&worker), (96..2 * BLOCK).collect::<Vec<_>>());
}

#[test]
fn batches_stop_at_the_limit_and_at_the_room() {
    let (injector, worker) = (filled(20), Worker::new_fifo(4));
    assert_eq!(
        injector.steal_batch_with_limit(&worker, 2),
        Steal::Success(())
    );
    assert_eq!(
        injector.steal_batch_with_limit_and_pop(&worker, 1),
        Steal::Success(2)
    );
    assert_eq!(
        injector.steal_batch_with_limit_and_pop(&worker, 2),
        Steal::Success(3)
    );
    assert_eq!(injector.steal_batch(&worker), Steal::Success(()));
    assert_eq!(injector.steal_batch(&worker), Steal::Empty);
    // Even a full deque can receive one by hand.
    assert_eq!(injector.steal_batch_and_pop(&worker), Steal::Success(6));
    assert_eq!(drain(&worker), [0, 1, 4, 5]);
    assert_eq!(injector.len(), 13);
}

#[test]
#[should_panic(expected = "limit must be non-zero")]
fn limit_zero() {
    let _ = filled(1).steal_batch_with_limit(&Worker::new_fifo(1), 0);
}

#[test]
#[should_panic(expected = "limit must be non-zero")]
fn limit_zero_and_pop() {
    let _ = filled(1).steal_batch_with_limit_and_pop(&Worker::new_fifo(1), 0);
}

#[test]
fn debug_says_the_length() {
    assert_eq!(format!("{:?}", filled(3)), "Injector { len: 3, .. }");
    assert_eq!(
        format!("{:?}", Injector::<u8>::default()),
        "Injector { len: 0, .. }"
    );
}
