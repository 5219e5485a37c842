//! The barrier under ThreadSanitizer: plain memory exchanged over it. `cargo xtask tsan`
//! runs it.
//!
//! A program of its own, because the test harness reports false positives of the
//! uninstrumented standard library.

use std::cell::UnsafeCell;

use engine_barrier::Barrier;

const THREADS: usize = 4;
const ROUNDS: u64 = 300;

struct Cell(UnsafeCell<u64>);
// SAFETY: written between two waits by one thread, read after them by the others.
unsafe impl Sync for Cell {}

static BARRIER: Barrier = Barrier::new(THREADS);
static CELLS: [Cell; THREADS] = [const { Cell(UnsafeCell::new(0)) }; THREADS];

fn run(me: usize) -> u64 {
    let mut led = 0;
    for round in 1..=ROUNDS {
        // SAFETY: only this thread touches its cell in this phase.
        unsafe { *CELLS[me].0.get() = round };
        led += u64::from(BARRIER.wait().is_leader());
        for cell in &CELLS {
            // SAFETY: nobody writes in this phase.
            assert_eq!(unsafe { *cell.0.get() }, round);
        }
        led += u64::from(BARRIER.wait().is_leader());
    }
    led
}

fn main() {
    let others: Vec<_> = (1..THREADS)
        .map(|me| std::thread::spawn(move || run(me)))
        .collect();
    let mut leaders = run(0);
    for other in others {
        leaders += other.join().expect("a thread failed");
    }
    assert_eq!(leaders, 2 * ROUNDS);
    println!("{THREADS} threads, {} phases", 2 * ROUNDS);
}
