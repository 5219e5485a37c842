//! What one thread can see, and histories from real threads.

use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{format, vec, vec::Vec};

use super::lane::Tenure;
use super::model::{limited, recorded, recorded_by_script, scripted};
use super::slot::State;
use super::{Consumer, LaneOptions, LaneQueue, LaneStats, Producer};
use crate::PushError;

mod memory;

fn drain<T>(consumer: &mut Consumer<T>) -> Vec<T> {
    core::iter::from_fn(|| consumer.pop()).collect()
}

#[test]
fn one_lane_is_first_in_first_out_over_many_segments() {
    let queue = scripted(&[1], 3);
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    assert_eq!(consumer.pop(), None);
    for round in 0..4 {
        for item in 0..100 {
            assert_eq!(queue.len(), item);
            producer.push(round * 100 + item);
            assert!(!queue.is_empty());
        }
        for item in 0..100 {
            assert_eq!(queue.len(), 100 - item);
            assert_eq!(consumer.pop(), Some(round * 100 + item));
        }
        assert_eq!(consumer.pop(), None);
        assert!(queue.is_empty() && consumer.is_empty());
    }
}

/// G3, to the item: with w lanes of S slots a pop passes (w - 1) * S older items at most,
/// there is an order of calls that does it, and none goes beyond a segment boundary.
#[test]
fn a_pop_passes_the_other_lanes_and_no_more() {
    for (widths, slots) in [(&[1][..], 3), (&[4], 3), (&[3, 1, 4, 2], 2), (&[2], 1)] {
        let queue = scripted(widths, slots);
        let mut producers: Vec<_> = (0..4).map(|_| queue.producer()).collect();
        // The order of the claims, which is that of the items' numbers. One producer is
        // slower than the others, so that lanes are filled one after the other.
        let count = 200;
        for item in 0..count {
            producers[item / slots % 4].push(item);
        }
        // Segment by segment, without a look inside: what is left is known.
        let mut left: Vec<usize> = (0..count).collect();
        let mut worst = 0;
        let widest = widths.iter().max().unwrap();
        let mut consumers: Vec<_> = (0..3).map(|_| queue.consumer()).collect();
        for n in 0..count {
            let item = consumers[n % 3].pop().unwrap();
            let older = left.iter().position(|&other| other == item).unwrap();
            worst = worst.max(older);
            left.remove(older);
        }
        assert!(worst <= (widest - 1) * slots, "{widths:?}: {worst}");
        assert_eq!(*widest > 1, worst > 0, "{widths:?}");
    }
    // The bound is met: three full lanes of two, and a consumer at home in the fourth.
    let queue = scripted(&[4], 2);
    let mut producers: Vec<_> = (0..4).map(|_| queue.producer()).collect();
    for item in 0..8 {
        producers[item / 2].push(item);
    }
    let mut consumers: Vec<_> = (0..4).map(|_| queue.consumer()).collect();
    assert_eq!(consumers[3].pop(), Some(6));
}

/// "Every item pushed before a segment boundary is popped before any item pushed after
/// it": whichever lane a consumer starts at.
#[test]
fn a_segment_boundary_is_a_fence() {
    for home in 0..4 {
        let queue = scripted(&[4], 2);
        let mut producers: Vec<_> = (0..3).map(|_| queue.producer()).collect();
        // Two of four lanes are used, unevenly; the first one is used up.
        producers[1].push(10);
        (0..2).for_each(|item| producers[0].push(item));
        assert_eq!(queue.stats().segments, 1);
        producers[0].push(2);
        assert_eq!(queue.stats().segments, 2);
        // These stood on the old segment, or on none: they go to the new one.
        producers[1].push(11);
        producers[2].push(20);
        let mut consumers: Vec<_> = (0..4).map(|_| queue.consumer()).collect();
        let mut first: Vec<_> = (0..3).map(|_| consumers[home].pop().unwrap()).collect();
        first.sort_unstable();
        assert_eq!(first, [0, 1, 10], "home {home}");
        let mut second = drain(&mut consumers[home]);
        second.sort_unstable();
        assert_eq!(second, [2, 11, 20]);
    }
}

/// G2 where it could break: a producer that pushed on the way to a new segment has a lane
/// there, and must not take another one.
#[test]
fn an_installer_keeps_its_lane() {
    for widths in [&[1][..], &[2], &[3, 1], &[1, 4]] {
        let queue = scripted(widths, 3);
        let mut producers: Vec<_> = (0..3).map(|_| queue.producer()).collect();
        for number in 0..100 {
            for (me, producer) in producers.iter_mut().enumerate() {
                producer.push((me, number));
            }
        }
        let mut consumers = [queue.consumer(), queue.consumer()];
        let mut next = [0; 3];
        for n in 0..300 {
            let (me, number) = consumers[n % 2].pop().unwrap();
            assert_eq!(number, next[me], "{widths:?}");
            next[me] += 1;
        }
        assert_eq!(consumers[0].pop(), None);
    }
}

/// A producer of which every push meets `others` more: between its look at the tail and
/// its exchange another one pushes, between whose look and exchange another one pushes..
fn racing(queue: &LaneQueue<usize>, others: usize) -> Producer<usize> {
    let mut producer = queue.producer();
    if others > 0 {
        let mut other = racing(queue, others - 1);
        producer.race = Some(Box::new(move || other.push(1)));
    }
    producer
}

/// Quiet, hot, quiet: the width follows, decided by counts alone. The races are real:
/// between a producer's look at the tail and its exchange, others push.
#[test]
fn the_width_follows_contention() {
    const SLOTS: usize = 16;

    let queue = LaneOptions::new().max_width(4).lane_slots(SLOTS).build();
    let mut consumer = queue.consumer();
    let mut quiet = queue.producer();
    let mut run = |producer: &mut Producer<usize>, pushes: usize| {
        let mut widest = 0;
        for _ in 0..pushes {
            producer.push(0);
            while consumer.pop().is_some() {}
            widest = widest.max(queue.stats().width);
        }
        widest
    };
    assert_eq!(run(&mut quiet, 100 * SLOTS), 1);
    let before = queue.stats();
    assert_eq!((before.cas_failures, before.widened), (0, 0), "{before:?}");

    // Two in each other's way need two lanes, four need four.
    let mut hot = racing(&queue, 1);
    assert_eq!(run(&mut hot, 10 * SLOTS), 2);
    let mut hot = racing(&queue, 3);
    assert_eq!(run(&mut hot, 10 * SLOTS), 4);
    let after = queue.stats();
    assert!(after.cas_failures > 0 && after.widened >= 2, "{after:?}");

    // One producer uses one lane; after some segments there is no other.
    run(&mut quiet, 20 * SLOTS);
    assert_eq!(run(&mut quiet, 100 * SLOTS), 1);
    assert!(queue.stats().narrowed >= 1);
    assert_eq!(queue.stats().cas_failures, after.cas_failures);
}

/// Producers that take turns and never race: the lanes that they have are given up one
/// by one, after some patience.
#[test]
fn the_width_shrinks_when_races_stop() {
    const SLOTS: usize = 4;

    let queue = LaneOptions::new().max_width(4).lane_slots(SLOTS).build();
    let mut consumer = queue.consumer();
    let mut hot = racing(&queue, 3);
    (0..20 * SLOTS).for_each(|_| hot.push(0));
    assert!(queue.stats().width > 1);
    let mut producers: Vec<_> = (0..4).map(|_| queue.producer()).collect();
    for _ in 0..1000 * SLOTS {
        producers.iter_mut().for_each(|producer| producer.push(0));
        while consumer.pop().is_some() {}
    }
    assert_eq!(queue.stats().width, 1, "{:?}", queue.stats());
}

/// A push that claims and then stands still, for ever: its slot is given up, and nobody
/// waits for it.
#[test]
fn a_dead_push_blocks_nobody() {
    let queue = scripted(&[1], 4);
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    producer.push(0);
    // What a push does before it stops.
    // SAFETY: pinned by the producer.
    let lane = unsafe { producer.seat().unwrap().lane() };
    assert!(lane.claim(lane.ends.shared_tail(), 1));
    assert_eq!(queue.len(), 2);
    producer.push(1);
    assert_eq!((consumer.pop(), consumer.pop()), (Some(0), Some(1)));
    assert_eq!((consumer.pop(), queue.len()), (None, 0));
    assert_eq!(queue.stats().burned, 1);
    // If it goes on, it gets its item back.
    // SAFETY: we have claimed this slot, and do this once.
    let put = unsafe { lane.put(1, 7) };
    assert_eq!(put, Err(7));
    assert_eq!(lane.marks[1].state(lane.generation), State::Burned);
    // At the end of the lane, and with batches.
    producer.push(2);
    assert_eq!(consumer.pop(), Some(2));
    (3..9).for_each(|item| producer.push(item));
    // SAFETY: pinned by the producer.
    let lane = unsafe { producer.seat().unwrap().lane() };
    assert!(lane.claim(lane.ends.shared_tail(), 1));
    producer.push_batch(&mut (9..20).collect()).unwrap();
    let mut taken = vec![];
    while consumer.pop_batch(&mut taken, 3) > 0 {}
    assert_eq!(taken, (3..20).collect::<Vec<_>>());
    assert_eq!(queue.stats().burned, 2);
}

#[test]
fn close_refuses_and_keeps() {
    let queue = LaneQueue::new();
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    let mut fresh = producer.clone();
    producer.push(1);
    assert!(!queue.is_closed() && !producer.is_closed() && !consumer.is_closed());
    assert!(queue.close() && !queue.close() && !producer.close() && !consumer.close());
    assert!(queue.is_closed() && producer.is_closed() && consumer.is_closed());
    for producer in [&mut producer, &mut fresh] {
        let refused = producer.try_push(2).unwrap_err();
        assert!(refused.is_closed() && !refused.is_full());
        assert_eq!(
            format!("{refused:?}: {refused}"),
            "Closed(..): the queue is closed"
        );
        assert_eq!(refused.into_inner(), 2);
        let mut items = vec![3, 4];
        assert_eq!(producer.push_batch(&mut items), Err(PushError::Closed(())));
        assert_eq!(items, [3, 4]);
    }
    let refused = catch_unwind(AssertUnwindSafe(|| producer.push(5))).unwrap_err();
    let text = refused.downcast_ref::<std::string::String>().unwrap();
    assert_eq!(
        text,
        "push into a LaneQueue: the queue is closed; `try_push` hands the item back"
    );
    assert_eq!(drain(&mut consumer), [1]);
    assert!(queue.is_empty());
    // Empty before it is closed, and with a limit.
    let queue = limited::<u8>(&[2], 1, 2);
    queue.close();
    assert_eq!(queue.producer().try_push(1), Err(PushError::Closed(1)));
    assert_eq!(queue.consumer().pop(), None);
}

#[test]
fn a_limit_on_segments_refuses_and_recovers() {
    let queue = limited(&[1], 4, 3);
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    let mut next = 0;
    for _ in 0..10 {
        let mut rest: Vec<_> = (next..next + 100).collect();
        assert_eq!(producer.push_batch(&mut rest), Err(PushError::Full(())));
        assert_eq!((rest[0], rest.len()), (next + 12, 88));
        assert_eq!(producer.try_push(0), Err(PushError::Full(0)));
        assert_eq!(queue.stats().segments, 3);
        assert!(!queue.is_closed());
        for item in next..next + 12 {
            assert_eq!(consumer.pop(), Some(item));
        }
        // All popped, and nobody has looked for more: the producer makes its own room.
        next += 12;
    }
    assert!(queue.stats().allocated_segments <= 3 + 2 + 4);
    // One that has room in its lane is not refused because another has none.
    let queue = limited(&[2], 2, 2);
    let (mut a, mut b) = (queue.producer(), queue.producer());
    b.push(10);
    (0..4).for_each(|item| a.push(item));
    assert_eq!(a.try_push(4), Err(PushError::Full(4)));
    assert_eq!(b.try_push(11), Ok(()));
}

#[test]
fn bad_settings_panic() {
    let text = |f: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        match panic.downcast::<std::string::String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast_ref::<&str>().unwrap()).into(),
        }
    };
    let options = LaneOptions::new;
    for lanes in [0, 65] {
        let expected = format!("a LaneQueue has 1 to 64 lanes, not {lanes}");
        assert_eq!(text(&|| drop(options().max_width(lanes))), expected);
        assert_eq!(text(&|| drop(options().min_width(lanes))), expected);
        assert_eq!(
            text(&|| drop(LaneQueue::<u8>::with_max_width(lanes))),
            expected
        );
    }
    for slots in [0, 65_537] {
        let expected = format!("a lane has 1 to 65536 slots, not {slots}");
        assert_eq!(text(&|| drop(options().lane_slots(slots))), expected);
    }
    for segments in [0, 1] {
        let expected = format!("a LaneQueue needs at least 2 segments, not {segments}");
        assert_eq!(text(&|| drop(options().max_segments(segments))), expected);
    }
    let huge = options().lane_slots(65_536).max_width(64);
    assert_eq!(
        text(&|| drop(huge.build::<[u64; 1 << 40]>())),
        "a segment of 64 lanes of 65536 slots is too large"
    );
}

#[test]
fn widths_are_bounded_by_the_settings() {
    let queue = LaneOptions::new()
        .min_width(3)
        .max_width(2)
        .lane_slots(2)
        .build();
    assert_eq!(queue.stats().width, 3);
    let mut producer = queue.producer();
    (0..100).for_each(|n| producer.push(n));
    assert_eq!(queue.stats().width, 3);
    let strict = LaneQueue::with_max_width(1);
    let mut hot = racing(&strict, 3);
    (0..2000).for_each(|n| hot.push(n));
    assert_eq!((strict.stats().width, strict.stats().widened), (1, 0));
    assert!(strict.stats().cas_failures > 1000);
}

#[test]
fn figures_add_up() {
    let queue = scripted(&[1, 2], 2);
    let (mut a, mut consumer) = (racing(&queue, 1), queue.consumer());
    let mut before = queue.stats();
    for n in 0..50 {
        a.push(n);
        let now = queue.stats();
        assert!(now.cas_failures >= before.cas_failures, "{now:?}");
        assert!(now.pushes > before.pushes, "{now:?}");
        before = now;
    }
    let pushed = drain(&mut consumer).len();
    let LaneStats {
        segments, pushes, ..
    } = queue.stats();
    assert_eq!((segments, pushes), (1, pushed));
    assert_eq!(
        format!("{queue:?}"),
        format!(
            "LaneQueue {{ len: 0, width: {}, segments: 1, is_closed: false, .. }}",
            queue.stats().width
        )
    );
    assert_eq!(
        format!("{consumer:?}"),
        format!(
            "Consumer {{ home: 0, lane: {}, seated: true, is_closed: false, .. }}",
            consumer.lane()
        )
    );
    assert_eq!(
        format!("{:?}", queue.producer()),
        "Producer { home: 2, seated: false, is_closed: false, .. }"
    );
}

#[test]
fn by_value() {
    let queue = scripted(&[1, 2], 2);
    let mut producer = queue.producer();
    (0..9).for_each(|n| producer.push(n));
    assert!(queue.into_iter().eq(0..9));
}

/// Real threads, with every change of width and tenure that there is.
#[test]
fn histories_from_real_threads() {
    let tenures = [
        &[Tenure::Shared][..],
        &[Tenure::Owned],
        &[Tenure::Owned, Tenure::Shared],
    ];
    for widths in [&[1][..], &[2, 1], &[4], &[1, 4, 2, 3, 1]] {
        for (slots, tenures) in [1, 2, 8].into_iter().flat_map(|s| tenures.map(|t| (s, t))) {
            recorded_by_script(widths, tenures, slots, [2, 2], 150);
            recorded_by_script(widths, tenures, slots, [4, 4], 60);
        }
    }
    for slots in [2, 16] {
        let queue = LaneOptions::new().max_width(4).lane_slots(slots).build();
        recorded(&queue, 3 * slots, [4, 4], 100);
    }
}

/// More threads than processors, and the queue left to itself.
#[test]
fn many_threads_and_the_control_law() {
    let each = if cfg!(miri) { 20 } else { 2000 };
    let queue = LaneOptions::new().max_width(8).lane_slots(8).build();
    let counts = std::thread::scope(|scope| {
        for me in 0..8 {
            let mut producer = queue.producer();
            scope.spawn(move || (0..each).for_each(|n| producer.push((me, n))));
        }
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let mut consumer = queue.consumer();
                scope.spawn(move || {
                    let mut next = [0; 8];
                    let mut count = 0;
                    // A bound on calls, not on time.
                    for _ in 0..each {
                        if let Some((me, n)) = consumer.pop() {
                            assert!(n >= next[me]);
                            next[me] = n + 1;
                            count += 1;
                        }
                    }
                    count
                })
            })
            .collect();
        let counts = threads.into_iter().map(|thread| thread.join().unwrap());
        counts.sum::<usize>()
    });
    let left = queue.into_iter().count();
    assert_eq!(counts + left, 8 * each);
}
