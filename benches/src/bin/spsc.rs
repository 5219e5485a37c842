//! Queues of one producer and one consumer: items through, a second.
//!
//! ```sh
//! cargo run --release -p benches --bin spsc -- [--rounds 9] [--millis 60] [--only "2 threads"] [--format csv]
//! ```
//!
//! | table | what happens |
//! |---|---|
//! | 1 thread | push one, pop one; or push a batch of 16, pop a batch of 16 |
//! | 2 threads | one pushes as fast as it can, the other pops; a full or empty queue is tried again after a `snooze` |
//!
//! Queues hold 1,024 items, which are numbers; the consumer adds them up, and the sum is
//! checked. Batches go through slices of an array of the caller's, through the vector that
//! `pop_batch` fills, or through the chunks' iterators.

use std::array;

use benches::runner::{Part, alone, for_duration};
use benches::{Contest, Report, Turn, Unit};
use engine_atomic::Backoff;
use engine_queue::{ArrayQueue, spsc};

use std::time::Duration;

const CAPACITY: usize = 1_024;
const BATCH: usize = 16;

type Batch = [u64; BATCH];

/// Pushes a batch that starts with this number; how many went in.
trait Push: Send {
    fn push(&mut self, first: u64) -> usize;
}

/// Pops some; calls back for each.
trait Pop: Send {
    fn pop(&mut self, each: impl FnMut(u64)) -> usize;
}

fn batch(first: u64) -> Batch {
    array::from_fn(|n| first + n as u64)
}

macro_rules! pair {
    ($name:ident, $in:ty, $out:ty, $new:expr,
     |$producer:ident, $first:ident| $push:expr, |$consumer:ident, $each:ident| $pop:expr) => {
        mod $name {
            use super::*;

            pub struct In($in);
            pub struct Out($out);

            pub fn new() -> (In, Out) {
                let (producer, consumer) = $new;
                (In(producer), Out(consumer))
            }

            impl Push for In {
                #[inline]
                fn push(&mut self, $first: u64) -> usize {
                    let $producer = &mut self.0;
                    $push
                }
            }

            impl Pop for Out {
                #[inline]
                #[allow(unused_mut, reason = "not all of them call it more than once")]
                fn pop(&mut self, mut $each: impl FnMut(u64)) -> usize {
                    let $consumer = &mut self.0;
                    $pop
                }
            }
        }
    };
}

pair!(
    rtrb_single,
    rtrb::Producer<u64>,
    rtrb::Consumer<u64>,
    rtrb::RingBuffer::new(CAPACITY),
    |producer, first| usize::from(producer.push(first).is_ok()),
    |consumer, each| consumer.pop().map(each).into_iter().count()
);
pair!(
    engine_single,
    spsc::Producer<u64>,
    spsc::Consumer<u64>,
    spsc::channel(CAPACITY),
    |producer, first| usize::from(producer.push(first).is_ok()),
    |consumer, each| consumer.pop().map(each).into_iter().count()
);
pair!(
    array_single,
    std::sync::Arc<ArrayQueue<u64>>,
    std::sync::Arc<ArrayQueue<u64>>,
    {
        let queue = std::sync::Arc::new(ArrayQueue::new(CAPACITY));
        (queue.clone(), queue)
    },
    |producer, first| usize::from(producer.push(first).is_ok()),
    |consumer, each| consumer.pop().map(each).into_iter().count()
);
pair!(
    rtrb_slice,
    rtrb::Producer<u64>,
    (rtrb::Consumer<u64>, Batch),
    {
        let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
        (producer, (consumer, [0; BATCH]))
    },
    |producer, first| producer.push_partial_slice(&batch(first)).0.len(),
    |consumer, each| {
        let (consumer, to) = consumer;
        let popped = consumer.pop_partial_slice(to).0;
        popped.iter().copied().for_each(each);
        popped.len()
    }
);
pair!(
    engine_slice,
    spsc::Producer<u64>,
    (spsc::Consumer<u64>, Batch),
    {
        let (producer, consumer) = spsc::channel(CAPACITY);
        (producer, (consumer, [0; BATCH]))
    },
    |producer, first| producer.push_slice(&batch(first)),
    |consumer, each| {
        let (consumer, to) = consumer;
        let count = consumer.pop_slice(to);
        to[..count].iter().copied().for_each(each);
        count
    }
);
pair!(
    rtrb_chunk,
    rtrb::Producer<u64>,
    rtrb::Consumer<u64>,
    rtrb::RingBuffer::new(CAPACITY),
    |producer, first| {
        let count = producer.slots().min(BATCH);
        let chunk = producer.write_chunk_uninit(count).expect("so many");
        chunk.fill_from_iter(batch(first))
    },
    |consumer, each| {
        let count = consumer.slots().min(BATCH);
        let chunk = consumer.read_chunk(count).expect("so many");
        chunk.into_iter().for_each(each);
        count
    }
);
pair!(
    engine_batch,
    spsc::Producer<u64>,
    (spsc::Consumer<u64>, Vec<u64>),
    {
        let (producer, consumer) = spsc::channel(CAPACITY);
        (producer, (consumer, Vec::with_capacity(BATCH)))
    },
    |producer, first| producer.push_iter(batch(first)),
    |consumer, each| {
        let (consumer, to) = consumer;
        let count = consumer.pop_batch(to, BATCH);
        to.drain(..).for_each(each);
        count
    }
);

/// The sum of the first numbers, so many.
fn sum_to(count: u64) -> u64 {
    let sum = u128::from(count) * u128::from(count.saturating_sub(1)) / 2;
    sum as u64
}

fn one_thread<I: Push, O: Pop>((mut producer, mut consumer): (I, O), duration: Duration) -> Turn {
    let (mut next, mut popped, mut sum): (u64, u64, u64) = (0, 0, 0);
    alone(duration, 1_024, |count| {
        let end = next + count;
        while next < end {
            next += producer.push(next) as u64;
            popped += consumer.pop(|item| sum = sum.wrapping_add(item)) as u64;
        }
        assert_eq!((next, sum), (popped, sum_to(popped)));
    })
}

fn two_threads<I: Push, O: Pop>((mut producer, mut consumer): (I, O), duration: Duration) -> Turn {
    let push: Part<'_> = Box::new(move |signal| {
        let backoff = Backoff::new();
        let mut next = 0;
        while signal.running() {
            match producer.push(next) as u64 {
                0 => backoff.snooze(),
                count => {
                    next += count;
                    backoff.reset();
                }
            }
        }
        // An item counts when it is popped.
        0_u64.into()
    });
    let pop: Part<'_> = Box::new(move |signal| {
        let backoff = Backoff::new();
        let (mut all, mut sum): (u64, u64) = (0, 0);
        while signal.running() {
            match consumer.pop(|item| sum = sum.wrapping_add(item)) {
                0 => backoff.snooze(),
                popped => {
                    all += popped as u64;
                    backoff.reset();
                }
            }
        }
        assert_eq!(sum, sum_to(all));
        all.into()
    });
    for_duration(duration, vec![push, pop])
}

fn main() {
    let report = Report::start();
    let duration = report.options().turn();
    macro_rules! contest {
        ($title:literal, $run:ident, $($name:literal => $pair:ident),+ $(,)?) => {
            report.run(
                Contest::new($title, Unit::Mops)
                    $(.add($name, || $run($pair::new(), duration)))+
            );
        };
    }
    contest!("1 thread, single operations", one_thread,
        "rtrb" => rtrb_single, "engine spsc" => engine_single, "engine ArrayQueue" => array_single);
    contest!("1 thread, batches of 16", one_thread,
        "rtrb, slices" => rtrb_slice, "rtrb, chunks" => rtrb_chunk,
        "engine, slices" => engine_slice, "engine, push_iter and pop_batch" => engine_batch,
        "engine, single operations" => engine_single);
    contest!("2 threads, single operations", two_threads,
        "rtrb" => rtrb_single, "engine spsc" => engine_single, "engine ArrayQueue" => array_single);
    contest!("2 threads, batches of 16", two_threads,
        "rtrb, slices" => rtrb_slice, "rtrb, chunks" => rtrb_chunk,
        "engine, slices" => engine_slice, "engine, push_iter and pop_batch" => engine_batch,
        "engine, single operations" => engine_single);
    report.finish();
}
