//! What one thread can see, including the states that a stopped thief leaves behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Worker;
use super::buffer::Buffer;
use super::head::Head;
use super::worker::MIN_CAPACITY;
use crate::deque::Steal;
use crate::deque::bias::{HeadWord, Mode};
use crate::deque::flavor::Flavor::{self, Fifo, Lifo};

/// Just before the front wraps at 2^48.
const WRAPPING: u64 = (1 << 48) - 3;

fn filled(flavor: Flavor, items: std::ops::Range<u32>) -> Worker<u32> {
    let worker = Worker::starting_at(flavor, WRAPPING);
    items.for_each(|item| worker.push(item));
    worker
}

fn drain<T>(worker: &Worker<T>) -> Vec<T> {
    std::iter::from_fn(|| worker.pop()).collect()
}

/// A thief that has claimed the oldest item, and is stopped before it reads it.
struct Stopped {
    buffer: std::ptr::NonNull<Buffer<u32>>,
    head: Head,
}

impl Stopped {
    fn new(worker: &Worker<u32>) -> Self {
        let view = worker.shared.look(worker.flavor).success().unwrap();
        worker.shared.claim(view.head, 1).unwrap();
        Self {
            buffer: view.buffer,
            head: view.head,
        }
    }

    fn read(self) -> u32 {
        // SAFETY: the claim is pending, so the buffer lives.
        let slots = unsafe { Buffer::slots(self.buffer) };
        // SAFETY: claimed in `new`; `self` is used up, so once; one thread.
        unsafe { slots.steal(self.head.front()) }
    }
}

#[test]
fn pops_in_its_order_across_the_wrap() {
    let (fifo, lifo) = (filled(Fifo, 0..0), filled(Lifo, 0..0));
    for item in 0..20 {
        for worker in [&fifo, &lifo] {
            worker.push(item);
            worker.push(item + 100);
            assert_eq!((worker.len(), worker.stealer().len()), (2, 2));
        }
        assert_eq!(drain(&fifo), [item, item + 100]);
        assert_eq!(drain(&lifo), [item + 100, item]);
        assert!(fifo.is_empty() && lifo.is_empty());
    }
}

#[test]
fn steals_the_oldest() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..5);
        let stealer = worker.stealer();
        assert_eq!(stealer.steal(), Steal::Success(0));
        assert_eq!(worker.pop(), Some(if flavor == Fifo { 1 } else { 4 }));
        let next = if flavor == Fifo { 2 } else { 1 };
        assert_eq!(stealer.steal(), Steal::Success(next));
        assert_eq!(worker.len(), 2);
        drain(&worker);
        assert_eq!(stealer.steal(), Steal::Empty);
        assert!(stealer.is_empty());
    }
}

/// Which items a batch takes, and in what order the destination's owner gets them.
#[test]
fn batches_in_the_order_of_the_source() {
    for (source, dest) in [(Fifo, Fifo), (Fifo, Lifo), (Lifo, Fifo), (Lifo, Lifo)] {
        for len in 1..=80_u32 {
            let count = len.div_ceil(2).min(32);
            let mut order: Vec<_> = (0..count).collect();
            if source == Lifo {
                order.reverse();
            }

            let (victim, mine) = (filled(source, 0..len), filled(dest, 0..0));
            assert_eq!(victim.stealer().steal_batch(&mine), Steal::Success(()));
            assert_eq!(drain(&mine), order);
            assert_eq!(victim.len() as u32, len - count);

            let (victim, mine) = (filled(source, 0..len), filled(dest, 0..0));
            let first = victim.stealer().steal_batch_and_pop(&mine);
            assert_eq!(first, Steal::Success(order[0]));
            assert_eq!(drain(&mine), order[1..]);
            assert_eq!(victim.len() as u32, len - count);
        }
    }
}

#[test]
fn batches_stop_at_the_limit() {
    for flavor in [Fifo, Lifo] {
        let (victim, mine) = (filled(flavor, 0..200), filled(flavor, 0..0));
        let stealer = victim.stealer();
        assert!(stealer.steal_batch_with_limit(&mine, 3).is_success());
        assert_eq!(mine.len(), 3);
        assert!(
            stealer
                .steal_batch_with_limit_and_pop(&mine, 1)
                .is_success()
        );
        assert_eq!(mine.len(), 3);
        assert!(stealer.steal_batch_with_limit(&mine, 1000).is_success());
        assert_eq!((mine.len(), victim.len()), (3 + 98, 98));
        assert!(
            stealer
                .steal_batch_with_limit_and_pop(&mine, usize::MAX)
                .is_success()
        );
        assert_eq!((mine.len(), victim.len()), (3 + 98 + 48, 49));
    }
}

#[test]
fn limit_zero_panics() {
    let (victim, dest) = (filled(Fifo, 0..1), filled(Fifo, 0..0));
    let stealer = victim.stealer();
    assert!(catch_unwind(|| stealer.steal_batch_with_limit(&dest, 0)).is_err());
    assert!(catch_unwind(|| stealer.steal_batch_with_limit_and_pop(&dest, 0)).is_err());
    assert_eq!(victim.len(), 1);
}

#[test]
fn stealing_from_oneself() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..3);
        let stealer = worker.stealer();
        assert_eq!(stealer.steal_batch(&worker), Steal::Success(()));
        assert_eq!(worker.len(), 3);
        let first = if flavor == Fifo { 0 } else { 2 };
        assert_eq!(stealer.steal_batch_and_pop(&worker), Steal::Success(first));
        assert_eq!(drain(&worker).len(), 2);
        assert_eq!(stealer.steal_batch(&worker), Steal::Empty);
        assert_eq!(stealer.steal_batch_and_pop(&worker), Steal::Empty);
    }
}

#[test]
fn push_says_whether_it_was_empty() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..0);
        assert!(worker.push_was_empty(1));
        assert!(!worker.push_was_empty(2));
        assert!(worker.stealer().steal().is_success());
        assert!(!worker.push_was_empty(3));
        drain(&worker);
        assert!(worker.push_was_empty(4));
    }
}

#[test]
fn grows_and_shrinks() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..0);
        assert_eq!(worker.capacity(), MIN_CAPACITY);
        for n in 0..1000 {
            worker.push(n);
            assert!(worker.capacity() >= worker.len());
        }
        assert_eq!(worker.capacity(), 1024);
        let mut popped: Vec<_> = (0..990).map_while(|_| worker.pop()).collect();
        assert_eq!(worker.capacity(), MIN_CAPACITY);
        popped.extend(drain(&worker));
        if flavor == Lifo {
            popped.reverse();
        }
        assert!(popped.into_iter().eq(0..1000));
        assert_eq!(worker.shared.retired(), 0, "nobody reads them");
    }
}

/// A thief that is stopped between claim and read keeps its slot and its buffer, and the
/// owner goes elsewhere, once.
#[test]
fn a_stopped_thief() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..3);
        let stopped = Stopped::new(&worker);
        let mut next = 3;
        // Laps around the buffer, with few items in it.
        for _ in 0..10 * MIN_CAPACITY {
            worker.push(next);
            next += 1;
            assert!(worker.stealer().steal().is_success());
        }
        assert_eq!(worker.capacity(), MIN_CAPACITY, "not for want of room");
        assert_eq!(worker.shared.retired(), 1, "the one that is read");
        assert_eq!(stopped.read(), 0);
        // The next replacement frees it.
        for _ in 0..MIN_CAPACITY {
            worker.push(next);
            next += 1;
        }
        assert_eq!(worker.shared.retired(), 0);
        assert_eq!(worker.len(), 2 + MIN_CAPACITY);
    }
}

/// What was read a lap ago says nothing about this lap's thief.
#[test]
fn a_stopped_thief_on_the_second_lap() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..2);
        let go_round = |from: u32, laps: usize| {
            for n in (from..).take(laps * MIN_CAPACITY) {
                worker.push(n);
                assert!(worker.stealer().steal().is_success());
            }
        };
        go_round(2, 2);
        worker.push(1_000);
        assert_eq!(worker.len(), 3);
        let stopped = Stopped::new(&worker);
        go_round(2_000, 3);
        assert_eq!(worker.shared.retired(), 1, "its buffer was left to it");
        assert_eq!(stopped.read(), 2 + 2 * MIN_CAPACITY as u32 - 2);
    }
}

/// As above where the owner itself pops behind the thief: what it popped is free again
/// when the thief has read.
#[test]
fn pops_behind_a_stopped_thief() {
    let worker = filled(Fifo, 0..2);
    let stopped = Stopped::new(&worker);
    for n in 2..20 {
        worker.push(n);
        assert_eq!(worker.pop(), Some(n - 1));
    }
    assert_eq!(stopped.read(), 0);
    for n in 20..500 {
        worker.push(n);
        assert_eq!(worker.pop(), Some(n - 1));
    }
    assert_eq!(worker.capacity(), MIN_CAPACITY);
    assert_eq!(worker.shared.retired(), 0, "the buffer was never replaced");
}

/// While the owner is between two buffers, thieves are turned away.
#[test]
fn a_stopped_owner() {
    for flavor in [Fifo, Lifo] {
        let worker = filled(flavor, 0..2);
        let stealer = worker.stealer();
        let view = worker.shared.look(flavor).success().unwrap();
        worker.shared.begin_swap();
        assert!(worker.shared.claim(view.head, 1).is_none(), "an old look");
        assert_eq!(stealer.steal(), Steal::Retry);
        assert_eq!(stealer.steal_batch(&filled(Fifo, 0..0)), Steal::Retry);
        assert_eq!((stealer.len(), stealer.is_empty()), (2, false));
        let head = worker.shared.end_swap();
        assert!(worker.shared.claim(view.head, 1).is_none(), "an old look");
        assert!(worker.shared.claim(head, 2).is_some());
        assert!(stealer.is_empty());
        // The items were claimed behind the worker's back and are plain numbers; so that the
        // worker is not used any more with the old generation:
        std::mem::forget(worker);
    }
}

#[test]
fn head_packs_front_and_generation() {
    let head = Head::new((1 << 48) - 1);
    assert_eq!((head.front(), head.is_swapping()), ((1 << 48) - 1, false));
    assert_eq!(head.items_before((1 << 48) - 1), 0);
    assert_eq!(head.items_before((1 << 48) + 4), 5);
    assert_eq!(head.items_before((1 << 48) - 3), -2);
    let next = head.claimed(3);
    assert_eq!((next.front(), next.items_before(2)), (2, 0));
    let odd = Head(next.0 + next.to_next_generation());
    assert!(odd.is_swapping());
    assert_eq!((odd.front(), odd.items_before(7)), (2, 5));
    let mut head = next;
    for _ in 0..2 * Head::SWAPS {
        let to_next = head.to_next_generation();
        head = Head(head.0.wrapping_add(to_next));
        assert_eq!(head.front(), 2, "the carry stays out");
        assert_eq!(head.items_before(7), 5, "whatever the generation");
        assert_ne!(head, Head(0));
    }
    assert_eq!(head, next, "as many steps as generations");
    assert_eq!(next.at((1 << 48) + 9).front(), 9);
    assert_eq!(
        format!("{odd:?}"),
        "Head { front: 2, mode: Open, opened_at_odd: true, generation: 1 }"
    );
    let biased = next.biased_at((1 << 48) + 4);
    assert_eq!((biased.mode(), biased.front()), (Mode::Biased, 4));
    let revoking = biased.revoking();
    assert_eq!((revoking.mode(), revoking.front()), (Mode::Revoking, 4));
    assert_eq!(revoking.open_at(5), Head::new(5));
    assert!(!biased.is_swapping() && !revoking.is_swapping());
}

/// A worker that never changes its front stops shrinking before a generation comes again.
#[test]
#[cfg_attr(miri, ignore = "millions of steps")]
fn generations_do_not_come_again() {
    let worker = filled(Lifo, 0..1);
    let first = worker.shared.head();
    let mut swaps = 0;
    let mut generation = first;
    for _ in 0..Head::SWAPS {
        for n in 0..64 {
            worker.push(n);
        }
        for _ in 0..64 {
            worker.pop();
        }
        let head = worker.shared.head();
        assert_eq!(head.front(), first.front());
        swaps += u32::from(head != generation);
        generation = head;
    }
    assert!(swaps > Head::SWAPS / 8, "it does shrink: {swaps}");
    assert!(swaps < Head::SWAPS, "an old look would be good again");
    assert_eq!(worker.capacity(), 128, "it has stopped");
    // A claim starts the count again.
    assert_eq!(worker.stealer().steal(), Steal::Success(0));
    for n in 0..200 {
        worker.push(n);
    }
    drain(&worker);
    assert_eq!(worker.capacity(), MIN_CAPACITY);
}

#[test]
fn items_outlive_the_worker() {
    for flavor in [Fifo, Lifo] {
        let item = Rc::new(());
        let worker = Worker::starting_at(flavor, WRAPPING);
        for _ in 0..100 {
            worker.push(item.clone());
        }
        let stealer = worker.stealer();
        drop(worker);
        assert_eq!(Rc::strong_count(&item), 101);
        assert!(stealer.clone().steal().is_success());
        assert_eq!(Rc::strong_count(&item), 100);
        let other = Worker::new_fifo();
        assert!(stealer.steal_batch(&other).is_success());
        drop(stealer);
        assert_eq!(Rc::strong_count(&item), 33);
        drop(other);
        assert_eq!(Rc::strong_count(&item), 1);
    }
}

#[test]
fn a_panicking_drop_leaks_nothing() {
    struct Bomb(u32, Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            assert_ne!(self.0, 40, "drop of item 40");
        }
    }

    let dropped = Arc::new(AtomicUsize::new(0));
    let worker = Worker::starting_at(Lifo, WRAPPING);
    for n in 0..100 {
        worker.push(Bomb(n, dropped.clone()));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(worker))).is_err());
    assert_eq!(dropped.load(Relaxed), 100);
    assert_eq!(Arc::strong_count(&dropped), 1, "and all their fields");
}

#[test]
fn sizes_at_both_ends() {
    for flavor in [Fifo, Lifo] {
        let nothing = Worker::starting_at(flavor, WRAPPING);
        for _ in 0..200 {
            nothing.push(());
        }
        let dest = Worker::new_lifo();
        assert!(nothing.stealer().steal_batch(&dest).is_success());
        assert_eq!((drain(&dest).len(), drain(&nothing).len()), (32, 168));

        let big = Worker::starting_at(flavor, WRAPPING);
        for n in 0..100_u8 {
            big.push([n; 32 << 10]);
        }
        let dest = Worker::new_fifo();
        assert!(big.stealer().steal_batch(&dest).is_success());
        let mut all: Vec<_> = drain(&dest).iter().map(|item| item[32 << 9]).collect();
        assert_eq!(all.len(), 32);
        all.extend(drain(&big).iter().map(|item| item[(32 << 10) - 1]));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
    }
}

#[test]
fn debug_decodes() {
    let worker = filled(Lifo, 0..1);
    assert_eq!(
        format!("{worker:?}"),
        "Worker { flavor: Lifo, len: 1, capacity: 64 }"
    );
    assert_eq!(
        format!("{:?}", worker.stealer()),
        "Stealer { flavor: Lifo, len: 1, .. }"
    );
}
