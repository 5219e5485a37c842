//! What one thread can see of a bias.

use std::sync::Arc;
use std::vec::Vec;

use super::{FIRST, Patience};
use crate::deque::flavor::Flavor::{self, Fifo, Lifo};
use crate::deque::testing::{Owner, biased, drain, filled};
use crate::deque::{Steal, Worker, bounded};

type Unbounded = Worker<usize>;
type Bounded = bounded::Worker<usize>;

fn each_kind(test_unbounded: fn(Flavor), test_bounded: fn(Flavor)) {
    for flavor in [Fifo, Lifo] {
        test_unbounded(flavor);
        test_bounded(flavor);
    }
}

/// A thief finds the items of an owner that does nothing, and the owner goes on.
fn a_sleeping_owner_of<D: Owner<usize>>(flavor: Flavor) {
    let worker: D = biased(flavor, 8, 0..4);
    let stealer = worker.stealer();
    assert_eq!((worker.len(), D::count(&stealer)), (4, 4));
    assert_eq!(worker.is_biased(), worker.patience().is_finite());
    let next = if flavor == Fifo { 0 } else { 3 };
    assert_eq!(worker.pop(), Some(next));
    assert_eq!((worker.len(), D::count(&stealer)), (3, 3));
    let oldest = if flavor == Fifo { 1 } else { 0 };
    assert_eq!(
        D::steal(&stealer),
        Steal::Success(oldest),
        "at the first try"
    );
    assert_eq!((worker.len(), D::count(&stealer)), (2, 2));
    let rest = if flavor == Fifo { [2, 3] } else { [2, 1] };
    assert_eq!(drain(&worker), rest);
    assert_eq!(D::steal(&stealer), Steal::Empty);
    assert_eq!((worker.len(), D::count(&stealer)), (0, 0));
}

#[test]
fn a_sleeping_owner() {
    each_kind(
        a_sleeping_owner_of::<Unbounded>,
        a_sleeping_owner_of::<Bounded>,
    );
}

/// Looking at an empty deque, or counting, leaves the bias.
fn looks_do_not_end_a_bias_of<D: Owner<usize>>(flavor: Flavor) {
    let worker: D = biased(flavor, 8, 0..0);
    let stealer = worker.stealer();
    for item in 0..20 {
        assert_eq!(D::steal(&stealer), Steal::Empty);
        assert!(worker.push_was_empty(item));
        assert_eq!((worker.len(), D::count(&stealer)), (1, 1));
        assert_eq!(worker.pop(), Some(item));
    }
    assert_eq!(worker.is_biased(), worker.patience().is_finite());
}

#[test]
fn looks_do_not_end_a_bias() {
    each_kind(
        looks_do_not_end_a_bias_of::<Unbounded>,
        looks_do_not_end_a_bias_of::<Bounded>,
    );
}

/// The owner notices at its next push, pop, or when it needs room.
fn ends_are_noticed_of<D: Owner<usize>>(flavor: Flavor) {
    for take in 0..3 {
        let worker: D = biased(flavor, 4, 0..4);
        let stealer = worker.stealer();
        for item in 0..=take {
            assert_eq!(D::steal(&stealer), Steal::Success(item));
        }
        // Where the slots are full, unless it looks.
        for item in 4..=4 + take {
            assert!(worker.push(item), "{item} after {take}");
        }
        assert!(!worker.is_biased());
        assert_eq!((worker.len(), D::count(&stealer)), (4, 4));
        let mut rest = drain(&worker);
        if flavor == Lifo {
            rest.reverse();
        }
        assert!(rest.into_iter().eq(take + 1..=4 + take));
    }
}

#[test]
fn ends_are_noticed() {
    each_kind(
        |flavor| {
            // A buffer that is full: 64 slots here.
            let worker: Unbounded = biased(flavor, 0, 0..64);
            assert_eq!(worker.stealer().steal(), Steal::Success(0));
            worker.push(64);
            assert!(!worker.is_biased());
            assert_eq!(drain(&worker).len(), 64);
        },
        ends_are_noticed_of::<Bounded>,
    );
}

/// Patience comes to an end, and each time that a thief comes it becomes longer.
fn patience_of<D: Owner<usize>>(flavor: Flavor) {
    let worker: D = filled(flavor, 4, 0..0);
    if !worker.patience().is_finite() {
        return;
    }
    let stealer = worker.stealer();
    let mut wanted = FIRST;
    for _ in 0..8 {
        let mut pops = 0;
        while !worker.is_biased() {
            assert!(worker.push(1));
            assert_eq!(worker.pop(), Some(1));
            pops += 1;
        }
        // A lap more, for the slot that the thief has read.
        assert!((wanted..=wanted + 65).contains(&pops), "{pops}");
        assert!(worker.push(2));
        assert_eq!(D::steal(&stealer), Steal::Success(2));
        assert_eq!(worker.pop(), None);
        wanted = (2 * wanted).min(super::MOST);
        if worker.is_biased() {
            // It has not looked.
            assert!(worker.push(3));
            assert_eq!(worker.pop(), Some(3));
        }
    }
}

#[test]
fn patience() {
    each_kind(patience_of::<Unbounded>, patience_of::<Bounded>);
    let never = Patience::new();
    never.wanted.set(super::NEVER);
    never.claims.set(super::NEVER);
    assert!(!never.take(), "the count does not come again");
}

/// What is left under a bias is dropped, and nothing else.
fn last_handle_drops_the_rest_of<D: Owner<Arc<()>>>(flavor: Flavor) {
    let worker = D::starting_at(flavor, 4, D::WRAPPING);
    let item = Arc::new(());
    worker.patience().set(0);
    for _ in 0..2 {
        assert!(worker.push(item.clone()));
        assert!(worker.pop().is_some());
    }
    assert_eq!(worker.is_biased(), worker.patience().is_finite());
    let mut popped = Vec::new();
    for _ in 0..3 {
        assert!(worker.push(item.clone()));
    }
    popped.extend(worker.pop());
    assert_eq!(Arc::strong_count(&item), 4);
    drop(worker);
    assert_eq!(Arc::strong_count(&item), 2, "the one that was popped");
}

#[test]
fn last_handle_drops_the_rest() {
    each_kind(
        last_handle_drops_the_rest_of::<Worker<Arc<()>>>,
        last_handle_drops_the_rest_of::<bounded::Worker<Arc<()>>>,
    );
}
