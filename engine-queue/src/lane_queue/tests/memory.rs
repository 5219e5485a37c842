//! What is held, freed and dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::vec::Vec;

use super::super::LaneQueue;
use super::super::model::scripted;
use super::super::segment::{Header, Segment};
use super::super::slot::Generation;
use super::drain;

/// Two segments in turn, however long; and a handle that rests, or is leaked, holds up
/// one more.
#[test]
fn memory_is_bounded_whoever_rests() {
    let queue = scripted(&[1, 2], 4);
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    let mut work = |rounds: usize| {
        for item in 0..rounds {
            producer.push(item);
            assert_eq!(consumer.pop(), Some(item));
        }
    };
    work(1000);
    // The list, one for each of two handles, the cache.
    let bound = |handles: usize| 2 + handles + 4;
    assert!(queue.stats().allocated_segments <= bound(2));
    let mut resting = Vec::new();
    for n in 0..20 {
        work(100);
        let (mut push, mut pop) = (queue.producer(), queue.consumer());
        push.push(0);
        assert_eq!(pop.pop(), Some(0));
        if n % 2 == 0 {
            core::mem::forget((push, pop));
        } else {
            resting.push((push, pop));
        }
    }
    work(1000);
    let full = queue.stats().allocated_segments;
    // Those of a pair share a segment.
    assert!((21..=bound(22)).contains(&full), "{full}");
    drop(resting);
    work(1000);
    let less = queue.stats().allocated_segments;
    // All but those that are kept for use.
    assert!(less <= full - 10 + 4, "{less} after {full}");
}

#[test]
fn records_are_used_again() {
    let queue = LaneQueue::<u8>::new();
    for _ in 0..1000 {
        let _handles = (queue.producer(), queue.consumer());
        assert!(queue.is_empty());
    }
    assert_eq!(queue.shared.registry().len(), 3);
}

/// Counts its drops, and panics at one.
struct Bomb(Arc<AtomicUsize>, bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
        assert!(!self.1, "boom");
    }
}

#[test]
fn a_panicking_drop_does_not_stop_the_others() {
    for armed in [0, 7, 19] {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = scripted(&[2, 1], 3);
        let (mut a, mut b) = (queue.producer(), queue.producer());
        for n in 0..10 {
            a.push(Bomb(drops.clone(), 2 * n == armed));
            b.push(Bomb(drops.clone(), 2 * n + 1 == armed));
        }
        let mut consumer = queue.consumer();
        drop((a, b, queue));
        let popped = catch_unwind(AssertUnwindSafe(|| drop(consumer.pop())));
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(consumer)));
        assert!(
            popped.is_err() != dropped.is_err(),
            "one of them has the bomb"
        );
        assert_eq!(drops.load(Relaxed), 20);
        assert_eq!(Arc::strong_count(&drops), 1);
    }
}

#[test]
fn any_size_of_item() {
    let queue = LaneQueue::new();
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    (0..2000).for_each(|_| producer.push(()));
    assert_eq!(queue.len(), 2000);
    assert_eq!(drain(&mut consumer).len(), 2000);

    let queue = LaneQueue::new();
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    for n in 0..50_u8 {
        producer.push([n; 32 * 1024]);
    }
    assert!((0..50).all(|n| consumer.pop().is_some_and(|item| item == [n; 32 * 1024])));
}

/// Memory that was used as often as a generation can count is freed.
#[test]
fn the_last_generation_is_not_recycled() {
    assert_eq!(Generation::last().next(), None);
    let queue = scripted::<u8>(&[1], 2);
    let mut producer = queue.producer();
    producer.push(1);
    // SAFETY: pinned by the producer.
    let first = unsafe { producer.seat().unwrap().segment() };
    let header = Header {
        generation: Generation::last(),
        ..first.header()
    };
    let worn = Segment::<u8>::alloc(1, 2, header);
    // SAFETY: alive.
    let segment = unsafe { worn.as_ref() };
    // SAFETY: ours alone.
    let usable = unsafe { segment.recycle() };
    assert!(!usable);
    // SAFETY: ours alone.
    unsafe { Segment::free(worn) };
}
