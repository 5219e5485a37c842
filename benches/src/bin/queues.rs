//! Queues of many producers and many consumers: items through, a second.
//!
//! ```sh
//! cargo run --release -p benches --bin queues -- [--rounds 9] [--millis 60] [--only bounded] [--format csv]
//! ```
//!
//! | table | what happens |
//! |---|---|
//! | 1 thread | push one, pop one |
//! | n p n c | n producers push as fast as they can, n consumers pop; a full or empty queue is tried again after a `snooze` |
//!
//! Bounded queues hold 1,024 items. Each item carries its producer and number; a
//! consumer checks that the items of one producer come in order.

use std::collections::VecDeque;
use std::time::Duration;

use benches::runner::{Part, Signal, alone, for_duration};
use benches::{Contest, Report, Turn, Unit};
use engine_atomic::Backoff;

const CAPACITY: usize = 1_024;

/// What the queues have in common.
trait Queue: Sync {
    fn new() -> Self;
    /// Whether there was room.
    fn push(&self, item: u64) -> bool;
    fn pop(&self) -> Option<u64>;
}

macro_rules! queue {
    ($name:ident, $queue:ty, $new:expr, |$this:ident, $item:ident| $push:expr, |$that:ident| $pop:expr) => {
        struct $name($queue);

        impl Queue for $name {
            fn new() -> Self {
                Self($new)
            }

            #[inline]
            fn push(&self, $item: u64) -> bool {
                let $this = &self.0;
                $push
            }

            #[inline]
            fn pop(&self) -> Option<u64> {
                let $that = &self.0;
                $pop
            }
        }
    };
}

queue!(
    CrossbeamArray,
    crossbeam_queue::ArrayQueue<u64>,
    crossbeam_queue::ArrayQueue::new(CAPACITY),
    |queue, item| queue.push(item).is_ok(),
    |queue| queue.pop()
);
queue!(
    CrossbeamSeg,
    crossbeam_queue::SegQueue<u64>,
    crossbeam_queue::SegQueue::new(),
    |queue, item| {
        queue.push(item);
        true
    },
    |queue| queue.pop()
);
queue!(
    EngineArray,
    engine_queue::ArrayQueue<u64>,
    engine_queue::ArrayQueue::new(CAPACITY),
    |queue, item| queue.push(item).is_ok(),
    |queue| queue.pop()
);
queue!(
    EngineSeg,
    engine_queue::SegQueue<u64>,
    engine_queue::SegQueue::new(),
    |queue, item| {
        queue.push(item);
        true
    },
    |queue| queue.pop()
);
queue!(
    ConcurrentBounded,
    concurrent_queue::ConcurrentQueue<u64>,
    concurrent_queue::ConcurrentQueue::bounded(CAPACITY),
    |queue, item| queue.push(item).is_ok(),
    |queue| queue.pop().ok()
);
queue!(
    ConcurrentUnbounded,
    concurrent_queue::ConcurrentQueue<u64>,
    concurrent_queue::ConcurrentQueue::unbounded(),
    |queue, item| queue.push(item).is_ok(),
    |queue| queue.pop().ok()
);
queue!(
    Locked,
    engine_lock::Mutex<VecDeque<u64>>,
    engine_lock::Mutex::new(VecDeque::with_capacity(CAPACITY)),
    |queue, item| {
        let mut queue = queue.lock();
        let room = queue.len() < CAPACITY;
        if room {
            queue.push_back(item);
        }
        room
    },
    |queue| queue.lock().pop_front()
);

/// The most items an unbounded queue may hold here: producers that outrun the
/// consumers would measure the allocator.
const BACKLOG: u64 = 64 * 1_024;

fn one_thread<Q: Queue>(duration: Duration) -> Turn {
    let queue = Q::new();
    alone(duration, 1_000, |batch| {
        for item in 0..batch {
            assert!(queue.push(item));
            assert_eq!(queue.pop(), Some(item));
        }
    })
}

fn many<Q: Queue>(duration: Duration, producers: usize, consumers: usize) -> Turn {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    let queue = Q::new();
    // One counter a consumer, written every 64 items: what the producers look at
    // so as not to run ahead.
    let popped: Vec<_> = (0..consumers)
        .map(|_| engine_atomic::CachePadded::new(AtomicU64::new(0)))
        .collect();
    let push = |me: u64, signal: &Signal| {
        let backoff = Backoff::new();
        let share = BACKLOG / producers as u64;
        let mut number: u64 = 0;
        while signal.running() {
            if number.is_multiple_of(64) {
                // Relaxed: a limit that may be a little late.
                let all: u64 = popped.iter().map(|popped| popped.load(Relaxed)).sum();
                if number > all / producers as u64 + share {
                    backoff.snooze();
                    continue;
                }
            }
            if queue.push(me << 48 | number) {
                number += 1;
                backoff.reset();
            } else {
                backoff.snooze();
            }
        }
        // An item counts when it is popped.
        0_u64.into()
    };
    let pop = |me: usize, signal: &Signal| {
        let backoff = Backoff::new();
        let mut next = vec![0; producers];
        let mut operations: u64 = 0;
        while signal.running() {
            if let Some(item) = queue.pop() {
                let (producer, number) = ((item >> 48) as usize, item & ((1 << 48) - 1));
                assert!(number >= next[producer], "an item came out of order");
                next[producer] = number + 1;
                operations += 1;
                if operations.is_multiple_of(64) {
                    // Relaxed: as the load.
                    popped[me].store(operations, Relaxed);
                }
                backoff.reset();
            } else {
                backoff.snooze();
            }
        }
        operations.into()
    };
    let (push, pop) = (&push, &pop);
    let parts = (0..producers)
        .map(|me| -> Part<'_> { Box::new(move |signal| push(me as u64, signal)) })
        .chain((0..consumers).map(|me| -> Part<'_> { Box::new(move |signal| pop(me, signal)) }))
        .collect();
    for_duration(duration, parts)
}

fn main() {
    let report = Report::start();
    let duration = report.options().turn();
    report.run(
        Contest::new("bounded, 1 thread", Unit::Mops)
            .add("crossbeam ArrayQueue", || {
                one_thread::<CrossbeamArray>(duration)
            })
            .add("concurrent-queue", || {
                one_thread::<ConcurrentBounded>(duration)
            })
            .add("Mutex<VecDeque>", || one_thread::<Locked>(duration))
            .add("engine ArrayQueue", || one_thread::<EngineArray>(duration)),
    );
    report.run(
        Contest::new("unbounded, 1 thread", Unit::Mops)
            .add("crossbeam SegQueue", || {
                one_thread::<CrossbeamSeg>(duration)
            })
            .add("concurrent-queue", || {
                one_thread::<ConcurrentUnbounded>(duration)
            })
            .add("engine SegQueue", || one_thread::<EngineSeg>(duration)),
    );
    for (p, c) in [(1, 1), (2, 2), (4, 4)] {
        report.run(
            Contest::new(format!("bounded, {p}p{c}c"), Unit::Mops)
                .add("crossbeam ArrayQueue", || {
                    many::<CrossbeamArray>(duration, p, c)
                })
                .add("concurrent-queue", || {
                    many::<ConcurrentBounded>(duration, p, c)
                })
                .add("Mutex<VecDeque>", || many::<Locked>(duration, p, c))
                .add("engine ArrayQueue", || many::<EngineArray>(duration, p, c)),
        );
        report.run(
            Contest::new(format!("unbounded, {p}p{c}c"), Unit::Mops)
                .add("crossbeam SegQueue", || {
                    many::<CrossbeamSeg>(duration, p, c)
                })
                .add("concurrent-queue", || {
                    many::<ConcurrentUnbounded>(duration, p, c)
                })
                .add("engine SegQueue", || many::<EngineSeg>(duration, p, c)),
        );
    }
    report.finish();
}
