//! Whole histories of many threads, checked against the guarantees.

use std::vec::Vec;

use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check_large};

use super::history::{Clock, History, Item};
use super::{freed, scripted};

/// Producers and consumers on a queue with these widths: the whole history.
pub(in super::super) fn recorded(
    widths: &'static [usize],
    lane_slots: usize,
    [producers, consumers]: [usize; 2],
    each: usize,
) {
    let queue = scripted::<Item>(widths, lane_slots);
    let clock = Arc::new(Clock::default());
    let total = producers * each;
    let mut threads = Vec::new();
    for me in 0..producers {
        let (mut producer, clock) = (queue.producer(), clock.clone());
        let work = move || {
            let mut history = History::default();
            for number in 0..each {
                let item = (me, number);
                let (span, ()) = clock.time(|| producer.push(item));
                history.pushes.push((span, item));
            }
            history
        };
        threads.push(thread::spawn(work));
    }
    for _ in 0..consumers {
        let (mut consumer, clock) = (queue.consumer(), clock.clone());
        let work = move || {
            let mut history = History::default();
            for _ in 0..total.div_ceil(consumers) + 1 {
                history.pops.push(clock.time(|| consumer.pop()));
            }
            history
        };
        threads.push(thread::spawn(work));
    }
    let mut history = History::default();
    for thread in threads {
        history.add(thread.join().unwrap());
    }
    let mut consumer = queue.consumer();
    loop {
        let pop = clock.time(|| consumer.pop());
        let is_over = pop.1.is_none();
        history.pops.push(pop);
        if is_over {
            break;
        }
    }
    let widest = widths.iter().copied().max().unwrap_or(1);
    history.check((widest - 1) * lane_slots);
}

#[test]
fn histories_of_one_lane() {
    check_large("histories_of_one_lane", Budget::default(), || {
        freed(&|| recorded(&[1], 2, [2, 2], 5));
    });
}

#[test]
fn histories_of_four_lanes() {
    check_large("histories_of_four_lanes", Budget::default(), || {
        freed(&|| recorded(&[4], 2, [4, 3], 5));
    });
}

#[test]
fn histories_of_changing_lanes() {
    check_large("histories_of_changing_lanes", Budget::default(), || {
        freed(&|| recorded(&[1, 4, 2, 3, 1], 2, [3, 3], 6));
    });
}

#[test]
fn histories_of_eight_threads() {
    check_large(
        "histories_of_eight_threads",
        Budget::default().schedules(500),
        || freed(&|| recorded(&[2, 4, 1], 2, [4, 4], 5)),
    );
}
