//! What a claim does after it has lost a race.

use engine_atomic::sync::atomic::Ordering::Relaxed;
use engine_atomic::sync::pick;
use engine_atomic::{Backoff, Contention};

use crate::word::{AtomicIndex, Word};

/// Looks after which a claim is tried however much the others are at it. Before them come 1, 2,
/// 4, and so on to 64 pauses, and then 64 each time: nearly 8,000 in all. To compare with another number:
/// `cargo run --release -p benches --bin queues -- --only "unbounded, 4p4c"`.
const LOOKS: u32 = pick(128, 1) as u32;

/// The races that one operation has lost, and how long it waits after each.
///
/// Who wins a race has the line of the index, and can claim again for next to nothing as
/// long as nobody takes the line away. Who loses and is back at once takes it away: then
/// every claim pays for a transfer, many times its own price. So the loser stays
/// away longer each time, and while it sees that the others go on claiming, it does not
/// even try; but not for ever.
pub(crate) struct LostRaces {
    /// Spins at most 8 pauses at a time.
    backoff: Backoff,
    lost: usize,
    looks: u32,
}

impl LostRaces {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            backoff: Backoff::new(),
            lost: 0,
            looks: 0,
        }
    }

    /// A compare-and-swap from `expected` has failed with `now`.
    #[inline]
    pub(crate) fn lost(&mut self, expected: Word, now: Word) {
        // A weak CAS may fail with nobody there: that is no contention.
        self.lost += usize::from(now != expected);
    }

    /// A strong compare-and-swap on `end` has failed; waits.
    #[inline]
    pub(crate) fn lost_one(&mut self, end: &AtomicIndex) {
        self.lost += 1;
        self.wait(end);
    }

    /// Those lost so far.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.lost
    }

    /// Waits after a race for `end` was lost.
    #[cold]
    pub(crate) fn wait(&mut self, end: &AtomicIndex) {
        // Relaxed, both: a look. Whoever claims verifies it.
        let mut seen = end.load(Relaxed);
        loop {
            // 1, 2, 4 and 8 pauses in one call each; then 8 in each of 2, 4 and 8 calls.
            for _ in 0..1 << self.looks.saturating_sub(3).min(3) {
                self.backoff.spin();
            }
            self.looks = self.looks.saturating_add(1);
            let now = end.load(Relaxed);
            if now == seen || self.looks >= LOOKS {
                return;
            }
            seen = now;
        }
    }

    /// Waits for another thread, which must act first.
    #[cold]
    pub(crate) fn wait_for_other(&self) {
        self.backoff.snooze();
    }

    /// A claim has been won: `contention` is on the line that has come with it.
    #[inline]
    pub(crate) fn record(&self, contention: &Contention) {
        contention.record(self.lost);
    }
}
