//! Models of the bias, in both deques.

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::thread;
use testkit::model::{Budget, check, check_large};

use crate::deque::flavor::Flavor::{self, Fifo, Lifo};
use crate::deque::testing::{
    Owner, assert_partition, assert_partition_in_order, biased, drain, filled, push, steal, thief,
};
use crate::deque::{Worker, bounded};

type Unbounded = Worker<usize>;
type Bounded = bounded::Worker<usize>;

/// The owner takes by stores what a thief has come for.
fn a_thief_ends_a_bias_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("a_thief_ends_a_bias, {flavor:?}");
    check(&name, Budget::preemptions(4), move || {
        let worker: D = biased(flavor, 2, 0..2);
        let thief = thief(&worker, 2);
        let mut mine = Vec::new();
        mine.extend(worker.pop());
        mine.extend(worker.pop());
        assert_partition(&[mine, thief.join().unwrap()], 0..2);
    });
}

#[test]
fn a_thief_ends_a_bias() {
    a_thief_ends_a_bias_of::<Unbounded>(Fifo);
    a_thief_ends_a_bias_of::<Unbounded>(Lifo);
    a_thief_ends_a_bias_of::<Bounded>(Fifo);
    a_thief_ends_a_bias_of::<Bounded>(Lifo);
}

/// Either of the thieves may find out where the front is.
fn two_thieves_end_a_bias_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("two_thieves_end_a_bias, {flavor:?}");
    check(&name, Budget::preemptions(2), move || {
        let worker: D = biased(flavor, 2, 0..2);
        let thieves = [thief(&worker, 1), thief(&worker, 1)];
        let mut taken = vec![worker.pop().into_iter().collect()];
        taken.extend(thieves.map(|thief| thief.join().unwrap()));
        taken.push(drain(&worker));
        assert_partition(&taken, 0..2);
    });
}

#[test]
fn two_thieves_end_a_bias() {
    two_thieves_end_a_bias_of::<Unbounded>(Fifo);
    two_thieves_end_a_bias_of::<Unbounded>(Lifo);
    two_thieves_end_a_bias_of::<Bounded>(Fifo);
    two_thieves_end_a_bias_of::<Bounded>(Lifo);
}

/// A claim that a thief prepared before the bias began, or between two, is not good for
/// what the owner has not taken by a claim.
fn a_bias_comes_again_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("a_bias_comes_again, {flavor:?}");
    check(&name, Budget::preemptions(3), move || {
        let worker: D = filled(flavor, 2, 0..1);
        worker.patience().set(0);
        let thief = thief(&worker, 2);
        let mut mine = Vec::new();
        for item in 1..3 {
            mine.extend(worker.pop());
            push(&worker, item);
        }
        mine.extend(drain(&worker));
        assert_partition(&[mine, thief.join().unwrap()], 0..3);
    });
}

#[test]
fn a_bias_comes_again() {
    a_bias_comes_again_of::<Unbounded>(Fifo);
    a_bias_comes_again_of::<Unbounded>(Lifo);
    a_bias_comes_again_of::<Bounded>(Fifo);
    a_bias_comes_again_of::<Bounded>(Lifo);
}

/// A thief's fence is about one bias: its late step does not end the next one.
fn a_late_step_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("a_late_step, {flavor:?}");
    // With two, the first takes 25 s.
    let bound = if flavor == Fifo { 1 } else { 2 };
    check(&name, Budget::preemptions(bound), move || {
        let worker: D = biased(flavor, 2, 0..1);
        let thieves = [thief(&worker, 1), thief(&worker, 1)];
        // Ends it if a thief has come.
        let mut mine: Vec<_> = worker.pop().into_iter().collect();
        assert!(worker.push(1));
        // Begins the next one, or takes under that.
        mine.extend(worker.pop());
        if !worker.push(2) {
            mine.push(2);
        }
        let mut taken = vec![mine];
        taken.extend(thieves.map(|thief| thief.join().unwrap()));
        taken.push(drain(&worker));
        assert_partition(&taken, 0..3);
    });
}

#[test]
fn a_late_step() {
    a_late_step_of::<Bounded>(Fifo);
    a_late_step_of::<Bounded>(Lifo);
}

/// A batch that was looked for before the owner's front was its own.
fn batch_against_a_bias_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("batch_against_a_bias, {flavor:?}");
    check(&name, Budget::preemptions(3), move || {
        // The first claim begins a bias; of the newest item, only the last one is claimed.
        let worker: D = match flavor {
            Fifo => filled(flavor, 4, 0..4),
            Lifo => biased(flavor, 4, 0..4),
        };
        worker.patience().set(0);
        let stealer = worker.stealer();
        let thief = thread::spawn(move || {
            let mine = D::starting_at(flavor, 2, D::WRAPPING);
            let mut taken = Vec::new();
            taken.extend(steal(|| D::steal_batch_and_pop(&stealer, &mine)));
            taken.extend(drain(&mine));
            taken
        });
        let mut mine = Vec::new();
        mine.extend(worker.pop());
        mine.extend(worker.pop());
        let stolen = thief.join().unwrap();
        let mut taken = vec![mine, stolen, drain(&worker)];
        if flavor == Lifo {
            for taken in &mut taken {
                taken.reverse();
            }
        }
        assert_partition_in_order(&taken, 0..4);
    });
}

#[test]
fn batch_against_a_bias() {
    batch_against_a_bias_of::<Unbounded>(Fifo);
    batch_against_a_bias_of::<Unbounded>(Lifo);
    batch_against_a_bias_of::<Bounded>(Fifo);
    batch_against_a_bias_of::<Bounded>(Lifo);
}

/// There is always one item: who sees the pop of the first sees the push of the second,
/// which came before.
fn a_biased_pop_shows_the_pushes_before_it_of<D: Owner<usize>>() {
    check(
        "a_biased_pop_shows_the_pushes_before_it",
        Budget::preemptions(4),
        || {
            let worker: D = biased(Fifo, 2, 0..1);
            let observer = thread::spawn({
                let stealer = worker.stealer();
                move || assert_ne!(D::count(&stealer), 0)
            });
            assert!(worker.push(1));
            assert_eq!(worker.pop(), Some(0));
            observer.join().unwrap();
        },
    );
}

#[test]
fn a_biased_pop_shows_the_pushes_before_it() {
    a_biased_pop_shows_the_pushes_before_it_of::<Unbounded>();
    a_biased_pop_shows_the_pushes_before_it_of::<Bounded>();
}

/// There is always one item, whatever the thief and the owner take: who sees the front that
/// the thief has found sees the push before the owner's pop.
fn what_is_left_is_seen_of<D: Owner<usize>>() {
    check("what_is_left_is_seen", Budget::preemptions(2), || {
        let worker: D = biased(Fifo, 4, 0..2);
        let thief = thief(&worker, 1);
        let observer = thread::spawn({
            let stealer = worker.stealer();
            move || assert_ne!(D::count(&stealer), 0)
        });
        assert!(worker.push(2));
        let mine = worker.pop().into_iter().collect();
        observer.join().unwrap();
        let taken = [mine, thief.join().unwrap(), drain(&worker)];
        assert_partition(&taken, 0..3);
    });
}

#[test]
fn what_is_left_is_seen() {
    what_is_left_is_seen_of::<Unbounded>();
    what_is_left_is_seen_of::<Bounded>();
}

/// "Empty" while the owner takes the last item means that it, or who else, has it. What
/// the thief that ends the bias meanwhile gives back must not be found after that.
fn empty_under_a_bias_stays_empty_of<D: Owner<usize>>(flavor: Flavor, by_steal: bool) {
    let name = std::format!("empty_under_a_bias_stays_empty, {flavor:?}");
    check(&name, Budget::preemptions(3), move || {
        let worker: D = biased(flavor, 2, 0..1);
        let thief = thief(&worker, 1);
        let observer = thread::spawn({
            let stealer = worker.stealer();
            move || {
                let mut taken = Vec::new();
                let is_empty = match by_steal {
                    true => match steal(|| D::steal(&stealer)) {
                        Some(item) => {
                            taken.push(item);
                            false
                        }
                        None => true,
                    },
                    false => D::count(&stealer) == 0,
                };
                let later = steal(|| D::steal(&stealer));
                assert!(!is_empty || later.is_none(), "it was not empty");
                taken.extend(later);
                taken
            }
        });
        let mine = worker.pop().into_iter().collect();
        let taken = [mine, thief.join().unwrap(), observer.join().unwrap()];
        assert_partition(&taken, 0..1);
    });
}

#[test]
fn empty_under_a_bias_stays_empty() {
    for by_steal in [false, true] {
        empty_under_a_bias_stays_empty_of::<Unbounded>(Fifo, by_steal);
        empty_under_a_bias_stays_empty_of::<Bounded>(Fifo, by_steal);
    }
}

/// As above, where the owner begins the next bias meanwhile.
fn empty_under_the_next_bias_of<D: Owner<usize>>() {
    check("empty_under_the_next_bias", Budget::preemptions(2), || {
        let worker: D = biased(Fifo, 4, 0..3);
        let thief = thief(&worker, 1);
        let observer = thread::spawn({
            let stealer = worker.stealer();
            move || {
                let is_empty = D::count(&stealer) == 0;
                let later = steal(|| D::steal(&stealer));
                assert!(!is_empty || later.is_none(), "it was not empty");
                later.into_iter().collect::<Vec<_>>()
            }
        });
        let mut mine = Vec::new();
        mine.extend(worker.pop());
        mine.extend(worker.pop());
        let taken = [
            mine,
            thief.join().unwrap(),
            observer.join().unwrap(),
            drain(&worker),
        ];
        assert_partition(&taken, 0..3);
    });
}

#[test]
fn empty_under_the_next_bias() {
    empty_under_the_next_bias_of::<Unbounded>();
    empty_under_the_next_bias_of::<Bounded>();
}

/// Of two threads that push to a deque each and then look at the other's, one sees an
/// item.
fn two_biased_deques_are_not_both_empty_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("two_biased_deques_are_not_both_empty, {flavor:?}");
    check(&name, Budget::preemptions(3), move || {
        let (one, other): (D, D) = (biased(flavor, 2, 0..0), biased(flavor, 2, 0..0));
        let (of_one, of_other) = (one.stealer(), other.stealer());
        let look = |stealer: &D::Stealer| steal(|| D::steal(stealer)).is_none();
        let thread = thread::spawn(move || {
            assert!(other.push(0));
            look(&of_one)
        });
        assert!(one.push(0));
        let empty = look(&of_other);
        assert!(!(empty && thread.join().unwrap()), "both empty");
    });
}

#[test]
fn two_biased_deques_are_not_both_empty() {
    two_biased_deques_are_not_both_empty_of::<Unbounded>(Fifo);
    two_biased_deques_are_not_both_empty_of::<Unbounded>(Lifo);
    two_biased_deques_are_not_both_empty_of::<Bounded>(Fifo);
    two_biased_deques_are_not_both_empty_of::<Bounded>(Lifo);
}

/// Who takes the older item and then finds nothing has not overlooked an item whose push
/// said that the deque was not empty.
fn push_was_empty_under_a_bias_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("push_was_empty_under_a_bias, {flavor:?}");
    check(&name, Budget::preemptions(4), move || {
        let worker: D = biased(flavor, 2, 0..1);
        let thief = thief(&worker, 2);
        let was_empty = worker.push_was_empty(1);
        let stolen = thief.join().unwrap();
        if stolen == [0] {
            assert!(was_empty, "the thief sleeps, and nobody knows of the item");
        }
        assert_partition(&[stolen, drain(&worker)], 0..2);
    });
}

#[test]
fn push_was_empty_under_a_bias() {
    push_was_empty_under_a_bias_of::<Unbounded>(Fifo);
    push_was_empty_under_a_bias_of::<Unbounded>(Lifo);
    push_was_empty_under_a_bias_of::<Bounded>(Fifo);
    push_was_empty_under_a_bias_of::<Bounded>(Lifo);
}

/// The owner goes round the ring under a bias, and comes to a slot that a thief is reading:
/// it waits in a ring, and leaves a buffer.
fn slot_reuse_under_a_bias_of<D: Owner<usize>>(flavor: Flavor) {
    let name = std::format!("slot_reuse_under_a_bias, {flavor:?}");
    check(&name, Budget::preemptions(3), move || {
        let worker: D = biased(flavor, 2, 0..2);
        let thief = thief(&worker, 1);
        let mut mine = Vec::new();
        mine.extend(worker.pop());
        push(&worker, 2);
        mine.extend(worker.pop());
        push(&worker, 3);
        mine.extend(drain(&worker));
        assert_partition(&[mine, thief.join().unwrap()], 0..4);
    });
}

#[test]
fn slot_reuse_under_a_bias() {
    slot_reuse_under_a_bias_of::<Unbounded>(Fifo);
    slot_reuse_under_a_bias_of::<Unbounded>(Lifo);
    slot_reuse_under_a_bias_of::<Bounded>(Fifo);
    slot_reuse_under_a_bias_of::<Bounded>(Lifo);
}

/// No bias begins while a thief reads a slot before the front: under it the owner keeps no
/// books of those.
#[test]
fn a_thief_that_still_reads() {
    check("a_thief_that_still_reads", Budget::preemptions(3), || {
        // The buffer has four slots.
        let worker: Unbounded = filled(Fifo, 0, 0..3);
        worker.patience().set(0);
        let thief = thief(&worker, 1);
        let mut mine = Vec::new();
        mine.extend(worker.pop());
        mine.extend(worker.pop());
        worker.push(3);
        mine.extend(worker.pop());
        // To the slot of the first.
        worker.push(4);
        mine.extend(drain(&worker));
        assert_partition(&[mine, thief.join().unwrap()], 0..5);
    });
}

/// The buffer is replaced while a thief comes.
#[test]
fn growth_under_a_bias() {
    for flavor in [Fifo, Lifo] {
        let name = std::format!("growth_under_a_bias, {flavor:?}");
        check(&name, Budget::preemptions(2), move || {
            let worker: Unbounded = biased(flavor, 2, 0..2);
            let thief = thief(&worker, 2);
            worker.push(2);
            let mut mine = Vec::new();
            mine.extend(worker.pop());
            mine.extend(drain(&worker));
            assert_partition(&[mine, thief.join().unwrap()], 0..3);
        });
    }
}

/// The owner of a ring takes several while a thief comes.
#[test]
fn batches_of_the_owner_under_a_bias() {
    for (flavor, half) in [(Fifo, false), (Lifo, false), (Fifo, true), (Lifo, true)] {
        let name = std::format!("batches_of_the_owner_under_a_bias, {flavor:?}");
        check(&name, Budget::preemptions(3), move || {
            let worker: Bounded = biased(flavor, 4, 0..3);
            let thief = thief(&worker, 2);
            let mut mine = Vec::new();
            match half {
                true => worker.pop_half(&mut mine),
                false => worker.pop_batch(&mut mine, 2),
            };
            mine.extend(drain(&worker));
            assert_partition(&[mine, thief.join().unwrap()], 0..3);
        });
    }
}

/// Owners of all kinds, each with a patience of its own, that push, pop, and steal from each
/// other.
fn everybody_loses_patience_of<D: Owner<usize>>() {
    check_large(
        "everybody_loses_patience",
        Budget::default().schedules(2_000),
        || {
            const WORKERS: usize = 4;
            const ITEMS: usize = 14;
            let workers: Vec<D> = (0..WORKERS)
                .map(|n| {
                    let worker: D = filled([Fifo, Lifo][n % 2], 8, 0..0);
                    worker.patience().set([0, 0, 1, 2][n]);
                    worker
                })
                .collect();
            let stealers: Vec<D::Stealer> = workers.iter().map(D::stealer).collect();
            let threads: Vec<_> = workers
                .into_iter()
                .enumerate()
                .map(|(me, mine)| {
                    let stealers = stealers.clone();
                    thread::spawn(move || {
                        let mut taken = Vec::new();
                        for n in 0..ITEMS {
                            let item = me * ITEMS + n;
                            if !mine.push(item) {
                                taken.push(item);
                            }
                            let victim = &stealers[(me + n) % WORKERS];
                            match (me + n) % 7 {
                                0 => taken.extend(D::steal_batch_and_pop(victim, &mine).success()),
                                1 => taken.extend(D::steal(victim).success()),
                                2 => taken.extend(drain(&mine)),
                                3 => drop(D::count(victim)),
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
            for stealer in &stealers {
                taken.push(core::iter::from_fn(|| steal(|| D::steal(stealer))).collect());
            }
            assert_partition(&taken, 0..WORKERS * ITEMS);
        },
    );
}

#[test]
fn everybody_loses_patience() {
    everybody_loses_patience_of::<Unbounded>();
    everybody_loses_patience_of::<Bounded>();
}
