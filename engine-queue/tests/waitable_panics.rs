//! Code of the user that panics while others wait: nobody else's items or wake-ups are lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Wake, Waker};

use engine_queue::{ArrayQueue, SegQueue, Waitable};

mod wakers;

use wakers::{Woken, poll};

struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

fn bomb() -> Waker {
    Waker::from(Arc::new(Bomb))
}

/// A waker that panics leaves through the push that called it, with the item pushed; and the
/// next one is woken in its place.
#[test]
fn a_waker_that_panics() {
    let queue = Waitable::new(ArrayQueue::new(4));
    let bomb = bomb();
    let good = Arc::new(Woken::default());
    let (mut first, mut second) = (queue.pop(), queue.pop());
    assert_eq!(poll(&mut first, &bomb), Poll::Pending);
    assert_eq!(poll(&mut second, &Waker::from(good.clone())), Poll::Pending);
    assert!(catch_unwind(AssertUnwindSafe(|| queue.try_push(1))).is_err());
    assert_eq!(good.0.load(Relaxed), 1);
    assert_eq!(poll(&mut second, &bomb), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut first, &bomb), Poll::Pending);
    assert_eq!(poll(&mut second, &Waker::from(good.clone())), Poll::Pending);
    let mut third = queue.pop();
    assert_eq!(poll(&mut third, &bomb), Poll::Pending);
    // The end reaches everybody all the same, and two that panic are one panic.
    assert!(catch_unwind(AssertUnwindSafe(|| queue.close())).is_err());
    assert_eq!(good.0.load(Relaxed), 2);
    for pop in [&mut first, &mut second, &mut third] {
        assert_eq!(poll(pop, &bomb), Poll::Ready(None));
    }
}

/// A future that was woken is dropped by an unwind, and hands on to a waker that panics:
/// no second panic.
#[test]
fn a_waker_that_panics_during_a_panic() {
    let queue = Waitable::new(SegQueue::new());
    let good = Arc::new(Woken::default());
    let mut first = queue.pop();
    let (mut second, mut third) = (queue.pop(), queue.pop());
    assert!(poll(&mut first, &Waker::from(good.clone())).is_pending());
    assert!(poll(&mut second, &bomb()).is_pending());
    assert!(poll(&mut third, &Waker::from(good.clone())).is_pending());
    queue.try_push(1).unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _first = first;
        panic!("the task");
    }));
    assert_eq!(
        *unwound.unwrap_err().downcast::<&str>().unwrap(),
        "the task"
    );
    assert_eq!(good.0.load(Relaxed), 2);
    assert_eq!(poll(&mut third, Waker::noop()), Poll::Ready(Some(1)));
}

mod fickle {
    //! A waker that cannot be cloned, or dropped, while it is told so.

    use std::cell::Cell;
    use std::ptr;
    use std::task::{RawWaker, RawWakerVTable, Waker};

    std::thread_local! {
        pub static REFUSES: Cell<bool> = const { Cell::new(false) };
        pub static STAYS: Cell<bool> = const { Cell::new(false) };
    }

    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            assert!(!REFUSES.get(), "a clone");
            RawWaker::new(data, &TABLE)
        },
        |_| {},
        |_| {},
        |_| assert!(!STAYS.get(), "a drop"),
    );

    pub fn waker() -> Waker {
        // SAFETY: the functions use no data, and can be called from anywhere.
        unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) }
    }
}

/// A clone that panics: the first poll has not entered, a later one keeps its place with
/// the waker before.
#[test]
fn a_waker_whose_clone_panics() {
    let queue = Waitable::new(ArrayQueue::new(1));
    let waker = fickle::waker();
    let good = Arc::new(Woken::default());
    let mut pop = queue.pop();
    let refused = |pop: &mut _| {
        fickle::REFUSES.set(true);
        let polled = catch_unwind(AssertUnwindSafe(|| poll(pop, &waker)));
        fickle::REFUSES.set(false);
        polled.is_err()
    };
    assert!(refused(&mut pop));
    assert!(format!("{queue:?}").contains("wait_for_items: 0"));
    assert!(poll(&mut pop, &Waker::from(good.clone())).is_pending());
    assert!(refused(&mut pop));
    assert!(format!("{queue:?}").contains("wait_for_items: 1"));
    queue.try_push(1).unwrap();
    assert_eq!(good.0.load(Relaxed), 1);
    assert_eq!(poll(&mut pop, &waker), Poll::Ready(Some(1)));
    // The item of a push is still there.
    queue.try_push(2).unwrap();
    let mut push = queue.push(3);
    fickle::REFUSES.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut push, &waker))).is_err());
    fickle::REFUSES.set(false);
    assert_eq!(queue.try_pop(), Ok(2));
    assert_eq!(poll(&mut push, &waker), Poll::Ready(Ok(())));
    assert_eq!(queue.try_pop(), Ok(3));
}
