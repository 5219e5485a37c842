//! Mutexes and condition variables.
//!
//! ```sh
//! cargo run --release -p benches --bin locks -- [--rounds 9] [--millis 60] [--only "4 threads"] [--format csv]
//! ```
//!
//! | table | what each thread does |
//! |---|---|
//! | 1 thread | lock, add one, unlock |
//! | n threads | the same, all on one lock; every 64th acquisition is timed |
//! | n threads, work outside | the same, with some 200 ns of arithmetic between two locks |
//! | ping-pong | two threads take turns by a condition variable: two operations are one round trip |
//!
//! Throughput and fairness pull in opposite directions: a lock that lets one thread
//! keep it for a whole time slice looks fast. Read the shares and the latencies
//! beside the throughput.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::runner::{Done, Part, Signal, alone, for_duration, nanoseconds};
use benches::{Contest, Report, Turn, Unit};

/// What the locks have in common.
trait Lock: Default + Sync {
    fn with(&self, work: impl FnOnce(&mut u64));
}

/// What the condition variables have in common: a turn-taking counter.
trait TakeTurns: Default + Sync {
    /// Waits until the counter is odd or even, as `parity` says, and adds one.
    fn step(&self, parity: u64);
}

macro_rules! lock {
    ($name:ident, $mutex:ty, $($unwrap:ident)?) => {
        #[derive(Default)]
        struct $name($mutex);

        impl Lock for $name {
            #[inline]
            fn with(&self, work: impl FnOnce(&mut u64)) {
                work(&mut *self.0.lock()$(.$unwrap())?);
            }
        }
    };
}

lock!(Std, std::sync::Mutex<u64>, unwrap);
lock!(ParkingLot, parking_lot::Mutex<u64>,);
lock!(Spin, spin::Mutex<u64>,);
lock!(Engine, engine_lock::Mutex<u64>,);

#[derive(Default)]
struct StdTurns(std::sync::Mutex<u64>, std::sync::Condvar);

impl TakeTurns for StdTurns {
    fn step(&self, parity: u64) {
        let mut turn = self
            .1
            .wait_while(self.0.lock().unwrap(), |turn| *turn % 2 != parity)
            .unwrap();
        *turn += 1;
        drop(turn);
        self.1.notify_one();
    }
}

macro_rules! turns {
    ($name:ident, $path:ident) => {
        #[derive(Default)]
        struct $name($path::Mutex<u64>, $path::Condvar);

        impl TakeTurns for $name {
            fn step(&self, parity: u64) {
                let mut turn = self.0.lock();
                self.1.wait_while(&mut turn, |turn| *turn % 2 != parity);
                *turn += 1;
                drop(turn);
                self.1.notify_one();
            }
        }
    };
}

turns!(ParkingLotTurns, parking_lot);
turns!(EngineTurns, engine_lock);

fn one_thread<L: Lock>(duration: Duration) -> Turn {
    let lock = L::default();
    alone(duration, 1_000, |batch| {
        for _ in 0..batch {
            lock.with(|value| *value += 1);
        }
    })
}

fn contended<L: Lock>(duration: Duration, threads: usize, outside: u32) -> Turn {
    let lock = L::default();
    let part = |lock: &L, signal: &Signal| {
        let mut latencies = nanoseconds();
        let mut operations = 0;
        while signal.running() {
            for timed in 0..64 {
                if timed == 0 {
                    let start = Instant::now();
                    let mut waited = Duration::ZERO;
                    lock.with(|value| {
                        waited = start.elapsed();
                        *value += 1;
                    });
                    latencies
                        .record(waited.as_nanos() as u64)
                        .expect("the histogram resizes");
                } else {
                    lock.with(|value| *value += 1);
                }
                think(outside);
            }
            operations += 64;
        }
        Done {
            operations,
            latencies: Some(latencies),
        }
    };
    let parts = (0..threads)
        .map(|_| -> Part<'_> { Box::new(|signal| part(&lock, signal)) })
        .collect();
    let turn = for_duration(duration, parts);
    lock.with(|value| assert_eq!(*value, turn.operations, "the lock does not exclude"));
    turn
}

/// `steps` dependent multiplications, about a nanosecond each.
#[inline]
fn think(steps: u32) {
    let mut value = 1_u64;
    for _ in 0..steps {
        value = black_box(value.wrapping_mul(0x5851_F42D_4C95_7F2D));
    }
    black_box(value);
}

fn ping_pong<T: TakeTurns>(duration: Duration) -> Turn {
    let turns = T::default();
    // The threads end by count: one that stopped alone would leave the other
    // waiting for its turn.
    const BATCH: u64 = 200;
    let start = Instant::now();
    let mut operations = 0;
    while start.elapsed() < duration {
        let play = |parity| {
            for _ in 0..BATCH {
                turns.step(parity);
            }
        };
        std::thread::scope(|s| {
            s.spawn(|| play(0));
            play(1);
        });
        operations += 2 * BATCH;
    }
    Turn {
        operations,
        elapsed: start.elapsed(),
        latencies: None,
        shares: Vec::new(),
    }
}

fn main() {
    let report = Report::start();
    let duration = report.options().turn();

    report.run(
        Contest::new("Mutex, 1 thread", Unit::Nanoseconds)
            .add("std", || one_thread::<Std>(duration))
            .add("parking_lot", || one_thread::<ParkingLot>(duration))
            .baseline()
            .add("spin", || one_thread::<Spin>(duration))
            .add("engine-lock", || one_thread::<Engine>(duration)),
    );
    for (threads, outside) in [(2, 0), (4, 0), (8, 0), (2, 200), (4, 200)] {
        let mut title = format!("Mutex, {threads} threads");
        if outside > 0 {
            title.push_str(", work outside");
        }
        report.run(
            Contest::new(title, Unit::Mops)
                .add("std", || contended::<Std>(duration, threads, outside))
                .add("parking_lot", || {
                    contended::<ParkingLot>(duration, threads, outside)
                })
                .baseline()
                .add("spin", || contended::<Spin>(duration, threads, outside))
                .add("engine-lock", || {
                    contended::<Engine>(duration, threads, outside)
                })
                .fairness(),
        );
    }
    report.run(
        Contest::new("Condvar, ping-pong", Unit::Nanoseconds)
            .add("std", || ping_pong::<StdTurns>(duration))
            .add("parking_lot", || ping_pong::<ParkingLotTurns>(duration))
            .baseline()
            .add("engine-lock", || ping_pong::<EngineTurns>(duration)),
    );
    report.finish();
}
