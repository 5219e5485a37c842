//! Sequences of operations on `ArrayQueue` and `SegQueue`, on one thread, against
//! `VecDeque`.
//!
//! Items are boxes: AddressSanitizer sees one that is dropped twice or used after
//! its drop, LeakSanitizer one that is never dropped.

#![no_main]

use std::cell::Cell;
use std::collections::VecDeque;

use arbitrary::Arbitrary;
use engine_queue::{ArrayQueue, SegQueue};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Push,
    PushMut,
    ForcePush,
    Pop,
    PopMut,
    SegPush,
    SegPushMut,
    SegPushBatch(u8),
    SegPop,
    SegPopMut,
    PushBatch(u8),
    PopBatch(u8),
    SegPopBatch(u8),
    Drain(u8),
    SegDrain(u8),
    Close,
    SegClose,
}

#[derive(Arbitrary, Debug)]
struct Input {
    capacity: u8,
    ops: Vec<Op>,
    /// How the rest goes: by value, in order, or dropped inside.
    iterate: bool,
}

fuzz_target!(|input: Input| {
    let capacity = usize::from(input.capacity % 20) + 1;
    let mut array: ArrayQueue<Box<u32>> = ArrayQueue::new(capacity);
    let mut in_array = VecDeque::new();
    let mut seg: SegQueue<Box<u32>> = SegQueue::new();
    let mut in_seg = VecDeque::new();
    let (array_closed, seg_closed) = (Cell::new(false), Cell::new(false));
    let mut next = 0;
    let mut item = || {
        next += 1;
        next
    };

    for op in &input.ops {
        match op {
            Op::Push | Op::PushMut => {
                let item = item();
                let boxed = Box::new(item);
                let pushed = match op {
                    Op::Push => array.push(boxed),
                    _ => array.push_mut(boxed),
                };
                match pushed {
                    Ok(()) => in_array.push_back(item),
                    Err(back) => {
                        assert_eq!(*back, item);
                        let full = in_array.len() == capacity;
                        assert!(full || array.is_closed(), "refused, with room");
                    }
                }
            }
            Op::PushBatch(count) => {
                let mut items: Vec<_> = (0..count % 30).map(|_| Box::new(item())).collect();
                let all: Vec<u32> = items.iter().map(|item| **item).collect();
                let room = if array.is_closed() {
                    0
                } else {
                    capacity - in_array.len()
                };
                let pushed = array.push_batch(&mut items);
                assert!(
                    items
                        .iter()
                        .map(|item| **item)
                        .eq(all.iter().copied().skip(room))
                );
                assert_eq!(pushed.is_ok(), items.is_empty());
                in_array.extend(all.into_iter().take(room));
            }
            Op::PopBatch(max) => {
                let mut out = Vec::new();
                let popped = array.pop_batch(&mut out, usize::from(*max));
                assert_eq!(popped, out.len());
                let expected = in_array.drain(..in_array.len().min(usize::from(*max)));
                assert!(out.into_iter().map(|item| *item).eq(expected));
            }
            Op::SegPopBatch(max) => {
                let mut out = Vec::new();
                let popped = seg.pop_batch(&mut out, usize::from(*max));
                assert_eq!(popped, out.len());
                let expected = in_seg.drain(..in_seg.len().min(usize::from(*max)));
                assert!(out.into_iter().map(|item| *item).eq(expected));
            }
            Op::Drain(stop) => {
                let stop = usize::from(*stop);
                let expected = in_array.drain(..in_array.len().min(stop));
                assert!(array.drain().take(stop).map(|item| *item).eq(expected));
            }
            Op::SegDrain(stop) => {
                let stop = usize::from(*stop);
                let expected = in_seg.drain(..in_seg.len().min(stop));
                assert!(seg.drain().take(stop).map(|item| *item).eq(expected));
            }
            Op::Close => assert_eq!(array.close(), !array_closed.replace(true)),
            Op::SegClose => assert_eq!(seg.close(), !seg_closed.replace(true)),
            Op::ForcePush => {
                let item = item();
                let displaced = array.force_push(Box::new(item)).map(|item| *item);
                if array.is_closed() {
                    assert_eq!(displaced, Some(item));
                } else {
                    let full = in_array.len() == capacity;
                    assert_eq!(displaced, if full { in_array.pop_front() } else { None });
                    in_array.push_back(item);
                }
            }
            Op::Pop => assert_eq!(array.pop().map(|item| *item), in_array.pop_front()),
            Op::PopMut => assert_eq!(array.pop_mut().map(|item| *item), in_array.pop_front()),
            Op::SegPush => {
                let item = item();
                match seg.try_push(Box::new(item)) {
                    Ok(()) => in_seg.push_back(item),
                    Err(error) => assert!(seg.is_closed() && *error.into_inner() == item),
                }
            }
            Op::SegPushMut => {
                if !seg.is_closed() {
                    let item = item();
                    seg.push_mut(Box::new(item));
                    in_seg.push_back(item);
                }
            }
            Op::SegPushBatch(count) => {
                let items: Vec<u32> = (0..count % 80).map(|_| item()).collect();
                let mut batch = items.iter().copied().map(Box::new).collect::<Vec<_>>();
                if seg.push_batch(&mut batch).is_ok() {
                    assert!(batch.is_empty());
                    in_seg.extend(items);
                } else {
                    assert!(seg.is_closed() && batch.len() == items.len());
                }
            }
            Op::SegPop => assert_eq!(seg.pop().map(|item| *item), in_seg.pop_front()),
            Op::SegPopMut => assert_eq!(seg.pop_mut().map(|item| *item), in_seg.pop_front()),
        }
        assert_eq!(array.is_closed(), array_closed.get());
        assert_eq!(seg.is_closed(), seg_closed.get());
        assert_eq!(array.len(), in_array.len());
        assert!(in_array.len() <= capacity);
        assert_eq!(array.is_empty(), in_array.is_empty());
        assert_eq!(array.is_full(), in_array.len() == capacity);
        assert_eq!(array.capacity(), capacity);
        assert_eq!(seg.len(), in_seg.len());
        assert_eq!(seg.is_empty(), in_seg.is_empty());
    }

    if input.iterate {
        assert!(array.into_iter().map(|item| *item).eq(in_array));
        assert!(seg.into_iter().map(|item| *item).eq(in_seg));
    }
});
