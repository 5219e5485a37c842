//! Sequences of operations on both ends of an `spsc` queue, on one thread, against
//! `VecDeque`.
//!
//! Items are boxes: AddressSanitizer sees one that is dropped twice or used after
//! its drop, LeakSanitizer one that is never dropped.

#![no_main]

use std::collections::VecDeque;
use std::mem;

use arbitrary::Arbitrary;
use engine_queue::spsc::{self, TooFewSlots};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Push,
    PushBatch(u8),
    /// Asks for so many slots and fills so many.
    Write(u8, u8),
    LeakWrite(u8),
    Pop,
    PopBatch(u8),
    Peek,
    /// Asks for so many items and commits so many.
    Read(u8, u8),
    /// Asks for so many items, takes so many from the iterator, and leaks it.
    Leak(u8, u8),
    DropProducer,
}

#[derive(Arbitrary, Debug)]
struct Input {
    capacity: u8,
    ops: Vec<Op>,
}

fuzz_target!(|input: Input| {
    let capacity = usize::from(input.capacity % 20) + 1;
    let (producer, mut consumer) = spsc::channel::<Box<u32>>(capacity);
    let mut producer = Some(producer);
    let mut model = VecDeque::new();
    // Slots that a leaked iterator has emptied and not given back.
    let mut kept = 0;
    let mut next = 0..;

    for op in &input.ops {
        let room = capacity - model.len() - kept;
        match (op, &mut producer) {
            (Op::Push, Some(producer)) => {
                let item = next.next().unwrap();
                match producer.push(Box::new(item)) {
                    Ok(()) => model.push_back(item),
                    Err(back) => assert_eq!((*back, room), (item, 0), "refused, with room"),
                }
            }
            (Op::PushBatch(count), Some(producer)) => {
                let count = usize::from(count % 30);
                let first = next.start;
                let pushed = producer.push_iter(next.by_ref().take(count).map(Box::new));
                assert_eq!(pushed, count.min(room));
                assert_eq!(next.start, first + pushed as u32, "taken, and not pushed");
                model.extend(first..next.start);
            }
            (Op::Write(asked, fill), Some(producer)) => {
                let (asked, fill) = (usize::from(asked % 30), usize::from(fill % 30));
                match producer.write_chunk(asked) {
                    Ok(chunk) => {
                        assert!(asked <= room);
                        let first = next.start;
                        let filled = chunk.fill(next.by_ref().take(fill).map(Box::new));
                        assert_eq!(filled, fill.min(asked));
                        model.extend(first..next.start);
                    }
                    Err(TooFewSlots(slots)) => assert_eq!((slots, asked > room), (room, true)),
                }
            }
            (Op::LeakWrite(asked), Some(producer)) => {
                if let Ok(chunk) = producer.write_chunk(usize::from(asked % 30)) {
                    let _not_committed = chunk;
                }
            }
            (Op::Push | Op::PushBatch(_) | Op::Write(..) | Op::LeakWrite(_), None) => {}
            (Op::Pop, _) => {
                let popped = consumer.pop().map(|item| *item);
                assert_eq!(popped, model.pop_front());
                kept = 0;
            }
            (Op::PopBatch(max), _) => {
                let max = usize::from(max % 30);
                let mut taken = Vec::new();
                let count = consumer.pop_batch(&mut taken, max);
                assert_eq!(count, max.min(model.len()));
                assert!(taken.into_iter().map(|item| *item).eq(model.drain(..count)));
                kept = 0;
            }
            (Op::Peek, _) => {
                assert_eq!(consumer.peek().map(|item| **item), model.front().copied());
                kept = producer
                    .as_ref()
                    .map_or(kept, |p| capacity - p.slots() - model.len());
            }
            (Op::Read(asked, commit), _) => {
                let (asked, commit) = (usize::from(asked % 30), usize::from(commit % 30));
                match consumer.read_chunk(asked) {
                    Ok(chunk) => {
                        assert!(asked <= model.len());
                        let (first, second) = chunk.as_slices();
                        let items = first.iter().chain(second).map(|item| **item);
                        assert!(items.eq(model.iter().copied().take(asked)));
                        let commit = commit.min(asked);
                        chunk.commit(commit);
                        model.drain(..commit);
                        kept = 0;
                    }
                    Err(TooFewSlots(slots)) => {
                        assert_eq!(slots, model.len());
                        kept = 0;
                    }
                }
            }
            (Op::Leak(asked, take), _) => {
                let asked = usize::from(asked % 30);
                if let Ok(chunk) = consumer.read_chunk(asked) {
                    let mut items = chunk.into_iter();
                    let taken: Vec<_> = items.by_ref().take(usize::from(take % 30)).collect();
                    mem::forget(items);
                    kept += taken.len();
                    let count = taken.len();
                    assert!(taken.into_iter().map(|item| *item).eq(model.drain(..count)));
                }
                kept = producer
                    .as_ref()
                    .map_or(kept, |p| capacity - p.slots() - model.len());
            }
            (Op::DropProducer, _) => drop(producer.take()),
        }
        assert_eq!(consumer.slots(), model.len());
        assert_eq!(consumer.is_empty(), model.is_empty());
        assert_eq!(consumer.is_abandoned(), producer.is_none());
        if let Some(producer) = &producer {
            assert_eq!(producer.slots(), capacity - model.len() - kept);
            assert_eq!(producer.is_full(), model.len() + kept == capacity);
        }
    }
});
