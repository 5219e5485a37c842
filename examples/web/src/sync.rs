//! What threads share, over the engine's facade: the model checkers see every access.
//!
//! `Arc` is std's everywhere: it keeps things alive, and nothing here is published
//! by its count.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::task::Waker;

pub use engine_atomic::sync::{Mutex, MutexGuard, atomic, futex};

/// Locks `mutex`. A panic under the lock leaves the data whole: nothing in this
/// crate calls foreign code between two changes that belong together.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic carries.
pub type Payload = Box<dyn Any + Send>;

/// Calls every waker, also those behind one that panics: each may be all that
/// somebody waits for. Call it without a lock.
///
/// # Errors
///
/// The first panic, once all have been called.
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) -> Result<(), Payload> {
    let mut first = Ok(());
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            if first.is_ok() {
                first = Err(payload);
            } else {
                // Dropping it could panic once more.
                std::mem::forget(payload);
            }
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::testing::{Bomb, Signal};

    #[test]
    fn a_waker_that_panics_loses_no_other() {
        let signals: Vec<Arc<Signal>> = (0..3).map(|_| Arc::default()).collect();
        let mut wakers = vec![Arc::new(Bomb("first")).into()];
        wakers.extend(signals.iter().map(|signal| Waker::from(signal.clone())));
        wakers.insert(2, Arc::new(Bomb("second")).into());
        let payload = wake_all(wakers).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"first"));
        assert!(signals.iter().all(|signal| signal.is_set()));
    }

    #[test]
    fn without_a_panic_all_is_well() {
        let signal = Arc::<Signal>::default();
        signal.clone().wake();
        wake_all([Waker::from(signal.clone())]).unwrap();
        assert!(signal.is_set());
    }
}
