//! Sequences of operations on a `LaneQueue` by several handles, on one thread, against
//! what it promises: order for each producer, bounded disorder, exact `None` and `len`.
//!
//! Items are boxes: AddressSanitizer sees one that is dropped twice or used after
//! its drop, LeakSanitizer one that is never dropped.

#![no_main]

use arbitrary::Arbitrary;
use engine_queue::PushError;
use engine_queue::lane_queue::{Consumer, Producer};
use engine_queue::{LaneOptions, LaneQueue};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Push(u8),
    PushBatch(u8, u8),
    Pop(u8),
    PopBatch(u8, u8),
    NewProducer(u8),
    NewConsumer(u8),
    DropProducer(u8),
    DropConsumer(u8),
    Close,
}

#[derive(Arbitrary, Debug)]
struct Input {
    widths: (u8, u8),
    slots: u8,
    max_segments: Option<u8>,
    ops: Vec<Op>,
    /// How the rest goes: by value, or dropped inside.
    iterate: bool,
}

/// An item: its producer and its number.
type Item = (u32, u32);

struct Machine {
    queue: LaneQueue<Box<Item>>,
    producers: Vec<(u32, Producer<Box<Item>>)>,
    consumers: Vec<Consumer<Box<Item>>>,
    /// What is inside, in the order of the pushes.
    inside: Vec<Item>,
    /// The most items that a pop may pass.
    disorder: usize,
    limit: usize,
    made: u32,
    next: u32,
}

fn pick<T>(items: &mut [T], index: u8) -> Option<&mut T> {
    let len = items.len();
    (len > 0).then(|| &mut items[usize::from(index) % len])
}

impl Machine {
    fn new(input: &Input) -> Self {
        let slots = usize::from(input.slots % 8) + 1;
        let min = usize::from(input.widths.0 % 4) + 1;
        let max = min + usize::from(input.widths.1 % 4);
        let limit = input
            .max_segments
            .map_or(usize::MAX, |limit| usize::from(limit % 4) + 2);
        let options = LaneOptions::new()
            .min_width(min)
            .max_width(max)
            .lane_slots(slots)
            .max_segments(limit);
        Self {
            queue: options.build(),
            producers: Vec::new(),
            consumers: Vec::new(),
            inside: Vec::new(),
            disorder: (max - 1) * slots,
            limit,
            made: 0,
            next: 0,
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Push(producer) => {
                self.next += 1;
                let closed = self.queue.is_closed();
                let Some((me, producer)) = pick(&mut self.producers, producer) else {
                    return;
                };
                let item = (*me, self.next);
                match producer.try_push(Box::new(item)) {
                    Ok(()) => {
                        assert!(!closed);
                        self.inside.push(item);
                    }
                    Err(PushError::Closed(back)) => assert!(closed && *back == item),
                    Err(PushError::Full(back)) => {
                        assert!(!closed && *back == item);
                        assert_eq!(self.queue.stats().segments, self.limit);
                    }
                }
            }
            Op::PushBatch(producer, count) => {
                let first = self.next + 1;
                let count = u32::from(count % 40);
                self.next += count;
                let Some((me, producer)) = pick(&mut self.producers, producer) else {
                    return;
                };
                let items: Vec<Item> = (first..first + count).map(|n| (*me, n)).collect();
                let mut rest: Vec<_> = items.iter().copied().map(Box::new).collect();
                let pushed = producer.push_batch(&mut rest);
                assert_eq!(pushed.is_ok(), rest.is_empty());
                let (before, last) = items.split_at(items.len() - rest.len());
                assert!(rest.iter().map(|item| **item).eq(last.iter().copied()));
                self.inside.extend(before);
            }
            Op::Pop(consumer) => {
                if let Some(consumer) = pick(&mut self.consumers, consumer) {
                    let item = consumer.pop();
                    match item {
                        Some(item) => self.popped(*item),
                        None => assert!(self.inside.is_empty(), "not empty"),
                    }
                }
            }
            Op::PopBatch(consumer, most) => {
                let most = usize::from(most % 10);
                if let Some(consumer) = pick(&mut self.consumers, consumer) {
                    let mut taken = Vec::new();
                    let count = consumer.pop_batch(&mut taken, most);
                    assert!(count == taken.len() && count <= most);
                    assert!(count > 0 || most == 0 || self.inside.is_empty());
                    taken.into_iter().for_each(|item| self.popped(*item));
                }
            }
            Op::NewProducer(from) => {
                self.made += 1;
                let producer = match pick(&mut self.producers, from) {
                    Some((_, producer)) if from >= 128 => producer.clone(),
                    _ => self.queue.producer(),
                };
                self.producers.push((self.made, producer));
            }
            Op::NewConsumer(from) => {
                let consumer = match pick(&mut self.consumers, from) {
                    Some(consumer) if from >= 128 => consumer.clone(),
                    _ => self.queue.consumer(),
                };
                self.consumers.push(consumer);
            }
            Op::DropProducer(producer) => {
                if !self.producers.is_empty() {
                    let index = usize::from(producer) % self.producers.len();
                    self.producers.swap_remove(index);
                }
            }
            Op::DropConsumer(consumer) => {
                if !self.consumers.is_empty() {
                    let index = usize::from(consumer) % self.consumers.len();
                    self.consumers.swap_remove(index);
                }
            }
            Op::Close => {
                let was_closed = self.queue.is_closed();
                assert_eq!(self.queue.close(), !was_closed);
            }
        }
        assert_eq!(self.queue.len(), self.inside.len());
        assert_eq!(self.queue.is_empty(), self.inside.is_empty());
        let stats = self.queue.stats();
        assert!(stats.segments <= self.limit);
        assert_eq!((stats.cas_failures, stats.burned), (0, 0), "one thread");
        // The list, one for each handle, what is kept for use.
        let bound = stats.segments + self.producers.len() + self.consumers.len() + 4;
        assert!(stats.allocated_segments <= bound, "{stats:?}");
    }

    fn popped(&mut self, item: Item) {
        let passed = self.inside.iter().position(|&other| other == item);
        let passed = passed.expect("popped twice, or never pushed");
        assert!(passed <= self.disorder, "passed {passed}");
        let first = self.inside.iter().find(|other| other.0 == item.0);
        assert_eq!(first, Some(&item), "out of its producer's order");
        self.inside.remove(passed);
    }
}

fuzz_target!(|input: Input| {
    let mut machine = Machine::new(&input);
    machine.apply(&Op::NewProducer(0));
    machine.apply(&Op::NewConsumer(0));
    input.ops.iter().for_each(|op| machine.apply(op));
    if input.iterate {
        let mut consumer = machine.queue.consumer();
        while let Some(item) = consumer.pop() {
            machine.popped(*item);
        }
        assert!(machine.inside.is_empty());
    }
});
