//! Who frees a segment, and when.

use std::vec;

use engine_atomic::sync::Arc;
use testkit::model::Budget;

use super::{Worker, assert_lanes, check_freed, drain, end, popper, pusher, scripted};

/// A consumer that stands on a segment keeps it from being used again: the checkers see
/// it when the slots are entered for writing while somebody reads.
#[test]
fn a_pinned_segment_is_not_recycled() {
    check_freed(
        "a_pinned_segment_is_not_recycled",
        Budget::preemptions(3),
        || {
            let queue = scripted(&[1], 1);
            let mut producer = queue.producer();
            producer.push(0);
            producer.push(1);
            let poppers = [popper(queue.consumer(), 2), popper(queue.consumer(), 1)];
            end(&queue, [], poppers, &[0, 1]);
        },
    );
}

/// Whoever passes a segment looks at the pins after that, with a fence in between: here
/// there is no other one.
#[test]
fn who_passes_sees_the_pins() {
    check_freed("who_passes_sees_the_pins", Budget::preemptions(3), || {
        let queue = scripted(&[1], 1);
        let mut producer = queue.producer();
        producer.push(0);
        producer.push(1);
        assert_eq!(queue.consumer().pop(), Some(0));
        let popper = popper(queue.consumer(), 1);
        let looker = Worker::start(queue.consumer(), |consumer| {
            // It passes the first segment, and may find the second one emptied.
            let _ = consumer.is_empty();
        });
        let _looker = looker.end();
        end(&queue, [], [popper], &[1]);
    });
}

/// Who moves the head or the tail hands the new segment on, with what its installer wrote:
/// not only to itself.
#[test]
fn a_helper_publishes_the_segment() {
    check_freed(
        "a_helper_publishes_the_segment",
        Budget::preemptions(2),
        || {
            let queue = scripted(&[1], 1);
            let mut producer = queue.producer();
            let mut consumer = queue.consumer();
            producer.push(10);
            assert_eq!(consumer.pop(), Some(10));
            let pushers = [pusher(producer, vec![11])];
            let poppers = [consumer, queue.consumer()].map(|consumer| popper(consumer, 1));
            end(&queue, pushers, poppers, &[11]);
        },
    );
}

/// The same where those who hand on stop before the fence of their next pin: with it, two
/// fences would do, and loom does not try the other order of two fences.
#[test]
fn the_head_publishes_the_segment() {
    check_freed(
        "the_head_publishes_the_segment",
        Budget::preemptions(3),
        || {
            let queue = scripted(&[1], 1);
            let mut producer = queue.producer();
            let mut consumer = queue.consumer();
            producer.push(10);
            assert_eq!(consumer.pop(), Some(10));
            let installer = Worker::start(producer, |producer| producer.install_halfway(11));
            let passer = Worker::start(consumer, |consumer| consumer.pass_halfway());
            let (_other, taken) = popper(queue.consumer(), 1).end();
            let (_producer, installed) = installer.end();
            assert!(installed);
            let _passer = passer.end();
            assert_lanes(&[taken, drain(&queue)], &[11]);
        },
    );
}

/// As above: another producer finds the segment by the tail.
#[test]
fn the_tail_publishes_the_segment() {
    check_freed(
        "the_tail_publishes_the_segment",
        Budget::preemptions(3),
        || {
            let queue = scripted(&[1], 2);
            let mut installer = queue.producer();
            installer.push(10);
            installer.push(11);
            let installer = Worker::start(installer, |installer| installer.install_and_swing(12));
            let mut other = queue.producer();
            other.push(20);
            let (_installer, installed) = installer.end();
            let mut items = vec![10, 11, 20];
            items.extend(installed.then_some(12));
            assert_lanes(&[drain(&queue)], &items);
        },
    );
}

/// The list of the retired is longer than one, because somebody rests on the first: who takes it
/// gets all of it, else the rest leaks.
#[test]
fn who_sweeps_gets_the_whole_list() {
    check_freed(
        "who_sweeps_gets_the_whole_list",
        Budget::preemptions(2),
        || {
            let queue = scripted(&[1], 1);
            let mut producer = queue.producer();
            (0..3).for_each(|item| producer.push(item));
            let mut resting = queue.consumer();
            assert_eq!(resting.pop(), Some(0));
            let other = Worker::start(Some(queue.consumer()), |other| *other = None);
            let popper = popper(queue.consumer(), 2);
            let _other = other.end();
            end(&queue, [], [popper], &[1, 2]);
        },
    );
}

/// One consumer retires a segment, another one sweeps it.
#[test]
fn retired_segments_are_handed_over() {
    check_freed(
        "retired_segments_are_handed_over",
        Budget::preemptions(2),
        || {
            let queue = scripted(&[1], 1);
            let mut producer = queue.producer();
            (0..3).for_each(|item| producer.push(item));
            let poppers = [(); 2].map(|()| popper(queue.consumer(), 2));
            end(&queue, [], poppers, &[0, 1, 2]);
        },
    );
}

/// The same for a producer, which may still stand on what the consumers have passed.
#[test]
fn a_producer_keeps_its_segment() {
    check_freed(
        "a_producer_keeps_its_segment",
        Budget::preemptions(3),
        || {
            let queue = scripted(&[1], 1);
            let mut producer = queue.producer();
            let mut consumer = queue.consumer();
            producer.push(10);
            assert_eq!(consumer.pop(), Some(10));
            let pushers = [pusher(producer, vec![11, 12])];
            end(&queue, pushers, [popper(consumer, 2)], &[11, 12]);
        },
    );
}

/// An installer stops between `next` and the tail. The head must not leave the segment
/// before the tail does: with the installer's pin gone in the middle of a sweep, nothing
/// would hold it for those who come by the tail.
///
/// ```text
/// installer        consumer                   other producer
/// A.next = B
///                  head = B; retire A
///                  sweep: is other on A? no
///                                             pin the tail: A
/// tail = B; leave A
///                  is installer on A? no
///                  recycle A                  <- stands on A
/// ```
#[test]
fn the_tail_leaves_before_the_head() {
    check_freed(
        "the_tail_leaves_before_the_head",
        Budget::preemptions(2),
        || {
            let queue = scripted(&[1], 2);
            let mut installer = queue.producer();
            let mut consumer = queue.consumer();
            // Its record is looked at first.
            let other = queue.producer();
            installer.push(10);
            assert_eq!(consumer.pop(), Some(10));
            assert!(installer.install_halfway(11));
            let pushers = [pusher(installer, vec![12]), pusher(other, vec![20])];
            end(&queue, pushers, [popper(consumer, 1)], &[11, 12, 20]);
        },
    );
}

/// A handle is dropped while another thread sweeps, and its record is taken again.
#[test]
fn a_record_changes_hands() {
    check_freed("a_record_changes_hands", Budget::preemptions(2), || {
        let queue = scripted(&[1], 1);
        let mut producer = queue.producer();
        producer.push(0);
        producer.push(1);
        let popper = popper(queue.consumer(), 2);
        let queue = Arc::new(queue);
        let other = Worker::start(queue.clone(), |queue| {
            drop(producer);
            queue.consumer().pop()
        });
        let (_queue, theirs) = other.end();
        let (_consumer, ours) = popper.end();
        assert_lanes(
            &[theirs.into_iter().collect(), ours, drain(&queue)],
            &[0, 1],
        );
    });
}
