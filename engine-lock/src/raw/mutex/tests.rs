use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

use lock_api::{RawMutex as _, RawMutexTimed as _};

use super::RawMutex;

/// Runs `during` while another thread holds `lock`.
fn held_elsewhere<R>(lock: &RawMutex, during: impl FnOnce() -> R) -> R {
    let (ready, release) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    thread::scope(|s| {
        s.spawn(|| {
            let guard = lock.lock();
            ready.wait();
            release.wait();
            // SAFETY: `guard` is this acquisition's.
            unsafe { lock.unlock(guard) };
        });
        ready.wait();
        let result = during();
        release.wait();
        result
    })
}

#[test]
fn init_works_in_a_static() {
    static LOCK: RawMutex = RawMutex::INIT;
    let guard = LOCK.try_lock().expect("nobody holds it");
    assert!(LOCK.is_locked());
    assert!(LOCK.try_lock().is_none());
    // SAFETY: held, by `guard`.
    unsafe { LOCK.unlock(guard) };
    assert!(!LOCK.is_locked());
}

#[test]
fn a_timeout_lasts_at_least_as_long_as_asked() {
    let lock = RawMutex::new();
    held_elsewhere(&lock, || {
        let timeout = Duration::from_millis(5);
        let start = Instant::now();
        assert!(lock.try_lock_for(timeout).is_none());
        assert!(start.elapsed() >= timeout);
        let deadline = Instant::now() + timeout;
        assert!(lock.try_lock_until(deadline).is_none());
        assert!(Instant::now() >= deadline);
    });
    assert!(!lock.is_locked());
}

#[test]
fn a_past_deadline_still_tries() {
    let lock = RawMutex::new();
    let past = Instant::now();
    assert!(held_elsewhere(&lock, || lock.try_lock_until(past)).is_none());
    assert!(held_elsewhere(&lock, || lock.try_lock_for(Duration::ZERO)).is_none());
    let guard = lock.try_lock_until(past).expect("nobody holds it");
    // SAFETY: held, by `guard`.
    unsafe { lock.unlock(guard) };
}

#[test]
fn a_timeout_beyond_the_clock_is_none() {
    let lock = RawMutex::new();
    thread::scope(|s| {
        let guard = lock.lock();
        let waiter = s.spawn(|| {
            let guard = lock.try_lock_for(Duration::MAX).expect("no limit");
            // SAFETY: held, by `guard`.
            unsafe { lock.unlock(guard) };
        });
        // Until it sleeps, or is about to: then the timeout is in use.
        while format!("{lock:?}") != "RawMutex(CONTENDED)" {
            thread::yield_now();
        }
        // SAFETY: held, by `guard`.
        unsafe { lock.unlock(guard) };
        waiter.join().unwrap();
    });
}

#[test]
fn debug_decodes() {
    let lock = RawMutex::default();
    assert_eq!(format!("{lock:?}"), "RawMutex(UNLOCKED)");
    let guard = lock.lock();
    assert_eq!(format!("{lock:?}"), "RawMutex(LOCKED)");
    // SAFETY: held, by `guard`.
    unsafe { lock.unlock(guard) };
}

#[test]
fn it_carries_the_wrappers_of_lock_api() {
    static SHARED: lock_api::Mutex<RawMutex, u32> = lock_api::Mutex::new(1);
    *SHARED.lock() += 1;
    assert_eq!(*SHARED.lock(), 2);
}

#[test]
fn auto_traits_and_size() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    check::<RawMutex>();
    assert_eq!(size_of::<RawMutex>(), 4);
    assert_eq!(align_of::<RawMutex>(), 4);
}
