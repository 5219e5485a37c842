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

/// Looks, waits for another that looks, and takes.
#[test]
fn a_queue_that_looks_before_it_takes_is_caught() {
    let items = Mutex::new(VecDeque::from([1, 2]));
    let both_have_looked = Barrier::new(2);
    let take = || {
        let front = items.lock().unwrap().front().copied();
        both_have_looked.wait();
        items.lock().unwrap().pop_front();
        Ret::popped(front)
    };
    let mut recorder = Recorder::new();
    let mut logs: [Log; 3] = [(); 3].map(|()| recorder.log());
    logs[2].record(Op::Push(1), || Ret::Done);
    logs[2].record(Op::Push(2), || Ret::Done);
    thread::scope(|scope| {
        for log in &mut logs[..2] {
            scope.spawn(|| _ = log.record(Op::Pop, take));
        }
    });
    let history = History::new(logs);
    let failure = check(&Fifo::unbounded(), &history).unwrap_err();
    assert!(
        matches!(failure, Failure::NotLinearizable(_)),
        "{failure:?}"
    );
}

/// Says "empty" when somebody else is inside.
#[test]
fn a_queue_that_gives_up_too_early_is_caught() {
    let items = Mutex::new(VecDeque::from([1]));
    let (inside, told) = (Barrier::new(2), Barrier::new(2));
    let mut recorder = Recorder::new();
    let mut logs: [Log; 2] = [(); 2].map(|()| recorder.log());
    logs[0].record(Op::Push(1), || Ret::Done);
    let [first, second] = &mut logs;
    thread::scope(|scope| {
        scope.spawn(|| {
            first.record(Op::Push(2), || {
                let mut items = items.lock().unwrap();
                inside.wait();
                told.wait();
                items.push_back(2);
                Ret::Done
            });
        });
        scope.spawn(|| {
            inside.wait();
            second.record(Op::Pop, || {
                let item = items
                    .try_lock()
                    .ok()
                    .and_then(|mut items| items.pop_front());
                Ret::popped(item)
            });
            told.wait();
        });
    });
    let failure = check(&Fifo::unbounded(), &History::new(logs)).unwrap_err();
    assert!(
        matches!(failure, Failure::NotLinearizable(_)),
        "{failure:?}"
    );
}

/// Takes the newest when there are many.
#[test]
fn a_queue_that_turns_round_is_caught() {
    let items = Mutex::new(VecDeque::new());
    let mut recorder = Recorder::new();
    let mut log: Log = recorder.log();
    for item in 0..50 {
        log.record(Op::Push(item), || {
            items.lock().unwrap().push_back(item);
            Ret::Done
        });
        if item % 5 == 0 {
            log.record(Op::Pop, || {
                let mut items = items.lock().unwrap();
                Ret::popped(match items.len() {
                    ..20 => items.pop_front(),
                    _ => items.pop_back(),
                })
            });
        }
    }
    assert!(check(&Fifo::unbounded(), &History::new([log])).is_err());
}

// ------------------------------------------------------------- long and real ones

/// Queue of the test, right by its lock.
type Locked = Mutex<VecDeque<Item>>;

/// `threads` push and pop, each `each` times; the queue grows to some hundred items.
fn recorded(threads: u64, each: u64, capacity: usize) -> History {
    let queue = Locked::default();
    let mut recorder = Recorder::new();
    let mut logs: Vec<Log> = (0..threads).map(|_| recorder.log()).collect();
    thread::scope(|scope| {
        for (thread, log) in (0..threads).zip(&mut logs) {
            let queue = &queue;
            scope.spawn(move || {
                for n in 0..each {
                    // More pushes at first, more pops at last.
                    if (n * 7 + thread * 3) % 10 < 3 + 4 * u64::from(n < each / 2) {
                        let item = thread * 1_000_000 + n;
                        log.record(Op::Push(item), || {
                            let mut queue = queue.lock().unwrap();
                            if queue.len() == capacity {
                                return Ret::Full;
                            }
                            queue.push_back(item);
                            Ret::Done
                        });
                    } else {
                        log.record(Op::Pop, || Ret::popped(queue.lock().unwrap().pop_front()));
                    }
                }
            });
        }
    });
    History::new(logs)
}

#[test]
fn thousands_of_operations_of_eight_threads() {
    let each = if cfg!(miri) { 20 } else { 1_000 };
    for capacity in [usize::MAX, 64, 1] {
        let spec = match capacity {
            usize::MAX => Fifo::unbounded(),
            _ => Fifo::bounded(capacity),
        };
        let history = recorded(8, each, capacity);
        let order = check(&spec, &history).unwrap();
        assert_is_linearization(&spec, &history, &order);
        // An item that is popped much later than it was.
        let mut operations = history.operations().to_vec();
        let popped: Vec<_> = (0..operations.len())
            .filter(|&n| matches!(operations[n].ret, Ret::Item(_)))
            .collect();
        let (first, last) = (popped[0], popped[popped.len() - 1]);
        let ret = operations[first].ret.clone();
        operations[first].ret = std::mem::replace(&mut operations[last].ret, ret);
        let failure = check(&spec, &History::of(operations)).unwrap_err();
        assert!(
            matches!(failure, Failure::NotLinearizable(_)),
            "{failure:?}"
        );
    }
}

/// Rounds of eight concurrent pushes make the queue deep; then the items of each round
/// come out in some order. Which one it was nobody knew before.
#[test]
fn a_deep_queue_of_concurrent_pushes() {
    const ROUNDS: u64 = if cfg!(miri) { 10 } else { 200 };

    let mut operations = Vec::new();
    for item in 0..8 * ROUNDS {
        let (round, thread) = (item / 8, item % 8);
        operations.push(push(thread as usize, 100 * round, 100 * round + 50, item));
    }
    for n in 0..8 * ROUNDS {
        let (round, place) = (n / 8, n % 8);
        // All orders of a round are different from that of the threads.
        let item = 8 * round + (place * 3 + round) % 8;
        operations.push(pop(8, 100_000 + 10 * n, 100_005 + 10 * n, item));
    }
    assert!(fifo(operations.clone()));
    // An item of the last round comes before one of the round before.
    let last = operations.len() - 1;
    let ret = operations[last].ret.clone();
    operations[last].ret = std::mem::replace(&mut operations[last - 8].ret, ret);
    assert!(!fifo(operations));
}

// -------------------------------------------------------------------- at random

/// What a thread asks, before it is known what it is told.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Push,
    Force,
    Batch(usize),
    Pop,
    PopBatch(usize),
    Len,
    Close,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        8 => Just(Wish::Push),
        2 => Just(Wish::Force),
        1 => (0..4_usize).prop_map(Wish::Batch),
        8 => Just(Wish::Pop),
        1 => (0..4_usize).prop_map(Wish::PopBatch),
        2 => Just(Wish::Len),
    ]
}

/// What a queue of `capacity` does, one wish after the other.
fn told(capacity: usize, wishes: &[Wish]) -> Vec<(Op, Ret)> {
    let mut items = VecDeque::new();
    let (mut closed, mut next) = (false, 0);
    let mut new = || {
        next += 1;
        next
    };
    wishes
        .iter()
        .map(|&wish| match wish {
            Wish::Push | Wish::Force if closed => (Op::Push(new()), Ret::Closed),
            Wish::Push | Wish::Force if items.len() < capacity => {
                let item = new();
                items.push_back(item);
                let op = match wish {
                    Wish::Push => Op::Push(item),
                    _ => Op::ForcePush(item),
                };
                (op, Ret::Done)
            }
            Wish::Push => (Op::Push(new()), Ret::Full),
            Wish::Force => {
                let (item, oldest) = (new(), items.pop_front().unwrap());
                items.push_back(item);
                (Op::ForcePush(item), Ret::Item(oldest))
            }
            Wish::Batch(count) => {
                let batch: Vec<_> = (0..count).map(|_| new()).collect();
                if closed {
                    return (Op::PushBatch(batch), Ret::Closed);
                }
                let fits = count.min(capacity - items.len());
                items.extend(&batch[..fits]);
                (Op::PushBatch(batch), Ret::Count(fits))
            }
            Wish::Pop => (Op::Pop, Ret::popped(items.pop_front())),
            Wish::PopBatch(most) => {
                let taken = items.drain(..most.min(items.len())).collect();
                (Op::PopBatch(most), Ret::Items(taken))
            }
            Wish::Len => (Op::Len, Ret::Count(items.len())),
            Wish::Close => {
                closed = true;
                (Op::Close, Ret::Done)
            }
        })
        .collect()
}

/// Gives each operation a window around its moment, `reach` wide at most, and a thread
/// that is free then.
fn spread(operations: Vec<(Op, Ret)>, reach: &[(u64, u64)]) -> History {
    let mut busy_until: Vec<u64> = Vec::new();
    let mut all: Vec<_> = operations
        .into_iter()
        .enumerate()
        .map(|(n, (op, ret))| {
            let moment = 100 + 10 * n as u64;
            let (before, after) = reach[n % reach.len()];
            did(0, moment - before, moment + after, op, ret)
        })
        .collect();
    all.sort_by_key(|operation| operation.call);
    for operation in &mut all {
        let free = busy_until.iter().position(|&until| until < operation.call);
        operation.thread = free.unwrap_or_else(|| {
            busy_until.push(0);
            busy_until.len() - 1
        });
        busy_until[operation.thread] = operation.end;
    }
    History::of(all)
}

fn reaches(most: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..most.min(100), 0..most), 1..20)
}

proptest! {
    /// One after the other, the answers are right; and so they are from a distance.
    #[test]
    fn what_a_queue_does_passes(
        capacity in 1..6_usize,
        mut wishes in prop::collection::vec(wish(), 0..120),
        close in prop::option::of(any::<Index>()),
        reach in reaches(60),
    ) {
        if let Some(at) = close && !wishes.is_empty() {
            let at = at.index(wishes.len());
            wishes[at] = Wish::Close;
        }
        let told = told(capacity, &wishes);
        let spec = Fifo::bounded(capacity);
        for history in [spread(told.clone(), &[(0, 0)]), spread(told, &reach)] {
            let order = check(&spec, &history);
            prop_assert!(order.is_ok(), "{:?}", order);
            assert_is_linearization(&spec, &history, &order.unwrap());
        }
    }

    /// Of operations that follow one another, one wrong answer is caught.
    #[test]
    fn a_changed_answer_is_caught(
        capacity in 1..6_usize,
        wishes in prop::collection::vec(wish(), 1..120),
        at in any::<Index>(),
    ) {
        let mut told = told(capacity, &wishes);
        let at = at.index(told.len());
        let (op, ret) = &mut told[at];
        *ret = match (&*op, &*ret) {
            (Op::Push(_), Ret::Done) => Ret::Full,
            (Op::Push(_), _) => Ret::Done,
            (Op::ForcePush(_), Ret::Done) => Ret::Item(0),
            (Op::ForcePush(_), _) => Ret::Done,
            (Op::PushBatch(items), Ret::Count(count)) => {
                if items.is_empty() {
                    return Ok(());
                }
                Ret::Count(if *count == 0 { 1 } else { count - 1 })
            }
            (_, Ret::Item(_)) => Ret::Empty,
            (_, Ret::Empty) => Ret::Item(0),
            (_, Ret::Items(items)) => {
                let mut items = items.clone();
                if items.pop().is_none() {
                    items.push(0);
                }
                Ret::Items(items)
            }
            (_, Ret::Count(count)) => Ret::Count(count + 1),
            (op, ret) => panic!("{op:?} {ret:?}"),
        };
        let history = spread(told, &[(0, 0)]);
        let caught = matches!(
            check(&Fifo::bounded(capacity), &history),
            Err(Failure::NotLinearizable(_))
        );
        prop_assert!(caught, "{:?}", history);
    }

    /// With windows that overlap, the verdict is that of trying every order: the
    /// narrowing and the search change nothing.
    #[test]
    fn the_verdict_is_that_of_trying_every_order(
        capacity in 1..4_usize,
        wishes in prop::collection::vec(wish(), 1..9),
        close in prop::option::of(any::<Index>()),
        reach in reaches(45),
        swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 0..2),
        unbounded in any::<bool>(),
    ) {
        let mut wishes = wishes;
        if let Some(at) = close {
            let at = at.index(wishes.len());
            wishes[at] = Wish::Close;
        }
        let mut told = told(if unbounded { 1_000 } else { capacity }, &wishes);
        // Some answers change places: of one kind, so that they are answers at all.
        for (a, b) in swaps {
            let kind = |n: usize| std::mem::discriminant(&told[n].0);
            let (a, b) = (a.index(told.len()), b.index(told.len()));
            if kind(a) == kind(b) {
                let ret = told[a].1.clone();
                let other = std::mem::replace(&mut told[b].1, ret);
                told[a].1 = other;
            }
        }
        // A count that its batch has not.
        let sane = told.iter().all(|(op, ret)| match (op, ret) {
            (Op::PushBatch(items), Ret::Count(count)) => *count <= items.len(),
            _ => true,
        });
        prop_assume!(sane);
        let spec = if unbounded { Fifo::unbounded() } else { Fifo::bounded(capacity) };
        let history = spread(told, &reach);
        match check(&spec, &history) {
            Ok(order) => assert_is_linearization(&spec, &history, &order),
            Err(_) => prop_assert!(!by_hand(&spec, &history), "{:?}", history),
        }
    }

    /// The same for the relaxed queue, over histories that a FIFO queue made.
    #[test]
    fn relaxed_is_that_of_trying_every_order(
        k in 0..3_usize,
        pushes in prop::collection::vec(any::<bool>(), 1..9),
        reach in reaches(45),
        swap in prop::option::of((any::<Index>(), any::<Index>())),
    ) {
        let wishes: Vec<_> = pushes
            .into_iter()
            .map(|push| if push { Wish::Push } else { Wish::Pop })
            .collect();
        let mut told = told(1_000, &wishes);
        if let Some((a, b)) = swap {
            let (a, b) = (a.index(told.len()), b.index(told.len()));
            if told[a].0 == Op::Pop && told[b].0 == Op::Pop {
                let ret = told[a].1.clone();
                let other = std::mem::replace(&mut told[b].1, ret);
                told[a].1 = other;
            }
        }
        // Two producers, by turns.
        let spec = Relaxed::new(k, |item| item % 2);
        let history = spread(told, &reach);
        match check(&spec, &history) {
            Ok(order) => assert_is_linearization(&spec, &history, &order),
            Err(_) => prop_assert!(!by_hand(&spec, &history), "{:?}", history),
        }
    }
}
