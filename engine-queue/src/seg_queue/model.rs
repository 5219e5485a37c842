//! Models of the block list, through `SegQueue`. A block has three slots here.
//!
//! Pushers are spawned before poppers, and the main thread only joins: of all
//! accesses to an atomic loom remembers the last, so a push's load in front of its
//! own compare-and-swap hides what a popper loaded before. With the pushers first,
//! it is the popper's load that meets the pushers' compare-and-swaps.

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::{Arc, thread};
use testkit::history::Recorder;
use testkit::linearizability::assert_linearizable;
use testkit::model::{Budget, check_large};
use testkit::spec::{Fifo, History, Log, Op, Ret};

use super::SegQueue;
use crate::block_list::live::{check_freed, freed};
use crate::testing::assert_fifo;

type Queue = Arc<SegQueue<usize>>;

fn filled(items: core::ops::Range<usize>) -> Queue {
    let queue = SegQueue::new();
    items.for_each(|item| queue.push(item));
    Arc::new(queue)
}

fn pusher(queue: &Queue, items: Vec<usize>) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || items.into_iter().for_each(|item| queue.push(item)))
}

/// Makes `attempts` pops, and says what they gave.
fn popper(queue: &Queue, attempts: usize) -> thread::JoinHandle<Vec<usize>> {
    let queue = queue.clone();
    thread::spawn(move || (0..attempts).filter_map(|_| queue.pop()).collect())
}

fn drain(queue: &Queue) -> Vec<usize> {
    core::iter::from_fn(|| queue.pop()).collect()
}

#[test]
fn first_block_is_installed_once() {
    check_freed(
        "first_block_is_installed_once",
        Budget::preemptions(2),
        || {
            let queue = filled(0..0);
            let pushers = [pusher(&queue, vec![0]), pusher(&queue, vec![10])];
            let popper = popper(&queue, 1);
            let taken = popper.join().unwrap();
            for pusher in pushers {
                pusher.join().unwrap();
            }
            assert_fifo(&[taken, drain(&queue)], vec![0, 10]);
        },
    );
}

#[test]
fn push_and_pop() {
    check_freed("push_and_pop", Budget::exhaustive(), || {
        let queue = filled(0..1);
        let pusher = pusher(&queue, vec![10]);
        let popper = popper(&queue, 2);
        pusher.join().unwrap();
        let taken = popper.join().unwrap();
        assert_eq!(taken[0], 0);
        assert_fifo(&[taken, drain(&queue)], vec![0, 10]);
    });
}

/// Two pushers over the end of a block, and a popper that follows them.
#[test]
fn pushers_change_the_block() {
    check_freed("pushers_change_the_block", Budget::preemptions(1), || {
        let queue = filled(0..2);
        assert_eq!(queue.pop(), Some(0));
        assert_eq!(queue.pop(), Some(1));
        let pushers = [pusher(&queue, vec![10]), pusher(&queue, vec![20])];
        let popper = popper(&queue, 2);
        for pusher in pushers {
            pusher.join().unwrap();
        }
        let taken = popper.join().unwrap();
        assert_fifo(&[taken, drain(&queue)], vec![10, 20]);
    });
}

/// A block is put away once, when both have left it.
#[test]
fn two_poppers_leave_a_block() {
    check_freed("two_poppers_leave_a_block", Budget::exhaustive(), || {
        let queue = filled(0..3);
        let poppers = [popper(&queue, 1), popper(&queue, 2)];
        let taken = poppers.map(|popper| popper.join().unwrap());
        assert_fifo(&taken, vec![0, 1, 2]);
    });
}

/// As above with three poppers.
#[test]
fn three_poppers_leave_a_block() {
    check_freed(
        "three_poppers_leave_a_block",
        Budget::preemptions(2),
        || {
            let queue = filled(0..3);
            let poppers = [(); 3].map(|()| popper(&queue, 1));
            let taken = poppers.map(|popper| popper.join().unwrap());
            assert_fifo(&taken, vec![0, 1, 2]);
        },
    );
}

/// A popper may be in the block at the first change and gone, or not, at the second: the
/// block that it was in is looked at again, and used for the push.
#[test]
fn a_retired_block_is_looked_at_again() {
    check_freed(
        "a_retired_block_is_looked_at_again",
        Budget::preemptions(2),
        || {
            let queue = filled(0..6);
            let slow = popper(&queue, 1);
            let fast = {
                let queue = queue.clone();
                thread::spawn(move || {
                    let taken = (0..5).filter_map(|_| queue.pop()).collect();
                    (6..9).for_each(|item| queue.push(item));
                    taken
                })
            };
            let taken = [slow.join().unwrap(), fast.join().unwrap(), drain(&queue)];
            assert_fifo(&taken, (0..9).collect());
        },
    );
}

/// One thread retires a block, and another takes it from the list.
#[test]
fn a_retired_block_changes_hands() {
    check_freed(
        "a_retired_block_changes_hands",
        Budget::preemptions(1),
        || {
            let queue = filled(0..6);
            assert_eq!(queue.pop(), Some(0));
            let poppers = [popper(&queue, 1), popper(&queue, 1), popper(&queue, 3)];
            let taken = poppers.map(|popper| popper.join().unwrap());
            assert_fifo(&taken, (1..6).collect());
        },
    );
}

/// Poppers change blocks while others are in the old ones: who takes the list of the retired
/// has it alone.
#[test]
fn many_poppers_sweep() {
    check_large("many_poppers_sweep", Budget::default(), || {
        freed(&|| {
            let queue = filled(0..18);
            let poppers = [1, 1, 4, 4, 4, 4].map(|attempts| popper(&queue, attempts));
            let taken = poppers.map(|popper| popper.join().unwrap());
            assert_fifo(&taken, (0..18).collect());
        });
    });
}

/// A popper that waits for a push holds the block.
#[test]
fn a_late_push_holds_the_block() {
    check_freed(
        "a_late_push_holds_the_block",
        Budget::preemptions(1),
        || {
            let queue = filled(0..1);
            assert_eq!(queue.pop(), Some(0));
            let pusher = pusher(&queue, vec![10]);
            let both = {
                let queue = queue.clone();
                thread::spawn(move || {
                    queue.push(20);
                    queue.pop().into_iter().collect()
                })
            };
            let popper = popper(&queue, 1);
            pusher.join().unwrap();
            let taken = [both.join().unwrap(), popper.join().unwrap(), drain(&queue)];
            assert_fifo(&taken, vec![10, 20]);
        },
    );
}

/// A freed block becomes the next one of a pusher that needs one.
#[test]
fn a_block_is_used_again() {
    check_freed("a_block_is_used_again", Budget::exhaustive(), || {
        let queue = filled(0..5);
        assert_eq!(queue.pop(), Some(0));
        assert_eq!(queue.pop(), Some(1));
        let pusher = pusher(&queue, vec![10, 11]);
        let popper = popper(&queue, 2);
        pusher.join().unwrap();
        let taken = popper.join().unwrap();
        assert_fifo(&[taken, drain(&queue)], vec![2, 3, 4, 10, 11]);
    });
}

/// Two threads free a block each, and want one, at the same time.
#[test]
fn the_cache_gives_a_block_to_one() {
    check_freed(
        "the_cache_gives_a_block_to_one",
        Budget::preemptions(2),
        || {
            let queue = filled(0..5);
            for item in 0..2 {
                assert_eq!(queue.pop(), Some(item));
            }
            let both = [(); 2].map(|()| {
                let queue = queue.clone();
                thread::spawn(move || {
                    queue.push(9);
                    let first = queue.pop();
                    [first, queue.pop()]
                })
            });
            let mut all = both.map(|thread| thread.join().unwrap()).concat();
            all.extend(drain(&queue).into_iter().map(Some));
            all.sort_unstable();
            assert_eq!(all, [2, 3, 4, 9, 9].map(Some));
        },
    );
}

/// `None` is not stale: of two threads that each push to one queue and then look
/// into the other's, one sees the other's item.
///
/// ```text
/// T1                      T2
/// a.push                  b.push
/// fence                   fence
/// b.tail: still empty?    a.tail: still empty?
/// ```
#[test]
fn two_queues_are_not_both_empty() {
    check_freed(
        "two_queues_are_not_both_empty",
        Budget::exhaustive(),
        || {
            let [a, b] = [filled(0..0), filled(0..0)];
            let other = {
                let (a, b) = (a.clone(), b.clone());
                thread::spawn(move || {
                    b.push(2);
                    a.pop()
                })
            };
            a.push(1);
            let mine = b.pop();
            let theirs = other.join().unwrap();
            assert!(mine.is_some() || theirs.is_some(), "both found nothing");
        },
    );
}

#[test]
fn a_batch_stays_together() {
    check_freed("a_batch_stays_together", Budget::preemptions(1), || {
        let queue = filled(0..2);
        assert_eq!(queue.pop(), Some(0));
        let batch = {
            let queue = queue.clone();
            thread::spawn(move || queue.push_batch(&mut vec![10, 11]).unwrap())
        };
        let single = pusher(&queue, vec![20]);
        let popper = popper(&queue, 1);
        batch.join().unwrap();
        single.join().unwrap();
        let taken = popper.join().unwrap();
        assert_fifo(&[taken, drain(&queue)], vec![1, 10, 11, 20]);
    });
}

/// A watcher whose `len` is checked against the lengths that there ever were.
fn watch(queue: &Queue, lengths: core::ops::RangeInclusive<usize>) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || {
        let len = queue.len();
        assert!(lengths.contains(&len), "{len}");
        assert!(*lengths.start() == 0 || !queue.is_empty());
    })
}

/// One item is popped before another is pushed: there are never two.
#[test]
fn len_is_never_too_long() {
    check_freed("len_is_never_too_long", Budget::exhaustive(), || {
        let queue = filled(0..1);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                assert_eq!(queue.pop(), Some(0));
                queue.push(1);
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
    check_freed("len_is_never_too_short", Budget::exhaustive(), || {
        let queue = filled(0..1);
        let other = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.push(1);
                assert_eq!(queue.pop(), Some(0));
            })
        };
        let watcher = watch(&queue, 1..=2);
        other.join().unwrap();
        watcher.join().unwrap();
    });
}

/// `len` does not count the position at the end of a block.
#[test]
fn len_during_a_block_change() {
    check_freed("len_during_a_block_change", Budget::preemptions(1), || {
        let queue = filled(0..2);
        let pusher = pusher(&queue, vec![10, 11]);
        let popper = popper(&queue, 1);
        let watcher = watch(&queue, 1..=4);
        pusher.join().unwrap();
        assert_eq!(popper.join().unwrap(), [0]);
        watcher.join().unwrap();
        assert_eq!((queue.len(), drain(&queue)), (3, vec![1, 10, 11]));
    });
}

#[test]
fn many_producers_and_consumers() {
    check_large("many_producers_and_consumers", Budget::default(), || {
        freed(&|| {
            let queue = filled(0..0);
            let pushers: Vec<_> = (0..3)
                .map(|n| pusher(&queue, (n * 10..n * 10 + 7).collect()))
                .collect();
            let poppers: Vec<_> = (0..3).map(|_| popper(&queue, 8)).collect();
            for pusher in pushers {
                pusher.join().unwrap();
            }
            let mut taken: Vec<_> = poppers.into_iter().map(|p| p.join().unwrap()).collect();
            taken.push(drain(&queue));
            let items = (0..3).flat_map(|n| n * 10..n * 10 + 7).collect();
            assert_fifo(&taken, items);
        });
    });
}

/// Six threads over the ends of several blocks, and each answer is right at one moment:
/// also `None` and `len`.
#[test]
fn histories_are_linearizable() {
    check_large("seg_histories_are_linearizable", Budget::default(), || {
        freed(&|| {
            let queue = filled(0..0);
            let mut recorder = Recorder::new();
            let threads: Vec<_> = (0..6)
                .map(|n| {
                    let queue = queue.clone();
                    let mut log: Log = recorder.log();
                    thread::spawn(move || {
                        for step in 0..5 {
                            let item = 10 * n + step;
                            // Three that push more, three that pop more.
                            match (n + 2 * step) % 5 {
                                0 | 1 if n % 2 == 0 => log.record(Op::Pop, || pop(&queue)),
                                0 | 1 => log.record(Op::Push(item), || push(&queue, item)),
                                2 => log.record(Op::Len, || Ret::Count(queue.len())),
                                _ if n % 2 == 0 => {
                                    log.record(Op::Push(item), || push(&queue, item))
                                }
                                _ => log.record(Op::Pop, || pop(&queue)),
                            };
                        }
                        log
                    })
                })
                .collect();
            let logs: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            assert_linearizable(&Fifo::unbounded(), &History::new(logs));
        });
    });
}

fn push(queue: &SegQueue<usize>, item: u64) -> Ret {
    queue.push(item as usize);
    Ret::Done
}

fn pop(queue: &SegQueue<usize>) -> Ret {
    Ret::popped(queue.pop().map(|item| item as u64))
}
