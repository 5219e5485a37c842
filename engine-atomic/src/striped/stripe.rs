//! One stripe: 64 bits, whatever the target has.

#[cfg(target_has_atomic = "64")]
pub(super) use atomic::Stripe;
#[cfg(not(target_has_atomic = "64"))]
pub(super) use locked::Stripe;

#[cfg(target_has_atomic = "64")]
mod atomic {
    use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use crate::sync::cell::UnsafeCell;

    // Relaxed everywhere: a stripe is one word, whose modification order alone decides
    // that nothing is lost; and the counter promises no order to anything else.
    pub(in crate::striped) struct Stripe {
        sum: AtomicU64,
        /// Nothing in production. The checkers see its making as a write and
        /// `check_published` as a read, so they find an array that is reached
        /// without its publication.
        made: UnsafeCell<()>,
    }

    // SAFETY: `made` holds nothing that could be raced for.
    unsafe impl Sync for Stripe {}
    // As the atomic alone would be.
    impl std::panic::RefUnwindSafe for Stripe {}

    impl Stripe {
        crate::const_unless_loom! {
            pub(in crate::striped) const fn new() -> Self {
                Self {
                    sum: AtomicU64::new(0),
                    made: UnsafeCell::new(()),
                }
            }
        }

        #[inline(always)]
        pub(in crate::striped) fn check_published(&self) {
            self.made.with(|_| ());
        }

        /// Adds unless another thread is at it; a strong CAS fails for no other reason.
        #[inline]
        pub(in crate::striped) fn try_add(&self, amount: u64) -> bool {
            let sum = self.sum.load(Relaxed);
            self.sum
                .compare_exchange(sum, sum.wrapping_add(amount), Relaxed, Relaxed)
                .is_ok()
        }

        #[inline]
        pub(in crate::striped) fn add(&self, amount: u64) {
            self.sum.fetch_add(amount, Relaxed);
        }

        #[inline]
        pub(in crate::striped) fn load(&self) -> u64 {
            self.sum.load(Relaxed)
        }

        #[inline]
        pub(in crate::striped) fn take(&self) -> u64 {
            self.sum.swap(0, Relaxed)
        }
    }
}

/// For targets without 64-bit atomics; compiled and tested on all.
#[cfg(any(test, not(target_has_atomic = "64")))]
mod locked {
    use std::sync::PoisonError;

    use crate::sync::{Mutex, MutexGuard};

    #[cfg_attr(target_has_atomic = "64", allow(dead_code, reason = "not in use here"))]
    pub(in crate::striped) struct Stripe {
        sum: Mutex<u64>,
    }

    #[cfg_attr(target_has_atomic = "64", allow(dead_code, reason = "not in use here"))]
    impl Stripe {
        crate::const_unless_loom! {
            pub(in crate::striped) const fn new() -> Self {
                Self { sum: Mutex::new(0) }
            }
        }

        #[inline(always)]
        pub(in crate::striped) fn check_published(&self) {}

        /// Adds unless another thread is at it.
        pub(in crate::striped) fn try_add(&self, amount: u64) -> bool {
            let Ok(mut sum) = self.sum.try_lock() else {
                return false;
            };
            *sum = sum.wrapping_add(amount);
            true
        }

        pub(in crate::striped) fn add(&self, amount: u64) {
            let mut sum = self.lock();
            *sum = sum.wrapping_add(amount);
        }

        pub(in crate::striped) fn load(&self) -> u64 {
            *self.lock()
        }

        pub(in crate::striped) fn take(&self) -> u64 {
            std::mem::take(&mut *self.lock())
        }

        fn lock(&self) -> MutexGuard<'_, u64> {
            // Nothing panics under this lock.
            self.sum.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    mod tests {
        use super::Stripe;

        #[test]
        fn a_mutex_will_do() {
            let stripe = Stripe::new();
            stripe.check_published();
            assert!(stripe.try_add(u64::MAX));
            stripe.add(3);
            assert_eq!(stripe.load(), 2);
            {
                let _held = stripe.lock();
                assert!(!stripe.try_add(1));
            }
            assert_eq!(stripe.take(), 2);
            assert_eq!(stripe.load(), 0);
        }

        #[test]
        fn no_addition_is_lost() {
            let stripe = Stripe::new();
            std::thread::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| {
                        for _ in 0..1000 {
                            if !stripe.try_add(1) {
                                stripe.add(1);
                            }
                        }
                    });
                }
            });
            assert_eq!(stripe.load(), 4000);
        }
    }
}
