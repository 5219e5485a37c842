//! Ours.

use engine_queue::lane_queue::{Consumer, LaneOptions, Producer};
use engine_queue::{ArrayQueue, LaneQueue, SegQueue};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::queue::Shared;
use super::{BATCH, Pop, Push, Queue};

macro_rules! with_batches {
    ($queue:ty, |$capacity:ident| $new:expr, |$this:ident, $item:ident| $push:expr) => {
        impl Shared for $queue {
            fn new($capacity: Option<usize>) -> Self {
                $new
            }

            #[inline]
            fn push(&self, $item: u64) -> bool {
                let $this = self;
                $push
            }

            #[inline]
            fn pop(&self) -> Option<u64> {
                self.pop()
            }

            #[inline]
            fn push_batch(&self, first: u64, buffer: &mut Vec<u64>) -> usize {
                buffer.extend(first..first + BATCH as u64);
                let left = match self.push_batch(buffer) {
                    Ok(()) => 0,
                    Err(_) => buffer.len(),
                };
                buffer.clear();
                BATCH - left
            }

            #[inline]
            fn pop_batch(&self, buffer: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
                let count = self.pop_batch(buffer, BATCH);
                buffer.drain(..).for_each(each);
                count
            }
        }
    };
}

with_batches!(
    ArrayQueue<u64>,
    |capacity| Self::new(capacity.expect("it has a bound")),
    |queue, item| queue.push(item).is_ok()
);
with_batches!(
    SegQueue<u64>,
    |capacity| {
        assert_eq!(capacity, None, "it has no bound");
        Self::new()
    },
    |queue, item| {
        queue.push(item);
        true
    }
);

/// A producer or a consumer, and what its batches go through.
struct Lanes<E>(E, Vec<u64>);

impl<E> Lanes<E> {
    fn new(end: E) -> Self {
        Self(end, Vec::with_capacity(BATCH))
    }
}

impl Push for Lanes<Producer<u64>> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.0.push(item);
        true
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        let Self(producer, buffer) = self;
        buffer.extend(first..first + BATCH as u64);
        producer
            .push_batch(buffer)
            .expect("neither bounded nor closed");
        BATCH
    }
}

impl Pop for Lanes<Consumer<u64>> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.0.pop()
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let Self(consumer, buffer) = self;
        let count = consumer.pop_batch(buffer, BATCH);
        buffer.drain(..).for_each(each);
        count
    }
}

/// The widest that a lane queue was at the end of a turn, since the last look.
static WIDTH: AtomicUsize = AtomicUsize::new(0);

/// The widest that a lane queue of its own choice was at the end of a turn, since the last
/// call; 0 if there was none.
pub(super) fn widest() -> usize {
    // Relaxed: the threads of the turn are joined.
    WIDTH.swap(0, Relaxed)
}

/// A lane queue with as many lanes as it finds right.
impl Queue for LaneQueue<u64> {
    fn new(capacity: Option<usize>) -> Self {
        assert_eq!(capacity, None, "it has no bound");
        Self::new()
    }

    fn producer(&self) -> impl Push + '_ {
        Lanes::new(self.producer())
    }

    fn consumer(&self) -> impl Pop + '_ {
        Lanes::new(self.consumer())
    }

    fn end(&self) {
        let stats = self.stats();
        // Relaxed: as in `widest`.
        WIDTH.fetch_max(stats.width, Relaxed);
        if std::env::var_os("LANES_STATS").is_some() {
            eprintln!("{stats:?}");
        }
    }
}

/// A lane queue of so many lanes, always.
pub(super) struct Fixed<const WIDTH: usize>(LaneQueue<u64>);

impl<const WIDTH: usize> Queue for Fixed<WIDTH> {
    fn new(_capacity: Option<usize>) -> Self {
        let options = LaneOptions::new().max_width(WIDTH).min_width(WIDTH);
        Self(options.build())
    }

    fn producer(&self) -> impl Push + '_ {
        Lanes::new(self.0.producer())
    }

    fn consumer(&self) -> impl Pop + '_ {
        Lanes::new(self.0.consumer())
    }
}
