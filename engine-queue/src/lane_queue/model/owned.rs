//! Owned lanes: pushes without a read-modify-write, and who closes them.

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::Arc;
use testkit::model::Budget;

use super::super::lane::Tenure::{Owned, Shared};
use super::super::{Consumer, LaneQueue, Producer};
use super::{
    Worker, assert_lanes, check_freed, drain, end, mixed, owned, popper, pusher, two_queues,
};
use crate::PushError;

/// Pushes `items` until one is refused; those that were not.
fn pusher_until_closed(
    producer: Producer<usize>,
    items: Vec<usize>,
) -> Worker<Producer<usize>, Vec<usize>> {
    Worker::start(producer, move |producer| {
        let mut pushed = vec![];
        for item in items {
            match producer.try_push(item) {
                Ok(()) => pushed.push(item),
                Err(PushError::Closed(back)) => {
                    assert_eq!(back, item);
                    break;
                }
                Err(PushError::Full(_)) => unreachable!("there is no limit"),
            }
        }
        pushed
    })
}

fn closer(queue: &Arc<LaneQueue<usize>>) -> Worker<Arc<LaneQueue<usize>>, ()> {
    Worker::start(queue.clone(), |queue| {
        queue.close();
    })
}

/// What was pushed is there when the lane is closed, and what was refused is not: either the
/// owner sees that somebody closes, or the closer sees its ticket.
#[test]
fn an_owned_lane_is_closed() {
    check_freed("an_owned_lane_is_closed", Budget::preemptions(3), || {
        let queue = Arc::new(owned(&[1], 3));
        let mut producer = queue.producer();
        producer.push(0);
        let pusher = pusher_until_closed(producer, vec![1, 2]);
        let consumer = queue.consumer();
        let closer = Worker::start((queue.clone(), consumer), |(queue, consumer)| {
            queue.close();
            core::iter::from_fn(|| consumer.pop()).collect::<Vec<_>>()
        });
        let (_producer, pushed) = pusher.end();
        let (_consumer, taken) = closer.end();
        assert_eq!(taken, [&[0], &pushed[..]].concat());
        assert_eq!(drain(&queue), []);
    });
}

/// The lane has no owner when somebody closes it, and gets one meanwhile: one of the two has it, or
/// they go by the fences.
#[test]
fn an_owner_comes_while_its_lane_is_closed() {
    check_freed(
        "an_owner_comes_while_its_lane_is_closed",
        Budget::preemptions(4),
        || {
            let queue = Arc::new(owned(&[1], 2));
            let pusher = pusher_until_closed(queue.producer(), vec![1]);
            queue.close();
            let taken = drain(&queue);
            let (_producer, pushed) = pusher.end();
            assert_eq!(taken, pushed);
            assert_eq!(drain(&queue), []);
        },
    );
}

/// A consumer sees a ticket that has just been announced, while the lane is closed: it may take
/// the item only if the owner cannot take it back. And if it learns of the ticket from the gate alone, the
/// item comes with that.
#[test]
fn no_item_is_both_taken_and_pushed_again() {
    check_freed(
        "no_item_is_both_taken_and_pushed_again",
        Budget::preemptions(3),
        || {
            let queue = owned(&[1], 2);
            let mut producer = queue.producer();
            let mut consumer = queue.consumer();
            producer.push(0);
            assert_eq!(consumer.pop(), Some(0));
            let pusher = pusher_until_closed(producer, vec![1]);
            let popper = popper(consumer, 1);
            queue.close();
            let (_producer, pushed) = pusher.end();
            let (_consumer, taken) = popper.end();
            assert_lanes(&[taken, drain(&queue)], &pushed);
        },
    );
}

/// The same where the item goes to the next segment if it does not count.
#[test]
fn a_late_item_goes_to_the_next_segment() {
    check_freed(
        "a_late_item_goes_to_the_next_segment",
        Budget::preemptions(1),
        || {
            let queue = owned(&[1], 2);
            let mut owner = queue.producer();
            let mut consumer = queue.consumer();
            owner.push(10);
            assert_eq!(consumer.pop(), Some(10));
            let pushers = [pusher(owner, vec![11]), pusher(queue.producer(), vec![20])];
            end(&queue, pushers, [popper(consumer, 2)], &[11, 20]);
        },
    );
}

/// One number of tickets, whoever decides: an installer and `close`, and the owner.
#[test]
fn two_close_one_lane() {
    check_freed("two_close_one_lane", Budget::preemptions(2), || {
        let queue = Arc::new(owned(&[1], 2));
        let mut owner = queue.producer();
        owner.push(10);
        let other = queue.producer();
        let first = pusher_until_closed(owner, vec![11]);
        let second = pusher_until_closed(other, vec![20]);
        let closer = closer(&queue);
        let (_owner, mut pushed) = first.end();
        let (_other, more) = second.end();
        let (_queue, ()) = closer.end();
        pushed.extend(more);
        pushed.push(10);
        assert_lanes(&[drain(&queue)], &pushed);
    });
}

/// A batch counts whole or not at all in a lane.
#[test]
fn a_batch_counts_whole() {
    check_freed("a_batch_counts_whole", Budget::preemptions(1), || {
        let queue = Arc::new(owned(&[1], 3));
        let mut producer = queue.producer();
        let mut consumer = queue.consumer();
        producer.push(0);
        assert_eq!(consumer.pop(), Some(0));
        let pusher = Worker::start(producer, |producer| {
            let mut items = vec![1, 2];
            let pushed = producer.push_batch(&mut items);
            assert_eq!(pushed.is_err(), !items.is_empty());
            items
        });
        let closer = closer(&queue);
        let popper = Worker::start(consumer, |consumer| {
            let mut taken = vec![];
            consumer.pop_batch(&mut taken, 2);
            taken
        });
        let (_producer, refused) = pusher.end();
        let (_queue, ()) = closer.end();
        let (_consumer, taken) = popper.end();
        // One may be in a segment that was installed before that was closed.
        let items: &[usize] = match *refused {
            [] => &[1, 2],
            [1, 2] => &[],
            [2] => &[1],
            ref others => panic!("{others:?}"),
        };
        assert_lanes(&[taken, drain(&queue)], items);
    });
}

/// Two producers and one lane: it has one of them, and the other one goes on at once.
#[test]
fn a_second_producer_gets_no_lane() {
    check_freed(
        "a_second_producer_gets_no_lane",
        Budget::preemptions(2),
        || {
            let queue = owned(&[1], 2);
            let pushers = [10, 20].map(|item| pusher(queue.producer(), vec![item, item + 1]));
            end(&queue, pushers, [], &[10, 11, 20, 21]);
        },
    );
}

/// An owner is dropped; the next one goes on where it has stopped.
#[test]
fn a_lane_changes_its_owner() {
    check_freed("a_lane_changes_its_owner", Budget::preemptions(4), || {
        let queue = owned(&[1], 3);
        let mut second = queue.producer();
        let first = Worker::start(Some(queue.producer()), |first| {
            if let Some(first) = first {
                first.push(10);
            }
            // The handle goes in this thread, while another one comes.
            *first = None;
        });
        second.push(20);
        let _first = first.end();
        end(&queue, [], [], &[10, 20]);
    });
}

/// Two owners, and the lane of each is closed by the other.
#[test]
fn owners_close_each_others_lanes() {
    check_freed(
        "owners_close_each_others_lanes",
        Budget::preemptions(1),
        || {
            let queue = owned(&[2], 1);
            let (mut a, mut b) = (queue.producer(), queue.producer());
            a.push(10);
            b.push(20);
            let pushers = [pusher(a, vec![11]), pusher(b, vec![21])];
            let poppers = [popper(queue.consumer(), 2)];
            end(&queue, pushers, poppers, &[10, 11, 20, 21]);
        },
    );
}

/// Strict, over segments, by an owner and a consumer.
#[test]
fn an_owner_and_a_consumer() {
    check_freed("an_owner_and_a_consumer", Budget::preemptions(3), || {
        let queue = owned(&[1], 2);
        let pushers = [pusher(queue.producer(), vec![0, 1, 2])];
        let poppers = [popper(queue.consumer(), 3)];
        let takers = end(&queue, pushers, poppers, &[0, 1, 2]);
        assert_eq!(takers.concat(), [0, 1, 2]);
    });
}

/// Memory is used as either kind in turn: owned, shared, owned.
#[test]
fn memory_is_used_as_either_kind() {
    check_freed(
        "memory_is_used_as_either_kind",
        Budget::preemptions(2),
        || {
            let queue = mixed(&[1], &[Owned, Shared], 1);
            let mut producer = queue.producer();
            let mut consumer = queue.consumer();
            // Each is passed, and waits to be used again.
            for item in 0..2 {
                producer.push(item);
                assert_eq!(consumer.pop(), Some(item));
            }
            let pushers = [pusher(producer, vec![2, 3])];
            let takers = end(&queue, pushers, [popper(consumer, 2)], &[2, 3]);
            assert_eq!(takers.concat(), [2, 3]);
        },
    );
}

/// As `none_is_of_one_moment`.
#[test]
fn none_is_of_one_moment_with_owners() {
    check_freed(
        "none_is_of_one_moment_with_owners",
        Budget::preemptions(5),
        || {
            let queue = owned(&[2], 2);
            let (mut a, mut b) = (queue.producer(), queue.producer());
            let (first, mut second) = (queue.consumer(), queue.consumer());
            // `a` has lane 0, where `first` begins.
            a.push(10);
            assert_eq!(second.pop(), Some(10));
            b.push(20);
            let other = Worker::start((a, second), |(a, second)| {
                a.push(11);
                second.pop()
            });
            let consumer = Worker::start(first, Consumer::pop);
            let (_other, theirs) = other.end();
            let (_consumer, ours) = consumer.end();
            assert!(ours.is_some(), "found a queue empty that never was");
            assert!(theirs.is_some(), "two items, two pops");
        },
    );
}

#[test]
fn two_queues_are_not_both_empty_with_owners() {
    check_freed(
        "two_queues_are_not_both_empty_with_owners",
        Budget::preemptions(5),
        || {
            two_queues(&[Owned], |consumer| consumer.pop().is_some());
        },
    );
}

/// A consumer must not pass an owned lane that it saw open, though there is a next segment.
#[test]
fn the_head_passes_no_item_with_owners() {
    check_freed(
        "the_head_passes_no_item_with_owners",
        Budget::preemptions(5),
        || {
            let queue = owned(&[1], 1);
            let pushers = [pusher(queue.producer(), vec![10, 11])];
            let poppers = [popper(queue.consumer(), 1)];
            end(&queue, pushers, poppers, &[10, 11]);
        },
    );
}
