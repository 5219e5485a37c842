//! Whether it pays to wait before an end says that there is nothing, or no room.

use engine_atomic::Backoff;
use engine_atomic::sync::MODEL;
use engine_atomic::sync::atomic::Ordering::Relaxed;

use crate::word::{AtomicIndex, Word};

/// How often a wait spins: 1, 2 and 4 spin hints.
const ROUNDS: u32 = 3;

/// So many stamps the end goes on without a wait after one in vain.
const REST: Word = 1_024;

/// Waits that may be in vain one after the other.
const CREDIT: Word = 4;

/// What an end knows of waiting.
///
/// Where pops are as fast as pushes, the consumer runs on the producer's heels: each item
/// takes the slot's line there and back again, and each look at an empty queue takes the line of
/// the tail. Both are then slow, and stay so. Who finds nothing therefore looks away for a
/// moment: the other side writes a few items meanwhile, at the price of one. (The
/// numbers: `cargo run --release -p benches --bin queues -- --only "bounded 1024, 1p1c"`.)
///
/// That is in vain where the queue is empty because nobody pushes. So each end keeps an
/// account: a wait in vain costs it [`REST`] stamps, and until the end has come so far
/// nobody waits; a wait that has paid fills the account. An end that does not move waits
/// at most [`CREDIT`] times.
///
/// Nothing depends on it but time. A checker may stop a thread at the place of
/// the wait anyway, so there is none under a model.
pub(super) struct Patience {
    /// The stamp from which on a wait may be tried.
    from: AtomicIndex,
}

/// How one operation stands with the patience of its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    NotYet,
    Once,
    Settled,
}

impl Patience {
    pub(super) fn new(at: Word) -> Self {
        Self {
            from: AtomicIndex::new(at),
        }
    }

    /// The end at `at` can do nothing now. Whether to look again, after a wait.
    pub(super) fn again(&self, at: Word, waited: &mut Waited) -> bool {
        let again = match *waited {
            Waited::NotYet => self.allows(at),
            Waited::Once => {
                self.wasted(at);
                false
            }
            Waited::Settled => false,
        };
        *waited = if again { Waited::Once } else { Waited::Settled };
        if again {
            let backoff = Backoff::new();
            (0..ROUNDS).for_each(|_| backoff.spin());
        }
        again
    }

    /// The end at `at` was claimed.
    pub(super) fn claimed(&self, at: Word, waited: Waited) {
        if waited == Waited::Once {
            // Relaxed: as below.
            self.from.store(full_account(at), Relaxed);
        }
    }

    /// Whether a wait may be tried.
    #[inline]
    pub(super) fn allows(&self, at: Word) -> bool {
        // Relaxed, here and below: a guess, which orders nothing.
        !MODEL && at.wrapping_sub(self.from.load(Relaxed)).cast_signed() >= 0
    }

    fn wasted(&self, at: Word) {
        let (full, from) = (full_account(at), self.from.load(Relaxed));
        let overfull = full.wrapping_sub(from).cast_signed() > 0;
        let from = if overfull { full } else { from };
        self.from.store(from.wrapping_add(REST), Relaxed);
    }
}

/// An account that pays for `CREDIT` waits.
fn full_account(at: Word) -> Word {
    at.wrapping_sub((CREDIT - 1) * REST)
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    /// How many operations of an end that stands at `at` wait in vain.
    fn waits(patience: &Patience, at: Word) -> usize {
        (0..100)
            .filter(|_| {
                let mut waited = Waited::NotYet;
                let again = patience.again(at, &mut waited);
                assert!(!patience.again(at, &mut waited), "twice in one operation");
                again
            })
            .count()
    }

    #[test]
    fn an_end_that_stands_still_rests() {
        for at in [0, 5, Word::MAX, Word::MAX / 2] {
            let patience = Patience::new(at);
            assert_eq!(waits(&patience, at), 1);
            assert_eq!(waits(&patience, at.wrapping_add(REST - 1)), 0);
            assert_eq!(waits(&patience, at.wrapping_add(REST)), 1);
            // A long time without need fills the account, and no more than that.
            assert_eq!(
                waits(&patience, at.wrapping_add(Word::MAX / 4)),
                CREDIT as usize
            );
        }
    }

    #[test]
    fn a_wait_that_pays_fills_the_account() {
        let at = Word::MAX - 7;
        let patience = Patience::new(at);
        let mut waited = Waited::NotYet;
        assert!(patience.again(at, &mut waited));
        patience.claimed(at, waited);
        assert_eq!(waits(&patience, at), CREDIT as usize);
        // A claim without a wait says nothing.
        patience.claimed(at, Waited::NotYet);
        patience.claimed(at, Waited::Settled);
        assert_eq!(waits(&patience, at), 0);
    }
}
