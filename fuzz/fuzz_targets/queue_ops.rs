//! Sequences of operations on `ArrayQueue` and `SegQueue`, on one thread, against
//! `VecDeque`.
//!
//! Items are boxes: AddressSanitizer sees one that is dropped twice or used after
//! its drop, LeakSanitizer one that is never dropped.

#![no_main]

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
                        assert_eq!(in_array.len(), capacity, "refused, with room");
                    }
                }
            }
            Op::ForcePush => {
                let item = item();
                let full = in_array.len() == capacity;
                let oldest = if full { in_array.pop_front() } else { None };
                let displaced = array.force_push(Box::new(item));
                assert_eq!(displaced.map(|item| *item), oldest);
                in_array.push_back(item);
            }
            Op::Pop => assert_eq!(array.pop().map(|item| *item), in_array.pop_front()),
            Op::PopMut => assert_eq!(array.pop_mut().map(|item| *item), in_array.pop_front()),
            Op::SegPush => {
                let item = item();
                seg.push(Box::new(item));
                in_seg.push_back(item);
            }
            Op::SegPushMut => {
                let item = item();
                seg.push_mut(Box::new(item));
                in_seg.push_back(item);
            }
            Op::SegPushBatch(count) => {
                let items: Vec<u32> = (0..count % 80).map(|_| item()).collect();
                seg.push_batch(items.iter().copied().map(Box::new).collect());
                in_seg.extend(items);
            }
            Op::SegPop => assert_eq!(seg.pop().map(|item| *item), in_seg.pop_front()),
            Op::SegPopMut => assert_eq!(seg.pop_mut().map(|item| *item), in_seg.pop_front()),
        }
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
