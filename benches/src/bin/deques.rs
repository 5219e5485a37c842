//! Work-stealing deques: what an owner pays, and what thieves get.
//!
//! ```sh
//! cargo run --release -p benches --bin deques -- [--rounds 9] [--millis 60] [--only fifo] [--format csv]
//! ```
//!
//! | table | what happens |
//! |---|---|
//! | owner, n items | push n, pop n; one operation is a push and a pop; beside a `VecDeque`, which no thread can steal from |
//! | owner, n items, held | the same; the items are in a `Vec` before and after, which costs all alike about as much as a deque does |
//! | drain | the owner pushes 200; one thread, without anybody else, steals them one by one, or in batches of which it pops the items |
//! | n thieves | the owner keeps about 128 items in the deque, thieves steal one by one, or in batches; an operation is an item stolen |

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use benches::runner::{Part, Signal, alone, for_duration};
use benches::{Contest, Report, Turn, Unit};
use engine_atomic::Backoff;

/// Room for the bounded ones: more than any table puts in.
const CAPACITY: usize = 256;

/// What stealing gave.
enum Got<T> {
    Item(T),
    Nothing,
    Again,
}

/// What the deques have in common.
trait Deque {
    type Item: Send;
    type Stealer: Send + Clone;

    fn new() -> Self;
    fn push(&self, item: Self::Item);
    fn pop(&self) -> Option<Self::Item>;
    fn len(&self) -> usize;
    fn stealer(&self) -> Self::Stealer;
    fn steal(stealer: &Self::Stealer, mine: &Self) -> Got<Self::Item>;
    fn batch(stealer: &Self::Stealer, mine: &Self) -> Got<Self::Item>;
}

macro_rules! deque {
    ($name:ident, $item:ty, $($worker:ident)::+, $($stealer:ident)::+, $($steal:ident)::+, $new:expr, |$this:ident, $it:ident| $push:expr) => {
        pub struct $name($($worker)::+<$item>);

        impl Deque for $name {
            type Item = $item;
            type Stealer = $($stealer)::+<$item>;

            fn new() -> Self {
                Self($new)
            }

            #[inline]
            fn push(&self, $it: $item) {
                let $this = &self.0;
                $push
            }

            #[inline]
            fn pop(&self) -> Option<$item> {
                self.0.pop()
            }

            #[inline]
            fn len(&self) -> usize {
                self.0.len()
            }

            fn stealer(&self) -> Self::Stealer {
                self.0.stealer()
            }

            #[inline]
            fn steal(stealer: &Self::Stealer, _: &Self) -> Got<$item> {
                use $($steal)::+ as Steal;
                match stealer.steal() {
                    Steal::Success(item) => Got::Item(item),
                    Steal::Empty => Got::Nothing,
                    Steal::Retry => Got::Again,
                }
            }

            #[inline]
            fn batch(stealer: &Self::Stealer, mine: &Self) -> Got<$item> {
                use $($steal)::+ as Steal;
                match stealer.steal_batch_and_pop(&mine.0) {
                    Steal::Success(item) => Got::Item(item),
                    Steal::Empty => Got::Nothing,
                    Steal::Retry => Got::Again,
                }
            }
        }
    };
}

macro_rules! st3 {
    ($name:ident, $item:ty, $($module:ident)::+) => {
        struct $name($($module)::+::Worker<$item>);

        impl Deque for $name {
            type Item = $item;
            type Stealer = $($module)::+::Stealer<$item>;

            fn new() -> Self {
                Self($($module)::+::Worker::new(CAPACITY))
            }

            #[inline]
            fn push(&self, item: $item) {
                assert!(self.0.push(item).is_ok());
            }

            #[inline]
            fn pop(&self) -> Option<$item> {
                self.0.pop()
            }

            #[inline]
            fn len(&self) -> usize {
                CAPACITY - self.0.spare_capacity()
            }

            fn stealer(&self) -> Self::Stealer {
                self.0.stealer()
            }

            #[inline]
            fn steal(stealer: &Self::Stealer, mine: &Self) -> Got<$item> {
                match stealer.steal_and_pop(&mine.0, |_| 1) {
                    Ok((item, _)) => Got::Item(item),
                    Err(st3::StealError::Empty) => Got::Nothing,
                    Err(st3::StealError::Busy) => Got::Again,
                }
            }

            #[inline]
            fn batch(stealer: &Self::Stealer, mine: &Self) -> Got<$item> {
                match stealer.steal_and_pop(&mine.0, |n| (n - n / 2).min(32)) {
                    Ok((item, _)) => Got::Item(item),
                    Err(st3::StealError::Empty) => Got::Nothing,
                    Err(st3::StealError::Busy) => Got::Again,
                }
            }
        }
    };
}

macro_rules! flavour {
    ($module:ident, $item:ty, $new:ident) => {
        mod $module {
            use super::*;
            use crossbeam_deque as crossbeam;
            use engine_queue::deque as engine;
            use engine_queue::deque::bounded;

            deque!(
                Crossbeam,
                $item,
                crossbeam::Worker,
                crossbeam::Stealer,
                crossbeam::Steal,
                crossbeam::Worker::$new(),
                |deque, item| deque.push(item)
            );
            deque!(
                Engine,
                $item,
                engine::Worker,
                engine::Stealer,
                engine::Steal,
                engine::Worker::$new(),
                |deque, item| deque.push(item)
            );
            deque!(
                Bounded,
                $item,
                bounded::Worker,
                bounded::Stealer,
                engine::Steal,
                bounded::Worker::$new(CAPACITY),
                |deque, item| assert!(deque.push(item).is_ok())
            );
        }
    };
}

flavour!(fifo, u64, new_fifo);
flavour!(lifo, u64, new_lifo);
flavour!(fifo_box, Box<u64>, new_fifo);
flavour!(lifo_box, Box<u64>, new_lifo);
st3!(St3Fifo, u64, st3::fifo);
st3!(St3Lifo, u64, st3::lifo);
st3!(St3FifoBox, Box<u64>, st3::fifo);
st3!(St3LifoBox, Box<u64>, st3::lifo);

/// A queue for one thread: what an owner could have at best.
struct Unshared(RefCell<VecDeque<u64>>);

impl Unshared {
    /// As `owner` does.
    fn turn(duration: Duration, count: usize, pop: fn(&mut VecDeque<u64>) -> Option<u64>) -> Turn {
        let deque = Self(RefCell::default());
        alone(duration, 1_024, |batch| {
            for _ in 0..batch / count as u64 {
                for item in 0..count as u64 {
                    deque.0.borrow_mut().push_back(item);
                }
                for _ in 0..count {
                    black_box(pop(&mut deque.0.borrow_mut()).expect("as many as were pushed"));
                }
            }
        })
    }
}

/// Push `count`, pop `count`, of numbers.
fn owner<D: Deque<Item = u64>>(duration: Duration, count: usize) -> Turn {
    let deque = D::new();
    alone(duration, 1_024, |batch| {
        for _ in 0..batch / count as u64 {
            for item in 0..count as u64 {
                deque.push(item);
            }
            for _ in 0..count {
                black_box(deque.pop().expect("as many as were pushed"));
            }
        }
    })
}

/// Push `count`, pop `count`; the items go round, so that no allocator is measured.
fn owner_held<D: Deque>(duration: Duration, count: usize, item: fn(u64) -> D::Item) -> Turn {
    let deque = D::new();
    let mut items: Vec<_> = (0..count as u64).map(item).collect();
    alone(duration, 1_024, |batch| {
        for _ in 0..batch / count as u64 {
            for item in items.drain(..) {
                deque.push(item);
            }
            for _ in 0..count {
                items.push(deque.pop().expect("as many as were pushed"));
            }
        }
    })
}

/// One thread steals all of 200 items; the pushes are in the time of all alike.
fn drain<D: Deque>(duration: Duration, batches: bool, item: fn(u64) -> D::Item) -> Turn {
    let (deque, mine) = (D::new(), D::new());
    let stealer = deque.stealer();
    let mut items: Vec<_> = (0..200).map(item).collect();
    alone(duration, 2_000, |batch| {
        for _ in 0..batch / 200 {
            for item in items.drain(..) {
                deque.push(item);
            }
            while let Got::Item(item) = match batches {
                true => D::batch(&stealer, &mine),
                false => D::steal(&stealer, &mine),
            } {
                items.push(item);
                while let Some(item) = mine.pop() {
                    items.push(item);
                }
            }
        }
        assert_eq!(items.len(), 200);
    })
}

fn thieves<D: Deque + Send>(
    duration: Duration,
    count: usize,
    batches: bool,
    item: fn(u64) -> D::Item,
) -> Turn {
    let deque = D::new();
    let stealer = deque.stealer();
    let push = |deque: D, signal: &Signal| {
        let backoff = Backoff::new();
        let mut number = 0;
        while signal.running() {
            if deque.len() >= 128 {
                backoff.snooze();
                continue;
            }
            backoff.reset();
            for _ in 0..16 {
                deque.push(item(number));
                number += 1;
            }
        }
        // An item counts when it is stolen.
        0_u64.into()
    };
    let steal = |stealer: D::Stealer, signal: &Signal| {
        let mine = D::new();
        let backoff = Backoff::new();
        let mut operations: u64 = 0;
        while signal.running() {
            let got = match batches {
                true => D::batch(&stealer, &mine),
                false => D::steal(&stealer, &mine),
            };
            match got {
                Got::Item(item) => {
                    black_box(item);
                    operations += 1;
                    while let Some(item) = mine.pop() {
                        black_box(item);
                        operations += 1;
                    }
                    backoff.reset();
                }
                Got::Again => backoff.spin(),
                Got::Nothing => backoff.snooze(),
            }
        }
        operations.into()
    };
    let steal = &steal;
    let parts = (0..count)
        .map(|_| -> Part<'_> {
            let stealer = stealer.clone();
            Box::new(move |signal| steal(stealer, signal))
        })
        .chain(core::iter::once::<Part<'_>>(Box::new(|signal| {
            push(deque, signal)
        })))
        .collect();
    for_duration(duration, parts)
}

macro_rules! contest {
    ($title:expr, $module:ident, $st3:ident, |$deque:ident| $run:expr) => {{
        macro_rules! turn {
            ($t:ty) => {
                || {
                    type $deque = $t;
                    $run
                }
            };
        }
        Contest::new($title, Unit::Mops)
            .add("crossbeam-deque", turn!($module::Crossbeam))
            .add("st3", turn!($st3))
            .add("engine Worker", turn!($module::Engine))
            .add("engine bounded", turn!($module::Bounded))
    }};
}

fn main() {
    let report = Report::start();
    let turn = report.options().turn();
    for n in [1, 64] {
        let title = |what| format!("owner, {n} items, {what}");
        report.run(
            contest!(title("fifo, u64"), fifo, St3Fifo, |D| owner::<D>(turn, n))
                .add("VecDeque, unshared", || {
                    Unshared::turn(turn, n, VecDeque::pop_front)
                }),
        );
        report.run(
            contest!(title("lifo, u64"), lifo, St3Lifo, |D| owner::<D>(turn, n))
                .add("VecDeque, unshared", || {
                    Unshared::turn(turn, n, VecDeque::pop_back)
                }),
        );
        let title = |what| format!("owner, {n} items, held, {what}");
        report.run(contest!(title("fifo, u64"), fifo, St3Fifo, |D| {
            owner_held::<D>(turn, n, u64::from)
        }));
        report.run(contest!(title("lifo, u64"), lifo, St3Lifo, |D| {
            owner_held::<D>(turn, n, u64::from)
        }));
        report.run(contest!(title("fifo, Box"), fifo_box, St3FifoBox, |D| {
            owner_held::<D>(turn, n, Box::new)
        }));
        report.run(contest!(title("lifo, Box"), lifo_box, St3LifoBox, |D| {
            owner_held::<D>(turn, n, Box::new)
        }));
    }
    for batches in [false, true] {
        let how = if batches { "batches" } else { "one by one" };
        let title = |what| format!("drain, {how}, {what}");
        report.run(contest!(title("fifo, u64"), fifo, St3Fifo, |D| drain::<D>(
            turn,
            batches,
            u64::from
        )));
        report.run(contest!(title("lifo, u64"), lifo, St3Lifo, |D| drain::<D>(
            turn,
            batches,
            u64::from
        )));
    }
    for (count, batches) in [(1, false), (2, false), (1, true), (2, true)] {
        let how = if batches { "batches" } else { "one by one" };
        let title = |what| format!("{count} thieves, {how}, {what}");
        report.run(contest!(
            title("fifo, u64"),
            fifo,
            St3Fifo,
            |D| thieves::<D>(turn, count, batches, u64::from)
        ));
        report.run(contest!(
            title("lifo, u64"),
            lifo,
            St3Lifo,
            |D| thieves::<D>(turn, count, batches, u64::from)
        ));
    }
    report.finish();
}
