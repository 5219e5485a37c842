//! The lane queue beside unbounded queues: items through, a second.
//!
//! ```sh
//! cargo run --release -p benches --bin lanes -- [--rounds 9] [--millis 60] [--only 4p4c] [--format csv]
//! ```
//!
//! | table | what happens |
//! |---|---|
//! | 1 thread | push one, pop one |
//! | n p n c | n producers push as fast as they can, n consumers pop; an empty queue is tried again after a `snooze` |
//! | .. of 16 | the same, 16 items to a call where the queue has one for that |
//!
//! Each thread has a handle of its own, where a queue has handles. Each item carries
//! its producer and number; a consumer checks that the items of one producer come in
//! order. Producers stop at a backlog of 65,536 items: more would measure the
//! allocator. At the end of a table stands the width that the lane queue had.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use benches::runner::{Part, Signal, alone, for_duration};
use benches::{Contest, Report, Turn, Unit};
use concurrent_queue::ConcurrentQueue;
use engine_atomic::{Backoff, CachePadded};
use engine_queue::lane_queue::{Consumer, Producer};
use engine_queue::{LaneQueue, SegQueue};

/// The most items in a queue.
const BACKLOG: u64 = 64 * 1_024;

/// Items in a batch.
const BATCH: usize = 16;

/// What pushes, for one thread.
trait Push: Send {
    fn push(&mut self, item: u64);
    /// Leaves the vector empty.
    fn push_batch(&mut self, items: &mut Vec<u64>) {
        items.drain(..).for_each(|item| self.push(item));
    }
}

/// What pops, for one thread.
trait Pop: Send {
    fn pop(&mut self) -> Option<u64>;
    fn pop_batch(&mut self, out: &mut Vec<u64>) -> usize {
        let before = out.len();
        out.extend(std::iter::from_fn(|| self.pop()).take(BATCH));
        out.len() - before
    }
}

trait Queue: Default + Sync {
    fn producer(&self) -> impl Push + '_;
    fn consumer(&self) -> impl Pop + '_;
    /// Looked at when the turn ends.
    fn end(&self) {}
}

macro_rules! shared {
    ($name:ident, $queue:ty, $new:expr, |$this:ident, $item:ident| $push:expr, |$that:ident| $pop:expr) => {
        struct $name($queue);

        impl Default for $name {
            fn default() -> Self {
                Self($new)
            }
        }

        impl Push for &$name {
            #[inline]
            fn push(&mut self, $item: u64) {
                let $this = &self.0;
                $push;
            }
        }

        impl Pop for &$name {
            #[inline]
            fn pop(&mut self) -> Option<u64> {
                let $that = &self.0;
                $pop
            }
        }

        impl Queue for $name {
            fn producer(&self) -> impl Push + '_ {
                self
            }

            fn consumer(&self) -> impl Pop + '_ {
                self
            }
        }
    };
}

shared!(
    Crossbeam,
    crossbeam_queue::SegQueue<u64>,
    crossbeam_queue::SegQueue::new(),
    |queue, item| queue.push(item),
    |queue| queue.pop()
);
shared!(
    Concurrent,
    ConcurrentQueue<u64>,
    ConcurrentQueue::unbounded(),
    |queue, item| queue.push(item).expect("it is not closed"),
    |queue| queue.pop().ok()
);
shared!(
    EngineSeg,
    SegQueue<u64>,
    SegQueue::new(),
    |queue, item| queue.push(item),
    |queue| queue.pop()
);

#[derive(Default)]
struct Lanes(LaneQueue<u64>);

/// The widest that a queue was at the end of a turn since the last look.
static WIDTH: AtomicUsize = AtomicUsize::new(0);

impl Push for Producer<u64> {
    #[inline]
    fn push(&mut self, item: u64) {
        self.push(item);
    }

    fn push_batch(&mut self, items: &mut Vec<u64>) {
        self.push_batch(items).expect("neither bounded nor closed");
    }
}

impl Pop for Consumer<u64> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.pop()
    }

    fn pop_batch(&mut self, out: &mut Vec<u64>) -> usize {
        self.pop_batch(out, BATCH)
    }
}

impl Queue for Lanes {
    fn producer(&self) -> impl Push + '_ {
        self.0.producer()
    }

    fn consumer(&self) -> impl Pop + '_ {
        self.0.consumer()
    }

    fn end(&self) {
        WIDTH.fetch_max(self.0.stats().width, Relaxed);
        if std::env::var_os("LANES_STATS").is_some() {
            eprintln!("{:?}", self.0.stats());
        }
    }
}

fn one_thread<Q: Queue>(duration: Duration) -> Turn {
    let queue = Q::default();
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    alone(duration, 1_000, |batch| {
        for item in 0..batch {
            producer.push(item);
            assert_eq!(consumer.pop(), Some(item));
        }
    })
}

/// The other side's progress: one counter a consumer, written every 64 items.
type Popped = [CachePadded<AtomicU64>];

/// Pushes while the backlog is small enough.
fn produce(
    mut producer: impl Push,
    [me, producers]: [usize; 2],
    popped: &Popped,
    signal: &Signal,
    batches: bool,
) {
    let backoff = Backoff::new();
    let (me, producers) = (me as u64, producers as u64);
    let share = BACKLOG / producers;
    let mut number: u64 = 0;
    let mut batch = Vec::with_capacity(BATCH);
    while signal.running() {
        if number.is_multiple_of(64) {
            // Relaxed: a limit that may be a little late.
            let all: u64 = popped.iter().map(|popped| popped.load(Relaxed)).sum();
            if number > all / producers + share {
                backoff.snooze();
                continue;
            }
            backoff.reset();
        }
        if batches {
            let items = number..number + BATCH as u64;
            batch.extend(items.map(|number| me << 48 | number));
            producer.push_batch(&mut batch);
            number += BATCH as u64;
        } else {
            producer.push(me << 48 | number);
            number += 1;
        }
    }
}

/// Pops, and checks the order; how many.
fn consume(
    mut consumer: impl Pop,
    producers: usize,
    popped: &AtomicU64,
    signal: &Signal,
    batches: bool,
) -> u64 {
    let backoff = Backoff::new();
    let mut next = vec![0; producers];
    let mut operations: u64 = 0;
    let mut count = |item: u64| {
        let (producer, number) = ((item >> 48) as usize, item & ((1 << 48) - 1));
        assert!(number >= next[producer], "an item came out of order");
        next[producer] = number + 1;
        operations += 1;
        if operations.is_multiple_of(64) {
            // Relaxed: as the load.
            popped.store(operations, Relaxed);
        }
        operations
    };
    let mut out = Vec::with_capacity(BATCH);
    let mut total = 0;
    while signal.running() {
        let found = if batches {
            let found = consumer.pop_batch(&mut out) > 0;
            out.drain(..).for_each(|item| total = count(item));
            found
        } else if let Some(item) = consumer.pop() {
            total = count(item);
            true
        } else {
            false
        };
        if found {
            backoff.reset();
        } else {
            backoff.snooze();
        }
    }
    total
}

fn many<Q: Queue>(duration: Duration, [producers, consumers]: [usize; 2], batches: bool) -> Turn {
    let queue = Q::default();
    let popped: Vec<_> = (0..consumers)
        .map(|_| CachePadded::new(AtomicU64::new(0)))
        .collect();
    let (queue, popped) = (&queue, &popped);
    let push = move |me| -> Part<'_> {
        let producer = queue.producer();
        Box::new(move |signal| {
            produce(producer, [me, producers], popped, signal, batches);
            // An item counts when it is popped.
            0_u64.into()
        })
    };
    let pop = move |me: usize| -> Part<'_> {
        let consumer = queue.consumer();
        Box::new(move |signal| consume(consumer, producers, &popped[me], signal, batches).into())
    };
    let parts = (0..producers)
        .map(push)
        .chain((0..consumers).map(pop))
        .collect();
    let turn = for_duration(duration, parts);
    queue.end();
    turn
}

fn main() {
    let report = Report::start();
    let duration = report.options().turn();
    report.run(
        Contest::new("1 thread", Unit::Mops)
            .add("crossbeam SegQueue", || one_thread::<Crossbeam>(duration))
            .add("concurrent-queue", || one_thread::<Concurrent>(duration))
            .add("engine SegQueue", || one_thread::<EngineSeg>(duration))
            .add("engine LaneQueue", || one_thread::<Lanes>(duration)),
    );
    let shapes = [[1, 1], [2, 2], [4, 4], [1, 3], [3, 1]];
    let batched = [[1, 1], [4, 4]];
    let tables =
        (shapes.map(|shape| (shape, false)).into_iter()).chain(batched.map(|shape| (shape, true)));
    for (shape @ [p, c], batches) in tables {
        let of = if batches { ", batches of 16" } else { "" };
        report.run(
            Contest::new(format!("{p}p{c}c{of}"), Unit::Mops)
                .add("crossbeam SegQueue", move || {
                    many::<Crossbeam>(duration, shape, batches)
                })
                .add("concurrent-queue", move || {
                    many::<Concurrent>(duration, shape, batches)
                })
                .add("engine SegQueue", move || {
                    many::<EngineSeg>(duration, shape, batches)
                })
                .add("engine LaneQueue", move || {
                    many::<Lanes>(duration, shape, batches)
                }),
        );
        // Relaxed: the threads are joined.
        let width = WIDTH.swap(0, Relaxed);
        if width != 0 {
            println!("widest LaneQueue at the end of a turn: {width}\n");
        }
    }
    report.finish();
}
