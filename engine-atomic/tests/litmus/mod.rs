//! Store buffering on two real threads.

use std::sync::atomic::{AtomicU32, Ordering::*};
use std::time::{Duration, Instant};

use engine_atomic::{CachePadded, fence};

/// Each side's word is on a line of its own, and new for each round.
#[derive(Default)]
struct Round {
    left: CachePadded<AtomicU32>,
    right: CachePadded<AtomicU32>,
}

const ROUNDS: usize = 10_000;
const STOP: u32 = u32::MAX;

/// What came out of the rounds.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rounds with the fences.
    pub rounds: usize,
    /// Of these, those in which neither side saw the other's store.
    pub both_missed: usize,
    /// As many rounds without fences, in between: the same outcome there shows that
    /// the two sides really overlapped. It is reported and proves nothing either
    /// way: on one processor it never happens.
    pub unfenced_missed: usize,
}

/// Runs rounds of "store mine, fence, load yours", every other one without the
/// fences. Repeats, a few times at most, until a round without has gone wrong.
pub fn store_buffering(left: fn(), right: fn()) -> Outcome {
    let mut total = Outcome::default();
    for _ in 0..4 {
        let seen = run(left, right);
        let missed = |parity: usize| {
            let of_parity = seen.iter().enumerate().filter(|(n, _)| n % 2 == parity);
            of_parity.filter(|(_, seen)| **seen == (0, 0)).count()
        };
        total.rounds += seen.len() / 2;
        total.both_missed += missed(1);
        total.unfenced_missed += missed(0);
        if total.unfenced_missed > 0 {
            break;
        }
    }
    total
}

/// Both sides start each round together by spinning, so that they overlap.
fn run(left: fn(), right: fn()) -> Vec<(u32, u32)> {
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| Round::default()).collect();
    let started = [const { CachePadded::new(AtomicU32::new(0)) }; 2];
    let fences = |fence: fn()| [fence::compiler, fence];
    let (left, right) = (fences(left), fences(right));
    std::thread::scope(|s| {
        let other = s.spawn(|| {
            let mut seen = Vec::new();
            for (n, round) in rounds.iter().enumerate() {
                started[1].store(n as u32 + 1, Release);
                if await_start(&started[0], n) == STOP {
                    break;
                }
                delay(n / 7 % 60);
                round.right.store(1, Relaxed);
                right[n % 2]();
                seen.push(round.left.load(Relaxed));
            }
            seen
        });
        let mut seen = Vec::new();
        // A busy machine gets fewer rounds; the result does not depend on it.
        let enough = Instant::now() + Duration::from_secs(1);
        for (n, round) in rounds.iter().enumerate() {
            if n > 100 && n % 16 == 0 && Instant::now() > enough {
                started[0].store(STOP, Release);
                break;
            }
            started[0].store(n as u32 + 1, Release);
            await_start(&started[1], n);
            delay(n % 60);
            round.left.store(1, Relaxed);
            left[n % 2]();
            seen.push(round.right.load(Relaxed));
        }
        let other = other.join().unwrap();
        assert_eq!(seen.len(), other.len());
        seen.into_iter().zip(other).collect()
    })
}

/// Waits for the other side to start round `n`.
fn await_start(other: &AtomicU32, n: usize) -> u32 {
    let mut spins = 0;
    loop {
        let started = other.load(Acquire);
        if started > n as u32 {
            return started;
        }
        // No pause: it would be longer than the window that we aim at.
        spins += 1;
        if spins > 5_000 {
            std::thread::yield_now();
        }
    }
}

/// Shifts the sides against each other by a few instructions.
fn delay(steps: usize) {
    for step in 0..steps {
        std::hint::black_box(step);
    }
}
