//! `spsc` from outside: auto traits, a sequential model, two threads.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::thread;

use engine_queue::spsc::{self, Consumer, Producer, ReadChunk, TooFewSlots, WriteChunk};
use proptest::prelude::*;

const ITEMS: usize = if cfg!(miri) { 300 } else { 4_000 };

/// Resolves only while `T` is not `Send`: with two impls the parameter is ambiguous.
trait AmbiguousIfSend<Marker> {
    fn check() {}
}
struct IsSend;
impl<T: ?Sized> AmbiguousIfSend<()> for T {}
impl<T: ?Sized + Send> AmbiguousIfSend<IsSend> for T {}

trait AmbiguousIfSync<Marker> {
    fn check() {}
}
struct IsSync;
impl<T: ?Sized> AmbiguousIfSync<()> for T {}
impl<T: ?Sized + Sync> AmbiguousIfSync<IsSync> for T {}

#[test]
fn auto_traits() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

    // An item that is `Send` only is handed over, and a chunk of it is not shared.
    send::<Producer<Cell<u8>>>();
    send::<Consumer<Cell<u8>>>();
    send::<ReadChunk<'_, Cell<u8>>>();
    send::<WriteChunk<'_, Cell<u8>>>();
    sync::<ReadChunk<'_, u8>>();
    <ReadChunk<'_, Cell<u8>> as AmbiguousIfSync<_>>::check();
    <Producer<Rc<u8>> as AmbiguousIfSend<_>>::check();
    <Consumer<Rc<u8>> as AmbiguousIfSend<_>>::check();
    <Producer<Rc<u8>> as AmbiguousIfSync<_>>::check();
    unwind_safe::<Producer<Cell<u8>>>();
    unwind_safe::<Consumer<Cell<u8>>>();
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    PushBatch(usize),
    PushSlice(usize),
    /// Asks for so many slots, and fills so many.
    Write(usize, usize),
    Pop,
    PopBatch(usize),
    PopSlice(usize),
    Peek,
    /// Asks for so many items, and commits so many.
    Read(usize, usize),
    /// Asks for so many items, and iterates over so many.
    Iterate(usize, usize),
}

fn op() -> impl Strategy<Value = Op> {
    let n = 0..7_usize;
    prop_oneof![
        Just(Op::Push),
        n.clone().prop_map(Op::PushBatch),
        n.clone().prop_map(Op::PushSlice),
        (n.clone(), n.clone()).prop_map(|(a, b)| Op::Write(a, b)),
        Just(Op::Pop),
        n.clone().prop_map(Op::PopBatch),
        n.clone().prop_map(Op::PopSlice),
        Just(Op::Peek),
        (n.clone(), n.clone()).prop_map(|(a, b)| Op::Read(a, b)),
        (n.clone(), n).prop_map(|(a, b)| Op::Iterate(a, b)),
    ]
}

proptest! {
    /// Alone, it is a `VecDeque` with a bound.
    #[test]
    fn behaves_as_a_bounded_vecdeque(
        capacity in 1..9_usize,
        ops in proptest::collection::vec(op(), 0..200),
    ) {
        let (mut producer, mut consumer) = spsc::channel(capacity);
        let mut model = VecDeque::new();
        let mut next = 0..;
        for op in ops {
            let room = capacity - model.len();
            match op {
                Op::Push => {
                    let item = next.next().unwrap();
                    let pushed = producer.push(item);
                    prop_assert_eq!(pushed, if room == 0 { Err(item) } else { Ok(()) });
                    model.extend(pushed.is_ok().then_some(item));
                }
                Op::PushBatch(count) => {
                    let mut items = next.by_ref().take(count).collect::<Vec<_>>().into_iter();
                    prop_assert_eq!(producer.push_iter(&mut items), count.min(room));
                    // The rest is still there.
                    prop_assert_eq!(items.len(), count - count.min(room));
                    let first = next.start - count;
                    model.extend(first..first + count.min(room));
                }
                Op::PushSlice(count) => {
                    let items: Vec<_> = next.by_ref().take(count).collect();
                    let pushed = producer.push_slice(&items);
                    prop_assert_eq!(pushed, count.min(room));
                    model.extend(&items[..pushed]);
                }
                Op::Write(asked, fill) => match producer.write_chunk(asked) {
                    Ok(chunk) => {
                        prop_assert!(asked <= room);
                        prop_assert_eq!((chunk.len(), chunk.is_empty()), (asked, asked == 0));
                        let items: Vec<_> = next.by_ref().take(fill).collect();
                        let filled = chunk.fill(items.iter().copied());
                        prop_assert_eq!(filled, fill.min(asked));
                        model.extend(&items[..filled]);
                    }
                    Err(TooFewSlots(slots)) => {
                        prop_assert!(asked > room);
                        prop_assert_eq!(slots, room);
                    }
                },
                Op::Pop => prop_assert_eq!(consumer.pop(), model.pop_front()),
                Op::PopBatch(max) => {
                    let mut taken = vec![usize::MAX];
                    let count = consumer.pop_batch(&mut taken, max);
                    prop_assert_eq!(count, max.min(model.len()));
                    prop_assert!(taken.into_iter().skip(1).eq(model.drain(..count)));
                }
                Op::PopSlice(max) => {
                    let mut taken = vec![usize::MAX; max];
                    let count = consumer.pop_slice(&mut taken);
                    prop_assert_eq!(count, max.min(model.len()));
                    prop_assert!(taken[..count].iter().copied().eq(model.drain(..count)));
                    prop_assert!(taken[count..].iter().all(|&item| item == usize::MAX));
                }
                Op::Peek => prop_assert_eq!(consumer.peek(), model.front()),
                Op::Read(asked, commit) => match consumer.read_chunk(asked) {
                    Ok(chunk) => {
                        prop_assert!(asked <= model.len());
                        prop_assert_eq!((chunk.len(), chunk.is_empty()), (asked, asked == 0));
                        let (first, second) = chunk.as_slices();
                        prop_assert!(first.iter().chain(second).eq(model.iter().take(asked)));
                        chunk.commit(commit.min(asked));
                        model.drain(..commit.min(asked));
                    }
                    Err(TooFewSlots(slots)) => {
                        prop_assert!(asked > model.len());
                        prop_assert_eq!(slots, model.len());
                    }
                },
                Op::Iterate(asked, take) => {
                    if let Ok(chunk) = consumer.read_chunk(asked) {
                        let taken: Vec<_> = chunk.into_iter().take(take).collect();
                        prop_assert_eq!(taken.len(), take.min(asked));
                        prop_assert!(model.drain(..taken.len()).eq(taken));
                    }
                }
            }
            prop_assert_eq!(consumer.slots(), model.len());
            prop_assert_eq!(producer.slots(), capacity - model.len());
            prop_assert_eq!(consumer.is_empty(), model.is_empty());
            prop_assert_eq!(producer.is_full(), model.len() == capacity);
        }
    }
}

/// All items come through in order, by all ways in and out, also when the threads are
/// many more than the processors.
#[test]
fn items_come_through_in_order() {
    thread::scope(|scope| {
        for capacity in [1, 2, 3, 64, 1_000] {
            let (mut producer, mut consumer) = spsc::channel(capacity);
            scope.spawn(move || {
                // Boxed, so that a doubled item is a double free for the sanitizers too.
                let mut items = (0..ITEMS).map(Box::new).peekable();
                let mut round = 0;
                while items.peek().is_some() {
                    round += 1;
                    let pushed = match round % 3 {
                        0 => producer.push_iter((&mut items).take(5)),
                        1 => match producer.write_chunk(1) {
                            Ok(chunk) => chunk.fill(&mut items),
                            Err(_) => 0,
                        },
                        _ => producer.push_iter(items.next_if(|_| !producer.is_full())),
                    };
                    if pushed == 0 {
                        thread::yield_now();
                    }
                }
            });
            scope.spawn(move || {
                let mut expected = 0;
                let mut round = 0;
                let mut batch = Vec::new();
                loop {
                    round += 1;
                    let last = consumer.is_abandoned();
                    let slots = consumer.slots();
                    assert!(slots <= capacity, "{slots}");
                    match round % 4 {
                        0 => _ = consumer.pop_batch(&mut batch, 7),
                        1 => batch.extend(consumer.read_chunk(slots.min(3)).unwrap()),
                        2 => {
                            let peeked = consumer.peek().cloned();
                            let popped = consumer.pop();
                            assert!(peeked.is_none() || peeked == popped);
                            batch.extend(popped);
                        }
                        _ => batch.extend(consumer.pop()),
                    }
                    if batch.is_empty() && last && consumer.is_empty() {
                        break;
                    }
                    if batch.is_empty() {
                        thread::yield_now();
                    }
                    for item in batch.drain(..) {
                        assert_eq!(*item, expected);
                        expected += 1;
                    }
                }
                assert_eq!(expected, ITEMS);
            });
        }
    });
}

/// Eight threads for each processor, in pairs: either side is stopped anywhere.
#[test]
fn oversubscribed() {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let pairs = if cfg!(miri) { 2 } else { 4 * processors };
    thread::scope(|scope| {
        for pair in 0..pairs {
            let (mut producer, mut consumer) = spsc::channel(1 + pair % 5);
            scope.spawn(move || {
                let mut items = 0..ITEMS;
                while !items.is_empty() {
                    let pushed = match pair % 2 {
                        0 => producer.push_iter(&mut items),
                        _ => usize::from(producer.push(items.start).is_ok()),
                    };
                    if pushed == 0 {
                        thread::yield_now();
                    } else if pair % 2 != 0 {
                        items.start += 1;
                    }
                }
            });
            scope.spawn(move || {
                let mut taken = Vec::new();
                loop {
                    // Before the pop: what it does not find then will not come any more.
                    let last = consumer.is_abandoned();
                    let popped = match pair % 3 {
                        0 => consumer.pop_batch(&mut taken, 3),
                        _ => consumer.pop().map(|item| taken.push(item)).iter().len(),
                    };
                    match popped {
                        0 if last => break,
                        0 => thread::yield_now(),
                        _ => {}
                    }
                }
                assert!(taken.into_iter().eq(0..ITEMS), "not each once and in order");
            });
        }
    });
}
