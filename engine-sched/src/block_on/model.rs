//! Models of the parking of `block_on`.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, Mutex, thread};
use testkit::model::{Budget, check};

use super::block_on;

/// A value that another thread delivers, and nothing but the wake-up says so.
struct Delivery {
    value: UnsafeCell<u32>,
    /// The facade's: a step for the checker, where engine-lock's would be many.
    waker: Mutex<Option<Waker>>,
}

// SAFETY: `value` is written before the wake-up and read after it; the checkers verify it.
unsafe impl Sync for Delivery {}
// SAFETY: plain data and a waker.
unsafe impl Send for Delivery {}

/// Ready at its second poll, which only a wake-up leads to.
struct Receive {
    delivery: Arc<Delivery>,
    polled: bool,
}

impl Future for Receive {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        if !self.polled {
            self.polled = true;
            *self.delivery.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // SAFETY: the wake-up that led here came after the write.
        let value = self.delivery.value.with(|value| unsafe { *value });
        Poll::Ready(value)
    }
}

fn run(wakes: usize) {
    let delivery = Arc::new(Delivery {
        value: UnsafeCell::new(0),
        waker: Mutex::new(None),
    });
    let deliverer = thread::spawn({
        let delivery = delivery.clone();
        move || {
            let waker = loop {
                if let Some(waker) = delivery.waker.lock().unwrap().take() {
                    break waker;
                }
                thread::yield_now();
            };
            // SAFETY: the future reads only after the wake-ups below.
            delivery.value.with_mut(|value| unsafe { *value = 7 });
            for _ in 0..wakes {
                waker.wake_by_ref();
            }
        }
    });
    let receive = Receive {
        delivery,
        polled: false,
    };
    assert_eq!(block_on(receive), 7);
    deliverer.join().unwrap();
}

#[test]
fn wake_between_poll_and_park() {
    check("wake_between_poll_and_park", Budget::exhaustive(), || {
        run(1)
    });
}

#[test]
fn two_wakes_for_one_value() {
    check("two_wakes_for_one_value", Budget::exhaustive(), || run(2));
}
