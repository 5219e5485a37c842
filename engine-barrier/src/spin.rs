//! How long to spin before sleeping.

// Not the facade's atomic: this is no protocol between threads, each thread
// computes the same value.
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use engine_atomic::sync;

/// Looks at the word before a thread sleeps, if cores are free.
///
/// A look with its spin hint takes 4 to 45 ns, depending on the processor, so
/// this is at most about 10 µs to 90 µs: what a sleep and a wake-up cost
/// (`benches`, `--bin limits`). Spinning for as long as the alternative costs
/// loses at most a factor of two against knowing the future. loom sees no spin
/// at all (each look would be a branch of every execution), and Miri one.
const LOOKS: usize = sync::pick(if cfg!(miri) { 1 } else { 2_000 }, 0);

/// The number of looks before sleeping, for `participants` threads that wait for
/// each other.
///
/// More participants than processors: the threads that are missing need the
/// processor that a spinning one holds, so nobody spins.
#[inline]
pub(crate) fn looks(participants: u64) -> usize {
    if LOOKS == 0 || participants > processors() as u64 {
        0
    } else {
        LOOKS
    }
}

/// The processors that this process may use, asked once: the answer reads files.
#[inline]
fn processors() -> usize {
    const UNKNOWN: usize = 0;
    static PROCESSORS: AtomicUsize = AtomicUsize::new(UNKNOWN);

    #[cold]
    fn ask() -> usize {
        // One if the system does not tell: then nobody spins.
        let answer = std::thread::available_parallelism().map_or(1, usize::from);
        PROCESSORS.store(answer, Relaxed);
        answer
    }

    match PROCESSORS.load(Relaxed) {
        UNKNOWN => ask(),
        known => known,
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn oversubscription_does_not_spin() {
        let processors = processors() as u64;
        assert_eq!(looks(1), LOOKS);
        assert_eq!(looks(processors), LOOKS);
        assert_eq!(looks(processors + 1), 0);
        assert_eq!(looks(u64::MAX), 0);
    }
}
