//! Rings of one producer and one consumer.

use std::sync::{Mutex, PoisonError};

use super::{BATCH, Pop, Push, Queue};

/// How the two ends of a ring come to be.
pub(super) trait Ends {
    /// The end that pushes.
    type In: Push;
    /// The end that pops.
    type Out: Pop;

    fn new(capacity: usize) -> (Self::In, Self::Out);
}

/// A ring whose ends are not taken yet.
pub(super) struct Ring<E: Ends> {
    producer: Mutex<Option<E::In>>,
    consumer: Mutex<Option<E::Out>>,
}

impl<E: Ends> Queue for Ring<E> {
    fn new(capacity: Option<usize>) -> Self {
        let (producer, consumer) = E::new(capacity.expect("it has a bound"));
        Self {
            producer: Mutex::new(Some(producer)),
            consumer: Mutex::new(Some(consumer)),
        }
    }

    fn producer(&self) -> impl Push + '_ {
        take(&self.producer)
    }

    fn consumer(&self) -> impl Pop + '_ {
        take(&self.consumer)
    }
}

fn take<T>(end: &Mutex<Option<T>>) -> T {
    let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
    end.take()
        .expect("a ring has one producer and one consumer")
}

/// Batches through slices of an array of the caller's.
pub(super) struct RtrbRing;

/// Batches through slices of an array of the caller's.
pub(super) struct EngineRing;

/// Batches through the iterators of chunks.
pub(super) struct Chunks<R>(R);

/// Batches through the calls that the other queues have for them.
pub(super) struct Vectors<R>(R);

/// No calls for batches.
pub(super) struct CrossfireRing;

fn batch(first: u64) -> [u64; BATCH] {
    std::array::from_fn(|n| first + n as u64)
}

impl Ends for RtrbRing {
    type In = rtrb::Producer<u64>;
    type Out = rtrb::Consumer<u64>;

    fn new(capacity: usize) -> (Self::In, Self::Out) {
        rtrb::RingBuffer::new(capacity)
    }
}

impl Push for rtrb::Producer<u64> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.push(item).is_ok()
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        self.push_partial_slice(&batch(first)).0.len()
    }
}

impl Pop for rtrb::Consumer<u64> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.pop().ok()
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let mut items = [0; BATCH];
        let popped = self.pop_partial_slice(&mut items).0;
        popped.iter().copied().for_each(each);
        popped.len()
    }
}

impl Ends for Chunks<RtrbRing> {
    type In = Chunks<rtrb::Producer<u64>>;
    type Out = Chunks<rtrb::Consumer<u64>>;

    fn new(capacity: usize) -> (Self::In, Self::Out) {
        let (producer, consumer) = rtrb::RingBuffer::new(capacity);
        (Chunks(producer), Chunks(consumer))
    }
}

impl Push for Chunks<rtrb::Producer<u64>> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.0.push(item).is_ok()
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        let count = self.0.slots().min(BATCH);
        let chunk = self.0.write_chunk_uninit(count).expect("so many");
        chunk.fill_from_iter(batch(first))
    }
}

impl Pop for Chunks<rtrb::Consumer<u64>> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.0.pop().ok()
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let count = self.0.slots().min(BATCH);
        let chunk = self.0.read_chunk(count).expect("so many");
        chunk.into_iter().for_each(each);
        count
    }
}

impl Ends for EngineRing {
    type In = engine_queue::spsc::Producer<u64>;
    type Out = engine_queue::spsc::Consumer<u64>;

    fn new(capacity: usize) -> (Self::In, Self::Out) {
        engine_queue::spsc::channel(capacity)
    }
}

impl Push for engine_queue::spsc::Producer<u64> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.push(item).is_ok()
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        self.push_slice(&batch(first))
    }
}

impl Pop for engine_queue::spsc::Consumer<u64> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.pop()
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let mut items = [0; BATCH];
        let count = self.pop_slice(&mut items);
        items[..count].iter().copied().for_each(each);
        count
    }
}

impl Ends for Vectors<EngineRing> {
    type In = Vectors<engine_queue::spsc::Producer<u64>>;
    type Out = (engine_queue::spsc::Consumer<u64>, Vec<u64>);

    fn new(capacity: usize) -> (Self::In, Self::Out) {
        let (producer, consumer) = engine_queue::spsc::channel(capacity);
        (Vectors(producer), (consumer, Vec::with_capacity(BATCH)))
    }
}

impl Push for Vectors<engine_queue::spsc::Producer<u64>> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.0.push(item).is_ok()
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        self.0.push_iter(batch(first))
    }
}

impl Pop for (engine_queue::spsc::Consumer<u64>, Vec<u64>) {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.0.pop()
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let (consumer, items) = self;
        let count = consumer.pop_batch(items, BATCH);
        items.drain(..).for_each(each);
        count
    }
}

type Crossfire = crossfire::spsc::Array<u64>;

impl Ends for CrossfireRing {
    type In = crossfire::Tx<Crossfire>;
    type Out = crossfire::Rx<Crossfire>;

    fn new(capacity: usize) -> (Self::In, Self::Out) {
        crossfire::spsc::bounded_blocking(capacity)
    }
}

impl Push for crossfire::Tx<Crossfire> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.try_send(item).is_ok()
    }
}

impl Pop for crossfire::Rx<Crossfire> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        self.try_recv().ok()
    }
}
