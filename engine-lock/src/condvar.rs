//! A condition variable: a sequence word on a futex.

use std::fmt;
use std::time::{Duration, Instant};

use engine_atomic::futex::WaitResult;
use engine_atomic::sync::atomic::AtomicU32;
use engine_atomic::sync::atomic::Ordering::Relaxed;
use engine_atomic::{const_unless_loom, futex};

use crate::MutexGuard;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// Lets threads sleep, with a [`Mutex`](crate::Mutex) unlocked, until somebody
/// says that its data has changed.
///
/// The names are those of `parking_lot::Condvar`.
///
/// # Example
///
/// ```
/// use engine_lock::{Condvar, Mutex};
///
/// let (queue, filled) = (Mutex::new(Vec::new()), Condvar::new());
/// let item = std::thread::scope(|s| {
///     s.spawn(|| {
///         queue.lock().push(7);
///         filled.notify_one();
///     });
///     let mut queue = queue.lock();
///     filled.wait_while(&mut queue, |queue| queue.is_empty());
///     queue.pop()
/// });
/// assert_eq!(item, Some(7));
/// ```
///
/// # Guarantees
///
/// - **No lost notification**: a thread that waits because of what it saw under
///   the mutex is reached by every notification that follows a change made under
///   the mutex, whether the notifier still holds it or not.
/// - **Spurious returns happen**: wait in a loop, or use
///   [`wait_while`](Self::wait_while).
/// - **The mutex is held** when a wait returns, also after a timeout, and when a
///   condition panics.
/// - **Fairness**: none promised; the kernel usually wakes in order of arrival.
///   [`notify_all`](Self::notify_all) wakes everyone at once, and they then
///   compete for the mutex.
/// - **System calls**: a notification while nobody waits makes none.
/// - Different mutexes at one time are sound, but a notification does not know
///   which waiter it wakes: use one mutex for one condition variable.
/// - **Limit**: exactly 2<sup>32</sup> notifications between a thread's unlocking
///   and its falling asleep would go unseen by it.
/// - **Allocation**: none. **Size**: 8 bytes. `Send` and `Sync`.
///
/// # When not to use
///
/// To hand over a value, use a channel or a queue that waits.
///
/// Source: the sequence counter of the futex condition variable in Rust's `std`;
/// the count of waiters is added here.
//
// | word | meaning | who writes it |
// |---|---|---|
// | `sequence` | notifications so far, mod 2^32 | a notifier: + 1 |
// | `waiters` | threads between unlocking and having been woken | a waiter: + 1 before it unlocks, - 1 once awake |
//
// Everything is Relaxed, because the mutex orders it. A waiter W reads `sequence`
// and counts itself while it holds the mutex; a notifier N has changed the data
// under the mutex. Either N's critical section came first, and W saw the change and
// does not wait; or W's came first, and then W's unlock happens-before N's lock, so
// that N sees W in `waiters` and changes `sequence` after W has read it: the futex
// finds the word changed, or N's wake finds W asleep.
pub struct Condvar {
    sequence: AtomicU32,
    waiters: AtomicU32,
}

impl Condvar {
    const_unless_loom! {
        /// A condition variable that nobody waits on.
        pub const fn new() -> Self {
            Self {
                sequence: AtomicU32::new(0),
                waiters: AtomicU32::new(0),
            }
        }
    }

    /// Wakes one waiting thread. Returns whether there was one.
    ///
    /// A thread that was woken before and is still on its way out counts too, so
    /// `true` may come late; `false` is certain about every thread that began to
    /// wait before the data was changed.
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.notify(futex::wake_one) != 0
    }

    /// Wakes every waiting thread, and returns how many there were, counted as by
    /// [`notify_one`](Self::notify_one).
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.notify(futex::wake_all) as usize
    }

    #[inline]
    fn notify(&self, wake: impl FnOnce(*const AtomicU32)) -> u32 {
        // Relaxed: see the protocol above.
        let waiters = self.waiters.load(Relaxed);
        if waiters != 0 {
            self.sequence.fetch_add(1, Relaxed);
            wake(&self.sequence);
        }
        waiters
    }

    /// Unlocks the mutex, sleeps until a notification, and locks again.
    ///
    /// May return without a notification.
    #[inline]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_on(guard, futex::wait);
    }

    /// [`wait`](Self::wait), again and again while `condition` is true.
    ///
    /// If `condition` panics, the mutex is held and the guard still owns it.
    #[inline]
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) {
        while condition(&mut **guard) {
            self.wait(guard);
        }
    }

    /// [`wait`](Self::wait), but no longer than until `deadline`.
    #[inline]
    pub fn wait_until<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Instant,
    ) -> WaitTimeoutResult {
        let result = self.wait_on(guard, |word, seen| futex::wait_until(word, seen, deadline));
        WaitTimeoutResult(result == WaitResult::TimedOut)
    }

    /// [`wait`](Self::wait), but no longer than `timeout`. A timeout beyond the
    /// clock's range waits without a limit.
    #[inline]
    pub fn wait_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.wait_until(guard, deadline),
            None => {
                self.wait(guard);
                WaitTimeoutResult(false)
            }
        }
    }

    /// [`wait_while`](Self::wait_while), but no longer than until `deadline`. The
    /// result says whether it timed out *and* the condition was still true.
    #[inline]
    pub fn wait_while_until<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: Instant,
    ) -> WaitTimeoutResult {
        let mut result = WaitTimeoutResult(false);
        while condition(&mut **guard) {
            if result.timed_out() {
                return result;
            }
            result = self.wait_until(guard, deadline);
        }
        WaitTimeoutResult(false)
    }

    /// [`wait_while_until`](Self::wait_while_until) `timeout` from now.
    #[inline]
    pub fn wait_while_for<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        condition: impl FnMut(&mut T) -> bool,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.wait_while_until(guard, condition, deadline),
            None => {
                self.wait_while(guard, condition);
                WaitTimeoutResult(false)
            }
        }
    }

    fn wait_on<T: ?Sized, R>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        sleep: impl FnOnce(&AtomicU32, u32) -> R,
    ) -> R {
        // Relaxed: see the protocol above. Both while the mutex is held.
        let seen = self.sequence.load(Relaxed);
        self.waiters.fetch_add(1, Relaxed);
        MutexGuard::unlocked(guard, || {
            let result = sleep(&self.sequence, seen);
            // Before the mutex is ours again, or a notification that comes with
            // it would count us once more.
            self.waiters.fetch_sub(1, Relaxed);
            result
        })
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot for people.
        f.debug_struct("Condvar")
            .field("waiters", &self.waiters.load(Relaxed))
            .field("notifications", &self.sequence.load(Relaxed))
            .finish()
    }
}

/// Whether a wait with a deadline timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a wait that timed out is not a notification"]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the deadline passed before a notification. The data may have
    /// changed all the same: look at it.
    #[must_use]
    pub const fn timed_out(self) -> bool {
        self.0
    }
}
