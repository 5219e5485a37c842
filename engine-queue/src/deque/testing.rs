//! What the models and tests of the deques have in common.

use std::vec::Vec;

use core::fmt::Debug;
use core::ops::Range;

use engine_atomic::sync::thread;

use super::bias::Patience;
use super::flavor::Flavor;
use super::{Steal, Stealer, Worker, bounded};

/// Just before the head of a deque without a bound wraps.
pub(super) const WRAPS_UNBOUNDED: u64 = (1 << 48) - 1;
/// Just before both counters of a bounded one wrap: the tail at 2^32, the head at 2^43.
pub(super) const WRAPS_BOUNDED: u64 = u64::MAX;

/// A worker of either kind.
pub(super) trait Owner<T>: Sized + Send + 'static {
    type Stealer: Clone + Send + Sync + 'static;

    /// Just before its counters wrap.
    const WRAPPING: u64;

    /// An empty deque; one without a bound has no use for `capacity`.
    fn starting_at(flavor: Flavor, capacity: usize, start: u64) -> Self;

    /// Whether there was room.
    fn push(&self, item: T) -> bool;

    fn pop(&self) -> Option<T>;

    #[cfg(not(any(engine_loom, engine_shuttle)))]
    fn len(&self) -> usize;

    fn push_was_empty(&self, item: T) -> bool;

    fn stealer(&self) -> Self::Stealer;

    fn steal(stealer: &Self::Stealer) -> Steal<T>;

    fn steal_batch_and_pop(stealer: &Self::Stealer, dest: &Self) -> Steal<T>;

    fn count(stealer: &Self::Stealer) -> usize;

    fn patience(&self) -> &Patience;

    fn is_biased(&self) -> bool;
}

macro_rules! owner {
    ($worker:ty, $stealer:ty, $wrapping:expr, |$flavor:ident, $capacity:ident, $start:ident| $new:expr, |$pushed:ident| $ok:expr, |$was:ident| $empty:expr) => {
        impl<T: Send + Debug + 'static> Owner<T> for $worker {
            type Stealer = $stealer;

            const WRAPPING: u64 = $wrapping;

            fn starting_at($flavor: Flavor, $capacity: usize, $start: u64) -> Self {
                $new
            }

            fn push(&self, item: T) -> bool {
                let $pushed = self.push(item);
                $ok
            }

            fn pop(&self) -> Option<T> {
                self.pop()
            }

            #[cfg(not(any(engine_loom, engine_shuttle)))]
            fn len(&self) -> usize {
                self.len()
            }

            fn push_was_empty(&self, item: T) -> bool {
                let $was = self.push_was_empty(item);
                $empty
            }

            fn stealer(&self) -> Self::Stealer {
                self.stealer()
            }

            fn steal(stealer: &Self::Stealer) -> Steal<T> {
                stealer.steal()
            }

            fn steal_batch_and_pop(stealer: &Self::Stealer, dest: &Self) -> Steal<T> {
                stealer.steal_batch_and_pop(dest)
            }

            fn count(stealer: &Self::Stealer) -> usize {
                stealer.len()
            }

            fn patience(&self) -> &Patience {
                &self.patience
            }

            fn is_biased(&self) -> bool {
                self.is_biased()
            }
        }
    };
}

owner!(
    Worker<T>,
    Stealer<T>,
    WRAPS_UNBOUNDED,
    |flavor, _capacity, start| Self::starting_at(flavor, start),
    |pushed| {
        let () = pushed;
        true
    },
    |was| was
);
owner!(
    bounded::Worker<T>,
    bounded::Stealer<T>,
    WRAPS_BOUNDED,
    |flavor, capacity, start| Self::with(flavor, capacity, start),
    |pushed| pushed.is_ok(),
    |was| was.unwrap()
);

/// A deque with these items, the counters about to wrap.
pub(super) fn filled<D: Owner<usize>>(flavor: Flavor, capacity: usize, items: Range<usize>) -> D {
    let worker = D::starting_at(flavor, capacity, D::WRAPPING);
    for item in items {
        assert!(worker.push(item));
    }
    worker
}

/// As `filled`, under a bias where there is any, which comes again at the first chance.
pub(super) fn biased<D: Owner<usize>>(flavor: Flavor, capacity: usize, items: Range<usize>) -> D {
    let worker: D = filled(flavor, capacity, 0..1);
    worker.patience().set(0);
    assert_eq!(worker.pop(), Some(0));
    assert_eq!(worker.is_biased(), worker.patience().is_finite());
    for item in items {
        assert!(worker.push(item));
    }
    worker
}

/// Pushes, waiting for a thief that still holds the slot.
pub(super) fn push<D: Owner<usize>>(worker: &D, item: usize) {
    while !worker.push(item) {
        thread::yield_now();
    }
}

/// Steals until another thread is not in the way.
pub(super) fn steal<T>(mut attempt: impl FnMut() -> Steal<T>) -> Option<T> {
    loop {
        match attempt() {
            Steal::Success(item) => return Some(item),
            Steal::Empty => return None,
            Steal::Retry => thread::yield_now(),
        }
    }
}

pub(super) fn drain<T, D: Owner<T>>(worker: &D) -> Vec<T> {
    core::iter::from_fn(|| worker.pop()).collect()
}

/// A thief that takes up to `count` items, one by one.
pub(super) fn thief<D: Owner<usize>>(worker: &D, count: usize) -> thread::JoinHandle<Vec<usize>> {
    let stealer = worker.stealer();
    thread::spawn(move || {
        (0..count)
            .map_while(|_| steal(|| D::steal(&stealer)))
            .collect()
    })
}

/// Every item is taken once.
#[track_caller]
pub(super) fn assert_partition(takers: &[Vec<usize>], items: Range<usize>) {
    let mut all: Vec<_> = takers.concat();
    all.sort_unstable();
    assert_eq!(
        all,
        items.collect::<Vec<_>>(),
        "lost or doubled: {takers:?}"
    );
}

/// Every item is taken once, and each taker sees them in their order.
#[track_caller]
pub(super) fn assert_partition_in_order(takers: &[Vec<usize>], items: Range<usize>) {
    for taken in takers {
        assert!(taken.is_sorted(), "out of order: {takers:?}");
    }
    assert_partition(takers, items);
}
