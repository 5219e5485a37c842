//! Models of the booking ring.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed as Uncounted};

use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check, check_large};

mod lifo;

use super::{Stealer, Worker};
use crate::deque::flavor::Flavor::Fifo;
use crate::deque::testing::{
    self, WRAPS_BOUNDED as WRAPPING, assert_partition_in_order, drain, push, steal,
};

fn filled(capacity: usize, items: core::ops::Range<usize>) -> Worker<usize> {
    testing::filled(Fifo, capacity, items)
}

#[test]
fn push_pop_and_steal() {
    check("push_pop_and_steal", Budget::exhaustive(), || {
        let worker = filled(2, 0..1);
        let thief = thread::spawn({
            let stealer = worker.stealer();
            move || {
                let first = steal(|| stealer.steal());
                first.into_iter().collect::<Vec<_>>()
            }
        });
        let mut popped = Vec::new();
        worker.push(1).unwrap();
        popped.extend(worker.pop());
        popped.extend(worker.pop());
        popped.extend(worker.pop());
        assert_partition_in_order(&[popped, thief.join().unwrap()], 0..2);
    });
}

/// A slot that a thief has booked is not written before the thief has read it.
#[test]
fn slot_reuse_waits_for_the_thief() {
    check(
        "slot_reuse_waits_for_the_thief",
        Budget::exhaustive(),
        || {
            let worker = filled(1, 0..1);
            let thief = thread::spawn({
                let stealer = worker.stealer();
                move || steal(|| stealer.steal()).into_iter().collect::<Vec<_>>()
            });
            let mut popped: Vec<_> = worker.pop().into_iter().collect();
            push(&worker, 1);
            popped.extend(drain(&worker));
            assert_partition_in_order(&[popped, thief.join().unwrap()], 0..2);
        },
    );
}

/// There is always one item: who sees the pop of the first sees the push of the second,
/// which came before.
#[test]
fn a_pop_shows_the_pushes_before_it() {
    check(
        "a_pop_shows_the_pushes_before_it",
        Budget::exhaustive(),
        || {
            let worker = filled(2, 0..1);
            let observer = thread::spawn({
                let stealer = worker.stealer();
                move || assert!(!stealer.is_empty())
            });
            worker.push(1).unwrap();
            assert_eq!(worker.pop(), Some(0));
            observer.join().unwrap();
        },
    );
}

/// As above where the owner pops behind the thief's back: what it popped stays
/// occupied with what the thief has booked.
#[test]
fn pop_behind_a_booking() {
    check("pop_behind_a_booking", Budget::exhaustive(), || {
        let worker = filled(2, 0..2);
        let thief = thread::spawn({
            let stealer = worker.stealer();
            move || stealer.steal().success().into_iter().collect::<Vec<_>>()
        });
        let mut popped: Vec<_> = worker.pop().into_iter().collect();
        if worker.push(2).is_err() {
            push(&worker, 2);
        }
        popped.extend(drain(&worker));
        assert_partition_in_order(&[popped, thief.join().unwrap()], 0..3);
    });
}

#[test]
fn two_thieves() {
    check("two_thieves", Budget::preemptions(3), || {
        let worker = filled(2, 0..2);
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let stealer = worker.stealer();
                thread::spawn(move || steal(|| stealer.steal()).into_iter().collect::<Vec<_>>())
            })
            .collect();
        let mut taken: Vec<_> = thieves.into_iter().map(|t| t.join().unwrap()).collect();
        taken.push(drain(&worker));
        assert_partition_in_order(&taken, 0..2);
    });
}

/// Two thieves one after the other, both with items that the owner pushes late,
/// while the owner writes to the slots they give back.
#[test]
fn two_thieves_and_a_pushing_owner() {
    check(
        "two_thieves_and_a_pushing_owner",
        Budget::preemptions(2),
        || {
            let worker = filled(2, 0..2);
            let thieves: Vec<_> = (0..2)
                .map(|_| {
                    let stealer = worker.stealer();
                    thread::spawn(move || steal(|| stealer.steal()).into_iter().collect::<Vec<_>>())
                })
                .collect();
            let mut mine = Vec::new();
            for item in 2..4 {
                if worker.push(item).is_err() {
                    mine.extend(worker.pop());
                    push(&worker, item);
                }
            }
            let mut taken: Vec<_> = thieves.into_iter().map(|t| t.join().unwrap()).collect();
            mine.extend(drain(&worker));
            taken.push(mine);
            assert_partition_in_order(&taken, 0..4);
        },
    );
}

/// The destination of a batch is itself being stolen from.
#[test]
fn batch_into_a_deque_that_is_stolen_from() {
    check(
        "batch_into_a_deque_that_is_stolen_from",
        Budget::preemptions(3),
        || {
            let victim = filled(4, 1..5);
            let dest = filled(2, 0..1);
            let thief = thread::spawn({
                let stealer = dest.stealer();
                move || {
                    let mut taken = Vec::new();
                    taken.extend(steal(|| stealer.steal()));
                    taken.extend(steal(|| stealer.steal()));
                    taken
                }
            });
            let stealer = victim.stealer();
            let first = steal(|| stealer.steal_batch_and_pop(&dest));
            assert_eq!(first, Some(1));
            // Moves something unless the thief has left no room.
            steal(|| stealer.steal_batch(&dest));
            let mine = drain(&dest);
            let stolen = thief.join().unwrap();
            assert_partition_in_order(&[vec![1], mine, stolen, drain(&victim)], 0..5);
        },
    );
}

#[test]
fn batch_against_the_owner() {
    check("batch_against_the_owner", Budget::preemptions(4), || {
        let worker = filled(4, 0..3);
        let thief = thread::spawn({
            let stealer = worker.stealer();
            move || {
                let mine = Worker::starting_at(2, WRAPPING);
                let mut taken = Vec::new();
                taken.extend(steal(|| stealer.steal_batch_and_pop(&mine)));
                taken.extend(drain(&mine));
                taken
            }
        });
        let mut popped = Vec::new();
        popped.extend(worker.pop());
        push(&worker, 3);
        push(&worker, 4);
        popped.extend(drain(&worker));
        assert_partition_in_order(&[popped, thief.join().unwrap()], 0..5);
    });
}

#[test]
fn overflow_against_a_thief() {
    check("overflow_against_a_thief", Budget::exhaustive(), || {
        let worker = filled(2, 0..2);
        let thief = thread::spawn({
            let stealer = worker.stealer();
            move || steal(|| stealer.steal()).into_iter().collect::<Vec<_>>()
        });
        let mut mine = Vec::new();
        worker.pop_half(&mut mine);
        push(&worker, 2);
        mine.extend(drain(&worker));
        assert_partition_in_order(&[mine, thief.join().unwrap()], 0..3);
    });
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
        let worker = Worker::starting_at(4, WRAPPING);
        for _ in 0..3 {
            assert!(worker.push(Counted(dropped.clone())).is_ok());
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

/// An owner, three thieves with deques of their own that are stolen from, and
/// overflow.
#[test]
fn chain_of_thieves() {
    check_large(
        "chain_of_thieves",
        Budget::default().schedules(2_000),
        || {
            const ITEMS: usize = 16;
            let owner = Worker::starting_at(4, WRAPPING - 5);
            let deques: Vec<_> = (0..3).map(|_| Worker::starting_at(4, WRAPPING)).collect();
            let stealers: Arc<Vec<Stealer<usize>>> = Arc::new(
                core::iter::once(owner.stealer())
                    .chain(deques.iter().map(Worker::stealer))
                    .collect(),
            );
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
            for item in 0..ITEMS {
                if let Err(item) = owner.push(item) {
                    owner.pop_half(&mut taken);
                    taken.push(item);
                }
            }
            taken.extend(drain(&owner));
            for thief in thieves {
                taken.extend(thief.join().unwrap());
            }
            // A thief may have been stolen from after it drained.
            for stealer in &*stealers {
                taken.extend(core::iter::from_fn(|| steal(|| stealer.steal())));
            }
            taken.sort_unstable();
            assert_eq!(taken, (0..ITEMS).collect::<Vec<_>>());
        },
    );
}
