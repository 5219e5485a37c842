//! Models of the barrier: data exchange over it, overlapping rounds, the wrap of
//! the epoch, and freeing it.

use engine_atomic::sync::atomic::{AtomicU32, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use testkit::model::{Budget, check, check_large};

use super::Barrier;

/// One plain cell a thread, exchanged over a barrier.
struct Exchange {
    barrier: Barrier,
    cells: Vec<UnsafeCell<u32>>,
    leaders: AtomicU32,
}

// SAFETY: a cell is written by its own thread before a phase and read by the
// others after it; the checkers verify it.
unsafe impl Sync for Exchange {}

impl Exchange {
    fn new(barrier: Barrier, threads: usize) -> Arc<Self> {
        Arc::new(Self {
            barrier,
            cells: (0..threads).map(|_| UnsafeCell::new(0)).collect(),
            leaders: AtomicU32::new(0),
        })
    }

    fn wait(&self) {
        if self.barrier.wait().is_leader() {
            self.leaders.fetch_add(1, Relaxed);
        }
    }

    fn write(&self, me: usize, value: u32) {
        // SAFETY: nobody reads the cell in this phase.
        self.cells[me].with_mut(|cell| unsafe { *cell = value });
    }

    fn read_all(&self, value: u32) {
        for cell in &self.cells {
            // SAFETY: nobody writes a cell in this phase.
            cell.with(|cell| assert_eq!(unsafe { *cell }, value));
        }
    }
}

/// Each of `threads` threads writes its cell, waits and reads all cells, `rounds`
/// times, with a second barrier phase between two of them.
fn exchange(barrier: Barrier, threads: usize, rounds: u32) {
    let exchange = Exchange::new(barrier, threads);
    let run = {
        let exchange = exchange.clone();
        move |me| {
            for round in 1..=rounds {
                exchange.write(me, round);
                exchange.wait();
                exchange.read_all(round);
                if round < rounds {
                    exchange.wait();
                }
            }
        }
    };
    let others: Vec<_> = (1..threads)
        .map(|me| {
            let run = run.clone();
            thread::spawn(move || run(me))
        })
        .collect();
    run(0);
    for other in others {
        other.join().unwrap();
    }
    let phases = 2 * rounds - 1;
    assert_eq!(exchange.leaders.load(Relaxed), phases);
}

#[test]
fn two_threads_one_phase() {
    check("two_threads_one_phase", Budget::exhaustive(), || {
        exchange(Barrier::new(2), 2, 1);
    });
}

#[test]
fn two_threads_successive_phases() {
    check(
        "two_threads_successive_phases",
        Budget::preemptions(3),
        || {
            exchange(Barrier::new(2), 2, 2);
        },
    );
}

#[test]
fn three_threads_one_phase() {
    check("three_threads_one_phase", Budget::preemptions(2), || {
        exchange(Barrier::new(3), 3, 1);
    });
}

#[test]
fn three_threads_successive_phases() {
    check(
        "three_threads_successive_phases",
        Budget::preemptions(1),
        || {
            exchange(Barrier::new(3), 3, 2);
        },
    );
}

/// The publication goes from the highest round number to zero.
#[test]
fn the_epoch_wraps() {
    check("the_epoch_wraps", Budget::preemptions(2), || {
        exchange(Barrier::after_rounds(2, (1 << 31) - 1), 2, 2);
    });
}

/// `threads` threads on a barrier for `n` of them, one arrival each: those who
/// have passed are always in complete rounds.
fn pool(n: u32, threads: u32) {
    struct Pool {
        barrier: Barrier,
        arrived: AtomicU32,
        passed: AtomicU32,
        leaders: AtomicU32,
    }
    let pool = Arc::new(Pool {
        barrier: Barrier::new(n as usize),
        arrived: AtomicU32::new(0),
        passed: AtomicU32::new(0),
        leaders: AtomicU32::new(0),
    });
    let run = {
        let pool = pool.clone();
        move || {
            pool.arrived.fetch_add(1, Relaxed);
            let leader = pool.barrier.wait().is_leader();
            pool.leaders.fetch_add(leader.into(), Relaxed);
            // AcqRel: whoever passed before us had its own round in view.
            let passed = pool.passed.fetch_add(1, AcqRel) + 1;
            // Relaxed: the arrivals of our round and of those before it are in
            // view through the barrier.
            let arrived = pool.arrived.load(Relaxed);
            assert!(
                passed <= arrived / n * n,
                "{passed} passed, {arrived} arrived"
            );
        }
    };
    let others: Vec<_> = (1..threads).map(|_| thread::spawn(run.clone())).collect();
    run();
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(pool.leaders.load(Relaxed), threads / n);
}

#[test]
fn more_threads_than_participants() {
    check(
        "more_threads_than_participants",
        Budget::preemptions(1),
        || {
            pool(2, 4);
        },
    );
}

/// Frees the barrier, as far as the checker can tell: loom reports an access that
/// does not happen before this, and the others get their memory back.
///
/// # Safety
///
/// `barrier` came from `Box::into_raw` and is not used again.
unsafe fn free(barrier: *mut Barrier) {
    // SAFETY: the caller's promise.
    #[cfg_attr(not(engine_loom), expect(unused_mut, reason = "loom's `with_mut`"))]
    let mut barrier = unsafe { Box::from_raw(barrier) };
    #[cfg(engine_loom)]
    {
        barrier.words.tickets.with_mut(|_| ());
        barrier.words.epoch.with_mut(|_| ());
        // The memory stays, so that a late access is loom's to report.
        Box::leak(barrier);
    }
    #[cfg(not(engine_loom))]
    drop(barrier);
}

struct Raw(*mut Barrier);
// SAFETY: a barrier may be shared; who frees it is what the models are about.
unsafe impl Send for Raw {}

/// `threads` threads arrive once at a barrier for `n` of them; the last of those
/// that do not lead a round frees it, while the leaders may still be inside
/// `wait`.
fn free_under_the_leaders(n: u32, threads: u32) {
    let barrier = Box::into_raw(Box::new(Barrier::new(n as usize)));
    let left = Arc::new(AtomicU32::new(threads - threads / n));
    let run = move |barrier: Raw, left: Arc<AtomicU32>| {
        let barrier = barrier.0;
        // SAFETY: freed only after every call but the leaders' has returned.
        let leader = unsafe { (*barrier).wait().is_leader() };
        // AcqRel: collects the other threads' returns.
        if !leader && left.fetch_sub(1, AcqRel) == 1 {
            // SAFETY: from `Box::into_raw`, and only one thread gets here.
            unsafe { free(barrier) };
        }
    };
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let (barrier, left) = (Raw(barrier), left.clone());
            thread::spawn(move || run(barrier, left))
        })
        .collect();
    run(Raw(barrier), left);
    for other in others {
        other.join().unwrap();
    }
}

#[test]
fn wait_then_free() {
    check("wait_then_free", Budget::exhaustive(), || {
        free_under_the_leaders(2, 2);
    });
}

#[test]
fn three_wait_then_free() {
    check("three_wait_then_free", Budget::preemptions(2), || {
        free_under_the_leaders(3, 3);
    });
}

/// The leader of the first round may stall until the second one is complete.
#[test]
fn two_rounds_then_free() {
    check("two_rounds_then_free", Budget::preemptions(1), || {
        free_under_the_leaders(2, 4);
    });
}

#[test]
fn eight_threads() {
    check_large("eight_threads", Budget::default(), || {
        exchange(Barrier::new(8), 8, 3);
    });
}

#[test]
fn eight_threads_share_a_barrier_for_two() {
    check_large(
        "eight_threads_share_a_barrier_for_two",
        Budget::default(),
        || {
            pool(2, 8);
        },
    );
}
