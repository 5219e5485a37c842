//! What the tests of the engine-* crates share: a runner for model bodies, a recorder of
//! histories, a checker that tells whether a history is linearizable, an allocator that
//! counts, and [`not_impl!`].
//!
//! Unpublished. It depends on none of the crates it helps to test, so that each
//! of them can use it from inside its own unit tests.
//!
//! ```
//! use std::{collections::VecDeque, sync::Mutex, thread};
//! use testkit::history::Recorder;
//! use testkit::linearizability::assert_linearizable;
//! use testkit::spec::{Fifo, History, Log, Op, Ret};
//!
//! let queue = Mutex::new(VecDeque::new());
//! let mut recorder = Recorder::new();
//! let (mut pusher, mut popper): (Log, Log) = (recorder.log(), recorder.log());
//! thread::scope(|scope| {
//!     scope.spawn(|| {
//!         for item in 0..10 {
//!             pusher.record(Op::Push(item), || {
//!                 queue.lock().unwrap().push_back(item);
//!                 Ret::Done
//!             });
//!         }
//!     });
//!     scope.spawn(|| {
//!         for _ in 0..20 {
//!             popper.record(Op::Pop, || Ret::popped(queue.lock().unwrap().pop_front()));
//!         }
//!     });
//! });
//! assert_linearizable(&Fifo::unbounded(), &History::new([pusher, popper]));
//! ```

pub mod allocation;
pub mod history;
pub mod linearizability;
pub mod model;
pub mod spec;

mod not_impl;
