//! Models of the stamped ring, with one or two slots, over the wrap of the stamps.
//!
//! Pushers are spawned before poppers, and the main thread only joins; see
//! `seg_queue::model` for why.

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::{Arc, thread};
use testkit::history::Recorder;
use testkit::linearizability::assert_linearizable;
use testkit::model::{Budget, check, check_large};
use testkit::spec::{Fifo, History, Log, Op, Ret};

use super::ArrayQueue;
use crate::testing::assert_fifo;

mod batch;

type Queue = Arc<ArrayQueue<usize>>;

/// A full or partly filled queue on its last lap before the stamps wrap.
fn filled(capacity: usize, items: core::ops::Range<usize>) -> Queue {
    let queue = ArrayQueue::starting_at(capacity, !0);
    items.for_each(|item| queue.push(item).unwrap());
    Arc::new(queue)
}

fn push(queue: &ArrayQueue<usize>, item: usize) {
    while queue.push(item).is_err() {
        thread::yield_now();
    }
}

/// Pushes `items`, waiting for room.
fn pusher(queue: &Queue, items: Vec<usize>) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || items.into_iter().for_each(|item| push(&queue, item)))
}

/// Forces `items` in, and says what had to go.
fn forcer(queue: &Queue, items: Vec<usize>) -> thread::JoinHandle<Vec<usize>> {
    let queue = queue.clone();
    thread::spawn(move || {
        items
            .into_iter()
            .filter_map(|item| queue.force_push(item))
            .collect()
    })
}

/// Pops until it has `count` items.
fn popper(queue: &Queue, count: usize) -> thread::JoinHandle<Vec<usize>> {
    let queue = queue.clone();
    thread::spawn(move || {
        let mut taken = Vec::new();
        while taken.len() < count {
            match queue.pop() {
                Some(item) => taken.push(item),
                None => thread::yield_now(),
            }
        }
        taken
    })
}

fn drain(queue: &Queue) -> Vec<usize> {
    core::iter::from_fn(|| queue.pop()).collect()
}

#[test]
fn one_slot_is_used_in_turns() {
    check("one_slot_is_used_in_turns", Budget::preemptions(4), || {
        let queue = filled(1, 0..0);
        let pusher = pusher(&queue, vec![0, 1]);
        let popper = popper(&queue, 2);
        pusher.join().unwrap();
        assert_eq!(popper.join().unwrap(), [0, 1]);
    });
}

#[test]
fn two_pushers_claim_different_slots() {
    check(
        "two_pushers_claim_different_slots",
        Budget::preemptions(2),
        || {
            let queue = filled(2, 0..1);
            assert_eq!(queue.pop(), Some(0));
            let pushers = [pusher(&queue, vec![10]), pusher(&queue, vec![20])];
            let popper = popper(&queue, 1);
            for pusher in pushers {
                pusher.join().unwrap();
            }
            assert_fifo(&[popper.join().unwrap(), drain(&queue)], vec![10, 20]);
        },
    );
}

#[test]
fn two_poppers_claim_different_slots() {
    check(
        "two_poppers_claim_different_slots",
        Budget::preemptions(2),
        || {
            let queue = filled(2, 0..1);
            let pusher = pusher(&queue, vec![1, 2]);
            let poppers = [popper(&queue, 1), popper(&queue, 1)];
            pusher.join().unwrap();
            let mut taken: Vec<_> = poppers.map(|popper| popper.join().unwrap()).into();
            taken.push(drain(&queue));
            assert_fifo(&taken, vec![0, 1, 2]);
        },
    );
}

/// One push succeeds of those that find one slot.
#[test]
fn full_is_not_wrong() {
    check("full_is_not_wrong", Budget::exhaustive(), || {
        let queue = filled(1, 0..0);
        let pushers = [1, 2].map(|item| {
            let queue = queue.clone();
            thread::spawn(move || queue.push(item))
        });
        let pushed = pushers.map(|pusher| pusher.join().unwrap());
        match pushed {
            [Ok(()), Err(2)] => assert_eq!(drain(&queue), [1]),
            [Err(1), Ok(())] => assert_eq!(drain(&queue), [2]),
            other => panic!("{other:?}"),
        }
    });
}

/// `None` is not stale: of two threads that each push to one queue and then look
/// into the other's, one sees the other's item.
#[test]
fn two_queues_are_not_both_empty() {
    check(
        "array_two_queues_are_not_both_empty",
        Budget::exhaustive(),
        || {
            let [a, b] = [filled(1, 0..0), filled(1, 0..0)];
            let both = [(a.clone(), b.clone()), (b, a)].map(|(mine, other)| {
                thread::spawn(move || {
                    mine.push(1).unwrap();
                    other.pop()
                })
            });
            let found = both.map(|thread| thread.join().unwrap());
            assert_ne!(found, [None, None], "both found nothing");
        },
    );
}

/// "Full" is not stale: of two threads that each pop from one queue and then push to
/// the other's, one finds room.
#[test]
fn two_queues_are_not_both_full() {
    check("two_queues_are_not_both_full", Budget::exhaustive(), || {
        let [a, b] = [filled(1, 0..1), filled(1, 0..1)];
        let both = [(a.clone(), b.clone()), (b, a)].map(|(mine, other)| {
            thread::spawn(move || {
                assert_eq!(mine.pop(), Some(0));
                other.push(1)
            })
        });
        let pushed = both.map(|thread| thread.join().unwrap());
        assert_ne!(pushed, [Err(1), Err(1)], "both found no room");
    });
}

#[test]
fn force_push_against_pop() {
    check("force_push_against_pop", Budget::exhaustive(), || {
        let queue = filled(1, 0..1);
        let forcer = forcer(&queue, vec![1]);
        let popper = popper(&queue, 1);
        let forced = forcer.join().unwrap();
        let popped = popper.join().unwrap();
        assert_fifo(&[forced, popped, drain(&queue)], vec![0, 1]);
    });
}

#[test]
fn force_push_against_force_push() {
    check(
        "force_push_against_force_push",
        Budget::exhaustive(),
        || {
            let queue = filled(2, 0..2);
            let forcers = [forcer(&queue, vec![10]), forcer(&queue, vec![20])];
            let mut taken: Vec<_> = forcers.map(|forcer| forcer.join().unwrap()).into();
            assert_eq!(queue.len(), 2);
            taken.push(drain(&queue));
            assert_fifo(&taken, vec![0, 1, 10, 20]);
        },
    );
}

#[test]
fn force_push_against_push_and_pop() {
    check(
        "force_push_against_push_and_pop",
        Budget::preemptions(1),
        || {
            let queue = filled(1, 0..1);
            let forcer = forcer(&queue, vec![10]);
            let pusher = {
                let queue = queue.clone();
                thread::spawn(move || match queue.push(20) {
                    Ok(()) => vec![],
                    Err(item) => vec![item],
                })
            };
            let popper = popper(&queue, 1);
            let forced = forcer.join().unwrap();
            let back = pusher.join().unwrap();
            let popped = popper.join().unwrap();
            assert_fifo(&[forced, back, popped, drain(&queue)], vec![0, 10, 20]);
        },
    );
}

/// A watcher whose `len` is checked against the lengths that there ever were.
fn watch(queue: &Queue, lengths: core::ops::RangeInclusive<usize>) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || {
        let len = queue.len();
        assert!(lengths.contains(&len), "{len}");
    })
}

/// One item is popped before another is pushed: there are never two.
#[test]
fn len_is_never_too_long() {
    check("array_len_is_never_too_long", Budget::exhaustive(), || {
        let queue = filled(2, 0..1);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                assert_eq!(queue.pop(), Some(0));
                queue.push(1).unwrap();
            })
        };
        let watcher = watch(&queue, 0..=1);
        other.join().unwrap();
        watcher.join().unwrap();
    });
}

/// One item is pushed before another is popped: it is never empty.
#[test]
fn len_is_never_too_short() {
    check("array_len_is_never_too_short", Budget::exhaustive(), || {
        let queue = filled(2, 0..1);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.push(1).unwrap();
                assert_eq!(queue.pop(), Some(0));
            })
        };
        let watcher = watch(&queue, 1..=2);
        other.join().unwrap();
        watcher.join().unwrap();
    });
}

/// One item is pushed before another is popped: it is never empty.
#[test]
fn empty_is_not_said_between() {
    check("empty_is_not_said_between", Budget::exhaustive(), || {
        let queue = filled(2, 0..1);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.push(1).unwrap();
                assert_eq!(queue.pop(), Some(0));
            })
        };
        let watcher = {
            let queue = queue.clone();
            thread::spawn(move || queue.is_empty())
        };
        other.join().unwrap();
        assert!(!watcher.join().unwrap(), "it never was");
    });
}

/// One item is popped before another is pushed: it is never full.
#[test]
fn full_is_not_said_between() {
    check("full_is_not_said_between", Budget::exhaustive(), || {
        let queue = filled(2, 0..1);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                assert_eq!(queue.pop(), Some(0));
                queue.push(1).unwrap();
            })
        };
        let watcher = {
            let queue = queue.clone();
            thread::spawn(move || queue.is_full())
        };
        other.join().unwrap();
        assert!(!watcher.join().unwrap(), "it never was");
    });
}

/// A `force_push` is a pop and a push: of three items it leaves two for a moment.
#[test]
fn len_during_force_push() {
    check("len_during_force_push", Budget::exhaustive(), || {
        let queue = filled(3, 0..2);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.push(2).unwrap();
                assert_eq!(queue.force_push(3), Some(0));
            })
        };
        let watcher = watch(&queue, 2..=3);
        other.join().unwrap();
        watcher.join().unwrap();
    });
}

#[test]
fn everything_at_once() {
    check_large("everything_at_once", Budget::default(), || {
        let queue = filled(2, 0..0);
        let working = Arc::new(AtomicUsize::new(3));
        let producers: Vec<_> = (0..3)
            .map(|n| {
                let (queue, working) = (queue.clone(), working.clone());
                thread::spawn(move || {
                    let mut forced = Vec::new();
                    for item in n * 10..n * 10 + 6 {
                        if n == 0 {
                            forced.extend(queue.force_push(item));
                        } else {
                            push(&queue, item);
                        }
                    }
                    working.fetch_sub(1, Release);
                    forced
                })
            })
            .collect();
        let poppers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, working) = (queue.clone(), working.clone());
                thread::spawn(move || {
                    let mut taken = Vec::new();
                    loop {
                        // Before the pop: nothing then means nothing any more.
                        let last = working.load(Acquire) == 0;
                        match queue.pop() {
                            Some(item) => taken.push(item),
                            None if last => return taken,
                            None => thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        let taken: Vec<_> = producers
            .into_iter()
            .chain(poppers)
            .map(|thread| thread.join().unwrap())
            .collect();
        let items = (0..3).flat_map(|n| n * 10..n * 10 + 6).collect();
        assert_fifo(&taken, items);
    });
}

/// What a thread of a recorded history does to the queue.
fn recorded(queue: &ArrayQueue<usize>, log: &mut Log, op: Op) {
    log.record(op.clone(), || match op {
        Op::Push(item) => Ret::pushed(&queue.push(item as usize)),
        Op::ForcePush(item) => Ret::forced(queue.force_push(item as usize).map(|item| item as u64)),
        Op::Pop => Ret::popped(queue.pop().map(|item| item as u64)),
        Op::Len => Ret::Count(queue.len()),
        other => unreachable!("{other:?}"),
    });
}

/// Runs a thread for each of `scripts`, and checks what they were told.
fn assert_linearizable_runs(capacity: usize, scripts: &[Vec<Op>]) {
    let queue = filled(capacity, 0..0);
    let mut recorder = Recorder::new();
    let threads: Vec<_> = scripts
        .iter()
        .map(|script| {
            let (queue, script) = (queue.clone(), script.clone());
            let mut log = recorder.log();
            thread::spawn(move || {
                for op in script {
                    recorded(&queue, &mut log, op);
                }
                log
            })
        })
        .collect();
    let logs = threads.into_iter().map(|thread| thread.join().unwrap());
    assert_linearizable(&Fifo::bounded(capacity), &History::new(logs));
}

/// Five threads, and each answer is right at one moment: also "full", `None` and `len`.
#[test]
fn histories_are_linearizable() {
    check_large(
        "array_histories_are_linearizable",
        Budget::default(),
        || {
            let scripts: Vec<_> = (0..5_u64)
                .map(|n| {
                    let item = |k| Op::Push(10 * n + k);
                    match n % 3 {
                        0 => vec![item(0), Op::Pop, item(1), item(2), Op::Pop],
                        1 => vec![Op::Pop, item(0), Op::Len, Op::Pop, item(1)],
                        _ => vec![item(0), item(1), Op::Pop, Op::Pop, Op::Len],
                    }
                })
                .collect();
            for capacity in [1, 2] {
                assert_linearizable_runs(capacity, &scripts);
            }
        },
    );
}

/// The same where the oldest items are turned out. There is no `len`, which may see a
/// `force_push` half done.
#[test]
fn histories_with_force_push_are_linearizable() {
    check_large(
        "histories_with_force_push_are_linearizable",
        Budget::default(),
        || {
            let scripts: Vec<_> = (0..5_u64)
                .map(|n| {
                    let (push, force) = (|k| Op::Push(10 * n + k), |k| Op::ForcePush(10 * n + k));
                    match n % 2 {
                        0 => vec![force(0), Op::Pop, force(1), force(2)],
                        _ => vec![push(0), force(1), Op::Pop, push(2), Op::Pop],
                    }
                })
                .collect();
            for capacity in [1, 2] {
                assert_linearizable_runs(capacity, &scripts);
            }
        },
    );
}
