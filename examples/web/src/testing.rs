//! Wakers and a `block_on` over the facade, for unit tests and models.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use engine_atomic::sync::{Condvar, Mutex};

use crate::sync::lock;

/// A waker that a thread sleeps on. It stays set until the sleeper takes it.
#[derive(Default)]
pub struct Signal {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    /// Whether it has been woken and nobody has taken it.
    pub fn is_set(&self) -> bool {
        *lock(&self.set)
    }

    fn take(&self) {
        let mut set = lock(&self.set);
        while !*set {
            set = self.changed.wait(set).unwrap();
        }
        *set = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *lock(&self.set) = true;
        self.changed.notify_one();
    }
}

/// Runs `future`. It polls once for each wake and never else: a lost wake-up is a
/// deadlock, which the checkers report.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let signal = Arc::<Signal>::default();
    let waker = Waker::from(signal.clone());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        signal.take();
    }
}

/// A waker that panics with its text.
pub struct Bomb(pub &'static str);

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        // Not `panic!`: the test's output shall not look like a failure.
        std::panic::resume_unwind(Box::new(self.0));
    }
}
