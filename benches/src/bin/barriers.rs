//! Barriers: nanoseconds a round.
//!
//! ```sh
//! cargo run --release -p benches --bin barriers -- [--rounds 9] [--millis 60] [--only "2 threads"] [--format csv]
//! ```
//!
//! All threads of a group do nothing but wait for each other. With more threads
//! than processors a round contains context switches, and a spinning barrier gets
//! through only because its spinning yields: `hurdles` is left out above four
//! threads.

use std::cell::Cell;
use std::time::Duration;

use benches::runner::{Done, Part, to_the_end};
use benches::{Contest, Report, Turn, Unit};

/// A turn of about `duration`: the threads cannot agree on a stop without one more
/// barrier, so the number of rounds is fixed before, from the speed of the last
/// turn.
fn rounds(
    duration: Duration,
    last: &Cell<u64>,
    threads: usize,
    mut part: impl FnMut(u64) -> Box<dyn FnOnce() + Send>,
) -> Turn {
    loop {
        let rounds = last.get();
        let parts = (0..threads)
            .map(|_| {
                let work = part(rounds);
                let part: Part<'static> = Box::new(move |_| {
                    work();
                    Done::from(rounds)
                });
                part
            })
            .collect();
        let mut turn = to_the_end(parts);
        // Each thread counts each round.
        turn.operations = rounds;
        let ratio = duration.as_secs_f64() / turn.elapsed.as_secs_f64().max(1e-9);
        last.set((rounds as f64 * ratio.clamp(0.1, 10.0)).max(16.0) as u64);
        if ratio < 4.0 {
            return turn;
        }
    }
}

/// A contestant with `new` and `wait(&self)`.
macro_rules! shared {
    ($barrier:ty, $duration:expr, $threads:expr) => {{
        let last = Cell::new(64);
        let threads = $threads;
        move || {
            let barrier = std::sync::Arc::new(<$barrier>::new(threads));
            rounds($duration, &last, threads, |rounds| {
                let barrier = barrier.clone();
                Box::new(move || {
                    for _ in 0..rounds {
                        barrier.wait();
                    }
                })
            })
        }
    }};
}

fn main() {
    let report = Report::start();
    let duration = report.options().turn();
    for threads in [2, 3, 4, 8] {
        let mut contest = Contest::new(format!("Barrier, {threads} threads"), Unit::Nanoseconds)
            .add("std", shared!(std::sync::Barrier, duration, threads))
            .baseline()
            .add(
                "engine-barrier",
                shared!(engine_barrier::Barrier, duration, threads),
            );
        if threads <= 4 {
            let last = Cell::new(64);
            contest = contest.add("hurdles", move || {
                // Its handles have to be cloned before the first use.
                let barrier = hurdles::Barrier::new(threads);
                rounds(duration, &last, threads, |rounds| {
                    let mut barrier = barrier.clone();
                    Box::new(move || {
                        for _ in 0..rounds {
                            barrier.wait();
                        }
                    })
                })
            });
        }
        report.run(contest);
    }
    report.finish();
}
