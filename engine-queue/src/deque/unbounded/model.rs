//! Models of the unbounded deque.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed as Uncounted};

use engine_atomic::sync::atomic::{AtomicBool, Ordering::Relaxed};
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check, check_large};

use super::{Stealer, Worker};
use crate::deque::flavor::Flavor::{self, Fifo, Lifo};
use crate::deque::testing::{
    self, WRAPS_UNBOUNDED as WRAPPING, assert_partition, drain, steal, thief,
};

fn filled(flavor: Flavor, items: core::ops::Range<usize>) -> Worker<usize> {
    testing::filled(flavor, 2, items)
}

/// The owner pops what a thief may be about to take: both need their fence.
#[test]
fn the_last_item_is_taken_once() {
    check("the_last_item_is_taken_once", Budget::exhaustive(), || {
        let worker = filled(Lifo, 0..2);
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
            let worker = filled(Lifo, 0..0);
            let thief = thief(&worker, 1);
            worker.push(0);
            worker.push(1);
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
    check("a_position_is_used_twice", Budget::preemptions(4), || {
        let worker = filled(Lifo, 0..2);
        let thief = thief(&worker, 2);
        let mut mine: Vec<_> = worker.pop().into_iter().collect();
        worker.push(2);
        mine.extend(drain(&worker));
        assert_partition(&[mine, thief.join().unwrap()], 0..3);
    });
}

#[test]
fn push_pop_and_steal_fifo() {
    check("push_pop_and_steal_fifo", Budget::exhaustive(), || {
        let worker = filled(Fifo, 0..1);
        let thief = thief(&worker, 2);
        worker.push(1);
        let mine = drain(&worker);
        let stolen = thief.join().unwrap();
        assert!(mine.is_sorted() && stolen.is_sorted());
        assert_partition(&[mine, stolen], 0..2);
    });
}

/// Each task of a batch is claimed for itself: the owner pops without a claim.
#[test]
fn batch_against_a_lifo_owner() {
    check("batch_against_a_lifo_owner", Budget::preemptions(3), || {
        // The third makes room for itself, so no buffer is replaced under the thief.
        let worker = filled(Lifo, 0..3);
        let stealer = worker.stealer();
        let thief = thread::spawn(move || {
            let mine = Worker::starting_at(Lifo, WRAPPING);
            let mut taken = Vec::new();
            taken.extend(steal(|| stealer.steal_batch_and_pop(&mine)));
            taken.extend(drain(&mine));
            // Newest first.
            assert!(taken.is_sorted_by(|a, b| a > b), "out of order: {taken:?}");
            taken
        });
        let mine = drain(&worker);
        assert_partition(&[mine, thief.join().unwrap()], 0..3);
    });
}

/// As above, the other kind of batch, into a deque that pops the oldest.
#[test]
fn batch_into_fifo_against_a_lifo_owner() {
    check(
        "batch_into_fifo_against_a_lifo_owner",
        Budget::preemptions(3),
        || {
            let worker = filled(Lifo, 0..3);
            let stealer = worker.stealer();
            let thief = thread::spawn(move || {
                let mine = Worker::starting_at(Fifo, WRAPPING);
                steal(|| stealer.steal_batch(&mine));
                let taken = drain(&mine);
                assert!(taken.is_sorted_by(|a, b| a > b), "out of order: {taken:?}");
                taken
            });
            let mine = drain(&worker);
            assert_partition(&[mine, thief.join().unwrap()], 0..3);
        },
    );
}

#[test]
fn batch_against_a_fifo_owner() {
    check("batch_against_a_fifo_owner", Budget::preemptions(3), || {
        let worker = filled(Fifo, 0..3);
        let stealer = worker.stealer();
        let thief = thread::spawn(move || {
            let mine = Worker::starting_at(Fifo, WRAPPING);
            let mut taken = Vec::new();
            taken.extend(steal(|| stealer.steal_batch_and_pop(&mine)));
            taken.extend(drain(&mine));
            assert!(taken.is_sorted(), "out of order: {taken:?}");
            taken
        });
        let mut mine: Vec<_> = worker.pop().into_iter().collect();
        worker.push(3);
        mine.extend(drain(&worker));
        assert!(mine.is_sorted(), "out of order: {mine:?}");
        assert_partition(&[mine, thief.join().unwrap()], 0..4);
    });
}

/// The buffer is full and replaced by a larger one while a thief claims and reads.
#[test]
fn growth_during_a_steal() {
    for flavor in [Fifo, Lifo] {
        check("growth_during_a_steal", Budget::preemptions(3), move || {
            let worker = filled(flavor, 0..2);
            let thief = thief(&worker, 2);
            worker.push(2);
            let mine = drain(&worker);
            assert_partition(&[mine, thief.join().unwrap()], 0..3);
        });
    }
}

/// The owner comes to a slot that a thief has claimed, not to be written before the thief
/// has read it.
#[test]
fn a_slot_is_not_written_while_it_is_read() {
    check(
        "a_slot_is_not_written_while_it_is_read",
        Budget::preemptions(3),
        || {
            let worker = filled(Fifo, 0..2);
            let thief = thief(&worker, 1);
            let mut mine: Vec<_> = worker.pop().into_iter().collect();
            // One lap on: where the first two were.
            worker.push(2);
            worker.push(3);
            mine.extend(drain(&worker));
            assert_partition(&[mine, thief.join().unwrap()], 0..4);
        },
    );
}

/// A buffer that was replaced twice over is freed when nobody reads it, and not before.
#[test]
fn retired_buffers_are_freed_after_their_readers() {
    check(
        "retired_buffers_are_freed_after_their_readers",
        Budget::preemptions(2),
        || {
            let worker = filled(Lifo, 0..2);
            let thief = thief(&worker, 1);
            for item in 2..6 {
                worker.push(item);
            }
            let stolen = thief.join().unwrap();
            for item in 6..10 {
                worker.push(item);
            }
            // No thief is left: the one that was replaced last, and all before, are gone.
            assert_eq!(worker.shared.retired(), 0);
            assert_partition(&[drain(&worker), stolen], 0..10);
        },
    );
}

/// An old look is not good after the buffer was replaced and the position used again.
#[test]
fn a_look_does_not_outlive_its_buffer() {
    check(
        "a_look_does_not_outlive_its_buffer",
        Budget::preemptions(2),
        || {
            let worker = filled(Lifo, 0..2);
            let thief = thief(&worker, 2);
            worker.push(2);
            let mut mine: Vec<_> = worker.pop().into_iter().collect();
            mine.extend(worker.pop());
            worker.push(3);
            mine.extend(drain(&worker));
            assert_partition(&[mine, thief.join().unwrap()], 0..4);
        },
    );
}

#[test]
fn two_thieves() {
    for flavor in [Fifo, Lifo] {
        check("two_thieves", Budget::preemptions(2), move || {
            let worker = filled(flavor, 0..2);
            let thieves = [thief(&worker, 1), thief(&worker, 1)];
            let mut taken = vec![worker.pop().into_iter().collect()];
            taken.extend(thieves.map(|thief| thief.join().unwrap()));
            taken.push(drain(&worker));
            assert_partition(&taken, 0..2);
        });
    }
}

/// The destination of a batch is itself being stolen from.
#[test]
fn batch_into_a_deque_that_is_stolen_from() {
    check(
        "batch_into_a_deque_that_is_stolen_from",
        Budget::preemptions(2),
        || {
            let victim = filled(Fifo, 1..4);
            let dest = filled(Lifo, 0..1);
            let thief = thief(&dest, 2);
            let stealer = victim.stealer();
            let mut mine = Vec::new();
            mine.extend(steal(|| stealer.steal_batch_and_pop(&dest)));
            assert_eq!(mine, [1]);
            mine.extend(drain(&dest));
            assert_partition(&[mine, thief.join().unwrap(), drain(&victim)], 0..4);
        },
    );
}

/// Of two threads that push to a deque each and then look at the other's, one sees an
/// item.
#[test]
fn two_deques_are_not_both_empty() {
    for (flavor, by_steal) in [(Fifo, true), (Lifo, true), (Lifo, false)] {
        check(
            "two_deques_are_not_both_empty",
            Budget::exhaustive(),
            move || {
                let (one, other) = (filled(flavor, 0..0), filled(flavor, 0..0));
                let look = move |stealer: &Stealer<usize>| match by_steal {
                    true => stealer.steal().is_empty(),
                    false => stealer.is_empty(),
                };
                let (of_one, of_other) = (one.stealer(), other.stealer());
                let thread = thread::spawn(move || {
                    other.push(0);
                    look(&of_one)
                });
                one.push(0);
                let empty = look(&of_other);
                assert!(!(empty && thread.join().unwrap()), "both empty");
            },
        );
    }
}

/// There is always one item: who sees the claim of the first sees the push of the second,
/// which came before.
#[test]
fn a_claim_shows_the_pushes_before_it() {
    check(
        "a_claim_shows_the_pushes_before_it",
        Budget::exhaustive(),
        || {
            let worker = filled(Fifo, 0..1);
            let observer = thread::spawn({
                let stealer = worker.stealer();
                move || assert!(!stealer.is_empty())
            });
            worker.push(1);
            assert_eq!(worker.pop(), Some(0));
            observer.join().unwrap();
        },
    );
}

/// Who is told of an item sees what came before its push.
#[test]
fn an_item_shows_what_came_before_it() {
    check(
        "an_item_shows_what_came_before_it",
        Budget::exhaustive(),
        || {
            let worker = filled(Fifo, 0..0);
            let before = Arc::new(AtomicBool::new(false));
            let observer = thread::spawn({
                let (stealer, before) = (worker.stealer(), before.clone());
                move || assert!(stealer.is_empty() || before.load(Relaxed))
            });
            before.store(true, Relaxed);
            worker.push(0);
            observer.join().unwrap();
        },
    );
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
                let worker = filled(flavor, 0..1);
                let thief = thief(&worker, 2);
                let was_empty = worker.push_was_empty(1);
                let stolen = thief.join().unwrap();
                if stolen == [0] {
                    assert!(was_empty, "the thief sleeps, and nobody knows of the item");
                }
                assert_partition(&[stolen, drain(&worker)], 0..2);
            },
        );
    }
}

/// What is left is dropped once, by whichever handle goes last.
#[test]
fn last_handle_drops_the_rest() {
    struct Counted(std::sync::Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Uncounted);
        }
    }

    check("last_handle_drops_the_rest", Budget::exhaustive(), || {
        let dropped = std::sync::Arc::new(AtomicUsize::new(0));
        let worker = Worker::starting_at(Lifo, WRAPPING);
        for _ in 0..3 {
            worker.push(Counted(dropped.clone()));
        }
        let thief = thread::spawn({
            let stealer = worker.stealer();
            move || drop(stealer.steal())
        });
        drop(worker.pop());
        drop(worker);
        thief.join().unwrap();
        assert_eq!(dropped.load(Uncounted), 3);
    });
}

/// Workers that push, pop, and steal from each other, one by one and in batches, while
/// their buffers grow and shrink.
#[test]
fn everybody_steals_from_everybody() {
    check_large(
        "everybody_steals_from_everybody",
        Budget::default().schedules(2_000),
        || {
            const WORKERS: usize = 5;
            const ITEMS: usize = 12;
            let workers: Vec<_> = (0..WORKERS)
                .map(|n| filled([Fifo, Lifo][n % 2], 0..0))
                .collect();
            let stealers: Arc<Vec<Stealer<usize>>> =
                Arc::new(workers.iter().map(Worker::stealer).collect());
            let threads: Vec<_> = workers
                .into_iter()
                .enumerate()
                .map(|(me, mine)| {
                    let stealers = stealers.clone();
                    thread::spawn(move || {
                        let mut taken = Vec::new();
                        for n in 0..ITEMS {
                            mine.push(me * ITEMS + n);
                            let victim = &stealers[(me + n) % WORKERS];
                            match (me + n) % 5 {
                                0 => drop(victim.steal_batch(&mine)),
                                1 => taken.extend(victim.steal_batch_and_pop(&mine).success()),
                                2 => taken.extend(victim.steal().success()),
                                3 => taken.extend(drain(&mine)),
                                _ => taken.extend(mine.pop()),
                            }
                        }
                        taken.extend(drain(&mine));
                        taken
                    })
                })
                .collect();
            let mut taken: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            // A worker may have been given something after it drained: nobody is left now.
            for stealer in &*stealers {
                taken.push(core::iter::from_fn(|| steal(|| stealer.steal())).collect());
            }
            assert_partition(&taken, 0..WORKERS * ITEMS);
        },
    );
}

/// One owner that goes up and down, and three thieves.
#[test]
fn growing_and_shrinking_under_thieves() {
    check_large(
        "growing_and_shrinking_under_thieves",
        Budget::default().schedules(2_000),
        || {
            for flavor in [Fifo, Lifo] {
                let worker = filled(flavor, 0..0);
                let thieves: Vec<_> = (0..3).map(|_| thief(&worker, 6)).collect();
                let mut taken = Vec::new();
                for round in 0..2 {
                    for n in 0..9 {
                        worker.push(round * 9 + n);
                    }
                    taken.push(drain(&worker));
                }
                taken.extend(thieves.into_iter().map(|t| t.join().unwrap()));
                taken.push(drain(&worker));
                assert_partition(&taken, 0..18);
            }
        },
    );
}
