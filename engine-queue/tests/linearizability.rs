//! Histories of real threads, checked for linearizability: many short ones, so that the
//! threads meet at the edges (full, empty, the end of a block) all the time.

use std::sync::{Barrier, Mutex};
use std::thread;

use engine_queue::deque::{Injector, Steal, bounded};
use engine_queue::{ArrayQueue, SegQueue, spsc};
use testkit::history::Recorder;
use testkit::linearizability::{self, Failure, Spec};
use testkit::spec::{Deque, End, Fifo, History, Item, Log, Op, Ret};

const HISTORIES: u64 = if cfg!(miri) { 3 } else { 150 };
const THREADS: u64 = 4;
const OPERATIONS: u64 = 40;

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    /// One of `0..sides`, by xorshift.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Lets threads run that begin together, each with its log, its dice and its items.
fn record(
    run: &(impl Fn(u64, &mut Log, &mut Dice, &mut dyn FnMut() -> Item) + Sync),
    round: u64,
) -> History {
    let mut recorder = Recorder::new();
    let start = Barrier::new(THREADS as usize);
    let logs: Vec<Log> = (0..THREADS).map(|_| recorder.log()).collect();
    let logs = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .zip(logs)
            .map(|(thread, mut log)| {
                let start = &start;
                scope.spawn(move || {
                    let mut next = thread * 1_000;
                    let mut item = || {
                        next += 1;
                        next
                    };
                    let mut dice = Dice(1 + thread + round * THREADS);
                    start.wait();
                    run(thread, &mut log, &mut dice, &mut item);
                    log
                })
            })
            .collect();
        let logs = threads.into_iter().map(|thread| thread.join().unwrap());
        logs.collect::<Vec<_>>()
    });
    History::new(logs)
}

/// What the checker says of a history that is not wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Linearizable,
    /// Too many operations overlapped, because a thread was off its processor for long.
    Undecided,
}

fn verdict(spec: &impl Spec<Op = Op, Ret = Ret>, history: &History, wanted: u64) -> Verdict {
    assert_eq!(history.operations().len() as u64, wanted);
    match linearizability::check(spec, history) {
        Ok(_) => Verdict::Linearizable,
        Err(undecided @ Failure::TooHard(_)) => {
            println!("{undecided:?}");
            Verdict::Undecided
        }
        Err(wrong) => panic!("{wrong:?}"),
    }
}

/// Records and checks histories until one is decided: a wrong one fails, an undecided one
/// does not.
fn check_a_long_one(
    spec: &impl Spec<Op = Op, Ret = Ret>,
    wanted: u64,
    mut history: impl FnMut(u64) -> History,
) {
    const TRIES: u64 = 20;
    let decided =
        (1..=TRIES).any(|round| verdict(spec, &history(round), wanted) == Verdict::Linearizable);
    assert!(decided, "none of {TRIES} histories was decided");
}

/// For short ones, which are decided unless there is something wrong with the checker.
fn check(spec: &impl Spec<Op = Op, Ret = Ret>, history: &History, wanted: u64) {
    assert!(verdict(spec, history, wanted) == Verdict::Linearizable);
}

#[test]
fn array_queue() {
    for capacity in [1, 2, 3, 7] {
        for round in 0..HISTORIES {
            let queue = ArrayQueue::new(capacity);
            let history = record(
                &|_, log, dice, item| {
                    for _ in 0..OPERATIONS {
                        match dice.roll(9) {
                            0..4 => {
                                let item = item();
                                log.record(Op::Push(item), || Ret::pushed(&queue.push(item)))
                            }
                            4..8 => log.record(Op::Pop, || Ret::popped(queue.pop())),
                            _ => log.record(Op::Len, || Ret::Count(queue.len())),
                        };
                    }
                },
                round,
            );
            check(&Fifo::bounded(capacity), &history, THREADS * OPERATIONS);
        }
    }
}

/// Without `len`: it may see a `force_push` half done.
#[test]
fn array_queue_with_force_push() {
    for capacity in [1, 2, 5] {
        for round in 0..HISTORIES {
            let queue = ArrayQueue::new(capacity);
            let history = record(
                &|_, log, dice, item| {
                    for _ in 0..OPERATIONS {
                        let item = item();
                        match dice.roll(3) {
                            0 => log.record(Op::Push(item), || Ret::pushed(&queue.push(item))),
                            1 => log.record(Op::ForcePush(item), || {
                                Ret::forced(queue.force_push(item))
                            }),
                            _ => log.record(Op::Pop, || Ret::popped(queue.pop())),
                        };
                    }
                },
                round,
            );
            check(&Fifo::bounded(capacity), &history, THREADS * OPERATIONS);
        }
    }
}

#[test]
fn seg_queue() {
    for round in 0..2 * HISTORIES {
        let queue = SegQueue::new();
        // Some rounds stay near empty, some get deep.
        let pushes = 4 + round % 4;
        let history = record(
            &|_, log, dice, item| {
                for _ in 0..OPERATIONS {
                    let roll = dice.roll(9);
                    if roll < pushes {
                        let item = item();
                        log.record(Op::Push(item), || {
                            queue.push(item);
                            Ret::Done
                        });
                    } else if roll < 8 {
                        log.record(Op::Pop, || Ret::popped(queue.pop()));
                    } else {
                        log.record(Op::Len, || Ret::Count(queue.len()));
                    }
                }
            },
            round,
        );
        check(&Fifo::unbounded(), &history, THREADS * OPERATIONS);
    }
}

/// One long history: the checker does not need them short.
/// More pops than pushes: the order of pushes that overlapped is open until they are popped, and
/// in a long queue that is too much for the checker.
#[test]
fn a_long_history_of_each() {
    let each = if cfg!(miri) { 50 } else { 2_000 };
    check_a_long_one(&Fifo::bounded(8), THREADS * each, |round| {
        let array = ArrayQueue::new(8);
        record(
            &|_, log, dice, item| {
                for _ in 0..each {
                    let item = item();
                    if dice.roll(10) < 4 {
                        log.record(Op::Push(item), || Ret::pushed(&array.push(item)));
                    } else {
                        log.record(Op::Pop, || Ret::popped(array.pop()));
                    }
                }
            },
            round,
        )
    });
    check_a_long_one(&Fifo::unbounded(), THREADS * each, |round| {
        let seg = SegQueue::new();
        record(
            &|_, log, dice, item| {
                for _ in 0..each {
                    let item = item();
                    if dice.roll(10) < 4 {
                        log.record(Op::Push(item), || {
                            seg.push(item);
                            Ret::Done
                        });
                    } else {
                        log.record(Op::Pop, || Ret::popped(seg.pop()));
                    }
                }
            },
            round,
        )
    });
}

fn stolen(steal: Steal<Item>) -> Ret {
    match steal {
        Steal::Success(item) => Ret::Item(item),
        Steal::Empty => Ret::Empty,
        Steal::Retry => Ret::Retry,
    }
}

/// A batch: the item that is returned, and those that went to `mine`, which was empty.
fn stolen_batch(steal: Steal<Item>, mine: &bounded::Worker<Item>) -> Ret {
    match steal {
        Steal::Success(first) => {
            let rest = std::iter::from_fn(|| mine.pop());
            Ret::Items(std::iter::once(first).chain(rest).collect())
        }
        Steal::Empty => Ret::Empty,
        Steal::Retry => Ret::Retry,
    }
}

#[test]
fn injector() {
    for round in 0..HISTORIES {
        let injector = Injector::new();
        let history = record(
            &|_, log, dice, item| {
                let mine = bounded::Worker::new_fifo(8);
                for _ in 0..OPERATIONS {
                    match dice.roll(8) {
                        0..4 => {
                            let item = item();
                            log.record(Op::Push(item), || {
                                injector.push(item);
                                Ret::Done
                            });
                        }
                        4..7 => {
                            log.record(Op::Steal, || stolen(injector.steal()));
                        }
                        _ => {
                            log.record(Op::StealBatch, || {
                                stolen_batch(injector.steal_batch_and_pop(&mine), &mine)
                            });
                        }
                    }
                }
            },
            round,
        );
        check(&Fifo::unbounded(), &history, THREADS * OPERATIONS);
    }
}

#[test]
fn bounded_deque() {
    for round in 0..2 * HISTORIES {
        let worker = bounded::Worker::new_fifo(4);
        let stealer = worker.stealer();
        let worker = Mutex::new(Some(worker));
        let history = record(
            &|thread, log, dice, item| {
                let mine = bounded::Worker::new_fifo(8);
                let owned = match thread {
                    0 => worker.lock().unwrap().take(),
                    _ => None,
                };
                for _ in 0..OPERATIONS {
                    let roll = dice.roll(8);
                    let Some(owned) = &owned else {
                        match roll {
                            0..6 => log.record(Op::Steal, || stolen(stealer.steal())),
                            _ => log.record(Op::StealBatch, || {
                                stolen_batch(stealer.steal_batch_and_pop(&mine), &mine)
                            }),
                        };
                        continue;
                    };
                    match roll {
                        0..5 => {
                            let item = item();
                            log.record(Op::Push(item), || Ret::pushed(&owned.push(item)));
                        }
                        5..7 => {
                            log.record(Op::Pop, || Ret::popped(owned.pop()));
                        }
                        _ => {
                            log.record(Op::PopBatch(4), || {
                                let mut half = Vec::new();
                                owned.pop_half(&mut half);
                                Ret::Items(half)
                            });
                        }
                    }
                }
            },
            round,
        );
        check(&Deque::new(End::Front), &history, THREADS * OPERATIONS);
    }
}

/// Two of the threads have an end each; the others only take time from them.
#[test]
fn spsc() {
    for capacity in [1, 2, 3, 7] {
        for round in 0..HISTORIES {
            let (producer, consumer) = spsc::channel(capacity);
            let (producer, consumer) = (Mutex::new(Some(producer)), Mutex::new(Some(consumer)));
            let history = record(
                &|thread, log, dice, item| match thread {
                    0 => {
                        let mut producer = producer.lock().unwrap().take().unwrap();
                        for _ in 0..OPERATIONS {
                            match dice.roll(5) {
                                0 => log.record(Op::Len, || {
                                    Ret::Count(producer.capacity() - producer.slots())
                                }),
                                1 => {
                                    let batch = [item(), item(), item()];
                                    log.record(Op::PushBatch(batch.to_vec()), || {
                                        Ret::Count(producer.push_iter(batch))
                                    })
                                }
                                _ => {
                                    let item = item();
                                    log.record(Op::Push(item), || Ret::pushed(&producer.push(item)))
                                }
                            };
                        }
                    }
                    1 => {
                        let mut consumer = consumer.lock().unwrap().take().unwrap();
                        for _ in 0..OPERATIONS {
                            match dice.roll(5) {
                                0 => log.record(Op::Len, || Ret::Count(consumer.slots())),
                                1 => log.record(Op::PopBatch(3), || {
                                    let mut items = Vec::new();
                                    consumer.pop_batch(&mut items, 3);
                                    Ret::Items(items)
                                }),
                                _ => log.record(Op::Pop, || Ret::popped(consumer.pop())),
                            };
                        }
                    }
                    _ => thread::yield_now(),
                },
                round,
            );
            let spec = Fifo::bounded(capacity).with_short_batches();
            check(&spec, &history, 2 * OPERATIONS);
        }
    }
}
