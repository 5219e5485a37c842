//! What a thread does before it sleeps: look again, then let others run.

use engine_atomic::sync::{self, hint, thread};

/// Looks at the word, a spin hint apart, before a thread yields, if cores are
/// free: 0.3 to 3 µs, depending on the processor. That is some transfers of a cache
/// line, which is all a round takes while every thread runs; looking for longer
/// keeps a thread off the processor that a missing one may be waiting for.
///
/// The models skip this phase and the next: each look would be a branch of every
/// execution and a step of every schedule.
const LOOKS: usize = sync::pick(if cfg!(miri) { 1 } else { 64 }, 0);

/// Yields before a thread sleeps. If a missing thread waits for this processor, a
/// yield lets it arrive, for a fraction of what a sleep and a wake-up cost; if
/// nobody does, a yield is a slow look, and all of them together last about as
/// long as one sleep and wake-up, some 10 µs. Measured by the barriers of
/// `benches`, with and without other load.
const YIELDS: usize = sync::pick(if cfg!(miri) { 1 } else { 32 }, 0);

/// How much longer a thread stays awake.
pub(crate) struct Patience {
    looks: usize,
    yields: usize,
}

impl Patience {
    /// For a thread of a group of `participants` that wait for each other.
    ///
    /// More participants than processors: the threads that are missing need the
    /// processor that a spinning one holds, so nobody spins.
    #[inline]
    pub(crate) fn new(participants: u64) -> Self {
        Self {
            looks: if participants > sync::processors() as u64 {
                0
            } else {
                LOOKS
            },
            yields: YIELDS,
        }
    }

    /// Passes some time awake; returns false once that is over.
    #[inline]
    pub(crate) fn wait(&mut self) -> bool {
        if self.looks > 0 {
            self.looks -= 1;
            hint::spin_loop();
            true
        } else if self.yields > 0 {
            self.yields -= 1;
            thread::yield_now();
            true
        } else {
            false
        }
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_and_oversubscription_does_not_spin() {
        let processors = sync::processors() as u64;
        for (participants, looks) in [
            (1, LOOKS),
            (processors, LOOKS),
            (processors + 1, 0),
            (u64::MAX, 0),
        ] {
            let mut patience = Patience::new(participants);
            let mut waits = 0;
            while patience.wait() {
                waits += 1;
            }
            assert_eq!(waits, looks + YIELDS);
            assert!(!patience.wait());
        }
    }
}
