//! Giving way to other tasks.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets the other tasks of this worker run before the caller goes on.
///
/// The calling task goes to the end of its worker's queue. If nothing else is queued
/// there, it goes on at once.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), engine_sched::BuildError> {
/// let scheduler = engine_sched::Scheduler::builder().workers(1).build()?;
/// let sum = scheduler.spawn(async {
///     let mut sum = 0_u64;
///     for n in 0..100_000 {
///         sum += n;
///         if n % 10_000 == 0 {
///             engine_sched::yield_now().await;
///         }
///     }
///     sum
/// });
/// assert_eq!(scheduler.block_on(sum).unwrap(), 4_999_950_000);
/// # Ok(())
/// # }
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
