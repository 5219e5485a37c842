//! Code of the user that panics while others wait: nobody else's items or wake-ups are lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::task::{Poll, Wake, Waker};

use engine_queue::{
    ArrayQueue, LaneOptions, PopError, PushError, Queue, SegQueue, Waitable, waitable,
};

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

/// Whoever waits for room is woken at the end, also if a waker of those who wait for an item
/// panics.
#[test]
fn closing_past_a_waker_that_panics() {
    let queue = Waitable::new(ArrayQueue::new(1));
    let room = Arc::new(Woken::default());
    let mut pop = queue.pop();
    assert!(poll(&mut pop, &bomb()).is_pending());
    queue.get_ref().push(1).unwrap();
    let mut push = queue.push(2);
    assert!(poll(&mut push, &Waker::from(room.clone())).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.close())).is_err());
    assert_eq!(room.0.load(Relaxed), 1);
    assert_eq!(poll(&mut push, Waker::noop()), Poll::Ready(Err(2)));
    assert_eq!(poll(&mut pop, Waker::noop()), Poll::Ready(Some(1)));

    // The other way round.
    let queue = Waitable::new(ArrayQueue::new(1));
    queue.try_push(1).unwrap();
    let mut push = queue.push(2);
    assert!(poll(&mut push, &bomb()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.close())).is_err());
    assert_eq!(poll(&mut push, Waker::noop()), Poll::Ready(Err(2)));
}

/// A push in a drop during a panic calls a waker that panics: no second panic.
#[test]
fn a_push_during_a_panic() {
    struct PushesLast<'a>(&'a Waitable<SegQueue<usize>>);
    impl Drop for PushesLast<'_> {
        fn drop(&mut self) {
            self.0.try_push(1).unwrap();
        }
    }
    let queue = Waitable::new(SegQueue::new());
    let mut pop = queue.pop();
    assert!(poll(&mut pop, &bomb()).is_pending());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _last = PushesLast(&queue);
        panic!("the task");
    }));
    let panicked_with = unwound.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(*panicked_with, "the task");
    assert_eq!(poll(&mut pop, Waker::noop()), Poll::Ready(Some(1)));
}

/// A pop keeps its item, or its items, when a waker of those who wait for room panics.
#[test]
fn a_pop_past_a_waker_that_panics() {
    type Pop = fn(&Waitable<ArrayQueue<usize>>) -> Option<usize>;
    let queue = Waitable::new(ArrayQueue::new(1));
    let pops: [Pop; 4] = [
        |queue| queue.try_pop().ok(),
        |queue| queue.pop_wait(),
        |queue| match poll(&mut queue.pop(), Waker::noop()) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        },
        |queue| {
            let mut items = vec![];
            queue.pop_batch(&mut items, 2);
            items.pop()
        },
    ];
    for (n, pop) in pops.into_iter().enumerate() {
        queue.try_push(n).unwrap();
        let good = Arc::new(Woken::default());
        let (mut first, mut second) = (queue.push(10), queue.push(11));
        assert!(poll(&mut first, &bomb()).is_pending());
        assert!(poll(&mut second, &Waker::from(good.clone())).is_pending());
        let popped = catch_unwind(AssertUnwindSafe(|| pop(&queue)));
        assert_eq!(popped.unwrap(), Some(n));
        assert_eq!(good.0.load(Relaxed), 1);
    }
    assert!(queue.get_ref().is_empty());
}

/// The same with wakers whose panics have payloads that panic when they are dropped.
#[test]
fn a_pop_past_a_payload_that_panics() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            std::panic::panic_any(Payload);
        }
    }
    struct Thrower;
    impl Wake for Thrower {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(Payload);
        }
    }
    let queue = Waitable::new(ArrayQueue::new(1));
    queue.try_push(1).unwrap();
    let mut pushes = [queue.push(2), queue.push(3)];
    for push in &mut pushes {
        assert!(poll(push, &Waker::from(Arc::new(Thrower))).is_pending());
    }
    let popped = catch_unwind(AssertUnwindSafe(|| queue.try_pop()));
    assert!(popped.is_ok_and(|popped| popped == Ok(1)));
}

/// A future, or a handle, that is dropped hands on to a waker that panics: not out of the drop.
#[test]
fn a_drop_past_a_waker_that_panics() {
    let queue = Waitable::new(SegQueue::new());
    let good = Arc::new(Woken::default());
    let mut pops = [queue.pop(), queue.pop(), queue.pop()];
    let wakers = [Waker::from(good.clone()), bomb(), Waker::from(good.clone())];
    for (pop, waker) in pops.iter_mut().zip(&wakers) {
        assert!(poll(pop, waker).is_pending());
    }
    queue.try_push(1).unwrap();
    let [first, _second, _third] = pops;
    assert!(catch_unwind(AssertUnwindSafe(|| drop(first))).is_ok());
    assert_eq!(good.0.load(Relaxed), 2);

    let (producer, mut consumer) = waitable::spsc::<usize>(1);
    let mut pop = consumer.pop();
    assert!(poll(&mut pop, &bomb()).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(producer))).is_ok());
    assert_eq!(poll(&mut pop, Waker::noop()), Poll::Ready(None));
}

/// A producer gives up the place of a future that it has leaked, before it pushes, and hands
/// on to a waker that panics: the item of the push is not lost.
#[test]
fn a_leaked_place_before_a_waker_that_panics() {
    let options = LaneOptions::new().max_width(1).lane_slots(1);
    let queue = Waitable::new(options.max_segments(2).build());
    let mut consumer = queue.consumer();
    let [mut first, mut second] = [queue.producer(), queue.producer()];
    first.try_push(1).unwrap();
    first.try_push(2).unwrap();
    let mut push = first.push(3);
    assert!(poll(&mut push, Waker::noop()).is_pending());
    std::mem::forget(push);
    assert_eq!(consumer.try_pop(), Ok(1));
    second.try_push(4).unwrap();
    let mut push = second.push(5);
    assert!(poll(&mut push, &bomb()).is_pending());
    let pushed = catch_unwind(AssertUnwindSafe(|| first.try_push(6)));
    assert_eq!(pushed.unwrap(), Err(PushError::Full(6)));
}

/// A waker that panics when it is dropped, while its task gets an item.
#[test]
fn a_waker_whose_drop_panics() {
    let queue = Waitable::new(SegQueue::new());
    let mut pop = queue.pop();
    let waker = fickle::waker();
    assert!(poll(&mut pop, &waker).is_pending());
    // This wakes nobody.
    queue.get_ref().push(1);
    fickle::STAYS.set(true);
    let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut pop, &waker)));
    fickle::STAYS.set(false);
    assert_eq!(polled.unwrap(), Poll::Ready(Some(1)));
}

mod hooked {
    //! A queue that runs code of the test in the pops of a thread.

    use std::cell::Cell;

    use super::wakers::as_inside;
    use super::{ArrayQueue, PopError, PushError, Queue};

    /// What a pop does after the hook.
    pub enum Then {
        Look,
        FindNothing,
    }

    type Hook = Box<dyn FnMut() -> Then>;

    std::thread_local! {
        static HOOK: Cell<Option<Hook>> = const { Cell::new(None) };
    }

    /// In the pops of this thread from now on, but not in those of the hook.
    pub fn hook(hook: impl FnMut() -> Then + 'static) {
        HOOK.set(Some(Box::new(hook)));
    }

    pub fn unhook() {
        HOOK.set(None);
    }

    #[derive(Debug)]
    pub struct Hooked(ArrayQueue<usize>);

    impl Hooked {
        pub fn new() -> Self {
            Self(ArrayQueue::new(4))
        }
    }

    impl Queue for Hooked {
        type Item = usize;
        fn try_push(&self, item: usize) -> Result<(), PushError<usize>> {
            self.0.try_push(item)
        }
        fn try_pop(&self) -> Result<usize, PopError> {
            if let Some(mut hook) = HOOK.take() {
                let then = hook();
                HOOK.set(Some(hook));
                if matches!(then, Then::FindNothing) {
                    return Err(PopError::Empty);
                }
            }
            self.0.try_pop()
        }
        as_inside!();
    }
}

use hooked::{Hooked, Then, hook, unhook};

type Static = LazyLock<Waitable<Hooked>>;

fn waiting(queue: &Waitable<Hooked>) -> bool {
    !format!("{queue:?}").contains("wait_for_items: 0")
}

/// A task is woken while it takes an item, and hands that on to a waker that panics: the item
/// is not lost.
#[test]
fn a_task_with_an_item_hands_on_to_a_waker_that_panics() {
    static QUEUE: Static = LazyLock::new(|| Waitable::new(Hooked::new()));
    let good = Arc::new(Woken::default());
    let (mut first, mut second, mut third) = (QUEUE.pop(), QUEUE.pop(), QUEUE.pop());
    assert!(poll(&mut first, Waker::noop()).is_pending());
    assert!(poll(&mut second, &bomb()).is_pending());
    assert!(poll(&mut third, &Waker::from(good.clone())).is_pending());
    hook(|| {
        QUEUE.try_push(1).unwrap();
        Then::Look
    });
    let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut first, Waker::noop())));
    unhook();
    assert_eq!(polled.unwrap(), Poll::Ready(Some(1)));
    assert_eq!(good.0.load(Relaxed), 1);
}

/// The same for a thread, in its look before it sleeps.
#[test]
fn a_thread_with_an_item_hands_on_to_a_waker_that_panics() {
    static QUEUE: Static = LazyLock::new(|| Waitable::new(Hooked::new()));
    hook(|| {
        if waiting(&QUEUE) {
            let mut second = QUEUE.pop();
            assert!(poll(&mut second, &bomb()).is_pending());
            std::mem::forget(second);
            QUEUE.try_push(1).unwrap();
        }
        Then::Look
    });
    let popped = catch_unwind(|| QUEUE.pop_wait());
    unhook();
    assert_eq!(popped.unwrap(), Some(1));
    assert!(!waiting(&QUEUE), "the second was woken");
}

/// A task is woken for an item, and the queue panics when it looks: another one is woken.
#[test]
fn a_queue_that_panics_under_a_woken_task() {
    static QUEUE: Static = LazyLock::new(|| Waitable::new(Hooked::new()));
    let good = Arc::new(Woken::default());
    let (mut first, mut second) = (QUEUE.pop(), QUEUE.pop());
    assert!(poll(&mut first, Waker::noop()).is_pending());
    assert!(poll(&mut second, &Waker::from(good.clone())).is_pending());
    QUEUE.try_push(1).unwrap();
    hook(|| panic!("the queue"));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut first, Waker::noop()))).is_err());
    assert_eq!(good.0.load(Relaxed), 1);
    assert_eq!(poll(&mut second, Waker::noop()), Poll::Ready(Some(1)));
}

/// Lets a thread wait on the queue, and be woken for an item, with `second` behind it;
/// `woken` runs in its look after that.
fn wake_a_thread(
    queue: &'static Static,
    second: Waker,
    mut woken: impl FnMut() + 'static,
) -> std::thread::Result<Option<usize>> {
    let mut pushed = false;
    hook(move || {
        if pushed {
            woken();
            return Then::Look;
        }
        if waiting(queue) {
            let mut pop = queue.pop();
            assert!(poll(&mut pop, &second).is_pending());
            std::mem::forget(pop);
            queue.try_push(1).unwrap();
            pushed = true;
        }
        Then::FindNothing
    });
    let popped = catch_unwind(|| queue.pop_wait());
    unhook();
    popped
}

/// The same for a thread, in its look after it was woken.
#[test]
fn a_queue_that_panics_under_a_woken_thread() {
    static QUEUE: Static = LazyLock::new(|| Waitable::new(Hooked::new()));
    let good = Arc::new(Woken::default());
    let popped = wake_a_thread(&QUEUE, Waker::from(good.clone()), || panic!("the queue"));
    assert!(popped.is_err());
    assert_eq!(good.0.load(Relaxed), 1);
    assert_eq!(QUEUE.try_pop(), Ok(1));
}

/// And if it does not panic, nobody else is woken.
#[test]
fn a_woken_thread_uses_its_wake_up() {
    static QUEUE: Static = LazyLock::new(|| Waitable::new(Hooked::new()));
    let good = Arc::new(Woken::default());
    let popped = wake_a_thread(&QUEUE, Waker::from(good.clone()), || ());
    assert_eq!(popped.unwrap(), Some(1));
    assert_eq!(good.0.load(Relaxed), 0);
}

/// Wakers that wait again, the first of them after it has taken the item, and then panic, are
/// called once each for one push.
#[test]
fn a_waker_that_waits_again_and_panics() {
    static QUEUE: Static = LazyLock::new(|| Waitable::new(Hooked::new()));
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    /// So that the test ends when it fails.
    const MANY: usize = 100;
    struct Again;
    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            if CALLS.fetch_add(1, Relaxed) < MANY {
                QUEUE.try_pop().ok();
                wait_again(&Waker::from(self));
            }
            panic!("a waker");
        }
    }
    fn wait_again(waker: &Waker) {
        let mut pop = QUEUE.pop();
        assert!(poll(&mut pop, waker).is_pending());
        std::mem::forget(pop);
    }
    wait_again(&Waker::from(Arc::new(Again)));
    wait_again(&Waker::from(Arc::new(Again)));
    assert!(catch_unwind(|| QUEUE.try_push(1)).is_err());
    assert_eq!(CALLS.load(Relaxed), 2);
    assert!(waiting(&QUEUE));
}
