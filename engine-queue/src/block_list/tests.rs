//! The arithmetic of the indices, also in use, and which blocks are held.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::vec::Vec;

use engine_atomic::sync::atomic::Ordering::Relaxed;

use super::index::{Index, Next, Word};
use super::{Attempt, BlockList, live};

const CAP: usize = 31;
type List = BlockList<usize, CAP>;

/// The index of the `n`th slot of the list, counted from `start`.
fn nth(start: Index<CAP>, n: usize) -> Index<CAP> {
    let mut index = start;
    for _ in 0..n {
        index = index.advanced(1);
        if index.offset() == CAP {
            index = index.next_block();
        }
    }
    index
}

/// The first slots of the list, and the last before the index wraps.
fn starts() -> [Index<CAP>; 2] {
    // Two blocks before the end.
    let last = Index(!0 - (4 * (CAP + 1) - 1) as Word).with_next(Next::NotSeen);
    assert_eq!(last.offset(), 0);
    [Index::START, last]
}

#[test]
fn items_are_counted_without_the_block_ends() {
    for start in starts() {
        for head in 0..3 * CAP {
            for tail in head..3 * CAP {
                let (head_index, tail_index) = (nth(start, head), nth(start, tail));
                assert_eq!(tail_index.items_since(head_index), tail - head);
                assert_eq!(tail_index.is_after(head_index), tail > head);
                assert_eq!(head_index.items_since(tail_index), 0);
                let same = head / CAP == tail / CAP;
                assert_eq!(head_index.same_block(tail_index), same);
            }
        }
    }
}

/// An end that stands on the position without a slot counts as the next block.
#[test]
fn items_are_counted_during_a_block_change() {
    for start in starts() {
        let end = start.advanced(CAP);
        assert_eq!(end.offset(), CAP);
        assert_eq!(end.items_since(start), CAP);
        assert_eq!(end.next_block().items_since(start), CAP);
        assert_eq!(end.next_block().items_since(end), 0);
        assert_eq!(end.next_block().advanced(2).items_since(end), 2);
    }
}

#[test]
fn the_bit_is_kept_out_of_the_position() {
    let head: Index<CAP> = Index::START.advanced(3).with_next(Next::Seen);
    assert_eq!(head.next(), Next::Seen);
    assert_eq!(head.advanced(2).next(), Next::Seen);
    assert_eq!(head.advanced(2).offset(), 5);
    assert!(!head.is_after(head.with_next(Next::NotSeen)));
    assert_eq!(
        head.advanced(2).items_since(head.with_next(Next::NotSeen)),
        2
    );
    assert_eq!(head.advanced(CAP - 3).next_block().next(), Next::NotSeen);
    assert_eq!(
        std::format!("{head:?}"),
        "Index { block: 0, offset: 3, flag: 1 }"
    );
}

/// As many as the blocks that `changes` changes leave behind.
fn pop_blocks(list: &List, changes: usize) {
    for item in 0..changes * CAP {
        list.push(item).unwrap();
        list.pop().unwrap();
    }
}

/// A thread that stops in a pop holds the block that it pops from, and no other.
#[test]
fn a_stopped_popper_holds_one_block() {
    let before = live::count();
    let list = List::new();
    list.push(0).unwrap();
    let Attempt::Claimed(stopped) = list.claim(0, |_, _| 1) else {
        panic!("there is an item");
    };
    pop_blocks(&list, 1);
    for _ in 0..10 {
        pop_blocks(&list, 1);
        // The held one, the one in use, and the one that is kept.
        assert_eq!(live::count() - before, 3);
    }
    // SAFETY: the one item of the claim, once.
    assert_eq!(unsafe { stopped.take(0) }, 0);
    drop(stopped);
    // Found at the next change.
    pop_blocks(&list, 2);
    assert_eq!(live::count() - before, 2);
    drop(list);
    assert_eq!(live::count(), before);
}

/// Blocks that are held when the list is dropped, because their poppers left unseen.
#[test]
fn the_list_frees_what_it_holds() {
    let before = live::count();
    let list = List::new();
    for _ in 0..3 {
        list.push(0).unwrap();
        let Attempt::Claimed(claim) = list.claim(0, |_, _| 1) else {
            panic!("there is an item");
        };
        pop_blocks(&list, 2);
        // SAFETY: the one item of the claim, once.
        unsafe { claim.take(0) };
    }
    drop(list);
    assert_eq!(live::count(), before);
}

/// A list that stands two blocks before its indices wrap.
fn before_the_wrap() -> List {
    let list = List::new();
    let [_, start] = starts();
    list.head.index.store(start.0, Relaxed);
    list.tail.index.store(start.0, Relaxed);
    list
}

#[test]
fn over_the_wrap_alone() {
    let before = live::count();
    let list = before_the_wrap();
    for (pushed, popped) in [(1, 0), (40, 30), (50, 2), (0, 59), (100, 100)] {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let len = list.len();
        for _ in 0..pushed {
            list.push(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap();
        }
        assert_eq!(list.len(), len + pushed);
        let first = NEXT.load(Ordering::Relaxed) - list.len();
        for n in 0..popped {
            assert_eq!(list.pop(), Some(first + n));
        }
        assert_eq!(list.is_empty(), len + pushed == popped);
    }
    assert_eq!(list.pop(), None);
    drop(list);
    assert_eq!(live::count(), before);
}

/// Many times, so that threads meet at the wrap.
#[test]
fn over_the_wrap_together() {
    const EACH: usize = 2 * CAP;
    for _ in 0..if cfg!(miri) { 2 } else { 200 } {
        let list = before_the_wrap();
        let popped = AtomicUsize::new(0);
        let mut taken: Vec<usize> = thread::scope(|scope| {
            for producer in 0..2 {
                let list = &list;
                scope.spawn(move || {
                    (0..EACH).for_each(|n| list.push(producer << 16 | n).unwrap());
                });
            }
            let poppers = [(); 2].map(|()| {
                scope.spawn(|| {
                    let mut taken = Vec::new();
                    while popped.load(Ordering::Relaxed) < 2 * EACH {
                        match list.pop() {
                            Some(item) => {
                                taken.push(item);
                                popped.fetch_add(1, Ordering::Relaxed);
                            }
                            None => thread::yield_now(),
                        }
                    }
                    for producer in 0..2 {
                        let own = taken.iter().filter(|&&item| item >> 16 == producer);
                        assert!(own.is_sorted(), "out of order");
                    }
                    taken
                })
            });
            poppers
                .into_iter()
                .flat_map(|popper| popper.join().unwrap())
                .collect()
        });
        taken.sort_unstable();
        let all = (0..2).flat_map(|producer| (0..EACH).map(move |n| producer << 16 | n));
        assert!(taken.into_iter().eq(all), "not each once");
        assert_eq!((list.len(), list.pop()), (0, None));
    }
}
