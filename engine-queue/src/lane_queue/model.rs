//! Models of the lane queue.
//!
//! The widths of the segments are forced by a script: the control law is a pure
//! function, tested by itself. A lane has one or two slots.

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use engine_atomic::sync::{Arc, MODEL, thread};
use testkit::model::{Budget, check, check_large};

use super::lane::Tenure;
use super::segment::live;
use super::shared::Script;
use super::{Consumer, LaneOptions, LaneQueue, Producer};
use crate::PushError;

mod histories;
mod owned;
mod pins;

#[cfg(not(any(engine_loom, engine_shuttle)))]
pub(super) use self::histories::{recorded, recorded_by_script};

/// A queue whose segments have these widths, over and over, of shared lanes.
pub(super) fn scripted<T>(widths: &'static [usize], lane_slots: usize) -> LaneQueue<T> {
    limited(widths, lane_slots, usize::MAX)
}

pub(super) fn limited<T>(
    widths: &'static [usize],
    lane_slots: usize,
    segments: usize,
) -> LaneQueue<T> {
    let tenures = &[Tenure::Shared];
    by_script(Script { widths, tenures }, lane_slots, segments)
}

/// As `scripted`, where each lane has one producer at most.
pub(super) fn owned<T>(widths: &'static [usize], lane_slots: usize) -> LaneQueue<T> {
    mixed(widths, &[Tenure::Owned], lane_slots)
}

/// As `scripted`, and these are owned or shared, over and over.
pub(super) fn mixed<T>(
    widths: &'static [usize],
    tenures: &'static [Tenure],
    lane_slots: usize,
) -> LaneQueue<T> {
    by_script(Script { widths, tenures }, lane_slots, usize::MAX)
}

fn by_script<T>(script: Script, lane_slots: usize, segments: usize) -> LaneQueue<T> {
    let widths = script.widths;
    let widest = widths.iter().copied().max().unwrap_or(1);
    LaneOptions::new()
        .max_width(widest)
        .lane_slots(lane_slots)
        .build_with(|mut limits| {
            limits.script = Some(script);
            limits.segments = segments;
            limits
        })
}

/// Runs `body` and checks that it frees every segment.
fn check_freed(name: &str, budget: Budget, body: impl Fn() + Send + Sync + 'static) {
    check(name, budget, move || freed(&body));
}

fn freed(body: &impl Fn()) {
    let before = live::count();
    body();
    // On real threads the count of one thread says nothing.
    assert!(!MODEL || live::count() == before, "a segment leaks");
}

/// The result of a thread, and the handle it worked with: dropped after all threads, so
/// that the checkers do not explore the drop as well.
struct Worker<H, R>(thread::JoinHandle<(H, R)>);

impl<H: Send + 'static, R: Send + 'static> Worker<H, R> {
    fn start(mut handle: H, work: impl FnOnce(&mut H) -> R + Send + 'static) -> Self {
        Self(thread::spawn(move || {
            let result = work(&mut handle);
            (handle, result)
        }))
    }

    fn end(self) -> (H, R) {
        self.0.join().unwrap()
    }
}

type Pusher = Worker<Producer<usize>, ()>;
type Popper = Worker<Consumer<usize>, Vec<usize>>;

fn pusher(producer: Producer<usize>, items: Vec<usize>) -> Pusher {
    Worker::start(producer, |producer| {
        items.into_iter().for_each(|item| producer.push(item));
    })
}

/// Makes `attempts` pops, and says what they gave.
fn popper(consumer: Consumer<usize>, attempts: usize) -> Popper {
    Worker::start(consumer, move |consumer| {
        (0..attempts).filter_map(|_| consumer.pop()).collect()
    })
}

/// Waits for all, and says what was popped, and what is left, with whether that is
/// everything: each item once, and each taker sees those of one producer (those of one
/// ten) in their order.
#[track_caller]
fn end<const N: usize, const M: usize>(
    queue: &LaneQueue<usize>,
    pushers: [Pusher; N],
    poppers: [Popper; M],
    items: &[usize],
) -> Vec<Vec<usize>> {
    let _pushers = pushers.map(Worker::end);
    let poppers = poppers.map(Worker::end);
    let mut takers: Vec<_> = poppers.iter().map(|popper| popper.1.clone()).collect();
    takers.push(drain(queue));
    assert_lanes(&takers, items);
    takers
}

fn drain(queue: &LaneQueue<usize>) -> Vec<usize> {
    let mut consumer = queue.consumer();
    core::iter::from_fn(|| consumer.pop()).collect()
}

/// Every item is taken once, and each taker sees those of one producer (those of one
/// ten) in their order.
#[track_caller]
fn assert_lanes(takers: &[Vec<usize>], items: &[usize]) {
    let mut items = items.to_vec();
    for taken in takers {
        for producer in 0..10 {
            let own = taken.iter().filter(|&&item| item / 10 == producer);
            assert!(own.is_sorted(), "out of order: {takers:?}");
        }
    }
    let mut all = takers.concat();
    all.sort_unstable();
    items.sort_unstable();
    assert_eq!(all, items, "lost or doubled: {takers:?}");
}

/// One lane is strictly first in, first out, over a segment boundary.
#[test]
fn push_and_pop() {
    check_freed("push_and_pop", Budget::preemptions(3), || {
        let queue = scripted(&[1], 1);
        let pushers = [pusher(queue.producer(), vec![0, 1])];
        let poppers = [popper(queue.consumer(), 2)];
        let takers = end(&queue, pushers, poppers, &[0, 1]);
        assert_eq!(takers.concat(), [0, 1]);
    });
}

/// A push that claims and does not finish in time loses its slot, and takes the next.
#[test]
fn a_slow_push_is_burned() {
    check_freed("a_slow_push_is_burned", Budget::preemptions(5), || {
        let queue = scripted(&[1], 2);
        let pushers = [pusher(queue.producer(), vec![0])];
        let poppers = [popper(queue.consumer(), 1)];
        end(&queue, pushers, poppers, &[0]);
    });
}

/// Both consumers may burn, and pass, the same slot.
#[test]
fn two_consumers_burn_one_slot() {
    check_freed(
        "two_consumers_burn_one_slot",
        Budget::preemptions(2),
        || {
            let queue = scripted(&[1], 2);
            let pushers = [pusher(queue.producer(), vec![0])];
            let poppers = [(); 2].map(|()| popper(queue.consumer(), 1));
            end(&queue, pushers, poppers, &[0]);
        },
    );
}

/// The same lane for two producers, and both install the next segment.
#[test]
fn two_producers_install_one_segment() {
    check_freed(
        "two_producers_install_one_segment",
        Budget::exhaustive(),
        || {
            let queue = scripted(&[1, 2], 1);
            let pushers = [10, 20].map(|item| pusher(queue.producer(), vec![item]));
            end(&queue, pushers, [], &[10, 20]);
        },
    );
}

/// A consumer that has seen a lane drained, but not closed, and then sees the next
/// segment must not pass: the drawing at `Segment::verdict`.
#[test]
fn the_head_passes_no_item() {
    check_freed("the_head_passes_no_item", Budget::preemptions(5), || {
        let queue = scripted(&[1], 1);
        let pushers = [pusher(queue.producer(), vec![10, 11])];
        let poppers = [popper(queue.consumer(), 1)];
        end(&queue, pushers, poppers, &[10, 11]);
    });
}

/// All lanes are closed before there is a next segment: else a push into an open lane
/// of the old one comes after items of the new one, or is passed with it.
#[test]
fn no_lane_stays_open_behind_the_next_segment() {
    check_freed(
        "no_lane_stays_open_behind_the_next_segment",
        Budget::preemptions(1),
        || {
            let queue = scripted(&[2], 1);
            let (mut a, b) = (queue.producer(), queue.producer());
            a.push(10);
            // 11 goes to the next segment, and 20 to the other lane here, or there.
            let pushers = [pusher(a, vec![11]), pusher(b, vec![20])];
            let poppers = [popper(queue.consumer(), 2)];
            end(&queue, pushers, poppers, &[10, 11, 20]);
        },
    );
}

/// The queue is never empty: `b` is inside until `a` is. A single collect can miss both:
///
/// ```text
/// consumer                  other
/// lane 0 is drained
///                           push a to lane 0
///                           pop b from lane 1
/// lane 1 is drained
/// ```
#[test]
fn none_is_of_one_moment() {
    check_freed("none_is_of_one_moment", Budget::exhaustive(), || {
        let queue = scripted(&[2], 2);
        let (a, mut b) = (queue.producer(), queue.producer());
        let (first, second) = (queue.consumer(), queue.consumer());
        b.push(20);
        let other = Worker::start((a, second), |(a, second)| {
            a.push(10);
            second.pop()
        });
        let consumer = Worker::start(first, Consumer::pop);
        let (_other, theirs) = other.end();
        let (_consumer, ours) = consumer.end();
        assert!(ours.is_some(), "found a queue empty that never was");
        assert!(theirs.is_some(), "two items, two pops");
    });
}

/// As above, and the segment changes in between.
#[test]
fn none_is_of_one_moment_over_a_boundary() {
    check_freed(
        "none_is_of_one_moment_over_a_boundary",
        Budget::exhaustive(),
        || {
            let queue = scripted(&[1], 1);
            let mut a = queue.producer();
            let (first, second) = (queue.consumer(), queue.consumer());
            a.push(20);
            let other = Worker::start((a, second), |(a, second)| {
                a.push(10);
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

/// Of two threads that each push to one queue and then look into the other's, one sees
/// the other's item.
fn two_queues(tenures: &'static [Tenure], look: fn(&mut Consumer<usize>) -> bool) {
    let [a, b] = [(); 2].map(|()| mixed(&[1], tenures, 2));
    // Push to one, look into the other.
    let cross = |push: &LaneQueue<usize>, into: &LaneQueue<usize>| {
        Worker::start((push.producer(), into.consumer()), move |(push, into)| {
            push.push(1);
            look(into)
        })
    };
    let (first, second) = (cross(&a, &b), cross(&b, &a));
    let (_first, mine) = first.end();
    let (_second, theirs) = second.end();
    assert!(mine || theirs, "both found nothing");
}

#[test]
fn two_queues_are_not_both_empty() {
    check_freed(
        "two_queues_are_not_both_empty",
        Budget::preemptions(5),
        || two_queues(&[Tenure::Shared], |consumer| consumer.pop().is_some()),
    );
}

#[test]
fn two_queues_do_not_both_say_empty() {
    check_freed(
        "two_queues_do_not_both_say_empty",
        Budget::exhaustive(),
        || two_queues(&[Tenure::Shared], |consumer| !consumer.is_empty()),
    );
}

/// Whoever sees the queue closed and then empty has seen the last of it.
#[test]
fn closed_and_empty_is_for_good() {
    check_freed(
        "closed_and_empty_is_for_good",
        Budget::preemptions(2),
        || {
            let queue = Arc::new(scripted::<usize>(&[1], 1));
            let pusher = Worker::start(queue.producer(), |producer| {
                let refused = (0..2).find_map(|item| producer.try_push(item).err());
                assert!(refused.is_none() || producer.is_closed());
                match refused {
                    None => 2,
                    Some(PushError::Closed(item)) => item,
                    Some(PushError::Full(_)) => unreachable!("there is no limit"),
                }
            });
            let closer = Worker::start((queue.clone(), queue.consumer()), |(queue, consumer)| {
                queue.close();
                core::iter::from_fn(|| consumer.pop()).collect::<Vec<_>>()
            });
            let (_producer, pushed) = pusher.end();
            let (_consumer, taken) = closer.end();
            assert!(queue.is_closed());
            assert_eq!(taken, (0..pushed).collect::<Vec<_>>());
            assert_eq!(drain(&queue), []);
        },
    );
}

/// A queue of at most two segments refuses only what has no room.
#[test]
fn full_is_no_mistake() {
    check_freed("full_is_no_mistake", Budget::preemptions(3), || {
        let queue = limited(&[1], 1, 2);
        let mut producer = queue.producer();
        producer.push(0);
        let pusher = Worker::start(producer, |producer| {
            [1, 2].map(|item| producer.try_push(item))
        });
        let poppers = [popper(queue.consumer(), 2)];
        let (_producer, [first, second]) = pusher.end();
        assert_eq!(first, Ok(()));
        let mut items = vec![0, 1];
        match second {
            Ok(()) => items.push(2),
            Err(refused) => assert_eq!(refused, PushError::Full(2)),
        }
        let takers = end(&queue, [], poppers, &items);
        assert_eq!(takers.concat(), items);
    });
}

#[test]
fn batches_keep_their_order() {
    check_freed("batches_keep_their_order", Budget::preemptions(4), || {
        let queue = scripted(&[1], 2);
        let pushers = [Worker::start(queue.producer(), |producer| {
            producer.push_batch(&mut vec![0, 1, 2]).unwrap();
        })];
        let poppers = [Worker::start(queue.consumer(), |consumer| {
            let mut taken = vec![];
            consumer.pop_batch(&mut taken, 2);
            taken
        })];
        let takers = end(&queue, pushers, poppers, &[0, 1, 2]);
        assert_eq!(takers.concat(), [0, 1, 2]);
    });
}

/// `len` counts what is there all the time.
#[test]
fn len_is_never_too_short() {
    check_freed("len_is_never_too_short", Budget::exhaustive(), || {
        let queue = Arc::new(scripted(&[1], 1));
        let mut producer = queue.producer();
        producer.push(0);
        let other = Worker::start((producer, queue.consumer()), |(producer, consumer)| {
            producer.push(1);
            assert_eq!(consumer.pop(), Some(0));
        });
        let len = queue.len();
        assert!((1..=2).contains(&len), "{len}");
        let _other = other.end();
        assert_eq!(queue.len(), 1);
    });
}

/// Left to itself, the queue widens where producers get in each other's way: in some
/// schedule, and never in one without a lost race.
#[test]
fn contention_widens() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    static WIDENED: AtomicUsize = AtomicUsize::new(0);

    check_large("contention_widens", Budget::default(), || {
        freed(&|| {
            let queue = LaneOptions::new().max_width(4).lane_slots(2).build();
            let pushers = [0, 10, 20, 30].map(|n| pusher(queue.producer(), (n..n + 8).collect()));
            let _pushers = pushers.map(Worker::end);
            let stats = queue.stats();
            assert!(stats.widened == 0 || stats.cas_failures > 0, "{stats:?}");
            WIDENED.fetch_add(stats.widened, Relaxed);
            let items: Vec<_> = (0..4).flat_map(|n| n * 10..n * 10 + 8).collect();
            assert_lanes(&[drain(&queue)], &items);
        });
    });
    // Real threads may not meet.
    assert!(!cfg!(engine_shuttle) || WIDENED.load(Relaxed) > 0);
}

/// Items that own memory: each is dropped once, whether it was popped or not.
#[test]
fn what_is_left_is_dropped() {
    check_freed("what_is_left_is_dropped", Budget::exhaustive(), || {
        let queue = scripted(&[2, 1], 1);
        let (a, mut b) = (queue.producer(), queue.producer());
        b.push(Box::new(1));
        let pusher = Worker::start(a, |a| (2..4).for_each(|n| a.push(Box::new(n))));
        let popper = Worker::start(queue.consumer(), Consumer::pop);
        drop((queue, b));
        drop(pusher.end());
        drop(popper.end());
    });
}
