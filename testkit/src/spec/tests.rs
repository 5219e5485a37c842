//! Histories by hand, broken queues, and histories at random.

use std::collections::VecDeque;
use std::sync::{Barrier, Mutex};
use std::thread;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::history::{Operation, Recorder};
use crate::linearizability::tests::{assert_is_linearization, by_hand};
use crate::linearizability::{Failure, Spec, check};

mod queues;
mod random;

type Recorded = Operation<Op, Ret>;

fn did(thread: usize, call: u64, end: u64, op: Op, ret: Ret) -> Recorded {
    Operation {
        thread,
        op,
        ret,
        call,
        end,
    }
}

fn push(thread: usize, call: u64, end: u64, item: Item) -> Recorded {
    did(thread, call, end, Op::Push(item), Ret::Done)
}

fn pop(thread: usize, call: u64, end: u64, item: Item) -> Recorded {
    did(thread, call, end, Op::Pop, Ret::Item(item))
}

fn empty(thread: usize, call: u64, end: u64) -> Recorded {
    did(thread, call, end, Op::Pop, Ret::Empty)
}

fn full(thread: usize, call: u64, end: u64) -> Recorded {
    did(thread, call, end, Op::Push(1_000 + call), Ret::Full)
}

fn verdict<S>(spec: &S, operations: impl IntoIterator<Item = Recorded>) -> bool
where
    S: Spec<Op = Op, Ret = Ret>,
{
    let history = History::of(operations);
    match check(spec, &history) {
        Ok(order) => {
            assert_is_linearization(spec, &history, &order);
            true
        }
        Err(Failure::NotLinearizable(_)) => false,
        Err(failure) => panic!("{failure:?}"),
    }
}

fn fifo(operations: impl IntoIterator<Item = Recorded>) -> bool {
    verdict(&Fifo::unbounded(), operations)
}

fn bounded(capacity: usize, operations: impl IntoIterator<Item = Recorded>) -> bool {
    verdict(&Fifo::bounded(capacity), operations)
}

// -------------------------------------------------------------------- by hand

#[test]
fn order_of_two_pushes() {
    assert!(fifo([
        push(0, 0, 1, 1),
        push(0, 2, 3, 2),
        pop(1, 4, 5, 1),
        pop(1, 6, 7, 2)
    ]));
    assert!(!fifo([
        push(0, 0, 1, 1),
        push(0, 2, 3, 2),
        pop(1, 4, 5, 2),
        pop(1, 6, 7, 1)
    ]));
    // Pushed side by side: either.
    assert!(fifo([
        push(0, 0, 3, 1),
        push(1, 1, 2, 2),
        pop(2, 4, 5, 2),
        pop(2, 6, 7, 1)
    ]));
    // Popped side by side: either.
    assert!(fifo([
        push(0, 0, 1, 1),
        push(0, 2, 3, 2),
        pop(1, 4, 7, 2),
        pop(2, 5, 6, 1)
    ]));
    assert!(fifo([
        push(0, 0, 1, 1),
        push(0, 2, 3, 2),
        pop(1, 4, 7, 1),
        pop(2, 5, 6, 2)
    ]));
    // The second is out, and the first never.
    assert!(!fifo([push(0, 0, 1, 1), push(0, 2, 3, 2), pop(1, 4, 5, 2)]));
}

#[test]
fn nothing_from_nowhere_and_nothing_twice() {
    assert!(!fifo([pop(0, 0, 1, 1)]));
    assert!(!fifo([pop(0, 0, 1, 1), push(1, 2, 3, 1)]));
    assert!(fifo([pop(0, 0, 9, 1), push(1, 2, 3, 1)]));
    assert!(!fifo([push(0, 0, 1, 1), pop(1, 2, 3, 1), pop(1, 4, 5, 1)]));
    assert!(!fifo([push(0, 0, 1, 1), pop(1, 2, 9, 1), pop(2, 2, 9, 1)]));
}

#[test]
fn empty_while_an_item_is_inside() {
    assert!(!fifo([push(0, 0, 1, 1), empty(1, 2, 3)]));
    assert!(fifo([push(0, 0, 2, 1), empty(1, 2, 3)]));
    assert!(!fifo([push(0, 0, 1, 1), empty(1, 2, 3), pop(1, 4, 5, 1)]));
    // Perhaps popped already.
    assert!(fifo([push(0, 0, 1, 1), empty(1, 2, 3), pop(2, 2, 5, 1)]));
    // Never without one: each is pushed before the one before it is popped.
    let chain = |overlap: u64| {
        fifo([
            push(0, 0, 1, 1),
            push(0, 5, 6, 2),
            pop(1, 6 + overlap, 8, 1),
            pop(1, 20, 21, 2),
            empty(2, 2, 19),
        ])
    };
    assert!(!chain(1));
    assert!(chain(0));
}

#[test]
fn full_with_room() {
    assert!(!bounded(1, [full(0, 0, 1)]));
    assert!(!bounded(2, [push(0, 0, 1, 1), full(0, 2, 3)]));
    assert!(bounded(
        2,
        [push(0, 0, 1, 1), push(1, 0, 9, 2), full(0, 2, 3)]
    ));
    assert!(bounded(
        1,
        [push(0, 0, 1, 1), full(0, 2, 3), pop(1, 2, 9, 1)]
    ));
    assert!(!bounded(
        1,
        [push(0, 0, 1, 1), pop(1, 2, 3, 1), full(0, 4, 5)]
    ));
    // At the very end of the pop, which is no later than the call.
    assert!(bounded(
        1,
        [push(0, 0, 1, 1), pop(1, 2, 5, 1), full(0, 5, 6)]
    ));
    // More than there is room for.
    assert!(!bounded(1, [push(0, 0, 1, 1), push(0, 2, 3, 2)]));
    assert!(bounded(
        1,
        [push(0, 0, 1, 1), push(0, 2, 3, 2), pop(1, 0, 9, 1)]
    ));
}

#[test]
fn force_push_takes_the_oldest_of_a_full_queue() {
    let forced = |call, end, item, ret| did(0, call, end, Op::ForcePush(item), ret);
    let two = [push(0, 0, 1, 1), push(0, 2, 3, 2)];
    let with = |more: &[Recorded]| bounded(2, two.iter().chain(more).cloned());
    assert!(with(&[
        forced(4, 5, 3, Ret::Item(1)),
        pop(0, 6, 7, 2),
        pop(0, 8, 9, 3)
    ]));
    assert!(!with(&[forced(4, 5, 3, Ret::Item(2))]));
    assert!(!with(&[forced(4, 5, 3, Ret::Done)]));
    assert!(with(&[forced(4, 9, 3, Ret::Done), pop(1, 5, 6, 1)]));
    assert!(with(&[forced(4, 9, 3, Ret::Item(1)), pop(1, 5, 6, 2)]));
    // It was not full.
    assert!(!with(&[pop(0, 4, 5, 1), forced(6, 7, 3, Ret::Item(2))]));
}

#[test]
fn a_batch_is_one_moment() {
    let batch = |call, end, items: &[Item], count| {
        did(
            0,
            call,
            end,
            Op::PushBatch(items.to_vec()),
            Ret::Count(count),
        )
    };
    let taken = |call, end, most, items: &[Item]| {
        did(1, call, end, Op::PopBatch(most), Ret::Items(items.to_vec()))
    };
    assert!(fifo([
        batch(0, 9, &[1, 2], 2),
        push(1, 0, 9, 5),
        pop(2, 10, 11, 1),
        pop(2, 12, 13, 2)
    ]));
    // Another's item in the middle.
    assert!(!fifo([
        batch(0, 9, &[1, 2], 2),
        push(1, 0, 9, 5),
        pop(2, 10, 11, 1),
        pop(2, 12, 13, 5)
    ]));
    assert!(!fifo([batch(0, 9, &[1, 2], 2), pop(2, 10, 11, 2)]));
    // As many as there is room for.
    assert!(bounded(
        2,
        [batch(0, 1, &[1, 2, 3], 2), taken(2, 3, 5, &[1, 2])]
    ));
    assert!(!bounded(2, [batch(0, 1, &[1, 2, 3], 3)]));
    assert!(!bounded(2, [batch(0, 1, &[1, 2, 3], 1)]));
    assert!(fifo([
        batch(0, 1, &[1, 2, 3], 3),
        taken(2, 3, 2, &[1, 2]),
        taken(4, 5, 2, &[3])
    ]));
    assert!(!fifo([batch(0, 1, &[1, 2, 3], 3), taken(2, 3, 2, &[1])]));
    assert!(!fifo([batch(0, 1, &[1, 2, 3], 3), taken(2, 3, 2, &[2, 1])]));
    assert!(!fifo([batch(0, 1, &[1], 1), taken(2, 3, 2, &[])]));
    assert!(fifo([taken(2, 3, 2, &[]), taken(4, 5, 0, &[])]));
}

#[test]
fn a_batch_may_be_short_where_that_is_said() {
    let batch = |count| did(0, 0, 1, Op::PushBatch(vec![1, 2, 3]), Ret::Count(count));
    let taken = |items: &[Item]| did(1, 2, 3, Op::PopBatch(2), Ret::Items(items.to_vec()));
    let short =
        |operations: Vec<Recorded>| verdict(&Fifo::bounded(2).with_short_batches(), operations);
    assert!(short(vec![batch(2), taken(&[1])]) && short(vec![batch(1), taken(&[1])]));
    assert!(!short(vec![batch(0)]) && !short(vec![batch(3)]));
    assert!(!short(vec![batch(2), taken(&[])]) && !short(vec![batch(2), taken(&[2])]));
}

#[test]
fn nothing_gets_in_after_the_close() {
    let close = |call, end| did(0, call, end, Op::Close, Ret::Done);
    let refused = |call, end| did(1, call, end, Op::Push(9), Ret::Closed);
    assert!(fifo([close(0, 1), refused(2, 3)]));
    assert!(fifo([close(0, 9), refused(2, 3)]));
    assert!(!fifo([refused(2, 3), close(4, 5)]));
    assert!(!fifo([close(0, 1), push(1, 2, 3, 1)]));
    assert!(fifo([
        close(0, 9),
        push(1, 2, 3, 1),
        close(10, 11),
        pop(1, 12, 13, 1),
        empty(1, 14, 15)
    ]));
    assert!(!fifo([close(0, 9), refused(2, 3), push(1, 4, 5, 1)]));
}

#[test]
fn len_is_of_one_moment() {
    let len = |call, end, count| did(2, call, end, Op::Len, Ret::Count(count));
    let with = |len| fifo([push(0, 0, 1, 1), pop(0, 4, 7, 1), push(0, 10, 13, 2), len]);
    assert!(with(len(5, 6, 0)) && with(len(5, 6, 1)) && !with(len(5, 6, 2)));
    assert!(!with(len(8, 9, 1)) && with(len(8, 9, 0)));
    assert!(!with(len(5, 11, 2)));
    assert!(with(len(2, 20, 0)) && !with(len(2, 3, 0)));
}

#[test]
fn deques() {
    let stolen = |call, end, item| did(1, call, end, Op::Steal, Ret::Item(item));
    let retry = did(2, 3, 4, Op::Steal, Ret::Retry);
    let lifo = |operations: Vec<Recorded>| verdict(&Deque::new(End::Back), operations);
    let front = |operations: Vec<Recorded>| verdict(&Deque::new(End::Front), operations);
    let two = || vec![push(0, 0, 1, 1), push(0, 2, 3, 2)];
    let with = |more: Vec<Recorded>| [two(), more].concat();
    assert!(lifo(with(vec![
        pop(0, 4, 5, 2),
        stolen(6, 7, 1),
        retry.clone()
    ])));
    assert!(!lifo(with(vec![pop(0, 4, 5, 1)])));
    assert!(!lifo(with(vec![pop(0, 4, 5, 1), stolen(5, 6, 2)])));
    assert!(lifo(with(vec![
        stolen(4, 9, 1),
        pop(0, 5, 6, 2),
        empty(0, 7, 8)
    ])));
    assert!(front(with(vec![pop(0, 4, 5, 1), stolen(6, 7, 2)])));
    assert!(!front(with(vec![pop(0, 4, 5, 2)])));
    // The last item goes to one of them.
    assert!(!lifo(vec![
        push(0, 0, 1, 1),
        pop(0, 2, 5, 1),
        stolen(2, 5, 1)
    ]));
    assert!(!lifo(vec![
        push(0, 0, 1, 1),
        did(1, 2, 3, Op::Steal, Ret::Empty)
    ]));
    let batch = |items: &[Item]| did(1, 4, 5, Op::StealBatch, Ret::Items(items.to_vec()));
    assert!(front(with(vec![batch(&[1])])) && front(with(vec![batch(&[1, 2])])));
    assert!(!front(with(vec![batch(&[2])])) && !front(with(vec![batch(&[2, 1])])));
    assert!(!front(with(vec![batch(&[])])));
}

fn producer_of(item: Item) -> u64 {
    item / 100
}

#[test]
fn relaxed_by_k_and_never_by_producer() {
    let relaxed = |k, operations: &[Recorded]| {
        verdict(&Relaxed::new(k, producer_of), operations.iter().cloned())
    };
    // Two items of the first producer, then two of the second.
    let pushes = [
        push(0, 0, 1, 100),
        push(0, 2, 3, 101),
        push(1, 4, 5, 200),
        push(1, 6, 7, 201),
    ];
    let with = |k, pops: &[Recorded]| relaxed(k, &[&pushes, pops].concat());
    let third = [pop(2, 8, 9, 200)];
    assert!(!with(0, &third) && !with(1, &third) && with(2, &third));
    let last = [pop(2, 8, 9, 200), pop(2, 10, 11, 201)];
    assert!(!with(1, &last) && with(2, &last));
    // Behind an item of its own producer: never.
    assert!(!with(9, &[pop(2, 8, 9, 101)]));
    assert!(!with(9, &[pop(2, 8, 9, 201)]));
    assert!(!with(9, &[empty(2, 8, 9)]));
    // Pushed side by side, if only just.
    let touching = [push(0, 0, 4, 100), push(1, 4, 5, 200), pop(2, 6, 7, 200)];
    assert!(relaxed(0, &touching));
    let all = [100, 101, 200, 201].map(|item| pop(2, 2 * item, 2 * item + 1, item));
    assert!(with(0, &all));
}

// ---------------------------------------------------------------- broken queues
