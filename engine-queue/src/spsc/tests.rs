//! One thread: sizes, positions that wrap, panics, and what is leaked.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec::Vec;
use std::{mem, panic};

use super::*;

/// Counts its drops, and panics in that of the one that it is told.
struct Fragile<'a> {
    number: usize,
    dropped: &'a Cell<usize>,
    bad: usize,
}

impl Drop for Fragile<'_> {
    fn drop(&mut self) {
        self.dropped.set(self.dropped.get() + 1);
        assert_ne!(self.number, self.bad, "a bad drop");
    }
}

fn panics<R>(f: impl FnOnce() -> R) -> bool {
    let hook = panic::take_hook();
    panic::set_hook(std::boxed::Box::new(|_| ()));
    let result = catch_unwind(AssertUnwindSafe(f));
    panic::set_hook(hook);
    result.is_err()
}

#[test]
fn capacities() {
    assert!(panics(|| channel::<u8>(0)));
    assert!(panics(|| channel::<u64>(usize::MAX / 8)));
    assert!(panics(|| channel::<u8>(usize::MAX)));
    // Not of the slots that there are, but as it was asked for.
    for capacity in [1, 2, 3, 5, 8, 100] {
        let (mut producer, mut consumer) = channel(capacity);
        assert_eq!(
            (producer.capacity(), consumer.capacity()),
            (capacity, capacity)
        );
        for round in 0..3 {
            for n in 0..capacity {
                assert_eq!(producer.slots(), capacity - n);
                assert_eq!(producer.push(n + round), Ok(()));
                assert_eq!(consumer.slots(), n + 1);
            }
            assert!(producer.is_full() && !consumer.is_empty());
            assert_eq!(producer.push(9), Err(9));
            assert_eq!(producer.push_iter([9]), 0);
            for n in 0..capacity {
                assert_eq!(consumer.peek(), Some(&(n + round)));
                assert_eq!(consumer.pop(), Some(n + round));
            }
            assert!(consumer.is_empty() && !producer.is_full());
            assert_eq!(consumer.pop(), None);
            assert_eq!(consumer.peek(), None);
        }
    }
}

/// Full, empty and the batches at every place that the positions can have when they wrap.
#[test]
fn positions_wrap() {
    for capacity in 1..6_usize {
        for before in 0..12 {
            let (mut producer, mut consumer) = starting_at(capacity, usize::MAX - before);
            let (mut next, mut wanted) = (0.., 0..);
            for round in 1..8 {
                let wish = round % 4 + 1;
                // What there is no room for stays in the iterator.
                let fits = producer.push_iter(next.by_ref().take(wish));
                assert_eq!(fits, wish.min(capacity));
                assert_eq!(producer.is_full(), fits == capacity);
                assert_eq!(consumer.slots(), fits);
                let mut taken = Vec::new();
                assert_eq!(consumer.pop_batch(&mut taken, 9), fits);
                assert!(taken.into_iter().eq(wanted.by_ref().take(fits)));
                assert!(consumer.is_empty());
            }
        }
    }
}

#[test]
fn size_zero() {
    let (mut producer, mut consumer) = channel::<()>(3);
    assert_eq!(producer.push_iter([(); 5]), 3);
    assert_eq!(producer.push(()), Err(()));
    assert_eq!(consumer.pop(), Some(()));
    assert_eq!(producer.push_slice(&[(), ()]), 1);
    let chunk = consumer.read_chunk(3).unwrap();
    let (first, second) = chunk.as_slices();
    assert_eq!(first.len() + second.len(), 3);
    chunk.commit(2);
    let mut rest = Vec::new();
    assert_eq!(consumer.pop_batch(&mut rest, 9), 1);

    struct Counted<'a>(&'a Cell<usize>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Cell::new(0);
    let (mut producer, consumer) = channel(2);
    assert_eq!(
        producer.push_iter([Counted(&dropped), Counted(&dropped)]),
        2
    );
    drop((producer, consumer));
    assert_eq!(dropped.get(), 2);
}

#[test]
fn big_items() {
    let (mut producer, mut consumer) = channel::<[u8; 32 * 1024]>(2);
    assert!(producer.push([1; 32 * 1024]).is_ok());
    assert!(producer.push([2; 32 * 1024]).is_ok());
    assert!(producer.push([3; 32 * 1024]).is_err());
    assert_eq!(consumer.pop().unwrap()[32_767], 1);
    assert_eq!(consumer.peek().unwrap()[0], 2);
}

#[test]
fn slices_over_the_end() {
    let (mut producer, mut consumer) = starting_at(4, usize::MAX - 2);
    assert_eq!(producer.push_slice(&[1, 2, 3, 4, 5]), 4);
    let mut items = [0; 3];
    assert_eq!(consumer.pop_slice(&mut items), 3);
    assert_eq!(items, [1, 2, 3]);
    assert_eq!(producer.push_slice(&[5, 6]), 2);
    let mut items = [0; 9];
    assert_eq!(consumer.pop_slice(&mut items), 3);
    assert_eq!(items, [4, 5, 6, 0, 0, 0, 0, 0, 0]);
    assert_eq!(consumer.pop_slice(&mut items), 0);
}

#[test]
fn chunks() {
    let (mut producer, mut consumer) = starting_at(4, usize::MAX);
    assert_eq!(producer.write_chunk(5).unwrap_err(), TooFewSlots(4));
    let mut chunk = producer.write_chunk(3).unwrap();
    let (first, second) = chunk.as_mut_slices();
    assert_eq!((first.len(), second.len()), (1, 2));
    first[0].write(10);
    second[0].write(11);
    // SAFETY: two are written.
    unsafe { chunk.commit(2) };
    assert_eq!((producer.slots(), consumer.slots()), (2, 2));
    assert_eq!(producer.write_chunk(2).unwrap().fill([12]), 1);
    assert_eq!(consumer.read_chunk(4).unwrap_err(), TooFewSlots(3));

    let mut chunk = consumer.read_chunk(3).unwrap();
    assert_eq!(chunk.as_slices(), (&[10][..], &[11, 12][..]));
    chunk.as_mut_slices().1[0] = 99;
    // It takes nothing by itself.
    drop(chunk);
    let mut items = consumer.read_chunk(3).unwrap().into_iter();
    assert_eq!(
        (items.len(), items.next(), items.next()),
        (3, Some(10), Some(99))
    );
    assert_eq!(producer.slots(), 1);
    drop(items);
    assert_eq!((producer.slots(), consumer.slots()), (3, 1));
    consumer.read_chunk(1).unwrap().commit(1);
    assert_eq!((producer.slots(), consumer.slots()), (4, 0));
    assert!(panics(|| consumer.read_chunk(0).unwrap().commit(1)));
    // SAFETY: it panics before that matters.
    assert!(panics(|| unsafe {
        producer.write_chunk(1).unwrap().commit(2)
    }));
}

#[test]
#[expect(clippy::forget_non_drop, reason = "should it ever have a drop")]
fn leaked_chunks_lose_nothing() {
    let token = Rc::new(());
    let (mut producer, mut consumer) = channel(2);
    mem::forget(producer.write_chunk(2).unwrap());
    assert_eq!(
        producer.push_iter([token.clone(), token.clone(), token.clone()]),
        2
    );
    mem::forget(consumer.read_chunk(2).unwrap());
    let mut items = consumer.read_chunk(2).unwrap().into_iter();
    drop(items.next());
    mem::forget(items);
    // One is taken, and not twice; its slot is not yet free.
    assert_eq!((consumer.slots(), producer.slots()), (1, 0));
    assert_eq!(Rc::strong_count(&token), 2);
    drop(consumer.pop());
    assert_eq!((consumer.slots(), producer.slots()), (0, 2));
    assert_eq!(Rc::strong_count(&token), 1);

    // The same, and the ends are dropped at once.
    producer.push(token.clone()).unwrap();
    producer.push(token.clone()).unwrap();
    let mut items = consumer.read_chunk(2).unwrap().into_iter();
    drop(items.next());
    mem::forget(items);
    drop((consumer, producer));
    assert_eq!(Rc::strong_count(&token), 1);
}

#[test]
fn an_iterator_that_panics_has_pushed_what_it_gave() {
    let (mut producer, mut consumer) = starting_at(4, usize::MAX);
    let mut items = (0..9).inspect(|&n| assert_ne!(n, 2, "a bad iterator"));
    assert!(panics(|| producer.push_iter(&mut items)));
    assert_eq!(producer.slots(), 2);
    assert_eq!(producer.push_iter(&mut items), 2);
    let mut taken = Vec::new();
    assert_eq!(consumer.pop_batch(&mut taken, 9), 4);
    assert_eq!(taken, [0, 1, 3, 4]);
}

/// One goes on after it has ended, one says that there is nothing.
#[test]
fn iterators_that_misbehave() {
    struct Odd(u32);
    impl Iterator for Odd {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            self.0 += 1;
            (self.0 != 3).then_some(self.0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (0, Some(usize::MAX))
        }
    }
    let (mut producer, mut consumer) = starting_at(4, usize::MAX);
    assert_eq!(producer.push_iter(Odd(0)), 2);
    let mut taken = Vec::new();
    consumer.pop_batch(&mut taken, 9);
    assert_eq!(taken, [1, 2]);
    // A hint of none: one is tried all the same.
    struct Shy;
    impl Iterator for Shy {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            Some(7)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (0, Some(0))
        }
    }
    assert_eq!(producer.push_iter(Shy), 1);
}

#[test]
fn a_drop_that_panics_stops_no_other() {
    let dropped = Cell::new(0);
    let fragile = |number| Fragile {
        number,
        dropped: &dropped,
        bad: 1,
    };
    let filled = || {
        let (mut producer, consumer) = starting_at(4, usize::MAX);
        assert_eq!(producer.push_iter((0..4).map(fragile)), 4);
        (producer, consumer)
    };
    // With the second end.
    let (producer, consumer) = filled();
    drop(consumer);
    assert_eq!(dropped.get(), 0);
    assert!(panics(|| drop(producer)));
    assert_eq!(dropped.take(), 4);
    // By a commit: three of them, and the fourth is still there.
    let (producer, mut consumer) = filled();
    assert!(panics(|| consumer.read_chunk(4).unwrap().commit(3)));
    assert_eq!((dropped.take(), producer.slots()), (3, 3));
    assert_eq!(consumer.pop().map(|item| item.number), Some(3));
}

#[test]
fn either_side_sees_the_other_leave() {
    let (mut producer, mut consumer) = channel(2);
    assert!(!producer.is_abandoned() && !consumer.is_abandoned());
    producer.push(1).unwrap();
    drop(producer);
    assert!(consumer.is_abandoned());
    assert_eq!((consumer.pop(), consumer.pop()), (Some(1), None));

    let (mut producer, consumer) = channel(1);
    drop(consumer);
    assert!(producer.is_abandoned());
    // It is a queue all the same.
    assert_eq!((producer.push(1), producer.push(2)), (Ok(()), Err(2)));
}

#[test]
fn an_end_is_three_words() {
    let word = mem::size_of::<usize>();
    assert_eq!(mem::size_of::<Producer<u8>>(), 3 * word);
    assert_eq!(mem::size_of::<Consumer<u8>>(), 3 * word);
}

#[test]
fn debug_says_what_each_side_knows() {
    let (mut producer, mut consumer) = channel(2);
    producer.push(5).unwrap();
    let text = std::format!("{producer:?} {consumer:?}");
    assert_eq!(
        text,
        "Producer { slots: 1, known_slots: 1, capacity: 2, is_abandoned: false } \
         Consumer { slots: 1, known_slots: 0, capacity: 2, is_abandoned: false }"
    );
    assert_eq!(std::format!("{:?}", consumer.read_chunk(1).unwrap()), "[5]");
    assert_eq!(
        std::format!("{}", TooFewSlots(3)),
        "only 3 slots are available"
    );
}
