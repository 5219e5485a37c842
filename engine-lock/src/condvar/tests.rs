use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::{Condvar, WaitTimeoutResult};
use crate::Mutex;

#[test]
fn nobody_to_notify() {
    let condvar = Condvar::new();
    assert!(!condvar.notify_one());
    assert_eq!(condvar.notify_all(), 0);
    // Notifications are not kept for later.
    let mutex = Mutex::new(());
    let mut guard = mutex.lock();
    let timeout = Duration::from_millis(2);
    let start = Instant::now();
    // Spurious returns are allowed, so only a timeout says anything.
    while !condvar.wait_for(&mut guard, timeout).timed_out() {}
    assert!(start.elapsed() >= timeout);
    assert!(mutex.is_locked());
}

#[test]
fn notify_all_counts_and_reaches_everyone() {
    let (mutex, condvar) = (Mutex::new((0, false)), Condvar::new());
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                let mut state = mutex.lock();
                state.0 += 1;
                condvar.wait_while(&mut state, |state| !state.1);
                state.0 -= 1;
            });
        }
        // Once all have counted under the mutex, and it is free, all wait.
        let mut state = mutex.lock();
        while state.0 < 3 {
            crate::MutexGuard::unlocked(&mut state, thread::yield_now);
        }
        state.1 = true;
        assert_eq!(condvar.notify_all(), 3);
    });
    assert_eq!(mutex.lock().0, 0);
}

/// A bounded buffer of one, both ways.
#[test]
fn ping_pong() {
    let (mutex, condvar) = (Mutex::new(0_u32), Condvar::new());
    let play = |mine: u32| {
        for _ in 0..1_000 {
            let mut turn = mutex.lock();
            condvar.wait_while(&mut turn, |turn| *turn % 2 != mine);
            *turn += 1;
            drop(turn);
            condvar.notify_one();
        }
    };
    thread::scope(|s| {
        s.spawn(|| play(0));
        s.spawn(|| play(1));
    });
    assert_eq!(mutex.into_inner(), 2_000);
}

#[test]
fn timed_waits_hold_the_mutex_afterwards() {
    let (mutex, condvar) = (Mutex::new(true), Condvar::new());
    let mut guard = mutex.lock();
    let past = Instant::now();
    assert!(condvar.wait_until(&mut guard, past).timed_out());
    assert!(
        condvar
            .wait_while_until(&mut guard, |waiting| *waiting, past)
            .timed_out()
    );
    assert!(
        condvar
            .wait_while_for(&mut guard, |waiting| *waiting, Duration::from_millis(1))
            .timed_out()
    );
    // A condition that is false from the start times nothing out.
    *guard = false;
    for timeout in [Duration::ZERO, Duration::MAX] {
        assert!(
            !condvar
                .wait_while_for(&mut guard, |waiting| *waiting, timeout)
                .timed_out()
        );
    }
    assert!(mutex.try_lock().is_none());
}

#[test]
fn a_timeout_beyond_the_clock_is_none() {
    let (mutex, condvar) = (Mutex::new(false), Condvar::new());
    thread::scope(|s| {
        s.spawn(|| {
            let mut done = mutex.lock();
            while !*done {
                assert!(!condvar.wait_for(&mut done, Duration::MAX).timed_out());
            }
        });
        *mutex.lock() = true;
        condvar.notify_all();
    });
}

#[test]
fn a_panicking_condition_leaves_the_guard_in_order() {
    let (mutex, condvar) = (Mutex::new(1), Condvar::new());
    let mut guard = mutex.lock();
    let result = catch_unwind(AssertUnwindSafe(|| {
        condvar.wait_while(&mut guard, |_| panic!("in the condition"));
    }));
    assert!(result.is_err());
    assert!(mutex.is_locked());
    *guard += 1;
    drop(guard);
    assert_eq!(*mutex.lock(), 2);
    assert_eq!(
        format!("{condvar:?}"),
        "Condvar { waiters: 0, notifications: 0 }"
    );
}

#[test]
fn auto_traits_and_size() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    check::<Condvar>();
    check::<WaitTimeoutResult>();
    assert_eq!(size_of::<Condvar>(), 8);
}
