//! std's mutex and condition variable, with what ThreadSanitizer cannot see.
//!
//! std is not instrumented, so to ThreadSanitizer its locks order nothing. Here each
//! lock has a word that an unlock releases and a lock acquires: the edge that the
//! lock gives anyway, where ThreadSanitizer looks for it. No edge is added that is
//! not there.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{self, LockResult, PoisonError};
use std::time::Duration;

use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Release},
};

/// `std::sync::Mutex`, seen by ThreadSanitizer.
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    edge: AtomicU32,
    inner: sync::Mutex<T>,
}

/// `std::sync::MutexGuard`, seen by ThreadSanitizer.
pub struct MutexGuard<'a, T: ?Sized> {
    edge: &'a AtomicU32,
    /// `None` only while it is given to a condition variable.
    inner: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self {
            edge: AtomicU32::new(0),
            inner: sync::Mutex::new(value),
        }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As std's.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        entered(&self.edge, self.inner.lock())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The lock is held: shows what came before its last unlock.
fn entered<'a, T: ?Sized>(
    edge: &'a AtomicU32,
    result: LockResult<sync::MutexGuard<'a, T>>,
) -> LockResult<MutexGuard<'a, T>> {
    // Acquire: pairs with the Release in `left`, by the last holder.
    edge.load(Acquire);
    let guard = |inner| MutexGuard {
        edge,
        inner: Some(inner),
    };
    match result {
        Ok(inner) => Ok(guard(inner)),
        Err(poisoned) => Err(PoisonError::new(guard(poisoned.into_inner()))),
    }
}

/// The lock is about to be given up.
fn left(edge: &AtomicU32) {
    // Release: pairs with the Acquire in `entered`.
    edge.store(0, Release);
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if self.inner.is_some() {
            left(self.edge);
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("held")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("held")
    }
}

/// `std::sync::Condvar`, for the guards of this module.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    /// As std's.
    pub const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// As std's.
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let edge = guard.edge;
        left(edge);
        entered(edge, self.0.wait(guard.inner.take().expect("held")))
    }

    /// As std's.
    #[allow(clippy::type_complexity, reason = "std's type")]
    pub fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, sync::WaitTimeoutResult)> {
        let edge = guard.edge;
        left(edge);
        let inner = guard.inner.take().expect("held");
        match self.0.wait_timeout(inner, timeout) {
            Ok((inner, timed_out)) => match entered(edge, Ok(inner)) {
                Ok(guard) => Ok((guard, timed_out)),
                Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), timed_out))),
            },
            Err(poisoned) => {
                let (inner, timed_out) = poisoned.into_inner();
                let (Ok(guard) | Err(guard)) =
                    entered(edge, Ok(inner)).map_err(PoisonError::into_inner);
                Err(PoisonError::new((guard, timed_out)))
            }
        }
    }

    /// As std's.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// As std's.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
