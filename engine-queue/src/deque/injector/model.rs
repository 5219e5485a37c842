//! Models of batches out of the block list. A block has three slots here.
//!
//! Pushers are spawned first; see `seg_queue::model` for why.
#![cfg(target_has_atomic = "64")]

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check_large};

use super::Injector;
use crate::block_list::live::{check_freed, freed};
use crate::deque::bounded::Worker;
use crate::deque::testing::{assert_partition_in_order, steal};

type Jobs = Arc<Injector<usize>>;

fn filled(items: core::ops::Range<usize>) -> Jobs {
    let injector = Injector::new();
    items.for_each(|item| injector.push(item));
    Arc::new(injector)
}

fn drain(injector: &Injector<usize>) -> Vec<usize> {
    core::iter::from_fn(|| steal(|| injector.steal())).collect()
}

fn thief(jobs: &Jobs, attempts: usize) -> thread::JoinHandle<Vec<usize>> {
    let jobs = jobs.clone();
    thread::spawn(move || {
        (0..attempts)
            .filter_map(|_| steal(|| jobs.steal()))
            .collect()
    })
}

/// Steals one batch into a deque of its own, and says what was in it.
fn batch_thief(jobs: &Jobs) -> thread::JoinHandle<Vec<usize>> {
    let jobs = jobs.clone();
    thread::spawn(move || {
        let mine = Worker::new_fifo(4);
        let mut taken: Vec<_> = steal(|| jobs.steal_batch_and_pop(&mine))
            .into_iter()
            .collect();
        taken.extend(core::iter::from_fn(|| mine.pop()));
        taken
    })
}

#[test]
fn batch_against_a_push() {
    check_freed("batch_against_a_push", Budget::exhaustive(), || {
        let jobs = filled(0..1);
        let pusher = {
            let jobs = jobs.clone();
            thread::spawn(move || (1..3).for_each(|item| jobs.push(item)))
        };
        let thief = batch_thief(&jobs);
        pusher.join().unwrap();
        assert_partition_in_order(&[thief.join().unwrap(), drain(&jobs)], 0..3);
    });
}

/// A batch and single items leave a block.
#[test]
fn a_batch_leaves_a_block() {
    check_freed("a_batch_leaves_a_block", Budget::exhaustive(), || {
        let jobs = filled(0..3);
        let thieves = [batch_thief(&jobs), thief(&jobs, 2)];
        let mut taken: Vec<_> = thieves.map(|thief| thief.join().unwrap()).into();
        taken.push(drain(&jobs));
        assert_partition_in_order(&taken, 0..3);
    });
}

/// As above with a popper below the batch, one above it, and the next block there.
#[test]
fn three_thieves_leave_a_block() {
    check_freed(
        "three_thieves_leave_a_block",
        Budget::preemptions(1),
        || {
            let jobs = filled(0..4);
            let thieves = [thief(&jobs, 1), batch_thief(&jobs), thief(&jobs, 1)];
            let mut taken: Vec<_> = thieves.map(|thief| thief.join().unwrap()).into();
            taken.push(drain(&jobs));
            assert_partition_in_order(&taken, 0..4);
        },
    );
}

/// A batch into a deque that another thread steals from.
#[test]
fn batch_into_a_deque_that_is_stolen_from() {
    check_freed(
        "injector_batch_into_a_deque_that_is_stolen_from",
        Budget::preemptions(4),
        || {
            let jobs = filled(1..4);
            let mine = Worker::new_fifo(2);
            mine.push(0).unwrap();
            let stealer = mine.stealer();
            let owner = {
                let jobs = jobs.clone();
                thread::spawn(move || {
                    steal(|| jobs.steal_batch(&mine));
                    core::iter::from_fn(|| mine.pop()).collect::<Vec<_>>()
                })
            };
            let thief = thread::spawn(move || {
                let mut taken = Vec::new();
                for _ in 0..2 {
                    taken.extend(steal(|| stealer.steal()));
                }
                taken
            });
            let taken = [owner.join().unwrap(), thief.join().unwrap(), drain(&jobs)];
            assert_partition_in_order(&taken, 0..4);
        },
    );
}

#[test]
fn schedulers_queues() {
    check_large("schedulers_queues", Budget::default(), || {
        freed(&|| {
            let jobs = filled(0..0);
            let pushers: Vec<_> = (0..2)
                .map(|n| {
                    let jobs = jobs.clone();
                    thread::spawn(move || {
                        jobs.push(n * 10);
                        jobs.push_batch(&mut (n * 10 + 1..n * 10 + 6).collect());
                        jobs.push(n * 10 + 6);
                    })
                })
                .collect();
            let workers: Vec<_> = (0..3)
                .map(|n| {
                    let jobs = jobs.clone();
                    thread::spawn(move || {
                        let mine = Worker::new_fifo(2);
                        let mut taken = Vec::new();
                        for _ in 0..6 {
                            match n {
                                0 => taken.extend(jobs.steal().success()),
                                1 => drop(jobs.steal_batch(&mine)),
                                _ => taken.extend(jobs.steal_batch_and_pop(&mine).success()),
                            }
                            taken.extend(core::iter::from_fn(|| mine.pop()));
                        }
                        taken
                    })
                })
                .collect();
            for pusher in pushers {
                pusher.join().unwrap();
            }
            let mut all = vec![];
            for worker in workers {
                let taken = worker.join().unwrap();
                for producer in 0..2 {
                    let own = taken.iter().filter(|&&item| item / 10 == producer);
                    assert!(own.is_sorted(), "out of order: {taken:?}");
                }
                all.extend(taken);
            }
            all.extend(drain(&jobs));
            all.sort_unstable();
            assert_eq!(all, (0..7).chain(10..17).collect::<Vec<_>>());
        });
    });
}
