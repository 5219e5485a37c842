//! Models of the booking ring whose owner pops the newest item, and of what a push says
//! about the items before it.

use engine_atomic::sync::thread;
use testkit::model::{Budget, check, check_large};

use crate::deque::bounded::{Stealer, Worker};
use crate::deque::flavor::Flavor::{self, Fifo, Lifo};
use crate::deque::testing::{
    self, WRAPS_BOUNDED as WRAPPING, assert_partition, drain, steal, thief,
};

fn filled(flavor: Flavor, capacity: usize, items: core::ops::Range<usize>) -> Worker<usize> {
    testing::filled(flavor, capacity, items)
}

/// The owner pops what a thief may be about to take: both need their fence.
#[test]
fn the_last_item_is_taken_once() {
    check("the_last_item_is_taken_once", Budget::exhaustive(), || {
        let worker = filled(Lifo, 2, 0..2);
        let thief = thief(&worker, 2);
        let mut mine = Vec::new();
        mine.extend(worker.pop());
        mine.extend(worker.pop());
        assert_partition(&[mine, thief.join().unwrap()], 0..2);
    });
}

/// A thief learns of the item by the store that moves the tail back.
#[test]
fn a_tail_that_moved_back_shows_the_items_below_it() {
    check(
        "a_tail_that_moved_back_shows_the_items_below_it",
        Budget::exhaustive(),
        || {
            let worker = filled(Lifo, 2, 0..0);
            let thief = thief(&worker, 1);
            worker.push(0).unwrap();
            worker.push(1).unwrap();
            let mut mine: Vec<_> = worker.pop().into_iter().collect();
            let stolen = thief.join().unwrap();
            mine.extend(drain(&worker));
            assert_partition(&[mine, stolen], 0..2);
        },
    );
}

/// The tail moves back and forth over a position while a thief looks at it.
#[test]
fn a_position_is_used_twice() {
    check("a_position_is_used_twice", Budget::preemptions(3), || {
        let worker = filled(Lifo, 2, 0..2);
        let thief = thief(&worker, 2);
        let mut mine: Vec<_> = worker.pop().into_iter().collect();
        let pushed = worker.push(2).is_ok();
        mine.extend(drain(&worker));
        let items = if pushed { 0..3 } else { 0..2 };
        assert_partition(&[mine, thief.join().unwrap()], items);
    });
}

/// A thief has booked the one item, and the owner comes to its slot again.
#[test]
fn slot_reuse_waits_for_the_thief() {
    check(
        "slot_reuse_waits_for_the_thief",
        Budget::exhaustive(),
        || {
            let worker = filled(Lifo, 1, 0..1);
            let thief = thief(&worker, 1);
            let mut mine: Vec<_> = worker.pop().into_iter().collect();
            while worker.push(1).is_err() {
                thread::yield_now();
            }
            mine.extend(drain(&worker));
            assert_partition(&[mine, thief.join().unwrap()], 0..2);
        },
    );
}

/// Each item of a batch is claimed for itself: the owner pops without a claim.
#[test]
fn batch_against_the_owner() {
    for and_pop in [true, false] {
        check(
            "batch_against_the_owner",
            Budget::preemptions(3),
            move || {
                let worker = filled(Lifo, 4, 0..3);
                let stealer = worker.stealer();
                let thief = thread::spawn(move || {
                    let mine = Worker::with([Lifo, Fifo][usize::from(and_pop)], 2, WRAPPING);
                    let mut taken = Vec::new();
                    match and_pop {
                        true => taken.extend(steal(|| stealer.steal_batch_and_pop(&mine))),
                        false => drop(steal(|| stealer.steal_batch(&mine))),
                    }
                    taken.extend(drain(&mine));
                    // Newest first.
                    assert!(taken.is_sorted_by(|a, b| a > b), "out of order: {taken:?}");
                    taken
                });
                let mut mine: Vec<_> = worker.pop().into_iter().collect();
                mine.extend(worker.pop());
                let mut rest = thief.join().unwrap();
                rest.extend(drain(&worker));
                assert_partition(&[mine, rest], 0..3);
            },
        );
    }
}

/// The owner takes several items from the reach of thieves at once.
#[test]
fn pop_batch_against_a_thief() {
    check("pop_batch_against_a_thief", Budget::preemptions(3), || {
        let worker = filled(Lifo, 4, 0..3);
        let thief = thief(&worker, 3);
        let mut mine = Vec::new();
        worker.pop_batch(&mut mine, 2);
        assert!(mine.is_sorted_by(|a, b| a > b), "out of order: {mine:?}");
        mine.extend(drain(&worker));
        assert_partition(&[mine, thief.join().unwrap()], 0..3);
    });
}

#[test]
fn two_thieves() {
    check("two_thieves", Budget::preemptions(2), || {
        let worker = filled(Lifo, 2, 0..2);
        let thieves = [thief(&worker, 1), thief(&worker, 1)];
        let mut taken = vec![worker.pop().into_iter().collect()];
        taken.extend(thieves.map(|thief| thief.join().unwrap()));
        taken.push(drain(&worker));
        assert_partition(&taken, 0..2);
    });
}

/// Who takes the older item and then finds nothing has not overlooked an item whose push
/// said that the deque was not empty.
#[test]
fn push_was_empty_misses_nobody() {
    for flavor in [Fifo, Lifo] {
        check(
            "push_was_empty_misses_nobody",
            Budget::exhaustive(),
            move || {
                let worker = filled(flavor, 2, 0..1);
                let thief = thief(&worker, 2);
                let was_empty = worker.push_was_empty(1).unwrap();
                let stolen = thief.join().unwrap();
                if stolen == [0] {
                    assert!(was_empty, "the thief sleeps, and nobody knows of the item");
                }
                assert_partition(&[stolen, drain(&worker)], 0..2);
            },
        );
    }
}

/// An owner that pushes and pops in batches, and thieves that steal from it and from each
/// other.
#[test]
fn batches_of_everybody() {
    check_large(
        "batches_of_everybody",
        Budget::default().schedules(2_000),
        || {
            const ITEMS: usize = 18;
            let owner = Worker::with(Lifo, 4, WRAPPING - 5);
            let deques: Vec<_> = [Lifo, Fifo, Lifo]
                .map(|flavor| Worker::with(flavor, 4, WRAPPING))
                .into();
            let stealers: Vec<Stealer<usize>> = core::iter::once(&owner)
                .chain(&deques)
                .map(Worker::stealer)
                .collect();
            let thieves: Vec<_> = deques
                .into_iter()
                .enumerate()
                .map(|(me, mine)| {
                    let stealers = stealers.clone();
                    thread::spawn(move || {
                        let mut taken = Vec::new();
                        for n in 0..12 {
                            let victim = &stealers[(me + n) % stealers.len()];
                            match n % 3 {
                                0 => drop(victim.steal_batch(&mine)),
                                1 => taken.extend(victim.steal_batch_and_pop(&mine).success()),
                                _ => taken.extend(victim.steal().success()),
                            }
                            taken.extend(mine.pop());
                        }
                        taken.extend(drain(&mine));
                        taken
                    })
                })
                .collect();
            let mut taken = Vec::new();
            let mut items: Vec<_> = (0..ITEMS).collect();
            while !items.is_empty() {
                owner.push_batch(&mut items);
                owner.pop_batch(&mut taken, 2);
                owner.pop_half(&mut taken);
            }
            taken.extend(drain(&owner));
            let mut all = vec![taken];
            all.extend(thieves.into_iter().map(|thief| thief.join().unwrap()));
            // A thief may have been stolen from after it drained.
            for stealer in &stealers {
                all.push(core::iter::from_fn(|| steal(|| stealer.steal())).collect());
            }
            assert_partition(&all, 0..ITEMS);
        },
    );
}
