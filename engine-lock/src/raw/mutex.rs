//! The mutex word: three states on a futex.

use std::fmt;
use std::time::{Duration, Instant};

use engine_atomic::futex::WaitResult;
use engine_atomic::sync::atomic::AtomicU32;
use engine_atomic::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use engine_atomic::sync::pick;
use engine_atomic::{Backoff, const_unless_loom, futex};
use lock_api::GuardNoSend;

use super::word::{Word, ZERO};

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// Free.
const UNLOCKED: u32 = 0;
/// Held, and nobody sleeps.
const LOCKED: u32 = 1;
/// Held, and somebody may sleep.
const CONTENDED: u32 = 2;

/// Backoff rounds before a thread sleeps: 1 + 2 + 4 pauses, then 8 a round, some
/// 100 in all, which is 0.4 to 5 µs. That is a fraction of a sleep and a wake-up,
/// and many times a short critical section. loom sees no spin: each look would be
/// a branch of every execution.
const SPIN_ROUNDS: u32 = pick(16, 0) as u32;

/// The lock under [`Mutex`](crate::Mutex): one 32-bit word.
///
/// It implements `lock_api`'s `RawMutex` and `RawMutexTimed`, so it can carry
/// other wrappers over those traits.
///
/// | word | meaning | who leaves it, how |
/// |---|---|---|
/// | 0 UNLOCKED | free | a locker: to LOCKED, or to CONTENDED if it has slept or was about to |
/// | 1 LOCKED | held, nobody sleeps | the holder: to UNLOCKED; a locker about to sleep: to CONTENDED |
/// | 2 CONTENDED | held, somebody may sleep | the holder: to UNLOCKED, and wakes one |
///
/// No other value is reachable.
///
/// # Guarantees
///
/// - **Progress**: blocking. Lock and unlock are one RMW each while nobody waits.
///   A thread that finds the lock held spins for a bounded time, not at all if
///   the process may use one processor only, and then sleeps.
/// - **Order**: unlocking happens-before the next locking.
/// - **Fairness**: none promised: a running thread may take the lock before one
///   that was woken for it. A woken thread spins again before it sleeps again.
/// - **Recursion** deadlocks.
/// - **Freeing**: unlocking touches no memory after the write that frees the
///   lock, so the next holder may free it.
/// - **Unwinding**: nothing here panics. The guards unlock when they are dropped
///   by a panic; there is no poisoning.
/// - **Allocation**: none. **Size**: 4 bytes.
///
/// # When not to use
///
/// Use [`Mutex`](crate::Mutex), which also owns the data.
///
/// Source: U. Drepper, "Futexes Are Tricky", mutex 2.
pub struct RawMutex {
    word: Word,
}

impl RawMutex {
    const_unless_loom! {
        /// An unlocked lock.
        pub const fn new() -> Self {
            Self {
                word: Word::new(UNLOCKED),
            }
        }
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        // UNLOCKED -> LOCKED
        // Acquire: the last holder's writes; pairs with the Release swap in
        // `release`. Relaxed on failure: nothing was read under the lock.
        self.word
            .compare_exchange(UNLOCKED, LOCKED, Acquire, Relaxed)
            .is_ok()
    }

    #[inline]
    fn release(&self) {
        // Nothing but the address may be used after the swap: the next holder
        // may free the lock at once.
        let word: &AtomicU32 = &self.word;
        let address: *const AtomicU32 = word;
        // LOCKED or CONTENDED -> UNLOCKED
        // Release: publishes the critical section; pairs with the Acquire of
        // whoever takes the lock next.
        let old = word.swap(UNLOCKED, Release);
        debug_assert_ne!(old, UNLOCKED, "unlocked a mutex that nobody holds");
        if old == CONTENDED {
            wake_next(address);
        }
    }

    /// Takes the lock, or gives up at the deadline; returns whether it is held.
    ///
    /// Unwind: does not.
    #[cold]
    fn acquire_contended(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.spin();
        // A lucky spin takes the lock without the mark. Once this thread has
        // slept it cannot know whether others still do, so it never does again.
        if state == UNLOCKED && self.try_acquire() {
            return true;
        }
        loop {
            // LOCKED -> CONTENDED, before we sleep;
            // UNLOCKED -> CONTENDED, which takes the lock.
            // Acquire: as in `try_acquire`.
            //
            // The mark stays even if we give up below: it costs the holder one
            // needless wake-up. Leaving without it could lose one:
            //
            //     holder: CONTENDED -> UNLOCKED, wakes A
            //     B: UNLOCKED -> LOCKED
            //     A: sees LOCKED, gives up; C sleeps on, and B will not wake it
            if state != CONTENDED && self.word.swap(CONTENDED, Acquire) == UNLOCKED {
                return true;
            }
            match deadline {
                None => futex::wait(&self.word, CONTENDED),
                Some(deadline) => {
                    if futex::wait_until(&self.word, CONTENDED, deadline) == WaitResult::TimedOut {
                        return false;
                    }
                }
            }
            state = self.spin();
        }
    }

    /// Looks at the word until it is not LOCKED, for a bounded time, and returns
    /// what it saw last. If others sleep already, spinning past them is no use:
    /// the lock is held for long.
    fn spin(&self) -> u32 {
        let backoff = Backoff::new();
        loop {
            // Relaxed: a hint; taking the lock is another step.
            let state = self.word.load(Relaxed);
            if state != LOCKED || backoff.rounds() >= SPIN_ROUNDS {
                return state;
            }
            backoff.spin();
        }
    }

    fn acquire_until(&self, deadline: Option<Instant>) -> Option<GuardNoSend> {
        (self.try_acquire() || self.acquire_contended(deadline)).then(GuardNoSend::new)
    }
}

/// Wakes one of the threads that sleep on the word at `address`.
#[cold]
fn wake_next(address: *const AtomicU32) {
    futex::wake_one(address);
}

// SAFETY: (1) exclusion: the lock is taken only by a step UNLOCKED -> LOCKED or
// UNLOCKED -> CONTENDED, and only the holder steps back to UNLOCKED. (2) Locking
// is Acquire and unlocking is Release on the same word. (3) Nothing unwinds.
// (4) The guard state has no destructor, and the word refers to nothing, so
// forgetting the one and moving the other are both harmless.
unsafe impl lock_api::RawMutex for RawMutex {
    const INIT: Self = Self { word: ZERO };

    /// Guards stay on their thread, as in `std`: a guard that is held across an
    /// `.await` on a work-stealing executor is a compile error.
    type Guard = GuardNoSend;

    #[inline]
    fn lock(&self) -> GuardNoSend {
        if !self.try_acquire() {
            self.acquire_contended(None);
        }
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardNoSend> {
        self.try_acquire().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock(&self, _guard: GuardNoSend) {
        self.release();
    }

    #[inline]
    fn is_locked(&self) -> bool {
        // Relaxed: a snapshot that is stale by the time it is used.
        self.word.load(Relaxed) != UNLOCKED
    }
}

// SAFETY: as above; a timeout returns without the lock.
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration;
    type Instant = Instant;

    #[inline]
    fn try_lock_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        if self.try_acquire() {
            return Some(GuardNoSend::new());
        }
        // A timeout beyond the clock's range is none.
        self.acquire_until(Instant::now().checked_add(timeout))
    }

    #[inline]
    fn try_lock_until(&self, deadline: Instant) -> Option<GuardNoSend> {
        self.acquire_until(Some(deadline))
    }
}

impl Default for RawMutex {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot for people.
        f.write_str(match self.word.load(Relaxed) {
            UNLOCKED => "RawMutex(UNLOCKED)",
            LOCKED => "RawMutex(LOCKED)",
            CONTENDED => "RawMutex(CONTENDED)",
            _ => "RawMutex(INVALID)",
        })
    }
}
