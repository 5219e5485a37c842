//! What the models of the queues share.
#![cfg(test)]

use std::vec::Vec;

/// Every item is taken once, and each taker sees those of one producer (those of
/// one ten) in their order.
#[track_caller]
pub(crate) fn assert_fifo(takers: &[Vec<usize>], mut items: Vec<usize>) {
    for taken in takers {
        for producer in 0..10 {
            let own = taken.iter().filter(|&&item| item / 10 == producer);
            assert!(own.is_sorted(), "out of order: {takers:?}");
        }
    }
    let mut all = takers.concat();
    all.sort_unstable();
    items.sort_unstable();
    assert_eq!(all, items, "lost or doubled: {takers:?}");
}
