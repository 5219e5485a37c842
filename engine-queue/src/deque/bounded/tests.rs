//! What one thread can see, including the states that a thief leaves behind
//! while it is at work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::head::Head;
use super::{MAX_CAPACITY, Worker};
use crate::deque::Steal;
use crate::deque::bias::{HeadWord, Mode};
use crate::deque::flavor::Flavor;

/// Just before both counters wrap: the tail at 2^32, the head at 2^43.
const WRAPPING: u64 = u64::MAX - 2;

fn filled(capacity: usize, items: std::ops::Range<u32>) -> Worker<u32> {
    let worker = Worker::starting_at(capacity, WRAPPING);
    for item in items {
        worker.push(item).unwrap();
    }
    worker
}

fn drain<T>(worker: &Worker<T>) -> Vec<T> {
    std::iter::from_fn(|| worker.pop()).collect()
}

#[test]
fn capacity_is_rounded_up() {
    for (asked, got) in [(1, 1), (2, 2), (3, 4), (5, 8), (256, 256), (257, 512)] {
        let worker = Worker::<u8>::new_fifo(asked);
        assert_eq!(worker.capacity(), got);
        assert_eq!(worker.spare_capacity(), got);
        for _ in 0..got {
            worker.push(0).unwrap();
        }
        assert_eq!(worker.push(7), Err(7));
        assert_eq!((worker.len(), worker.spare_capacity()), (got, 0));
    }
}

#[test]
#[should_panic(expected = "capacity must be non-zero")]
fn capacity_zero() {
    let _ = Worker::<u8>::new_fifo(0);
}

#[test]
fn capacity_too_large_panics_before_allocating() {
    struct Huge(#[expect(dead_code)] [u8; isize::MAX as usize / 64]);

    // Either would exhaust the memory if it were tried first.
    assert!(catch_unwind(|| Worker::<[u64; 1 << 20]>::new_fifo(MAX_CAPACITY + 1)).is_err());
    assert!(catch_unwind(|| Worker::<u8>::new_fifo(usize::MAX)).is_err());
    assert!(catch_unwind(|| Worker::<Huge>::new_fifo(128)).is_err());
    assert_eq!(
        Worker::<()>::new_fifo(MAX_CAPACITY).capacity(),
        MAX_CAPACITY
    );
}

#[test]
fn first_in_first_out_across_the_wrap() {
    let worker = filled(4, 0..0);
    for item in 0..20 {
        worker.push(item).unwrap();
        worker.push(item + 100).unwrap();
        assert_eq!(worker.len(), 2);
        assert_eq!(worker.pop(), Some(item));
        assert_eq!(worker.pop(), Some(item + 100));
        assert_eq!(worker.pop(), None);
    }
}

#[test]
fn pop_half_takes_the_older_half_rounded_up() {
    for len in 0..=8 {
        let worker = filled(8, 0..len);
        let mut into = vec![99];
        assert_eq!(worker.pop_half(&mut into), len.div_ceil(2) as usize);
        assert_eq!(into[0], 99);
        assert_eq!(into[1..], (0..len.div_ceil(2)).collect::<Vec<_>>());
        assert_eq!(drain(&worker), (len.div_ceil(2)..len).collect::<Vec<_>>());
    }
}

#[test]
fn batches_are_the_older_half_rounded_up() {
    for len in 1..=8_u32 {
        let half = len.div_ceil(2);

        let (victim, dest) = (filled(8, 0..len), filled(8, 50..51));
        assert_eq!(victim.stealer().steal_batch(&dest), Steal::Success(()));
        assert_eq!(
            drain(&dest),
            [50].into_iter().chain(0..half).collect::<Vec<_>>()
        );
        assert_eq!(drain(&victim), (half..len).collect::<Vec<_>>());

        let (victim, dest) = (filled(8, 0..len), filled(8, 50..51));
        assert_eq!(
            victim.stealer().steal_batch_and_pop(&dest),
            Steal::Success(0)
        );
        assert_eq!(
            drain(&dest),
            [50].into_iter().chain(1..half).collect::<Vec<_>>()
        );
        assert_eq!(drain(&victim), (half..len).collect::<Vec<_>>());
    }
}

#[test]
fn batches_stop_at_the_limit_and_at_the_room() {
    let (victim, dest) = (filled(8, 0..8), filled(8, 0..0));
    let stealer = victim.stealer();
    assert_eq!(stealer.steal_batch_with_limit(&dest, 2), Steal::Success(()));
    assert_eq!(
        stealer.steal_batch_with_limit_and_pop(&dest, 1),
        Steal::Success(2)
    );
    assert_eq!(
        stealer.steal_batch_with_limit_and_pop(&dest, 2),
        Steal::Success(3)
    );
    assert_eq!(drain(&dest), [0, 1, 4]);
    assert_eq!(drain(&victim), [5, 6, 7]);

    let (victim, dest) = (filled(256, 0..200), filled(256, 0..0));
    let stealer = victim.stealer();
    assert_eq!(stealer.steal_batch(&dest), Steal::Success(()));
    assert_eq!(dest.len(), 32);
    assert_eq!(stealer.steal_batch_and_pop(&dest), Steal::Success(32));
    assert_eq!(dest.len(), 32 + 31);
    assert_eq!(
        stealer.steal_batch_with_limit(&dest, 100),
        Steal::Success(())
    );
    assert_eq!((dest.len(), victim.len()), (32 + 31 + 68, 68));

    let (victim, dest) = (filled(8, 0..8), filled(2, 50..51));
    assert_eq!(victim.stealer().steal_batch(&dest), Steal::Success(()));
    assert_eq!(dest.len(), 2);
    assert_eq!(victim.stealer().steal_batch(&dest), Steal::Empty);
    // Even a full deque can receive one by hand.
    assert_eq!(
        victim.stealer().steal_batch_and_pop(&dest),
        Steal::Success(1)
    );
    assert_eq!(drain(&dest), [50, 0]);
    assert_eq!(drain(&victim), (2..8).collect::<Vec<_>>());
}

#[test]
fn a_lifo_owner_pops_the_newest_across_the_wrap() {
    let worker = Worker::with(Flavor::Lifo, 4, WRAPPING);
    for item in 0..20 {
        worker.push(item).unwrap();
        worker.push(item + 100).unwrap();
        worker.push(item + 200).unwrap();
        assert_eq!(worker.stealer().steal(), Steal::Success(item));
        assert_eq!(drain(&worker), [item + 200, item + 100]);
        assert_eq!((worker.pop(), worker.len()), (None, 0));
    }
    assert_eq!(worker.spare_capacity(), 4);
}

/// A thief at work keeps its slots from a LIFO owner too, also the last item that the
/// owner claims behind it.
#[test]
fn a_lifo_owner_and_a_stalled_thief() {
    let worker = Worker::with(Flavor::Lifo, 4, WRAPPING);
    (0..3).for_each(|item| worker.push(item).unwrap());
    let ring = &*worker.ring;
    let free = ring.head().steal();
    let booking = match ring.book(Flavor::Lifo, 9) {
        Steal::Success(booking) => booking,
        other => panic!("{other:?}"),
    };
    assert_eq!(booking.count, 2, "the older half, one claim each");
    assert_eq!(worker.pop(), Some(2));
    assert_eq!(worker.pop(), None);
    assert_eq!(
        ring.settled(ring.head()).steal(),
        free,
        "popped behind a booking"
    );
    for n in 0..2 {
        // SAFETY: booked, each once.
        assert_eq!(unsafe { booking.take(n) }, n);
    }
    drop(booking);
    assert_eq!(ring.settled(ring.head()).steal(), free.wrapping_add(3));
}

#[test]
#[should_panic(expected = "limit must be non-zero")]
fn limit_zero() {
    let (victim, dest) = (filled(2, 0..1), filled(2, 0..0));
    let _ = victim.stealer().steal_batch_with_limit(&dest, 0);
}

#[test]
fn nothing_to_steal() {
    let (victim, dest) = (filled(2, 0..0), filled(2, 0..0));
    let stealer = victim.stealer();
    assert_eq!(stealer.steal(), Steal::Empty);
    assert_eq!(stealer.steal_batch(&dest), Steal::Empty);
    assert_eq!(stealer.steal_batch_and_pop(&dest), Steal::Empty);
    assert!(stealer.is_empty());
}

#[test]
fn stealing_from_oneself() {
    let worker = filled(4, 0..3);
    let stealer = worker.stealer();
    assert_eq!(stealer.steal_batch(&worker), Steal::Success(()));
    assert_eq!(worker.len(), 3);
    assert_eq!(stealer.steal_batch_and_pop(&worker), Steal::Success(0));
    assert_eq!(
        stealer.steal_batch_with_limit_and_pop(&worker, 1),
        Steal::Success(1)
    );
    assert_eq!(drain(&worker), [2]);
    assert_eq!(stealer.steal_batch(&worker), Steal::Empty);
    assert_eq!(stealer.steal_batch_and_pop(&worker), Steal::Empty);
}

/// While a thief is at work the others are turned away, and nobody reuses its
/// slots or those popped behind its back.
#[test]
fn a_stalled_thief() {
    let worker = filled(4, 0..4);
    let ring = &*worker.ring;
    let free = ring.head().steal();
    let booking = match ring.book(Flavor::Fifo, 4) {
        Steal::Success(booking) => booking,
        other => panic!("{other:?}"),
    };
    assert_eq!(booking.count, 2);
    assert!(ring.book(Flavor::Fifo, 1).is_retry());
    assert_eq!(ring.len(), 2);
    assert_eq!(worker.pop(), Some(2));
    assert_eq!(
        ring.settled(ring.head()).steal(),
        free,
        "popped behind a booking"
    );
    for n in 0..2 {
        // SAFETY: booked, each once.
        assert_eq!(unsafe { booking.take(n) }, n);
    }
    drop(booking);
    assert_eq!(ring.settled(ring.head()).steal(), free.wrapping_add(3));
    assert!(ring.book(Flavor::Fifo, 1).is_success());
}

#[test]
fn head_packs_both_counters() {
    let head = Head::new((1 << 43) - 1);
    assert_eq!((head.real(), head.steal()), (u32::MAX, u32::MAX));
    let booked = head.booked(3);
    assert_eq!((booked.real(), booked.steal()), (2, u32::MAX));
    let popped = booked.popped(2);
    assert_eq!((popped.real(), popped.steal()), (4, u32::MAX));
    assert_eq!(popped.booking(), (1 << 43) - 1);
    assert_eq!(popped.settled((1 << 43) - 2), popped, "another one is over");
    let released = popped.settled(popped.booking());
    assert_eq!((released.real(), released.steal()), (4, 4));
    assert_eq!(released.front(), 4, "43 bits");
    assert_eq!(released.popped(1).front(), 5);
    assert!(released.was_opened_at_odd(), "claims leave it alone");
    let biased = released.biased_at((1 << 43) + 6);
    assert_eq!((biased.mode(), biased.front()), (Mode::Biased, 6));
    let revoking = biased.revoking();
    assert_eq!((revoking.mode(), revoking.front()), (Mode::Revoking, 6));
    assert_eq!(revoking.open_at(9), Head::new(9));
    assert!(!biased.is_booked() && !revoking.is_booked());
    let full = Head::new(0).booked(MAX_CAPACITY as u32);
    assert_eq!((full.mode(), full.steal()), (Mode::Open, 0));
    assert_eq!(
        format!("{popped:?}"),
        "Head { real: 4, mode: Open, opened_at_odd: true, lag: Some(5) }"
    );
}

#[test]
fn items_outlive_the_worker() {
    let item = Rc::new(());
    let worker = Worker::new_fifo(4);
    for _ in 0..3 {
        worker.push(item.clone()).unwrap();
    }
    let stealer = worker.stealer();
    drop(worker);
    assert_eq!(Rc::strong_count(&item), 4);
    assert!(stealer.clone().steal().is_success());
    assert_eq!(Rc::strong_count(&item), 3);
    drop(stealer);
    assert_eq!(Rc::strong_count(&item), 1);
}

#[test]
fn a_panicking_drop_leaks_nothing() {
    struct Bomb(u32, Arc<AtomicUsize>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
            assert_ne!(self.0, 1, "drop of item 1");
        }
    }

    let dropped = Arc::new(AtomicUsize::new(0));
    let worker = Worker::starting_at(8, WRAPPING);
    for n in 0..5 {
        assert!(worker.push(Bomb(n, dropped.clone())).is_ok());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(worker))).is_err());
    assert_eq!(dropped.load(Relaxed), 5);
}

#[test]
fn sizes_at_both_ends() {
    let nothing = Worker::new_fifo(4);
    nothing.push(()).unwrap();
    nothing.push(()).unwrap();
    assert_eq!(drain(&nothing), [(), ()]);

    let big = Worker::new_fifo(64);
    let dest = Worker::new_fifo(64);
    for n in 0..64_u8 {
        assert!(big.push([n; 32 << 10]).is_ok());
    }
    assert!(big.stealer().steal_batch(&dest).is_success());
    assert_eq!(dest.pop().map(|item| item[32 << 9]), Some(0));
    assert_eq!(big.pop().map(|item| item[32 << 9]), Some(32));
}

#[test]
fn debug_decodes() {
    let worker = filled(2, 0..1);
    assert_eq!(
        format!("{worker:?}"),
        "Worker { flavor: Fifo, len: 1, capacity: 2, thief_at_work: false }"
    );
    assert_eq!(
        format!("{:?}", worker.stealer()),
        "Stealer { flavor: Fifo, len: 1, capacity: 2, thief_at_work: false }"
    );
}
