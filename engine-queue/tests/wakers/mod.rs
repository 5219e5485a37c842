//! What the tests of waiting share: wakers, polling with them, and queues around queues.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Counts its wake-ups.
#[derive(Default)]
pub struct Woken(pub AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

pub fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

#[allow(dead_code, reason = "as below")]
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[allow(dead_code, reason = "each test file takes what it needs")]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Of a `Queue` that is a tuple of one queue: what has nothing to do with items.
#[allow(unused_macros, reason = "each test file takes what it needs")]
macro_rules! as_inside {
    () => {
        fn close(&self) -> bool {
            self.0.close()
        }
        fn is_closed(&self) -> bool {
            self.0.is_closed()
        }
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
        fn is_full(&self) -> bool {
            self.0.is_full()
        }
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use as_inside;
