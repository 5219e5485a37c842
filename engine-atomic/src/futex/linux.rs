//! Linux and Android: futex(2).

use std::time::Instant;

use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::WaitResult;
use crate::sync::atomic::AtomicU32;

pub(super) use atomic_wait::{wait, wake_all, wake_one};

pub(super) fn wait_until(word: &AtomicU32, expected: u32, deadline: Instant) -> WaitResult {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return WaitResult::TimedOut;
    }
    // `Instant` is this clock but does not say its value, so the deadline is
    // rebuilt as "now, by the kernel's own reading, plus what is left".
    let now = clock_gettime(ClockId::Monotonic);
    let Some(absolute) = Timespec::try_from(left)
        .ok()
        .and_then(|left| now.checked_add(left))
    else {
        // Centuries ahead: the clock cannot hold it, so there is no limit.
        wait(word, expected);
        return WaitResult::Returned;
    };
    // FUTEX_WAIT_BITSET rather than FUTEX_WAIT: its timeout is absolute, so a
    // caller that loops after a spurious return does not drift.
    match futex::wait_bitset(
        word,
        futex::Flags::PRIVATE,
        expected,
        Some(&absolute),
        core::num::NonZeroU32::MAX,
    ) {
        Err(rustix::io::Errno::TIMEDOUT) => WaitResult::TimedOut,
        // EINTR and EAGAIN are spurious returns like any other. EINVAL would
        // mean a timespec the kernel does not take; returning is allowed then
        // too, and the caller's loop sees its own deadline.
        Ok(()) | Err(_) => WaitResult::Returned,
    }
}
