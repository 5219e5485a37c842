//! `LaneQueue` from outside: auto traits, the names of the contract, a sequential model
//! of what it promises, many threads.

use std::cell::Cell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::PushError;
use engine_queue::lane_queue::{Consumer, Producer};
use engine_queue::{LaneOptions, LaneQueue};
use proptest::prelude::*;

const ITEMS: usize = if cfg!(miri) { 50 } else { 8_000 };

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
    fn queue<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn handle<T: Send + Clone + UnwindSafe + RefUnwindSafe>() {}

    // An item that is `Send` only: it is handed over, never shared.
    queue::<LaneQueue<Cell<u8>>>();
    handle::<Producer<Cell<u8>>>();
    handle::<Consumer<Cell<u8>>>();
    <LaneQueue<Rc<u8>> as AmbiguousIfSend<_>>::check();
    <LaneQueue<Rc<u8>> as AmbiguousIfSync<_>>::check();
    <Producer<Rc<u8>> as AmbiguousIfSend<_>>::check();
    <Consumer<Rc<u8>> as AmbiguousIfSend<_>>::check();
    // A handle is one thread's.
    <Producer<u8> as AmbiguousIfSync<_>>::check();
    <Consumer<u8> as AmbiguousIfSync<_>>::check();
}

#[test]
fn the_names_of_the_contract() {
    let queue = LaneQueue::<u32>::new();
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    for n in 0..3 {
        producer.push(n)
    }
    assert_eq!(consumer.pop(), Some(0));
    let stats = queue.stats();
    assert_eq!((stats.width, stats.segments, stats.cas_failures), (1, 1, 0));
    assert_eq!(queue.into_iter().collect::<Vec<_>>(), [1, 2]);
    assert!(LaneQueue::<u32>::with_max_width(4).is_empty());
    assert_eq!(LaneQueue::<u32>::default().len(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(usize),
    PushBatch(usize, usize),
    Pop(usize),
    PopBatch(usize, usize),
    /// One handle is dropped and replaced.
    Renew(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (0..3_usize).prop_map(Op::Push),
        2 => (0..3_usize, 0..30_usize).prop_map(|(who, count)| Op::PushBatch(who, count)),
        10 => (0..3_usize).prop_map(Op::Pop),
        5 => (0..3_usize, 0..10_usize).prop_map(|(who, most)| Op::PopBatch(who, most)),
        1 => (0..6_usize).prop_map(Op::Renew),
    ]
}

/// Items inside in the order of their pushes; an item is its producer and its number.
struct Inside {
    items: Vec<(usize, usize)>,
    disorder: usize,
}

impl Inside {
    fn popped(&mut self, item: (usize, usize)) -> Result<(), TestCaseError> {
        let passed = self.items.iter().position(|&other| other == item);
        let passed = passed.expect("popped twice, or never pushed");
        prop_assert!(passed <= self.disorder);
        let first = self.items.iter().find(|other| other.0 == item.0);
        prop_assert_eq!(first, Some(&item));
        self.items.remove(passed);
        Ok(())
    }
}

proptest! {
    /// Alone: order for each producer, disorder within the bound, exact `None` and `len`.
    #[test]
    fn alone_it_does_what_it_promises(
        ops in proptest::collection::vec(op(), 0..300),
        min in 1..4_usize,
        more in 0..3_usize,
        slots in 1..5_usize,
    ) {
        let max = min + more;
        let options = LaneOptions::new().min_width(min).max_width(max).lane_slots(slots);
        let queue = options.build();
        let mut producers: Vec<_> = (0..3).map(|me| (me, queue.producer())).collect();
        let mut consumers: Vec<_> = (0..3).map(|_| queue.consumer()).collect();
        let mut inside = Inside { items: Vec::new(), disorder: (max - 1) * slots };
        for (n, op) in ops.into_iter().enumerate() {
            match op {
                Op::Push(who) => {
                    let (me, producer) = &mut producers[who];
                    producer.push((*me, 100 * n));
                    inside.items.push((*me, 100 * n));
                }
                Op::PushBatch(who, count) => {
                    let (me, producer) = &mut producers[who];
                    let mut items: Vec<_> = (0..count).map(|i| (*me, 100 * n + i)).collect();
                    inside.items.extend(&items);
                    prop_assert!(producer.push_batch(&mut items).is_ok() && items.is_empty());
                }
                Op::Pop(who) => match consumers[who].pop() {
                    Some(item) => inside.popped(item)?,
                    None => prop_assert!(inside.items.is_empty()),
                },
                Op::PopBatch(who, most) => {
                    let mut taken = Vec::new();
                    let count = consumers[who].pop_batch(&mut taken, most);
                    prop_assert!(count == taken.len() && count <= most);
                    prop_assert!(count > 0 || most == 0 || inside.items.is_empty());
                    for item in taken {
                        inside.popped(item)?;
                    }
                }
                Op::Renew(who) if who < 3 => producers[who] = (n + 3, queue.producer()),
                Op::Renew(who) => consumers[who - 3] = queue.consumer(),
            }
            prop_assert_eq!(queue.len(), inside.items.len());
            prop_assert_eq!(queue.is_empty(), inside.items.is_empty());
        }
    }
}

/// Handles are moved to other threads in the middle of their work.
#[test]
fn handles_migrate() {
    let queue = LaneOptions::new().min_width(2).lane_slots(4).build();
    let (mut producer, mut consumer) = (queue.producer(), queue.consumer());
    let mut next = 0;
    for round in 0..20 {
        (producer, consumer, next) = thread::spawn(move || {
            for n in 0..50 {
                producer.push(round * 50 + n);
                if n % 3 != 0 {
                    assert_eq!(consumer.pop(), Some(next));
                    next += 1;
                }
            }
            (producer, consumer, next)
        })
        .join()
        .unwrap();
    }
    assert!(queue.into_iter().eq(next..1000));
}

/// Everything goes through, in each producer's order, whatever the width does; the end
/// is told by `close`.
#[test]
fn many_threads() {
    const THREADS: usize = 4;

    for (min, slots) in [(1, 512), (1, 4), (4, 4)] {
        let queue = LaneOptions::new()
            .min_width(min)
            .max_width(4)
            .lane_slots(slots)
            .build();
        let producing = AtomicUsize::new(THREADS);
        let popped = AtomicUsize::new(0);
        thread::scope(|scope| {
            for me in 0..THREADS {
                let mut producer = queue.producer();
                let (queue, producing) = (&queue, &producing);
                scope.spawn(move || {
                    for n in 0..ITEMS {
                        if n % 100 == 99 {
                            producer.push_batch(&mut vec![(me, n)]).unwrap();
                        } else {
                            producer.push((me, n));
                        }
                    }
                    if producing.fetch_sub(1, AcqRel) == 1 {
                        queue.close();
                        assert_eq!(producer.try_push((0, 0)), Err(PushError::Closed((0, 0))));
                    }
                });
            }
            for _ in 0..THREADS {
                let mut consumer = queue.consumer();
                let popped = &popped;
                scope.spawn(move || {
                    let mut next = [0; THREADS];
                    let mut count = 0;
                    loop {
                        let closed = consumer.is_closed();
                        match consumer.pop() {
                            Some((me, n)) => {
                                assert!(n >= next[me], "out of order");
                                next[me] = n + 1;
                                count += 1;
                            }
                            None if closed => break,
                            None => thread::yield_now(),
                        }
                    }
                    popped.fetch_add(count, Relaxed);
                });
            }
        });
        assert_eq!(popped.load(Relaxed), THREADS * ITEMS);
        assert!(queue.is_empty());
    }
}
