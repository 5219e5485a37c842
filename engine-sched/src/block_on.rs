//! A future on the calling thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use engine_atomic::futex;
use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};

#[cfg(test)]
mod model;

/// | `token` | meaning | who may leave it, how |
/// |---|---|---|
/// | 0 | no wake-up since the last poll | any waker: `swap` to 1 |
/// | 1 | the future is to be polled | the thread: `swap` to 0 |
struct Parker {
    token: AtomicU32,
}

impl Parker {
    fn park(&self) {
        // Acquire: what the waker did before it woke us happens before the poll;
        // pairs with the Release swap in `wake_by_ref`.
        while self.token.swap(0, Acquire) == 0 {
            futex::wait(&self.token, 0);
        }
    }
}

// `Wake` asks for std's Arc: a reference count, not a protocol.
impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release: pairs with the Acquire swap in `park`. A token that is there
        // already is enough: the thread takes it before it polls.
        if self.token.swap(1, Release) == 0 {
            futex::wake_one(&self.token);
        }
    }
}

/// Polls `future` to its end, and sleeps in between.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Arc::new(Parker {
        token: AtomicU32::new(0),
    });
    let waker = Waker::from(parker.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => parker.park(),
        }
    }
}
