//! Random histories, right and wrong by construction.

use super::*;

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
