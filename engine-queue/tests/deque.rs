//! The unbounded deque from outside: auto traits, a sequential model, many threads.
#![cfg(target_has_atomic = "64")]

use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::deque::{Injector, Steal, Stealer, Worker, bounded};
use proptest::prelude::*;

/// Resolves only while `T` is not `Sync`: with two impls the parameter is
/// ambiguous.
trait AmbiguousIfSync<Marker> {
    fn check() {}
}
struct IsSync;
impl<T: ?Sized> AmbiguousIfSync<()> for T {}
impl<T: ?Sized + Sync> AmbiguousIfSync<IsSync> for T {}

trait AmbiguousIfSend<Marker> {
    fn check() {}
}
struct IsSend;
impl<T: ?Sized> AmbiguousIfSend<()> for T {}
impl<T: ?Sized + Send> AmbiguousIfSend<IsSend> for T {}

#[test]
fn auto_traits() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn unwind<T: UnwindSafe + RefUnwindSafe>() {}

    // An item that is `Send` only: it is handed over, never shared.
    type Item = std::cell::Cell<u8>;
    send::<Worker<Item>>();
    send::<Stealer<Item>>();
    sync::<Stealer<Item>>();
    unwind::<Worker<Item>>();
    unwind::<Stealer<Item>>();
    <Worker<u8> as AmbiguousIfSync<_>>::check();
    <Worker<std::rc::Rc<u8>> as AmbiguousIfSend<_>>::check();
    <Stealer<std::rc::Rc<u8>> as AmbiguousIfSend<_>>::check();
    <Stealer<std::rc::Rc<u8>> as AmbiguousIfSync<_>>::check();
}

/// The signatures of `crossbeam_deque`: what compiles over those compiles over these.
#[test]
fn signatures() {
    let _: fn() -> Worker<u8> = Worker::new_fifo;
    let _: fn() -> Worker<u8> = Worker::new_lifo;
    let _: fn(&Worker<u8>) -> Stealer<u8> = Worker::stealer;
    let _: fn(&Worker<u8>, u8) = Worker::push;
    let _: fn(&Worker<u8>) -> Option<u8> = Worker::pop;
    let _: fn(&Worker<u8>) -> bool = Worker::is_empty;
    let _: fn(&Worker<u8>) -> usize = Worker::len;
    let _: fn(&Stealer<u8>) -> bool = Stealer::is_empty;
    let _: fn(&Stealer<u8>) -> usize = Stealer::len;
    let _: fn(&Stealer<u8>) -> Steal<u8> = Stealer::steal;
    let _: fn(&Stealer<u8>, &Worker<u8>) -> Steal<()> = Stealer::steal_batch;
    let _: fn(&Stealer<u8>, &Worker<u8>, usize) -> Steal<()> = Stealer::steal_batch_with_limit;
    let _: fn(&Stealer<u8>, &Worker<u8>) -> Steal<u8> = Stealer::steal_batch_and_pop;
    let _: fn(&Stealer<u8>, &Worker<u8>, usize) -> Steal<u8> =
        Stealer::steal_batch_with_limit_and_pop;
    let _: fn(&Injector<u8>, &Worker<u8>) -> Steal<()> = Injector::steal_batch;
    let _: fn(&Injector<u8>, &Worker<u8>, usize) -> Steal<()> = Injector::steal_batch_with_limit;
    let _: fn(&Injector<u8>, &Worker<u8>) -> Steal<u8> = Injector::steal_batch_and_pop;
    let _: fn(&Injector<u8>, &Worker<u8>, usize) -> Steal<u8> =
        Injector::steal_batch_with_limit_and_pop;
}

/// A batch from the injector: the owner pops the oldest item first, whatever its flavour.
#[test]
fn injector_into_every_worker() {
    for len in [1_usize, 2, 5, 31, 40] {
        let injector = Injector::new();
        let fill = || (0..len).for_each(|n| injector.push(n));
        let empty = || while injector.steal().is_success() {};

        for worker in [Worker::new_fifo(), Worker::new_lifo()] {
            fill();
            assert!(injector.steal_batch(&worker).is_success());
            let taken: Vec<_> = std::iter::from_fn(|| worker.pop()).collect();
            assert!(taken.iter().copied().eq(0..taken.len()) && !taken.is_empty());
            assert_eq!(injector.len(), len - taken.len());
            empty();
            fill();
            assert_eq!(injector.steal_batch_and_pop(&worker), Steal::Success(0));
            let taken: Vec<_> = std::iter::from_fn(|| worker.pop()).collect();
            assert!(taken.iter().copied().eq(1..1 + taken.len()));
            empty();
        }
        for worker in [bounded::Worker::new_fifo(4), bounded::Worker::new_lifo(4)] {
            // A new one: a batch ends with its block.
            let injector = Injector::new();
            (0..len).for_each(|n| injector.push(n));
            assert!(injector.steal_batch(&worker).is_success());
            let taken: Vec<_> = std::iter::from_fn(|| worker.pop()).collect();
            assert!(taken.iter().copied().eq(0..len.div_ceil(2).min(4)));
        }
    }
}

/// What `&Worker` would be made of by itself.
#[test]
fn injector_into_what_leads_to_a_worker() {
    let injector = Injector::new();
    (0..10).for_each(|n| injector.push(n));
    let (boxed, counted) = (Box::new(Worker::new_fifo()), Rc::new(Worker::new_lifo()));
    assert!(injector.steal_batch_with_limit(&boxed, 2).is_success());
    assert!(injector.steal_batch_with_limit(&counted, 2).is_success());
    let borrowed = &*counted;
    assert!(injector.steal_batch_with_limit(&borrowed, 2).is_success());
    let all = [
        boxed.pop(),
        boxed.pop(),
        counted.pop(),
        counted.pop(),
        counted.pop(),
        counted.pop(),
    ];
    assert_eq!(all, [0, 1, 4, 5, 2, 3].map(Some));
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(usize),
    Pop(usize),
    Steal,
    Batch(Option<usize>),
    BatchAndPop(Option<usize>),
    PopDest(usize),
    BatchBack,
}

fn op() -> impl Strategy<Value = Op> {
    let limit = || proptest::option::of(1..100_usize);
    prop_oneof![
        4 => (1..60_usize).prop_map(Op::Push),
        3 => (1..60_usize).prop_map(Op::Pop),
        2 => Just(Op::Steal),
        2 => limit().prop_map(Op::Batch),
        2 => limit().prop_map(Op::BatchAndPop),
        2 => (1..60_usize).prop_map(Op::PopDest),
        1 => Just(Op::BatchBack),
    ]
}

/// A worker, and what must be in it; the owner pops at the back of a LIFO one.
struct Modelled {
    worker: Worker<usize>,
    model: VecDeque<usize>,
    lifo: bool,
}

impl Modelled {
    fn new(lifo: bool) -> Self {
        let worker = match lifo {
            true => Worker::new_lifo(),
            false => Worker::new_fifo(),
        };
        Self {
            worker,
            model: VecDeque::new(),
            lifo,
        }
    }

    fn pop(&mut self) -> Result<(), TestCaseError> {
        let expected = match self.lifo {
            true => self.model.pop_back(),
            false => self.model.pop_front(),
        };
        prop_assert_eq!(self.worker.pop(), expected);
        Ok(())
    }

    /// What a batch takes, in the order in which the owner would have popped it.
    fn take(&mut self, limit: Option<usize>) -> VecDeque<usize> {
        let count = self.model.len().div_ceil(2).min(limit.unwrap_or(32));
        let mut batch: VecDeque<_> = self.model.drain(..count).collect();
        if self.lifo {
            batch.make_contiguous().reverse();
        }
        batch
    }

    /// What the owner is to pop in the order of `batch`.
    fn give(&mut self, mut batch: VecDeque<usize>) {
        if self.lifo {
            batch.make_contiguous().reverse();
        }
        self.model.extend(batch);
    }
}

proptest! {
    /// Alone, two deques are two `VecDeque`s, and no steal says `Retry`.
    #[test]
    fn behaves_as_a_vecdeque(
        lifo in any::<bool>(),
        dest_lifo in any::<bool>(),
        ops in proptest::collection::vec(op(), 0..60),
    ) {
        let mut source = Modelled::new(lifo);
        let mut dest = Modelled::new(dest_lifo);
        let stealer = source.worker.stealer();
        let mut next = 0..;
        for op in ops {
            match op {
                Op::Push(count) => for item in next.by_ref().take(count) {
                    let was_empty = source.model.is_empty();
                    match item % 2 {
                        0 => source.worker.push(item),
                        _ => prop_assert_eq!(source.worker.push_was_empty(item), was_empty),
                    }
                    source.model.push_back(item);
                },
                Op::Pop(count) => for _ in 0..count { source.pop()? },
                Op::PopDest(count) => for _ in 0..count { dest.pop()? },
                Op::Steal => {
                    let expected = source.model.pop_front().map_or(Steal::Empty, Steal::Success);
                    prop_assert_eq!(stealer.steal(), expected);
                }
                Op::Batch(limit) => {
                    let stolen = match limit {
                        None => stealer.steal_batch(&dest.worker),
                        Some(limit) => stealer.steal_batch_with_limit(&dest.worker, limit),
                    };
                    let batch = source.take(limit);
                    let expected = match batch.len() {
                        0 => Steal::Empty,
                        _ => Steal::Success(()),
                    };
                    prop_assert_eq!(stolen, expected);
                    dest.give(batch);
                }
                Op::BatchAndPop(limit) => {
                    let stolen = match limit {
                        None => stealer.steal_batch_and_pop(&dest.worker),
                        Some(limit) => stealer.steal_batch_with_limit_and_pop(&dest.worker, limit),
                    };
                    let mut batch = source.take(limit);
                    let expected = batch.pop_front().map_or(Steal::Empty, Steal::Success);
                    prop_assert_eq!(stolen, expected);
                    dest.give(batch);
                }
                Op::BatchBack => {
                    let stolen = dest.worker.stealer().steal_batch(&source.worker);
                    let batch = dest.take(None);
                    prop_assert_eq!(stolen.is_success(), !batch.is_empty());
                    source.give(batch);
                }
            }
            for side in [&source, &dest] {
                prop_assert_eq!(side.worker.len(), side.model.len());
                prop_assert_eq!(side.worker.stealer().len(), side.model.len());
                prop_assert_eq!(side.worker.is_empty(), side.model.is_empty());
                prop_assert_eq!(side.worker.stealer().is_empty(), side.model.is_empty());
            }
        }
    }
}

/// Every item reaches one thread, whatever way it takes, while the owner's deque grows and
/// shrinks.
#[test]
fn each_item_once() {
    const ITEMS: usize = if cfg!(miri) { 600 } else { 100_000 };
    const THIEVES: usize = 4;

    for lifo in [false, true] {
        let worker = if lifo {
            Worker::new_lifo()
        } else {
            Worker::new_fifo()
        };
        let taken: Vec<AtomicUsize> = (0..ITEMS).map(|_| AtomicUsize::new(0)).collect();
        let done = AtomicBool::new(false);
        // Boxed, so that a doubled item is a double free for the sanitizers too.
        let count = |item: Box<usize>| {
            taken[*item].fetch_add(1, Relaxed);
        };
        thread::scope(|scope| {
            for n in 0..THIEVES {
                let stealer = worker.stealer();
                let (count, done) = (&count, &done);
                scope.spawn(move || {
                    let mine = if n % 2 == 0 {
                        Worker::new_lifo()
                    } else {
                        Worker::new_fifo()
                    };
                    loop {
                        // Read before the attempt: empty afterwards means for good.
                        let last = done.load(Acquire);
                        let got = match n {
                            0 => stealer.steal(),
                            1 => stealer.steal_batch_and_pop(&mine),
                            2 => stealer.steal_batch_with_limit_and_pop(&mine, 200),
                            _ => match stealer.steal_batch(&mine) {
                                Steal::Success(()) => {
                                    mine.pop().map_or(Steal::Empty, Steal::Success)
                                }
                                Steal::Empty => Steal::Empty,
                                Steal::Retry => Steal::Retry,
                            },
                        };
                        match got {
                            Steal::Success(item) => count(item),
                            Steal::Empty if last => break,
                            Steal::Empty | Steal::Retry => thread::yield_now(),
                        }
                        while let Some(item) = mine.pop() {
                            count(item);
                        }
                    }
                });
            }
            for n in 0..ITEMS {
                worker.push(Box::new(n));
                if n % 3 == 0 {
                    worker.pop().into_iter().for_each(&count);
                }
                if n % 4_096 == 4_095 {
                    while let Some(item) = worker.pop() {
                        count(item);
                    }
                }
            }
            done.store(true, Release);
        });
        assert!(worker.pop().is_none());
        for (item, count) in taken.iter().enumerate() {
            assert_eq!(count.load(Relaxed), 1, "item {item}");
        }
    }
}

/// Thieves of a FIFO owner see the items in the order of the pushes, each for itself.
#[test]
fn thieves_see_the_order() {
    const ITEMS: usize = if cfg!(miri) { 300 } else { 50_000 };

    for lifo in [false, true] {
        let worker = if lifo {
            Worker::new_lifo()
        } else {
            Worker::new_fifo()
        };
        let seen = Mutex::new(Vec::new());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                let stealer = worker.stealer();
                let (seen, done) = (&seen, &done);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    loop {
                        let last = done.load(Acquire);
                        match stealer.steal() {
                            Steal::Success(item) => mine.push(item),
                            Steal::Empty if last => break,
                            Steal::Empty | Steal::Retry => thread::yield_now(),
                        }
                    }
                    seen.lock().unwrap().push(mine);
                });
            }
            (0..ITEMS).for_each(|item| worker.push(item));
            done.store(true, Release);
        });
        let seen = seen.into_inner().unwrap();
        assert!(seen.iter().all(|mine| mine.is_sorted()));
        let mut all = seen.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..ITEMS));
    }
}

/// An owner that was alone for long, and two thieves that come in the middle of its pops.
#[test]
fn thieves_after_a_long_time_alone() {
    const ALONE: usize = if cfg!(miri) { 20 } else { 600 };
    const TOGETHER: usize = if cfg!(miri) { 5 } else { 60 };
    const ROUNDS: usize = 3;
    const ITEMS: usize = ROUNDS * (ALONE + 2 * TOGETHER);

    macro_rules! run {
        ($worker:expr, |$deque:ident, $item:ident| $push:expr) => {
            let $deque = $worker;
            let taken: Vec<AtomicUsize> = (0..ITEMS).map(|_| AtomicUsize::new(0)).collect();
            let take = |item: usize| taken[item].fetch_add(1, Relaxed);
            // Each to its own: whether it is to come, and whether it may go.
            let come = [const { AtomicBool::new(false) }; 2];
            let over = AtomicBool::new(false);
            thread::scope(|s| {
                for come in &come {
                    let (stealer, over, take) = ($deque.stealer(), &over, &take);
                    s.spawn(move || {
                        while !over.load(Acquire) {
                            if !come.swap(false, Acquire) {
                                thread::yield_now();
                                continue;
                            }
                            for _ in 0..TOGETHER {
                                stealer.steal().success().map(take);
                            }
                        }
                    });
                }
                let mut items = 0..ITEMS;
                for _ in 0..ROUNDS {
                    for $item in items.by_ref().take(ALONE) {
                        $push;
                        $deque.pop().map(take);
                    }
                    for come in &come {
                        come.store(true, Release);
                    }
                    for $item in items.by_ref().take(TOGETHER) {
                        $push;
                        // Sometimes the last item, sometimes not.
                        if $item % 3 != 0 {
                            $deque.pop().map(take);
                        }
                    }
                    while let Some(item) = $deque.pop() {
                        take(item);
                    }
                    for $item in items.by_ref().take(TOGETHER) {
                        $push;
                        $deque.pop().map(take);
                    }
                }
                over.store(true, Release);
            });
            assert!($deque.is_empty());
            let wrong = taken.iter().position(|taken| taken.load(Relaxed) != 1);
            assert_eq!(wrong, None, "lost or taken twice");
        };
    }

    let times = if cfg!(miri) { 1 } else { 150 };
    for _ in 0..times {
        run!(Worker::new_fifo(), |deque, item| deque.push(item));
        run!(Worker::new_lifo(), |deque, item| deque.push(item));
        run!(bounded::Worker::new_fifo(256), |deque, item| {
            while deque.push(item).is_err() {
                thread::yield_now();
            }
        });
        run!(bounded::Worker::new_lifo(256), |deque, item| {
            while deque.push(item).is_err() {
                thread::yield_now();
            }
        });
    }
}
