//! What threads asked of an object and what they were answered, in the order of time.
//!
//! Each thread writes to a [`Log`] of its own; a [`Recorder`]'s clock, one word that all
//! logs share, puts the calls and answers of all of them in order. When the threads have
//! ended, their logs become a [`History`].
//!
//! # What the order means
//!
//! An operation reads the clock when it is called, with an Acquire load, and moves it on
//! when it returns, with a Release read-modify-write. Operation `a` comes before `b`
//! (`a.end < b.call`) if and only if `b` has read the clock of `a`'s return or a later
//! one. Then `a` happens before `b`, in the sense of the memory model, and `b` must see
//! what `a` did, on every machine. All other pairs are concurrent. So:
//!
//! - a `b` that reads an old clock only makes the history weaker, never wrong;
//! - the disturbance of an operation is a load before it and one read-modify-write after
//!   it, and a `Vec::push`.
//!
//! But an order that the clock makes exists for the object too. What goes wrong only
//! between threads that share nothing beside the object, and only by its memory
//! orderings, is not seen here: loom's part.
//!
//! Under shuttle the clock is std's: one thread runs at a time, so it is exact, and it
//! adds no switch. Under loom it is loom's, which sees the order as an order.

use std::fmt;
use std::sync::Arc;

#[cfg(engine_loom)]
use loom::sync::atomic::AtomicU64;
#[cfg(not(engine_loom))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

/// On lines of its own: it shall disturb nothing but itself.
#[repr(align(128))]
struct Clock(AtomicU64);

/// Hands out the logs of one history.
pub struct Recorder {
    clock: Arc<Clock>,
    logs: usize,
}

impl Recorder {
    /// A recorder for one history, with its clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(Clock(AtomicU64::new(0))),
            logs: 0,
        }
    }

    /// The log of one more thread.
    #[must_use]
    pub fn log<O, R>(&mut self) -> Log<O, R> {
        let thread = self.logs;
        self.logs += 1;
        Log {
            thread,
            clock: self.clock.clone(),
            // Room for most, so that the allocator seldom takes part.
            operations: Vec::with_capacity(64),
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

/// What one thread did.
pub struct Log<O, R> {
    thread: usize,
    clock: Arc<Clock>,
    operations: Vec<Operation<O, R>>,
}

impl<O, R> Log<O, R> {
    /// Runs `call`, which does `op`, and writes down its answer.
    ///
    /// When `call` panics nothing is written down, though `op` may have been done: the
    /// history is of no use then.
    pub fn record(&mut self, op: O, call: impl FnOnce() -> R) -> &R {
        // Acquire: nothing of the call is done before this. Whose return it shows, that
        // operation happened before; pairs with the Release below.
        let called = self.clock.0.load(Acquire);
        let ret = call();
        // Release: all of the call is done before this, and shown by it; pairs with the
        // Acquire above.
        let end = self.clock.0.fetch_add(1, Release);
        self.operations.push(Operation {
            thread: self.thread,
            op,
            ret,
            call: called,
            end,
        });
        &self.operations[self.operations.len() - 1].ret
    }
}

/// One operation: what was asked, what was answered, and between when and when.
#[derive(Clone, PartialEq, Eq)]
pub struct Operation<O, R> {
    /// Who asked.
    pub thread: usize,
    /// What was asked.
    pub op: O,
    /// What was answered.
    pub ret: R,
    /// The clock before it began: operations with a smaller `end` came before.
    pub call: u64,
    /// The clock when it was over.
    pub end: u64,
}

impl<O: fmt::Debug, R: fmt::Debug> fmt::Debug for Operation<O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "thread {} [{}, {}] {:?} -> {:?}",
            self.thread, self.call, self.end, self.op, self.ret
        )
    }
}

/// The operations of all threads, in the order of their returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<O, R> {
    operations: Vec<Operation<O, R>>,
}

impl<O, R> History<O, R> {
    /// The history of these logs, which must be all that one recorder gave out and used.
    #[must_use]
    pub fn new(logs: impl IntoIterator<Item = Log<O, R>>) -> Self {
        Self::of(logs.into_iter().flat_map(|log| log.operations))
    }

    /// The history of these operations.
    ///
    /// # Panics
    ///
    /// If one ends before it was called, or two of one thread are concurrent: no threads
    /// can have done that.
    #[must_use]
    pub fn of(operations: impl IntoIterator<Item = Operation<O, R>>) -> Self {
        let mut operations: Vec<_> = operations.into_iter().collect();
        operations.sort_by_key(|operation| operation.end);
        let mut last_of: Vec<(usize, u64)> = Vec::new();
        for operation in &operations {
            let (call, end) = (operation.call, operation.end);
            assert!(call <= end, "an operation ends before its call");
            match last_of.iter_mut().find(|(t, _)| *t == operation.thread) {
                Some((thread, last)) => {
                    assert!(*last < call, "thread {thread} does two things at once");
                    *last = end;
                }
                None => last_of.push((operation.thread, end)),
            }
        }
        Self { operations }
    }

    /// The operations, in the order of their returns.
    #[must_use]
    pub fn operations(&self) -> &[Operation<O, R>] {
        &self.operations
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other() {
        let mut recorder = Recorder::new();
        let (mut a, mut b) = (recorder.log(), recorder.log());
        assert_eq!(*a.record("first", || 1), 1);
        assert_eq!(*b.record("second", || 2), 2);
        assert_eq!(*a.record("third", || 3), 3);
        let history = History::new([a, b]);
        let operations = history.operations();
        let what: Vec<_> = operations.iter().map(|o| (o.thread, o.op, o.ret)).collect();
        assert_eq!(what, [(0, "first", 1), (1, "second", 2), (0, "third", 3)]);
        assert!(operations.windows(2).all(|pair| pair[0].end < pair[1].call));
    }

    #[test]
    fn one_within_the_other() {
        let mut recorder = Recorder::new();
        let (mut a, mut b) = (recorder.log(), recorder.log());
        a.record("outer", || {
            b.record("inner", || ());
        });
        let history = History::new([a, b]);
        let [inner, outer] = history.operations() else {
            panic!("two operations: {history:?}");
        };
        assert_eq!((inner.op, outer.op), ("inner", "outer"));
        assert!(inner.end >= outer.call && outer.end >= inner.call);
    }

    /// What one thread does after it has seen another's flag comes after it.
    #[test]
    fn threads_agree_on_the_order() {
        use std::sync::atomic::AtomicBool;

        let mut recorder = Recorder::new();
        let flag = AtomicBool::new(false);
        let (mut a, mut b) = (recorder.log(), recorder.log());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                a.record("before", || ());
                flag.store(true, Release);
            });
            scope.spawn(|| {
                while !flag.load(Acquire) {
                    std::thread::yield_now();
                }
                b.record("after", || ());
            });
        });
        let history = History::new([b, a]);
        let operations = history.operations();
        assert_eq!((operations[0].op, operations[1].op), ("before", "after"));
        assert!(operations[0].end < operations[1].call);
    }

    #[test]
    #[should_panic(expected = "thread 3 does two things at once")]
    fn a_thread_does_one_thing_at_a_time() {
        let operation = |call, end| Operation {
            thread: 3,
            op: (),
            ret: (),
            call,
            end,
        };
        let _ = History::of([operation(0, 2), operation(1, 3)]);
    }
}
