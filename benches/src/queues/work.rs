//! The loops that push and pop.

use std::sync::atomic::{AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

use engine_atomic::{Backoff, CachePadded};

use super::account::{Received, item, settle};
use super::{BACKLOG, BURST, Pop, Push, Queue, Shape, Threads, Work};
use crate::Turn;
use crate::runner::{Part, Signal, alone, for_duration, on_one_processor};

/// From the end of a burst to the next.
const PAUSE: Duration = Duration::from_micros(10);

/// A turn of this queue at this shape.
///
/// # Panics
///
/// If an item is lost, comes twice, or overtakes one of the same producer on the way to a
/// consumer.
pub(super) fn turn<Q: Queue>(shape: &Shape, duration: Duration) -> Turn {
    let queue = Q::new(shape.capacity);
    let turn = match (shape.threads, shape.work) {
        (Threads::One, work) => one_thread(&queue, work, duration),
        (_, Work::Singly) => many::<Q, false>(&queue, shape, duration),
        (_, Work::Batches) => many::<Q, true>(&queue, shape, duration),
        (_, Work::Bursts) => bursts(&queue, shape, duration),
    };
    queue.end();
    turn
}

fn one_thread(queue: &impl Queue, work: Work, duration: Duration) -> Turn {
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    let (mut number, mut next) = (0, 0);
    let mut check = |item| {
        assert_eq!(item, next, "an item was lost or came out of order");
        next += 1;
    };
    match work {
        Work::Singly => alone(duration, 1_000, |count| {
            for _ in 0..count {
                assert!(producer.push(number), "an empty queue has room");
                number += 1;
                check(consumer.pop().expect("an item was pushed"));
            }
        }),
        Work::Batches => alone(duration, 1_024, |count| {
            let end = number + count;
            while number < end {
                number += producer.push_batch(number) as u64;
                consumer.pop_batch(&mut check);
            }
            assert_eq!(consumer.pop(), None, "a batch was not popped whole");
        }),
        Work::Bursts => alone(duration, 4 * BURST, |count| {
            for _ in 0..count / BURST {
                for _ in 0..BURST {
                    assert!(producer.push(number), "a burst finds room");
                    number += 1;
                }
                for _ in 0..BURST {
                    check(consumer.pop().expect("a burst was pushed"));
                }
            }
        }),
    }
}

/// One thread's end of the queue, and what went through it.
///
/// A thread takes both along when it starts and puts them back when it stops: so they lie
/// on its own stack while it runs.
type End<H, T> = CachePadded<Option<(H, T)>>;

/// The ends of the producing and of the consuming threads.
type Ends<P, C> = (Vec<End<P, u64>>, Vec<End<C, Received>>);

fn ends<'a>(queue: &'a impl Queue, [p, c]: [usize; 2]) -> Ends<impl Push + 'a, impl Pop + 'a> {
    let producers = (0..p).map(|_| CachePadded::new(Some((queue.producer(), 0))));
    let consumers = (0..c).map(|_| CachePadded::new(Some((queue.consumer(), Received::new(p)))));
    (producers.collect(), consumers.collect())
}

/// Takes out what the threads have left in the queue, and settles the account.
fn finish<P, C: Pop>((producers, mut consumers): Ends<P, C>) {
    // By every consumer's own handle: some queues keep items for it.
    for end in &mut consumers {
        let (consumer, received) = end.as_mut().expect("the thread put it back");
        while let Some(item) = consumer.pop() {
            received.take(item);
        }
    }
    let pushed: Vec<_> = (producers.into_iter())
        .map(|end| end.into_inner().expect("the thread put it back").1)
        .collect();
    let received: Vec<_> = (consumers.into_iter())
        .map(|end| end.into_inner().expect("the thread put it back").1)
        .collect();
    settle(&pushed, &received);
}

/// Starts the parts where the shape wants them.
pub(super) fn go(threads: Threads, duration: Duration, parts: Vec<Part<'_>>) -> Turn {
    match threads {
        Threads::Pinned(_) => on_one_processor(|| for_duration(duration, parts)),
        _ => for_duration(duration, parts),
    }
}

/// What the consumers have popped, a counter each: what the producers of an unbounded
/// queue look at so as not to run ahead.
struct Progress(Vec<CachePadded<AtomicU64>>);

impl Progress {
    /// How often a consumer tells, and a producer looks: every so many items.
    const STEP: u64 = 64;

    fn sum(&self) -> u64 {
        // Relaxed, as the stores: a limit that may be a little late.
        self.0.iter().map(|popped| popped.load(Relaxed)).sum()
    }
}

fn many<Q: Queue, const BATCHES: bool>(queue: &Q, shape: &Shape, duration: Duration) -> Turn {
    let counts @ [p, c] = shape.counts();
    let mut ends = ends(queue, counts);
    let progress = Progress(
        (0..c)
            .map(|_| CachePadded::new(AtomicU64::new(0)))
            .collect(),
    );
    let progress = shape.capacity.is_none().then_some(&progress);
    let (producers, consumers) = &mut ends;
    let push = (producers.iter_mut().enumerate()).map(|(me, end)| -> Part<'_> {
        Box::new(move |signal| {
            let (mut producer, _) = end.take().expect("one thread an end");
            let pushed = produce::<BATCHES>(&mut producer, [me, p], progress, signal);
            **end = Some((producer, pushed));
            // An item counts when it is popped.
            0_u64.into()
        })
    });
    let pop = (consumers.iter_mut().enumerate()).map(|(me, end)| -> Part<'_> {
        Box::new(move |signal| {
            let (mut consumer, mut received) = end.take().expect("one thread an end");
            let popped = progress.map(|progress| &*progress.0[me]);
            consume::<BATCHES>(&mut consumer, &mut received, popped, signal);
            let count = received.count;
            **end = Some((consumer, received));
            count.into()
        })
    });
    let parts = push.chain(pop).collect();
    let turn = go(shape.threads, duration, parts);
    finish(ends);
    turn
}

/// Pushes while there is room, and the backlog is small enough; how many.
fn produce<const BATCHES: bool>(
    producer: &mut impl Push,
    [me, producers]: [usize; 2],
    progress: Option<&Progress>,
    signal: &Signal,
) -> u64 {
    let backoff = Backoff::new();
    let producers = producers as u64;
    let share = BACKLOG / producers;
    let (mut number, mut look) = (0, 0);
    while signal.running() {
        if let Some(progress) = progress
            && number >= look
        {
            if number > progress.sum() / producers + share {
                backoff.snooze();
                continue;
            }
            look = number + Progress::STEP;
        }
        let pushed = if BATCHES {
            producer.push_batch(item(me, number)) as u64
        } else {
            u64::from(producer.push(item(me, number)))
        };
        number += pushed;
        if pushed == 0 {
            backoff.snooze();
        } else {
            backoff.reset();
        }
    }
    number
}

/// Pops what there is.
fn consume<const BATCHES: bool>(
    consumer: &mut impl Pop,
    received: &mut Received,
    popped: Option<&AtomicU64>,
    signal: &Signal,
) {
    let backoff = Backoff::new();
    let mut tell = Progress::STEP;
    while signal.running() {
        let found = if BATCHES {
            consumer.pop_batch(|item| received.take(item)) > 0
        } else {
            consumer.pop().map(|item| received.take(item)).is_some()
        };
        if !found {
            backoff.snooze();
            continue;
        }
        backoff.reset();
        if let Some(popped) = popped
            && received.count >= tell
        {
            // Relaxed: as the load.
            popped.store(received.count, Relaxed);
            tell = received.count + Progress::STEP;
        }
    }
}

/// One producer, one consumer. The time that counts is from the first push of a burst until
/// the producer knows that the last item is popped.
fn bursts<Q: Queue>(queue: &Q, shape: &Shape, duration: Duration) -> Turn {
    assert_eq!(shape.counts(), [1, 1], "bursts are of one to one");
    let mut ends = ends(queue, [1, 1]);
    let popped = CachePadded::new(AtomicU64::new(0));
    let mut busy = (0, Duration::ZERO);
    let (producers, consumers) = &mut ends;
    let (push, pop) = (&mut producers[0], &mut consumers[0]);
    let parts: Vec<Part<'_>> = vec![
        Box::new(|signal| {
            let (mut producer, _) = push.take().expect("one thread an end");
            let (pushed, done) = burst_after_burst(&mut producer, &popped, signal);
            **push = Some((producer, pushed));
            busy = done;
            0_u64.into()
        }),
        Box::new(|signal| {
            let (mut consumer, mut received) = pop.take().expect("one thread an end");
            let backoff = Backoff::new();
            while signal.running() {
                let Some(item) = consumer.pop() else {
                    backoff.snooze();
                    continue;
                };
                backoff.reset();
                received.take(item);
                if received.count.is_multiple_of(BURST) {
                    // Release: the pops of the burst are over; pairs with the producer's
                    // Acquire load.
                    popped.store(received.count, Release);
                }
            }
            let count = received.count;
            **pop = Some((consumer, received));
            count.into()
        }),
    ];
    let turn = go(shape.threads, duration, parts);
    finish(ends);
    let (operations, elapsed) = busy;
    Turn {
        operations,
        elapsed,
        ..turn
    }
}

/// What was pushed; and of the bursts that were over in time, the items and the time.
fn burst_after_burst(
    producer: &mut impl Push,
    popped: &AtomicU64,
    signal: &Signal,
) -> (u64, (u64, Duration)) {
    let backoff = Backoff::new();
    let (mut number, mut busy) = (0, Duration::ZERO);
    loop {
        let done = number;
        let start = Instant::now();
        for _ in 0..BURST {
            while !producer.push(item(0, number)) {
                if !signal.running() {
                    return (number, (done, busy));
                }
                backoff.snooze();
            }
            backoff.reset();
            number += 1;
        }
        // Acquire: pairs with the consumer's Release store.
        while popped.load(Acquire) < number {
            if !signal.running() {
                return (number, (done, busy));
            }
            backoff.snooze();
        }
        backoff.reset();
        let end = Instant::now();
        busy += end - start;
        if !signal.running() {
            return (number, (number, busy));
        }
        while end.elapsed() < PAUSE {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use engine_queue::{ArrayQueue, LaneQueue, SegQueue};

    use super::*;
    use crate::queues::queue::Shared;

    const TURN: Duration = Duration::from_millis(3);

    fn shapes(capacity: Option<usize>) -> impl Iterator<Item = Shape> {
        let each = [
            (Threads::One, Work::Singly),
            (Threads::One, Work::Batches),
            (Threads::Each([1, 1]), Work::Singly),
            (Threads::Each([2, 2]), Work::Batches),
            (Threads::Each([1, 3]), Work::Singly),
            (Threads::Each([1, 1]), Work::Bursts),
            (Threads::Pinned([1, 1]), Work::Singly),
        ];
        each.into_iter().map(move |(threads, work)| Shape {
            threads,
            work,
            capacity,
        })
    }

    fn all<Q: Queue>(capacity: Option<usize>) {
        for shape in shapes(capacity) {
            // On a busy machine a thread may not have run before the turn is over.
            while turn::<Q>(&shape, TURN).operations == 0 {}
        }
    }

    #[test]
    fn each_shape_moves_items() {
        all::<ArrayQueue<u64>>(Some(16));
        all::<SegQueue<u64>>(None);
        all::<LaneQueue<u64>>(None);
    }

    /// Loses one item.
    struct Leaky(SegQueue<u64>, AtomicBool);

    impl Shared for Leaky {
        fn new(_capacity: Option<usize>) -> Self {
            Self(SegQueue::new(), AtomicBool::new(true))
        }

        fn push(&self, item: u64) -> bool {
            // Relaxed: one exchange wins.
            if self.1.swap(false, Relaxed) {
                return true;
            }
            self.0.push(item);
            true
        }

        fn pop(&self) -> Option<u64> {
            self.0.pop()
        }
    }

    #[test]
    #[should_panic(expected = "items were lost or came twice")]
    fn a_queue_that_loses_an_item_is_found_out() {
        let shape = Shape {
            threads: Threads::Each([1, 1]),
            work: Work::Singly,
            capacity: None,
        };
        // Until the producer has run at all.
        loop {
            turn::<Leaky>(&shape, TURN);
        }
    }
}
