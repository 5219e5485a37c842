//! shuttle: big schedules, every atomic sequentially consistent.

#[cfg(not(feature = "shuttle"))]
compile_error!(
    "`--cfg engine_shuttle` needs the checker as well: add `--features shuttle` \
     (or `engine-atomic/shuttle` from another crate)"
);

pub use ::shuttle::{
    hint,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread, thread_local,
};

pub use crate::futex;

/// Atomics and fences.
pub mod atomic {
    pub use ::shuttle::sync::atomic::*;
    pub use core::sync::atomic::compiler_fence;
}

/// Interior mutability with an overlap detector: shuttle itself has none.
pub mod cell {
    use core::sync::atomic::{AtomicIsize, Ordering::Relaxed};

    /// Counts readers, marks a writer with -1, and offers the scheduler a
    /// switch inside each access: an access that overlaps a write panics.
    #[derive(Debug, Default)]
    pub struct UnsafeCell<T: ?Sized> {
        borrows: AtomicIsize,
        value: core::cell::UnsafeCell<T>,
    }

    impl<T> UnsafeCell<T> {
        /// Wraps `value`.
        pub const fn new(value: T) -> Self {
            Self {
                borrows: AtomicIsize::new(0),
                value: core::cell::UnsafeCell::new(value),
            }
        }

        /// Unwraps the value.
        pub fn into_inner(self) -> T {
            self.value.into_inner()
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// Calls `f` with a pointer to read through.
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            let before = self.borrows.fetch_add(1, Relaxed);
            assert!(before >= 0, "a read overlaps a write");
            switch();
            let result = f(self.value.get());
            self.borrows.fetch_sub(1, Relaxed);
            result
        }

        /// Calls `f` with a pointer to write through.
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            let before = self.borrows.swap(-1, Relaxed);
            assert_eq!(before, 0, "a write overlaps another access");
            switch();
            let result = f(self.value.get());
            self.borrows.store(0, Relaxed);
            result
        }
    }

    /// A scheduling point, but not while a failed run unwinds: the scheduler
    /// takes no more switches then.
    fn switch() {
        if !std::thread::panicking() {
            ::shuttle::thread::yield_now();
        }
    }
}
