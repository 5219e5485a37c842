//! The real futex, and the table that stands in for it elsewhere.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::sync::atomic::Ordering::*;
use crate::sync::thread;

/// One backend: the public functions, or the table.
#[derive(Clone, Copy)]
struct Backend {
    wait: fn(&AtomicU32, u32),
    wait_until: fn(&AtomicU32, u32, Instant) -> WaitResult,
    wake_one: fn(*const AtomicU32),
    wake_all: fn(*const AtomicU32),
}

const FUTEX: Backend = Backend {
    wait,
    wait_until,
    wake_one,
    wake_all,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
const TABLE: Backend = Backend {
    wait: table::wait,
    wait_until: table::wait_until,
    wake_one: table::wake_one,
    wake_all: table::wake_all,
};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const TABLE: Backend = FUTEX;

const BOTH: [Backend; 2] = [FUTEX, TABLE];

fn in_an_hour() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[test]
fn a_word_that_differs_returns_at_once() {
    let word = AtomicU32::new(1);
    for backend in BOTH {
        (backend.wait)(&word, 0);
        assert_eq!(
            (backend.wait_until)(&word, 0, in_an_hour()),
            WaitResult::Returned
        );
    }
    let hour = Duration::from_secs(3600);
    assert_eq!(wait_timeout(&word, 0, hour), WaitResult::Returned);
    assert_eq!(wait_timeout(&word, 0, Duration::MAX), WaitResult::Returned);
}

/// Whatever the word holds.
#[test]
fn a_past_deadline_returns_at_once() {
    let word = AtomicU32::new(7);
    let now = Instant::now();
    let mut past = vec![now];
    past.extend(now.checked_sub(Duration::from_nanos(1)));
    past.extend(now.checked_sub(Duration::from_secs(60)));
    for backend in BOTH {
        for &deadline in &past {
            for expected in [7, 8] {
                let result = (backend.wait_until)(&word, expected, deadline);
                assert_eq!(result, WaitResult::TimedOut);
            }
        }
    }
    assert_eq!(wait_timeout(&word, 7, Duration::ZERO), WaitResult::TimedOut);
}

/// A deadline is not reached early, and is reached at last.
#[test]
fn a_deadline_is_kept() {
    let word = AtomicU32::new(0);
    for backend in BOTH {
        let deadline = Instant::now() + Duration::from_millis(20);
        while (backend.wait_until)(&word, 0, deadline) == WaitResult::Returned {
            assert!(Instant::now() < deadline + Duration::from_secs(60));
        }
        assert!(Instant::now() >= deadline);
    }
    let start = Instant::now();
    while wait_timeout(&word, 0, Duration::from_millis(5)) == WaitResult::Returned {}
    assert!(start.elapsed() >= Duration::from_millis(5));
}

/// The latest `Instant` that there is: now, by a later reading, plus what is left until
/// then is more than the clock holds.
fn latest() -> Instant {
    let mut latest = Instant::now();
    let mut step = Duration::MAX;
    while !step.is_zero() {
        match latest.checked_add(step) {
            Some(later) => latest = later,
            None => step /= 2,
        }
    }
    latest
}

#[test]
fn a_far_deadline_waits_for_the_wake() {
    let years = |n: u64| Instant::now().checked_add(Duration::from_secs(n * 31_556_952));
    let mut far = vec![latest(), in_an_hour()];
    // Past what 64-bit nanoseconds and 32-bit seconds hold.
    far.extend(
        [years(70), years(300), years(1000), years(200_000_000_000)]
            .into_iter()
            .flatten(),
    );
    for backend in BOTH {
        for &deadline in &far {
            let word = AtomicU32::new(0);
            thread::scope(|s| {
                s.spawn(|| {
                    while word.load(Acquire) == 0 {
                        let result = (backend.wait_until)(&word, 0, deadline);
                        assert_eq!(result, WaitResult::Returned);
                    }
                });
                thread::sleep(Duration::from_millis(2));
                word.store(1, Release);
                (backend.wake_one)(&word);
            });
        }
    }
    // And a timeout that no `Instant` holds.
    let word = AtomicU32::new(0);
    thread::scope(|s| {
        s.spawn(|| {
            while word.load(Acquire) == 0 {
                assert_eq!(wait_timeout(&word, 0, Duration::MAX), WaitResult::Returned);
            }
        });
        thread::sleep(Duration::from_millis(2));
        word.store(1, Release);
        wake_all(&word);
    });
}

/// Every sleeper, with a deadline or without, is reached.
#[test]
fn wake_all_reaches_both_kinds() {
    for backend in BOTH {
        let word = AtomicU32::new(0);
        thread::scope(|s| {
            for n in 0..6 {
                let word = &word;
                s.spawn(move || {
                    while word.load(Acquire) == 0 {
                        if n % 2 == 0 {
                            (backend.wait)(word, 0);
                        } else {
                            let result = (backend.wait_until)(word, 0, in_an_hour());
                            assert_eq!(result, WaitResult::Returned);
                        }
                    }
                });
            }
            thread::sleep(Duration::from_millis(5));
            word.store(1, Release);
            (backend.wake_all)(&word);
        });
    }
}

/// Each wake passes one thread on; with as many wakes as threads all of them get through,
/// and with fewer none is lost.
#[test]
fn wake_one_wakes_one_at_a_time() {
    for (backend, timed) in [(FUTEX, false), (FUTEX, true), (TABLE, false), (TABLE, true)] {
        let tokens = AtomicU32::new(0);
        let take = || {
            loop {
                let seen = tokens.load(Acquire);
                if seen > 0 {
                    if tokens
                        .compare_exchange(seen, seen - 1, AcqRel, Relaxed)
                        .is_ok()
                    {
                        return;
                    }
                } else if timed {
                    let _ = (backend.wait_until)(&tokens, 0, in_an_hour());
                } else {
                    (backend.wait)(&tokens, 0);
                }
            }
        };
        thread::scope(|s| {
            let takers: Vec<_> = (0..4)
                .map(|_| s.spawn(|| (0..50).for_each(|_| take())))
                .collect();
            for _ in 0..4 * 50 {
                tokens.fetch_add(1, Release);
                (backend.wake_one)(&tokens);
            }
            for taker in takers {
                taker.join().unwrap();
            }
        });
        assert_eq!(tokens.load(Relaxed), 0);
    }
}

/// Of three sleepers that see no change, each `wake_one` ends the sleep of one at most.
/// (Spurious returns are allowed, but Linux makes none here.)
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn wake_one_wakes_no_more_than_one() {
    use rustix::thread::futex::{Flags, wake};

    let word = AtomicU32::new(0);
    let returned = AtomicU32::new(0);
    thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                wait(&word, 0);
                returned.fetch_add(1, Release);
            });
        }
        // They may not be asleep yet; then it takes more calls, and the bound is weaker.
        let mut calls = 0;
        while returned.load(Acquire) == 0 {
            thread::sleep(Duration::from_millis(20));
            wake_one(&word);
            calls += 1;
            thread::sleep(Duration::from_millis(20));
        }
        // The kernel says how many it wakes: all that `wake_one` did not.
        let mut others = 0;
        while returned.load(Acquire) < 3 {
            others += wake(&word, Flags::PRIVATE, u32::MAX).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        assert!(others + calls >= 3, "{calls} calls woke {}", 3 - others);
    });
}

/// The address is a key: it may dangle, or be null.
#[test]
fn a_dangling_address_may_be_woken() {
    let freed: *const AtomicU32 = Box::into_raw(Box::new(AtomicU32::new(0)));
    // SAFETY: from `Box::into_raw`, once.
    drop(unsafe { Box::from_raw(freed.cast_mut()) });
    for backend in BOTH {
        for word in [freed, std::ptr::null(), std::ptr::dangling()] {
            (backend.wake_one)(word);
            (backend.wake_all)(word);
        }
    }
}

/// Signals end sleeps early, and that is all that they do: no error, no timeout
/// before the deadline, no lost wake.
#[cfg(target_os = "linux")]
#[test]
fn a_storm_of_signals() {
    use std::os::unix::thread::JoinHandleExt;

    static SEEN: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: libc::c_int) {
        SEEN.fetch_add(1, Relaxed);
    }

    // SAFETY: all zeros is a valid `sigaction`: no flags, so no SA_RESTART.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as *const () as usize;
    // SAFETY: the handler does nothing but an atomic addition; nobody else in
    // this process uses the signal.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) };
    assert_eq!(set, 0);

    for timed in [true, false] {
        let word = std::sync::Arc::new(AtomicU32::new(0));
        let returns = std::sync::Arc::new(AtomicU32::new(0));
        let done = std::sync::Arc::new(AtomicBool::new(false));
        let sleeper = thread::spawn({
            let (word, returns, done) = (word.clone(), returns.clone(), done.clone());
            move || {
                while word.load(Acquire) == 0 {
                    if timed {
                        assert_eq!(wait_until(&word, 0, in_an_hour()), WaitResult::Returned);
                    } else {
                        wait(&word, 0);
                    }
                    returns.fetch_add(1, Relaxed);
                }
                done.store(true, Release);
            }
        });
        let before = SEEN.load(Relaxed);
        // Until a good number have been delivered, of which some ended a sleep.
        while SEEN.load(Relaxed) < before + 100 || returns.load(Relaxed) < 10 {
            // SAFETY: the thread has not been joined.
            let sent = unsafe { libc::pthread_kill(sleeper.as_pthread_t(), libc::SIGUSR1) };
            assert_eq!(sent, 0);
            thread::sleep(Duration::from_micros(100));
            assert!(!done.load(Acquire) && !sleeper.is_finished());
        }
        word.store(1, Release);
        wake_one(&*word);
        sleeper.join().unwrap();
        assert!(done.load(Acquire));
    }
}
