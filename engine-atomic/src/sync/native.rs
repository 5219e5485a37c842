//! `core` and `std`: what production code runs on.

#[cfg(feature = "alloc")]
pub use alloc::sync::Arc;
#[cfg(all(feature = "std", not(engine_tsan)))]
pub use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(feature = "std")]
pub use std::{thread, thread_local};

#[cfg(all(feature = "std", engine_tsan))]
pub use super::tsan::{Condvar, Mutex, MutexGuard};

#[cfg(feature = "std")]
pub use crate::futex;

/// Atomics and fences.
pub mod atomic {
    pub use core::sync::atomic::*;
}

/// Spin hints.
pub mod hint {
    pub use core::hint::spin_loop;
}

/// Interior mutability.
pub mod cell {
    /// `core::cell::UnsafeCell` behind closures.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// Wraps `value`.
        #[inline(always)]
        pub const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Unwraps the value.
        #[inline(always)]
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// Calls `f` with a pointer to read through.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Calls `f` with a pointer to write through.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}
