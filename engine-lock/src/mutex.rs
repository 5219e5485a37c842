//! A mutex that owns its data.

use std::fmt;
use std::time::{Duration, Instant};

use engine_atomic::const_unless_loom;

use crate::RawMutex;

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// A guard of a [`Mutex`]: gives access to the data, and unlocks when dropped.
///
/// `lock_api`'s guard, with all its functions: `map`, `try_map`, `unlocked`,
/// `leak`.
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A guard of a part of a [`Mutex`]'s data, made by `MutexGuard::map`.
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;

/// A mutual exclusion lock that owns the data it protects.
///
/// The names are those of `parking_lot::Mutex`. Unlike `std::sync::Mutex` there
/// is no poisoning, there are timeouts, and a guard can be narrowed to a part of
/// the data.
///
/// # Example
///
/// ```
/// use engine_lock::{Mutex, MutexGuard};
///
/// static TOTALS: Mutex<(u64, u64)> = Mutex::new((0, 0));
///
/// std::thread::scope(|s| {
///     for value in 1..=4 {
///         s.spawn(move || {
///             let mut totals = TOTALS.lock();
///             totals.0 += value;
///             totals.1 += 1;
///         });
///     }
/// });
/// let count = MutexGuard::map(TOTALS.lock(), |totals| &mut totals.1);
/// assert_eq!(*count, 4);
/// ```
///
/// # Guarantees
///
/// - **Progress**: blocking: whoever holds the lock can block everyone else.
///   [`lock`](Self::lock) and unlocking are one atomic operation each while
///   nobody waits; a waiting thread spins for a bounded time (at most some 5 µs),
///   and then sleeps in the kernel.
/// - **Order**: everything before an unlock happens-before everything after the
///   next lock.
/// - **Fairness**: none promised; a running thread may overtake a woken one, so
///   one thread that locks in a tight loop can starve others.
/// - **Unwinding**: a panic while the guard is alive unlocks the mutex and leaves
///   the data as it is. There is no poisoning: keep invariants at every point
///   that may panic, or use `std::sync::Mutex`. For the same reason the type is
///   not `RefUnwindSafe`.
/// - **Recursion** deadlocks. Forgetting a guard leaves the mutex locked.
/// - **Allocation**: none. **Size**: 4 bytes beside the data. `Send` and `Sync`
///   if `T: Send`; guards are not `Send`.
///
/// # When not to use
///
/// - A counter: use an atomic, or `engine_atomic::StripedCounter`.
/// - Code that holds a lock across `.await`: use an asynchronous mutex.
/// - Real-time threads: this lock has no priority inheritance.
///
/// # Verified by
///
/// loom and shuttle models of the lock word (`raw/mutex/model.rs`).
//
// A struct of our own, and not an alias of `lock_api::Mutex<RawMutex, T>`: a second
// type parameter with a default is to come, and behind an alias it would leave
// `Mutex::new(1)` ambiguous, because `new` there is generic over the raw lock. Here
// `new` belongs to the default alone.
#[repr(transparent)]
pub struct Mutex<T: ?Sized> {
    inner: lock_api::Mutex<RawMutex, T>,
}

impl<T> Mutex<T> {
    const_unless_loom! {
        /// A new, unlocked mutex around `value`.
        #[inline]
        pub const fn new(value: T) -> Self {
            Self {
                inner: lock_api::Mutex::from_raw(RawMutex::new(), value),
            }
        }
    }

    /// Unwraps the data; no locking is needed.
    #[inline]
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, after waiting as long as it takes.
    ///
    /// Deadlocks if this thread holds the mutex already.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.inner.lock()
    }

    /// Locks if nobody holds the mutex, without waiting.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock()
    }

    /// Locks, or returns `None` once `timeout` has passed. A timeout beyond the
    /// clock's range waits without a limit.
    #[inline]
    pub fn try_lock_for(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock_for(timeout)
    }

    /// Locks, or returns `None` once it is `deadline`. With a deadline in the past
    /// this is [`try_lock`](Self::try_lock) and a spin.
    #[inline]
    pub fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock_until(deadline)
    }

    /// Whether somebody holds the mutex, at some moment during the call.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    /// The data; no locking is needed, the borrow is proof enough.
    #[inline]
    pub const fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// A pointer to the data, to be used while the lock is held.
    #[inline]
    pub const fn data_ptr(&self) -> *mut T {
        self.inner.data_ptr()
    }

    /// Unlocks a mutex whose guard was forgotten.
    ///
    /// # Safety
    ///
    /// This thread holds the lock, and no guard of this acquisition is alive.
    /// References into the data that came from it are not used any more.
    #[inline]
    pub unsafe fn force_unlock(&self) {
        // SAFETY: the caller's promise; the state of an acquisition is empty.
        unsafe { self.inner.force_unlock(lock_api::GuardNoSend::new()) };
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    /// Shows the data, or `<locked>` if the mutex is held: it does not wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}
