//! Whole histories of many threads, checked against the guarantees.

use std::vec::Vec;

use engine_atomic::sync::thread;
use testkit::history::Recorder;
use testkit::linearizability::assert_linearizable;
use testkit::model::{Budget, check_large};
use testkit::spec::{History, Item, Log, Op, Relaxed, Ret};

use super::super::lane::Tenure::{self, Owned, Shared};
use super::super::{Consumer, LaneOptions, LaneQueue};
use super::{freed, mixed};

/// Who has pushed an item. The rest of it is its number.
fn producer_of(item: Item) -> u64 {
    item >> 32
}

fn pop(log: &mut Log, consumer: &mut Consumer<Item>) -> bool {
    let call = || consumer.pop().map_or(Ret::Empty, Ret::Item);
    *log.record(Op::Pop, call) != Ret::Empty
}

/// Producers and consumers on `queue`, until it is empty: the whole history must be one of a
/// queue of which a pop passes over at most `passed` older items, and none of the same
/// producer, and "empty" is right.
pub(in super::super) fn recorded(
    queue: &LaneQueue<Item>,
    passed: usize,
    [producers, consumers]: [usize; 2],
    each: usize,
) {
    let mut recorder = Recorder::new();
    let total = producers * each;
    let mut threads = Vec::new();
    for me in 0..producers as u64 {
        let (mut producer, mut log) = (queue.producer(), recorder.log());
        threads.push(thread::spawn(move || {
            for number in 0..each as u64 {
                let item = me << 32 | number;
                log.record(Op::Push(item), || {
                    producer.push(item);
                    Ret::Done
                });
            }
            log
        }));
    }
    for _ in 0..consumers {
        let (mut consumer, mut log) = (queue.consumer(), recorder.log());
        threads.push(thread::spawn(move || {
            for _ in 0..total.div_ceil(consumers) + 1 {
                pop(&mut log, &mut consumer);
            }
            log
        }));
    }
    let mut logs: Vec<Log> = (threads.into_iter())
        .map(|thread| thread.join().unwrap())
        .collect();
    let (mut consumer, mut log) = (queue.consumer(), recorder.log());
    while pop(&mut log, &mut consumer) {}
    logs.push(log);
    assert_linearizable(&Relaxed::new(passed, producer_of), &History::new(logs));
}

/// As `recorded`, on a queue whose segments have these widths and tenures, over and over.
pub(in super::super) fn recorded_by_script(
    widths: &'static [usize],
    tenures: &'static [Tenure],
    lane_slots: usize,
    threads: [usize; 2],
    each: usize,
) {
    let queue = mixed(widths, tenures, lane_slots);
    let widest = widths.iter().copied().max().unwrap_or(1);
    recorded(&queue, (widest - 1) * lane_slots, threads, each);
}

#[test]
fn histories_of_one_lane() {
    check_large("histories_of_one_lane", Budget::default(), || {
        freed(&|| recorded_by_script(&[1], &[Shared], 2, [2, 2], 5));
    });
}

#[test]
fn histories_of_one_owned_lane() {
    check_large("histories_of_one_owned_lane", Budget::default(), || {
        freed(&|| recorded_by_script(&[1], &[Owned], 2, [2, 2], 5));
    });
}

#[test]
fn histories_of_four_lanes() {
    check_large("histories_of_four_lanes", Budget::default(), || {
        freed(&|| recorded_by_script(&[4], &[Shared], 2, [4, 3], 5));
    });
}

#[test]
fn histories_of_four_owned_lanes() {
    check_large("histories_of_four_owned_lanes", Budget::default(), || {
        freed(&|| recorded_by_script(&[4], &[Owned], 2, [4, 3], 5));
    });
}

#[test]
fn histories_of_changing_lanes() {
    let tenures = [&[Shared][..], &[Owned], &[Shared, Owned]];
    for tenures in tenures {
        check_large("histories_of_changing_lanes", Budget::default(), || {
            freed(&|| recorded_by_script(&[1, 4, 2, 3, 1], tenures, 2, [3, 3], 6));
        });
    }
}

/// Left to itself: the law decides.
#[test]
fn histories_of_the_law() {
    check_large("histories_of_the_law", Budget::default(), || {
        freed(&|| {
            let queue = LaneOptions::new().max_width(4).lane_slots(2).build();
            recorded(&queue, 3 * 2, [4, 3], 6);
        });
    });
}

#[test]
fn histories_of_eight_threads() {
    check_large(
        "histories_of_eight_threads",
        Budget::default().schedules(500),
        || freed(&|| recorded_by_script(&[2, 4, 1], &[Owned, Shared], 2, [4, 4], 5)),
    );
}
